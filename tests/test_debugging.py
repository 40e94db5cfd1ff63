"""Debugging practice: challenges come by need, explanations count like answers, sessions stay apart."""

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, update

from bank_tables import DebuggingChallenge
from challenges import Challenge, ChallengeBank, Language
from debugging import MAX_CHALLENGES, choose_challenge, neediest
from mastery import Difficulty
from models import Attempt, UserMastery, db
from store import Store, utc_now
from tests.conftest import Learner, sign_up
from tests.delivered import delivered_challenges
from tests.fakes import Clock, WordEncoder
from tests.test_api_errors import refused

SESSIONS = "/api/debugging/sessions"
HISTORY = "/api/profile/debugging_history"
CHALLENGE_FIELDS = {"id", "language", "topic", "title", "buggy_code", "difficulty"}
PAST_FIELDS = {"id", "start_time", "end_time", "count", "avg_score", "summary", "concepts", "challenges"}
EXPLAINED_FIELDS = {
    "id",
    "title",
    "language",
    "topic",
    "difficulty",
    "score",
    "explanation",
    "mentioned_concepts",
    "missed_concepts",
    "answered_at",
}
SAID = "A lock is missing."


@pytest.fixture(scope="module")
def bank() -> ChallengeBank:
    return ChallengeBank(delivered_challenges())


def start(learner: Learner) -> dict[str, Any]:
    reply = learner.post(SESSIONS)
    assert reply.status_code == 201, reply.json
    return dict(reply.json or {})


def explain(learner: Learner, session_id: int, challenge: dict[str, Any], text: str = SAID) -> Any:
    return learner.post(f"{SESSIONS}/{session_id}/answers", {"challenge_id": challenge["id"], "explanation": text})


def explain_all(learner: Learner, text: str = SAID) -> list[str]:
    """The ids of the challenges of a whole session, in order."""
    started = start(learner)
    challenge, asked = started["challenge"], []
    while challenge is not None:
        asked.append(challenge["id"])
        challenge = explain(learner, started["session"]["id"], challenge, text).json["next_challenge"]
    return asked


def knowing_all_but(app: Flask, learner: Learner, topic: str, weak: tuple[str, ...], clock: Clock) -> None:
    """Give the learner records in which every concept was just mastered, but not those of this topic."""
    with app.app_context():
        store = Store()
        with store.transaction():
            for one in store.bank():
                row = store.standing(learner.id, one.slug)[0]
                row.set_concept_masteries(
                    {
                        concept.name: {
                            "mastery_level": 0.1 if one.slug == topic and concept.name in weak else 0.9,
                            "last_seen": clock().timestamp(),
                        }
                        for concept in one.concepts
                    }
                )


def test_a_session_starts_with_a_challenge_and_no_hint_of_its_correction(learner: Learner, bank: ChallengeBank) -> None:
    started = start(learner)
    assert started.keys() == {"session", "challenge"}
    assert started["challenge"].keys() == CHALLENGE_FIELDS
    challenge = bank.challenge(started["challenge"]["id"])
    assert started["challenge"]["buggy_code"] == challenge.buggy_code
    session = started["session"]
    assert (session["session_type"], session["status"], session["topic"]) == ("debugging", "active", challenge.topic)
    assert (session["max_questions"], session["max_minutes"], session["questions_count"]) == (10, 180, 0)


def test_a_session_can_be_started_without_a_body(learner: Learner) -> None:
    assert learner.client.post(SESSIONS, headers=learner.headers).status_code == 201


