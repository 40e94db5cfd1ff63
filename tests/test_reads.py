"""The reads that clients ask for most: few statements, of few columns, and the same bytes as the schemas give."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import orjson
import psycopg
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

import database
from adaptive_state import ConceptMastery, TopicMastery
from api.mastery_views import json_reply, progress_view, topic_view
from api.schemas.mastery import ProgressSchema, TopicMasterySchema
from app import create_app
from forecast import ConceptForecast, forecast_concept, step
from forecast_state import LearnerForecast
from forecast_terms import SharedTerms
from mastery import REFERENCE, Difficulty, TopicProgress
from models import UserMastery, db
from reviews import TopicForecast
from store import Shown, Store
from tests.conftest import POSTGRES, Learner, postgres_url, settings_for, sign_up
from tests.fakes import WordEncoder
from tests.test_api_progress import practised
from tests.test_conditional import READS


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """What the application asks its database while the block runs; a transaction's beginning is named too."""
    asked: list[str] = []

    def note(_connection: Any, cursor: Any, statement: str, *_more: Any) -> None:
        driver = cursor.connection
        inside = driver.in_transaction if app_is_sqlite else not driver.autocommit
        asked.append(f"inside a transaction: {statement}" if inside else statement)

    with app.app_context():
        engine = db.engine
    app_is_sqlite = engine.dialect.name == "sqlite"
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


# What is asked of the database


LOGIN_AND_VERSIONS = "SELECT users.role, user_masteries.topic, user_masteries.id, user_masteries.version"


def test_progress_asks_once_without_a_transaction_and_reads_no_concept_document(any_app: Flask) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms", "oop", answers=4)
    with statements(any_app) as asked:
        assert learner.get("/api/user/progress").json["topics"].keys() == {"dbms", "oop"}
    [read] = asked
    columns = read.partition(" \nFROM ")[0].removeprefix(f"{LOGIN_AND_VERSIONS}, ").split(", ")
    assert columns == [f"user_masteries.{name}" for name in Shown.PROGRESS.value]
    assert "concept_masteries" not in Shown.PROGRESS.value


def test_a_topic_read_takes_its_own_document_and_nothing_that_is_derived_from_it(any_app: Flask) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms", "oop", answers=4)
    with statements(any_app) as asked:
        assert learner.get("/api/adaptive/mastery/dbms").json["exists"] is True
    read, own, *shared = asked
    assert "FROM forecasts" in own
    assert len(shared) <= 1  # by the topic, at most once a minute
    assert "AND user_masteries.topic = " in read
    assert "user_masteries.concept_masteries" in read
    for derived in ("weak_concepts", "strong_concepts", "concept_stagnation", "missing_concepts"):
        assert derived not in read


@pytest.mark.parametrize("path", READS)
def test_a_304_asks_for_login_and_versions_and_nothing_more(any_app: Flask, path: str) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms", "oop", answers=4)
    headers = {**learner.headers, "If-None-Match": learner.get(path).headers["ETag"]}
    with statements(any_app) as asked:
        assert learner.client.get(path, headers=headers).status_code == 304
    [check] = asked
    assert check.startswith(f"{LOGIN_AND_VERSIONS} \nFROM ")


@pytest.mark.parametrize("path", READS)
def test_who_knows_an_older_state_gets_the_present_one_with_its_tag(any_app: Flask, path: str) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms")
    headers = {**learner.headers, "If-None-Match": learner.get(path).headers["ETag"]}
    practised(learner, "dbms")
    with statements(any_app) as asked:
        reply = learner.client.get(path, headers=headers)
    assert len([one for one in asked if "forecasts" not in one]) == 2
    now = learner.get(path)
    assert (reply.status_code, reply.data, reply.headers["ETag"]) == (200, now.data, now.headers["ETag"])


def test_a_token_is_checked_by_one_statement_without_a_transaction(any_app: Flask) -> None:
    learner = sign_up(any_app)
    with statements(any_app) as asked:
        assert learner.get("/api/adaptive/policy").status_code == 200
    assert len(asked) == 1
    assert asked[0].startswith("SELECT users.role \nFROM users JOIN token_families ")


