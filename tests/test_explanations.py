"""Every score can be recomputed from what the reply says about it."""

import math
from typing import Any

import pytest
from flask import Flask

from tests.conftest import Learner, sign_up

ROUNDING = 0.0011
"""Two figures rounded to three places, and their product."""

EXPECTED = (
    "A deadlock is a cycle of transactions that wait for each other. The database finds it in the wait-for graph and"
    " rolls one transaction back."
)
QUESTION = "What is a deadlock between transactions, and what does the database do about it?"
ANSWERS = {
    "good": "Two transactions wait for one another in a cycle, so the database picks one and rolls it back.",
    "short": "A cycle of waits.",
    "off": "I like hiking in the mountains.",
    "list": "deadlock, cycle, transactions, wait, database, finds, wait-for graph, rolls, transaction, back",
    "turned": "A deadlock is not a cycle of transactions that wait for each other.",
    "handed back": QUESTION,
    "silent": "I don't know",
}
FLAGS = {
    "list": ["word_list"],
    "turned": ["opposite_polarity"],
    "handed back": ["question_handed_back"],
    "silent": ["no_answer"],
}


def scored(learner: Learner, answer: str, **fields: Any) -> dict[str, Any]:
    body = {"question": QUESTION, "answer": answer, "expected_answers": [EXPECTED], **fields}
    reply = learner.post("/api/adaptive/score", body)
    assert reply.status_code == 200, reply.json
    return dict(reply.json or {})


def assert_recomputed(attempt: dict[str, Any]) -> None:
    """Both scores from the grounds and the flags; what is matched from the credits."""
    grounds = attempt["grounds"]
    factor = math.prod(flag["factor"] for flag in attempt["flags"])
    credited = [term["credit"] for term in grounds["key_terms"]]
    assert attempt["semantic_score"] == pytest.approx(factor * grounds["cosine"], abs=ROUNDING)
    assert attempt["keyword_score"] == pytest.approx(factor * sum(credited) / len(credited), abs=ROUNDING)
    combined = 0.7 * attempt["semantic_score"] + 0.3 * attempt["keyword_score"]
    assert attempt["combined_score"] == pytest.approx(combined, abs=ROUNDING)
    assert attempt["matched_keywords"] == [term["term"] for term in grounds["key_terms"] if term["credit"] >= 0.5]
    assert attempt["missed_keywords"] == [term["term"] for term in grounds["key_terms"] if term["credit"] < 0.5]
    for flag in attempt["flags"]:
        assert flag["effect"].startswith("Both scores "), flag


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_both_scores_follow_from_the_grounds_and_the_flags(learner: Learner, kind: str) -> None:
    found = scored(learner, ANSWERS[kind])
    assert [flag["name"] for flag in found["flags"]] == FLAGS.get(kind, [])
    assert_recomputed(found)


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_they_do_so_with_given_keywords_too(learner: Learner, kind: str) -> None:
    assert_recomputed(scored(learner, ANSWERS[kind], keywords=["wait-for graph", "roll back", "victim"]))


def test_without_a_flag_both_scores_are_the_documented_ones(learner: Learner) -> None:
    found = scored(learner, ANSWERS["short"])
    assert found["flags"] == []
    assert found["semantic_score"] == found["grounds"]["cosine"]


def test_a_flag_lowers_the_estimated_grade_too(learner: Learner) -> None:
    whole, halved = scored(learner, EXPECTED), scored(learner, ANSWERS["list"])
    assert whole["estimated_grade"] == 1.0
    assert halved["estimated_grade"] <= 0.5


def test_the_reply_names_the_sentence_that_earned_most(learner: Learner) -> None:
    answer = "Well, that is an easy one! Transactions wait for each other in a cycle. I read about it last week."
    assert scored(learner, answer)["grounds"]["best_sentence"] == "Transactions wait for each other in a cycle."


def test_the_reply_names_the_expected_answer_that_matched_best(learner: Learner) -> None:
    found = scored(learner, ANSWERS["good"], expected_answers=["A lock that nobody holds.", EXPECTED])
    assert found["expected_answer"] == EXPECTED


