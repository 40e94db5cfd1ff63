"""The shelf of exports: rows as they are stored, all from one moment."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, select

from store.transactions import Transactions


class ExportShelf(Transactions):
    """Reads what is stored about a learner."""

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of the block see the same moment, whatever is written meanwhile; nobody waits for them."""
        session = self._session
        session.rollback()
        if session.get_bind().dialect.name == "postgresql":
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        try:
            yield
        finally:
            session.rollback()

    def rows(self, columns: Sequence[Column[Any]], *, owner: Column[Any], user_id: int, order: str) -> list[Any]:
        """The rows of one table that belong to a learner, as mappings of column names to values."""
        query = select(*columns).where(owner == user_id).order_by(owner.table.columns[order])
        return list(self._session.execute(query).mappings())
