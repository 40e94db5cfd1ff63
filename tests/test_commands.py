"""The `flask` commands, run as an operator runs them."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from bank_tables import BankQuestion, ExpectedVector
from embeddings import KeptReadings
from mastery import REFERENCE
from models import User, db
from scoring import Scorer
from store import Store
from tests.conftest import PASSWORD
from tests.fakes import WordEncoder

ADMIN = "head@example.com"
CHESS = """\
topic: chess
title: Chess
concepts:
  - name: Castling
    subtopic: moves
    descriptions:
      - Two pieces of one side swap their flanks together.
      - The only move of two pieces at once.
  - {name: Check, subtopic: rules}
questions:
  - id: chess-check
    subtopic: rules
    difficulty: easy
    text: When is a king in check?
    concepts: [Check]
    expected_answers:
      - A king is in check when an enemy piece attacks its square.
  - id: chess-castling
    subtopic: moves
    difficulty: medium
    text: How does a king get to safety in one move?
    concepts: [Castling]
    expected_answers:
      - By castling, king and rook move together.
      - The king steps two squares towards a rook, which jumps over it.
"""


DESCRIPTIONS = ("Two pieces of one side swap their flanks together.", "The only move of two pieces at once.")
"""Of castling, in `CHESS`."""


def run(app: Flask, *words: str, **options: Any) -> Any:
    return app.test_cli_runner().invoke(args=list(words), **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "bank"
    path.mkdir()
    (path / "chess.yaml").write_text(CHESS)
    return path


def test_an_administrator_is_made_with_the_password_of_the_environment(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    result = run(app, "users", "create-admin", ADMIN)
    assert result.exit_code == 0, result.output
    assert result.output == f"Administrator {ADMIN} was made, with the username head.\n"
    reply = app.test_client().post("/api/auth/login", json={"login": ADMIN, "password": PASSWORD})
    assert reply.json["user"]["role"] == "admin"


def test_the_prompt_asks_twice_for_the_password(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    result = run(app, "users", "create-admin", ADMIN, input=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("nobody", PASSWORD, "Error: 'nobody' is not an email address.\n"),
        (ADMIN, "short", "Error: The password needs 8 to 128 characters.\n"),
    ],
)
def test_an_administrator_that_cannot_be_is_refused(
    app: Flask, monkeypatch: pytest.MonkeyPatch, email: str, password: str, message: str
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", password)
    result = run(app, "users", "create-admin", email)
    assert (result.exit_code, result.output) == (1, message)


def test_whoever_registered_the_email_before_does_not_become_administrator(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app.test_client()
    body = {"username": "head", "email": ADMIN, "password": "a stranger's password"}
    squatter = client.post("/api/auth/register", json=body).json
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    result = run(app, "users", "create-admin", ADMIN.upper())
    assert result.output == f"{ADMIN} is an administrator now, with the new password; earlier logins have ended.\n"
    old = {"Authorization": f"Bearer {squatter['access_token']}"}
    assert client.get("/api/auth/me", headers=old).status_code == 401
    assert client.post("/api/auth/login", json={"login": ADMIN, "password": body["password"]}).status_code == 401
    login = client.post("/api/auth/login", json={"login": ADMIN, "password": PASSWORD}).json
    assert login["user"]["role"] == "admin"


def test_a_username_is_not_taken_for_an_email(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"username": "dora", "email": "dora@example.com", "password": PASSWORD}
    app.test_client().post("/api/auth/register", json=body)
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    assert run(app, "users", "create-admin", "dora").exit_code == 1
    with app.app_context():
        assert [user.role for user in db.session.query(User)] == ["learner"]


def test_a_topic_whose_file_is_gone_is_no_longer_asked(app: Flask, folder: Path) -> None:
    run(app, "questions", "load", str(folder))
    (folder / "chess.yaml").rename(folder / "draughts.yaml")
    (folder / "draughts.yaml").write_text(CHESS.replace("chess", "draughts"))
    assert run(app, "questions", "load", str(folder)).exit_code == 0
    with app.app_context():
        bank = Store().bank()
        assert bank.topic("chess").active_questions == ()
        assert bank.question("chess-check").retired
        assert len(bank.topic("draughts").active_questions) == 2


def test_a_folder_is_loaded_with_the_readings_of_its_answers_and_descriptions(app: Flask, folder: Path) -> None:
    result = run(app, "questions", "load", str(folder))
    assert result.exit_code == 0, result.output
    assert "The question bank was loaded: 1 topic, 2 questions." in result.output
    with app.app_context():
        assert "chess" in Store().bank().topics
        assert Store().bank().topic("chess").concept_by_name["Castling"].descriptions == DESCRIPTIONS
        assert db.session.query(ExpectedVector).count() == 3 + len(DESCRIPTIONS)


def test_a_folder_that_was_loaded_is_left_alone(app: Flask, folder: Path, encoder: WordEncoder) -> None:
    run(app, "questions", "load", str(folder))
    encoder.encoded.clear()
    assert "The question bank is up to date" in run(app, "questions", "load", str(folder)).output
    assert encoder.encoded == []


def test_a_changed_folder_is_loaded_again_and_encodes_what_is_new(
    app: Flask, folder: Path, encoder: WordEncoder
) -> None:
    run(app, "questions", "load", str(folder))
    encoder.encoded.clear()
    path = folder / "chess.yaml"
    path.write_text(path.read_text() + "      - A castle moves along ranks and files.\n")
    assert run(app, "questions", "load", str(folder)).exit_code == 0
    assert encoder.encoded == ["A castle moves along ranks and files."]


def test_a_description_that_is_new_is_read_and_one_that_left_is_gone(
    app: Flask, folder: Path, encoder: WordEncoder
) -> None:
    run(app, "questions", "load", str(folder))
    encoder.encoded.clear()
    path = folder / "chess.yaml"
    path.write_text(path.read_text().replace(DESCRIPTIONS[0], "The king hides behind his pawns."))
    assert run(app, "questions", "load", str(folder)).exit_code == 0
    assert encoder.encoded == ["The king hides behind his pawns."]
    with app.app_context():
        castling = Store().bank().topic("chess").concept_by_name["Castling"]
        assert castling.descriptions == ("The king hides behind his pawns.", DESCRIPTIONS[1])


def test_what_was_loaded_is_not_read_again_when_an_answer_is_scored(
    app: Flask, folder: Path, encoder: WordEncoder
) -> None:
    run(app, "questions", "load", str(folder))
    encoder.encoded.clear()
    with app.app_context():
        topic = Store().bank().topic("chess")
        question = topic.questions[1]
        scorer = Scorer(encoder, KeptReadings(encoder, Store()), REFERENCE)
        score = scorer.score(
            "Two pieces move at once.",
            expected_answers=question.expected_answers,
            question=question.text,
            concepts=topic.concepts,
        )
    assert score.semantic_score > 0
    assert encoder.encoded == ["Two pieces move at once."]


def test_a_folder_with_a_fault_changes_nothing(app: Flask, folder: Path) -> None:
    (folder / "draughts.yaml").write_text("topic: all\n")
    result = run(app, "questions", "load", str(folder))
    assert result.exit_code == 1
    assert "The question bank was not changed." in result.output
    assert "draughts.yaml:1: " in result.output
    with app.app_context():
        assert db.session.query(BankQuestion).filter_by(topic="chess").count() == 0


def test_without_the_model_the_bank_is_loaded_all_the_same(app: Flask, folder: Path, encoder: WordEncoder) -> None:
    encoder.down = "The embedding model is gone."
    result = run(app, "questions", "load", str(folder))
    assert result.exit_code == 0
    assert "The embedding model is gone. Answers get 503 until it can" in result.output
    with app.app_context():
        assert db.session.query(BankQuestion).filter_by(topic="chess").count() == 2
