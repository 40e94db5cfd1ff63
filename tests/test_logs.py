"""Logs: what an operator needs, with the request's id, and nothing of what a learner said."""

import io

from flask import Flask
from sqlalchemy import text

from models import db
from store import Store
from tests.conftest import PASSWORD, sign_up


def test_a_request_is_one_line_with_its_id(app: Flask, lines: io.StringIO) -> None:
    app.test_client().get("/api/sessions/7", headers={"X-Request-ID": "phone-0001"})
    [line] = [line for line in lines.getvalue().splitlines() if "request=phone-0001" in line]
    assert "method=GET route=/api/sessions/<int(max=9223372036854775807):session_id> status=401 seconds=" in line


def test_no_password_token_or_answer_stands_in_a_log(app: Flask, lines: io.StringIO) -> None:
    learner = sign_up(app, "hypatia")
    started = learner.start(topics=["dbms"])
    learner.answer(started["session"]["id"], started["question"], "My very own words.")
    learner.post("/api/adaptive/observations", {"topic": "Secret topic", "answer": "My very own words."})
    said = lines.getvalue()
    assert said.count("status=201") == 3
    for secret in (PASSWORD, learner.tokens["access_token"], "My very own words", "hypatia", "Secret topic"):
        assert secret not in said


def test_a_statement_that_fails_is_logged_without_what_it_was_given(app: Flask, lines: io.StringIO) -> None:
    learner = sign_up(app)
    with app.app_context(), Store().transaction():
        db.session.execute(text("DROP TABLE attempts"))
    seen = {"answer": "My very own words.", "expected_answers": ["A lock."], "concepts": ["Secret concept"]}
    assert learner.post("/api/adaptive/observations", {"topic": "dbms", **seen}).status_code == 503
    assert "INSERT INTO attempts" in lines.getvalue()
    for secret in ("My very own words", "Secret concept"):
        assert secret not in lines.getvalue()
