"""No statement of the service takes longer with more learners, or with a longer history, on PostgreSQL."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from flask import Flask, request
from sqlalchemy import inspect

from adaptive_state import AdaptiveInterviewState
from app import create_app
from models import db
from tests.conftest import PASSWORD, POSTGRES, QUICK_HASHER, Learner, postgres_url, settings_for, sign_up
from tests.fakes import Clock, WordEncoder
from tests.plans import GROWING, Scan, Sent, captured, scans_of
from tests.test_admin import sign_up_admin

LEARNERS = 20_000
"""So many that reading them in order is not the shortest way to one of them."""

HISTORY = 2000
"""Rows of one learner in each table."""

MOST_ROWS = 500
"""A page has at most 100, a session at most 50 attempts, the bank some 500 questions."""

ALL_OF_A_LEARNER = {
    "account_data.export": "the export is all there is",
    "account_data.delete": "all of it goes",
    "history.dashboard": "the contract shows all sessions",
}
"""Routes whose work is what the learner has, each with its reason."""

NOT_OF_THE_CONTRACT = ("api-docs.", "docs.", "operations.", "pages.")

CROWD = """
INSERT INTO users (username, username_key, email, password_hash, role, created_at)
  SELECT 'crowd' || n, 'crowd' || n, 'crowd' || n || '@example.org', 'x', 'learner', now()
  FROM generate_series(1, {learners}) n;
INSERT INTO token_families (user_id, id, current_jti, rotated_at, created_at, expires_at)
  SELECT id, 'family', 'x', now(), now(), now() + interval '1 day' FROM users WHERE username LIKE 'crowd%0';
INSERT INTO user_masteries (user_id, topic, id, mastery_level, semantic_avg, keyword_avg, sessions_attempted,
    questions_attempted, correct_count, avg_response_time, mastery_velocity, last_mastery, current_difficulty,
    consecutive_good, consecutive_poor, concept_masteries, missing_concepts, weak_concepts, strong_concepts,
    concept_stagnation, version)
  SELECT id, topic, id, 0.5, 0.5, 0.5, 1, 1, 1, 1, 0, 0, 'medium', 0, 0, '{{}}', '[]', '[]', '[]', '{{}}', 1
  FROM users, unnest(ARRAY['dbms', 'oop', 'python', 'operating_systems', 'networks']) topic
  WHERE username LIKE 'crowd%0';
INSERT INTO asked_questions (user_id, question_id, topic, last_asked_at)
  SELECT users.id, bank_questions.id, topic, now() FROM users, bank_questions WHERE users.id % 100 = 0;
"""
HISTORIES = """
INSERT INTO interview_sessions (user_id, id, session_type, status, topic, max_questions, max_minutes, questions_count,
    combined_total, created_at, completed_at, state)
  SELECT {user_id}, n, CASE WHEN n % 100 = 0 THEN 'debugging' ELSE 'technical' END, 'completed', 'dbms', 15, 30, 1,
    0.5, now() - n * interval '1 hour', now() - n * interval '1 hour', '{state}' FROM generate_series(1, {rows}) n;
INSERT INTO attempts (user_id, id, session_id, mastery_id, ordinal, starts_session, topic, question_id, question,
    answer, expected_answer, difficulty, semantic_score, keyword_score, combined_score, correct, response_time,
    matched_keywords, missed_keywords, mentioned_concepts, missed_concepts, flags, scorer, policy, mastery_before,
    mastery_after, mastery_velocity, difficulty_before, difficulty_after, created_at)
  SELECT {user_id}, n, CASE WHEN n % 100 > 0 THEN n END, {user_id}, n, true,
    CASE WHEN n > {rows} - 2 THEN 'oop' ELSE 'dbms' END, 'q' || n, 'q', 'a', 'e', 'medium', 0.5, 0.5, 0.5, false, 1,
    '[]', '[]', '[]', '[]', '[]', 's', 'p', 0, 0, 0, 'medium', 'medium', now() - n * interval '1 hour'
  FROM generate_series(1, {rows}) n;
INSERT INTO audit_events (at, action, actor_id, user_id, topic, details)
  SELECT now() - interval '1 year', 'reset_mastery', {user_id}, {user_id}, 'dbms', '{{}}'
  FROM generate_series(1, {rows});
INSERT INTO idempotency_keys (user_id, key, account_id, fingerprint, status, headers, body, created_at)
  SELECT whose, 'crowd' || whose || '/' || {user_id} || '/' || n, {user_id} + n, 'x', 200, '{{}}', '{{}}', now()
  FROM generate_series(1, {rows}) n, unnest(ARRAY[0, {user_id}]) whose;
