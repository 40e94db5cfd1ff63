"""Practising over HTTP."""

from typing import Any

import pytest
from flask import Flask

from question_bank import QuestionBank
from tests.conftest import Learner, sign_up
from tests.delivered import delivered_topics
from tests.fakes import Clock, WordEncoder
from tests.test_api_errors import refused

QUESTION_FIELDS = {"id", "topic", "subtopic", "text", "difficulty", "concepts_count", "asked_at"}
ATTEMPT_FIELDS = {
    "id",
    "semantic_score",
    "keyword_score",
    "combined_score",
    "correct",
    "response_time",
    "matched_keywords",
    "missed_keywords",
    "mentioned_concepts",
    "missed_concepts",
    "flags",
    "estimated_grade",
    "grounds",
    "expected_answer",
    "scorer",
    "policy",
}
CHANGE_FIELDS = {"before", "after", "velocity", "difficulty_before", "difficulty_after", "explanation"}


@pytest.fixture(scope="module")
def bank() -> QuestionBank:
    return QuestionBank(delivered_topics())


def test_a_session_starts_with_a_question_and_no_hint_of_its_answer(learner: Learner, bank: QuestionBank) -> None:
    started = learner.start()
    assert started.keys() == {"session", "question"}
    assert started["question"].keys() == QUESTION_FIELDS
    session = started["session"]
    assert (session["session_type"], session["status"]) == ("technical", "active")
    assert (session["max_questions"], session["max_minutes"]) == (15, 30)
    assert sorted(session["topics"]) == sorted(bank.topics)
    assert started["question"]["text"] == bank.question(started["question"]["id"]).text


def test_a_session_can_be_started_without_a_body(learner: Learner) -> None:
    reply = learner.client.post("/api/adaptive/sessions", headers=learner.headers)
    assert reply.status_code == 201


def test_the_expected_answer_in_full_is_a_good_answer(any_app: Flask, bank: QuestionBank) -> None:
    learner = sign_up(any_app)
    started = learner.start(topics=["dbms"])
    question = bank.question(started["question"]["id"])
    reply = learner.answer(started["session"]["id"], started["question"], question.expected_answers[0])
    assert reply.status_code == 201
    outcome = reply.json
    assert outcome.keys() == {"attempt", "mastery", "feedback", "action", "next_question", "session"}
    assert outcome["attempt"].keys() == ATTEMPT_FIELDS
    assert outcome["mastery"].keys() == CHANGE_FIELDS
    assert outcome["next_question"].keys() == QUESTION_FIELDS
    attempt = outcome["attempt"]
    assert (attempt["semantic_score"], attempt["keyword_score"], attempt["combined_score"]) == (1.0, 1.0, 1.0)
    assert attempt["correct"] is True
    assert attempt["missed_concepts"] == attempt["missed_keywords"] == attempt["flags"] == []
    assert len(attempt["mentioned_concepts"]) == started["question"]["concepts_count"]
    assert (attempt["scorer"], attempt["policy"]) == ("words/test", "reference/1")
    assert (outcome["mastery"]["before"], outcome["mastery"]["after"], outcome["mastery"]["velocity"]) == (0, 0.3, 0.3)


@pytest.mark.parametrize("silence", ["", "   ", "I don't know", "I don't know.", "IDK", "no idea, sorry", "?!"])
def test_silence_is_an_attempt_with_nothing_in_it(learner: Learner, silence: str) -> None:
    started = learner.start(topics=["dbms"])
    reply = learner.answer(started["session"]["id"], started["question"], silence)
    assert reply.status_code == 201
    attempt = reply.json["attempt"]
    assert (attempt["semantic_score"], attempt["keyword_score"], attempt["combined_score"]) == (0, 0, 0)
    assert attempt["mentioned_concepts"] == attempt["matched_keywords"] == []
    assert len(attempt["missed_concepts"]) == started["question"]["concepts_count"]
    assert [flag["name"] for flag in attempt["flags"]] == ["no_answer"]