def test_key_terms_are_shown_as_they_are_read_and_with_the_learners_words(learner: Learner) -> None:
    found = scored(learner, "Dead locks: transactoins are waiting.", question="")
    shown = {term["term"]: (term["match"], term["found_as"]) for term in found["grounds"]["key_terms"]}
    assert shown["deadlock"] == ("compound", "Dead locks")
    assert shown["transactions"] == ("typo", "transactoins")
    assert shown["wait"] == ("word", "waiting")
    assert shown["cycle"] == ("none", "")


def test_an_attempt_keeps_its_grounds(any_app: Flask) -> None:
    learner = sign_up(any_app)
    started = learner.start(topics=["dbms"])
    attempt = learner.answer(started["session"]["id"], started["question"], "A lock is held until the commit.").json[
        "attempt"
    ]
    logged = learner.get(f"/api/adaptive/sessions/{started['session']['id']}").json["attempts"][0]
    assert_recomputed(attempt)
    assert (logged["grounds"], logged["estimated_grade"]) == (attempt["grounds"], attempt["estimated_grade"])


def test_scores_that_a_client_brings_have_no_grounds(learner: Learner) -> None:
    body = {"topic": "dbms", "semantic_score": 0.8, "keyword_score": 0.5, "concepts": ["Deadlock"]}
    attempt = learner.post("/api/adaptive/observations", body).json["attempt"]
    assert (attempt["grounds"], attempt["estimated_grade"]) == (None, None)


def test_the_estimated_grade_never_feeds_mastery(learner: Learner) -> None:
    body = {"topic": "own", "question": QUESTION, "answer": ANSWERS["good"], "expected_answers": [EXPECTED]}
    outcome = learner.post("/api/adaptive/observations", {**body, "concepts": ["Deadlock"]}).json
    attempt, after = outcome["attempt"], outcome["mastery"]["after"]
    assert attempt["estimated_grade"] > attempt["combined_score"]
    assert after == pytest.approx(0.3 * attempt["combined_score"], abs=ROUNDING)


def test_an_expected_answer_shown_in_the_session_earns_nothing_when_it_is_pasted(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    session, question = started["session"]["id"], started["question"]
    first = learner.answer(session, question, "A lock.").json
    pasted = learner.answer(session, first["next_question"], first["attempt"]["expected_answer"]).json["attempt"]
    assert [(flag["name"], flag["factor"]) for flag in pasted["flags"]] == [("copied", 0.0)]
    assert (pasted["semantic_score"], pasted["keyword_score"]) == (0.0, 0.0)
    assert pasted["mentioned_concepts"] == []
    assert "copied from what was shown before" in pasted["flags"][0]["effect"]
    assert_recomputed(pasted)


def test_what_is_copied_in_part_is_lost_in_part(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    session = started["session"]["id"]
    first = learner.answer(session, started["question"], "A lock.").json
    copied = " ".join(first["attempt"]["expected_answer"].split()[:12])
    own = "These are my own thoughts on what a database does with an index and a page of rows."
    attempt = learner.answer(session, first["next_question"], f"{own} {copied}").json["attempt"]
    [flag] = attempt["flags"]
    assert flag["name"] == "copied"
    assert 0.3 < flag["factor"] < 0.8
    assert_recomputed(attempt)


def test_another_session_has_not_shown_it(learner: Learner) -> None:
    started = learner.start(topics=["dbms"])
    shown = learner.answer(started["session"]["id"], started["question"], "A lock.").json["attempt"]["expected_answer"]
    again = learner.start(topics=["dbms"])
    attempt = learner.answer(again["session"]["id"], again["question"], shown).json["attempt"]
    assert attempt["flags"] == []


def test_the_corrections_of_debugging_challenges_are_not_pasted_either(learner: Learner) -> None:
    started = learner.post("/api/debugging/sessions").json
    path = f"/api/debugging/sessions/{started['session']['id']}/answers"
    first = learner.post(path, {"challenge_id": started["challenge"]["id"], "explanation": "It is slow."}).json
    body = {
        "challenge_id": first["next_challenge"]["id"],
        "explanation": first["result"]["expected_answer"],
    }
    assert learner.post(path, body).json["result"]["score"] == 0.0
