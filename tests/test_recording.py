"""Recording an answer steps the record and appends to the log, and the log leads to the record again."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask, current_app
from sqlalchemy import func, select

from adaptive_state import replay
from api.context import EXTENSION, Services
from mastery import GUIDE, REFERENCE, Difficulty, MasteryPolicy, ScoreOutOfRange
from models import Attempt, InterviewSession, UserMastery, db
from reading.flags import Flag
from recording import GivenAnswer, RecordedAnswer, record_answer
from resets import reset_mastery
from scoring import AnswerScore
from store import Store
from tests.conftest import sign_up

NOON = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)

GIVEN = GivenAnswer(
    topic="dbms",
    question_id=None,
    question="What is an index?",
    difficulty=Difficulty.HARD,
    answer="A sorted copy.",
    score=AnswerScore(
        semantic_score=0.8,
        keyword_score=0.5,
        expected_answer="A sorted structure that finds rows.",
        matched_keywords=("sorted",),
        missed_keywords=("rows",),
        mentioned_concepts=("Indexing",),
        missed_concepts=("B-tree",),
        flags=(Flag(name="short", factor=0.5, effect="Both scores were halved."),),
    ),
    scorer="told/test",
    response_time=40.0,
    at=NOON,
)


@pytest.fixture
def user_id(any_app: Flask) -> int:
    return sign_up(any_app).id


def scored(semantic: float, keyword: float, **more: Any) -> GivenAnswer:
    return replace(GIVEN, score=replace(GIVEN.score, semantic_score=semantic, keyword_score=keyword), **more)


def record(user_id: int, given: GivenAnswer, policy: MasteryPolicy = REFERENCE) -> RecordedAnswer:
    services: Services = current_app.extensions[EXTENSION]
    store = services.store  # it has read the bank already: a new one would read all of it for every answer
    with store.transaction():
        store.lock_learner(user_id)
        return record_answer(store, user_id, given, store.standing(user_id, given.topic), policy, store.bank())


def new_session(user_id: int) -> int:
    """The id of a session that answers can be given in."""
    session = InterviewSession(
        user_id=user_id,
        session_type="technical",
        status="active",
        topic="dbms",
        max_questions=50,
        max_minutes=60,
        created_at=NOON,
        state_document={},
    )
    with Store().transaction():
        Store().add_session(session)
    return session.id


def stored_attempts(user_id: int) -> list[Attempt]:
    return list(db.session.scalars(select(Attempt).where(Attempt.user_id == user_id).order_by(Attempt.ordinal)))


def test_the_attempt_says_what_was_asked_answered_and_scored(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        session_id = new_session(user_id)
        record(user_id, replace(GIVEN, session_id=session_id, question_id="dbms-index"))
    with any_app.app_context():
        [attempt] = stored_attempts(user_id)
        assert (attempt.session_id, attempt.question_id, attempt.topic) == (session_id, "dbms-index", "dbms")
        assert (attempt.question, attempt.answer) == ("What is an index?", "A sorted copy.")
        assert attempt.expected_answer == "A sorted structure that finds rows."
        assert (attempt.semantic_score, attempt.keyword_score, attempt.correct) == (0.8, 0.5, False)
        assert attempt.combined_score == pytest.approx(0.71)
        assert (attempt.matched_keywords, attempt.missed_keywords) == (["sorted"], ["rows"])
        assert (attempt.mentioned_concepts, attempt.missed_concepts) == (["Indexing"], ["B-tree"])
        assert attempt.flags == [{"name": "short", "factor": 0.5, "effect": "Both scores were halved."}]
        assert (attempt.difficulty, attempt.scorer, attempt.policy) == ("hard", "told/test", "reference/1")
        assert (attempt.response_time, attempt.created_at) == (40.0, NOON)


def test_the_attempts_figures_are_those_of_the_record_before_and_after(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        record(user_id, scored(0.8, 0.5))
        record(user_id, scored(0.2, 0.7, at=NOON + timedelta(minutes=1)))
    with any_app.app_context():
        first, second = stored_attempts(user_id)
        assert [first.mastery_before, second.mastery_before] == [0.0, first.mastery_after]
        assert [first.mastery_after, second.mastery_after] == pytest.approx([0.213, 0.2541])
        assert second.mastery_velocity == pytest.approx(0.0411)
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert first.mastery_id == second.mastery_id == row.id
        assert second.mastery_after == row.mastery_level
        assert second.mastery_before == row.last_mastery
        assert second.mastery_velocity == row.mastery_velocity
        assert (row.questions_attempted, row.correct_count) == (2, 1)
        assert row.last_attempt == row.last_session_date == NOON + timedelta(minutes=1)
        assert row.last_seen == 1_772_548_260.0


def test_the_attempt_says_how_the_difficulty_moved(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        record(user_id, scored(0.1, 0.1))
        record(user_id, scored(0.1, 0.1))
        moves = [(attempt.difficulty_before, attempt.difficulty_after) for attempt in stored_attempts(user_id)]
    assert moves == [("medium", "medium"), ("medium", "easy")]


def test_the_concepts_of_the_record_step_with_the_answer(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        record(user_id, GIVEN)
    with any_app.app_context():
        concepts = db.session.get_one(UserMastery, (user_id, "dbms")).get_concept_masteries()
    mentioned, missed = concepts["Indexing"], concepts["B-tree"]
    assert (mentioned["mastery_level"], mentioned["times_mentioned"], mentioned["attempts"]) == (0.1, 1, 1)
    assert (missed["mastery_level"], missed["times_missed_when_sampled"], missed["stagnation_count"]) == (0.0, 1, 1)
    assert (mentioned["priority_score"], missed["priority_score"]) == (0.9, 1.0)
    assert mentioned["last_seen"] == missed["last_seen"] == 1_772_548_200.0


def test_a_concept_missed_twice_stands_among_the_weak_ones(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        record(user_id, GIVEN)
        record(user_id, GIVEN)
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert row.weak_concepts == row.missing_concepts == '["B-tree"]'


def test_priorities_follow_the_velocity_of_this_answer(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        record(user_id, scored(1.0, 1.0))
        record(user_id, scored(1.0, 1.0))
        record(user_id, scored(0.0, 0.0))
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert row.mastery_velocity == pytest.approx(0.357 - 0.51)
        assert row.get_concept_masteries()["Indexing"]["priority_score"] == pytest.approx(1 - 0.3 + 0.2)


def test_what_was_recorded_is_given_back(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        recorded = record(user_id, GIVEN)
        assert (recorded.before.mastery_level, recorded.before.questions_attempted) == (0.0, 0)
        assert recorded.after.mastery_level == pytest.approx(0.213)
        assert recorded.attempt.mastery_after == recorded.after.mastery_level


def test_the_guide_policy_is_used_and_named(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        attempt = record(user_id, GIVEN, GUIDE).attempt
        assert attempt.policy == "guide/1"
        assert attempt.combined_score == pytest.approx(0.6 * 0.8 + 0.4 * 0.5)
        assert attempt.mastery_after == pytest.approx(0.204)


def test_a_response_time_over_an_hour_is_recorded_as_an_hour(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        attempt = record(user_id, replace(GIVEN, response_time=7200.0)).attempt
        assert attempt.response_time == 3600.0
        assert db.session.get_one(UserMastery, (user_id, "dbms")).avg_response_time == pytest.approx(1080.0)


def test_the_ordinal_counts_the_answers_of_one_topic(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        topics = ("dbms", "dbms", "oop", "dbms", "oop")
        ordinals = [record(user_id, replace(GIVEN, topic=topic)).attempt.ordinal for topic in topics]
    assert ordinals == [1, 2, 1, 3, 2]


def test_the_ordinal_starts_again_with_a_new_record_after_a_reset(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        old = [record(user_id, GIVEN).attempt for _ in range(2)]
        reset_mastery(Store(), user_id=user_id, actor_id=user_id, topic="dbms", at=NOON)
        new = record(user_id, GIVEN).attempt
        assert [attempt.ordinal for attempt in (*old, new)] == [1, 2, 1]
        assert new.mastery_id != old[0].mastery_id


def test_a_session_counts_once_for_a_topic(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        given = replace(GIVEN, session_id=new_session(user_id))
        first = record(user_id, given).attempt
        second = record(user_id, replace(given, counted_in=first.mastery_id)).attempt
        assert (first.starts_session, second.starts_session) == (True, False)
        assert db.session.get_one(UserMastery, (user_id, "dbms")).sessions_attempted == 1


def test_the_next_session_counts_again(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        for _ in range(2):
            assert record(user_id, replace(GIVEN, session_id=new_session(user_id))).attempt.starts_session
        assert db.session.get_one(UserMastery, (user_id, "dbms")).sessions_attempted == 2


def test_a_session_counts_again_in_the_record_that_begins_after_a_reset(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        given = replace(GIVEN, session_id=new_session(user_id))
        counted_in = record(user_id, given).attempt.mastery_id
        reset_mastery(Store(), user_id=user_id, actor_id=user_id, topic="all", at=NOON)
        assert record(user_id, replace(given, counted_in=counted_in)).attempt.starts_session
        assert db.session.get_one(UserMastery, (user_id, "dbms")).sessions_attempted == 1


def test_an_answer_without_a_session_counts_no_session(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        assert not record(user_id, GIVEN).attempt.starts_session
        assert db.session.get_one(UserMastery, (user_id, "dbms")).sessions_attempted == 0


@pytest.mark.parametrize("policy", [REFERENCE, GUIDE], ids=lambda policy: policy.name)
def test_the_log_leads_to_the_stored_record_bit_for_bit(any_app: Flask, user_id: int, policy: MasteryPolicy) -> None:
    chance = random.Random(11)
    with any_app.app_context():
        for given in thirty_answers(chance, lambda: new_session(user_id)):
            counted_in = next(
                (
                    attempt.mastery_id
                    for attempt in stored_attempts(user_id)
                    if given.session_id and attempt.session_id == given.session_id
                ),
                None,
            )
            record(user_id, replace(given, counted_in=counted_in), policy)
    with any_app.app_context():
        attempts = stored_attempts(user_id)
        assert [attempt.ordinal for attempt in attempts] == list(range(1, 31))
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        replayed = replay([attempt.evidence for attempt in attempts], policy)
        assert replayed.progress == row.progress
        assert replayed.concepts == row.mastery.concepts
        assert replayed.to_documents() == row.get_concept_masteries()
        assert [attempt.mastery_after for attempt in attempts][-1] == row.mastery_level
        assert 0 < row.sessions_attempted < 30


def thirty_answers(chance: random.Random, new_session: Callable[[], int]) -> list[GivenAnswer]:
    """Answers of any score and length, in and out of sessions, on any three of six concepts, at odd moments."""
    names = ["Indexing", "B-tree", "Joins", "Schlüssel", "ACID", "Locks"]
    india = timezone(timedelta(hours=5, minutes=30))
    sessions, at, answers = [None, new_session(), new_session()], NOON, []
    for _ in range(30):
        at += timedelta(seconds=chance.uniform(1, 9000))
        sampled, mentions = chance.sample(names, 3), chance.randint(0, 3)
        score = replace(
            GIVEN.score,
            semantic_score=chance.choice([0.0, 0.4, 1.0, chance.random(), chance.random()]),
            keyword_score=chance.choice([0.0, 0.4, 0.6, 1.0, chance.random()]),
            mentioned_concepts=tuple(sampled[:mentions]),
            missed_concepts=tuple(sampled[mentions:]),
        )
        answers.append(
            replace(
                GIVEN,
                score=score,
                response_time=chance.choice([0.0, 5000.0, chance.uniform(0, 300)]),
                at=at.astimezone(chance.choice([UTC, india])),
                session_id=chance.choice(sessions),
            )
        )
    return answers


@pytest.mark.parametrize(
    ("semantic", "keyword", "named"),
    [
        (float("nan"), 0.5, "nan"),
        (0.5, float("nan"), "nan"),
        (float("inf"), 0.5, "inf"),
        (0.5, float("-inf"), "-inf"),
        (1.1, 0.5, "1.1"),
        (0.5, -0.1, "-0.1"),
    ],
)
def test_a_score_outside_its_range_is_refused_and_nothing_is_stored(
    any_app: Flask, user_id: int, semantic: float, keyword: float, named: str
) -> None:
    with any_app.app_context():
        with pytest.raises(ScoreOutOfRange) as refused:
            record(user_id, scored(semantic, keyword))
        assert str(refused.value) == f"A score must be a number from 0 to 1, not {named}."
    with any_app.app_context():
        assert stored_attempts(user_id) == []
        assert db.session.scalar(select(func.count()).select_from(UserMastery)) == 0


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -0.5])
def test_a_response_time_outside_its_range_is_refused_and_nothing_is_stored(
    any_app: Flask, user_id: int, seconds: float
) -> None:
    with any_app.app_context():
        with pytest.raises(ScoreOutOfRange) as refused:
            record(user_id, replace(GIVEN, response_time=seconds))
        assert str(refused.value) == f"A response time must be a number of seconds from 0 up, not {seconds}."
    with any_app.app_context():
        assert stored_attempts(user_id) == []
        assert db.session.scalar(select(func.count()).select_from(UserMastery)) == 0


def test_a_refused_answer_leaves_the_record_as_it_was(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        record(user_id, GIVEN)
        with pytest.raises(ScoreOutOfRange):
            record(user_id, scored(float("nan"), 0.5))
    with any_app.app_context():
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert row.questions_attempted == 1
        assert row.mastery_level == pytest.approx(0.213)
        assert len(stored_attempts(user_id)) == 1
