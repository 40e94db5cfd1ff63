"""Histories: sessions held elsewhere are recorded, and a dashboard sums up what there is."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from adaptive_controller import SessionStatus
from adaptive_state import AdaptiveInterviewState
from models import InterviewSession
from resets import notices
from store import DEBUGGING, Store


@dataclass(frozen=True, kw_only=True)
class HeldSession:
    """A session that was held elsewhere, as a client tells it. `score` is 0 to 100, `duration` in seconds."""

    session_type: str
    topic: str
    score: float
    duration: float
    feedback: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None


def record_held_session(store: Store, user_id: int, held: HeldSession, *, now: datetime) -> InterviewSession:
    """Record it, in one transaction; a time that was not told follows from the other and the duration."""
    lasted = timedelta(seconds=held.duration)
    completed_at = held.completed_at or (held.created_at + lasted if held.created_at else now)
    session = InterviewSession(
        user_id=user_id,
        session_type=held.session_type,
        status=SessionStatus.COMPLETED,
        topic=held.topic,
        max_questions=0,
        max_minutes=0,
        questions_count=0,
        combined_total=0.0,
        created_at=held.created_at or completed_at - lasted,
        completed_at=completed_at,
        feedback=held.feedback,
        given_score=held.score,
        given_duration=held.duration,
        state_document=dict(AdaptiveInterviewState(topics=(held.topic,), topic=held.topic).to_document()),
    )
    with store.transaction():
        store.lock_learner(user_id)
        store.add_session(session)
    return session


def dashboard_of(store: Store, user_id: int, *, session_type: str | None, now: datetime) -> dict[str, Any]:
    """All sessions, the debugging ones apart, figures over both, and notices."""
    sessions = store.all_sessions(user_id, session_type)
    return {
        "sessions": [session for session in sessions if session.session_type != DEBUGGING],
        "debugging_sessions": [session for session in sessions if session.session_type == DEBUGGING],
        "stats": _figures(sessions),
        "notices": notices(store, user_id, now=now),
    }


def _figures(sessions: Sequence[InterviewSession]) -> dict[str, Any]:
    by_type: dict[str, list[InterviewSession]] = defaultdict(list)
    for session in sessions:
        by_type[session.session_type].append(session)
    return {
        "sessions": len(sessions),
        "questions": sum(session.questions_count for session in sessions),
        "avg_score": _mean_score(sessions),
        "practice_seconds": sum(session.duration for session in sessions),
        "by_type": {
            name: {"sessions": len(group), "avg_score": _mean_score(group)} for name, group in sorted(by_type.items())
        },
    }


def _mean_score(sessions: Iterable[InterviewSession]) -> float | None:
    """0 to 100; None when no session has a score yet."""
    scores = [session.score for session in sessions if session.score is not None]
    return fmean(scores) if scores else None
