"""A learner's sessions, over HTTP."""

from typing import Any
from urllib.parse import urlencode

from flask import request

from api.context import learner, services
from api.cursors import to_cursor
from api.http import ApiBlueprint
from api.practice import session_view
from api.schemas.history import RecordedSessionSchema, SessionListQuerySchema, SessionListSchema

blueprint = ApiBlueprint("history", __name__, url_prefix="/api", description="Sessions of the past")


@blueprint.get("/sessions")
@blueprint.signed_in
@blueprint.arguments(SessionListQuerySchema, location="query")
@blueprint.response(200, SessionListSchema)
def sessions(query: dict[str, Any]) -> Any:
    """Sessions, newest first."""
    page = services().store.sessions(
        learner().id, limit=query["limit"], session_type=query["type"], after=query["cursor"]
    )
    cursor = to_cursor(page.next_place)
    return {"sessions": page.sessions, "next_cursor": cursor}, 200, next_link(cursor)


@blueprint.get(f"/sessions/<int(max={2**63 - 1}):session_id>")
@blueprint.signed_in
@blueprint.response(200, RecordedSessionSchema)
@blueprint.problems(404)
def session(session_id: int) -> dict[str, Any]:
    """One session with its attempts."""
    store = services().store
    found = store.session(learner().id, session_id)
    return {"session": session_view(found), "attempts": store.attempts(learner().id, session_id)}


def next_link(cursor: str | None) -> dict[str, str]:
    """The header that leads to the next page, if there is one."""
    if cursor is None:
        return {}
    arguments = urlencode({**request.args.to_dict(), "cursor": cursor})
    address = f"{request.path}?{arguments}"
    return {"Link": f'<{address}>; rel="next"'}
