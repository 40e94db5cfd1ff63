"""What all tables share: names of constraints, column types, and how connections of each database behave."""

import json
import select
import sqlite3
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import BigInteger, Connection, DateTime, Dialect, Engine, Integer, MetaData, Text, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

WRITES = "gradus_writes"
"""Execution option of a connection whose transaction is going to write."""

LOOKS = "gradus_looks"
"""Execution option of a connection whose statements each stand alone. No transaction begins or ends for them: on
PostgreSQL each of the two would be a round trip."""

BUSY_TIMEOUT_MS = 15_000
"""How long a SQLite writer waits for its turn."""

CONNECTIONS_KEPT = 8
"""More than work on the database at once in one process, as a rule: those beyond it are opened for a request and closed
again."""

MOST_CONNECTIONS = 40
"""More than the threads of a worker (see gunicorn.conf.py), so that none waits for a connection."""

SILENCE = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 10_000}
"""How long PostgreSQL may say nothing on the network before the connection counts as broken: libpq's settings, in
seconds, the last in milliseconds."""

PATIENCE_SECONDS = 15
"""How long a request waits for one statement, as a rule: see `be_patient`."""

_patience: ContextVar[float | None] = ContextVar("gradus_patience", default=None)

RESTED_SECONDS = 5.0
"""A connection to PostgreSQL that was not used for longer is asked whether it still answers."""

_RESTS_SINCE = "gradus_rests_since"

SEARCH = "users_search"
"""How everything is called by which accounts are searched. Migration 0003 makes it, on each database in its own way."""

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The declarative base, with names for every constraint so that migrations can find them."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time on every database: SQLite drops the time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A stored time needs a time zone: {value!r}.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """A JSON value kept as text. A change inside it goes unnoticed: assign a new value."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class FiniteJsonText(JsonText):
    """The same for what is written or read often and has no numbers but finite ones: ten times as fast, but a number
    that is none would become null."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""


def engine_options(*, is_sqlite: bool) -> dict[str, Any]:
    """What the engine is made with. Statements are never logged with their parameters: those are learners' words."""
    if is_sqlite:
        return {"hide_parameters": True}
    return {
        "hide_parameters": True,
        "pool_size": CONNECTIONS_KEPT,
        "max_overflow": MOST_CONNECTIONS - CONNECTIONS_KEPT,
        "pool_use_lifo": True,
        "connect_args": SILENCE,
    }


def is_of_the_models(_item: object, name: str | None, _kind: str, _reflected: bool, _compared: object) -> bool:
    """Alembic's `include_object`: the models say what there is, but for the search of accounts."""
    return not (name or "").startswith(SEARCH)


def prepare_engine(engine: Engine) -> None:
    """Attach what the engine's database needs; harmless to call again."""
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _connect_sqlite):
        event.listen(engine, "connect", _connect_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    if engine.dialect.name == "postgresql" and not event.contains(engine, "begin", _begin_postgresql):
        event.listen(engine, "do_connect", _connect_patiently)
        event.listen(engine, "begin", _begin_postgresql)
        event.listen(engine, "checkin", _rest_postgresql)
        event.listen(engine, "checkout", _wake_postgresql)


def be_patient(seconds: float) -> None:
    """In this thread no statement on PostgreSQL waits longer; its connection is given up then, as a broken one.

    A server that hangs acknowledges what it is sent on the network, so that nothing but the time tells. Commands of the
    shell, which build indexes and load banks, wait as long as it takes.
    """
    _patience.set(seconds)


class PatientConnection(psycopg.Connection[Any]):
    """A connection on which a statement takes no longer than `be_patient` allows."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """See psycopg; raises `OperationalError` when the time is up."""
        try:
            return super().wait(gen, interval, _patience.get() if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # it was asked something that may still happen: nothing more can be asked of it
            raise


def _connect_patiently(_dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    return PatientConnection.connect(*arguments, **options)


def is_storage_full(error: Exception) -> bool:
    """Whether a database refused to write because its disk is full."""
    reason = getattr(error, "orig", None)
    return (
        isinstance(reason, psycopg.errors.DiskFull) or getattr(reason, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    )


def _connect_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions by itself, and too late
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged answer survives a power failure
    cursor.execute("PRAGMA foreign_keys = ON")
    _switch_to_wal(cursor)
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """WAL lets readers go on beside a writer. The switch itself does not wait its turn, so it is tried until it may."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that read first would fail when it wants to write later."""
    options = connection.get_execution_options()
    if not options.get(LOOKS):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(WRITES) else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """The driver sends BEGIN before the first statement, unless it is told that each stands alone."""
    driver: Any = connection.connection.dbapi_connection
    looks = bool(connection.get_execution_options().get(LOOKS))
    if driver.autocommit is not looks:
        driver.autocommit = looks


def _rest_postgresql(_driver: Any, record: Any) -> None:
    record.info[_RESTS_SINCE] = time.monotonic()


def _wake_postgresql(driver: Any, record: Any, _proxy: Any) -> None:
    """A connection that is dead is not handed out: it and all others are made anew.

    Asking each time would be a round trip for every request. A server that closed the connection has said so on the
    socket, which can be seen at once; only a network that broke in silence needs the question, after a rest.
    """
    rests_since = record.info.get(_RESTS_SINCE)
    if rests_since is None:
        return
    rested = time.monotonic() - rests_since > RESTED_SECONDS
    if (rested or _has_word_waiting(driver)) and not _answers(driver):
        raise InvalidatePoolError


def _has_word_waiting(driver: Any) -> bool:
    if driver.closed:
        return True
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _answers(driver: Any) -> bool:
    try:
        driver.autocommit = True
        driver.execute("")
    except psycopg.Error:
        return False
    return True
