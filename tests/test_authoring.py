"""The question bank in the hands of administrators, over HTTP, on both databases."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api.context import EXTENSION
from store import Store
from tests.conftest import Learner, sign_up
from tests.fakes import Clock, WordEncoder
from tests.test_admin import send, sign_up_admin
from tests.test_commands import CHESS, run

CASTLING = {
    "text": "Which move of two pieces brings a king to safety?",
    "difficulty": "hard",
    "concepts": ["Castling", "Check"],
    "expected_answers": ["Castling: king and rook move together, unless the king is in check."],
    "keywords": ["rook"],
}
PATH = "/api/admin/questions/chess-castling"


@pytest.fixture
def admin(any_app: Flask) -> Learner:
    """An administrator of a bank with the topic chess."""
    account = sign_up_admin(any_app, "head")
    assert send(account, CHESS).status_code == 201
    return account


def put(admin: Learner, body: Any, path: str = PATH, **headers: str) -> Any:
    return admin.client.put(path, json=body, headers={**admin.headers, **headers})


def last_event(admin: Learner) -> dict[str, Any]:
    found: dict[str, Any] = admin.get("/api/admin/audit").json["events"][0]
    return found


def revision(app: Flask) -> int:
    with app.app_context():
        return Store().bank_revision()


# Looking


def test_the_questions_of_a_topic_are_listed_by_id_without_their_answers(admin: Learner) -> None:
    reply = admin.get("/api/admin/questions?topic=chess")
    assert reply.status_code == 200
    assert [question["id"] for question in reply.json["questions"]] == ["chess-castling", "chess-check"]
    assert reply.json["next_cursor"] is None
    assert reply.json["questions"][1] == {
        "id": "chess-check",
        "topic": "chess",
        "subtopic": "rules",
        "difficulty": "easy",
        "text": "When is a king in check?",
        "concepts": ["Check"],
        "retired": False,
        "edited_at": None,
    }


def test_the_pages_hold_every_question_once(any_app: Flask, admin: Learner) -> None:
    seen: list[str] = []
    path = "/api/admin/questions?limit=97"
    while path:
        reply = admin.get(path)
        seen += [question["id"] for question in reply.json["questions"]]
        path = reply.headers.get("Link", "").removeprefix("<").partition(">")[0]
    with any_app.app_context():
        assert sorted(seen) == sorted(Store().bank().owners)


def test_retired_questions_are_listed_alone_or_left_out(admin: Learner) -> None:
    admin.post(f"{PATH}/retire")
    ids = {
        retired: [
            row["id"] for row in admin.get(f"/api/admin/questions?topic=chess&retired={retired}").json["questions"]
        ]
        for retired in ("true", "false")
    }
    assert ids == {"true": ["chess-castling"], "false": ["chess-check"]}


@pytest.mark.parametrize("query", ["limit=0", "cursor=-", "cursor=A", "retired=1", "topic=%00"])
def test_a_list_that_cannot_be_is_refused(app: Flask, query: str) -> None:
    assert sign_up_admin(app).get(f"/api/admin/questions?{query}").status_code == 422


def test_one_question_is_shown_whole(admin: Learner) -> None:
    reply = admin.get(PATH)
    assert reply.status_code == 200
    question = reply.json["question"]
    assert question["expected_answers"] == [
        "By castling, king and rook move together.",
        "The king steps two squares towards a rook, which jumps over it.",
    ]
    assert (question["keywords"], question["retired"]) == ([], False)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/admin/questions/nothing"),
        ("PUT", "/api/admin/questions/nothing"),
        ("POST", "/api/admin/questions/nothing/retire"),
        ("POST", "/api/admin/questions/nothing/restore"),
        ("GET", "/api/admin/topics/nothing/export"),
    ],
)
def test_what_is_not_in_the_bank_is_not_found(app: Flask, method: str, path: str) -> None:
    admin = sign_up_admin(app)
    body = CASTLING if method == "PUT" else {}
    assert admin.client.open(path, method=method, json=body, headers=admin.headers).status_code == 404


# Editing


def test_an_edit_changes_the_question_and_leaves_its_trace(any_app: Flask, admin: Learner, clock: Clock) -> None:
    before = revision(any_app)
    reply = put(admin, CASTLING)
    assert reply.status_code == 200, reply.json
    assert reply.json["question"] == {
        **CASTLING,
        "id": "chess-castling",
        "topic": "chess",
        "subtopic": "moves",
        "retired": False,
        "edited_at": f"{clock.now:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert reply.json["revision"] == before + 1 == revision(any_app)
    assert admin.get(PATH).json["question"] == reply.json["question"]
    event = last_event(admin)
    assert (event["action"], event["actor"], event["topic"]) == ("edit_question", "head", "chess")
    assert event["details"]["question"] == "chess-castling"
    assert event["details"]["changed"] == ["difficulty", "text", "concepts", "expected_answers", "keywords"]


def test_an_edited_question_keeps_its_place_and_its_attempts(any_app: Flask, admin: Learner) -> None:
    pupil = sign_up(any_app, "dora")
    started = pupil.start(topics=["chess"])
    question = started["question"]
    pupil.answer(started["session"]["id"], question, "King and rook move together.")
    body = {**CASTLING, "subtopic": "rules"} if question["id"] == "chess-castling" else CASTLING
    assert put(admin, body, f"/api/admin/questions/{question['id']}").status_code == 200
    held = pupil.get(f"/api/adaptive/sessions/{started['session']['id']}").json
    assert [attempt["question_id"] for attempt in held["attempts"]] == [question["id"]]
    with any_app.app_context():
        assert [one.id for one in Store().bank().topic("chess").questions] == ["chess-check", "chess-castling"]


def test_an_edit_that_says_nothing_new_makes_no_revision(any_app: Flask, admin: Learner) -> None:
    put(admin, CASTLING)
    before = revision(any_app)
    assert put(admin, CASTLING).json["revision"] == before == revision(any_app)


def test_the_problems_of_an_edit_are_listed_by_line_and_nothing_is_changed(any_app: Flask, admin: Learner) -> None:
    before = revision(any_app)
    body = '{\n"text": "",\n"difficulty": "brutal",\n"concepts": ["Check"],\n"expected_answers": ["x"],\n"id": "y"\n}'
    reply = admin.client.put(PATH, data=body, content_type="application/json", headers=admin.headers)
    assert (reply.status_code, reply.json["type"]) == (422, "urn:gradus:problem:invalid-bank")
    assert [problem["line"] for problem in reply.json["problems"]] == [2, 3, 6]
    unknown = put(admin, {**CASTLING, "concepts": ["Check", "Mate", "Check"], "subtopic": "ends"})
    assert [problem["message"] for problem in unknown.json["problems"]] == [
        "No concept belongs to the subtopic 'ends'.",
        "The concept 'Check' stands twice in this question.",
        "The concept 'Mate' is not listed under concepts.",
    ]
    assert revision(any_app) == before


def test_without_the_model_nothing_is_edited(any_app: Flask, admin: Learner, encoder: WordEncoder) -> None:
    before = revision(any_app)
    encoder.down = "The embedding model is gone."
    assert put(admin, CASTLING).status_code == 503
    assert revision(any_app) == before


def test_a_repeated_edit_under_its_key_has_one_effect(any_app: Flask, admin: Learner) -> None:
    first = put(admin, CASTLING, **{"Idempotency-Key": "once"})
    put(admin, {**CASTLING, "difficulty": "easy"})
    again = put(admin, CASTLING, **{"Idempotency-Key": "once"})
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert admin.get(PATH).json["question"]["difficulty"] == "easy"


# Edits and files


@pytest.fixture
def folder(any_app: Flask, admin: Learner, tmp_path: Path) -> Path:
    """A folder with the topic draughts, which is loaded."""
    path = tmp_path / "bank"
    path.mkdir()
    draughts(path)
    assert run(any_app, "questions", "load", str(path)).exit_code == 0
    return path


def draughts(folder: Path, old: str = "", new: str = "") -> None:
    """The topic's file, with one change."""
    text = CHESS.replace("chess", "draughts").replace("Chess", "Draughts")
    assert old in text
    (folder / "draughts.yaml").write_text(text.replace(old, new) if old else text)


