"""What the service needs goes away, is full, or is broken: clear replies, nothing half-written, recovery by itself."""

import configparser
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import event

from api.limits import REDIS_SECONDS
from config import ROOT
from database import SILENCE
from models import db
from tests.conftest import PASSWORD, Learner, fill, unavailable
from tests.postgres_server import PostgresServer, binaries, own_postgres
from tests.service import Service, free_port, served
from tests.soaking import APPLICATION, Ledger, Phone, found_in, in_background

RECOVERS_WITHIN_SECONDS = 20
PATIENCE = 1
REFUSES_WITHIN_SECONDS = PATIENCE + SILENCE["connect_timeout"] + 3
"""A statement without a word or, after a rest, a new connection without one; and a machine that is busy."""

MOST_ANSWERS = 100_000


def until(service: Service, path: str, status: int, token: str | None = None) -> Any:
    """Ask until that is the status; no reply on the way may be a 500."""
    deadline = time.monotonic() + RECOVERS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        reply = service.call("GET", path, token=token)
        assert reply.status != 500, reply.json
        if reply.status == status:
            return reply
        time.sleep(0.1)
    raise AssertionError(f"{path} did not become {status}")


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    if binaries() is None:
        unavailable("PostgreSQL's own programs are not installed")
    with own_postgres() as server:
        fill(server.url)
        yield server


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """What clients were told by all services over that server."""
    return Ledger()


def test_a_database_that_goes_is_503_and_is_found_again_without_a_restart(
    own_server: PostgresServer, make_app: Callable[..., Flask], ledger: Ledger, tmp_path: Path
) -> None:
    with served(own_server.url, tmp_path / "log.txt", APPLICATION, WEB_CONCURRENCY="2") as service:
        phone = Phone(service, ledger).sign_up("ada")
        phone.practise(2)
        workers = service.workers
        own_server.kill()
        gone = until(service, "/api/user/progress", 503, phone.token)
        assert gone.headers["Retry-After"] == "5"
        assert gone.json["type"] == "urn:gradus:problem:database-unavailable"
        until(service, "/readyz", 503)
        assert service.call("GET", "/healthz").status == 200
        own_server.start()
        until(service, "/api/user/progress", 200, phone.token)
        phone.practise(2)
        assert service.workers == workers
    found = found_in(make_app(own_server.url), ledger)
    assert (found.lost, found.doubled, found.differences) == (0, 0, ())


def test_a_database_that_went_and_came_back_unnoticed_costs_nobody_a_request(
    own_server: PostgresServer, ledger: Ledger, tmp_path: Path
) -> None:
    with served(own_server.url, tmp_path / "log.txt", APPLICATION, WEB_CONCURRENCY="2") as service:
        phone = Phone(service, ledger).sign_up("alan")
        for worker in service.workers:
            with service.served_only_by(worker):
                assert service.call("GET", "/api/user/progress", token=phone.token).status == 200
        own_server.kill()
        own_server.start()
        for worker in service.workers:
            with service.served_only_by(worker):
                assert service.call("GET", "/api/user/progress", token=phone.token).status == 200


def test_a_database_that_hangs_is_503_within_its_time_and_is_found_again_without_a_restart(
    own_server: PostgresServer, make_app: Callable[..., Flask], ledger: Ledger, tmp_path: Path
) -> None:
    """Answers are on their way meanwhile: those that were refused are repeated, and count once."""
    over, refused_before = threading.Event(), ledger.statuses[503]
    settings = {"DATABASE_TIMEOUT_SECONDS": str(PATIENCE), "WEB_CONCURRENCY": "2"}
    with served(own_server.url, tmp_path / "log.txt", APPLICATION, **settings) as service:
        phone = Phone(service, ledger).sign_up("grace")
        workers = service.workers
        with in_background(partial(phone.practise, MOST_ANSWERS, lambda: not over.is_set())):
            try:
                until_answered(ledger)
                own_server.hang()
                refused_soon(service, "/api/user/progress", phone.token)
                refused_soon(service, "/readyz")
                assert service.call("GET", "/healthz").status == 200
                own_server.go_on()
                until(service, "/readyz", 200)
                until(service, "/api/user/progress", 200, phone.token)
                until_answered(ledger)
            finally:
                own_server.go_on()
                over.set()
        assert service.workers == workers
    assert ledger.statuses[503] > refused_before
    found = found_in(make_app(own_server.url), ledger)
    assert (found.lost, found.doubled, found.differences) == (0, 0, ())