def test_an_expected_explanation_in_full_scores_1_and_counts_for_the_concepts(
    any_app: Flask, bank: ChallengeBank
) -> None:
    learner = sign_up(any_app)
    started = start(learner)
    challenge = bank.challenge(started["challenge"]["id"])
    reply = explain(learner, started["session"]["id"], started["challenge"], challenge.expected_answers[0])
    assert reply.status_code == 201
    assert reply.json.keys() == {"result", "next_challenge"}
    result = reply.json["result"]
    assert result.keys() == {"score", "feedback", "expected_answer", "correct_code"}
    assert (result["score"], result["correct_code"]) == (1.0, challenge.correct_code)
    assert result["expected_answer"] == challenge.expected_answers[0]
    assert result["feedback"].startswith("Your answer covers the expected meaning almost completely.")
    assert reply.json["next_challenge"].keys() == CHALLENGE_FIELDS
    record = learner.get(f"/api/adaptive/mastery/{challenge.topic}").json
    assert (record["mastery"]["mastery_level"], record["mastery"]["questions_attempted"]) == (0.3, 1)
    assert record["mastery"]["sessions_attempted"] == 1
    assert {name: one["correct"] for name, one in record["concepts"].items()} == dict.fromkeys(challenge.concepts, 1)


def test_the_code_of_the_challenge_handed_back_is_no_explanation(learner: Learner, bank: ChallengeBank) -> None:
    started = learner.post("/api/debugging/sessions").json
    code = bank.challenge(started["challenge"]["id"]).buggy_code
    path = f"/api/debugging/sessions/{started['session']['id']}/answers"
    reply = learner.post(path, {"challenge_id": started["challenge"]["id"], "explanation": code})
    assert reply.json["result"]["score"] == 0.0


@pytest.mark.parametrize("silence", ["", "I don't know"])
def test_silence_is_an_attempt_in_which_every_concept_is_missed(
    learner: Learner, bank: ChallengeBank, silence: str
) -> None:
    started = start(learner)
    challenge = bank.challenge(started["challenge"]["id"])
    reply = explain(learner, started["session"]["id"], started["challenge"], silence)
    assert (reply.status_code, reply.json["result"]["score"]) == (201, 0.0)
    concepts = learner.get(f"/api/adaptive/mastery/{challenge.topic}").json["concepts"]
    missed = {name: one["times_missed_when_sampled"] for name, one in concepts.items()}
    assert missed == dict.fromkeys(challenge.concepts, 1)


@pytest.mark.parametrize("target", ["python-game-board", "sql-seat-booking", "java-coupon-code", "c-page-offset"])
def test_challenges_aim_at_the_weakest_concepts(
    app: Flask, learner: Learner, bank: ChallengeBank, clock: Clock, target: str
) -> None:
    aim = bank.challenge(target)
    knowing_all_but(app, learner, aim.topic, aim.concepts, clock)
    first = bank.challenge(start(learner)["challenge"]["id"])
    assert first.topic == aim.topic
    assert set(first.concepts) <= set(aim.concepts)