def test_a_topic_read_reads_its_document_once(app: Flask, learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    practised(learner, "dbms")
    read: list[str] = []

    def loads(text: str) -> Any:
        read.append(text)
        return json.loads(text)

    monkeypatch.setattr("stored_rows.json", SimpleNamespace(loads=loads, JSONDecodeError=json.JSONDecodeError))
    assert learner.get("/api/adaptive/mastery/dbms").json["concepts"]
    assert len(read) == 1


def test_a_login_that_is_over_reads_nothing(any_app: Flask) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms")
    with any_app.app_context():
        read = Store().signed_in_with_masteries(learner.id, "0" * 32, Shown.PROGRESS, now=datetime.now(UTC))
        assert read == (None, [])
    learner.post("/api/auth/logout")
    for path in READS:
        assert learner.get(path).status_code == 401


# What is replied

levels = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.9, 1.0, 0.0005, 0.1235, 0.9995, 5e-324]))
velocities = st.floats(-1, 1)
counts = st.integers(0, 2**31 - 1)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11))])
moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=zones)  # noqa: DTZ001 - as it wants them


@pytest.fixture(scope="module")
def anywhere() -> Flask:
    """An application for what needs no database."""
    return create_app(settings_for("sqlite://"), encoder=WordEncoder())


def stored(row: dict[str, Any]) -> SimpleNamespace:
    """The row as it is selected: names in columns, as `set_concept_masteries` writes them."""
    columns = dict(row)
    for column, flag in (("weak_concepts", "is_weak"), ("strong_concepts", "is_strong")):
        record = UserMastery(topic=row["topic"])
        record.set_concept_masteries({name: {flag: True} for name in row[column]})
        columns[column] = getattr(record, column)
    return SimpleNamespace(**columns)


rows = st.fixed_dictionaries(
    {
        "topic": words,
        "mastery_level": levels,
        "sessions_attempted": counts,
        "questions_attempted": counts,
        "correct_count": counts,
        "last_session_date": st.none() | moments,
        "semantic_avg": levels,
        "keyword_avg": levels,
        "weak_concepts": st.lists(words, max_size=4, unique=True),
        "strong_concepts": st.lists(words, max_size=4, unique=True),
        "current_difficulty": st.sampled_from(list(map(str, Difficulty))),
        "mastery_velocity": velocities,
    }
)


@settings(deadline=None)
@given(shown=st.lists(rows, max_size=5, unique_by=lambda row: row["topic"]))
def test_progress_has_the_bytes_that_its_schema_would_give(anywhere: Flask, shown: list[dict[str, Any]]) -> None:
    """Field by field, in the order of the schema, rounded and told as the schema's fields do."""
    expected = ProgressSchema().dump(
        {
            "topics": {
                row["topic"]: {
                    **row,
                    "mastery": row["mastery_level"],
                    "level": REFERENCE.level_name(row["mastery_level"]),
                    "early_estimate": row["questions_attempted"] < REFERENCE.early_estimate_below,
                }
                for row in shown
            },
            "overall": {
                "avg_mastery": math.fsum(row["mastery_level"] for row in shown) / max(1, len(shown)),
                "total_sessions": sum(row["sessions_attempted"] for row in shown),
                "topics_count": len(shown),
                "total_questions": sum(row["questions_attempted"] for row in shown),
            },
        }
    )
    with anywhere.app_context():
        reply = json_reply(progress_view([stored(row) for row in shown]))
    assert reply.content_type == "application/json"
    assert reply.data == orjson.dumps(expected)


concepts = st.builds(
    ConceptMastery,
    name=words,
    mastery_level=levels,
    attempts=counts,
    times_mentioned=counts,
    times_missed_when_sampled=counts,
    last_seen=st.floats(0, 4e9),
    stagnation_count=st.integers(0, 3),
    is_weak=st.booleans(),
    is_strong=st.booleans(),
    priority_score=levels,
)
progresses = st.builds(
    TopicProgress,
    semantic_avg=levels,
    keyword_avg=levels,
    mastery_level=levels,
    mastery_velocity=velocities,
    last_mastery=levels,
    avg_response_time=st.floats(0, 3600),
    sessions_attempted=counts,
    questions_attempted=counts,
    correct_count=counts,
    consecutive_good=counts,
    consecutive_poor=counts,
    current_difficulty=st.sampled_from(Difficulty),
)


