"""What a learner has mastered, over HTTP."""

import json
from typing import Any

import pytest
from flask import Flask

from mastery import GUIDE
from models import AuditEvent, UserMastery, db
from tests.conftest import Learner, sign_up

PROGRESS_FIELDS = {
    "mastery",
    "sessions_attempted",
    "questions_attempted",
    "correct_count",
    "last_session_date",
    "semantic_avg",
    "keyword_avg",
    "weak_concepts",
    "strong_concepts",
    "current_difficulty",
    "mastery_velocity",
    "level",
    "early_estimate",
}
MASTERY_FIELDS = {
    "expected_score",
    "confidence",
    "recommended_difficulty",
    "topic",
    "mastery_level",
    "semantic_avg",
    "keyword_avg",
    "sessions_attempted",
    "questions_attempted",
    "correct_count",
    "avg_response_time",
    "current_difficulty",
    "mastery_velocity",
    "last_mastery",
    "consecutive_good",
    "consecutive_poor",
    "weak_concepts",
    "strong_concepts",
    "concept_stagnation",
    "level",
    "early_estimate",
}
CONCEPT_FIELDS = {
    "forecast",
    "mastery_level",
    "attempts",
    "correct",
    "times_mentioned",
    "times_missed_when_sampled",
    "last_seen",
    "stagnation_count",
    "is_weak",
    "is_strong",
    "priority_score",
}


def practised(learner: Learner, *topics: str, answers: int = 3) -> None:
    started = learner.start(topics=list(topics))
    question = started["question"]
    for _ in range(answers):
        question = learner.answer(started["session"]["id"], question, "A lock, an index and a log.").json[
            "next_question"
        ]


def test_a_new_learner_has_no_topics_yet(learner: Learner) -> None:
    assert learner.get("/api/user/progress").json == {
        "topics": {},
        "overall": {"avg_mastery": 0.0, "total_sessions": 0, "topics_count": 0, "total_questions": 0},
    }


def test_progress_has_every_field_of_every_topic(learner: Learner) -> None:
    practised(learner, "dbms", "oop", answers=4)
    progress = learner.get("/api/user/progress").json
    assert progress["topics"].keys() == {"dbms", "oop"}
    for topic in progress["topics"].values():
        assert topic.keys() == PROGRESS_FIELDS
        assert topic["last_session_date"].endswith("Z")
        assert topic["early_estimate"] is True
    levels = [topic["mastery"] for topic in progress["topics"].values()]
    assert progress["overall"]["avg_mastery"] == pytest.approx(sum(levels) / 2, abs=0.001)
    assert progress["overall"]["total_sessions"] == 2
    assert progress["overall"]["topics_count"] == 2
    assert progress["overall"]["total_questions"] == 4


def test_figures_are_rounded_to_three_places(learner: Learner) -> None:
    practised(learner, "dbms")
    topic = learner.get("/api/user/progress").json["topics"]["dbms"]
    for field in ("mastery", "semantic_avg", "keyword_avg", "mastery_velocity"):
        assert topic[field] == round(topic[field], 3)


def test_a_topic_view_has_every_field_and_its_concepts(learner: Learner) -> None:
    practised(learner, "dbms")
    view = learner.get("/api/adaptive/mastery/dbms").json
    assert view.keys() == {"mastery", "concepts", "exists"}
    assert view["exists"] is True
    assert view["mastery"].keys() == MASTERY_FIELDS
    assert view["mastery"]["topic"] == "dbms"
    assert view["concepts"]
    for concept in view["concepts"].values():
        assert concept.keys() == CONCEPT_FIELDS
        assert concept["correct"] == concept["times_mentioned"]
        assert concept["attempts"] == concept["times_mentioned"] + concept["times_missed_when_sampled"]


def test_stagnation_lists_only_counts_above_0(learner: Learner, app: Flask) -> None:
    practised(learner, "dbms")
    with app.app_context():
        row = db.session.get(UserMastery, (learner.id, "dbms"))
        row.set_concept_masteries({"A": {"stagnation_count": 2}, "B": {"stagnation_count": 0}})
        db.session.commit()
    assert learner.get("/api/adaptive/mastery/dbms").json["mastery"]["concept_stagnation"] == {"A": 2}


@pytest.mark.parametrize("topic", ["alchemy", "DBMS", "a%20b", "%00", "x" * 300])
def test_an_unknown_topic_is_all_zeros(any_app: Flask, topic: str) -> None:
    view = sign_up(any_app).get(f"/api/adaptive/mastery/{topic}").json
    assert view["exists"] is False
    assert view["concepts"] == {}
    assert view["mastery"].keys() == MASTERY_FIELDS
    assert view["mastery"]["mastery_level"] == 0.0
    assert view["mastery"]["current_difficulty"] == "medium"
    assert view["mastery"]["level"] == "beginner"


