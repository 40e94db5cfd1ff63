"""What a learner has mastered, over HTTP."""

from collections.abc import Sequence
from typing import Any

from flask import Response
from sqlalchemy import Row

from adaptive_state import TopicMastery
from api.context import learner, services, storable
from api.http import ApiBlueprint
from api.mastery_views import json_reply, progress_view, review_view, topic_view
from api.schemas.mastery import (
    OutlookSchema,
    PolicySchema,
    ProgressSchema,
    ResetRequestSchema,
    ResetSchema,
    ReviewQuerySchema,
    ReviewsSchema,
    TopicListSchema,
    TopicMasterySchema,
)
from question_bank import RESERVED_TOPIC
from resets import Reset, reset_mastery
from reviews import NOTHING_FORETOLD
from store import Shown
from stored_rows import mastery_from

blueprint = ApiBlueprint("mastery", __name__, url_prefix="/api", description="Progress, mastery, topics, policy")


@blueprint.get("/user/progress")
@blueprint.mastery_read(Shown.PROGRESS)
@blueprint.response(200, ProgressSchema)
def progress(rows: Sequence[Row[Any]]) -> Response:
    """All topics that the learner has practised, and the overall figures."""
    return json_reply(progress_view(rows))


@blueprint.get("/adaptive/mastery/<topic>")
@blueprint.mastery_read(Shown.RECORD)
@blueprint.response(200, TopicMasterySchema)
def topic_mastery(rows: Sequence[Row[Any]], topic: str) -> Response:
    """One topic with its concepts; all zeros and `exists: false` for a topic without a record."""
    mastery = mastery_from(rows[0]) if rows else TopicMastery()
    foretold = services().reviews.topic(learner().id, topic, mastery.concepts) if rows else NOTHING_FORETOLD
    return json_reply(topic_view(topic, mastery, foretold, exists=bool(rows)))


@blueprint.get("/adaptive/mastery/<topic>/forecast")
@blueprint.signed_in
@blueprint.response(200, OutlookSchema)
def outlook(topic: str) -> dict[str, Any]:
    """How the asked concepts of a topic will be forgotten, and how true the forecasts of its last answers were."""
    found = services().reviews.outlook(learner().id, storable(topic))
    curve = [{"days": days, "recall": recall} for days, recall in found.forgetting]
    return {"forgetting": curve, "answers": found.answers}


@blueprint.get("/user/review")
@blueprint.signed_in
@blueprint.query(ReviewQuerySchema)
@blueprint.response(200, ReviewsSchema)
def review(query: dict[str, int]) -> dict[str, Any]:
    """The concepts whose review is due, most urgent first: those that would be remembered least."""
    now = services().clock()
    due = services().reviews.due(learner().id, limit=query["limit"])
    return {"reviews": [review_view(one) for one in due], "generated_at": now}


@blueprint.post("/user/reset_mastery")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(ResetRequestSchema)
@blueprint.response(200, ResetSchema)
def reset(body: dict[str, str]) -> dict[str, Any]:
    """Delete the mastery of one topic, or of `all`. Sessions and answers stay."""
    service = services()
    done = reset_mastery(
        service.store, user_id=learner().id, actor_id=learner().id, topic=body["topic"], at=service.clock()
    )
    return {
        "success": True,
        "message": _reset_message(done),
        "topic": done.topic,
        "deleted": done.deleted,
        "reset_at": done.reset_at,
        "audit_id": done.audit_id,
    }


@blueprint.get("/adaptive/policy")
@blueprint.signed_in
@blueprint.response(200, PolicySchema)
def policy() -> dict[str, Any]:
    """Every number of the mastery policy in force."""
    return services().policy.to_dict()


@blueprint.get("/topics")
@blueprint.signed_in
@blueprint.response(200, TopicListSchema)
def topics() -> dict[str, Any]:
    """The topics of the question bank."""
    return {
        "topics": [
            {
                "topic": topic.slug,
                "title": topic.title,
                "questions": len(topic.active_questions),
                "concepts": len(topic.concepts),
            }
            for topic in services().store.bank()
            if topic.active_questions
        ]
    }


def _reset_message(done: Reset) -> str:
    what = "all topics" if done.topic == RESERVED_TOPIC else f"the topic {done.topic}"
    if not done.deleted:
        return f"There was no mastery to reset for {what}."
    return f"Mastery was reset for {what}. Sessions and answers are kept."