DRAUGHTS = "/api/admin/questions/draughts-castling"
KEPT = (
    "Left as they are: 1 question of the topic draughts, as administrators edited them (draughts-castling)."
    " `flask questions load` and `import` take the file's with --overwrite.\n"
)


def test_an_edit_outlives_later_loads_which_say_so_and_what_nobody_edited_follows_its_file(
    any_app: Flask, admin: Learner, folder: Path
) -> None:
    put(admin, CASTLING, DRAUGHTS)
    draughts(folder, "When is a king in check?", "When is a king under attack?")
    result = run(any_app, "questions", "load", str(folder))
    assert (result.exit_code, KEPT in result.output) == (0, True)
    assert admin.get(DRAUGHTS).json["question"]["text"] == CASTLING["text"]
    assert admin.get("/api/admin/questions/draughts-check").json["question"]["text"] == "When is a king under attack?"
    assert "is up to date" in run(any_app, "questions", "load", str(folder)).output
    forced = run(any_app, "questions", "load", str(folder), "--overwrite")
    assert "Left as" not in forced.output
    question = admin.get(DRAUGHTS).json["question"]
    assert (question["text"], question["edited_at"]) == ("How does a king get to safety in one move?", None)


def test_what_was_retired_over_http_stays_retired_and_what_was_restored_is_asked(
    any_app: Flask, admin: Learner, folder: Path
) -> None:
    admin.post(f"{DRAUGHTS}/retire")
    draughts(folder, "title: Draughts", "title: Dames")
    assert KEPT in run(any_app, "questions", "load", str(folder)).output
    assert admin.get(DRAUGHTS).json["question"]["retired"] is True
    admin.post(f"{DRAUGHTS}/restore")
    draughts(folder, "  - id: draughts-castling\n", "  - id: draughts-castling\n    retired: true\n")
    assert KEPT in run(any_app, "questions", "load", str(folder)).output
    assert admin.get(DRAUGHTS).json["question"]["retired"] is False


