"""The shelf of what every answer asks for: one statement before it is scored, and one when it is recorded.

The statements are made once: to put one together takes longer than the database needs for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BindParameter, Select, Text, and_, bindparam, null, select, type_coerce, union_all

from adaptive_state import AdaptiveInterviewState
from forecast_state import LearnerForecast
from models import Attempt, Forecast, InterviewSession, UserMastery
from store.bank import REVISION
from store.practice import of_kind
from store.transactions import Transactions, found

_SESSIONS, _ATTEMPTS = (table.__table__ for table in (InterviewSession, Attempt))
_USER: BindParameter[int] = bindparam("of_user")
_SESSION: BindParameter[int] = bindparam("of_session")
_TOPIC: BindParameter[str] = bindparam("of_topic")

_SEEN = union_all(
    select(
        _SESSIONS.c.session_type,
        type_coerce(_SESSIONS.c.state, Text).label("text"),
        REVISION.scalar_subquery().label("revision"),
    ).where(_SESSIONS.c.user_id == _USER, _SESSIONS.c.id == _SESSION),
    select(null(), _ATTEMPTS.c.expected_answer, null()).where(
        _ATTEMPTS.c.user_id == _USER, _ATTEMPTS.c.session_id == _SESSION
    ),
)


def _with_forecast(query: Any, owner: Any) -> Select[Any]:
    kept = and_(Forecast.user_id == owner, Forecast.topic == _TOPIC)
    both: Select[Any] = query.add_columns(Forecast.state).outerjoin(Forecast, kept)
    return both


_STANDING = _with_forecast(select(UserMastery), UserMastery.user_id).where(
    UserMastery.user_id == _USER, UserMastery.topic == _TOPIC
)
_RECORD = and_(UserMastery.user_id == InterviewSession.user_id, UserMastery.topic == _TOPIC)
_WITH_STANDING = _with_forecast(
    select(InterviewSession, UserMastery).outerjoin(UserMastery, _RECORD), InterviewSession.user_id
).where(InterviewSession.user_id == _USER, InterviewSession.id == _SESSION)


@dataclass(frozen=True, kw_only=True)
class SessionSeen:
    """What an answer is scored by: where its session stands, the expected answers that the learner has seen in it, and
    the revision of the question bank."""

    state: AdaptiveInterviewState
    shown: Sequence[str]
    bank_revision: int


class Standing(NamedTuple):
    """Where a learner stands in a topic before an answer: their record, a new one where there was none, and what is
    remembered of them."""

    record: UserMastery
    forecast: LearnerForecast


class AnswerShelf(Transactions):
    """Loads what answers are scored by and added to."""

    def session_seen(self, user_id: int, session_id: int, *, debugging: bool = False) -> SessionSeen:
        """What an answer in that session is scored by; raises `NotFound`, for a session of the other kind too."""
        with self.reading() as connection:
            rows = connection.execute(_SEEN, {"of_user": user_id, "of_session": session_id}).all()
        own = next((row for row in rows if row.session_type is not None), None)
        session = of_kind(found(own), debugging=debugging)
        return SessionSeen(
            state=AdaptiveInterviewState.from_document(orjson.loads(session.text)),
            shown=[row.text for row in rows if row is not session],
            bank_revision=session.revision or 0,
        )

    def standing(self, user_id: int, topic: str) -> Standing:
        """Where a learner stands in a topic. The learner must be locked."""
        row = self._session.execute(_STANDING, {"of_user": user_id, "of_topic": topic}).one_or_none()
        return self._standing(user_id, topic, *(row or (None, None)))

    def session_and_standing(
        self, user_id: int, session_id: int, topic: str, *, debugging: bool = False
    ) -> tuple[InterviewSession, Standing]:
        """A learner's own session and where they stand in the topic; raises `NotFound` as `session_seen` does.

        The learner must be locked.
        """
        values = {"of_user": user_id, "of_session": session_id, "of_topic": topic}
        session, *stored = found(self._session.execute(_WITH_STANDING, values).one_or_none())
        return of_kind(session, debugging=debugging), self._standing(user_id, topic, *stored)

    def _standing(self, user_id: int, topic: str, record: UserMastery | None, state: Any) -> Standing:
        if record is None:
            record = UserMastery(user_id=user_id, topic=topic)
            self._session.add(record)
        return Standing(record, LearnerForecast() if state is None else LearnerForecast.from_document(state))