def test_a_challenge_that_was_never_set_comes_first(learner: Learner, bank: ChallengeBank) -> None:
    rounds = [explain_all(learner) for _ in range(len(bank.active) // MAX_CHALLENGES)]
    assert {len(asked) for asked in rounds} == {MAX_CHALLENGES}
    asked = [*chain(*rounds)]
    assert len(set(asked)) == len(asked)
    last = explain_all(learner)
    assert len(set(last)) == MAX_CHALLENGES
    assert {challenge.id for challenge in bank.active} == {*asked, *last}


def test_equal_needs_are_settled_by_chance(app: Flask) -> None:
    first = {start(sign_up(app))["challenge"]["id"] for _ in range(6)}
    assert len(first) > 1


def made(challenge_id: str, *concepts: str) -> Challenge:
    return Challenge(
        id=challenge_id,
        language=Language.C,
        topic="t",
        subtopic="s",
        title="T",
        difficulty=Difficulty.EASY,
        concepts=concepts,
        buggy_code="a",
        correct_code="b",
        expected_answers=("c",),
    )


def test_the_mean_priority_of_the_concepts_decides() -> None:
    one, other = made("one", "a", "b"), made("other", "c")
    needs = {"one": {"a": 1.0, "b": 0.2}, "other": {"c": 0.7}}
    for seed in range(9):
        chance = random.Random(seed)
        assert choose_challenge([one, other], needs, asked_before=(), chance=chance) is other
        assert choose_challenge([one, other], needs, asked_before={"other"}, chance=chance) is one
        assert choose_challenge([one, other], needs, asked_before={"one", "other"}, chance=chance) is other


def test_without_a_challenge_there_is_no_choice() -> None:
    assert choose_challenge([], {}, asked_before=(), chance=random.Random(1)) is None


def test_the_neediest_concepts_are_sampled() -> None:
    assert neediest({"a": 0.1, "b": 0.9, "c": 0.5, "d": 1.0}, 3) == ("d", "b", "c")


def test_a_session_over_several_topics_is_mixed_and_counts_once_in_each(learner: Learner, bank: ChallengeBank) -> None:
    asked = explain_all(learner)
    topics = {bank.challenge(challenge_id).topic for challenge_id in asked}
    assert len(topics) > 1
    listed = learner.get("/api/sessions").json["sessions"][0]
    assert (listed["topic"], listed["questions_count"]) == ("mixed", 10)
    progress = learner.get("/api/user/progress").json["topics"]
    assert {topic: one["sessions_attempted"] for topic, one in progress.items()} == dict.fromkeys(topics, 1)


def test_the_tenth_explanation_completes_the_session(learner: Learner) -> None:
    explain_all(learner)
    session = learner.get("/api/sessions?type=debugging").json["sessions"][0]
    detail = learner.get(f"{SESSIONS}/{session['id']}").json
    assert (detail["session"]["status"], detail["challenge"]) == ("completed", None)
    assert detail["session"]["summary"]["questions"] == len(detail["attempts"]) == 10


def test_a_session_ends_after_three_hours(learner: Learner, clock: Clock) -> None:
    started = start(learner)
    clock.advance(180 * 60)
    reply = explain(learner, started["session"]["id"], started["challenge"])
    assert (reply.status_code, reply.json["next_challenge"]) == (201, None)


def test_a_session_ends_when_no_challenge_is_left(app: Flask, learner: Learner, bank: ChallengeBank) -> None:
    with app.app_context():
        retire_all_but(bank.active[:2])
    assert len(explain_all(learner)) == 2


def retire_all_but(challenges: Any) -> None:
    store = Store()
    with store.transaction():
        store.save_challenges(challenges)
        store.save_topics(store.bank(), source="questions/", checksum="fewer", at=utc_now())


def test_a_retired_challenge_is_not_set_but_can_still_be_explained(
    app: Flask, learner: Learner, bank: ChallengeBank
) -> None:
    started = start(learner)
    [other] = [one for one in bank.active if one.id != started["challenge"]["id"]][:1]
    with app.app_context():
        retire_all_but([other])
    assert learner.get(f"{SESSIONS}/{started['session']['id']}").json["challenge"] == started["challenge"]
    reply = explain(learner, started["session"]["id"], started["challenge"])
    assert (reply.status_code, reply.json["next_challenge"]["id"]) == (201, other.id)
    with app.app_context():
        assert [one.id for one in Store().challenges().active] == [other.id]


def test_the_store_gives_back_what_was_saved(any_app: Flask, bank: ChallengeBank) -> None:
    with any_app.app_context():
        store = Store()
        assert store.challenges().active == bank.active
        assert store.challenges() is store.challenges()


def test_without_any_challenge_starting_is_409(app: Flask, learner: Learner) -> None:
    with app.app_context():
        db.session.execute(delete(DebuggingChallenge))
        db.session.commit()
    refused(learner.post(SESSIONS), 409)
    assert learner.get("/api/sessions").json["sessions"] == []


def test_an_unreadable_record_is_409(app: Flask, learner: Learner) -> None:
    with app.app_context():
        db.session.add(UserMastery(user_id=learner.id, topic="dbms"))
        db.session.flush()
        db.session.execute(update(UserMastery).values(concept_masteries='{"Deadlock": 7}'))
        db.session.commit()
    refused(learner.post(SESSIONS), 409)


def test_the_response_time_is_the_servers(learner: Learner, clock: Clock) -> None:
    started = start(learner)
    clock.advance(42)
    explain(learner, started["session"]["id"], started["challenge"])
    [attempt] = learner.get(f"{SESSIONS}/{started['session']['id']}").json["attempts"]
    assert (attempt["response_time"], attempt["answer"]) == (42.0, SAID)
    assert attempt["question_id"] == started["challenge"]["id"]


def test_a_session_can_be_resumed(learner: Learner) -> None:
    started = start(learner)
    resumed = learner.get(f"{SESSIONS}/{started['session']['id']}")
    assert resumed.status_code == 200
    assert resumed.json == {**started, "attempts": []}


def test_finishing_gives_the_summary_and_twice_the_same(learner: Learner, clock: Clock) -> None:
    started = start(learner)
    explain(learner, started["session"]["id"], started["challenge"])
    clock.advance(20)
    first = learner.post(f"{SESSIONS}/{started['session']['id']}/finish")
    clock.advance(20)
    second = learner.post(f"{SESSIONS}/{started['session']['id']}/finish")
    assert first.status_code == second.status_code == 200
    assert first.json == second.json
    assert first.json.keys() == {"session", "summary"}
    assert (first.json["summary"]["questions"], first.json["summary"]["duration"]) == (1, 20.0)
    assert first.json["session"]["status"] == "completed"


def test_a_finished_session_takes_no_explanation(learner: Learner) -> None:
    started = start(learner)
    learner.post(f"{SESSIONS}/{started['session']['id']}/finish")
    refused(explain(learner, started["session"]["id"], started["challenge"]), 409)


@pytest.mark.parametrize("challenge_id", ["no-such-challenge", 12345])
def test_a_challenge_that_is_not_open_is_409_and_nothing_is_recorded(learner: Learner, challenge_id: Any) -> None:
    started = start(learner)
    refused(explain(learner, started["session"]["id"], {"id": challenge_id}), 409)
    assert learner.get(f"{SESSIONS}/{started['session']['id']}").json["challenge"] == started["challenge"]
    assert learner.get("/api/user/progress").json["topics"] == {}


def test_a_challenge_can_be_explained_once(learner: Learner) -> None:
    started = start(learner)
    assert explain(learner, started["session"]["id"], started["challenge"]).status_code == 201
    refused(explain(learner, started["session"]["id"], started["challenge"]), 409)


def test_of_explanations_at_once_one_is_recorded(any_app: Flask) -> None:
    learner = sign_up(any_app)
    started = start(learner)

    def send(_: int) -> int:
        another = Learner(any_app.test_client(), learner.tokens)
        return int(explain(another, started["session"]["id"], started["challenge"]).status_code)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(send, range(4))) == [201, 409, 409, 409]
    with any_app.app_context():
        assert db.session.query(Attempt).count() == 1


def test_without_the_model_explanations_get_503_and_nothing_is_recorded(learner: Learner, encoder: WordEncoder) -> None:
    started = start(learner)
    encoder.down = "The embedding model cannot be loaded: it is not there."
    reply = explain(learner, started["session"]["id"], started["challenge"])
    refused(reply, 503)
    assert reply.headers["Retry-After"] == "30"
    encoder.down = ""
    assert learner.get(f"{SESSIONS}/{started['session']['id']}").json == {**started, "attempts": []}
    assert explain(learner, started["session"]["id"], started["challenge"]).status_code == 201


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"challenge_id": None}, ["#/challenge_id"]),
        ({"challenge_id": ["x"]}, ["#/challenge_id"]),
        ({"explanation": 5}, ["#/explanation"]),
        ({"explanation": None}, ["#/explanation"]),
        ({"explanation": "x" * 8001}, ["#/explanation"]),
        ({"explanation": "a\x00b"}, ["#/explanation"]),
        ({"response_time": 5}, ["#/response_time"]),
    ],
)
def test_an_explanation_that_does_not_fit_is_422_and_not_recorded(
    learner: Learner, change: dict[str, Any], pointers: list[str]
) -> None:
    started = start(learner)
    path = f"{SESSIONS}/{started['session']['id']}"
    body = {"challenge_id": started["challenge"]["id"], "explanation": SAID, **change}
    refused(learner.post(f"{path}/answers", body), 422, *pointers)
    assert learner.get(path).json == {**started, "attempts": []}