def test_an_edited_question_whose_topic_has_left_the_folder_is_asked_until_overwritten(
    any_app: Flask, admin: Learner, folder: Path
) -> None:
    put(admin, CASTLING, DRAUGHTS)
    (folder / "draughts.yaml").rename(folder / "go.yaml")
    (folder / "go.yaml").write_text(CHESS.replace("chess", "go"))
    run(any_app, "questions", "load", str(folder))
    asked = admin.get("/api/admin/questions?retired=false&topic=draughts").json["questions"]
    assert [question["id"] for question in asked] == ["draughts-castling"]
    run(any_app, "questions", "load", str(folder), "--overwrite")
    assert admin.get(DRAUGHTS).json["question"]["retired"] is True


def test_an_imported_topic_outlives_later_loads_and_one_that_was_imported_unchanged_follows_its_folder(
    any_app: Flask, admin: Learner, folder: Path
) -> None:
    exported: dict[str, Any] = admin.get("/api/admin/topics/draughts/export").json or {}
    assert admin.post("/api/admin/questions/import", exported).status_code == 201
    draughts(folder, "title: Draughts", "title: Dames")
    assert "Left as" not in run(any_app, "questions", "load", str(folder)).output
    assert admin.post("/api/admin/questions/import", {**exported, "title": "Jeu de dames"}).status_code == 201
    draughts(folder, "title: Draughts", "title: Checkers")
    result = run(any_app, "questions", "load", str(folder))
    assert "Left as it is: the topic draughts, as administrators imported it." in result.output
    assert admin.get("/api/admin/topics/draughts/export").json["title"] == "Jeu de dames"
    run(any_app, "questions", "load", str(folder), "--overwrite")
    assert admin.get("/api/admin/topics/draughts/export").json["title"] == "Checkers"


