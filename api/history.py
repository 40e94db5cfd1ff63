"""A learner's sessions, over HTTP."""

from typing import Any
from urllib.parse import urlencode

from flask import request

from api.context import learner, services, storable
from api.cursors import to_cursor
from api.http import ApiBlueprint
from api.practice import session_view
from api.schemas.history import (
    NEWEST,
    AnswersSchema,
    DashboardQuerySchema,
    DashboardSchema,
    HeldSessionReplySchema,
    HeldSessionSchema,
    LearningCurveQuerySchema,
    LearningCurveSchema,
    RecentAnswersSchema,
    RecentQuerySchema,
    RecordedSessionSchema,
    SessionListQuerySchema,
    SessionListSchema,
)
from api.schemas.pages import PageQuerySchema
from histories import HeldSession, dashboard_of, record_held_session

blueprint = ApiBlueprint("history", __name__, url_prefix="/api", description="Sessions of the past")


@blueprint.get("/sessions")
@blueprint.signed_in
@blueprint.query(SessionListQuerySchema)
@blueprint.response(200, SessionListSchema)
def sessions(query: dict[str, Any]) -> Any:
    """Sessions, newest first."""
    page = services().store.sessions(
        learner().id, limit=query["limit"], session_type=query["type"], after=query["cursor"]
    )
    cursor = to_cursor(page.next_place)
    return {"sessions": page.sessions, "next_cursor": cursor}, 200, next_link(cursor)


@blueprint.post("/sessions")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(HeldSessionSchema)
@blueprint.response(201, HeldSessionReplySchema)
def record(body: dict[str, Any]) -> dict[str, Any]:
    """Record a session that was held elsewhere. It counts in the history, not in mastery."""
    service = services()
    return {"session": record_held_session(service.store, learner().id, HeldSession(**body), now=service.clock())}


@blueprint.get(f"/sessions/<int(max={2**63 - 1}):session_id>")
@blueprint.signed_in
@blueprint.response(200, RecordedSessionSchema)
@blueprint.problems(404)
def session(session_id: int) -> dict[str, Any]:
    """One session with its attempts."""
    store = services().store
    found = store.session(learner().id, session_id)
    return {"session": session_view(found), "attempts": store.attempts(learner().id, session_id)}


@blueprint.get("/dashboard_data")
@blueprint.signed_in
@blueprint.query(DashboardQuerySchema)
@blueprint.response(200, DashboardSchema)
def dashboard(query: dict[str, Any]) -> dict[str, Any]:
    """All sessions with figures over them, and what the learner should be told."""
    service = services()
    return dashboard_of(service.store, learner().id, session_type=query["type"], now=service.clock())


@blueprint.get("/user/progress/history")
@blueprint.signed_in
@blueprint.query(LearningCurveQuerySchema)
@blueprint.response(200, LearningCurveSchema)
def learning_curve(query: dict[str, Any]) -> Any:
    """The learning curve: one point per answer, oldest first, or newest first."""
    page = services().store.learning_curve(
        learner().id,
        limit=query["limit"],
        topic=query["topic"],
        after=query["cursor"],
        newest_first=query["order"] == NEWEST,
    )
    cursor = to_cursor(page.next_place)
    return {"points": page.attempts, "next_cursor": cursor}, 200, next_link(cursor)


@blueprint.get("/user/progress/recent")
@blueprint.signed_in
@blueprint.query(RecentQuerySchema)
@blueprint.response(200, RecentAnswersSchema)
def recent(query: dict[str, Any]) -> dict[str, Any]:
    """The last answers of every topic, for a glance at where each is going."""
    return {"topics": services().store.recent_answers(learner().id, each=query["limit"])}


@blueprint.get("/adaptive/mastery/<topic>/answers")
@blueprint.signed_in
@blueprint.query(PageQuerySchema)
@blueprint.response(200, AnswersSchema)
def answers(query: dict[str, Any], topic: str) -> Any:
    """The answers to one topic with what was found and missed, newest first."""
    page = services().store.learning_curve(
        learner().id, limit=query["limit"], topic=storable(topic), after=query["cursor"], newest_first=True
    )
    cursor = to_cursor(page.next_place)
    return {"answers": page.attempts, "next_cursor": cursor}, 200, next_link(cursor)


def next_link(cursor: str | None) -> dict[str, str]:
    """The header that leads to the next page, if there is one."""
    if cursor is None:
        return {}
    arguments = urlencode({**request.args.to_dict(), "cursor": cursor})
    address = f"{request.path}?{arguments}"
    return {"Link": f'<{address}>; rel="next"'}