def test_a_start_that_does_not_fit_is_refused(learner: Learner) -> None:
    refused(learner.post(SESSIONS, {"topic": "dbms"}), 422, "#/topic")
    refused(learner.post(SESSIONS, []), 422, "#")
    for body, content_type, status in (("{", "application/json", 400), ("x", "text/plain", 415)):
        reply = learner.client.post(SESSIONS, data=body, content_type=content_type, headers=learner.headers)
        refused(reply, status)
    refused(learner.post(SESSIONS, {"topic": "x" * 70_000}), 413)
    assert learner.get("/api/sessions").json["sessions"] == []


def test_every_call_needs_a_token(app: Flask) -> None:
    client = app.test_client()
    refused(client.post(SESSIONS), 401)
    refused(client.get(f"{SESSIONS}/1"), 401)
    refused(client.post(f"{SESSIONS}/1/answers"), 401)
    refused(client.post(f"{SESSIONS}/1/finish"), 401)
    refused(client.get(HISTORY), 401)


@pytest.mark.parametrize("session_id", [1, 0, 2**63 - 1, 2**63, 10**30])
def test_a_session_that_does_not_exist_is_404(learner: Learner, session_id: int) -> None:
    refused(learner.get(f"{SESSIONS}/{session_id}"), 404)
    refused(learner.post(f"{SESSIONS}/{session_id}/finish"), 404)
    refused(explain(learner, session_id, {"id": "x"}), 404)


