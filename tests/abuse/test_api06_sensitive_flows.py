"""API6, unrestricted access to sensitive business flows: mastery cannot be farmed, passwords cannot be tried out."""

from collections.abc import Callable

from flask import Flask

from tests.conftest import PASSWORD, Learner, sign_up


def test_a_question_counts_once_in_a_session(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    session_id, question = started["session"]["id"], started["question"]
    expected = learner.answer(session_id, question, "I don't know").json["attempt"]["expected_answer"]
    assert learner.answer(session_id, question, expected).status_code == 409
    assert learner.get("/api/user/progress").json["overall"]["total_questions"] == 1


def test_an_expected_answer_that_was_shown_earns_nothing_when_it_is_handed_back(learner: Learner) -> None:
    started = learner.start(topics=["dbms"], max_questions=50)
    session_id, question, shown = started["session"]["id"], started["question"], ""
    for number in range(8):
        reply = learner.answer(session_id, question, shown or "I don't know").json
        attempt, question = reply["attempt"], reply["next_question"]
        shown = attempt["expected_answer"]
        assert (attempt["combined_score"], attempt["correct"]) == (0, False)
        assert "copied" in [flag["name"] for flag in attempt["flags"]] or number == 0


def test_passwords_cannot_be_tried_out_from_one_place(make_app: Callable[..., Flask], sqlite_url: str) -> None:
    app = make_app(sqlite_url, limited=True)
    client = sign_up(app, "ada").client
    tried = [client.post("/api/auth/login", json={"login": "ada", "password": f"guess {n} of many"}) for n in range(20)]
    assert [reply.status_code for reply in tried] == [401] * 5 + [429] * 15
    assert client.post("/api/auth/login", json={"login": "ada", "password": PASSWORD}).status_code == 429


def test_registering_tells_nobody_more_than_that_a_name_is_taken(app: Flask) -> None:
    sign_up(app, "ada")
    body = {"username": "ada", "email": "other@example.com", "password": PASSWORD}
    reply = app.test_client().post("/api/auth/register", json=body)
    assert reply.status_code == 409
    assert "ada@example.com" not in reply.get_data(as_text=True)
