"""Bad input gets the contract's error and changes nothing."""

from typing import Any

import pytest

from embeddings import ModelBusy, ModelServerDown, ModelUnavailable
from tests.conftest import Learner
from tests.fakes import WordEncoder

PROBLEM_FIELDS = {"type", "title", "status", "detail", "instance", "request_id"}


def refused(reply: Any, status: int, *pointers: str) -> None:
    assert reply.status_code == status, reply.get_data(as_text=True)
    assert reply.content_type == "application/problem+json"
    body = reply.json
    assert body.keys() >= PROBLEM_FIELDS
    assert body["status"] == status
    assert body["request_id"] == reply.headers["X-Request-ID"]
    assert {error["pointer"] for error in body.get("errors", [])} == set(pointers)


def test_an_unknown_address_is_404(learner: Learner) -> None:
    refused(learner.get("/api/nothing"), 404)


def test_a_wrong_method_is_405_and_names_the_right_ones(learner: Learner) -> None:
    reply = learner.client.delete("/api/topics")
    refused(reply, 405)
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_a_wrong_method_is_405_whatever_the_content_type(learner: Learner) -> None:
    refused(learner.client.post("/api/topics", data="x", content_type="text/plain"), 405)
    refused(learner.client.post("/api/nothing", data="x", content_type="text/plain"), 404)


def test_authentication_is_checked_before_the_body(learner: Learner) -> None:
    reply = learner.client.post("/api/user/reset_mastery", data="{broken", content_type="application/json")
    refused(reply, 401)
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("body", ["{broken", '{"topic": NaN}', '{"topic": "\\ud800"}', "[" * 5000])
def test_broken_json_is_400(learner: Learner, body: str) -> None:
    reply = learner.client.post(
        "/api/user/reset_mastery", data=body, content_type="application/json", headers=learner.headers
    )
    refused(reply, 400)


def test_another_content_type_is_415(learner: Learner) -> None:
    reply = learner.client.post(
        "/api/user/reset_mastery", data="topic=all", content_type="text/plain", headers=learner.headers
    )
    refused(reply, 415)


def test_a_body_over_64_kib_is_413(learner: Learner) -> None:
    refused(learner.post("/api/user/reset_mastery", {"topic": "x" * 70_000}), 413)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], ["#"]),
        ({}, ["#/topic"]),
        ({"topic": None}, ["#/topic"]),
        ({"topic": 7}, ["#/topic"]),
        ({"topic": ""}, ["#/topic"]),
        ({"topic": "x" * 65}, ["#/topic"]),
        ({"topic": "a\x00b"}, ["#/topic"]),
        ({"topic": "dbms", "more": 1}, ["#/more"]),
    ],
)
def test_a_reset_that_does_not_fit_is_422(learner: Learner, body: Any, pointers: list[str]) -> None:
    refused(learner.post("/api/user/reset_mastery", body), 422, *pointers)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"session_type": "exam"}, ["#/session_type"]),
        ({"topics": "dbms"}, ["#/topics"]),
        ({"topics": []}, ["#/topics"]),
        ({"topics": ["dbms", 3]}, ["#/topics/1"]),
        ({"topics": ["all"]}, ["#/topics"]),
        ({"topics": ["alchemy"]}, ["#/topics"]),
        ({"max_questions": 0}, ["#/max_questions"]),
        ({"max_questions": 51}, ["#/max_questions"]),
        ({"max_questions": 1.5}, ["#/max_questions"]),
        ({"max_questions": "5"}, ["#/max_questions"]),
        ({"max_questions": True}, ["#/max_questions"]),
        ({"max_minutes": 181}, ["#/max_minutes"]),
        ({"limit": 5}, ["#/limit"]),
    ],
)
def test_a_session_that_does_not_fit_is_422(learner: Learner, body: Any, pointers: list[str]) -> None:
    refused(learner.post("/api/adaptive/sessions", body), 422, *pointers)
    assert learner.get("/api/sessions").json["sessions"] == []


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"question_id": None}, ["#/question_id"]),
        ({"question_id": ["x"]}, ["#/question_id"]),
        ({"answer": 5}, ["#/answer"]),
        ({"answer": None}, ["#/answer"]),
        ({"answer": "x" * 8001}, ["#/answer"]),
        ({"answer": "a\x00b"}, ["#/answer"]),
        ({"response_time": -1}, ["#/response_time"]),
        ({"response_time": "5"}, ["#/response_time"]),
        ({"response_time": True}, ["#/response_time"]),
        ({"score": 1.0}, ["#/score"]),
    ],
)
def test_an_answer_that_does_not_fit_is_422_and_not_recorded(
    learner: Learner, change: dict[str, Any], pointers: list[str]
) -> None:
    started = learner.start(topics=["dbms"])
    path = f"/api/adaptive/sessions/{started['session']['id']}"
    body = {"question_id": started["question"]["id"], "answer": "A lock.", **change}
    refused(learner.post(f"{path}/answers", body), 422, *pointers)
    after = learner.get(path).json
    assert after["question"] == started["question"]
    assert after["attempts"] == []
    assert learner.get("/api/user/progress").json["topics"] == {}


