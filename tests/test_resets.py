"""A reset deletes mastery and nothing else, and the audit log keeps the figures that went."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from mastery import REFERENCE, Difficulty, TopicProgress
from models import Attempt, AuditEvent, InterviewSession, UserMastery, db
from recording import GivenAnswer, record_answer
from resets import Reset, reset_mastery
from scoring import AnswerScore
from store import NotFound, Store
from tests.conftest import sign_up

NOON = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def user_id(any_app: Flask) -> int:
    return sign_up(any_app).id


def reset(user_id: int, topic: str, actor_id: int | None = None) -> Reset:
    return reset_mastery(Store(), user_id=user_id, actor_id=actor_id or user_id, topic=topic, at=LATER)


def practise(user_id: int, topic: str) -> Attempt:
    """One answer in a session of its own."""
    store = Store()
    with store.transaction():
        store.lock_learner(user_id)
        session = InterviewSession(
            user_id=user_id,
            session_type="technical",
            status="completed",
            topic=topic,
            max_questions=1,
            max_minutes=30,
            created_at=NOON,
            state_document={},
        )
        store.add_session(session)
        db.session.flush()
        given = GivenAnswer(
            topic=topic,
            question_id=None,
            question="What is an index?",
            difficulty=Difficulty.MEDIUM,
            answer="A sorted copy.",
            score=AnswerScore(
                semantic_score=0.8,
                keyword_score=0.5,
                expected_answer="A sorted structure.",
                mentioned_concepts=("Indexing",),
                missed_concepts=("B-tree",),
            ),
            scorer="told/test",
            response_time=40.0,
            at=NOON,
            session_id=session.id,
        )
        standing = store.standing(user_id, given.topic)
        return record_answer(store, user_id, given, standing, REFERENCE, store.bank()).attempt


def topics_of(user_id: int) -> list[str]:
    return [row.topic for row in Store().masteries(user_id)]


def events() -> Sequence[AuditEvent]:
    return db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()


def test_a_reset_of_one_topic_deletes_that_record_only(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        practise(user_id, "dbms")
        practise(user_id, "oop")
        done = reset(user_id, "dbms")
        assert (done.topic, done.deleted, done.reset_at) == ("dbms", 1, LATER)
    with any_app.app_context():
        assert topics_of(user_id) == ["oop"]


def test_a_reset_of_all_deletes_every_record_of_the_learner(any_app: Flask, user_id: int) -> None:
    other_id = sign_up(any_app).id
    with any_app.app_context():
        practise(user_id, "dbms")
        practise(user_id, "oop")
        practise(other_id, "dbms")
        done = reset(user_id, "all")
        assert (done.topic, done.deleted) == ("all", 2)
    with any_app.app_context():
        assert topics_of(user_id) == []
        assert topics_of(other_id) == ["dbms"]


@pytest.mark.parametrize("topic", ["dbms", "all", "alchemy"])
def test_resetting_what_does_not_exist_succeeds_with_nothing_deleted(any_app: Flask, user_id: int, topic: str) -> None:
    with any_app.app_context():
        assert reset(user_id, topic).deleted == 0
        assert [event.details for event in events()] == [{"deleted": 0, "masteries": []}]


def test_a_second_reset_deletes_nothing_more(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        practise(user_id, "dbms")
        assert [reset(user_id, "dbms").deleted, reset(user_id, "dbms").deleted] == [1, 0]


def test_sessions_and_attempts_stay(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        attempt_id = practise(user_id, "dbms").id
        reset(user_id, "all")
    with any_app.app_context():
        [session] = Store().sessions(user_id, limit=5).sessions
        [attempt] = Store().attempts(user_id, session.id)
        assert (attempt.id, attempt.answer) == (attempt_id, "A sorted copy.")
        assert attempt.mastery_after == pytest.approx(0.213)


def test_the_audit_log_says_who_reset_what_and_when(any_app: Flask, user_id: int) -> None:
    admin_id = sign_up(any_app).id
    with any_app.app_context():
        practise(user_id, "dbms")
        done = reset(user_id, "dbms", actor_id=admin_id)
    with any_app.app_context():
        [event] = events()
        assert (event.id, event.action, event.at) == (done.audit_id, "reset_mastery", LATER)
        assert (event.actor_id, event.user_id, event.topic) == (admin_id, user_id, "dbms")


def test_the_audit_log_keeps_the_figures_that_were_removed(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        of_oop = practise(user_id, "oop")
        of_dbms = practise(user_id, "dbms")
        practise(user_id, "dbms")
        reset(user_id, "all")
    with any_app.app_context():
        [event] = events()
        dbms, oop = event.details["masteries"]
        assert event.details["deleted"] == 2
        assert (dbms["topic"], dbms["mastery_id"], dbms["questions_attempted"]) == ("dbms", of_dbms.mastery_id, 2)
        assert dbms["mastery_level"] == pytest.approx(0.213 + 0.7 * 0.213)
        concepts = json.loads(dbms["concept_masteries"])
        assert [name for name, concept in concepts.items() if concept["is_weak"]] == ["B-tree"]
        assert dbms.keys() >= vars(TopicProgress()).keys()
        assert (oop["topic"], oop["mastery_id"], oop["questions_attempted"]) == ("oop", of_oop.mastery_id, 1)
        assert (oop["mastery_level"], oop["current_difficulty"]) == (of_oop.mastery_after, "medium")


def test_after_a_reset_a_fresh_record_with_a_new_id_begins(any_app: Flask, user_id: int) -> None:
    with any_app.app_context():
        old = practise(user_id, "dbms")
        reset(user_id, "dbms")
        new = practise(user_id, "dbms")
    with any_app.app_context():
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert row.id == new.mastery_id != old.mastery_id
        assert (row.questions_attempted, row.sessions_attempted, row.last_mastery) == (1, 1, 0.0)
        assert row.get_concept_masteries()["B-tree"]["times_missed_when_sampled"] == 1


def test_a_reset_of_an_unknown_learner_is_refused(any_app: Flask) -> None:
    with any_app.app_context():
        with pytest.raises(NotFound, match=r"^There is no such thing, or it is not yours\.$"):
            reset(999, "all")
        assert events() == []


def test_a_reset_whose_audit_event_cannot_be_written_deletes_nothing(
    any_app: Flask, user_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: Store, _event: AuditEvent) -> AuditEvent:
        raise OSError("the disk is full")

    monkeypatch.setattr(Store, "add_audit_event", fail)
    with any_app.app_context():
        practise(user_id, "dbms")
        with pytest.raises(OSError, match=r"^the disk is full$"):
            reset(user_id, "all")
    with any_app.app_context():
        assert topics_of(user_id) == ["dbms"]