INSERT INTO asked_questions (user_id, question_id, topic, last_asked_at)
  SELECT {user_id}, id, topic, now() - interval '1 day' FROM bank_questions ON CONFLICT DO NOTHING;
"""
ENDED = json.dumps(AdaptiveInterviewState(topics=("dbms",), topic="dbms").to_document())


@dataclass
class Observed:
    """A database with many learners and a long history, and what was sent to it by each route of the contract."""

    app: Flask
    clock: Clock
    address: str
    sent: dict[str, list[Sent]]
    heavy: Learner

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.address)


def fill(address: str, template: str, **values: Any) -> None:
    with psycopg.connect(address) as connection:
        connection.execute(template.format(**values).encode())


def analyze(address: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@pytest.fixture(scope="module")
def observed(postgres: Callable[[str | None], str], postgres_template: str) -> Iterator[Observed]:
    name = postgres(postgres_template)
    address = f"{POSTGRES.rpartition('/')[0]}/{name}"
    clock = Clock()
    app = create_app(settings_for(postgres_url(name)), encoder=WordEncoder(), clock=clock, hasher=QUICK_HASHER)
    everything: list[Sent] = []
    sent = by_route(app, everything)
    fill(address, CROWD, learners=LEARNERS)
    heavy, admin, leaver = sign_up(app, "heavy"), sign_up_admin(app, "admin"), sign_up(app, "leaver")
    for learner in (heavy, admin, leaver):
        fill(address, HISTORIES, user_id=learner.id, rows=HISTORY, state=ENDED)
    analyze(address)
    with app.app_context():
        engine = db.engine
    try:
        with captured(engine, everything):
            walk(app, clock, heavy=heavy, admin=admin, leaver=leaver)
        engine.dispose()
        yield Observed(app, clock, address, sent, heavy)
    finally:
        engine.dispose()


def by_route(app: Flask, everything: list[Sent]) -> dict[str, list[Sent]]:
    """What each endpoint sends, from here on."""
    sent: dict[str, list[Sent]] = {}

    def take(response: Any) -> Any:
        sent.setdefault(str(request.endpoint), []).extend(everything)
        everything.clear()
        return response

    app.after_request(take)
    return sent


def walk(app: Flask, clock: Clock, *, heavy: Learner, admin: Learner, leaver: Learner) -> None:
    """Use every route of the contract, in the ways that send different statements."""
    accounts(app, leaver)
    practise(heavy)
    look_back(heavy)
    clock.advance(60)
    administrate(admin, heavy)
    reply = leaver.client.delete("/api/user", json={"password": "another battery"}, headers=leaver.headers)
    assert reply.status_code == 204, reply.json


def fine(reply: Any) -> Any:
    assert reply.status_code < 300, reply.json
    return reply.json


def once_more(learner: Learner, path: str, body: Any) -> Any:
    """Send it twice under one key."""
    headers = {**learner.headers, "Idempotency-Key": uuid.uuid4().hex}
    first = fine(learner.client.post(path, json=body, headers=headers))
    assert learner.client.post(path, json=body, headers=headers).json == first
    return first


def accounts(app: Flask, leaver: Learner) -> None:
    client = app.test_client()
    body = {"username": "newcomer", "email": "newcomer@example.com", "password": PASSWORD}
    headers = {"Idempotency-Key": "a key"}
    fine(client.post("/api/auth/register", json=body, headers=headers))
    assert client.post("/api/auth/register", json=body).status_code == 409
    for login in ("newcomer", "NEWCOMER@example.com"):
        tokens = fine(client.post("/api/auth/login", json={"login": login, "password": PASSWORD}))
    assert client.post("/api/auth/login", json={"login": "nobody", "password": PASSWORD}).status_code == 401
    refresh = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    fine(client.post("/api/auth/refresh", headers=refresh))
    fine(client.post("/api/auth/logout", headers={"Authorization": f"Bearer {tokens['access_token']}"}))
    fine(leaver.get("/api/auth/me"))
    passwords = {"current_password": PASSWORD, "new_password": "another battery"}
    fine(leaver.post("/api/auth/password", passwords))


def practise(learner: Learner) -> None:
    started = once_more(learner, "/api/adaptive/sessions", {"max_questions": 2})
    path = f"/api/adaptive/sessions/{started['session']['id']}"
    body = {"question_id": started["question"]["id"], "answer": "A lock."}
    answered = once_more(learner, f"{path}/answers", body)
    fine(learner.get(path))
    fine(learner.answer(started["session"]["id"], answered["next_question"], "An index."))
    fine(learner.post(f"{path}/finish"))
    fine(learner.post("/api/adaptive/score", {"answer": "A lock.", "expected_answers": ["A lock holds others off."]}))
    seen = {"topic": "dbms", "concepts": ["Deadlock"], "semantic_score": 0.5, "keyword_score": 0.5}
    once_more(learner, "/api/adaptive/observations", seen)
    session = fine(learner.post("/api/debugging/sessions"))
    path = f"/api/debugging/sessions/{session['session']['id']}"
    fine(learner.get(path))
    fine(learner.post(f"{path}/answers", {"challenge_id": session["challenge"]["id"], "explanation": "A bug."}))
    fine(learner.post(f"{path}/finish"))
    fine(learner.post("/api/sessions", {"session_type": "mock", "topic": "dbms", "score": 50, "duration": 60}))


def look_back(learner: Learner) -> None:
    for path in (
        "/api/sessions",
        "/api/sessions?type=technical",
        "/api/profile/debugging_history",
        "/api/user/progress/history",
        "/api/user/progress/history?topic=oop",
        "/api/user/progress/history?topic=dbms",
        "/api/user/progress/history?topic=dbms&order=newest",
        "/api/adaptive/mastery/dbms/answers",
    ):
        limited = f"{path}{'&' if '?' in path else '?'}limit=5"
        reply = fine(learner.get(limited))
        if reply["next_cursor"]:
            fine(learner.get(f"{limited}&cursor={reply['next_cursor']}"))
    session = fine(learner.get("/api/sessions"))["sessions"][0]
    for path in (
        f"/api/sessions/{session['id']}",
        "/api/dashboard_data",
        "/api/dashboard_data?type=technical",
        "/api/profile/action_plans",
        "/api/user/progress",
        "/api/user/progress/recent",
        "/api/adaptive/mastery/dbms",
        "/api/adaptive/mastery/dbms/forecast",
        "/api/adaptive/policy",
        "/api/topics",
        "/api/user/export",
        "/api/user/review",
    ):
        fine(learner.get(path))
    fine(learner.post("/api/user/reset_mastery", {"topic": "dbms"}))
    fine(learner.post("/api/user/reset_mastery", {"topic": "all"}))


def administrate(admin: Learner, learner: Learner) -> None:
    for q in ("", "crowd1999", "wd777@exam", "he", "z", "_."):
        reply = fine(admin.get("/api/admin/users", query_string={"q": q, "limit": 5}))
        cursor = reply["next_cursor"] or "0-1000"
        fine(admin.get("/api/admin/users", query_string={"q": q, "limit": 5, "cursor": cursor}))
    cursor = fine(admin.get("/api/admin/audit?limit=5"))["next_cursor"]
    fine(admin.get(f"/api/admin/audit?limit=5&cursor={cursor}"))
    fine(admin.get("/api/admin/stats"))
    fine(admin.get("/api/admin/calibration"))
    fine(admin.get(f"/api/admin/users/{learner.id}/progress"))
    for dry_run in (True, False):
        body = {"topic": "dbms", "reason": "It was wrong.", "dry_run": dry_run}
        once_more(admin, f"/api/admin/users/{learner.id}/reset_mastery", body)
    for role in ("admin", "learner"):
        once_more(admin, f"/api/admin/users/{learner.id}/role", {"role": role})
    topic: dict[str, Any] = {
        "topic": "chess",
        "title": "Chess",
        "concepts": [{"name": "Check", "subtopic": "rules"}],
        "questions": [
            {
                "id": "chess-check",
                "subtopic": "rules",
                "difficulty": "easy",
                "text": "When is a king in check?",
                "concepts": ["Check"],
                "expected_answers": ["When an enemy piece attacks its square."],
            }
        ],
    }
    fine(admin.post("/api/admin/questions/import", topic))
    author(admin, topic["questions"][0])


def author(admin: Learner, question: dict[str, Any]) -> None:
    path = f"/api/admin/questions/{question['id']}"
    cursor = fine(admin.get("/api/admin/questions?limit=5"))["next_cursor"]
    fine(admin.get(f"/api/admin/questions?limit=5&cursor={cursor}"))
    fine(admin.get("/api/admin/questions?topic=dbms&retired=false&limit=5"))
    fine(admin.get(path))
    edit = {name: value for name, value in question.items() if name != "id"}
    fine(admin.client.put(path, json={**edit, "difficulty": "hard"}, headers=admin.headers))
    for change in ("retire", "restore"):
        once_more(admin, f"{path}/{change}", {})
    fine(admin.get("/api/admin/topics/chess/export"))


def faults(observed: Observed, connection: psycopg.Connection[Any], table: str = "") -> list[str]:
    """What statements do that takes longer the more there is; of one table, if it is named."""
    found: list[str] = []
    for endpoint, sent in distinct(observed):
        if sent.is_explainable and table in sent.statement:
            scans = scans_of(connection, sent)
            found += [f"{endpoint}: {scan}\n{sent.statement}" for scan in scans if is_fault(scan, endpoint)]
    return found


def distinct(observed: Observed) -> list[tuple[str, Sent]]:
    """Each statement of an endpoint once; those of searches once for each search."""
    once: dict[tuple[str, str, str], tuple[str, Sent]] = {}
    for endpoint, statements in observed.sent.items():
        for sent in statements:
            search = str(sent.parameters) if endpoint == "admin.users" else ""
            once.setdefault((endpoint, sent.statement, search), (endpoint, sent))
    return list(once.values())


def is_fault(scan: Scan, endpoint: str) -> bool:
    return scan.reads_all or (scan.rows > MOST_ROWS and endpoint not in ALL_OF_A_LEARNER)


def test_every_route_of_the_contract_is_observed(observed: Observed) -> None:
    endpoints = {rule.endpoint for rule in observed.app.url_map.iter_rules()}
    assert {name for name in endpoints if not name.startswith(NOT_OF_THE_CONTRACT)} <= observed.sent.keys()
    assert ALL_OF_A_LEARNER.keys() <= observed.sent.keys()


def test_no_statement_reads_a_growing_table_from_end_to_end_or_all_of_a_learner(observed: Observed) -> None:
    with observed.connect() as connection:
        assert "\n\n".join(faults(observed, connection)) == ""


DROPPED = """
SELECT indexrelid::regclass::text, indrelid::regclass::text FROM pg_index
WHERE indrelid::regclass::text = ANY(%s) AND NOT indisunique ORDER BY 1
"""


def test_each_index_is_missed_when_it_is_gone(observed: Observed) -> None:
    """So the test above would tell; and no index is kept in step for nothing."""
    with observed.connect() as connection:
        indexes = connection.execute(DROPPED, [sorted(GROWING)]).fetchall()
        assert len(indexes) == 13
        needless = []
        for index, table in indexes:
            with connection.transaction(force_rollback=True):
                connection.execute(f"DROP INDEX {index}".encode())
                if not faults(observed, connection, table):
                    needless.append(index)
    assert needless == []


def test_every_foreign_key_is_led_by_an_index_of_its_own_table(observed: Observed) -> None:
    """The database looks for what refers to a row that goes, and tells nobody what it reads."""
    with observed.app.app_context():
        migrated = inspect(db.engine)
        for table in GROWING:
            keys: list[Any] = [index["column_names"] for index in migrated.get_indexes(table)]
            keys.append(migrated.get_pk_constraint(table)["constrained_columns"])
            for foreign in migrated.get_foreign_keys(table):
                columns = foreign["constrained_columns"]
                assert any(key[: len(columns)] == columns for key in keys), f"{table}: {columns}"
        db.engine.dispose()


def read_for_an_answer(observed: Observed, learner: Learner) -> tuple[int, int]:
    """How many statements an answer sends, and how many rows they read: but those for vectors, kept once for all, and
    those by which now and then an answer writes what all learners have shown."""
    sent: list[Sent] = []
    started = learner.start(topics=["dbms"])
    with observed.app.app_context():
        engine = db.engine
    with captured(engine, sent):
        fine(learner.answer(started["session"]["id"], started["question"], "A lock."))
    engine.dispose()
    sent = [one for one in sent if not re.search("expected_vectors|shared_forecasts", one.statement)]
    with observed.connect() as connection:
        scans = [scan for one in sent if one.is_explainable for scan in scans_of(connection, one)]
    return len(sent), sum(scan.rows for scan in scans)


def test_an_answer_after_thousands_reads_and_sends_no_more_than_one_of_the_first(observed: Observed) -> None:
    first = sign_up(observed.app, "first")
    with psycopg.connect(observed.address) as connection:
        # What one was asked when is kept once for each question of the bank: it is the same for both.
        asked = "INSERT INTO asked_questions SELECT %s, question_id, topic, last_asked_at FROM asked_questions"
        connection.execute(f"{asked} WHERE user_id = %s".encode(), [first.id, observed.heavy.id])
    for learner in (first, observed.heavy):
        fine(learner.post("/api/user/reset_mastery", {"topic": "all"}))
    few = read_for_an_answer(observed, first)
    many = read_for_an_answer(observed, observed.heavy)
    assert abs(few[0] - many[0]) <= 1  # of 16 kept replies one sweeps
    assert 0 < many[1] <= few[1] + 16  # what is counted is spread over 16 slots
