"""Fixtures: databases that begin with the migrated tables and the real question bank, applications, learners."""

import gc
import io
import logging
import logging.config
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from psycopg import sql
from redis import Redis
from redis.exceptions import ConnectionError as NoRedis
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app import create_app
from logs import logging_settings
from mastery import REFERENCE, MasteryPolicy
from models import db
from store import Store, utc_now
from tests.delivered import delivered_challenges, delivered_topics
from tests.fakes import Clock, WordEncoder
from tests.installation import QUICK_HASHER as QUICK_HASHER
from tests.installation import settings_for as settings_for
from tests.service import WITHOUT_MODEL, prepare


def compile_each_rule_once() -> None:
    """Each application has the same routes, and Werkzeug compiles anew for each what builds their addresses.

    It is two thirds of the time that an application takes, and nearly every test makes one.
    """
    compile_builder, compiled = Rule._compile_builder, dict[tuple[Any, ...], Callable[..., tuple[str, str]]]()

    def compile_once(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if self.defaults:
            return compile_builder(self, append_unknown)
        key = (self.rule, tuple(self._trace), append_unknown)
        if key not in compiled:
            compiled[key] = compile_builder(self, append_unknown)
        return compiled[key]

    Rule._compile_builder = compile_once  # type: ignore[method-assign]


compile_each_rule_once()


def pytest_configure() -> None:
    """Each test makes an application and drops it: garbage is looked for less often."""
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_finish() -> None:
    """What has been imported stays: the collector of garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases-per-operation", default="3", help="how many requests the fuzzer makes up for each operation"
    )
    parser.addoption("--rounds", type=int, default=1, help="how often each thing is killed in the tests of crashes")
    parser.addoption("--pictures", action="store_true", help="take the pictures of docs/pages.md, and throw them away")
    parser.addoption("--malformed", type=int, default=2_000, help="how many requests are refused as malformed")


COUNTED = "counted"
"""Under this name a test's report carries what it counted."""


class Counts:
    """What a test counted: shown at the end of the run, all tests together."""

    def __init__(self, note: Callable[[str, object], None]) -> None:
        self._note = note

    def add(self, **numbers: int) -> None:
        """Add to the sums of those names."""
        self._note(COUNTED, numbers)


@pytest.fixture
def counts(record_property: Callable[[str, object], None]) -> Counts:
    """Where a test puts what it counted."""
    return Counts(record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of what the tests counted."""
    sums: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            properties = getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ()
            for name, numbers in properties:
                if name == COUNTED:
                    sums.update(numbers)
    if sums:
        terminalreporter.section("counted")
        for name, number in sums.items():
            terminalreporter.write_line(f"{name.replace('_', ' '):40} {number:>10,}")


POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
"""The server, without the number of a database: the tests take one that is empty."""

POLICIES = "counted_policies"
BANK_TABLES = ("bank_", "debugging_challenges", POLICIES)
PASSWORD = "correct horse battery"


def unavailable(what: str) -> None:
    """Skip a test for want of a server, or fail where servers were promised."""
    if os.environ.get("REQUIRE_SERVERS"):
        pytest.fail(f"{what}, and REQUIRE_SERVERS is set")
    pytest.skip(what)


def fill(database_url: str) -> None:
    """Migrate an empty database and load the real question bank, without vectors."""
    app = create_app(settings_for(database_url), encoder=WordEncoder())
    with app.app_context():
        upgrade()
        store = Store()
        with store.transaction():
            topics = delivered_topics()
            store.save_challenges(delivered_challenges())
            store.save_topics(topics, source="questions/", checksum="tests", at=utc_now())
            store.count_anew(REFERENCE, at=utc_now())
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "gradus.db"
    fill(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def prepared_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database as `make setup` leaves it, but without vectors: see `WITHOUT_MODEL`."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(f"sqlite:///{folder / 'gradus.db'}", folder / "log.txt", **WITHOUT_MODEL)
    return folder / "gradus.db"


@pytest.fixture(scope="module")
def served_database(prepared_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared database of the module's own."""
    return Path(shutil.copy(prepared_database, tmp_path_factory.mktemp("served") / "gradus.db"))


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite database of the test's own."""
    path = tmp_path / "gradus.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str | None], str]]:
    """Makes databases on the PostgreSQL server, each from a template (None: an empty one); drops them at the end."""
    try:
        server = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        unavailable(f"no PostgreSQL at {POSTGRES}: {error}")
        raise
    made: list[str] = []

    def make(template: str | None) -> str:
        name = f"gradus_test_{uuid.uuid4().hex[:12]}"
        origin = sql.SQL("TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        server.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), origin))
        made.append(name)
        # No power fails here: what survives a killed server is seen on servers of those tests' own.
        server.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)))
        return name

    yield make
    for name in made:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    server.close()


