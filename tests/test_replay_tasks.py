"""Replays by real Celery workers: one of two is killed in the middle of its task, and the other finishes its work."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from kombu.exceptions import OperationalError
from sqlalchemy import func, select

from config import ROOT
from mastery import GUIDE
from models import UserMastery, db
from replay_tasks import celery, rebuild
from replays import verify
from store import Store
from tests.conftest import postgres_url, sign_up, unavailable
from tests.test_recording import GIVEN, NOON, record

RABBITMQ = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
LEARNERS, ANSWERS = 40, 4
PER_TASK = 10
ENDS_WITHIN_SECONDS = 90


@pytest.fixture
def practised(postgres_database: str, make_app: Callable[..., Flask]) -> Flask:
    app = make_app(postgres_url(postgres_database))
    with app.app_context():
        for number in range(LEARNERS):
            learner = sign_up(app, f"learner{number}").id
            for step in range(ANSWERS):
                record(learner, GIVEN.__class__(**{**GIVEN.__dict__, "at": NOON + timedelta(minutes=step)}))
    return app


@pytest.fixture
def queue() -> Iterator[str]:
    """A queue of the test's own at the broker."""
    name = f"gradus-test-{uuid.uuid4().hex[:12]}"
    try:
        connection = celery.connection(RABBITMQ, connect_timeout=5).ensure_connection(max_retries=1)
    except OperationalError as error:
        unavailable(f"no RabbitMQ at {RABBITMQ}: {error}")
    with connection:
        yield name
        connection.default_channel.queue_delete(name)


@pytest.fixture
def workers(practised: Flask, queue: str, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = {
        **os.environ,
        "DATABASE_URL": practised.config["SQLALCHEMY_DATABASE_URI"],
        "JWT_SECRET_KEY": "x" * 40,
        "CELERY_BROKER_URL": RABBITMQ,
    }
    celery_app = [sys.executable, "-m", "celery", "--app", "tests.slow_replay_tasks"]
    command = [*celery_app, "worker", "--pool", "solo", "--queues", queue]
    with (tmp_path / "workers.txt").open("ab") as log:
        started = [
            subprocess.Popen([*command, "--hostname", name], cwd=ROOT, env=environment, stdout=log, stderr=log)
            for name in ("one", "two")
        ]
        yield started
    for process in started:
        process.kill()
        process.wait(timeout=30)


def rebuilt(app: Flask) -> int:
    with app.app_context():
        query = select(func.count()).where(UserMastery.rebuilt_policy == GUIDE.label)
        return db.session.scalar(query) or 0


def test_a_worker_that_is_killed_takes_no_work_with_it(
    practised: Flask, workers: list[subprocess.Popen[bytes]], queue: str
) -> None:
    celery.conf.broker_url = RABBITMQ
    with practised.app_context():
        ids = [user_id for batch in Store().practised(LEARNERS) for user_id in batch]
    for start in range(0, LEARNERS, PER_TASK):
        rebuild.apply_async((ids[start], ids[start + PER_TASK - 1], "guide"), queue=queue)
    deadline = time.monotonic() + ENDS_WITHIN_SECONDS
    while not 0 < rebuilt(practised) < LEARNERS and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(workers[0].pid, signal.SIGKILL)
    assert 0 < rebuilt(practised) < LEARNERS
    while rebuilt(practised) < LEARNERS and time.monotonic() < deadline:
        time.sleep(0.1)
    assert rebuilt(practised) == LEARNERS
    with practised.app_context():
        assert verify(Store(), ids).differences == ()
