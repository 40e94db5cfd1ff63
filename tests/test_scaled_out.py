"""Two services behind a real nginx, on one PostgreSQL and one Redis: to a client they are one."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from redis import Redis

from tests.conftest import PASSWORD, POSTGRES, REDIS, postgres_url, unavailable
from tests.nginx import SERVED_BY, Nginx, nginx_before, nginx_binary
from tests.service import Endpoint, Reply, Service, serving
from tests.test_service import ROUNDING, Expected, answers_of_each_kind, registered

METRICS_TOKEN = "a-token.of/tests=="
READY_WITHIN_SECONDS = 120
WAITS_WITHIN_SECONDS = 30

ANSWERS = answers_of_each_kind()


@dataclass
class ScaledOut:
    """nginx, the services behind it by their ports, and what they share."""

    front: Nginx
    services: dict[int, Service]
    database: str
    redis: Redis

    def on_both(self, method: str, path: str, body: Any = None, **options: Any) -> list[Reply]:
        """Repeat a request until each service has served it; its replies."""
        replies: dict[int, Reply] = {}
        for _ in range(8):
            reply = self.front.call(method, path, body, **options)
            replies[self.front.served_by[-1]] = reply
            if replies.keys() == self.services.keys():
                return list(replies.values())
        raise AssertionError(f"{path} was served by {list(replies)} alone")

    @contextmanager
    def held_up(self, learner: str) -> Iterator[Callable[[], str]]:
        """No answer of the learner commits while the block runs; gives the name of the service that waits for it."""
        address = f"{POSTGRES.rpartition('/')[0]}/{self.database}"
        with psycopg.connect(address) as holder, psycopg.connect(address, autocommit=True) as looker:
            holder.execute("SELECT 1 FROM users WHERE username = %s FOR UPDATE", [learner])
            yield lambda: _who_waits(looker)


def _who_waits(connection: psycopg.Connection) -> str:
    query = (
        "SELECT application_name FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'"
    )
    deadline = time.monotonic() + WAITS_WITHIN_SECONDS
    while (row := connection.execute(query).fetchone()) is None:
        assert time.monotonic() < deadline, "nobody waits for the learner's row"
        time.sleep(0.01)
    return str(row[0])


@pytest.fixture(scope="module")
def scaled_out(
    postgres: Callable[[str | None], str],
    postgres_template: str,
    redis: Redis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ScaledOut]:
    if nginx_binary() is None or shutil.which("openssl") is None:
        unavailable("no nginx, or no openssl, is installed")
    folder = tmp_path_factory.mktemp("scaled-out")
    database = postgres(postgres_template)
    settings = {
        "REDIS_URL": f"{REDIS}/{redis.get_connection_kwargs()['db']}",
        "WEB_CONCURRENCY": "1",
        "TRUSTED_PROXIES": "1",
        "METRICS_TOKEN": METRICS_TOKEN,
        "TMPDIR": str(folder),
    }
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(serving(postgres_url(database), folder / f"{name}.log", PGAPPNAME=name, **settings))
            for name in ("one", "two")
        )
        for service in (one, two):
            service.wait_for("/readyz", READY_WITHIN_SECONDS)
        front = stack.enter_context(nginx_before([one.port, two.port], folder))
        yield ScaledOut(front, {one.port: one, two.port: two}, database, redis)


@dataclass
class Practice:
    """A learner in a session on databases, and the figures that the printed rules give for it."""

    front: Endpoint
    name: str = field(default_factory=lambda: f"learner-{uuid.uuid4().hex[:8]}")
    expected: Expected = field(default_factory=Expected)

    def __post_init__(self) -> None:
        self.token = registered(self.front, self.name)
        started = self.call("POST", "/api/adaptive/sessions", {"topics": ["dbms"]}).json
        self.path = f"/api/adaptive/sessions/{started['session']['id']}"
        self.question = started["question"]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.front.call(method, path, body, token=self.token, headers=named)

    def answer(self, quality: str) -> dict[str, Any]:
        """The body of an answer to the open question."""
        text = ANSWERS[self.question["id"]][quality]
        return {"question_id": self.question["id"], "answer": text, "response_time": 20.0}

    def took(self, reply: Reply) -> None:
        """Check what an answer did, and go on to the next question."""
        assert reply.status == 201, reply.json
        before = self.expected.mastery
        self.expected.take(reply.json["attempt"])
        change = reply.json["mastery"]
        assert change["before"] == pytest.approx(before, abs=ROUNDING)
        assert change["after"] == pytest.approx(self.expected.mastery, abs=ROUNDING)
        assert change["velocity"] == pytest.approx(self.expected.velocity, abs=ROUNDING)
        assert change["difficulty_after"] == self.expected.difficulty
        self.question = reply.json["next_question"]

    def is_as_expected(self) -> None:
        """Check the session as it is resumed, and the progress."""
        resumed = self.call("GET", self.path).json
        assert resumed["question"] == self.question
        assert len(resumed["attempts"]) == resumed["session"]["questions_count"] == self.expected.attempted
        topic = self.call("GET", "/api/user/progress").json["topics"]["dbms"]
        assert topic["mastery"] == pytest.approx(self.expected.mastery, abs=ROUNDING)
        assert topic["semantic_avg"] == pytest.approx(self.expected.semantic, abs=ROUNDING)
        assert topic["keyword_avg"] == pytest.approx(self.expected.keyword, abs=ROUNDING)
        assert topic["questions_attempted"] == self.expected.attempted
        assert topic["correct_count"] == self.expected.correct


def test_a_session_that_hops_between_services_is_reckoned_as_by_one(scaled_out: ScaledOut) -> None:
    front = scaled_out.front
    practice = Practice(front)
    answered_by = []
    for quality in ("good", "good", "silent", "poor", "middling", "good"):
        reply = practice.call("POST", f"{practice.path}/answers", practice.answer(quality))
        answered_by.append(front.served_by[-1])
        practice.took(reply)
        practice.is_as_expected()
    assert set(answered_by) == scaled_out.services.keys()
    assert practice.expected.mastery > 0.2

    ended = scaled_out.on_both("POST", f"{practice.path}/finish", {}, token=practice.token)
    assert [reply.status for reply in ended] == [200, 200]
    assert ended[0].json == ended[1].json
    assert ended[0].json["session"]["summary"]["questions"] == 6


def test_what_one_service_gave_is_unchanged_for_the_other(scaled_out: ScaledOut) -> None:
    practice = Practice(scaled_out.front)
    practice.took(practice.call("POST", f"{practice.path}/answers", practice.answer("good")))
    reads = scaled_out.on_both("GET", "/api/user/progress", token=practice.token)
    assert reads[0].json == reads[1].json
    assert reads[0].headers["ETag"] == reads[1].headers["ETag"]
    known = {"If-None-Match": reads[0].headers["ETag"]}
    again = scaled_out.on_both("GET", "/api/user/progress", token=practice.token, headers=known)
    assert [reply.status for reply in again] == [304, 304]


def test_a_repeated_answer_that_lands_on_the_other_service_gets_the_same_reply(scaled_out: ScaledOut) -> None:
    practice = Practice(scaled_out.front)
    request = ("POST", f"{practice.path}/answers", practice.answer("good"))
    key = {"Idempotency-Key": "answer 1"}
    first, second = scaled_out.on_both(*request, token=practice.token, headers=key)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json == first.json
    practice.took(second)
    practice.is_as_expected()


def test_an_answer_whose_reply_was_lost_is_repeated_with_one_effect(scaled_out: ScaledOut) -> None:
    practice = Practice(scaled_out.front)
    path, body, key = f"{practice.path}/answers", practice.answer("good"), {"Idempotency-Key": "lost"}
    sending: dict[str, Any] = {"token": practice.token, "headers": key}
    with (
        scaled_out.held_up(practice.name) as who_waits,
        closing(scaled_out.front.send("POST", path, body, **sending)),
    ):
        who_waits()
    while "Retry-After" in scaled_out.front.call("POST", path, body, **sending).headers:
        pass  # the first one is still running
    for reply in scaled_out.on_both("POST", path, body, **sending):
        assert reply.headers["Idempotency-Replayed"] == "true"
    practice.took(reply)
    practice.is_as_expected()


def test_who_signs_out_on_one_service_is_out_on_the_other(scaled_out: ScaledOut) -> None:
    token = registered(scaled_out.front, "leaving")
    assert {reply.status for reply in scaled_out.on_both("GET", "/api/auth/me", token=token)} == {200}
    assert scaled_out.front.call("POST", "/api/auth/logout", {}, token=token).status == 200
    assert {reply.status for reply in scaled_out.on_both("GET", "/api/auth/me", token=token)} == {401}


def test_rates_are_counted_together_for_the_address_that_nginx_saw(scaled_out: ScaledOut) -> None:
    front, body = scaled_out.front, {"login": "nobody", "password": PASSWORD}
    front.served_by.clear()
    replies = [front.call("POST", "/api/auth/login", body) for _ in range(6)]
    assert [reply.status for reply in replies] == [401] * 5 + [429]
    assert set(front.served_by) == scaled_out.services.keys()
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 60

    claimed = {"X-Forwarded-For": "127.0.0.9", "Forwarded": "for=127.0.0.9", "X-Real-IP": "127.0.0.9"}
    refused = scaled_out.on_both("POST", "/api/auth/login", body, headers=claimed)
    assert [reply.status for reply in refused] == [429, 429]
    elsewhere = scaled_out.on_both("POST", "/api/auth/login", body, source="127.0.0.2")
    assert [reply.status for reply in elsewhere] == [401, 401]
    counted = [key.decode() for key in scaled_out.redis.keys("*nobody*")]
    assert {key.partition(" name")[0].rpartition("/")[2] for key in counted} == {
        "address 127.0.0.1",
        "address 127.0.0.2",
    }


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6Detrics", "/x/../metrics", "/metrics?a=b", "/metrics/"])
def test_metrics_are_not_shown_to_the_world(scaled_out: ScaledOut, path: str) -> None:
    reply = scaled_out.front.call("GET", path, token=METRICS_TOKEN)
    assert reply.status == reply.json["status"] == 404
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_what_nginx_refuses_is_a_problem_with_the_clients_request_id(scaled_out: ScaledOut) -> None:
    front, mine = scaled_out.front, {"X-Request-ID": "of-the-client-0001"}
    token = registered(front, "verbose")
    by_service = front.call("POST", "/api/sessions", {"feedback": "x" * 70_000}, token=token, headers=mine)
    by_nginx = front.call("POST", "/api/sessions", {"feedback": "x" * 200_000}, token=token, headers=mine)
    too_long = front.call("GET", f"/api/sessions?cursor={'x' * 20_000}", token=token, headers=mine)
    assert [SERVED_BY in reply.headers for reply in (by_service, by_nginx, too_long)] == [True, False, False]
    for reply, status in ((by_service, 413), (by_nginx, 413), (too_long, 414)):
        assert reply.status == reply.json["status"] == status
        assert reply.headers["Content-Type"] == "application/problem+json"
    for reply in (by_service, by_nginx):
        assert reply.headers["X-Request-ID"] == reply.json["request_id"] == mine["X-Request-ID"]


def test_a_file_of_questions_may_be_larger_than_other_bodies(scaled_out: ScaledOut) -> None:
    front = scaled_out.front
    token = registered(front, "no-administrator")
    reply = front.call("POST", "/api/admin/questions/import", {"topic": "x" * 900_000}, token=token)
    assert (reply.status, SERVED_BY in reply.headers) == (403, True)


def test_the_other_service_goes_on_when_one_is_gone_in_the_middle_of_an_answer(scaled_out: ScaledOut) -> None:
    """The last test of this file, for it leaves one service."""
    front = scaled_out.front
    practice = Practice(front)
    practice.took(practice.call("POST", f"{practice.path}/answers", practice.answer("good")))
    path, body, key = f"{practice.path}/answers", practice.answer("poor"), {"Idempotency-Key": "in the middle"}
    with (
        scaled_out.held_up(practice.name) as who_waits,
        closing(front.send("POST", path, body, token=practice.token, headers=key)) as connection,
    ):
        working = who_waits()
        (gone,) = (one for one in scaled_out.services.values() if one.environment["PGAPPNAME"] == working)
        gone.crash()
        unanswered = front.reply(connection.getresponse())
    assert unanswered.status == unanswered.json["status"] == 503
    assert unanswered.headers["Retry-After"] == "2"
    assert SERVED_BY not in unanswered.headers

    repeated = practice.call("POST", path, body, Idempotency_Key="in the middle")
    assert "Idempotency-Replayed" not in repeated.headers
    practice.took(repeated)
    assert practice.call("POST", path, body, Idempotency_Key="in the middle").json == repeated.json
    practice.is_as_expected()
    for quality in ("good", "silent"):
        practice.took(practice.call("POST", path, practice.answer(quality)))
    practice.is_as_expected()
    ended = practice.call("POST", f"{practice.path}/finish", {})
    assert (ended.status, ended.json["session"]["summary"]["questions"]) == (200, 4)
    assert front.served_by[-1] != gone.port
