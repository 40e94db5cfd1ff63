"""The shelf of what is read most: one statement each, outside of transactions, of just the columns that are needed.

The statements are made once: to put one together takes longer than the database needs for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Row, Select, and_, bindparam, select

from models import IdempotencyKey, TokenFamily, User, UserMastery
from store.retries import KEPT_FOR, REPLY, STILL_KEPT, KeptReply
from store.transactions import Transactions
from stored_rows import PROGRESS_DEFAULTS


class Shown(Enum):
    """What a read takes of each mastery record beside its topic, id and version, which differ when anything does."""

    VERSION = ()
    PROGRESS = (
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
    RECORD = (*PROGRESS_DEFAULTS, "concept_masteries")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: an account whose login stands, and its role at this moment."""

    id: int
    role: str
    kept: KeptReply | None = None
    """What an earlier request under the same key was replied, where that was asked for."""


_USERS, _FAMILIES, _MASTERIES = User.__table__, TokenFamily.__table__, UserMastery.__table__
_USER_OF_LOGIN = _USERS.join(_FAMILIES, _FAMILIES.c.user_id == _USERS.c.id)
_OF_USER = _MASTERIES.c.user_id == _USERS.c.id
_OF_TOPIC = and_(_OF_USER, _MASTERIES.c.topic == bindparam("topic"))

_LOGIN = select(_USERS.c.role).where(
    _FAMILIES.c.user_id == bindparam("user_id"),
    _FAMILIES.c.id == bindparam("family_id"),
    _FAMILIES.c.revoked_at.is_(None),
    _FAMILIES.c.expires_at > bindparam("now"),
)
_SIGNED_IN = _LOGIN.select_from(_USER_OF_LOGIN)

_KEYS = IdempotencyKey.__table__
_KEPT = and_(_KEYS.c.user_id == _USERS.c.id, _KEYS.c.key == bindparam("key"), STILL_KEPT)
_SIGNED_IN_WITH_REPLY = _LOGIN.add_columns(*REPLY).select_from(_USER_OF_LOGIN.outerjoin(_KEYS, _KEPT))


def _with_masteries(shown: Shown, records: Any) -> Select[Any]:
    """The login and, beside it, each of those records; one row without a record where there is none."""
    columns = (_MASTERIES.c[name] for name in ("topic", "id", "version", *shown.value))
    query = _LOGIN.add_columns(*columns).select_from(_USER_OF_LOGIN.outerjoin(_MASTERIES, records))
    return query.order_by(_MASTERIES.c.topic)


_ALL_RECORDS = {shown: _with_masteries(shown, _OF_USER) for shown in Shown}
_ONE_RECORD = {shown: _with_masteries(shown, _OF_TOPIC) for shown in Shown}


class ReadShelf(Transactions):
    """Loads what nearly every request asks for."""

    def signed_in(self, user_id: int, family_id: str, *, now: datetime, key: str | None = None) -> SignedIn | None:
        """The account, if that login is neither revoked nor expired; with a key, what is kept under it comes along."""
        values = {"user_id": user_id, "family_id": family_id, "now": now}
        with self.look() as connection:
            if key is None:
                role = connection.scalar(_SIGNED_IN, values)
                return None if role is None else SignedIn(user_id, role)
            values |= {"key": key, "expired": now - KEPT_FOR}
            row = connection.execute(_SIGNED_IN_WITH_REPLY, values).one_or_none()
        if row is None:
            return None
        role, *kept = row
        return SignedIn(user_id, role, None if row.status is None else KeptReply(*kept))

    def signed_in_with_masteries(
        self, user_id: int, family_id: str, shown: Shown, *, topic: str | None = None, now: datetime
    ) -> tuple[SignedIn | None, Sequence[Row[Any]]]:
        """The same, and of the account's mastery records, or of one topic's, what is `shown`, by topic."""
        query = (_ALL_RECORDS if topic is None else _ONE_RECORD)[shown]
        values = {"user_id": user_id, "family_id": family_id, "now": now, **({} if topic is None else {"topic": topic})}
        with self.look() as connection:
            rows = connection.execute(query, values).all()
        learner = SignedIn(user_id, rows[0].role) if rows else None
        return learner, [row for row in rows if row.id is not None]
