"""Practising over HTTP: start a session, answer, resume, finish."""

from typing import Any

from adaptive_controller import SessionStatus
from api.context import learner, services
from api.http import ApiBlueprint
from api.schemas.practice import (
    AnswerOutcomeSchema,
    FinishedSessionSchema,
    GiveAnswerSchema,
    SessionDetailSchema,
    StartedSessionSchema,
    StartSessionSchema,
)
from models import Attempt, InterviewSession

blueprint = ApiBlueprint("practice", __name__, url_prefix="/api/adaptive", description="Adaptive practice sessions")

SESSION = f"/sessions/<int(max={2**63 - 1}):session_id>"


@blueprint.post("/sessions")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(StartSessionSchema, required=False)
@blueprint.response(201, StartedSessionSchema)
@blueprint.problems(409)
def start(body: dict[str, Any]) -> dict[str, Any]:
    """Start a session and get its first question. Without `topics` the service plans them, lowest mastery first."""
    session, question = services().controller.start(learner().id, **body)
    return {"session": session_view(session), "question": question}


@blueprint.post(f"{SESSION}/answers")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.body(GiveAnswerSchema)
@blueprint.response(201, AnswerOutcomeSchema)
@blueprint.problems(404, 409, 503)
def answer(body: dict[str, Any], session_id: int) -> dict[str, Any]:
    """Answer the open question: scores, the change of mastery, feedback, and the next question."""
    outcome = services().controller.answer(learner().id, session_id, **body)
    return {
        "attempt": outcome.attempt,
        "mastery": change_view(outcome.attempt, outcome.explanation),
        "feedback": outcome.feedback,
        "action": outcome.action,
        "next_question": outcome.next_question,
        "session": session_view(outcome.session),
    }


@blueprint.get(SESSION)
@blueprint.signed_in
@blueprint.response(200, SessionDetailSchema)
@blueprint.problems(404)
def resume(session_id: int) -> dict[str, Any]:
    """A session with its open question and its attempts."""
    store, controller = services().store, services().controller
    session = store.practice_session(learner().id, session_id)
    return {
        "session": session_view(session),
        "question": controller.open_question(session),
        "attempts": store.attempts(learner().id, session_id),
    }


@blueprint.post(f"{SESSION}/finish")
@blueprint.signed_in
@blueprint.retry_safe
@blueprint.no_body
@blueprint.response(200, FinishedSessionSchema)
@blueprint.problems(404)
def finish(session_id: int) -> dict[str, Any]:
    """End a session; ending it twice is the same as once."""
    session = services().controller.finish(learner().id, session_id)
    view = session_view(session)
    return {"session": view, "summary": view["summary"]}


def session_view(session: InterviewSession) -> dict[str, Any]:
    """A session as clients see it; the summary comes with its end."""
    state = session.state
    completed = session.status == SessionStatus.COMPLETED
    return {
        "id": session.id,
        "session_type": session.session_type,
        "status": session.status,
        "topic": session.topic,
        "topics": state.topics,
        "current_topic": state.topic,
        "current_difficulty": state.current_difficulty,
        "max_questions": session.max_questions,
        "max_minutes": session.max_minutes,
        "questions_count": session.questions_count,
        "score": session.score,
        "duration": session.duration,
        "created_at": session.created_at,
        "completed_at": session.completed_at,
        "feedback": session.feedback,
        "summary": services().controller.summary(session) if completed else None,
    }


def change_view(attempt: Attempt, explanation: str) -> dict[str, Any]:
    """What an attempt changed, as clients see it."""
    return {
        "before": attempt.mastery_before,
        "after": attempt.mastery_after,
        "velocity": attempt.mastery_velocity,
        "difficulty_before": attempt.difficulty_before,
        "difficulty_after": attempt.difficulty_after,
        "explanation": explanation,
    }
