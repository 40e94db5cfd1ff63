"""Transactions: the only place that commits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

from sqlalchemy import Connection, Executable, event, select
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from database import LOOKS, WRITES, Base
from models import db

T = TypeVar("T")

OUTCOMES = "gradus_outcomes"
"""Under this name a session keeps what is to be done when its transaction has committed, or was undone."""

UNIT = "gradus_unit"
"""Under this name a session knows that it works on a unit."""


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

        A new one starts with a fresh view of the data: what was read before, in a transaction that did not commit, is
        read again when it is looked at. Inside `one_unit` it stays open, and commits with the unit.
        """
        session = self._session
        if session.info.get(WRITES):
            yield
            return
        session.rollback()
        session.info[WRITES] = True
        in_unit = session.info.get(UNIT, False)
        try:
            session.connection(execution_options={WRITES: True})
            yield
            if in_unit:
                session.flush()  # rows get their ids, as a commit would give them
            else:
                session.commit()
        except BaseException:
            self._give_up()
            raise
        finally:
            if not in_unit:
                session.info[WRITES] = False

    @contextmanager
    def one_unit(self) -> Iterator[None]:
        """Everything that the block writes commits together at its end, or not at all.

        Before its first transaction the block may read and compute without holding anything.
        """
        session = self._session
        session.info[UNIT] = True
        try:
            yield
            session.commit()
        except BaseException:
            self._give_up()
            raise
        finally:
            session.info.pop(UNIT)
            session.info[WRITES] = False

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """A transaction of its own that commits at the end of the block, whatever becomes of the running one.

        For what is true on its own account, such as a vector that was computed. Not to be used while this thread
        writes: on SQLite it would wait for itself.
        """
        with db.engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            yield connection

    def look(self) -> Connection:
        """A connection for reading, outside of any transaction: each statement sees what is committed by then.

        It goes back at the end of the `with` that it is opened for.
        """
        return db.engine.connect().execution_options(**{LOOKS: True})

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The connection of the running transaction, or one outside of any: see `look`."""
        if self._session.in_transaction():
            yield self._session.connection()
        else:
            with self.look() as connection:
                yield connection

    def when_over(
        self, *, committed: Callable[[], object] = lambda: None, undone: Callable[[], object] = lambda: None
    ) -> None:
        """Call one of the two when the running transaction has come to its end: for what stands outside of it."""
        self._session.info.setdefault(OUTCOMES, []).append((committed, undone))

    def _give_up(self) -> None:
        self._session.rollback()
        self._session.info[WRITES] = False

    def release(self) -> None:
        """Give the connection back while something slow happens that needs none."""
        if not self._session.info.get(WRITES):
            self._session.rollback()

    def insert_new(self, table: type[Base]) -> SqliteInsert | PostgresInsert:
        """An INSERT that passes over rows whose key exists."""
        return insert_in(self._session.get_bind().dialect.name)(table).on_conflict_do_nothing()

    def in_dialect(self, make: Callable[["Inserting"], Executable]) -> Executable:
        """What `make` makes of an INSERT in the words of the database, made once."""
        return _made(make, self._session.get_bind().dialect.name)

    def ping(self) -> None:
        """Raises when the database does not answer."""
        self._session.execute(select(1))


@event.listens_for(db.session, "after_commit")
def _committed(session: Session) -> None:
    for committed, _ in session.info.pop(OUTCOMES, ()):
        committed()


@event.listens_for(db.session, "after_rollback")
def _undone(session: Session) -> None:
    for _, undone in session.info.pop(OUTCOMES, ()):
        undone()


Inserting = Callable[[type[Base]], SqliteInsert | PostgresInsert]


@cache
def _made(make: Callable[[Inserting], Executable], dialect: str) -> Executable:
    return make(insert_in(dialect))


def insert_in(dialect: str) -> Inserting:
    """INSERT in the words of a database."""
    return postgresql_insert if dialect == "postgresql" else sqlite_insert


def found(row: T | None) -> T:
    """The row itself; raises `NotFound` where there is none."""
    if row is None:
        raise NotFound("There is no such thing, or it is not yours.")
    return row


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
