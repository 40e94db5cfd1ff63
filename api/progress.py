"""What a learner has mastered, over HTTP."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import orjson

from adaptive_state import TopicMastery
from api.conditional import mastery_versions
from api.context import learner, services
from api.http import ApiBlueprint
from api.schemas.mastery import (
    PolicySchema,
    ProgressSchema,
    ResetRequestSchema,
    ResetSchema,
    TopicListSchema,
    TopicMasterySchema,
)
from models import UserMastery
from question_bank import RESERVED_TOPIC
from resets import Reset, reset_mastery

blueprint = ApiBlueprint("mastery", __name__, url_prefix="/api", description="Progress, mastery, topics, policy")


@blueprint.get("/user/progress")
@blueprint.signed_in
@blueprint.conditional(mastery_versions)
@blueprint.response(200, ProgressSchema)
def progress() -> dict[str, Any]:
    """All topics that the learner has practised, and the overall figures."""
    return progress_view(services().store.masteries(learner().id))


@blueprint.get("/adaptive/mastery/<topic>")
@blueprint.signed_in
@blueprint.conditional(mastery_versions)
@blueprint.response(200, TopicMasterySchema)
def topic_mastery(topic: str) -> dict[str, Any]:
    """One topic with its concepts; all zeros and `exists: false` for a topic without a record."""
    row = None if "\x00" in topic else services().store.mastery(learner().id, topic)
    mastery = row.mastery if row else TopicMastery()
    return {"mastery": _mastery_of(topic, mastery), "concepts": mastery.concepts, "exists": row is not None}


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


def progress_view(rows: Sequence[UserMastery]) -> dict[str, Any]:
    """Mastery records as clients see them, with the overall figures."""
    return {"topics": {row.topic: _progress_of(row) for row in rows}, "overall": _overall(rows)}


def _progress_of(row: UserMastery) -> dict[str, Any]:
    policy = services().policy
    return {
        "mastery": row.mastery_level,
        "sessions_attempted": row.sessions_attempted,
        "questions_attempted": row.questions_attempted,
        "correct_count": row.correct_count,
        "last_session_date": row.last_session_date,
        "semantic_avg": row.semantic_avg,
        "keyword_avg": row.keyword_avg,
        "weak_concepts": orjson.loads(row.weak_concepts),
        "strong_concepts": orjson.loads(row.strong_concepts),
        "current_difficulty": row.current_difficulty,
        "mastery_velocity": row.mastery_velocity,
        "level": policy.level_name(row.mastery_level),
        "early_estimate": policy.is_early_estimate(row.questions_attempted),
    }


def _overall(rows: Any) -> dict[str, Any]:
    return {
        "avg_mastery": fmean(row.mastery_level for row in rows) if rows else 0.0,
        "total_sessions": sum(row.sessions_attempted for row in rows),
        "topics_count": len(rows),
        "total_questions": sum(row.questions_attempted for row in rows),
    }


def _mastery_of(topic: str, mastery: TopicMastery) -> dict[str, Any]:
    policy, figures, concepts = services().policy, mastery.progress, mastery.concepts.values()
    return {
        **vars(figures),
        "topic": topic,
        "weak_concepts": [concept.name for concept in concepts if concept.is_weak],
        "strong_concepts": [concept.name for concept in concepts if concept.is_strong],
        "concept_stagnation": {
            concept.name: concept.stagnation_count for concept in concepts if concept.stagnation_count > 0
        },
        "level": policy.level_name(figures.mastery_level),
        "early_estimate": policy.is_early_estimate(figures.questions_attempted),
    }


def _reset_message(done: Reset) -> str:
    what = "all topics" if done.topic == RESERVED_TOPIC else f"the topic {done.topic}"
    if not done.deleted:
        return f"There was no mastery to reset for {what}."
    return f"Mastery was reset for {what}. Sessions and answers are kept."