def postgres_url(name: str) -> str:
    """The address of one database on the server of the tests, as the service takes it."""
    return POSTGRES.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://") + f"/{name}"


@pytest.fixture(scope="session")
def postgres_template(postgres: Callable[[str | None], str]) -> str:
    name = postgres(None)
    fill(postgres_url(name))
    return name


Bank = dict[str, bytes]
"""The rows of the question bank by table, as PostgreSQL copies them out and in."""


@pytest.fixture(scope="session")
def postgres_bank(postgres_template: str) -> Bank:
    """The question bank with which a test's database begins."""
    with connected_to(postgres_template) as connection:
        return {table: copied_out(connection, table) for table in tables(bank=True)}


def copied_out(connection: psycopg.Connection, table: str) -> bytes:
    """The rows of a table, as PostgreSQL copies them in again."""
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as rows:
        return b"".join(map(bytes, rows))


@pytest.fixture(scope="session")
def postgres_pool() -> list[str]:
    """Databases that are as they were before a test: dropping one costs a checkpoint."""
    return []


@pytest.fixture
def postgres_database(
    postgres: Callable[[str | None], str], postgres_template: str, postgres_bank: Bank, postgres_pool: list[str]
) -> Iterator[str]:
    name = postgres_pool.pop() if postgres_pool else postgres(postgres_template)
    yield name
    if restored(name, postgres_bank):
        postgres_pool.append(name)


@pytest.fixture(scope="session")
def empty_postgres_pool() -> list[str]:
    """The same, without a table."""
    return []


@pytest.fixture
def empty_postgres_database(postgres: Callable[[str | None], str], empty_postgres_pool: list[str]) -> Iterator[str]:
    """A database of the test's own without a table."""
    name = empty_postgres_pool.pop() if empty_postgres_pool else postgres(None)
    yield name
    with connected_to(name) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    empty_postgres_pool.append(name)


