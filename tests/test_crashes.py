"""Workers, the whole service and PostgreSQL are killed while learners practise: nothing is lost, nothing counts twice.

`make soak` kills each of them 20 times; the tests once (`--rounds`).
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from config import ROOT
from counts import SharedForecast
from models import db
from tests.conftest import PASSWORD, Counts, fill, unavailable
from tests.postgres_server import PostgresServer, binaries, own_postgres
from tests.service import BINARIES, Service, free_port, served
from tests.soaking import APPLICATION, Ledger, Phone, found_in, in_background, locks_met_in

CLIENTS = 8
LOAD_SECONDS = 0.5
"""How long a load runs before something is killed, at least, and after all is back."""

MOST_ANSWERS = 100_000


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    number: int = request.config.getoption("--rounds")
    return number


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    if binaries() is None:
        unavailable("PostgreSQL's own programs are not installed")
    with own_postgres() as server:
        fill(server.url)
        yield server


class Supervised:
    """A service that is started again whenever it ends, as systemd does: see deploy/gradus.service."""

    def __init__(self, database_url: str, log: Path) -> None:
        self._settings = {"DATABASE_URL": database_url, "WEB_CONCURRENCY": "2", "HOST": "127.0.0.1"}
        self._log = log
        self._port = free_port()
        self._ended = threading.Event()
        self.service = self._start()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _start(self) -> Service:
        environment = {**os.environ, **self._settings, "PORT": str(self._port)}
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [str(BINARIES / "gunicorn"), APPLICATION], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        return Service(self._port, process, environment)

    def _watch(self) -> None:
        while not self._ended.is_set():
            if self.service.process.poll() is not None:
                self.service = self._start()
            time.sleep(0.05)

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self.service.process.terminate()
        self.service.process.wait(timeout=60)


@contextmanager
def supervised(database_url: str, log: Path) -> Iterator[Supervised]:
    running = Supervised(database_url, log)
    try:
        running.service.wait_for("/healthz", 60)
        yield running
    finally:
        running.end()


def soak(service: Service, kill: Callable[[], None], rounds: int) -> Ledger:
    """Load from all clients; in each round something is killed, and answers come again before the next."""
    ledger, over = Ledger(), threading.Event()
    learners = [Phone(service, ledger).sign_up(f"learner{number}") for number in range(2)]
    phones = [
        Phone(service, ledger, seed=number).become(learners[number % 2].token, learners[number % 2].user_id)
        for number in range(CLIENTS)
    ]
    works = [
        partial(phone.practise if place % 4 else phone.observe, MOST_ANSWERS, lambda: not over.is_set())
        for place, phone in enumerate(phones)
    ]
    with in_background(*works):
        try:
            for _ in range(rounds):
                await_answers(ledger)
                kill()
            await_answers(ledger)
        finally:
            over.set()
    return ledger


def await_answers(ledger: Ledger) -> None:
    """Go on once the load runs: answers come, and some time has passed."""
    before, ends_at = len(ledger.acknowledged), time.monotonic() + 60
    time.sleep(LOAD_SECONDS)
    while len(ledger.acknowledged) < before + CLIENTS:
        assert time.monotonic() < ends_at, "no answers are recorded any more"
        time.sleep(0.05)


def judge(app: Flask, ledger: Ledger, counts: Counts, kills: int) -> None:
    found = found_in(app, ledger)
    counts.add(
        answers=len(ledger.acknowledged),
        kills=kills,
        requests_repeated=ledger.repeated,
        replies_503=ledger.statuses[503],
        lost=found.lost,
        doubled=found.doubled,
        faults=len(ledger.faults),
    )
    assert found.differences == ()
    assert (found.lost, found.doubled) == (0, 0)
    assert ledger.faults == []


def test_workers_are_killed(
    any_url: str, make_app: Callable[..., Flask], tmp_path: Path, rounds: int, counts: Counts
) -> None:
    with served(any_url, tmp_path / "log.txt", APPLICATION, WEB_CONCURRENCY="2") as service:

        def kill() -> None:
            os.kill(service.workers[0], signal.SIGKILL)

        ledger = soak(service, kill, rounds)
    judge(make_app(any_url), ledger, counts, rounds)
    assert locks_met_in(tmp_path / "log.txt") == []
    assert ledger.server_errors == 0


def test_what_waits_to_be_shared_is_written_by_workers_that_are_told_to_end(
    any_url: str, make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    body = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    seen = {"concepts": ["Deadlock"], "semantic_score": 0.5, "keyword_score": 0.5}
    with served(any_url, tmp_path / "log.txt", APPLICATION, WEB_CONCURRENCY="1") as service:
        token = service.call("POST", "/api/auth/register", body).json["access_token"]
        for topic in ("dbms", "operating_systems") * 3:
            reply = service.call("POST", "/api/adaptive/observations", {"topic": topic, **seen}, token=token)
            assert reply.status == 201
        with make_app(any_url).app_context():
            assert db.session.scalars(select(SharedForecast)).all() == []
    with make_app(any_url).app_context():
        rows = db.session.scalars(select(SharedForecast)).all()
        assert {(row.topic, row.part) for row in rows} >= {
            ("dbms", "concept:Deadlock"),
            ("operating_systems", "concept:Deadlock"),
        }
    assert "worker exit" not in (tmp_path / "log.txt").read_text(encoding="utf-8")


def test_the_whole_service_is_killed(
    any_url: str, make_app: Callable[..., Flask], tmp_path: Path, rounds: int, counts: Counts
) -> None:
    with supervised(any_url, tmp_path / "log.txt") as running:
        ledger = soak(running.service, lambda: running.service.crash(), rounds)
    judge(make_app(any_url), ledger, counts, rounds)


def test_postgresql_is_killed(
    own_server: PostgresServer, make_app: Callable[..., Flask], tmp_path: Path, rounds: int, counts: Counts
) -> None:
    with served(own_server.url, tmp_path / "log.txt", APPLICATION, WEB_CONCURRENCY="2") as service:

        def kill() -> None:
            own_server.kill()
            own_server.start()

        ledger = soak(service, kill, rounds)
    judge(make_app(own_server.url), ledger, counts, rounds)
