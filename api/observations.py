"""Clients that ask their own questions, over HTTP."""

from typing import Any

from api.context import learner, services
from api.http import ApiBlueprint
from api.practice import change_view
from api.schemas.observations import (
    ObservationOutcomeSchema,
    ObservationSchema,
    ScoredAnswerSchema,
    ScoreRequestSchema,
)
from observations import OwnAnswer
from scoring import AnswerScore

blueprint = ApiBlueprint(
    "observations", __name__, url_prefix="/api/adaptive", description="Questions that clients ask themselves"
)


@blueprint.post("/score")
@blueprint.signed_in
@blueprint.body(ScoreRequestSchema)
@blueprint.response(200, ScoredAnswerSchema)
@blueprint.problems(503)
def score(body: dict[str, Any]) -> dict[str, Any]:
    """Score an answer to a question of the client's own. Nothing is recorded."""
    question, concepts = body.pop("question"), body.pop("concepts")
    return _score_view(services().observer.score(OwnAnswer(**body), question=question, concepts=concepts))


@blueprint.post("/observations")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(ObservationSchema)
@blueprint.response(201, ObservationOutcomeSchema)
@blueprint.problems(409, 503)
def observe(seen: Any) -> dict[str, Any]:
    """Record an answer to a question of the client's own: give the answer, or the scores that it got elsewhere."""
    outcome = services().observer.observe(learner().id, seen)
    return {
        "attempt": outcome.attempt,
        "mastery": change_view(outcome.attempt, outcome.explanation),
        "feedback": outcome.feedback,
    }


def _score_view(score: AnswerScore) -> dict[str, Any]:
    policy = services().policy
    return {
        **vars(score),
        "grounds": score.grounds and score.grounds.to_document(),
        "combined_score": policy.combined_score(semantic_score=score.semantic_score, keyword_score=score.keyword_score),
        "correct": policy.is_correct(score.keyword_score),
        "scorer": services().observer.scorer_name,
        "policy": policy.label,
    }
