"""Transactions: the only place that commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from database import WRITES
from models import db

T = TypeVar("T")


class NotFound(LookupError):
    """What was asked for does not exist, or belongs to another learner."""


class Transactions:
    """Reads and writes of one request; every shelf of the store shares them."""

    @property
    def _session(self) -> Session:
        return db.session()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block, or none. Inside another transaction it joins that one.

        A new one starts with a fresh view of the data: what was loaded before is loaded again when it is looked at.
        """
        session = self._session
        if session.info.get(WRITES):
            yield
            return
        session.rollback()
        session.info[WRITES] = True
        try:
            session.connection(execution_options={WRITES: True})
            yield
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info[WRITES] = False

    def release(self) -> None:
        """Give the connection back while something slow happens that needs none."""
        if not self._session.info.get(WRITES):
            self._session.rollback()

    def ping(self) -> None:
        """Raises when the database does not answer."""
        self._session.execute(select(1))


def found(row: T | None) -> T:
    """The row itself; raises `NotFound` where there is none."""
    if row is None:
        raise NotFound("There is no such thing, or it is not yours.")
    return row


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