def until_answered(ledger: Ledger) -> None:
    """Go on once there are more answers."""
    before, deadline = len(ledger.acknowledged), time.monotonic() + RECOVERS_WITHIN_SECONDS
    while len(ledger.acknowledged) < before + 4:
        assert time.monotonic() < deadline, "no answers are recorded"
        time.sleep(0.02)


def refused_soon(service: Service, path: str, token: str | None = None) -> None:
    began = time.monotonic()
    reply = service.call("GET", path, token=token)
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert time.monotonic() - began < REFUSES_WITHIN_SECONDS


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    program = shutil.which("redis-server")
    if program is None:
        unavailable("redis-server is not installed")
    port = free_port()
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port) as client:
            deadline = time.monotonic() + RECOVERS_WITHIN_SECONDS
            while not answers(client):
                assert time.monotonic() < deadline, "Redis does not start"
                time.sleep(0.05)
        yield process, f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait(timeout=30)


def answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisConnectionError:
        return False


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "hanging"])
def test_without_redis_each_process_limits_for_itself_and_nothing_fails(
    sqlite_url: str, own_redis: tuple[subprocess.Popen[bytes], str], tmp_path: Path, ending: signal.Signals
) -> None:
    process, address = own_redis
    settings = {"REDIS_URL": address, "WEB_CONCURRENCY": "1", "JWT_SECRET_KEY": "x" * 40}
    with served(sqlite_url, tmp_path / "log.txt", **settings) as service:
        token = service.call(
            "POST", "/api/auth/register", {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
        ).json["access_token"]
        process.send_signal(ending)
        began = time.monotonic()
        statuses = [service.call("GET", "/api/user/progress", token=token).status for _ in range(20)]
        assert statuses == [200] * 20
        assert time.monotonic() - began < 4 * REDIS_SECONDS + 5
        wrong = {"login": "ada", "password": "wrong horse"}
        assert [service.call("POST", "/api/auth/login", wrong).status for _ in range(6)] == [401] * 5 + [429]


def rows_of(path: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return connection.execute("SELECT user_id, topic, questions_attempted FROM user_masteries").fetchall()


def test_a_full_disk_is_told_of_and_spoils_nothing(app: Flask, learner: Learner, sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    started = learner.start(topics=["dbms"], max_questions=50)
    with app.app_context():
        engine = db.engine

    def bound(connection: Any, *_: object) -> None:
        """SQLite refuses to grow beyond that, in the very words in which it tells of a full disk."""
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    engine.dispose()
    event.listen(engine, "connect", bound)
    question, answered, reply = started["question"], 0, None
    for _ in range(50):
        reply = learner.answer(started["session"]["id"], question, "A lock and a log. " * 200)
        if reply.status_code != 201:
            break
        question, answered = reply.json["next_question"], answered + 1
    assert reply is not None
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "60")
    assert reply.json["type"] == "urn:gradus:problem:storage-full"
    assert learner.get("/api/user/progress").status_code == 200
    assert rows_of(path) == ([(learner.id, "dbms", answered)] if answered else [])
    event.remove(engine, "connect", bound)
    engine.dispose()
    assert learner.answer(started["session"]["id"], question, "A lock and a log.").status_code == 201
    assert rows_of(path) == [(learner.id, "dbms", answered + 1)]


def test_systemd_starts_the_service_again_whatever_ended_it() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "deploy" / "gradus.service")
    assert (unit["Service"]["Restart"], unit["Unit"]["StartLimitIntervalSec"]) == ("always", "0")


def test_systemd_understands_how_the_service_is_kept_running() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    command = [program, "verify", str(ROOT / "deploy" / "gradus.service")]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()
    assert [line for line in said if "gradus.service" in line and "is not executable" not in line] == []