def vars_of(foretold: ConceptForecast) -> dict[str, Any]:
    """Its fields, with the date of the review as a moment."""
    due = foretold.review_due_at
    moment = None if due is None else datetime.fromtimestamp(due, UTC)
    return {**asdict(foretold), "recall_now": foretold.recall_now, "review_due_at": moment}


@settings(deadline=None)
@given(topic=words, progress=progresses, found=st.lists(concepts, max_size=5), exists=st.booleans())
def test_a_topic_has_the_bytes_that_its_schema_would_give(
    anywhere: Flask, topic: str, progress: TopicProgress, found: list[ConceptMastery], exists: bool
) -> None:
    """Field by field, in the order of the schema, rounded as the schema's fields do."""
    mastery = TopicMastery(progress=progress, concepts={concept.name: concept for concept in found})
    kept = mastery.concepts.values()
    state, terms = LearnerForecast(), SharedTerms()
    for name in mastery.concepts:
        state = step(state, terms, name, question=None, outcome=1.0, at=0.0).learner
    foretold = TopicForecast(
        concepts={name: forecast_concept(state, terms, name, now=86_400.0) for name in mastery.concepts}
    )
    expected = TopicMasterySchema().dump(
        {
            "mastery": {
                **vars(progress),
                "topic": topic,
                "weak_concepts": [concept.name for concept in kept if concept.is_weak],
                "strong_concepts": [concept.name for concept in kept if concept.is_strong],
                "concept_stagnation": {c.name: c.stagnation_count for c in kept if c.stagnation_count},
                "level": REFERENCE.level_name(progress.mastery_level),
                "early_estimate": progress.questions_attempted < REFERENCE.early_estimate_below,
                "expected_score": foretold.expected_score,
                "confidence": foretold.confidence,
                "recommended_difficulty": foretold.recommended_difficulty,
            },
            "concepts": {
                name: {**vars(concept), "correct": concept.correct, "forecast": vars_of(foretold.concepts[name])}
                for name, concept in mastery.concepts.items()
            },
            "exists": exists,
        }
    )
    with anywhere.app_context():
        assert json_reply(topic_view(topic, mastery, foretold, exists=exists)).data == orjson.dumps(expected)


# Connections that rest


@contextmanager
def backends(app: Flask) -> Iterator[list[int]]:
    """The server's processes that the application speaks to while the block runs, one for each statement."""
    used: list[int] = []

    def note(_connection: Any, cursor: Any, *_more: Any) -> None:
        used.append(cursor.connection.info.backend_pid)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield used
    finally:
        event.remove(engine, "before_cursor_execute", note)


def end_connections(app: Flask) -> None:
    """The server ends all connections of the application, as it does when it restarts."""
    with app.app_context():
        name = db.engine.url.database
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])


@pytest.fixture
def postgres_learner(make_app: Callable[..., Flask], postgres_database: str) -> Learner:
    return sign_up(make_app(postgres_url(postgres_database)))


def test_connections_that_the_server_ended_are_made_anew(postgres_learner: Learner) -> None:
    """Neither a read nor a write meets them."""
    app = postgres_learner.client.application
    for _ in range(2):
        assert postgres_learner.get("/api/user/progress").status_code == 200
        end_connections(app)
        assert postgres_learner.get("/api/user/progress").status_code == 200
        end_connections(app)
        postgres_learner.start(topics=["dbms"])


def test_a_connection_is_asked_whether_it_answers_after_a_rest_only(
    postgres_learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    answers = database._answers

    def ask(driver: Any) -> bool:
        asked.append(driver)
        return answers(driver)

    monkeypatch.setattr(database, "_answers", ask)
    postgres_learner.get("/api/adaptive/policy")
    assert asked == []
    monkeypatch.setattr(database, "RESTED_SECONDS", -1.0)
    postgres_learner.get("/api/adaptive/policy")
    assert len(asked) == 1


def test_a_connection_that_does_not_answer_after_a_rest_is_not_used(
    postgres_learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a network between the two has forgotten the connection without a word."""
    monkeypatch.setattr(database, "_answers", lambda _driver: False)
    monkeypatch.setattr(database, "RESTED_SECONDS", -1.0)
    with backends(postgres_learner.client.application) as used:
        for _ in range(3):
            assert postgres_learner.get("/api/adaptive/policy").status_code == 200
    assert len(set(used)) == 3
