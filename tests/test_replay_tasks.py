"""Replays by real Celery workers: one of two is killed in the middle of its task, and the other finishes its work."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from kombu.exceptions import OperationalError
from redis import Redis
from sqlalchemy import func, select

from config import ROOT
from mastery import GUIDE
from models import UserMastery, db
from replay_tasks import celery, rebuild
from replays import verify
from store import Store
from tests.conftest import REDIS, postgres_url, sign_up, unavailable
from tests.test_recording import GIVEN, NOON, record

RABBITMQ = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
LEARNERS, ANSWERS = 40, 4
PER_TASK = 10
ENDS_WITHIN_SECONDS = 90
VISIBILITY_SECONDS = 5
"""Longer than a task takes, however busy the machine; with Redis so much passes until a dead worker's task goes on."""


@pytest.fixture
def practised(postgres_database: str, make_app: Callable[..., Flask]) -> Flask:
    app = make_app(postgres_url(postgres_database))
    with app.app_context():
        for number in range(LEARNERS):
            learner = sign_up(app, f"learner{number}").id
            for step in range(ANSWERS):
                record(learner, replace(GIVEN, at=NOON + timedelta(minutes=step)))
    return app


@pytest.fixture(params=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> str:
    """The address of each kind of broker."""
    if request.param == "rabbitmq":
        return RABBITMQ
    redis: Redis = request.getfixturevalue("redis")
    return f"{REDIS}/{redis.get_connection_kwargs()['db']}"


@pytest.fixture
def queue(broker: str) -> Iterator[str]:
    """A queue of the test's own at the broker."""
    name = f"gradus-test-{uuid.uuid4().hex[:12]}"
    try:
        connection = celery.connection(broker, connect_timeout=5).ensure_connection(max_retries=1)
    except OperationalError as error:
        unavailable(f"no broker at {broker}: {error}")
    with connection:
        yield name
        connection.default_channel.queue_delete(name)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The file in which the workers say what they begin."""
    path = tmp_path / "begun.txt"
    path.touch()
    return path


@pytest.fixture
def workers(
    practised: Flask, broker: str, queue: str, begun: Path, tmp_path: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Two, by name."""
    environment = {
        **os.environ,
        "DATABASE_URL": practised.config["SQLALCHEMY_DATABASE_URI"],
        "JWT_SECRET_KEY": "x" * 40,
        "CELERY_BROKER_URL": broker,
        "CELERY_VISIBILITY_TIMEOUT": str(VISIBILITY_SECONDS),
        "TEST_BEGUN_FILE": str(begun),
    }
    celery_app = [sys.executable, "-m", "celery", "--app", "tests.slow_replay_tasks"]
    command = [*celery_app, "worker", "--concurrency", "1", "--queues", queue]
    options: Any = {"cwd": ROOT, "env": environment, "start_new_session": True}
    with (tmp_path / "workers.txt").open("ab") as log:
        started = {
            name: subprocess.Popen([*command, "--hostname", name], stdout=log, stderr=log, **options)
            for name in ("one", "two")
        }
        yield started
    for process in started.values():
        end(process)


def end(worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker and its processes at once, as the end of its machine does."""
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(timeout=30)


def rebuilt(app: Flask, first: int, last: int) -> int:
    """How many learners of a range are done."""
    with app.app_context():
        under = select(func.count()).where(UserMastery.rebuilt_policy == GUIDE.label)
        return db.session.scalar(under.where(UserMastery.user_id.between(first, last))) or 0


def held(app: Flask, begun: Path, ranges: dict[int, int]) -> tuple[str, int] | None:
    """A worker with most of its task to go, and where that task begins."""
    last = dict(line.split() for line in begun.read_text().splitlines())
    for name, first in last.items():
        if 0 < rebuilt(app, int(first), ranges[int(first)]) < PER_TASK / 2:
            return name, int(first)
    return None


def test_a_worker_that_is_killed_takes_no_work_with_it(
    practised: Flask, workers: dict[str, subprocess.Popen[bytes]], broker: str, queue: str, begun: Path
) -> None:
    with practised.app_context():
        ids = [user_id for batch in Store().practised(LEARNERS) for user_id in batch]
    ranges = {ids[start]: ids[start + PER_TASK - 1] for start in range(0, LEARNERS, PER_TASK)}
    with celery.connection(broker) as connection:
        for first, last in ranges.items():
            rebuild.apply_async((first, last, "guide"), queue=queue, connection=connection)
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while (found := held(practised, begun, ranges)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found is not None, "no worker was seen in the middle of a task"
    name, first = found
    end(workers[name])
    assert 0 < rebuilt(practised, first, ranges[first]) < PER_TASK
    while rebuilt(practised, ids[0], ids[-1]) < LEARNERS and time.monotonic() < deadline:
        time.sleep(0.1)
    assert rebuilt(practised, ids[0], ids[-1]) == LEARNERS
    [other] = workers.keys() - {name}
    assert [line for line in begun.read_text().splitlines() if line.endswith(f" {first}")] == [
        f"{name} {first}",
        f"{other} {first}",
    ]
    with practised.app_context():
        assert verify(Store(), ids).differences == ()