@contextmanager
def connected_to(name: str) -> Iterator[psycopg.Connection]:
    """A connection to a database of the tests, the only one."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with psycopg.connect(f"{POSTGRES.rpartition('/')[0]}/{name}") as connection:
        connection.execute(others, [name])
        yield connection


def tables(*, bank: bool) -> list[str]:
    """The tables of the question bank, or all others; one that another refers to comes first."""
    names = (table.name for table in db.metadata.sorted_tables)
    return [name for name in names if name.startswith(BANK_TABLES) is bank]


def restored(name: str, bank: Bank) -> bool:
    """Take away what learners left, and what was done to the question bank; false where a test changed the tables.

    Rows are deleted: to truncate twenty tables takes a tenth of a second, more than most tests do.
    """
    with connected_to(name) as connection:
        try:
            empty(connection, [*tables(bank=False), POLICIES])
            fill_in(connection, {POLICIES: bank[POLICIES]})
            imports = connection.execute("SELECT count(*), max(checksum) FROM bank_imports").fetchone()
            if imports != (1, "tests"):
                empty(connection, tables(bank=True))
                fill_in(connection, bank)
                connection.execute("SELECT setval(pg_get_serial_sequence('bank_imports', 'id'), 1)")
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.BadCopyFileFormat):
            connection.rollback()
            return False
    return True


def fill_in(connection: psycopg.Connection, bank: Bank) -> None:
    """Copy the rows of these tables in."""
    for table, rows in bank.items():
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
            copy.write(rows)


def empty(connection: psycopg.Connection, names: list[str]) -> None:
    """Delete every row of these tables; ids begin again at 1."""
    for name in reversed(names):
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
        identity = db.metadata.tables[name].autoincrement_column
        if identity is not None:
            connection.execute("SELECT setval(pg_get_serial_sequence(%s, %s), 1, false)", [name, identity.name])


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """An empty Redis database that nobody else takes meanwhile; it is empty again afterwards."""
    for number in range(15, 0, -1):
        client = Redis.from_url(f"{REDIS}/{number}")
        try:
            mine = client.set("taken by a test", 1, nx=True, ex=600)
        except NoRedis as error:
            unavailable(f"no Redis at {REDIS}: {error}")
        if mine and client.dbsize() == 1:
            with client:
                yield client
                client.flushdb()
            return
        if mine:
            client.delete("taken by a test")
        client.close()
    unavailable(f"every database of Redis at {REDIS} is in use")


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url
    return postgres_url(request.getfixturevalue("postgres_database"))


@pytest.fixture
def clock() -> Clock:
    return Clock(utc_now())


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def make_app(clock: Clock, encoder: WordEncoder) -> Iterator[Callable[..., Flask]]:
    """Makes applications over a database; their connections are closed at the end."""
    apps: list[Flask] = []

    def make(url: str, policy: MasteryPolicy = REFERENCE, *, limited: bool = False, metrics_token: str = "") -> Flask:
        settings = settings_for(url, policy, limited=limited, metrics_token=metrics_token)
        app = create_app(settings, encoder=encoder, clock=clock, hasher=QUICK_HASHER)
        apps.append(app)
        return app

    yield make
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask], sqlite_url: str) -> Flask:
    """The application over SQLite."""
    return make_app(sqlite_url)


@pytest.fixture
def any_app(make_app: Callable[..., Flask], any_url: str) -> Flask:
    """The application, once over SQLite and once over PostgreSQL."""
    return make_app(any_url)


class Learner:
    """A signed-in client: replies come as test responses, bodies go as JSON."""

    def __init__(self, client: FlaskClient, tokens: dict[str, Any]) -> None:
        self.client = client
        self.tokens = tokens
        self.id: int = tokens["user"]["id"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, headers=self.headers, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.client.post(path, headers=self.headers, json={} if body is None else body, **options)

    def start(self, **body: Any) -> dict[str, Any]:
        """Start a session."""
        reply = self.post("/api/adaptive/sessions", body)
        assert reply.status_code == 201, reply.json
        return dict(reply.json or {})

    def answer(self, session_id: int, question: dict[str, Any], text: str, **more: Any) -> TestResponse:
        """Answer a question."""
        body = {"question_id": question["id"], "answer": text, **more}
        return self.post(f"/api/adaptive/sessions/{session_id}/answers", body)


def sign_up(app: Flask, name: str | None = None) -> Learner:
    """Register a learner over HTTP."""
    username = name or f"learner-{uuid.uuid4().hex[:8]}"
    client = app.test_client()
    body = {"username": username, "email": f"{username}@example.com", "password": PASSWORD}
    reply = client.post("/api/auth/register", json=body)
    assert reply.status_code == 201, reply.json
    return Learner(client, dict(reply.json or {}))


@pytest.fixture
def learner(app: Flask) -> Learner:
    return sign_up(app)


@pytest.fixture
def stranger(app: Flask) -> Learner:
    """Another learner of the same application."""
    return sign_up(app)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged while the test runs, as the service writes it."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    logging.config.dictConfig(logging_settings())
    for handler in root.handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)
    yield stream
    root.handlers[:], root.level = before[0], before[1]