def test_an_import_keeps_what_was_edited_names_it_and_overwrites_it_where_that_is_wanted(admin: Learner) -> None:
    put(admin, CASTLING)
    reply = send(admin, CHESS.replace("When is a king in check?", "When is a king under attack?"))
    assert (reply.status_code, reply.json["kept"]) == (201, ["chess-castling"])
    assert admin.get(PATH).json["question"]["text"] == CASTLING["text"]
    assert admin.get("/api/admin/questions/chess-check").json["question"]["text"] == "When is a king under attack?"
    details = last_event(admin)["details"]
    assert (details["kept"], details["overwrite"]) == (1, False)
    path = "/api/admin/questions/import?overwrite=true"
    forced = admin.client.post(path, data=CHESS, content_type="application/yaml", headers=admin.headers)
    assert (forced.status_code, forced.json["kept"]) == (201, [])
    assert admin.get(PATH).json["question"]["text"] == "How does a king get to safety in one move?"
    assert last_event(admin)["details"]["overwrite"] is True


def test_an_import_over_edits_is_as_wanted_from_the_shell_too(any_app: Flask, admin: Learner, tmp_path: Path) -> None:
    put(admin, CASTLING)
    file = tmp_path / "chess.yaml"
    file.write_text(CHESS)
    kept = run(any_app, "questions", "import", str(file))
    assert "as administrators edited them (chess-castling)." in kept.output
    assert admin.get(PATH).json["question"]["text"] == CASTLING["text"]
    forced = run(any_app, "questions", "import", str(file), "--overwrite")
    assert (forced.exit_code, "Left as" in forced.output) == (0, False)
    assert admin.get(PATH).json["question"]["text"] == "How does a king get to safety in one move?"


def test_an_import_that_neither_overwrites_nor_does_not_is_refused(admin: Learner) -> None:
    path = "/api/admin/questions/import?overwrite=perhaps"
    reply = admin.client.post(path, data=CHESS, content_type="application/yaml", headers=admin.headers)
    assert (reply.status_code, reply.json["errors"][0]["pointer"]) == (422, "#/query/overwrite")


# Warnings


def messages(reply: Any) -> list[str]:
    return [warning["message"] for warning in reply.json["warnings"]]


def test_an_import_says_what_the_gates_complain_of_by_line(admin: Learner) -> None:
    reply = send(admin, CHESS.replace("How does a king get to safety in one move?", "When is a king in check?"))
    assert reply.status_code == 201
    warnings = {warning["message"]: warning["line"] for warning in reply.json["warnings"]}
    assert warnings["The topic has 2 concepts; a full one has 24."] == 3
    line = 1 + CHESS.splitlines().index("    text: How does a king get to safety in one move?")
    assert warnings["This asks the same as 'chess-check'."] == line
    assert "This asks nearly the same as 'chess-castling': the cosine is 1.00." in warnings


def test_the_scorer_complains_of_an_answer_that_does_not_mention_its_concept(admin: Learner) -> None:
    body = (
        '{\n"text": "Which move of two pieces brings a king to safety?",\n"difficulty": "hard",\n'
        '"concepts": ["Castling"],\n"expected_answers": [\n"Both of them hop sideways."\n]\n}'
    )
    reply = admin.client.put(PATH, data=body, content_type="application/json", headers=admin.headers)
    assert reply.status_code == 200
    assert {"line": 6, "message": "The scorer does not see 'Castling' in this expected answer."} in reply.json[
        "warnings"
    ]


def test_an_edit_is_warned_of_its_own_faults_and_of_new_ones_of_its_topic(admin: Learner) -> None:
    reply = put(admin, {**CASTLING, "concepts": ["Check"], "subtopic": "rules"})
    told = messages(reply)
    assert "'Castling' is probed by 0 questions (none); it needs 3 over 2 difficulties." in told
    assert not any(message.startswith("'Check' is probed by 1") for message in told)
    [lineless] = [warning for warning in reply.json["warnings"] if "is probed by 0" in warning["message"]]
    assert "line" not in lineless


def test_the_scorer_is_asked_no_longer_than_a_request_may_take(any_app: Flask, admin: Learner) -> None:
    any_app.extensions[EXTENSION].authoring._timer = iter(range(0, 1000, 4)).__next__
    reply = send(admin, CHESS)
    assert messages(reply)[-1] == (
        "There was time to ask the scorer about 1 of 2 questions. `flask questions check` asks about all."
    )


# Retiring