def test_an_infinite_number_is_refused(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    question_id = started["question"]["id"]
    body = f'{{"question_id": "{question_id}", "answer": "x", "response_time": 1e999}}'
    reply = learner.client.post(
        f"/api/adaptive/sessions/{started['session']['id']}/answers",
        data=body,
        content_type="application/json",
        headers=learner.headers,
    )
    assert reply.status_code in (400, 422)
    assert learner.get("/api/user/progress").json["topics"] == {}


@pytest.mark.parametrize("question_id", ["no-such-question", 12345])
def test_a_question_that_is_not_open_is_409_and_nothing_is_recorded(learner: Learner, question_id: object) -> None:
    started = learner.start(topics=["dbms"])
    path = f"/api/adaptive/sessions/{started['session']['id']}"
    refused(learner.post(f"{path}/answers", {"question_id": question_id, "answer": "A lock."}), 409)
    assert learner.get(path).json["question"] == started["question"]


def test_a_question_can_be_answered_once(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    session_id = started["session"]["id"]
    assert learner.answer(session_id, started["question"], "A lock.").status_code == 201
    refused(learner.answer(session_id, started["question"], "A lock."), 409)
    assert learner.get("/api/user/progress").json["topics"]["dbms"]["questions_attempted"] == 1


def test_a_finished_session_takes_no_answer(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    session_id = started["session"]["id"]
    learner.post(f"/api/adaptive/sessions/{session_id}/finish")
    refused(learner.answer(session_id, started["question"], "A lock."), 409)


@pytest.mark.parametrize("session_id", [1, 0, 2**63 - 1, 2**63, 10**30])
def test_a_session_that_does_not_exist_is_404(learner: Learner, session_id: int) -> None:
    refused(learner.get(f"/api/adaptive/sessions/{session_id}"), 404)
    refused(learner.get(f"/api/sessions/{session_id}"), 404)
    refused(learner.post(f"/api/adaptive/sessions/{session_id}/finish"), 404)
    refused(learner.answer(session_id, {"id": "x"}, "A lock."), 404)


def test_another_learners_session_is_404_and_stays_as_it_is(learner: Learner, stranger: Learner) -> None:
    started = learner.start(topics=["dbms"])
    session_id = started["session"]["id"]
    refused(stranger.get(f"/api/adaptive/sessions/{session_id}"), 404)
    refused(stranger.get(f"/api/sessions/{session_id}"), 404)
    refused(stranger.post(f"/api/adaptive/sessions/{session_id}/finish"), 404)
    refused(stranger.answer(session_id, started["question"], "A lock."), 404)
    assert learner.get(f"/api/adaptive/sessions/{session_id}").json["session"]["status"] == "active"
    assert stranger.get("/api/user/progress").json["topics"] == {}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "type=exam", "cursor=x", "cursor=MTIz", "cursor=%00", "limit=5&limit=6"],
)
def test_a_list_query_that_does_not_fit_is_422(learner: Learner, query: str) -> None:
    refused(learner.get(f"/api/sessions?{query}"), 422, f"#/query/{query.partition('=')[0]}")


def test_an_error_inside_says_nothing_of_the_inside(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("secret detail")

    learner.client.application.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr("store.Store.signed_in_with_masteries", fail)
    reply = learner.get("/api/user/progress")
    refused(reply, 500)
    assert "secret" not in reply.get_data(as_text=True)


@pytest.mark.parametrize("given", ["0123456789abcdef", "A-b-C-d-1"])
def test_a_request_id_is_taken_over(learner: Learner, given: str) -> None:
    reply = learner.client.get("/healthz", headers={"X-Request-ID": given})
    assert reply.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["short", "with space in it", "x" * 65, "semi;colon"])
def test_a_request_id_of_another_form_is_replaced(learner: Learner, given: str) -> None:
    reply = learner.client.get("/healthz", headers={"X-Request-ID": given})
    assert reply.headers["X-Request-ID"] != given
    assert len(reply.headers["X-Request-ID"]) == 32


def test_an_empty_query_value_counts_as_none(learner: Learner) -> None:
    reply = learner.get("/api/sessions?type=&cursor=")
    assert reply.json == {"sessions": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("error", "seconds"), [(ModelUnavailable, "30"), (ModelServerDown, "5"), (ModelBusy, "1")], ids=lambda one: str(one)
)
def test_each_failure_of_the_model_says_when_to_come_back(
    learner: Learner, encoder: WordEncoder, error: type[ModelUnavailable], seconds: str, monkeypatch: Any
) -> None:
    started = learner.start(topics=["dbms"])

    def fail() -> None:
        raise error("No.")

    monkeypatch.setattr(encoder, "load", fail)
    reply = learner.answer(started["session"]["id"], started["question"], "A lock.")
    refused(reply, 503)
    assert (reply.headers["Retry-After"], reply.json["detail"]) == (seconds, "No.")