@pytest.mark.parametrize("topic", ["alchemy", "%00", "db%00ms", "dbms%00"])
def test_an_unknown_topic_has_no_answers(any_app: Flask, topic: str) -> None:
    learner = sign_up(any_app)
    practised(learner, "dbms")
    assert learner.get(f"/api/adaptive/mastery/{topic}/answers").json == {"answers": [], "next_cursor": None}


def test_an_older_concept_document_still_loads(learner: Learner, app: Flask) -> None:
    with app.app_context():
        row = UserMastery(user_id=learner.id, topic="dbms")
        row.concept_masteries = json.dumps({"Index": {"mastery_level": 0.65, "attempts": 8, "correct": 5}})
        db.session.add(row)
        db.session.commit()
    concept = learner.get("/api/adaptive/mastery/dbms").json["concepts"]["Index"]
    assert (concept["attempts"], concept["correct"], concept["times_missed_when_sampled"]) == (8, 5, 3)


def test_a_concept_document_that_cannot_be_read_is_said_so(learner: Learner, app: Flask) -> None:
    document = json.dumps({"Index": {"attempts": "many"}})
    with app.app_context():
        row = UserMastery(user_id=learner.id, topic="dbms")
        row.concept_masteries = document
        db.session.add(row)
        db.session.commit()
    reply = learner.get("/api/adaptive/mastery/dbms")
    assert reply.status_code == 409
    assert reply.json["detail"] == "Concept 'Index': attempts must be a whole number from 0 up, not 'many'."
    with app.app_context():
        assert db.session.get(UserMastery, (learner.id, "dbms")).concept_masteries == document


def reset(learner: Learner, topic: Any) -> Any:
    return learner.post("/api/user/reset_mastery", {"topic": topic})


def test_resetting_one_topic_leaves_the_others(learner: Learner) -> None:
    practised(learner, "dbms", "oop", answers=4)
    reply = reset(learner, "dbms")
    assert reply.status_code == 200
    assert reply.json.keys() == {"success", "message", "topic", "deleted", "reset_at", "audit_id"}
    assert (reply.json["success"], reply.json["topic"], reply.json["deleted"]) == (True, "dbms", 1)
    assert learner.get("/api/user/progress").json["topics"].keys() == {"oop"}


def test_resetting_all_keeps_sessions_and_answers(learner: Learner) -> None:
    practised(learner, "dbms", "oop", answers=4)
    before = learner.get("/api/sessions").json
    assert reset(learner, "all").json["deleted"] == 2
    assert learner.get("/api/user/progress").json["topics"] == {}
    assert learner.get("/api/sessions").json == before
    session_id = before["sessions"][0]["id"]
    assert len(learner.get(f"/api/sessions/{session_id}").json["attempts"]) == 4


@pytest.mark.parametrize("topic", ["all", "dbms", "alchemy"])
def test_resetting_what_is_not_there_succeeds_and_is_audited(learner: Learner, app: Flask, topic: str) -> None:
    reply = reset(learner, topic)
    assert (reply.status_code, reply.json["success"], reply.json["deleted"]) == (200, True, 0)
    with app.app_context():
        event = db.session.get(AuditEvent, reply.json["audit_id"])
        assert (event.action, event.user_id, event.actor_id, event.topic) == (
            "reset_mastery",
            learner.id,
            learner.id,
            topic,
        )


def test_a_reset_leaves_the_removed_figures_in_the_audit_log(learner: Learner, app: Flask) -> None:
    practised(learner, "dbms")
    shown = learner.get("/api/user/progress").json["topics"]["dbms"]
    audit_id = reset(learner, "dbms").json["audit_id"]
    with app.app_context():
        removed = db.session.get(AuditEvent, audit_id).details["masteries"][0]
    assert removed["topic"] == "dbms"
    assert round(removed["mastery_level"], 3) == shown["mastery"]
    assert removed["questions_attempted"] == 3


def test_a_reset_touches_nobody_else(learner: Learner, stranger: Learner) -> None:
    practised(stranger, "dbms")
    before = stranger.get("/api/user/progress").json
    reset(learner, "all")
    assert stranger.get("/api/user/progress").json == before


def test_the_policy_in_force_is_shown_with_all_its_numbers(make_app: Any, sqlite_url: str) -> None:
    learner = sign_up(make_app(sqlite_url, GUIDE))
    policy = learner.get("/api/adaptive/policy").json
    assert policy == json.loads(json.dumps(GUIDE.to_dict()))
    assert (policy["name"], policy["semantic_weight"], policy["keyword_weight"]) == ("guide", 0.6, 0.4)


def test_the_topics_are_those_of_the_bank(learner: Learner) -> None:
    topics = {topic["topic"]: topic for topic in learner.get("/api/topics").json["topics"]}
    assert topics.keys() >= {"dbms", "operating_systems", "oop", "python"}
    assert topics["dbms"] == {"topic": "dbms", "title": "Databases", "questions": 42, "concepts": 24}
