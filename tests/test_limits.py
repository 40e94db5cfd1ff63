"""Rate limits: who asks too often is told when to come back, and nobody else is."""

from collections.abc import Callable

import pytest
from flask import Flask

from config import ConfigurationError, load_settings
from tests.conftest import PASSWORD, sign_up
from tests.test_api_errors import refused


@pytest.fixture
def limited(make_app: Callable[..., Flask], sqlite_url: str) -> Flask:
    return make_app(sqlite_url, limited=True)


def login(app: Flask, name: str, address: str = "10.0.0.1") -> int:
    reply = app.test_client().post(
        "/api/auth/login",
        json={"login": name, "password": "wrong horse"},
        environ_base={"REMOTE_ADDR": address},
    )
    return reply.status_code


def test_the_sixth_login_within_a_minute_is_429(limited: Flask) -> None:
    sign_up(limited, "ada")
    assert [login(limited, "ada") for _ in range(6)] == [401] * 5 + [429]
    client = limited.test_client()
    body = {"login": "ADA", "password": PASSWORD}
    reply = client.post("/api/auth/login", json=body, environ_base={"REMOTE_ADDR": "10.0.0.1"})
    refused(reply, 429)
    assert 1 <= int(reply.headers["Retry-After"]) <= 60


def test_logins_are_counted_per_address_and_name(limited: Flask) -> None:
    for _ in range(6):
        login(limited, "ada")
    assert login(limited, "grace") == 401
    assert login(limited, "ada", address="10.0.0.2") == 401


def test_the_61st_answer_within_a_minute_is_429_and_not_recorded(limited: Flask) -> None:
    learner, other = sign_up(limited), sign_up(limited)
    started = learner.start(topics=["dbms"])
    path, wrong = f"/api/adaptive/sessions/{started['session']['id']}/answers", {"question_id": "x", "answer": "y"}
    assert {learner.post(path, wrong).status_code for _ in range(60)} == {409}
    refused(learner.answer(started["session"]["id"], started["question"], "A lock."), 429)
    assert learner.get("/api/user/progress").json["topics"] == {}
    theirs = other.start(topics=["dbms"])
    assert other.answer(theirs["session"]["id"], theirs["question"], "A lock.").status_code == 201


def test_everything_together_is_limited_to_600_a_minute(limited: Flask) -> None:
    learner = sign_up(limited)
    statuses = [learner.get("/api/auth/me").status_code for _ in range(601)]
    assert statuses == [200] * 600 + [429]
    assert sign_up(limited).get("/api/auth/me").status_code == 200


def test_health_is_never_limited(limited: Flask) -> None:
    client = limited.test_client()
    assert {client.get("/healthz").status_code for _ in range(700)} == {200}


def test_several_workers_cannot_count_in_memory() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_settings({"WEB_CONCURRENCY": "2"})
    assert refusal.value.message == (
        "WEB_CONCURRENCY is 2, and 2 workers cannot count requests together in memory:"
        " set REDIS_URL, or RATE_LIMITS_ENABLED=false where something else limits them."
    )
    assert load_settings({"WEB_CONCURRENCY": "2", "REDIS_URL": "redis://127.0.0.1:6379/0"}).rate_limits_enabled
    assert not load_settings({"WEB_CONCURRENCY": "2", "RATE_LIMITS_ENABLED": "false"}).rate_limits_enabled