def test_an_answer_of_8000_characters_is_taken(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    assert learner.answer(started["session"]["id"], started["question"], "é" * 8000).status_code == 201


def test_the_response_time_is_the_clients_or_else_the_servers(learner: Learner, clock: Clock) -> None:
    started = learner.start(topics=["dbms"])
    session_id = started["session"]["id"]
    first = learner.answer(session_id, started["question"], "A lock.", response_time=38.5).json
    clock.advance(12)
    second = learner.answer(session_id, first["next_question"], "A lock.").json
    third = learner.answer(session_id, second["next_question"], "A lock.", response_time=None).json
    fourth = learner.answer(session_id, third["next_question"], "A lock.", response_time=99999).json
    times = [outcome["attempt"]["response_time"] for outcome in (first, second, third, fourth)]
    assert times == [38.5, 12.0, 0.0, 3600.0]


def test_a_session_can_be_resumed_by_another_process(learner: Learner, make_app: Any, sqlite_url: str) -> None:
    started = learner.start(topics=["dbms"])
    session_id = started["session"]["id"]
    outcome = learner.answer(session_id, started["question"], "A lock.").json
    elsewhere = Learner(make_app(sqlite_url).test_client(), learner.tokens)
    resumed = elsewhere.get(f"/api/adaptive/sessions/{session_id}").json
    assert resumed.keys() == {"session", "question", "attempts"}
    assert resumed["session"] == outcome["session"]
    assert resumed["question"] == outcome["next_question"]
    assert [attempt["id"] for attempt in resumed["attempts"]] == [outcome["attempt"]["id"]]
    assert elsewhere.answer(session_id, resumed["question"], "A log.").status_code == 201


def test_the_last_answer_finalizes_with_a_summary(learner: Learner) -> None:
    started = learner.start(topics=["dbms"], max_questions=1)
    outcome = learner.answer(started["session"]["id"], started["question"], "A lock.").json
    assert outcome["action"] == "FINALIZE"
    assert outcome["next_question"] is None
    session = outcome["session"]
    assert session["status"] == "completed"
    assert session["score"] == pytest.approx(100 * outcome["attempt"]["combined_score"], abs=0.1)
    assert session["summary"]["questions"] == 1
    assert session["summary"]["topics"][0]["mastery_after"] == outcome["mastery"]["after"]
    assert session["feedback"]


def test_finishing_gives_the_summary_and_twice_the_same(learner: Learner, clock: Clock) -> None:
    started = learner.start(topics=["dbms"])
    session_id = started["session"]["id"]
    learner.answer(session_id, started["question"], "A lock.")
    clock.advance(20)
    first = learner.post(f"/api/adaptive/sessions/{session_id}/finish")
    clock.advance(20)
    second = learner.post(f"/api/adaptive/sessions/{session_id}/finish")
    assert first.status_code == second.status_code == 200
    assert first.json == second.json
    assert first.json["summary"]["questions"] == 1
    assert first.json["summary"]["duration"] == 20.0


def test_a_session_finished_without_an_answer_has_no_score(learner: Learner) -> None:
    session_id = learner.start(topics=["dbms"])["session"]["id"]
    finished = learner.post(f"/api/adaptive/sessions/{session_id}/finish").json
    assert finished["session"]["score"] is None
    assert finished["session"]["feedback"] == "No question was answered in this session."


def test_without_the_model_answers_get_503_and_nothing_is_recorded(learner: Learner, encoder: WordEncoder) -> None:
    started = learner.start(topics=["dbms"])
    path = f"/api/adaptive/sessions/{started['session']['id']}"
    encoder.down = "The embedding model cannot be loaded: it is not there."
    reply = learner.answer(started["session"]["id"], started["question"], "A lock.")
    refused(reply, 503)
    assert reply.headers["Retry-After"] == "30"
    assert reply.json["detail"] == "The embedding model cannot be loaded: it is not there."
    resumed = learner.get(path)
    assert (resumed.status_code, resumed.json["attempts"], resumed.json["question"]) == (200, [], started["question"])
    assert learner.get("/api/user/progress").json["topics"] == {}
    encoder.down = ""
    assert learner.answer(started["session"]["id"], started["question"], "A lock.").status_code == 201


def test_expected_answers_are_encoded_once(learner: Learner, stranger: Learner, encoder: WordEncoder) -> None:
    for one in (learner, stranger):
        question = one.start(topics=["dbms"], max_questions=50)
        session_id, question = question["session"]["id"], question["question"]
        while question is not None:
            question = one.answer(session_id, question, "A lock and a log.").json["next_question"]
    expected = [text for text in encoder.encoded if text != "A lock and a log."]
    assert len(expected) == len(set(expected))


def test_the_history_lists_sessions_newest_first_by_cursor(learner: Learner, clock: Clock) -> None:
    started = []
    for number in range(5):
        started.append(learner.start(topics=["dbms"], session_type="mock" if number % 2 else "technical"))
        clock.advance(60)
    expected = [one["session"]["id"] for one in reversed(started)]
    path, found = "/api/sessions?limit=2", []
    while path:
        reply = learner.get(path)
        found += [session["id"] for session in reply.json["sessions"]]
        link = reply.headers.get("Link", "")
        assert bool(link) == (reply.json["next_cursor"] is not None)
        path = link.partition("<")[2].partition(">")[0]
    assert found == expected
    assert {session["id"] for session in learner.get("/api/sessions?type=mock").json["sessions"]} == set(expected[1::2])
    assert learner.get("/api/sessions?type=coding").json == {"sessions": [], "next_cursor": None}


def test_a_session_of_the_history_has_the_contracts_fields_and_its_attempts(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    outcome = learner.answer(started["session"]["id"], started["question"], "A lock.").json
    listed = learner.get("/api/sessions").json["sessions"][0]
    assert listed.keys() == {
        "id",
        "session_type",
        "topic",
        "score",
        "duration",
        "created_at",
        "completed_at",
        "questions_count",
        "feedback",
    }
    assert (listed["topic"], listed["questions_count"], listed["completed_at"]) == ("dbms", 1, None)
    detail = learner.get(f"/api/sessions/{listed['id']}").json
    logged = detail["attempts"][0]
    assert {field: logged[field] for field in ATTEMPT_FIELDS} == outcome["attempt"]
    assert logged["answer"] == "A lock."
    assert (logged["mastery_before"], logged["mastery_after"]) == (0.0, outcome["mastery"]["after"])
