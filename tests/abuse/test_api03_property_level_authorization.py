"""API3, broken object property level authorization: no more is written than is asked for, and no more is shown."""

from typing import Any

import pytest
from flask import Flask

from tests.conftest import PASSWORD, Learner, sign_up

EXTRA = {
    "id": 1,
    "user_id": 1,
    "role": "admin",
    "is_admin": True,
    "password_hash": "x",
    "mastery_level": 1.0,
    "created_at": "2000-01-01T00:00:00Z",
    "__class__": "x",
}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/api/auth/login", {"login": "ada", "password": PASSWORD}),
    ("/api/auth/password", {"current_password": PASSWORD, "new_password": "another correct horse"}),
    ("/api/adaptive/sessions", {"topics": ["dbms"]}),
    ("/api/adaptive/score", {"answer": "A lock.", "expected_answers": ["A log."]}),
    ("/api/adaptive/observations", {"topic": "dbms", "semantic_score": 0.5, "keyword_score": 0.5, "concepts": ["x"]}),
    ("/api/user/reset_mastery", {"topic": "all"}),
    ("/api/sessions", {"session_type": "mock", "topic": "dbms", "score": 50, "duration": 60}),
]
TAKEN = {"/api/sessions": ("created_at",)}
"""What of them the contract has."""
HIDDEN = ("password", "hash", "jti", "expected_answer", "correct_code", "fingerprint", "secret")


@pytest.mark.parametrize(("path", "body"), BODIES, ids=[path for path, _ in BODIES])
def test_a_property_that_nobody_asked_for_is_refused(learner: Learner, path: str, body: dict[str, Any]) -> None:
    for name in EXTRA.keys() - set(TAKEN.get(path, ())):
        reply = learner.post(path, {**body, name: EXTRA[name]})
        assert reply.status_code == 422, name
        assert [error["pointer"] for error in reply.json["errors"]] == [f"#/{name}"], name


@pytest.mark.parametrize("name", ["role", "id", "is_admin"])
def test_nobody_registers_as_more_than_a_learner(app: Flask, name: str) -> None:
    body = {"username": "eve", "email": "eve@example.com", "password": PASSWORD, name: EXTRA[name]}
    assert app.test_client().post("/api/auth/register", json=body).status_code == 422
    assert sign_up(app, "eve").get("/api/auth/me").json["user"]["role"] == "learner"


def test_a_question_shows_neither_its_answer_nor_what_it_probes(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    resumed = learner.get(f"/api/adaptive/sessions/{started['session']['id']}").json
    for shown in (started["question"], resumed["question"]):
        assert shown.keys() == {"id", "topic", "subtopic", "text", "difficulty", "concepts_count", "asked_at"}
    challenge = learner.post("/api/debugging/sessions").json["challenge"]
    assert challenge.keys() == {"id", "language", "topic", "title", "buggy_code", "difficulty"}


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {str(key) for key in value} | {key for one in value.values() for key in keys_in(one)}
    return {key for one in value for key in keys_in(one)} if isinstance(value, list) else set()


@pytest.mark.parametrize("path", ["/api/auth/me", "/api/user/export", "/api/user/progress", "/api/sessions"])
def test_no_reply_shows_what_signs_in(learner: Learner, path: str) -> None:
    learner.start(topics=["dbms"])
    shown = {key.lower() for key in keys_in(learner.get(path).json)}
    assert not {key for key in shown for hidden in HIDDEN if hidden in key} - {"expected_answer", "expected_answers"}
