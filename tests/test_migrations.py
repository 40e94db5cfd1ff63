"""Migrations build what the models say, can be taken back, and take turns when starts come together."""

import ast
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, make_url, text
from sqlalchemy.exc import IntegrityError

from bank_tables import BankConcept, BankQuestion
from config import ROOT
from database import SEARCH, is_of_the_models
from models import Attempt, db
from store import Store
from tests.conftest import postgres_url

START_TOGETHER = """
import sys
from flask_migrate import upgrade
from app import create_app

app = create_app()
print("ready", flush=True)
sys.stdin.readline()
with app.app_context():
    upgrade()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return postgres_url(request.getfixturevalue("empty_postgres_database"))


@pytest.fixture
def empty_app(make_app: Callable[..., Flask], empty_url: str) -> Flask:
    """The application over a database without a table."""
    return make_app(empty_url)


@pytest.fixture
def scripts() -> ScriptDirectory:
    return ScriptDirectory(str(ROOT / "migrations"))


def tables() -> set[str]:
    """All tables but those of the search."""
    return {name for name in inspect(db.engine).get_table_names() if not name.startswith(SEARCH)}


def differences() -> list[Any]:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": is_of_the_models}
        )
        return list(compare_metadata(context, db.metadata))


def test_the_migrations_build_what_the_models_say(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        assert differences() == []
        assert tables() == {*db.metadata.tables, "alembic_version"}


def test_the_migrated_foreign_keys_delete_as_the_models_say(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        migrated = inspect(db.engine)
        for table in db.metadata.sorted_tables:
            found = {key["name"]: key["options"].get("ondelete") for key in migrated.get_foreign_keys(table.name)}
            assert found == {key.name: key.ondelete for key in table.foreign_key_constraints}


def test_the_way_down_leaves_no_table_of_ours(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        downgrade(revision="base")
        assert tables() == {"alembic_version"}
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 0


def test_after_the_way_down_the_way_up_is_open_again(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        downgrade(revision="base")
        upgrade()
        assert differences() == []
        assert tables() == {*db.metadata.tables, "alembic_version"}


def test_upgrading_what_is_up_to_date_keeps_the_data(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        with db.engine.begin() as connection:
            connection.execute(text("INSERT INTO bank_topics (slug, title, source) VALUES ('dbms', 'Databases', 'x')"))
        upgrade()
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT title FROM bank_topics")) == "Databases"


def test_foreign_keys_hold_again_after_a_migration(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        with db.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_migrations_are_numbered_without_a_gap_from_0001(scripts: ScriptDirectory) -> None:
    in_order = [script.revision for script in scripts.walk_revisions()][::-1]
    assert in_order == [f"{number:04}" for number in range(1, len(in_order) + 1)]
    files = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    assert [path.name[:5] for path in files] == [f"{revision}_" for revision in in_order]


def test_migrations_have_one_head(scripts: ScriptDirectory) -> None:
    assert len(scripts.get_heads()) == 1


def test_every_migration_has_a_way_down_that_does_something(scripts: ScriptDirectory) -> None:
    for script in scripts.walk_revisions():
        code = ast.parse(Path(script.path).read_text())
        way_down = next(part for part in code.body if isinstance(part, ast.FunctionDef) and part.name == "downgrade")
        assert any(isinstance(part, ast.Call) for part in ast.walk(way_down)), script.path


def test_every_migration_is_taken_back_by_its_own_way_down(empty_app: Flask, scripts: ScriptDirectory) -> None:
    with empty_app.app_context():
        for script in list(scripts.walk_revisions())[::-1]:
            before = schema()
            upgrade(revision=script.revision)
            downgrade(revision=str(script.down_revision or "base"))
            assert schema() - {"alembic_version"} == before - {"alembic_version"}
            upgrade(revision=script.revision)


ATTEMPT = {
    "user_id": 1,
    "id": 11,
    "mastery_id": 5,
    "ordinal": 3,
    "starts_session": False,
    "topic": "dbms",
    "question_id": "dbms-deadlock",
    "question": "What is a deadlock?",
    "answer": "A circle of waits — «½ 🔒».",
    "expected_answer": "A cycle of transactions.",
    "difficulty": "medium",
    "semantic_score": 0.8125,
    "keyword_score": 1 / 3,
    "combined_score": 0.66875,
    "correct": True,
    "response_time": 41.5,
    "matched_keywords": '["cycle"]',
    "missed_keywords": '["transactions"]',
    "mentioned_concepts": '["Deadlock"]',
    "missed_concepts": "[]",
    "flags": '[{"name": "copied", "factor": 0.5, "effect": "Copied."}]',
    "scorer": "all-MiniLM-L6-v2/torch-fp32",
    "policy": "reference",
    "mastery_before": 0.25,
    "mastery_after": 0.375,
    "mastery_velocity": 0.125,
    "difficulty_before": "medium",
    "difficulty_after": "hard",
    "created_at": "2026-03-03 14:30:00.000000+00:00",
}
CONCEPT = {"topic": "dbms", "name": "Deadlock", "subtopic": "locks", "aliases": '["circular wait"]', "position": 0}
VECTOR = {"fingerprint": "weights", "text_key": "key", "vector": b"\x00\x01\xff"}


def write(table: str, **values: Any) -> None:
    """One row, written as the tables are at the moment."""
    columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    with db.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), values)  # noqa: S608 the names are ours


def rows(table: str) -> list[dict[str, Any]]:
    with db.engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()]  # noqa: S608 the names are ours


def fill_first_tables() -> None:
    """A database of 0001 in use: a learner with an answer, a concept, and a kept vector."""
    upgrade(revision="0001")
    learner = {"id": 1, "username": "dora", "username_key": "dora", "email": "dora@example.com", "role": "learner"}
    write("users", **learner, password_hash="x", created_at=ATTEMPT["created_at"])
    write("bank_topics", slug="dbms", title="Databases", source="x")
    write("attempts", **ATTEMPT)
    write("bank_concepts", **CONCEPT)
    write("expected_vectors", **VECTOR)


def test_rows_from_before_the_grounds_keep_what_they_say_and_kept_vectors_are_dropped(empty_app: Flask) -> None:
    with empty_app.app_context():
        fill_first_tables()
        [before] = rows("attempts")
        assert (before["keyword_score"], before["answer"]) == (ATTEMPT["keyword_score"], ATTEMPT["answer"])
        upgrade(revision="0002")
        assert rows("attempts") == [{**before, "estimated_grade": None, "grounds": None}]
        assert rows("bank_concepts") == [{**CONCEPT, "descriptions": "[]"}]
        assert rows("expected_vectors") == []
        upgrade()
        [attempt] = db.session.query(Attempt)
        assert (attempt.semantic_score, attempt.estimated_grade, attempt.grounds) == (0.8125, None, None)
        [concept] = db.session.query(BankConcept)
        assert (concept.aliases, concept.descriptions) == (["circular wait"], [])


def test_descriptions_and_the_vectors_of_words_must_be_given_with_each_new_row(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade(revision="0002")
        write("bank_topics", slug="dbms", title="Databases", source="x")
        for table, row in (("bank_concepts", CONCEPT), ("expected_vectors", VECTOR)):
            with pytest.raises(IntegrityError):
                write(table, **row)
        write("expected_vectors", **VECTOR, spans=b"words")
        assert Store().find("weights", ["key"]) == {"key": (VECTOR["vector"], b"words")}


def test_the_way_back_from_the_grounds_keeps_the_figures_and_drops_what_is_new(empty_app: Flask) -> None:
    with empty_app.app_context():
        fill_first_tables()
        before = {table: rows(table) for table in ("users", "bank_topics", "attempts", "bank_concepts")}
        upgrade(revision="0002")
        write("expected_vectors", **VECTOR, spans=b"words")
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE attempts SET estimated_grade = 0.5, grounds = '{}'"))
            connection.execute(text("UPDATE bank_concepts SET descriptions = '[\"A circle.\"]'"))
        downgrade(revision="0001")
        assert {table: rows(table) for table in before} == before
        assert rows("expected_vectors") == []
        write("expected_vectors", **VECTOR)
        upgrade()
        assert differences() == []
        assert rows("expected_vectors") == []
        assert len(rows("attempts")) == 1
        with db.engine.begin() as connection:
            connection.execute(text("DELETE FROM users"))
        assert rows("attempts") == []


REPLY = '{"access_token":"a.b","user":{"id":1,"email":"dora@example.com"}}'
KEY = {"fingerprint": "x", "status": 201, "headers": "{}", "created_at": ATTEMPT["created_at"]}


def found(part: str) -> list[int]:
    """The ids of the accounts that a search finds."""
    ids = [user.id for user in Store().search_users(part, limit=5).rows]
    db.session.remove()
    return ids


def test_what_was_there_before_the_counters_is_counted_found_and_goes_with_its_account(empty_app: Flask) -> None:
    with empty_app.app_context():
        fill_first_tables()
        upgrade(revision="0002")
        write("idempotency_keys", user_id=0, key="theirs", body=REPLY, **KEY)
        write("idempotency_keys", user_id=0, key="nobody's", body='{"status":401}', **KEY)
        write("idempotency_keys", user_id=1, key="own", body="", **KEY)
        upgrade(revision="0003")
        assert rows("account_counts") == [{"role": "learner", "slot": 1, "accounts": 1}]
        assert rows("mastery_counts") == rows("counted_policies") == []
        whose = {row["key"]: row["account_id"] for row in rows("idempotency_keys")}
        assert whose == {"theirs": 1, "nobody's": None, "own": None}
        upgrade()
        assert found("ora") == [1]
        downgrade(revision="0002")
        assert {row["key"]: row["body"] for row in rows("idempotency_keys")}["theirs"] == REPLY
        assert len(rows("users")) == 1


EDITED = {
    "topic": "dbms",
    "subtopic": "locks",
    "difficulty": "easy",
    "text": "What is a lock?",
    "concepts": "[]",
    "expected_answers": "[]",
    "keywords": "[]",
    "position": 0,
    "retired": False,
}


def test_edits_of_which_the_audit_log_knows_are_marked_unless_a_file_has_written_over_them(empty_app: Flask) -> None:
    at = ATTEMPT["created_at"]
    with empty_app.app_context():
        upgrade(revision="0007")
        write("bank_topics", slug="dbms", title="Databases", source="questions/")
        sources = ("questions/", "question/dbms", "questions/", "import/oop", "question/dbms", "question/dbms")
        for number, source in enumerate(sources, start=1):
            write("bank_imports", id=number, at=at, source=source, checksum="0")
        for question, action, revision in (("old", "edit", 2), ("new", "edit", 5), ("gone", "retire", 6)):
            write("bank_questions", id=question, **EDITED)
            details = f'{{"question": "{question}", "revision": {revision}}}'
            write("audit_events", at=at, action=f"{action}_question", topic="dbms", details=details)
        write("bank_questions", id="plain", **EDITED)
        upgrade()
        marked = {question.id: question.edited_at for question in db.session.query(BankQuestion)}
        assert {name for name, edited_at in marked.items() if edited_at} == {"new", "gone"}
        assert marked["new"] == datetime(2026, 3, 3, 14, 30, tzinfo=UTC)


def test_without_the_right_to_extensions_postgresql_searches_without_an_index(
    make_app: Callable[..., Flask], postgres: Callable[[str | None], str], caplog: pytest.LogCaptureFixture
) -> None:
    name, role = postgres(None), f"gradus_{uuid.uuid4().hex[:12]}"
    owner = postgres_url(name)
    with psycopg.connect(owner.replace("+psycopg", ""), autocommit=True) as server:
        server.execute(f"CREATE ROLE {role} LOGIN".encode())
        try:
            server.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {role}".encode())
            server.execute(f"REVOKE CREATE ON DATABASE {name} FROM PUBLIC".encode())
            app = make_app(make_url(owner).set(username=role).render_as_string(hide_password=False))
            with app.app_context(), caplog.at_level("WARNING"):
                upgrade()
                indexes = {index["name"] for index in inspect(db.engine).get_indexes("users")}
                assert {"users_search_username_key_start", "users_search_email_start"} <= indexes
                assert "users_search_email" not in indexes
                assert found("ora") == []
                downgrade(revision="base")
                db.engine.dispose()
            assert "permission denied to create extension" in caplog.text
        finally:
            server.execute(f"DROP OWNED BY {role} CASCADE".encode())
            server.execute(f"DROP ROLE {role}".encode())


def test_an_old_sqlite_searches_without_an_index(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    """SQLite before 3.34 has no trigrams; there the search reads all accounts."""
    app = make_app(f"sqlite:///{tmp_path / 'old.db'}")
    with app.app_context():
        fill_first_tables()
        upgrade()
        with db.engine.begin() as connection:
            for event in ("insert", "delete", "update"):
                connection.execute(text(f"DROP TRIGGER users_search_{event}"))
            connection.execute(text("DROP TABLE users_search"))
        assert found("ora") == [1]
        downgrade(revision="0002")


def schema() -> set[str]:
    """Every table, column and index as one word each."""
    found = inspect(db.engine)
    columns = {f"{table}.{column['name']}" for table in tables() for column in found.get_columns(table)}
    indexes = {f"{table}:{index['name']}" for table in tables() for index in found.get_indexes(table)}
    return (columns | indexes | tables()) - {"alembic_version.version_num"}


def test_two_starts_on_one_empty_database_both_succeed(empty_url: str, empty_app: Flask) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": empty_url,
        "JWT_SECRET_KEY": "a secret of tests that is longer than thirty-two bytes",
        "PYTHONPATH": str(ROOT),
    }
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", START_TOGETHER],
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        for start in starts:
            assert start.stdout
            assert start.stdout.readline() == "ready\n"
        for start in starts:
            assert start.stdin
            start.stdin.write("\n")
            start.stdin.flush()
        results = [(start.communicate(timeout=60)[1], start.returncode) for start in starts]
    finally:
        for start in starts:
            start.kill()
            start.wait()
    assert [code for _, code in results] == [0, 0], results
    with empty_app.app_context():
        assert differences() == []
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
