"""Debugging practice over HTTP: start a session, explain bugs, resume, finish, look back."""

from typing import Any

from api.context import learner, services
from api.cursors import to_cursor
from api.history import next_link
from api.http import ApiBlueprint
from api.practice import SESSION, session_view
from api.schemas.debugging import (
    DebuggingDetailSchema,
    DebuggingHistorySchema,
    ExplanationOutcomeSchema,
    GiveExplanationSchema,
    StartDebuggingSchema,
    StartedDebuggingSchema,
)
from api.schemas.pages import PageQuerySchema
from api.schemas.practice import FinishedSessionSchema
from debugging import ExplainedChallenge, PastSession

blueprint = ApiBlueprint("debugging", __name__, url_prefix="/api", description="Debugging practice")


@blueprint.post("/debugging/sessions")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(StartDebuggingSchema, required=False)
@blueprint.response(201, StartedDebuggingSchema)
@blueprint.problems(409)
def start(_body: dict[str, Any]) -> dict[str, Any]:
    """Start a debugging session and get its first challenge, aimed at the weakest concepts."""
    session, challenge = services().debugging.start(learner().id)
    return {"session": session_view(session), "challenge": challenge}


@blueprint.post(f"/debugging{SESSION}/answers")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(GiveExplanationSchema)
@blueprint.response(201, ExplanationOutcomeSchema)
@blueprint.problems(404, 409, 503)
def answer(body: dict[str, Any], session_id: int) -> dict[str, Any]:
    """Explain the bug of the open challenge: score, feedback, the correction, and the next challenge."""
    outcome = services().debugging.answer(learner().id, session_id, **body)
    return {
        "result": {
            "score": outcome.attempt.combined_score,
            "feedback": outcome.feedback,
            "expected_answer": outcome.attempt.expected_answer,
            "correct_code": outcome.challenge.correct_code,
        },
        "next_challenge": outcome.next_challenge,
    }


@blueprint.get(f"/debugging{SESSION}")
@blueprint.signed_in
@blueprint.response(200, DebuggingDetailSchema)
@blueprint.problems(404)
def resume(session_id: int) -> dict[str, Any]:
    """A debugging session with its open challenge and its attempts."""
    store = services().store
    session = store.debugging_session(learner().id, session_id)
    return {
        "session": session_view(session),
        "challenge": services().debugging.open_challenge(session),
        "attempts": store.attempts(learner().id, session_id),
    }


@blueprint.post(f"/debugging{SESSION}/finish")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.no_body
@blueprint.response(200, FinishedSessionSchema)
@blueprint.problems(404)
def finish(session_id: int) -> dict[str, Any]:
    """End a debugging session; ending it twice is the same as once."""
    view = session_view(services().debugging.finish(learner().id, session_id))
    return {"session": view, "summary": view["summary"]}


@blueprint.get("/profile/debugging_history")
@blueprint.signed_in
@blueprint.query(PageQuerySchema)
@blueprint.response(200, DebuggingHistorySchema)
@blueprint.problems(422)
def debugging_history(query: dict[str, Any]) -> Any:
    """Debugging sessions with their challenges and explanations, newest first."""
    page = services().debugging.history(learner().id, limit=query["limit"], after=query["cursor"])
    cursor = to_cursor(page.next_place)
    return {"history": map(_past_view, page.sessions), "next_cursor": cursor}, 200, next_link(cursor)


def _past_view(past: PastSession) -> dict[str, Any]:
    return {
        "id": past.session.id,
        "start_time": past.session.created_at,
        "end_time": past.session.completed_at,
        "count": past.session.questions_count,
        "avg_score": past.session.score,
        "summary": past.summary,
        "concepts": past.concepts,
        "challenges": map(_explained_view, past.explained),
    }


def _explained_view(explained: ExplainedChallenge) -> dict[str, Any]:
    attempt = explained.attempt
    return {
        "id": explained.challenge.id,
        "title": attempt.question,
        "language": explained.challenge.language,
        "topic": attempt.topic,
        "difficulty": attempt.difficulty,
        "score": attempt.combined_score,
        "explanation": attempt.answer,
        "mentioned_concepts": attempt.mentioned_concepts,
        "missed_concepts": attempt.missed_concepts,
        "answered_at": attempt.created_at,
    }
