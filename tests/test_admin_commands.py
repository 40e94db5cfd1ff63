"""The commands of administrators, run as an operator runs them."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api.context import EXTENSION
from bank_tables import BankQuestion, ExpectedVector
from models import Attempt, AuditEvent, User, UserMastery, db
from question_bank import QuestionBank
from store import Store
from store.forecasts import SHARED_TOGETHER
from tests.conftest import Learner, sign_up
from tests.fakes import Clock, WordEncoder
from tests.test_commands import CHESS, DESCRIPTIONS, run
from topic_files import parse_topic

REASON = "The questions were wrong."


@pytest.fixture
def pupil(app: Flask) -> Learner:
    """A learner with mastery of two topics."""
    learner = sign_up(app, "dora")
    with app.app_context():
        for topic, level, answers in (("dbms", 0.51234, 7), ("oop", 0.8, 2)):
            row = UserMastery(user_id=learner.id, topic=topic, mastery_level=level, questions_attempted=answers)
            db.session.add(row)
        db.session.commit()
    return learner


def events(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        return list(db.session.query(AuditEvent).order_by(AuditEvent.id))


def topics_of(app: Flask, learner: Learner) -> list[str]:
    with app.app_context():
        return [row.topic for row in Store().masteries(learner.id)]


def users(app: Flask, *words: str) -> Any:
    return run(app, "users", *words)


# Users


def test_all_accounts_are_listed(app: Flask, pupil: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin_commands.ROWS_PER_PAGE", 2)
    names = ["dora", *(sign_up(app, f"learner-{n}").tokens["user"]["username"] for n in range(4))]
    lines = users(app, "list").output.splitlines()
    assert [line.split(": ")[1].split(",")[0] for line in lines[:-1]] == names
    assert lines[0].startswith(f"{pupil.id}: dora, dora@example.com, learner since 20")
    assert lines[-1] == "5 accounts."


def test_accounts_are_found_by_part_of_their_name(app: Flask, pupil: Learner) -> None:
    sign_up(app, "emil")
    lines = users(app, "list", "--q", "ORA").output.splitlines()
    assert (len(lines), lines[-1]) == (2, "1 account.")


def test_progress_is_shown_topic_by_topic(app: Flask, pupil: Learner) -> None:
    result = users(app, "progress", "DORA@example.com")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "dora has practised 2 topics.",
        "dbms: mastery 0.512 (intermediate); 7 questions, 0 correct; difficulty medium.",
        "oop: mastery 0.800 (advanced, an early estimate); 2 questions, 0 correct; difficulty medium.",
    ]


@pytest.mark.parametrize(
    "words",
    [["progress", "nobody"], ["role", "nobody", "admin"], ["reset", "nobody", "--topic", "all", "--reason", "why"]],
)
def test_an_account_that_does_not_exist_is_said_so(app: Flask, words: list[str]) -> None:
    result = users(app, *words)
    assert (result.exit_code, result.output) == (1, "Error: There is no account 'nobody'.\n")


def test_a_dry_run_changes_nothing(app: Flask, pupil: Learner) -> None:
    result = users(app, "reset", "dora", "--topic", "all", "--reason", REASON, "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.output == ("This would delete the mastery of dora in 2 topics (dbms, oop). Nothing was changed.\n")
    assert topics_of(app, pupil) == ["dbms", "oop"]
    assert events(app) == []


def test_a_reset_is_written_to_the_audit_log_without_an_actor(app: Flask, pupil: Learner) -> None:
    result = users(app, "reset", "dora", "--topic", "dbms", "--reason", REASON)
    [event] = events(app)
    assert result.output == (
        f"The mastery of dora was deleted in 1 topic (dbms). The audit log has it under {event.id}.\n"
    )
    assert topics_of(app, pupil) == ["oop"]
    assert (event.actor_id, event.user_id, event.reason) == (None, pupil.id, REASON)


@pytest.mark.parametrize(("topic", "what"), [("alchemy", "the topic alchemy"), ("all", "any topic")])
def test_a_reset_of_nothing_says_so(app: Flask, topic: str, what: str) -> None:
    sign_up(app, "emil")
    result = users(app, "reset", "emil", "--topic", topic, "--reason", REASON)
    assert result.output == f"emil has no mastery of {what}; nothing was deleted.\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--topic", "all"],
        ["--reason", REASON],
        ["--topic", "all", "--reason", "no"],
        ["--topic", "all", "--reason", "     "],
        ["--topic", "all", "--reason", "x" * 501],
        ["--topic", "", "--reason", REASON],
        ["--topic", "x" * 65, "--reason", REASON],
    ],
)
def test_a_reset_that_is_not_clear_is_refused(app: Flask, pupil: Learner, words: list[str]) -> None:
    assert users(app, "reset", "dora", *words).exit_code == 2
    assert topics_of(app, pupil) == ["dbms", "oop"]


def test_a_role_is_given_and_audited(app: Flask, pupil: Learner) -> None:
    result = users(app, "role", "dora", "admin")
    assert (result.exit_code, result.output) == (0, "dora has the role admin.\n")
    assert pupil.get("/api/admin/stats").status_code == 200
    assert [(event.action, event.actor_id) for event in events(app)] == [("change_role", None)]


def test_the_last_administrator_keeps_the_role(app: Flask, pupil: Learner) -> None:
    users(app, "role", "dora", "admin")
    result = users(app, "role", "dora", "learner")
    assert (result.exit_code, result.output) == (
        1,
        "Error: This is the last administrator: give the role to somebody else first.\n",
    )
    with app.app_context():
        assert db.session.get_one(User, pupil.id).role == "admin"


def test_a_role_that_does_not_exist_is_refused(app: Flask, pupil: Learner) -> None:
    assert users(app, "role", "dora", "king").exit_code == 2


def test_the_audit_log_is_shown_newest_first(app: Flask, pupil: Learner) -> None:
    pupil.post("/api/user/reset_mastery", {"topic": "\x1b[2Jdbms"})
    users(app, "reset", "dora", "--topic", "oop", "--reason", REASON)
    newest, oldest = users(app, "audit").output.splitlines()
    assert newest.endswith(f" UTC: reset_mastery by the shell for dora in oop. Reason: {REASON}")
    assert oldest.endswith(" UTC: reset_mastery by dora for dora in  [2Jdbms.")
    assert users(app, "audit", "--limit", "1").output.splitlines() == [newest]


# Questions


def chess_file(folder: Path) -> Path:
    path = folder / "chess.yaml"
    path.write_text(CHESS)
    return path


def test_files_are_imported_with_the_readings_of_their_answers_and_descriptions(app: Flask, tmp_path: Path) -> None:
    path = chess_file(tmp_path)
    other = tmp_path / "go.json"
    other.write_text(
        json.dumps(
            {
                "topic": "go",
                "title": "Go",
                "concepts": [{"name": "Liberty", "subtopic": "rules"}],
                "questions": [
                    {
                        "id": "go-liberty",
                        "subtopic": "rules",
                        "difficulty": "easy",
                        "text": "What is a liberty?",
                        "concepts": ["Liberty"],
                        "expected_answers": ["An empty point beside a stone."],
                    }
                ],
            }
        )
    )
    result = run(app, "questions", "import", str(path), str(other))
    assert result.exit_code == 0, result.output
    assert "The topic chess was imported: 2 questions, 2 concepts; 0 questions retired.\n" in result.output
    assert "The topic go was imported: 1 question, 1 concept; 0 questions retired.\n" in result.output
    assert "Encoding expected answers" in result.stderr
    with app.app_context():
        assert db.session.query(ExpectedVector).count() == 4 + len(DESCRIPTIONS)
        assert Store().bank().topic("chess").concept_by_name["Castling"].descriptions == DESCRIPTIONS
        assert Store().bank().topic("go").concept_by_name["Liberty"].descriptions == ()
    assert [(event.action, event.topic, event.actor_id) for event in events(app)] == [
        ("import_questions", "chess", None),
        ("import_questions", "go", None),
    ]


def test_the_problems_of_all_files_are_told_with_file_and_line(app: Flask, tmp_path: Path) -> None:
    path, broken, strange = chess_file(tmp_path), tmp_path / "broken.json", tmp_path / "strange.yaml"
    broken.write_text('{\n"topic": ]')
    strange.write_text("topic: all\n")
    result = run(app, "questions", "import", str(path), str(broken), str(strange))
    assert result.exit_code == 1
    assert "The question bank was not changed." in result.output
    assert f"{broken}:2: This is not JSON: " in result.output
    assert f"{strange}:1: topic: No topic may be called 'all'." in result.output
    with app.app_context():
        assert db.session.query(BankQuestion).filter_by(topic="chess").count() == 0


def test_a_file_that_is_no_text_is_told(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "noise.yaml"
    path.write_bytes(b"topic: a\n\xff\n")
    result = run(app, "questions", "import", str(path))
    assert result.exit_code == 1
    assert f"{path}:2: This is not UTF-8: invalid start byte." in result.output


def test_one_topic_in_two_files_is_refused(app: Flask, tmp_path: Path) -> None:
    path, copy = chess_file(tmp_path), tmp_path / "copy.yaml"
    copy.write_text(CHESS)
    result = run(app, "questions", "import", str(path), str(copy))
    assert result.exit_code == 1
    assert f"{copy}:1: The topic 'chess' already stands in {path}." in result.output


def test_without_the_model_nothing_is_imported(app: Flask, tmp_path: Path, encoder: WordEncoder) -> None:
    encoder.down = "The embedding model is gone."
    result = run(app, "questions", "import", str(chess_file(tmp_path)))
    assert (result.exit_code, result.output) == (
        1,
        "Error: The question bank was not changed. The embedding model is gone.\n",
    )


def test_the_topics_are_listed(app: Flask) -> None:
    lines = run(app, "questions", "list").output.splitlines()
    assert "dbms: Databases, 42 questions, 24 concepts." in lines
    assert len(lines) >= 4


def bank_of(app: Flask) -> QuestionBank:
    with app.app_context():
        return Store().bank()


@pytest.mark.parametrize("name", ["out.yaml", "out.json", "out.csv"])
def test_a_topic_that_was_exported_is_imported_as_it_was(app: Flask, tmp_path: Path, name: str) -> None:
    run(app, "questions", "import", str(chess_file(tmp_path)))
    before = bank_of(app).topic("chess")
    out = tmp_path / name
    result = run(app, "questions", "export", "chess", str(out))
    assert (result.exit_code, result.output) == (0, "")
    result = run(app, "questions", "import", str(out))
    assert "The topic chess was imported: 2 questions, 2 concepts; 0 questions retired.\n" in result.output
    assert bank_of(app).topic("chess") == before


def test_a_topic_is_exported_to_the_terminal_in_the_format_that_was_asked_for(app: Flask, tmp_path: Path) -> None:
    run(app, "questions", "import", str(chess_file(tmp_path)))
    assert run(app, "questions", "export", "chess").stdout.startswith("topic: chess\n")
    assert json.loads(run(app, "questions", "export", "chess", "--format", "json").stdout)["topic"] == "chess"
    out = tmp_path / "chess.txt"
    run(app, "questions", "export", "chess", str(out), "--format", "csv")
    assert out.read_bytes().startswith(b"\xef\xbb\xbfkind,topic,title,")


def test_what_cannot_be_exported_is_said(app: Flask, tmp_path: Path) -> None:
    result = run(app, "questions", "export", "alchemy")
    assert (result.exit_code, result.output) == (1, "Error: There is no topic 'alchemy' in the question bank.\n")
    run(app, "questions", "import", str(chess_file(tmp_path)))
    out = tmp_path / "chess.gift"
    result = run(app, "questions", "export", "chess", str(out))
    assert (result.exit_code, out.exists()) == (1, False)
    assert result.output == "Error: Topics are not written as gift: name yaml, json or csv.\n"
    with app.app_context():
        store = Store()
        [topic] = [topic for topic in store.bank() if topic.slug == "chess"]
        with store.transaction():
            gone = replace(topic, concepts=(), questions=())
            store.save_topics([gone], source="test", checksum="0", at=datetime.now(UTC))
    result = run(app, "questions", "export", "chess")
    assert result.output == "Error: All questions of the topic 'chess' are retired, and their concepts are gone.\n"


def test_a_quiz_is_imported_with_what_was_left_out_and_assumed(app: Flask, tmp_path: Path) -> None:
    quiz = tmp_path / "quiz.gift"
    quiz.write_text("$CATEGORY: Go/Rules\n::Liberty::What is a liberty? {=an empty point}\n\n::Hm::{T}\n")
    result = run(app, "questions", "import", str(quiz))
    assert result.exit_code == 0, result.output
    said = [line for line in result.stderr.splitlines() if line.startswith(str(quiz))]
    assert said == [
        f"{quiz}:2: No tag concept:NAME: its name 'Liberty' is its concept.",
        f"{quiz}:2: No tag difficulty:NAME: it is medium.",
        f"{quiz}:4: Left out: a question of true or false.",
    ]
    assert "The topic go was imported: 1 question, 1 concept; 0 questions retired.\n" in result.output
    assert [question.id for question in bank_of(app).topic("go").questions] == ["go-liberty"]


def test_a_quiz_is_converted_to_a_file_and_no_question_is_imported(app: Flask, tmp_path: Path) -> None:
    quiz, out = tmp_path / "quiz.xml", tmp_path / "go.yaml"
    quiz.write_text(
        "<quiz>\n<question type='essay'><name><text>Liberty</text></name>"
        "<questiontext><text>What is it?</text></questiontext>"
        "<graderinfo><text>An empty point.</text></graderinfo></question></quiz>"
    )
    result = run(app, "questions", "convert", str(quiz), str(out))
    assert result.exit_code == 0, result.output
    assert f"{quiz}:2: No tag concept:NAME: its name 'Liberty' is its concept.\n" in result.stderr
    assert parse_topic(out.read_text(), "go.yaml").concept_by_name.keys() == {"Liberty"}
    assert "quiz" not in bank_of(app).topics


def test_a_broken_quiz_changes_nothing_and_names_the_line(app: Flask, tmp_path: Path) -> None:
    quiz = tmp_path / "quiz.xml"
    quiz.write_text("<quiz>\n<question>\n</quiz>")
    for command in ("import", "convert"):
        result = run(app, "questions", command, str(quiz))
        assert (result.exit_code, f"{quiz}:3: This is not XML: mismatched tag.\n" in result.output) == (1, True)


def test_an_edited_question_keeps_its_attempts_and_one_that_is_left_out_is_retired(
    app: Flask, learner: Learner, tmp_path: Path
) -> None:
    """Edited is a question whose id stays; its attempts remember what was asked then."""
    run(app, "questions", "import", str(chess_file(tmp_path)))
    started = learner.start(topics=["chess"])
    first = started["question"]
    second = learner.answer(started["session"]["id"], first, "The king is attacked.").json["next_question"]
    learner.answer(started["session"]["id"], second, "King and rook move.")
    log, mastery = attempts(app), learner.get("/api/user/progress").json
    texts = {first["id"]: first["text"], second["id"]: second["text"]}
    assert [(attempt["question_id"], attempt["question"]) for attempt in log] == list(texts.items())

    sheet = tmp_path / "chess.csv"
    run(app, "questions", "export", "chess", str(sheet))
    left_out = second["id"].removeprefix("chess-")
    rows = [row for row in sheet.read_text().splitlines(keepends=True) if left_out not in row.lower()]
    edited = "".join(rows).replace(first["text"], "What was asked before in other words?")
    sheet.write_text(edited)
    result = run(app, "questions", "import", str(sheet))
    assert "The topic chess was imported: 1 question, 1 concept; 1 question retired.\n" in result.output

    assert attempts(app) == log
    assert learner.get("/api/user/progress").json == mastery
    bank = bank_of(app)
    assert bank.question(first["id"]).text == "What was asked before in other words?"
    assert bank.question(second["id"]).retired
    assert [question.id for question in bank.topic("chess").active_questions] == [first["id"]]
    run(app, "questions", "import", str(chess_file(tmp_path)))
    assert not bank_of(app).question(second["id"]).retired
    assert attempts(app) == log


def attempts(app: Flask) -> list[dict[str, Any]]:
    """All columns of all attempts, in the order in which they were made."""
    with app.app_context():
        rows = db.session.query(Attempt).order_by(Attempt.id)
        return [{column.key: getattr(row, column.key) for column in Attempt.__table__.columns} for row in rows]


def test_a_question_marked_as_retired_keeps_its_attempts_and_figures_and_comes_back_without_the_mark(
    app: Flask, learner: Learner, clock: Clock, tmp_path: Path
) -> None:
    run(app, "questions", "import", str(chess_file(tmp_path)))
    for _ in range(SHARED_TOGETHER):
        asked = learner.start(topics=["chess"])
        learner.answer(asked["session"]["id"], asked["question"], "The king is attacked.")
    clock.advance(61)  # until then, figures that were read are kept
    gone = asked["question"]["id"]
    sheet = tmp_path / "chess.csv"
    run(app, "questions", "export", "chess", str(sheet))
    log, figures = attempts(app), calibration(app)
    assert gone in figures["chess"]

    unmarked = sheet.read_text()
    sheet.write_text(marked(unmarked, gone))
    result = run(app, "questions", "import", str(sheet))
    assert "The topic chess was imported: 1 question, 2 concepts; 1 question retired.\n" in result.output
    bank = bank_of(app)
    assert bank.question(gone).retired
    assert gone not in [question.id for question in bank.topic("chess").active_questions]
    assert (attempts(app), calibration(app)) == (log, figures)

    again = tmp_path / "again.csv"
    run(app, "questions", "export", "chess", str(again))
    assert again.read_text() == sheet.read_text()
    again.write_text(unmarked)
    run(app, "questions", "import", str(again))
    assert not bank_of(app).question(gone).retired
    assert (attempts(app), calibration(app)) == (log, figures)


def marked(sheet: str, question_id: str) -> str:
    """The sheet with that question retired."""
    rows = list(csv.DictReader(io.StringIO(sheet, newline="")))
    for row in rows:
        row["retired"] = "true" if row["id"] == question_id else row["retired"]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def calibration(app: Flask) -> dict[str, Any]:
    """What is known of each question that was asked, by topic."""
    with app.app_context():
        return {one.topic: dict(one.questions) for one in app.extensions[EXTENSION].reviews.calibration()}