def test_a_retired_question_is_asked_no_longer_until_it_is_restored(any_app: Flask, admin: Learner) -> None:
    first = admin.post(f"{PATH}/retire")
    assert first.status_code == 200
    assert (first.json["question"]["retired"], last_event(admin)["action"]) == (True, "retire_question")
    assert admin.post(f"{PATH}/retire").json == first.json
    pupil = sign_up(any_app, "dora")
    assert pupil.start(topics=["chess"])["question"]["id"] == "chess-check"
    restored = admin.post(f"{PATH}/restore")
    assert restored.json["revision"] == first.json["revision"] + 1
    assert (restored.json["question"]["retired"], last_event(admin)["action"]) == (False, "restore_question")
    with any_app.app_context():
        assert len(Store().bank().topic("chess").active_questions) == 2


def test_a_question_whose_concepts_are_gone_is_not_restored(any_app: Flask, admin: Learner) -> None:
    check, _, _ = CHESS[CHESS.index("  - id") :].partition("  - id: chess-castling")
    send(admin, f"topic: chess\ntitle: Chess\nconcepts:\n  - {{name: Check, subtopic: rules}}\nquestions:\n{check}")
    before = revision(any_app)
    reply = admin.post(f"{PATH}/restore")
    assert (reply.status_code, reply.json["type"]) == (409, "urn:gradus:problem:question-unfit")
    assert reply.json["detail"] == "The topic no longer has 'Castling': edit the question first."
    assert revision(any_app) == before


def test_a_question_whose_subtopic_is_gone_is_not_restored_before_it_was_edited(any_app: Flask, admin: Learner) -> None:
    admin.post(f"{PATH}/retire")
    assert send(admin, CHESS.replace("subtopic: moves", "subtopic: kings")).status_code == 201
    before = revision(any_app)
    reply = admin.post(f"{PATH}/restore")
    assert (reply.status_code, reply.json["type"]) == (409, "urn:gradus:problem:question-unfit")
    assert reply.json["detail"] == "The topic no longer has 'moves': edit the question first."
    assert revision(any_app) == before
    edited = put(admin, {**CASTLING, "subtopic": "kings"})
    assert edited.status_code == 200, edited.json
    restored = admin.post(f"{PATH}/restore")
    assert restored.status_code == 200
    assert (restored.json["question"]["subtopic"], restored.json["question"]["retired"]) == ("kings", False)


# Export


def test_an_exported_topic_can_be_imported_again_and_changes_nothing(any_app: Flask, admin: Learner) -> None:
    for topic in ("chess", "dbms"):
        reply = admin.get(f"/api/admin/topics/{topic}/export")
        assert reply.status_code == 200
        assert reply.headers["Content-Disposition"] == f'attachment; filename="{topic}.json"'
        with any_app.app_context():
            before = Store().bank().topic(topic)
        assert send(admin, reply.data, "application/json").status_code == 201
        with any_app.app_context():
            assert Store().bank().topic(topic) == before


def test_an_export_marks_what_is_not_asked_and_retires_it_again(any_app: Flask, admin: Learner) -> None:
    admin.post(f"{PATH}/retire")
    exported = admin.get("/api/admin/topics/chess/export").json
    assert [(question["id"], question["retired"]) for question in exported["questions"]] == [
        ("chess-check", False),
        ("chess-castling", True),
    ]
    assert [concept["name"] for concept in exported["concepts"]] == ["Castling", "Check"]
    with any_app.app_context():
        before = Store().bank().topic("chess")
    reply = admin.post("/api/admin/questions/import", exported)
    assert (reply.status_code, reply.json["questions"], reply.json["retired"]) == (201, 1, 0)
    with any_app.app_context():
        assert Store().bank().topic("chess") == before


def test_a_retired_question_whose_concept_is_gone_is_in_no_export(admin: Learner) -> None:
    admin.post(f"{PATH}/retire")
    check, _, _ = CHESS[CHESS.index("  - id") :].partition("  - id: chess-castling")
    send(admin, f"topic: chess\ntitle: Chess\nconcepts:\n  - {{name: Check, subtopic: rules}}\nquestions:\n{check}")
    exported = admin.get("/api/admin/topics/chess/export").json
    assert [question["id"] for question in exported["questions"]] == ["chess-check"]
    assert send(admin, json.dumps(exported), "application/json").status_code == 201
