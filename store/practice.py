"""The shelf of what learners do: mastery records, sessions, attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Executable, Row, bindparam, select, tuple_

from models import AskedQuestion, Attempt, AuditEvent, InterviewSession, User, UserMastery
from question_bank import Question
from store.transactions import Inserting, Transactions, found

S = TypeVar("S", bound=Any)
"""A session, or a row with its type."""

DEBUGGING = "debugging"
"""The type of a session of debugging challenges; all other types ask questions."""


_ATTEMPTS, _ASKED_QUESTIONS = (table.__table__ for table in (Attempt, AskedQuestion))
_LOCKED = select(User.__table__.c.id).where(User.__table__.c.id == bindparam("user_id")).with_for_update(key_share=True)
_ASKED = select(_ASKED_QUESTIONS.c.question_id, _ASKED_QUESTIONS.c.last_asked_at).where(
    _ASKED_QUESTIONS.c.user_id == bindparam("user_id")
)
_RECENT = (
    select(
        *(_ATTEMPTS.c[name] for name in ("id", "created_at", "topic", "mastery_after", "mastery_velocity")),
        *(_ATTEMPTS.c[name] for name in ("semantic_score", "keyword_score", "combined_score", "difficulty")),
    )
    .where(_ATTEMPTS.c.user_id == bindparam("user_id"), _ATTEMPTS.c.mastery_id == bindparam("mastery_id"))
    .order_by(_ATTEMPTS.c.ordinal.desc())
    .limit(bindparam("each"))
)
_ASKED_OF_TOPIC = _ASKED.where(_ASKED_QUESTIONS.c.topic == bindparam("topic"))
"""Statements of every answer are made once: to put one together takes longer than the database needs for it."""


def _note_asked(insert: Inserting) -> Executable:
    noted = insert(AskedQuestion)
    return noted.on_conflict_do_update(
        index_elements=[AskedQuestion.user_id, AskedQuestion.question_id],
        set_={"topic": noted.excluded.topic, "last_asked_at": noted.excluded.last_asked_at},
    )


def of_kind(session: S, *, debugging: bool) -> S:
    """The session itself, where it sets debugging challenges, or else asks questions; raises `NotFound`."""
    return found(session if (session.session_type == DEBUGGING) is debugging else None)


@dataclass(frozen=True, kw_only=True)
class SessionPage:
    """Some sessions, newest first, and the place after the last one (None at the end)."""

    sessions: Sequence[InterviewSession]
    next_place: tuple[datetime, int] | None


@dataclass(frozen=True, kw_only=True)
class AttemptPage:
    """Some attempts, in the order asked for, and the place after the last one (None at the end)."""

    attempts: Sequence[Attempt]
    next_place: tuple[datetime, int] | None


class PracticeShelf(Transactions):
    """Loads and saves mastery records, sessions and attempts."""

    def lock_learner(self, user_id: int) -> None:
        """Writes of one learner take turns: see docs/decisions/0003-one-transaction-per-answer.md."""
        found(self._session.connection().scalar(_LOCKED, {"user_id": user_id}))

    def masteries(self, user_id: int) -> Sequence[UserMastery]:
        """A learner's records, by topic."""
        query = select(UserMastery).where(UserMastery.user_id == user_id).order_by(UserMastery.topic)
        return self._session.scalars(query).all()

    def mastery(self, user_id: int, topic: str) -> UserMastery | None:
        """A learner's record of a topic, if there is one. What the transaction has changed by now is written later."""
        new = (row for row in self._session.new if isinstance(row, UserMastery))
        made = next((row for row in new if (row.user_id, row.topic) == (user_id, topic)), None)
        with self._session.no_autoflush:
            return made or self._session.get(UserMastery, (user_id, topic))

    def mastery_levels(self, user_id: int) -> dict[str, float]:
        """Mastery level by topic."""
        query = select(UserMastery.topic, UserMastery.mastery_level).where(UserMastery.user_id == user_id)
        return dict(iter(self._session.execute(query)))

    def mastery_versions(self, user_id: int) -> list[tuple[str, int, int]]:
        """Topic, id and version of each record: what differs when anything of them does."""
        query = select(UserMastery.topic, UserMastery.id, UserMastery.version).where(UserMastery.user_id == user_id)
        return [(row.topic, row.id, row.version) for row in self._session.execute(query.order_by(UserMastery.topic))]

    def delete_masteries(self, user_id: int, topic: str | None) -> list[dict[str, Any]]:
        """Delete one topic's record, or all (None); the figures that were removed, as the audit log keeps them."""
        query = select(UserMastery).where(UserMastery.user_id == user_id)
        if topic is not None:
            query = query.where(UserMastery.topic == topic)
        rows = self._session.scalars(query.order_by(UserMastery.topic)).all()
        for row in rows:
            self._session.delete(row)
        return [row.removed_figures() for row in rows]

    def add_audit_event(self, event: AuditEvent) -> AuditEvent:
        """Write the event; it has its id afterwards."""
        self._session.add(event)
        self._session.flush()
        return event

    def add_session(self, session: InterviewSession) -> None:
        """A new practice session."""
        self._session.add(session)

    def session(self, user_id: int, session_id: int) -> InterviewSession:
        """A learner's own session; raises `NotFound`."""
        return found(self._session.get(InterviewSession, (user_id, session_id)))

    def practice_session(self, user_id: int, session_id: int) -> InterviewSession:
        """A learner's own session of questions; raises `NotFound` for one of debugging challenges too."""
        return of_kind(self.session(user_id, session_id), debugging=False)

    def debugging_session(self, user_id: int, session_id: int) -> InterviewSession:
        """A learner's own session of debugging challenges; raises `NotFound` for any other."""
        return of_kind(self.session(user_id, session_id), debugging=True)

    def sessions(
        self,
        user_id: int,
        *,
        limit: int,
        session_type: str | None = None,
        after: tuple[datetime, int] | None = None,
    ) -> SessionPage:
        """A learner's sessions, newest first."""
        query = select(InterviewSession).where(InterviewSession.user_id == user_id)
        if session_type is not None:
            query = query.where(InterviewSession.session_type == session_type)
        place = tuple_(InterviewSession.created_at, InterviewSession.id)
        if after is not None:
            query = query.where(place < after)
        query = query.order_by(InterviewSession.created_at.desc(), InterviewSession.id.desc()).limit(limit + 1)
        rows = self._session.scalars(query).all()
        shown = rows[:limit]
        more = len(rows) > limit
        return SessionPage(sessions=shown, next_place=(shown[-1].created_at, shown[-1].id) if more else None)

    def all_sessions(self, user_id: int, session_type: str | None = None) -> Sequence[InterviewSession]:
        """All of a learner's sessions, newest first."""
        query = select(InterviewSession).where(InterviewSession.user_id == user_id)
        if session_type is not None:
            query = query.where(InterviewSession.session_type == session_type)
        return self._session.scalars(
            query.order_by(InterviewSession.created_at.desc(), InterviewSession.id.desc())
        ).all()

    def learning_curve(
        self,
        user_id: int,
        *,
        limit: int,
        topic: str | None = None,
        after: tuple[datetime, int] | None = None,
        newest_first: bool = False,
    ) -> AttemptPage:
        """A learner's attempts, oldest first or newest first."""
        query = select(Attempt).where(Attempt.user_id == user_id)
        if topic is not None:
            query = query.where(Attempt.topic == topic)
        if after is not None:
            place = tuple_(Attempt.created_at, Attempt.id)
            query = query.where(place < after if newest_first else place > after)
        order = [column.desc() if newest_first else column for column in (Attempt.created_at, Attempt.id)]
        rows = self._session.scalars(query.order_by(*order).limit(limit + 1)).all()
        shown = rows[:limit]
        more = len(rows) > limit
        return AttemptPage(attempts=shown, next_place=(shown[-1].created_at, shown[-1].id) if more else None)

    def recent_answers(self, user_id: int, *, each: int) -> dict[str, Sequence[Row[Any]]]:
        """Of each mastery record the last attempts, as points of the learning curve, oldest first; by topic.

        One short statement a record: each reads `each` rows, however long the history is.
        """
        records = select(UserMastery.topic, UserMastery.id).where(UserMastery.user_id == user_id)
        with self.reading() as connection:
            found: dict[str, Sequence[Row[Any]]] = {}
            for topic, mastery_id in connection.execute(records.order_by(UserMastery.topic)).all():
                values = {"user_id": user_id, "mastery_id": mastery_id, "each": each}
                found[topic] = connection.execute(_RECENT, values).all()[::-1]
        return found

    def add_attempt(self, attempt: Attempt) -> None:
        """Append to the log."""
        self._session.add(attempt)

    def attempts(self, user_id: int, session_id: int) -> Sequence[Attempt]:
        """The attempts of a session, oldest first."""
        query = select(Attempt).where(Attempt.user_id == user_id, Attempt.session_id == session_id)
        return self._session.scalars(query.order_by(Attempt.created_at, Attempt.id)).all()

    def attempts_by_session(self, user_id: int, session_ids: Sequence[int]) -> dict[int | None, list[Attempt]]:
        """The attempts of several sessions, oldest first, by one query; a session without attempts has no entry."""
        query = select(Attempt).where(Attempt.user_id == user_id, Attempt.session_id.in_(session_ids))
        groups: dict[int | None, list[Attempt]] = {}
        for attempt in self._session.scalars(query.order_by(Attempt.created_at, Attempt.id)):
            groups.setdefault(attempt.session_id, []).append(attempt)
        return groups

    def last_asked(self, user_id: int, topic: str | None = None) -> dict[str, float]:
        """When each question of a topic, or of all, was last asked (Unix time): bounded by the bank, not by history."""
        query = _ASKED if topic is None else _ASKED_OF_TOPIC
        values = {"user_id": user_id} if topic is None else {"user_id": user_id, "topic": topic}
        with self.reading() as connection:
            return {question_id: at.timestamp() for question_id, at in connection.execute(query, values)}

    def note_asked(self, user_id: int, question: Question, *, at: datetime) -> None:
        """Remember when the question was asked."""
        values = {"user_id": user_id, "question_id": question.id, "topic": question.topic, "last_asked_at": at}
        self._session.connection().execute(self.in_dialect(_note_asked), values)