def test_another_learners_session_is_404_and_stays_as_it_is(learner: Learner, stranger: Learner) -> None:
    started = start(learner)
    session_id = started["session"]["id"]
    refused(stranger.get(f"{SESSIONS}/{session_id}"), 404)
    refused(stranger.post(f"{SESSIONS}/{session_id}/finish"), 404)
    refused(explain(stranger, session_id, started["challenge"]), 404)
    assert learner.get(f"{SESSIONS}/{session_id}").json == {**started, "attempts": []}
    assert stranger.get("/api/user/progress").json["topics"] == {}
    assert stranger.get(HISTORY).json == {"history": [], "next_cursor": None}


def test_debugging_and_practice_keep_to_their_own_addresses(learner: Learner) -> None:
    debugging, practice = start(learner), learner.start(topics=["dbms"])
    one, other = debugging["session"]["id"], practice["session"]["id"]
    refused(learner.get(f"/api/adaptive/sessions/{one}"), 404)
    refused(learner.post(f"/api/adaptive/sessions/{one}/finish"), 404)
    refused(learner.answer(one, debugging["challenge"], SAID), 404)
    refused(learner.get(f"{SESSIONS}/{other}"), 404)
    refused(learner.post(f"{SESSIONS}/{other}/finish"), 404)
    refused(explain(learner, other, practice["question"]), 404)


def test_the_sessions_list_shows_both_kinds_and_tells_them_apart(learner: Learner, clock: Clock) -> None:
    debugging = start(learner)["session"]["id"]
    clock.advance(60)
    practice = learner.start(topics=["dbms"])["session"]["id"]

    def listed(query: str = "") -> list[int]:
        return [session["id"] for session in learner.get(f"/api/sessions{query}").json["sessions"]]

    assert listed() == [practice, debugging]
    assert listed("?type=debugging") == [debugging]
    assert listed("?type=technical") == [practice]
    for session_id in (practice, debugging):
        assert learner.get(f"/api/sessions/{session_id}").status_code == 200


