"""The shelf of what is read most: one statement each, outside of transactions, of just the columns that are needed.

The statements are made once: to put one together takes longer than the database needs for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, bindparam, select

from models import PROGRESS_DEFAULTS, TokenFamily, User, UserMastery
from store.transactions import Transactions

Version = tuple[str, int, int]
"""Topic, id and version of a mastery record: what differs when anything of it does."""

_USERS, _FAMILIES, _MASTERIES = User.__table__, TokenFamily.__table__, UserMastery.__table__

_LOGIN = select(_USERS.c.role).where(
    _FAMILIES.c.user_id == bindparam("user_id"),
    _FAMILIES.c.id == bindparam("family_id"),
    _FAMILIES.c.revoked_at.is_(None),
    _FAMILIES.c.expires_at > bindparam("now"),
)
_USER_OF_LOGIN = _USERS.join(_FAMILIES, _FAMILIES.c.user_id == _USERS.c.id)
_OF_USER = _MASTERIES.c.user_id == _USERS.c.id
_OF_TOPIC = and_(_OF_USER, _MASTERIES.c.topic == bindparam("topic"))
_LOGIN_WITH_VERSIONS = _LOGIN.add_columns(_MASTERIES.c.topic, _MASTERIES.c.id, _MASTERIES.c.version)

SIGNED_IN = _LOGIN.select_from(_USER_OF_LOGIN)
SIGNED_IN_WITH_VERSIONS = _LOGIN_WITH_VERSIONS.select_from(_USER_OF_LOGIN.outerjoin(_MASTERIES, _OF_USER)).order_by(
    _MASTERIES.c.topic
)
SIGNED_IN_WITH_VERSION = _LOGIN_WITH_VERSIONS.select_from(_USER_OF_LOGIN.outerjoin(_MASTERIES, _OF_TOPIC))

SHOWN_IN_PROGRESS = (
    "topic",
    "mastery_level",
    "sessions_attempted",
    "questions_attempted",
    "correct_count",
    "last_session_date",
    "semantic_avg",
    "keyword_avg",
    "weak_concepts",
    "strong_concepts",
    "current_difficulty",
    "mastery_velocity",
)
PROGRESS = (
    select(*(_MASTERIES.c[name] for name in SHOWN_IN_PROGRESS))
    .where(_MASTERIES.c.user_id == bindparam("user_id"))
    .order_by(_MASTERIES.c.topic)
)
TOPIC_RECORD = select(*(_MASTERIES.c[name] for name in (*PROGRESS_DEFAULTS, "topic", "concept_masteries"))).where(
    _MASTERIES.c.user_id == bindparam("user_id"), _MASTERIES.c.topic == bindparam("topic")
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: an account whose login stands, and its role at this moment."""

    id: int
    role: str


class ReadShelf(Transactions):
    """Loads what nearly every request asks for."""

    def signed_in(self, user_id: int, family_id: str, *, now: datetime) -> SignedIn | None:
        """The account, if that login is neither revoked nor expired."""
        with self.look() as connection:
            role = connection.scalar(SIGNED_IN, {"user_id": user_id, "family_id": family_id, "now": now})
        return None if role is None else SignedIn(user_id, role)

    def signed_in_with_versions(
        self, user_id: int, family_id: str, topic: str | None = None, *, now: datetime
    ) -> tuple[SignedIn | None, list[Version]]:
        """The same, and the versions of the account's mastery records, or of one, by topic."""
        login = {"user_id": user_id, "family_id": family_id, "now": now}
        with self.look() as connection:
            if topic is None:
                rows = connection.execute(SIGNED_IN_WITH_VERSIONS, login).all()
            else:
                rows = connection.execute(SIGNED_IN_WITH_VERSION, {**login, "topic": topic}).all()
        learner = SignedIn(user_id, rows[0].role) if rows else None
        return learner, [(row.topic, row.id, row.version) for row in rows if row.id is not None]

    def progress(self, user_id: int) -> Sequence[Row[Any]]:
        """What progress shows of each of a learner's mastery records (`SHOWN_IN_PROGRESS`), by topic."""
        with self.look() as connection:
            return connection.execute(PROGRESS, {"user_id": user_id}).all()

    def topic_record(self, user_id: int, topic: str) -> Row[Any] | None:
        """The figures and the concept document of a learner's topic, if there is a record."""
        with self.look() as connection:
            return connection.execute(TOPIC_RECORD, {"user_id": user_id, "topic": topic}).one_or_none()
