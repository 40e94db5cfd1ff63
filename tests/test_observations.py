"""Clients that ask their own questions: answers are scored, and recorded like any other."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from bank_tables import ExpectedVector
from mastery import GUIDE
from models import Attempt, InterviewSession, UserMastery, db
from tests.conftest import Learner, sign_up
from tests.fakes import Clock, WordEncoder
from tests.test_api_errors import refused
from tests.test_api_practice import ATTEMPT_FIELDS, CHANGE_FIELDS

SCORE, OBSERVE = "/api/adaptive/score", "/api/adaptive/observations"
EXPECTED = "A deadlock is a circular wait for locks."
ANSWER = {"answer": EXPECTED, "expected_answers": [EXPECTED]}
SCORES = {"semantic_score": 0.8, "keyword_score": 0.5}
SEEN = {"topic": "alchemy", "concepts": ["Deadlock", "Lock"]}


def score(learner: Learner, **body: Any) -> dict[str, Any]:
    reply = learner.post(SCORE, body)
    assert reply.status_code == 200, reply.json
    return dict(reply.json or {})


def observe(learner: Learner, **body: Any) -> dict[str, Any]:
    reply = learner.post(OBSERVE, {**SEEN, **body})
    assert reply.status_code == 201, reply.json
    return dict(reply.json or {})


def mastery_of(learner: Learner, topic: str = "alchemy") -> dict[str, Any]:
    return dict(learner.get(f"/api/adaptive/mastery/{topic}").json or {})


def nothing_recorded(learner: Learner) -> None:
    assert learner.get("/api/user/progress").json["topics"] == {}
    with learner.client.application.app_context():
        assert db.session.scalar(select(func.count()).select_from(Attempt)) == 0


# Scoring


def test_an_answer_is_scored_in_every_field_and_nothing_is_recorded(any_app: Flask) -> None:
    learner = sign_up(any_app)
    found = score(
        learner,
        question="What is a deadlock?",
        answer="Each waits for the lock of the other.",
        expected_answers=["Something else entirely.", EXPECTED],
        keywords=["lock", "circular wait"],
        concepts=["Lock", "Starvation"],
    )
    semantic = found["semantic_score"]
    assert 0.0 < semantic < 1.0
    assert found == {
        "semantic_score": semantic,
        "keyword_score": 0.5,
        "combined_score": pytest.approx(0.7 * semantic + 0.3 * 0.5, abs=0.001),
        "correct": False,
        "matched_keywords": ["lock"],
        "missed_keywords": ["circular wait"],
        "mentioned_concepts": ["Lock"],
        "missed_concepts": ["Starvation"],
        "flags": [],
        "estimated_grade": found["estimated_grade"],
        "grounds": {
            "cosine": semantic,
            "key_terms": [
                {"term": "lock", "credit": 1.0, "match": "word", "found_as": "lock"},
                {"term": "circular wait", "credit": 0.0, "match": "none", "found_as": ""},
            ],
            "best_sentence": "Each waits for the lock of the other.",
        },
        "expected_answer": EXPECTED,
        "scorer": "words/test",
        "policy": "reference/1",
    }
    assert 0.0 < found["estimated_grade"] < 1.0
    nothing_recorded(learner)


def test_the_expected_answer_itself_is_perfect(learner: Learner) -> None:
    found = score(learner, **ANSWER)
    assert (found["semantic_score"], found["keyword_score"], found["combined_score"]) == (1.0, 1.0, 1.0)
    assert found["correct"] is True


def test_words_of_the_question_are_no_key_terms(learner: Learner) -> None:
    found = score(
        learner, answer="A circle.", expected_answers=["A deadlock is a circle."], question="What is deadlock?"
    )
    assert (found["matched_keywords"], found["missed_keywords"]) == (["circle"], [])


@pytest.mark.parametrize("silence", ["", " ", "I don't know."])
def test_silence_scores_nothing_and_says_so(learner: Learner, encoder: WordEncoder, silence: str) -> None:
    encoder.encoded.clear()
    found = score(learner, answer=silence, expected_answers=[EXPECTED], concepts=["Lock"])
    assert (found["semantic_score"], found["keyword_score"], found["missed_concepts"]) == (0.0, 0.0, ["Lock"])
    assert found["flags"] == [
        {"name": "no_answer", "factor": 0.0, "effect": "Both scores are 0, because nothing was answered."}
    ]
    assert encoder.encoded == []


def test_the_policy_in_force_scores(make_app: Any, sqlite_url: str) -> None:
    learner = sign_up(make_app(sqlite_url, GUIDE))
    found = score(learner, answer="Locks.", expected_answers=[EXPECTED], keywords=["lock", "wait"])
    assert found["combined_score"] == pytest.approx(0.6 * found["semantic_score"] + 0.4 * 0.5, abs=0.001)
    assert found["policy"] == "guide/1"


def test_what_a_client_expects_is_kept_nowhere(learner: Learner, app: Flask) -> None:
    with app.app_context():
        before = db.session.scalar(select(func.count()).select_from(ExpectedVector))
    score(learner, **ANSWER)
    observe(learner, **ANSWER)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(ExpectedVector)) == before


def test_the_longest_texts_are_taken(learner: Learner) -> None:
    found = score(
        learner,
        question="q" * 4000,
        answer="a" * 8000,
        expected_answers=["e" * 8000],
        keywords=["k" * 100] * 50,
        concepts=["c" * 100] * 50,
    )
    assert found["missed_concepts"] == ["c" * 100]
    assert score(learner, answer="", expected_answers=["e"] * 10)["expected_answer"] == "e"


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"answer": None}, ["#/answer"]),
        ({"answer": 5}, ["#/answer"]),
        ({"answer": "x" * 8001}, ["#/answer"]),
        ({"answer": "a\x00b"}, ["#/answer"]),
        ({"expected_answers": None}, ["#/expected_answers"]),
        ({"expected_answers": []}, ["#/expected_answers"]),
        ({"expected_answers": EXPECTED}, ["#/expected_answers"]),
        ({"expected_answers": [EXPECTED] * 11}, ["#/expected_answers"]),
        ({"expected_answers": [EXPECTED, "x" * 8001]}, ["#/expected_answers/1"]),
        ({"expected_answers": [""]}, ["#/expected_answers/0"]),
        ({"expected_answers": ["?!"]}, ["#/expected_answers/0"]),
        ({"expected_answers": [7]}, ["#/expected_answers/0"]),
        ({"question": "x" * 4001}, ["#/question"]),
        ({"question": 1}, ["#/question"]),
        ({"keywords": "lock"}, ["#/keywords"]),
        ({"keywords": ["lock", ""]}, ["#/keywords/1"]),
        ({"keywords": ["x" * 101]}, ["#/keywords/0"]),
        ({"keywords": ["x"] * 51}, ["#/keywords"]),
        ({"concepts": [{"name": "Lock"}]}, ["#/concepts/0"]),
        ({"concepts": ["x" * 101]}, ["#/concepts/0"]),
        ({"concepts": ["x"] * 51}, ["#/concepts"]),
        ({"topic": "dbms"}, ["#/topic"]),
    ],
)
def test_a_score_request_that_does_not_fit_is_422(
    learner: Learner, change: dict[str, Any], pointers: list[str]
) -> None:
    refused(learner.post(SCORE, {**ANSWER, **change}), 422, *pointers)


def test_both_fields_of_a_score_request_are_needed(learner: Learner) -> None:
    refused(learner.post(SCORE, {}), 422, "#/answer", "#/expected_answers")


# Observing


def test_an_observed_answer_comes_back_as_any_answer_does(any_app: Flask) -> None:
    learner = sign_up(any_app)
    outcome = observe(
        learner,
        **ANSWER,
        question="What is it called?",
        keywords=["circular wait", "timeout"],
        concepts=["Deadlock", "Starvation"],
        response_time=12.5,
        difficulty="hard",
    )
    assert outcome.keys() == {"attempt", "mastery", "feedback"}
    assert outcome["attempt"].keys() == ATTEMPT_FIELDS
    assert outcome["mastery"].keys() == CHANGE_FIELDS
    attempt = outcome["attempt"]
    assert attempt == {
        "id": attempt["id"],
        "semantic_score": 1.0,
        "keyword_score": 0.5,
        "combined_score": 0.85,
        "correct": False,
        "response_time": 12.5,
        "matched_keywords": ["circular wait"],
        "missed_keywords": ["timeout"],
        "mentioned_concepts": ["Deadlock"],
        "missed_concepts": ["Starvation"],
        "flags": [],
        "estimated_grade": 1.0,
        "grounds": {
            "cosine": 1.0,
            "key_terms": [
                {"term": "circular wait", "credit": 1.0, "match": "word", "found_as": "circular wait"},
                {"term": "timeout", "credit": 0.0, "match": "none", "found_as": ""},
            ],
            "best_sentence": EXPECTED,
        },
        "expected_answer": EXPECTED,
        "scorer": "words/test",
        "policy": "reference/1",
    }
    # 0.3 × 1 × 0.7 + 0.3 × 0.5 × 0.3 = 0.255
    assert (outcome["mastery"]["before"], outcome["mastery"]["after"], outcome["mastery"]["velocity"]) == (
        0,
        0.255,
        0.255,
    )
    assert "0.3 × 1.000 + 0.7 × 0.000 = 0.300" in outcome["mastery"]["explanation"]
    assert "timeout" in outcome["feedback"]


def test_the_attempt_is_kept_with_what_was_asked_and_answered(any_app: Flask, clock: Clock) -> None:
    learner = sign_up(any_app)
    observe(learner, **ANSWER, question="What is it called?", difficulty="hard")
    with any_app.app_context():
        attempt = db.session.scalars(select(Attempt)).one()
        assert (attempt.user_id, attempt.topic, attempt.session_id, attempt.question_id) == (
            learner.id,
            "alchemy",
            None,
            None,
        )
        assert (attempt.question, attempt.answer, attempt.difficulty) == ("What is it called?", EXPECTED, "hard")
        assert attempt.created_at == clock()
        assert db.session.scalar(select(func.count()).select_from(InterviewSession)) == 0


def test_given_scores_are_recorded_as_they_are(any_app: Flask) -> None:
    learner = sign_up(any_app)
    outcome = observe(learner, **SCORES, mentioned_concepts=["Lock"])
    attempt = outcome["attempt"]
    assert (attempt["semantic_score"], attempt["keyword_score"], attempt["combined_score"]) == (0.8, 0.5, 0.71)
    assert (attempt["scorer"], attempt["expected_answer"], attempt["response_time"]) == ("client", "", 0.0)
    assert (attempt["mentioned_concepts"], attempt["missed_concepts"]) == (["Lock"], ["Deadlock"])
    assert attempt["matched_keywords"] == attempt["missed_keywords"] == attempt["flags"] == []
    assert attempt["correct"] is False


def test_the_figures_follow_the_policy(any_app: Flask, clock: Clock) -> None:
    learner = sign_up(any_app)
    observe(learner, semantic_score=1.0, keyword_score=0.7, mentioned_concepts=["Lock"], response_time=10)
    clock.advance(60)
    second = observe(learner, semantic_score=0.5, keyword_score=0.2, mentioned_concepts=["Lock"], response_time=20)
    # semantic 0.3 → 0.36, keyword 0.21 → 0.207, mastery 0.273 → 0.7 × 0.36 + 0.3 × 0.207 = 0.3141
    assert (second["mastery"]["before"], second["mastery"]["after"], second["mastery"]["velocity"]) == (
        0.273,
        0.314,
        0.041,
    )
    view = mastery_of(learner)
    figures = view["mastery"]
    assert (figures["semantic_avg"], figures["keyword_avg"], figures["mastery_level"]) == (0.36, 0.207, 0.314)
    assert (figures["questions_attempted"], figures["correct_count"], figures["sessions_attempted"]) == (2, 1, 0)
    assert figures["avg_response_time"] == pytest.approx(0.3 * 20 + 0.7 * 3)
    assert figures["concept_stagnation"] == {"Deadlock": 2}
    assert figures["weak_concepts"] == ["Deadlock"]
    lock, deadlock = view["concepts"]["Lock"], view["concepts"]["Deadlock"]
    assert (lock["mastery_level"], lock["times_mentioned"], lock["attempts"]) == (0.2, 2, 2)
    assert (deadlock["mastery_level"], deadlock["times_missed_when_sampled"], deadlock["priority_score"]) == (0, 2, 1)


def test_observations_and_sessions_share_one_record(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    assert learner.answer(started["session"]["id"], started["question"], "A lock.").status_code == 201
    observe(learner, **SCORES, topic="dbms")
    figures = mastery_of(learner, "dbms")["mastery"]
    assert (figures["questions_attempted"], figures["sessions_attempted"]) == (2, 1)


def test_silence_is_observed_as_missing_everything_whatever_the_client_heard(learner: Learner) -> None:
    outcome = observe(learner, answer="I don't know", expected_answers=[EXPECTED], mentioned_concepts=["Lock"])
    attempt = outcome["attempt"]
    assert (attempt["semantic_score"], attempt["keyword_score"]) == (0.0, 0.0)
    assert (attempt["mentioned_concepts"], attempt["missed_concepts"]) == ([], ["Deadlock", "Lock"])
    assert [flag["name"] for flag in attempt["flags"]] == ["no_answer"]


# Concepts


def test_concepts_are_looked_for_in_the_answer_unless_the_client_says_which(learner: Learner) -> None:
    found = observe(learner, **ANSWER, concepts=["Deadlock", "Starvation"])["attempt"]
    told = observe(learner, **ANSWER, concepts=["Deadlock", "Starvation"], mentioned_concepts=["Starvation"])["attempt"]
    none = observe(learner, **ANSWER, concepts=["Deadlock", "Starvation"], mentioned_concepts=[])["attempt"]
    assert (found["mentioned_concepts"], found["missed_concepts"]) == (["Deadlock"], ["Starvation"])
    assert (told["mentioned_concepts"], told["missed_concepts"]) == (["Starvation"], ["Deadlock"])
    assert (none["mentioned_concepts"], none["missed_concepts"]) == ([], ["Deadlock", "Starvation"])


def test_without_an_answer_no_concept_is_mentioned_unless_the_client_says_so(learner: Learner) -> None:
    assert observe(learner, **SCORES)["attempt"]["missed_concepts"] == ["Deadlock", "Lock"]


def test_a_concept_of_the_bank_is_found_by_its_aliases(learner: Learner) -> None:
    body = {"answer": "They are in a deadly embrace.", "expected_answers": [EXPECTED], "concepts": ["Deadlock"]}
    assert observe(learner, topic="dbms", **body)["attempt"]["mentioned_concepts"] == ["Deadlock"]
    assert observe(learner, topic="alchemy", **body)["attempt"]["mentioned_concepts"] == []


def test_a_concept_that_stands_twice_counts_once(learner: Learner) -> None:
    observe(learner, **SCORES, concepts=["Lock", "Lock"])
    observe(learner, **ANSWER, concepts=["Lock", "Lock"])
    assert mastery_of(learner)["concepts"]["Lock"]["attempts"] == 2


def test_fifty_concepts_are_taken(learner: Learner) -> None:
    names = [f"concept {number}" for number in range(50)]
    assert observe(learner, **SCORES, concepts=names)["attempt"]["missed_concepts"] == names


# Defaults


def test_the_difficulty_is_the_topics_where_the_client_gives_none(learner: Learner, app: Flask) -> None:
    for difficulty in (None, "easy", None):
        observe(learner, semantic_score=0.1, keyword_score=0.1, difficulty=difficulty)
    with app.app_context():
        attempts = db.session.scalars(select(Attempt).order_by(Attempt.ordinal)).all()
    assert [attempt.difficulty for attempt in attempts] == ["medium", "easy", "easy"]
    assert [attempt.difficulty_before for attempt in attempts] == ["medium", "medium", "easy"]


def test_null_is_the_same_as_nothing(learner: Learner) -> None:
    outcome = observe(
        learner,
        **SCORES,
        answer=None,
        expected_answers=None,
        mentioned_concepts=None,
        response_time=None,
        difficulty=None,
    )
    assert outcome["attempt"]["scorer"] == "client"


@pytest.mark.parametrize(("given", "kept"), [(0, 0.0), (12, 12.0), (99999.5, 3600.0)])
def test_the_response_time_is_capped(learner: Learner, given: float, kept: float) -> None:
    assert observe(learner, **SCORES, response_time=given)["attempt"]["response_time"] == kept


@pytest.mark.parametrize("edge", [0, 1, 0.0, 1.0])
def test_scores_at_the_edges_are_taken(learner: Learner, edge: float) -> None:
    assert observe(learner, semantic_score=edge, keyword_score=edge)["attempt"]["combined_score"] == edge


@pytest.mark.parametrize("topic", ["x" * 64, "System design", "Überblick", "ALL", "all about locks"])
def test_a_topic_need_not_be_in_the_bank(learner: Learner, topic: str) -> None:
    observe(learner, **SCORES, topic=topic)
    assert mastery_of(learner, topic)["exists"] is True


# Refusals


@pytest.mark.parametrize(
    ("form", "pointers"),
    [
        ({}, ["#/answer", "#/expected_answers", "#/semantic_score", "#/keyword_score"]),
        ({"answer": EXPECTED}, ["#/expected_answers"]),
        ({"expected_answers": [EXPECTED]}, ["#/answer"]),
        ({"semantic_score": 0.5}, ["#/keyword_score"]),
        ({"keyword_score": 0.5}, ["#/semantic_score"]),
        ({**ANSWER, **SCORES}, ["#/answer", "#/expected_answers", "#/semantic_score", "#/keyword_score"]),
        ({**ANSWER, "semantic_score": 0}, ["#/answer", "#/expected_answers", "#/semantic_score"]),
        ({**SCORES, "answer": ""}, ["#/answer", "#/semantic_score", "#/keyword_score"]),
    ],
)
def test_neither_form_and_both_forms_are_422(learner: Learner, form: dict[str, Any], pointers: list[str]) -> None:
    refused(learner.post(OBSERVE, {**SEEN, **form}), 422, *pointers)
    nothing_recorded(learner)


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"topic": None}, ["#/topic"]),
        ({"topic": "all"}, ["#/topic"]),
        ({"topic": ""}, ["#/topic"]),
        ({"topic": " "}, ["#/topic"]),
        ({"topic": ".."}, ["#/topic"]),
        ({"topic": "a/b"}, ["#/topic"]),
        ({"topic": "x" * 65}, ["#/topic"]),
        ({"topic": "a\x00b"}, ["#/topic"]),
        ({"topic": 5}, ["#/topic"]),
        ({"semantic_score": -0.001}, ["#/semantic_score"]),
        ({"semantic_score": 1.001}, ["#/semantic_score"]),
        ({"semantic_score": "0.5"}, ["#/semantic_score"]),
        ({"semantic_score": True}, ["#/semantic_score"]),
        ({"keyword_score": 80}, ["#/keyword_score"]),
        ({"keyword_score": [0.5]}, ["#/keyword_score"]),
        ({"concepts": None}, ["#/concepts"]),
        ({"concepts": []}, ["#/concepts"]),
        ({"concepts": "Lock"}, ["#/concepts"]),
        ({"concepts": ["Lock", 3]}, ["#/concepts/1"]),
        ({"concepts": ["Lock", " "]}, ["#/concepts/1"]),
        ({"concepts": ["x" * 101]}, ["#/concepts/0"]),
        ({"concepts": ["a\x00b"]}, ["#/concepts/0"]),
        ({"concepts": ["x"] * 51}, ["#/concepts"]),
        ({"mentioned_concepts": "Lock"}, ["#/mentioned_concepts"]),
        ({"mentioned_concepts": ["Lock", "Key", "lock"]}, ["#/mentioned_concepts/1", "#/mentioned_concepts/2"]),
        ({"keywords": ["x"] * 51}, ["#/keywords"]),
        ({"question": "x" * 4001}, ["#/question"]),
        ({"response_time": -1}, ["#/response_time"]),
        ({"response_time": "5"}, ["#/response_time"]),
        ({"response_time": True}, ["#/response_time"]),
        ({"difficulty": "brutal"}, ["#/difficulty"]),
        ({"difficulty": 2}, ["#/difficulty"]),
        ({"session_id": 7}, ["#/session_id"]),
    ],
)
def test_an_observation_that_does_not_fit_is_422_and_not_recorded(
    learner: Learner, change: dict[str, Any], pointers: list[str]
) -> None:
    refused(learner.post(OBSERVE, {**SEEN, **SCORES, **change}), 422, *pointers)
    nothing_recorded(learner)


def test_topic_and_concepts_are_needed(learner: Learner) -> None:
    refused(learner.post(OBSERVE, SCORES), 422, "#/topic", "#/concepts")


@pytest.mark.parametrize(("number", "status"), [("NaN", 400), ("Infinity", 400), ("1e999", 400), ("1e300", 422)])
def test_a_number_that_is_no_score_is_refused(learner: Learner, number: str, status: int) -> None:
    body = f'{{"topic": "alchemy", "concepts": ["Lock"], "semantic_score": {number}, "keyword_score": 0.5}}'
    reply = learner.client.post(OBSERVE, data=body, content_type="application/json", headers=learner.headers)
    refused(reply, status, *(["#/semantic_score"] if status == 422 else []))
    nothing_recorded(learner)


@pytest.mark.parametrize("path", [SCORE, OBSERVE])
def test_the_door_is_the_same_as_everywhere(learner: Learner, path: str) -> None:
    client, headers = learner.client, learner.headers
    refused(client.post(path, data="{broken", content_type="application/json"), 401)
    refused(client.post(path, data="{broken", content_type="application/json", headers=headers), 400)
    refused(client.post(path, data="x=1", content_type="text/plain", headers=headers), 415)
    refused(learner.post(path, {"answer": "x" * 70_000}), 413)
    refused(learner.get(path), 405)


@pytest.mark.parametrize(("path", "body"), [(SCORE, ANSWER), (OBSERVE, {**SEEN, **ANSWER})])
def test_without_the_model_an_answer_is_503_and_not_recorded(
    learner: Learner, encoder: WordEncoder, path: str, body: dict[str, Any]
) -> None:
    encoder.down = "The embedding model cannot be loaded: it is not there."
    reply = learner.post(path, body)
    refused(reply, 503)
    assert reply.headers["Retry-After"] == "30"
    nothing_recorded(learner)


def test_given_scores_need_no_model(learner: Learner, encoder: WordEncoder) -> None:
    encoder.down = "The embedding model cannot be loaded: it is not there."
    assert observe(learner, **SCORES)["attempt"]["scorer"] == "client"


def test_a_record_that_cannot_be_read_is_409_and_stays_as_it_is(learner: Learner, app: Flask) -> None:
    observe(learner, **SCORES)
    with app.app_context():
        db.session.get(UserMastery, (learner.id, "alchemy")).concept_masteries = '{"Lock": 7}'
        db.session.commit()
    refused(learner.post(OBSERVE, {**SEEN, **SCORES}), 409)
    assert learner.get("/api/user/progress").json["topics"]["alchemy"]["questions_attempted"] == 1


def test_an_observation_is_the_learners_own(learner: Learner, stranger: Learner) -> None:
    observe(learner, **SCORES)
    assert mastery_of(stranger)["exists"] is False


# At once


def test_sixteen_observations_at_once_are_all_counted_in_one_record(any_app: Flask) -> None:
    learner = sign_up(any_app)

    def one(number: int) -> int:
        form = ANSWER if number % 2 else SCORES
        reply = any_app.test_client().post(OBSERVE, json={**SEEN, **form}, headers=learner.headers)
        return int(reply.status_code)

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(one, range(16)))
    assert statuses == [201] * 16
    with any_app.app_context():
        row = db.session.scalars(select(UserMastery).where(UserMastery.user_id == learner.id)).one()
        ordinals = db.session.scalars(select(Attempt.ordinal).order_by(Attempt.ordinal)).all()
    assert row.questions_attempted == 16
    assert ordinals == list(range(1, 17))
    assert row.mastery.concepts["Deadlock"].attempts == 16