def test_the_history_tells_what_was_practised_and_missed(learner: Learner, bank: ChallengeBank, clock: Clock) -> None:
    started = start(learner)
    session_id, first = started["session"]["id"], bank.challenge(started["challenge"]["id"])
    clock.advance(30)
    full = explain(learner, session_id, started["challenge"], first.expected_answers[0]).json
    second = bank.challenge(full["next_challenge"]["id"])
    clock.advance(30)
    silent = explain(learner, session_id, full["next_challenge"], "").json
    running = learner.get(HISTORY).json["history"][0]
    assert running["end_time"] is None
    ended = learner.post(f"{SESSIONS}/{session_id}/finish").json["session"]
    reply = learner.get(HISTORY)
    assert reply.status_code == 200
    [past] = reply.json["history"]
    assert past.keys() == PAST_FIELDS
    assert (past["id"], past["start_time"], past["end_time"]) == (
        session_id,
        ended["created_at"],
        ended["completed_at"],
    )
    assert (past["count"], past["avg_score"], past["summary"]) == (2, ended["score"], ended["feedback"])
    assert running == {**past, "end_time": None}
    assert past["avg_score"] == pytest.approx(50 * (full["result"]["score"] + silent["result"]["score"]), abs=0.1)
    assert past["concepts"][: len(second.concepts)] == past["challenges"][1]["missed_concepts"]
    assert set(past["concepts"]) == {*first.concepts, *second.concepts}
    told = past["challenges"][0]
    assert told.keys() == EXPLAINED_FIELDS
    assert [one["id"] for one in past["challenges"]] == [first.id, second.id]
    assert (told["title"], told["language"], told["topic"]) == (first.title, first.language, first.topic)
    assert (told["difficulty"], told["score"]) == (first.difficulty, 1.0)
    assert (told["explanation"], told["missed_concepts"]) == (first.expected_answers[0], [])
    assert sorted(told["mentioned_concepts"]) == sorted(first.concepts)


def test_the_history_names_the_most_missed_concept_first(learner: Learner) -> None:
    explain_all(learner, "")
    [past] = learner.get(HISTORY).json["history"]
    misses = [sum(name in one["missed_concepts"] for one in past["challenges"]) for name in past["concepts"]]
    assert misses == sorted(misses, reverse=True)
    assert misses[0] > misses[-1] >= 1


def test_the_history_goes_back_by_cursor_and_shows_debugging_only(any_app: Flask, clock: Clock) -> None:
    learner = sign_up(any_app)
    started = []
    for _ in range(5):
        started.append(start(learner)["session"]["id"])
        learner.start(topics=["dbms"])
        clock.advance(60)
    path, found = f"{HISTORY}?limit=2", []
    while path:
        reply = learner.get(path)
        assert len(reply.json["history"]) <= 2
        found += [past["id"] for past in reply.json["history"]]
        link = reply.headers.get("Link", "")
        assert bool(link) == (reply.json["next_cursor"] is not None)
        path = link.partition("<")[2].partition(">")[0]
    assert found == started[::-1]


def test_the_history_shows_twenty_sessions_unless_told_otherwise(learner: Learner, clock: Clock) -> None:
    for _ in range(21):
        start(learner)
        clock.advance(1)
    assert len(learner.get(HISTORY).json["history"]) == 20
    assert len(learner.get(f"{HISTORY}?limit=100").json["history"]) == 21


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00"])
def test_a_history_query_that_does_not_fit_is_422(learner: Learner, query: str) -> None:
    refused(learner.get(f"{HISTORY}?{query}"), 422, f"#/query/{query.partition('=')[0]}")


def test_the_response_time_ends_when_the_explanation_comes_in_not_when_it_is_scored(
    learner: Learner, clock: Clock, encoder: WordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start(learner)
    read = encoder.read

    def slowly(texts: Any, spans: Any) -> Any:
        clock.advance(30)
        return read(texts, spans)

    monkeypatch.setattr(encoder, "read", slowly)
    clock.advance(42)
    explain(learner, started["session"]["id"], started["challenge"])
    [attempt] = learner.get(f"{SESSIONS}/{started['session']['id']}").json["attempts"]
    assert attempt["response_time"] == 42.0
