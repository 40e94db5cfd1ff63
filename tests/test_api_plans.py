"""Action plans over HTTP."""

from typing import Any

from flask import Flask
from sqlalchemy import update

from bank_tables import BankImport, DebuggingChallenge
from models import AskedQuestion, UserMastery, db
from question_bank import QuestionBank
from store import utc_now
from tests.conftest import Learner, sign_up
from tests.delivered import delivered_topics
from tests.fakes import Clock
from tests.test_api_errors import refused

PATH = "/api/profile/action_plans"
PLAN_FIELDS = {
    "topic",
    "priority",
    "reason",
    "mastery",
    "level",
    "weak_concepts",
    "stagnant_concepts",
    "recommended_session_type",
    "recommended_difficulty",
    "suggested_questions",
    "steps",
}


def observe(learner: Learner, topic: str, score: float, **more: Any) -> None:
    body = {"topic": topic, "semantic_score": score, "keyword_score": score, "concepts": ["Deadlock"], **more}
    assert learner.post("/api/adaptive/observations", body).status_code == 201


def plans_of(learner: Learner) -> list[dict[str, Any]]:
    reply = learner.get(PATH)
    assert reply.status_code == 200
    return list(reply.json["action_plans"])


def test_a_new_learner_gets_a_starting_plan_for_every_topic(any_app: Flask, clock: Clock) -> None:
    bank = QuestionBank(delivered_topics())
    reply = sign_up(any_app).get(PATH).json
    assert reply.keys() == {"action_plans", "generated_at"}
    assert reply["generated_at"] == clock().isoformat(timespec="seconds").replace("+00:00", "Z")
    assert [plan["topic"] for plan in reply["action_plans"]] == list(bank.topics)
    for plan in reply["action_plans"]:
        assert plan.keys() == PLAN_FIELDS
        assert (plan["priority"], plan["mastery"], plan["level"]) == (0.5, 0.0, "beginner")
        assert (plan["recommended_session_type"], plan["recommended_difficulty"]) == ("technical", "easy")
        assert plan["weak_concepts"] == plan["stagnant_concepts"] == []
        for suggested in plan["suggested_questions"]:
            assert suggested.keys() == {"id", "text"}
            assert bank.question(suggested["id"]).text == suggested["text"]
            assert bank.question(suggested["id"]).topic == plan["topic"]


def test_the_plans_follow_what_the_learner_did(any_app: Flask) -> None:
    learner = sign_up(any_app)
    for _ in range(6):
        observe(learner, "dbms", 0.1)
        observe(learner, "oop", 1.0, concepts=["Encapsulation"], mentioned_concepts=["Encapsulation"])
    first, *_, last = plans_of(learner)
    assert (first["topic"], last["topic"]) == ("dbms", "oop")
    assert first["priority"] == 1.0
    assert first["weak_concepts"] == first["stagnant_concepts"] == ["Deadlock"]
    assert first["recommended_difficulty"] == "easy"
    assert "Deadlock (0.000, missed 6 times)" in first["reason"]
    assert (last["level"], last["recommended_session_type"], last["recommended_difficulty"]) == (
        "advanced",
        "mock",
        "hard",
    )


def test_the_figures_are_those_of_the_progress_read(learner: Learner) -> None:
    observe(learner, "dbms", 0.7)
    observe(learner, "alchemy", 0.3)
    topics = learner.get("/api/user/progress").json["topics"]
    for plan in plans_of(learner):
        if plan["topic"] in topics:
            assert plan["mastery"] == topics[plan["topic"]]["mastery"]
            assert plan["level"] == topics[plan["topic"]]["level"]
            assert sorted(plan["weak_concepts"]) == sorted(topics[plan["topic"]]["weak_concepts"])


def test_a_topic_that_the_bank_does_not_have_comes_without_questions(learner: Learner) -> None:
    observe(learner, "alchemy", 0.1)
    plan = next(plan for plan in plans_of(learner) if plan["topic"] == "alchemy")
    assert plan["suggested_questions"] == []
    assert len(plan["steps"]) >= 2


def test_questions_that_were_asked_are_not_suggested_again(learner: Learner, app: Flask, clock: Clock) -> None:
    before = next(plan for plan in plans_of(learner) if plan["topic"] == "dbms")["suggested_questions"]
    with app.app_context():
        for suggested in before:
            db.session.add(
                AskedQuestion(user_id=learner.id, question_id=suggested["id"], topic="dbms", last_asked_at=clock())
            )
        db.session.commit()
    after = next(plan for plan in plans_of(learner) if plan["topic"] == "dbms")["suggested_questions"]
    assert {each["id"] for each in before}.isdisjoint(each["id"] for each in after)


def test_the_plans_are_the_learners_own(learner: Learner, stranger: Learner) -> None:
    expected = plans_of(stranger)
    observe(learner, "dbms", 0.1)
    assert plans_of(stranger) == expected
    assert plans_of(learner) != expected


def test_what_was_asked_of_another_learner_counts_for_nothing(
    learner: Learner, stranger: Learner, app: Flask, clock: Clock
) -> None:
    expected = plans_of(learner)
    with app.app_context():
        for plan in expected:
            for suggested in plan["suggested_questions"]:
                db.session.add(
                    AskedQuestion(
                        user_id=stranger.id, question_id=suggested["id"], topic=plan["topic"], last_asked_at=clock()
                    )
                )
        db.session.commit()
    assert plans_of(learner) == expected


def test_debugging_is_recommended_where_the_bank_has_challenges(learner: Learner, app: Flask) -> None:
    for topic in ("python", "alchemy"):
        for _ in range(6):
            observe(learner, topic, 0.6)
    found = {plan["topic"]: plan["recommended_session_type"] for plan in plans_of(learner)}
    assert (found["python"], found["alchemy"]) == ("debugging", "technical")
    with app.app_context():
        db.session.execute(update(DebuggingChallenge).values(retired=True))
        db.session.add(BankImport(at=utc_now(), source="tests", checksum="tests"))
        db.session.commit()
    found = {plan["topic"]: plan["recommended_session_type"] for plan in plans_of(learner)}
    assert found["python"] == "technical"


def test_plans_are_the_same_until_something_happens(learner: Learner) -> None:
    observe(learner, "dbms", 0.1)
    assert plans_of(learner) == plans_of(learner)


def test_without_a_token_there_is_no_plan(app: Flask) -> None:
    refused(app.test_client().get(PATH), 401)


def test_a_record_that_cannot_be_read_is_409(learner: Learner, app: Flask) -> None:
    observe(learner, "dbms", 0.1)
    with app.app_context():
        db.session.get(UserMastery, (learner.id, "dbms")).concept_masteries = '{"Deadlock": 7}'
        db.session.commit()
    refused(learner.get(PATH), 409)
