"""What an answer asks of its database: each statement is a round trip, so none comes back unnoticed."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats

from api.context import EXTENSION, Services
from models import db
from tests.conftest import Learner, sign_up
from tests.fakes import WordEncoder
from tests.test_reads import statements
from tests.test_ready_questions import keep_topics

READ = (
    "SELECT users",  # who asks, and what is kept under the key
    "SELECT bank_imports",  # the revision of the bank; with it the session, and what it has shown
)
WRITTEN = (
    "SELECT users",  # the learner's lock
    "SELECT interview_sessions",  # session, record and forecast
    "SELECT asked_questions",
    "INSERT forecasts",
    "INSERT asked_questions",
    "UPDATE user_masteries",
    "UPDATE interview_sessions",
    "INSERT attempts",
    "INSERT idempotency_keys",  # the reply
    "INSERT concept_counts",
)
OF_A_LEVEL = ("INSERT mastery_counts", "DELETE mastery_counts")
"""What else a change of the mastery level takes."""

OTHER_TOPIC = ("SELECT user_masteries",)
"""What else a change of topic takes."""


def kinds(asked: Sequence[str]) -> Counter[str]:
    """Each statement by its verb and the first table that it names."""
    named = []
    for statement in asked:
        text = statement.removeprefix("inside a transaction: ")
        verb = text.split()[0]
        table = re.search(r"(?:FROM|INTO|UPDATE)\s+(\w+)", text)
        if table is not None and verb in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            named.append(f"{verb} {table[1]}")
    return Counter(named)


@pytest.fixture
def ready_app(any_app: Flask, encoder: WordEncoder) -> Flask:
    """The application when its questions are ready."""
    services: Services = any_app.extensions[EXTENSION]
    with any_app.app_context():
        kept = keep_topics(any_app, encoder, "dbms", "oop")
        assert sum(services.controller.make_ready()) == kept
    return any_app


def answered(app: Flask, learner: Learner, started: dict[str, Any], answers: int) -> list[tuple[Counter[str], Any]]:
    """What each of so many answers under keys asked, and its reply."""
    met, question = [], started["question"]
    path = f"/api/adaptive/sessions/{started['session']['id']}/answers"
    for number in range(answers):
        headers = {**learner.headers, "Idempotency-Key": f"phone-{number}"}
        body = {"question_id": question["id"], "answer": "A lock and a log, and then a cycle of transactions."}
        with statements(app) as asked:
            reply = learner.client.post(path, headers=headers, json=body)
        assert reply.status_code == 201, reply.json
        met.append((kinds(asked), reply.json))
        question = reply.json["next_question"]
    return met


def test_an_answer_asks_no_more_than_this(ready_app: Flask) -> None:
    learner = sign_up(ready_app)
    *_, (asked, reply) = answered(ready_app, learner, learner.start(topics=["dbms"]), 3)
    assert reply["action"] != "MOVE_TOPIC"
    expected = Counter((*READ, *WRITTEN))
    assert asked - Counter(OF_A_LEVEL) - Counter(["DELETE idempotency_keys"]) == expected


def test_no_statement_of_an_answer_is_compiled_anew(ready_app: Flask) -> None:
    """Those that SQLAlchemy cannot keep would be, each time."""
    learner, unkept = sign_up(ready_app), list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:
        if context.compiled is not None and context.cache_hit in (CacheStats.NO_CACHE_KEY, CacheStats.CACHING_DISABLED):
            unkept.append(statement)

    with ready_app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        answered(ready_app, learner, learner.start(topics=["dbms", "oop"]), 4)
        event.remove(db.engine, "before_cursor_execute", note)
    assert unkept == []


def test_a_change_of_topic_asks_for_the_other_record_and_writes_the_session_once(ready_app: Flask) -> None:
    learner = sign_up(ready_app)
    *_, (asked, reply) = answered(ready_app, learner, learner.start(topics=["dbms", "oop"]), 3)
    assert reply["action"] == "MOVE_TOPIC"
    expected = Counter((*READ, *WRITTEN, *OTHER_TOPIC))
    assert asked - Counter(OF_A_LEVEL) - Counter(["DELETE idempotency_keys"]) == expected
