"""The export: everything that is stored about a learner, nothing of anybody else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from accounts import LoginEnded
from exports import ACCOUNT, JSON_TEXTS, NOT_EXPORTED, SECTIONS, export_of
from models import Attempt, TokenFamily, User, UserMastery, db
from store import Store, utc_now
from tests.conftest import Learner, sign_up
from tests.fakes import Clock
from tests.test_account_lifecycle import busy, log_in
from tests.test_api_errors import refused

PATH = "/api/user/export"


def test_every_table_of_learners_is_exported_or_has_a_reason() -> None:
    owned = {table.name for table in db.metadata.sorted_tables if "user_id" in table.columns}
    exported = {section.table_name for section in SECTIONS.values()}
    assert exported | NOT_EXPORTED.keys() == owned
    assert not exported & NOT_EXPORTED.keys()
    assert all(NOT_EXPORTED.values())


def test_every_column_is_exported_or_has_a_reason(learner: Learner, app: Flask) -> None:
    schemas = app.test_client().get("/openapi.json").json["components"]["schemas"]
    for name, section in {"account": ACCOUNT, **SECTIONS}.items():
        columns = set(db.metadata.tables[section.table_name].columns.keys())
        assert section.left_out.keys() <= columns
        assert all(section.left_out.values())
        documented = schemas[f"Exported{name.title().replace('_', '')}"]
        assert documented["properties"].keys() == columns - section.left_out.keys()


def test_the_export_is_a_download(learner: Learner) -> None:
    reply = learner.get(PATH)
    assert (reply.status_code, reply.content_type) == (200, "application/json")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="gradus-export.json"'


def test_the_export_of_a_new_learner_has_the_account_and_the_login(any_app: Flask, clock: Clock) -> None:
    learner = sign_up(any_app, "Ada")
    now = clock.now.isoformat(timespec="seconds").replace("+00:00", "Z")
    exported = learner.get(PATH).json
    assert exported.keys() == {"exported_at", "account", *SECTIONS}
    assert exported["exported_at"] == now
    assert exported["account"] == {**learner.tokens["user"], "username_key": "ada"}
    assert exported["logins"] == [
        {
            "created_at": now,
            "rotated_at": now,
            "expires_at": exported["logins"][0]["expires_at"],
            "revoked_at": None,
        }
    ]
    for name in SECTIONS.keys() - {"logins"}:
        assert exported[name] == []


def as_told(column: str, value: Any) -> Any:
    """A stored value as the contract tells it."""
    if isinstance(value, datetime):
        return f"{value.replace(microsecond=0, tzinfo=None).isoformat()}Z"
    return json.loads(value) if column in JSON_TEXTS else value


def test_everything_that_is_stored_is_exported(any_app: Flask) -> None:
    learner = busy(any_app, "ada-l")
    exported = learner.get(PATH).json
    with any_app.app_context():
        for name, section in SECTIONS.items():
            table = db.metadata.tables[section.table_name]
            query = select(table).where(table.columns.user_id == learner.id).order_by(table.columns[section.order])
            stored = db.session.execute(query).mappings().all()
            assert stored, f"this test knows no row of {table.name}"
            for row, kept in zip(exported[name], stored, strict=True):
                shown = {column: value for column, value in kept.items() if column not in section.left_out}
                (shown.get("state") or {}).get("open_question", {}).pop("concepts", None)
                assert row == {column: as_told(column, value) for column, value in shown.items()}


def test_the_concepts_of_an_open_question_are_not_told(learner: Learner) -> None:
    learner.start(topics=["dbms"])
    [session] = learner.get(PATH).json["sessions"]
    assert session["state"]["open_question"].keys() == {"question_id", "difficulty", "asked_at"}


def test_figures_are_not_rounded(any_app: Flask) -> None:
    learner = busy(any_app, "ada-l")
    exported = learner.get(PATH).json
    with any_app.app_context():
        attempts = db.session.scalars(select(Attempt).order_by(Attempt.id)).all()
        mastery = db.session.scalars(select(UserMastery)).one()
    for row, attempt in zip(exported["attempts"], attempts, strict=True):
        assert row["id"] == attempt.id
        for figure in ("semantic_score", "keyword_score", "combined_score", "response_time", "mastery_after"):
            assert row[figure] == getattr(attempt, figure)
        for words in ("answer", "question", "expected_answer", "missed_keywords", "mentioned_concepts", "flags"):
            assert row[words] == getattr(attempt, words)
    assert any(row["semantic_score"] != round(row["semantic_score"], 3) for row in exported["attempts"])
    (row,) = exported["masteries"]
    assert row["mastery_level"] == mastery.mastery_level
    assert row["concept_masteries"] == mastery.get_concept_masteries() != {}


def test_a_session_leaves_with_its_state(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    (row,) = learner.get(PATH).json["sessions"]
    assert (row["id"], row["status"]) == (started["session"]["id"], "active")
    assert row["state"]["topics"] == ["dbms"]
    assert started["question"]["id"] in str(row["state"])


def test_a_document_that_cannot_be_read_leaves_as_its_text(app: Flask) -> None:
    learner = busy(app, "ada-l")
    with app.app_context(), Store().transaction():
        table = db.metadata.tables["user_masteries"]
        db.session.execute(table.update().values(concept_masteries="{broken", weak_concepts=""))
    (row,) = learner.get(PATH).json["masteries"]
    assert (row["concept_masteries"], row["weak_concepts"], row["strong_concepts"]) == ("{broken", "", [])
    assert row.keys() > set(JSON_TEXTS)


def test_secrets_stay_here(any_app: Flask) -> None:
    learner = busy(any_app, "ada-l")
    log_in(learner)
    said = learner.get(PATH).text
    with any_app.app_context():
        user = db.session.scalars(select(User)).one()
        logins = db.session.scalars(select(TokenFamily)).all()
    assert len(logins) == 2
    for secret in (user.password_hash, *(part for login in logins for part in (login.id, login.current_jti))):
        assert secret not in said


def test_nothing_of_another_learner_is_exported(any_app: Flask) -> None:
    learner, stranger = busy(any_app, "ada-l"), busy(any_app, "grace-h")
    said, exported = learner.get(PATH).text, learner.get(PATH).json
    assert "grace-h" not in said
    theirs = {row["id"] for name in ("sessions", "attempts", "masteries") for row in stranger.get(PATH).json[name]}
    for name in SECTIONS.keys() - {"logins"}:
        assert {row["user_id"] for row in exported[name]} == {learner.id}
        assert not theirs & {row.get("id") for row in exported[name] if name != "audit_events"}


def test_all_of_an_export_is_from_one_moment(any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is recorded while the export reads is in all of its tables or in none."""
    learner = sign_up(any_app)
    started = learner.start(topics=["dbms"])
    read = Store.rows

    def rows(store: Store, *args: Any, **options: Any) -> list[Any]:
        found = read(store, *args, **options)
        if options["owner"].table.name == "user_masteries":
            with ThreadPoolExecutor(1) as other:
                reply = other.submit(
                    learner.answer, started["session"]["id"], started["question"], "A lock and a log."
                ).result()
            assert reply.status_code == 201
        return found

    with monkeypatch.context() as patched:
        patched.setattr("store.Store.rows", rows)
        exported = learner.get(PATH).json
    assert (exported["masteries"], exported["attempts"]) == ([], [])
    assert [row["questions_count"] for row in exported["sessions"]] == [0]
    assert len(learner.get(PATH).json["attempts"]) == 1


def test_a_connection_forgets_the_moment_of_an_export(any_app: Flask) -> None:
    with any_app.app_context():
        if db.engine.dialect.name != "postgresql":
            return
        store = Store()
        with store.snapshot():
            assert db.session.scalar(text("SHOW transaction_isolation")) == "repeatable read"
        assert db.session.scalar(text("SHOW transaction_isolation")) == "read committed"


def test_an_account_that_goes_meanwhile_has_no_export(any_app: Flask) -> None:
    with any_app.app_context(), pytest.raises(LoginEnded):
        export_of(Store(), 2**40, at=utc_now())


def test_an_export_needs_a_token(app: Flask) -> None:
    refused(app.test_client().get(PATH), 401)


def test_an_export_is_documented_with_every_section(make_app: Callable[..., Flask], sqlite_url: str) -> None:
    document = make_app(sqlite_url).test_client().get("/openapi.json").json
    reply = document["paths"][PATH]["get"]["responses"]["200"]
    assert "Content-Disposition" in reply["headers"]
    assert document["components"]["schemas"]["Export"]["properties"].keys() == {"exported_at", "account", *SECTIONS}
