"""The shelf of what is kept beyond its time, because nobody came back for it: swept away in batches."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select, tuple_

from models import IdempotencyKey, TokenFamily
from store.retries import KEPT_FOR
from store.transactions import Transactions

SWEPT_TOGETHER = 1_000
"""Rows that one transaction deletes: on SQLite all other writers wait for it."""

_KEYS, _FAMILIES = IdempotencyKey.__table__, TokenFamily.__table__


class SweepShelf(Transactions):
    """Deletes what counts as gone already. Each batch is a transaction of its own, and its size is told."""

    def sweep_replies(self, *, now: datetime) -> Iterator[int]:
        """Delete the kept replies of all owners whose time is over."""
        return self._swept(_KEYS, _KEYS.c.created_at <= now - KEPT_FOR)

    def sweep_logins(self, *, now: datetime) -> Iterator[int]:
        """Delete the logins of all accounts that have expired or were ended."""
        return self._swept(_FAMILIES, or_(_FAMILIES.c.expires_at <= now, _FAMILIES.c.revoked_at.is_not(None)))

    def _swept(self, table: Any, over: ColumnElement[bool]) -> Iterator[int]:
        """In the order of the primary key, so that what stays is looked at once.

        What somebody else holds at this moment is left to them: a sweep waits for nobody, so that nobody waits in turn.
        """
        key = tuple_(*table.primary_key.columns)
        among: list[ColumnElement[bool]] = [over]
        while True:
            found = select(*key.clauses).where(*among).order_by(*key.clauses).limit(SWEPT_TOGETHER)
            with self.transaction():
                connection = self._session.connection()
                keys = [tuple(row) for row in connection.execute(found.with_for_update(skip_locked=True))]
                if keys:
                    connection.execute(delete(table).where(key.in_(keys)))
            if not keys:
                return
            yield len(keys)
            among = [over, key > keys[-1]]
