"""Real gunicorn for benchmarks: one worker, a database of its own, a learner with mastery of 5 topics."""

import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from adaptive_state import AnswerEvidence, TopicMastery
from app import create_app
from benchmarks.computing import cpu_seconds, postgresql_cpu_seconds
from benchmarks.load import Load, load, request_bytes
from benchmarks.table import Row, show
from mastery import REFERENCE
from models import UserMastery, db
from store import Store
from tests.conftest import PASSWORD, POSTGRES, fill, postgres_url
from tests.fakes import WordEncoder
from tests.installation import settings_for
from tests.service import Service, served

APPLICATION = "benchmarks.app:create_app()"
TOPICS = 5
CONCEPTS = 20


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A running service, and a learner who is signed in there."""

    service: Service
    token: str

    def load(self, path: str, *, seconds: float, status: int = 200, **headers: str) -> Load:
        """Ask for the path again and again, as the learner."""
        given = {"Authorization": f"Bearer {self.token}", **headers}
        before, database = cpu_seconds(self.service.workers), postgresql_cpu_seconds()
        met = load(self.service.port, request_bytes(path, given), status=status, seconds=seconds)
        return replace(
            met,
            cpu_seconds=cpu_seconds(self.service.workers) - before,
            database_cpu_seconds=postgresql_cpu_seconds() - database,
        )

    def tag(self, path: str) -> str:
        """The present `ETag` of the path."""
        return self.service.call("GET", path, token=self.token).headers["ETag"]


@contextmanager
def bench(database_url: str) -> Iterator[Bench]:
    """Fill an empty database, serve it by one worker; the learner has 5 topics × 20 concepts."""
    fill(database_url)
    with (
        tempfile.TemporaryDirectory(prefix="gradus-bench-") as folder,
        served(database_url, Path(folder) / "log.txt", APPLICATION, WEB_CONCURRENCY="1") as service,
    ):
        account = {"username": "bench", "email": "bench@example.com", "password": PASSWORD}
        tokens = service.call("POST", "/api/auth/register", account).json
        practise(database_url, tokens["user"]["id"])
        yield Bench(service=service, token=tokens["access_token"])


def practise(database_url: str, user_id: int) -> None:
    """Give the learner mastery of 5 topics with 20 concepts each, as answers would have made it."""
    app = create_app(settings_for(database_url), encoder=WordEncoder())
    with app.app_context():
        with Store().transaction():
            for number in range(TOPICS):
                row = UserMastery(user_id=user_id, topic=f"topic_{number}")
                row.become(_mastery(number), at=datetime.now(UTC))
                db.session.add(row)
        db.session.remove()
        db.engine.dispose()


def _mastery(number: int) -> TopicMastery:
    """After 8 answers about every concept, of which more and more were mentioned."""
    names = [f"Concept {place} of topic {number}" for place in range(CONCEPTS)]
    mastery = TopicMastery()
    for step in range(8):
        answer = AnswerEvidence(
            semantic_score=(step + number) % 10 / 10,
            keyword_score=(step * 3 + number) % 10 / 10,
            response_time=20.0 + step,
            at=datetime.now(UTC).timestamp(),
            mentioned=tuple(name for place, name in enumerate(names) if place > step * 2),
            missed=tuple(name for place, name in enumerate(names) if place <= step * 2),
            starts_session=step == 0,
        )
        mastery = mastery.after(answer, REFERENCE)
    return mastery


@contextmanager
def sqlite() -> Iterator[str]:
    """An empty SQLite database that goes when the block ends."""
    with tempfile.TemporaryDirectory(prefix="gradus-bench-") as folder:
        yield f"sqlite:///{folder}/gradus.db"


@contextmanager
def postgres() -> Iterator[str | None]:
    """An empty PostgreSQL database that goes when the block ends; None where no server answers."""
    try:
        server = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        yield None
        return
    name = f"gradus_bench_{uuid.uuid4().hex[:12]}"
    with server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield postgres_url(name)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


DATABASES = {"PostgreSQL": postgres, "SQLite": sqlite}


def show_on_each(
    what: str, measure: Callable[[str], list[Row]], databases: Iterable[str] = DATABASES
) -> dict[str, list[Row]]:
    """Measure on an empty database of each kind that answers; the tables by their titles, printed as they come."""
    tables: dict[str, list[Row]] = {}
    for database in databases:
        with DATABASES[database]() as url:
            if url is None:
                print(f"\n{what}, {database}: no server answers, not measured.")  # noqa: T201
                continue
            title = f"{what}, {database}"
            tables[title] = measure(url)
            show(title, tables[title])
    return tables
