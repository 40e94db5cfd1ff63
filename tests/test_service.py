"""End to end: learners over a socket, two gunicorn workers, the real model, figures recomputed from the replies."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import PASSWORD, postgres_url
from tests.service import WITHOUT_MODEL, Endpoint, Service, flask, prepare, served
from tests.test_access import CHESS
from tests.typed import typed_answers

ROUNDING = 0.0016
"""Replies are rounded to 3 places; a figure recomputed from three of them may be off by this much."""

LADDER = ["easy", "medium", "hard"]
PLAN = ["good", "good", "middling", "poor", "silent", "good", "good", "good", "poor", "poor", "silent", "middling"] + [
    "good"
] * 3


def answers_of_each_kind() -> dict[str, dict[str, str]]:
    """Answers by question and quality, the silent one among them."""
    return {name: {**answers, "silent": "I don't know"} for name, answers in typed_answers().items()}


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, str]]:
    return answers_of_each_kind()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    if request.param == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('served_database')}"
    else:
        make: Callable[[str | None], str] = request.getfixturevalue("postgres")
        url = postgres_url(make(None))
        prepare(url, folder / "log.txt", **WITHOUT_MODEL)
    with served(url, folder / "log.txt", WEB_CONCURRENCY="2", RATE_LIMITS_ENABLED="false") as running:
        yield running


def registered(service: Endpoint, name: str) -> str:
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    reply = service.call("POST", "/api/auth/register", body)
    assert reply.status == 201, reply.json
    token: str = reply.json["access_token"]
    return token


def test_what_the_server_itself_refuses_is_a_problem_too(service: Service) -> None:
    reply = service.call("GET", f"/api/sessions?cursor={'x' * 5000}")
    assert reply.status == 414
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == 414


class Expected:
    """The figures of one topic, from the printed rules and the scores in the replies alone."""

    def __init__(self) -> None:
        self.semantic = self.keyword = self.mastery = self.time = 0.0
        self.velocity = self.last = 0.0
        self.attempted = self.correct = self.good = self.poor = 0
        self.difficulty = "medium"
        self.concepts: dict[str, dict[str, Any]] = {}

    def take(self, attempt: dict[str, Any]) -> None:
        self.semantic = 0.3 * attempt["semantic_score"] + 0.7 * self.semantic
        self.keyword = 0.3 * attempt["keyword_score"] + 0.7 * self.keyword
        self.time = 0.3 * attempt["response_time"] + 0.7 * self.time
        self.last = self.mastery
        self.mastery = 0.7 * self.semantic + 0.3 * self.keyword
        self.velocity = self.mastery - self.last
        self.attempted += 1
        self.correct += attempt["keyword_score"] > 0.6
        combined = 0.7 * attempt["semantic_score"] + 0.3 * attempt["keyword_score"]
        self.good = self.good + 1 if combined > 0.7 else 0
        self.poor = self.poor + 1 if combined < 0.4 else 0
        if self.good >= 3:
            self.difficulty = "hard"
        elif self.poor >= 2:
            self.difficulty = "easy"
        for name in attempt["mentioned_concepts"]:
            self._concept(name, mentioned=True)
        for name in attempt["missed_concepts"]:
            self._concept(name, mentioned=False)

    def _concept(self, name: str, *, mentioned: bool) -> None:
        concept = self.concepts.setdefault(name, {"level": 0.0, "mentions": 0, "misses": 0, "stagnation": 0})
        concept["level"] = min(1.0, concept["level"] + 0.1) if mentioned else max(0.0, concept["level"] - 0.05)
        concept["mentions" if mentioned else "misses"] += 1
        concept["stagnation"] = 0 if mentioned else concept["stagnation"] + 1

    def priority(self, concept: dict[str, Any]) -> float:
        priority = 1 - concept["level"]
        priority += 0.2 if concept["misses"] > 2 else 0
        priority += 0.15 if concept["stagnation"] >= 2 else 0
        priority += 0.2 if round(self.velocity, 9) < -0.05 else 0
        return float(min(1.0, priority))


def test_15_real_answers_served_by_two_workers_in_turn_move_every_figure_as_the_rules_say(
    service: Service, answers: dict[str, dict[str, str]]
) -> None:
    workers = service.workers
    assert len(workers) == 2
    token = registered(service, "ada")
    started = service.call("POST", "/api/adaptive/sessions", {"topics": ["dbms"]}, token=token).json
    path = f"/api/adaptive/sessions/{started['session']['id']}"
    expected, question, combined = Expected(), started["question"], []
    session_difficulty, streak = "medium", (0, 0)
    by_quality: dict[str, list[float]] = {}
    for number, quality in enumerate(PLAN, start=1):
        body = {
            "question_id": question["id"],
            "answer": answers[question["id"]][quality],
            "response_time": number * 1.5,
        }
        with service.served_only_by(workers[number % 2]):
            reply = service.call("POST", f"{path}/answers", body, token=token)
        assert reply.status == 201, reply.json
        attempt, change = reply.json["attempt"], reply.json["mastery"]
        before = (expected.mastery, expected.difficulty)
        expected.take(attempt)
        assert attempt["scorer"] == "all-MiniLM-L6-v2/onnx-fp32"
        assert (change["before"], change["difficulty_before"]) == (pytest.approx(before[0], abs=ROUNDING), before[1])
        assert change["after"] == pytest.approx(expected.mastery, abs=ROUNDING)
        assert change["velocity"] == pytest.approx(expected.velocity, abs=ROUNDING)
        assert change["difficulty_after"] == expected.difficulty
        assert len(attempt["mentioned_concepts"] + attempt["missed_concepts"]) == question["concepts_count"]
        combined.append(attempt["combined_score"])
        by_quality.setdefault(quality, []).append(attempt["combined_score"])

        good, poor = streak
        good = good + 1 if attempt["combined_score"] > 0.7 else 0
        poor = poor + 1 if attempt["combined_score"] < 0.4 else 0
        step = 1 if good >= 2 else -1 if poor >= 2 else 0
        stepped = LADDER[min(2, max(0, LADDER.index(session_difficulty) + step))]
        action = {1: "DEEPEN", -1: "SIMPLIFY", 0: "FOLLOW_UP"}[LADDER.index(stepped) - LADDER.index(session_difficulty)]
        streak = (good, poor) if stepped == session_difficulty else (0, 0)
        session_difficulty = stepped
        assert reply.json["action"] == ("FINALIZE" if number == len(PLAN) else action)
        if number < len(PLAN):
            question = reply.json["next_question"]

    assert reply.json["next_question"] is None
    assert reply.json["session"]["score"] == pytest.approx(100 * sum(combined) / 15, abs=0.1)
    means = {quality: sum(scores) / len(scores) for quality, scores in by_quality.items()}
    assert means["good"] > means["middling"] > means["poor"] > means["silent"] == 0.0

    shown = service.call("GET", "/api/user/progress", token=token).json
    topic = shown["topics"]["dbms"]
    assert topic["mastery"] == pytest.approx(expected.mastery, abs=ROUNDING)
    assert topic["semantic_avg"] == pytest.approx(expected.semantic, abs=ROUNDING)
    assert topic["keyword_avg"] == pytest.approx(expected.keyword, abs=ROUNDING)
    assert (topic["questions_attempted"], topic["correct_count"]) == (15, expected.correct)
    assert (topic["sessions_attempted"], topic["early_estimate"]) == (1, False)
    assert shown["overall"]["avg_mastery"] == topic["mastery"]

    view = service.call("GET", "/api/adaptive/mastery/dbms", token=token).json
    mastery = view["mastery"]
    assert mastery["avg_response_time"] == pytest.approx(expected.time, abs=ROUNDING)
    assert mastery["last_mastery"] == pytest.approx(expected.last, abs=ROUNDING)
    assert (mastery["consecutive_good"], mastery["consecutive_poor"]) == (expected.good, expected.poor)
    assert view["concepts"].keys() == expected.concepts.keys()
    for name, concept in expected.concepts.items():
        found = view["concepts"][name]
        assert found["mastery_level"] == round(concept["level"], 3)
        assert (found["times_mentioned"], found["times_missed_when_sampled"]) == (
            concept["mentions"],
            concept["misses"],
        )
        assert found["attempts"] == concept["mentions"] + concept["misses"]
        assert found["stagnation_count"] == concept["stagnation"]
        level = round(concept["level"], 9)
        assert found["is_weak"] == (level < 0.5 and concept["misses"] >= 2)
        assert found["is_strong"] == (level > 0.7 and concept["mentions"] >= 3)
        assert found["priority_score"] == pytest.approx(expected.priority(concept), abs=0.001)

    reset = service.call("POST", "/api/user/reset_mastery", {"topic": "dbms"}, token=token).json
    assert (reset["success"], reset["deleted"]) == (True, 1)
    assert service.call("GET", "/api/adaptive/mastery/dbms", token=token).json["exists"] is False
    assert len(service.call("GET", path, token=token).json["attempts"]) == 15


def test_serving_never_loads_torch(service: Service) -> None:
    token = registered(service, "lean")
    session = service.call("POST", "/api/adaptive/sessions", {"topics": ["dbms"]}, token=token).json
    path = f"/api/adaptive/sessions/{session['session']['id']}/answers"
    body = {"question_id": session["question"]["id"], "answer": "A transaction is a unit of work that is done or not."}
    assert service.call("POST", path, body, token=token).status == 201
    mapped = [Path(f"/proc/{worker}/maps").read_text() for worker in service.workers]
    assert all("libtorch" not in maps for maps in mapped)
    assert any("onnxruntime" in maps for maps in mapped)


def test_a_bank_that_is_loaded_has_its_vectors_by_the_real_model(prepared_database: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(prepared_database, tmp_path / "gradus.db"))
    (tmp_path / "chess.yaml").write_text(json.dumps(CHESS), encoding="utf-8")
    flask(f"sqlite:///{path}", tmp_path / "log.txt", "questions", "load", str(tmp_path))
    with closing(sqlite3.connect(path)) as database:
        vectors = [np.frombuffer(row[0], "<f4") for row in database.execute("SELECT vector FROM expected_vectors")]
    assert [len(vector) for vector in vectors] == [384] * len(vectors) != []
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
