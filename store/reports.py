"""The shelf of what administrators look at: accounts and the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, TextualSelect, and_, func, inspect, or_, select, text
from sqlalchemy.orm import InstrumentedAttribute, aliased

from database import SEARCH
from models import AuditEvent, User
from store.transactions import Transactions

T = TypeVar("T")

NAMES = (User.username_key, User.email)
"""The columns by which accounts are searched."""

SHORTEST_PART = 3
"""An index finds parts of names from so many characters on; shorter ones are found at the beginning only."""

LAST_CHARACTER = chr(0x10FFFF)

Place = tuple[datetime, int]
"""Where a row stands in a list: its time, and its id, which decides."""


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """Some rows of a list, and the place after the last one (None at the end)."""

    rows: Sequence[T]
    next_place: Place | None


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """An event of the audit log with the names of those involved, or what is left of them."""

    event: AuditEvent
    actor: str | None
    user: str | None


class ReportShelf(Transactions):
    """Searches accounts, reads the audit log."""

    def search_users(self, key: str, *, limit: int, after: Place | None = None) -> Page[User]:
        """The accounts whose username key or email contains the key, by id. One or two characters begin it."""
        query = select(User).order_by(User.id).limit(limit + 1)
        if key:
            query = query.where(self._named(key, limit=limit, after=after))
        if after is not None:
            query = query.where(User.id > after[1])
        rows = self._session.scalars(query).all()
        more = len(rows) > limit
        return Page(rows=rows[:limit], next_place=(rows[limit - 1].created_at, rows[limit - 1].id) if more else None)

    def _named(self, key: str, *, limit: int, after: Place | None) -> ColumnElement[bool]:
        is_sqlite = self._session.get_bind().dialect.name == "sqlite"
        if not is_sqlite:
            # A plan for any key at all would read the accounts in order until enough fit, and few keys fit many.
            self._session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        if len(key) < SHORTEST_PART:
            return or_(*(_begins(column, key, is_sqlite=is_sqlite) for column in NAMES))
        if is_sqlite and self._has_search():
            return User.id.in_(_ids_with(key, limit=limit, after=after))
        return or_(*(column.contains(key, autoescape=True) for column in NAMES))

    def _has_search(self) -> bool:
        """SQLite before 3.34 cannot find parts of words by an index."""
        return inspect(self._session.connection()).has_table(SEARCH)

    def lock_users_of(self, role: str, *, also: int) -> list[int]:
        """The ids of the accounts of a role, which keep it until the transaction ends. Call it before other locks.

        `also` is another account that will be locked: all are locked in the order of their ids, as everywhere.
        """
        query = select(User.id, User.role).where(or_(User.role == role, User.id == also)).order_by(User.id)
        rows = self._session.execute(query.with_for_update(key_share=True)).all()
        return [row.id for row in rows if row.role == role]

    def audit_page(self, *, limit: int, after: Place | None = None) -> Page[AuditEntry]:
        """The audit log, newest first."""
        actor, user = aliased(User), aliased(User)
        query = (
            select(
                AuditEvent,
                func.coalesce(actor.username, AuditEvent.actor_pseudonym),
                func.coalesce(user.username, AuditEvent.user_pseudonym),
            )
            .outerjoin(actor, actor.id == AuditEvent.actor_id)
            .outerjoin(user, user.id == AuditEvent.user_id)
            .order_by(AuditEvent.id.desc())
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(AuditEvent.id < after[1])
        found = self._session.execute(query)
        entries = [AuditEntry(event=event, actor=by, user=whom) for event, by, whom in found]
        last = entries[limit - 1].event if len(entries) > limit else None
        return Page(rows=entries[:limit], next_place=(last.at, last.id) if last else None)

    def events_by_others(self, user_id: int, action: str, *, since: datetime, limit: int) -> Sequence[AuditEvent]:
        """What others did to the account since then, newest first; the shell is another, too."""
        query = select(AuditEvent).where(
            AuditEvent.user_id == user_id,
            AuditEvent.action == action,
            AuditEvent.at >= since,
            or_(AuditEvent.actor_id.is_(None), AuditEvent.actor_id != user_id),
        )
        return self._session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit)).all()


def _begins(column: InstrumentedAttribute[str], key: str, *, is_sqlite: bool) -> ColumnElement[bool]:
    if is_sqlite:  # its LIKE uses an index only where it does not tell cases apart
        return and_(column >= key, column < key + LAST_CHARACTER)
    return column.startswith(key, autoescape=True)


def _ids_with(key: str, *, limit: int, after: Place | None) -> TextualSelect:
    """The ids of so many accounts and one more, which the search finds in order."""
    words = f"SELECT rowid FROM {SEARCH} WHERE {SEARCH} MATCH :phrase AND rowid > :after ORDER BY rowid LIMIT :many"  # noqa: S608 the name is ours
    phrase = '"' + key.replace('"', '""') + '"'
    return text(words).bindparams(phrase=phrase, after=after[1] if after else -1, many=limit + 1).columns(User.id)
