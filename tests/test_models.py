"""The tables keep what the two specification documents say, on SQLite and on PostgreSQL alike."""

import json
import runpy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from adaptive_state import AnswerEvidence
from bank_tables import BankImport
from mastery import GUIDE, ScoreOutOfRange
from models import AskedQuestion, Attempt, AuditEvent, InterviewSession, TokenFamily, User, UserMastery, db
from tests.conftest import sign_up

NOON = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
NOON_UNIX = 1_772_548_200.0

COLUMNS_OF_A = (
    "user_id topic mastery_level semantic_avg keyword_avg questions_attempted correct_count avg_response_time"
    " mastery_velocity last_mastery current_difficulty consecutive_good consecutive_poor concept_masteries"
    " missing_concepts weak_concepts strong_concepts concept_stagnation last_attempt last_seen"
).split()
COLUMNS_OF_B = (
    "user_id topic sessions_attempted questions_attempted correct_count last_session_date mastery_level semantic_avg"
    " keyword_avg avg_response_time mastery_velocity last_mastery current_difficulty consecutive_good consecutive_poor"
    " concept_masteries weak_concepts strong_concepts concept_stagnation"
).split()

CREATING = """
from models import UserMastery, db

mastery = UserMastery(
    user_id=user.id,
    topic="Operating Systems"
)
db.session.add(mastery)
db.session.commit()
"""

UPDATING = """
from models import UserMastery, db

# Get mastery record
mastery = UserMastery.query.filter_by(
    user_id=user_id,
    topic="DBMS"
).first()

if not mastery:
    mastery = UserMastery(user_id=user_id, topic="DBMS")
    db.session.add(mastery)

# Update with scores
mastery.update_mastery(
    semantic_score=0.82,
    keyword_score=0.75,
    response_time=38.5
)

# Update concept-level data
concepts = mastery.get_concept_masteries()
if "ACID Properties" not in concepts:
    concepts["ACID Properties"] = {
        "mastery_level": 0.0,
        "attempts": 0,
        "times_mentioned": 0,
        "times_missed_when_sampled": 0,
        "is_weak": False,
        "is_strong": False,
        "priority_score": 0.5
    }

# Record concept attempt
concept = concepts["ACID Properties"]
concept["attempts"] += 1
concept["times_mentioned"] += 1
concept["mastery_level"] = min(1.0, concept["mastery_level"] + 0.1)

mastery.set_concept_masteries(concepts)
db.session.commit()

print(f"Updated mastery: {mastery.mastery_level:.3f}")
print(f"Velocity: {mastery.mastery_velocity:+.3f}")
print(f"Current difficulty: {mastery.current_difficulty}")
"""

QUERYING = """
from models import UserMastery, db

# Get all topics for a user
masteries = UserMastery.query.filter_by(user_id=user_id).all()

for m in masteries:
    print(f"{m.topic}: {m.mastery_level:.2f} ({m.current_difficulty})")
    concepts = m.get_concept_masteries()
    weak = [name for name, data in concepts.items() if data.get('is_weak')]
    if weak:
        print(f"  Weak concepts: {', '.join(weak)}")
"""


@pytest.fixture
def run_as_printed(tmp_path: Path) -> Callable[..., None]:
    """Runs a piece of a document as a program that knows the given names."""

    def run(code: str, **names: object) -> None:
        path = tmp_path / "printed.py"
        path.write_text(code)
        runpy.run_path(str(path), init_globals=names)

    return run


def interview(user_id: int, **values: Any) -> InterviewSession:
    defaults = {
        "session_type": "technical",
        "status": "active",
        "topic": "dbms",
        "max_questions": 5,
        "max_minutes": 30,
        "created_at": NOON,
        "state_document": {},
    }
    return InterviewSession(user_id=user_id, **{**defaults, **values})


def attempt(user_id: int, **values: Any) -> Attempt:
    defaults = {
        "mastery_id": 1,
        "ordinal": 1,
        "starts_session": False,
        "topic": "dbms",
        "question_id": "q-1",
        "question": "What is a lock?",
        "answer": "A guard.",
        "expected_answer": "A guard of shared data.",
        "difficulty": "medium",
        "semantic_score": 0.5,
        "keyword_score": 0.5,
        "combined_score": 0.5,
        "correct": False,
        "response_time": 20.0,
        "matched_keywords": [],
        "missed_keywords": [],
        "mentioned_concepts": [],
        "missed_concepts": [],
        "flags": [],
        "scorer": "told/test",
        "policy": "reference/1",
        "mastery_before": 0.0,
        "mastery_after": 0.15,
        "mastery_velocity": 0.15,
        "difficulty_before": "medium",
        "difficulty_after": "medium",
        "created_at": NOON,
    }
    return Attempt(user_id=user_id, **{**defaults, **values})


def save(*rows: Any) -> None:
    """Commit rows one after the other, so that what refers comes after what it refers to."""
    for row in rows:
        db.session.add(row)
        db.session.flush()
    db.session.commit()


def refused_by_the_database(*rows: Any) -> None:
    with pytest.raises(IntegrityError):
        save(*rows)
    db.session.rollback()


def how_many(table: type[Any], user_id: int) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(table.user_id == user_id)) or 0


# The columns


@pytest.mark.parametrize("name", sorted({*COLUMNS_OF_A, *COLUMNS_OF_B}))
def test_every_documented_name_is_a_column(name: str) -> None:
    assert name in UserMastery.__table__.columns


def test_a_new_record_has_its_defaults_before_it_is_flushed() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    numbers = ["mastery_level", "semantic_avg", "keyword_avg", "avg_response_time", "mastery_velocity", "last_mastery"]
    counts = [
        "sessions_attempted",
        "questions_attempted",
        "correct_count",
        "consecutive_good",
        "consecutive_poor",
    ]
    assert {name: getattr(row, name) for name in numbers + counts} == dict.fromkeys(numbers + counts, 0)
    assert row.current_difficulty == "medium"
    assert row.concept_masteries == row.concept_stagnation == "{}"
    assert row.missing_concepts == row.weak_concepts == row.strong_concepts == "[]"
    assert (row.last_attempt, row.last_session_date, row.last_seen) == (None, None, None)


def test_a_given_value_stands_before_its_default() -> None:
    row = UserMastery(user_id=1, topic="dbms", current_difficulty="hard", mastery_level=0.5)
    assert (row.current_difficulty, row.mastery_level, row.semantic_avg) == ("hard", 0.5, 0.0)


def test_a_record_is_there_once_per_learner_and_topic(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        save(UserMastery(user_id=user_id, topic="dbms"), UserMastery(user_id=user_id, topic="oop"))
        db.session.expunge_all()
        refused_by_the_database(UserMastery(user_id=user_id, topic="dbms"))


def test_a_record_survives_the_database_bit_for_bit(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    level, seen = 0.1 + 0.2, NOON_UNIX + 0.123456
    with any_app.app_context():
        save(UserMastery(user_id=user_id, topic="dbms", mastery_level=level, last_seen=seen))
    with any_app.app_context():
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert (row.mastery_level, row.last_seen) == (0.30000000000000004, seen)


# The documented code


def test_creating_a_record_works_as_printed(any_app: Flask, run_as_printed: Callable[..., None]) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        run_as_printed(CREATING, user=db.session.get_one(User, user_id))
    with any_app.app_context():
        assert db.session.get_one(UserMastery, (user_id, "Operating Systems")).mastery_level == 0.0


def test_updating_a_record_works_as_printed(
    any_app: Flask, run_as_printed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        run_as_printed(UPDATING, user_id=user_id)
    assert capsys.readouterr().out.splitlines() == [
        "Updated mastery: 0.240",
        "Velocity: +0.240",
        "Current difficulty: medium",
    ]
    with any_app.app_context():
        row = db.session.get_one(UserMastery, (user_id, "DBMS"))
        concept = row.get_concept_masteries()["ACID Properties"]
        assert (concept["mastery_level"], concept["attempts"], concept["times_mentioned"]) == (0.1, 1, 1)
        assert row.mastery.concepts["ACID Properties"].times_missed_when_sampled == 0


def test_updating_twice_as_printed_steps_the_same_record(
    any_app: Flask, run_as_printed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    user_id = sign_up(any_app).id
    for _ in range(2):
        with any_app.app_context():
            run_as_printed(UPDATING, user_id=user_id)
    # 0.2397 + 0.7 × 0.2397 = 0.40749
    assert capsys.readouterr().out.splitlines()[3:] == [
        "Updated mastery: 0.407",
        "Velocity: +0.168",
        "Current difficulty: medium",
    ]
    with any_app.app_context():
        assert how_many(UserMastery, user_id) == 1


def test_querying_works_as_printed(
    any_app: Flask, run_as_printed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    user_id, other_id = sign_up(any_app).id, sign_up(any_app).id
    with any_app.app_context():
        row = UserMastery(user_id=user_id, topic="DBMS", mastery_level=0.456, current_difficulty="easy")
        row.set_concept_masteries({"Indexing": {"is_weak": True}, "Joins": {"is_weak": False}, "Keys": {}})
        save(row, UserMastery(user_id=other_id, topic="OOP"))
        run_as_printed(QUERYING, user_id=user_id)
    assert capsys.readouterr().out == "DBMS: 0.46 (easy)\n  Weak concepts: Indexing\n"


# update_mastery


def test_the_first_answer_moves_every_figure_as_specification_a_says() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    row.update_mastery(semantic_score=0.8, keyword_score=0.5, response_time=40.0)
    assert row.semantic_avg == pytest.approx(0.24)
    assert row.keyword_avg == pytest.approx(0.15)
    assert row.mastery_level == pytest.approx(0.213)
    assert row.mastery_velocity == pytest.approx(0.213)
    assert row.last_mastery == 0.0
    assert row.avg_response_time == pytest.approx(12.0)
    assert (row.questions_attempted, row.correct_count) == (1, 0)
    assert (row.consecutive_good, row.consecutive_poor) == (1, 0)


def test_the_second_answer_steps_on_from_the_first() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    row.update_mastery(0.8, 0.5, 40.0)
    row.update_mastery(0.2, 0.7, 10.0)
    assert row.semantic_avg == pytest.approx(0.228)
    assert row.keyword_avg == pytest.approx(0.315)
    assert row.mastery_level == pytest.approx(0.2541)
    assert row.mastery_velocity == pytest.approx(0.0411)
    assert row.last_mastery == pytest.approx(0.213)
    assert row.avg_response_time == pytest.approx(11.4)
    assert (row.questions_attempted, row.correct_count) == (2, 1)
    assert (row.consecutive_good, row.consecutive_poor) == (0, 1)
    assert row.current_difficulty == "medium"


def test_two_poor_answers_make_the_topic_easy() -> None:
    row = UserMastery(user_id=1, topic="dbms", current_difficulty="hard")
    row.update_mastery(0.1, 0.1, 10.0)
    assert row.current_difficulty == "hard"
    row.update_mastery(0.1, 0.1, 10.0)
    assert row.current_difficulty == "easy"


def test_update_mastery_gives_the_record_back_and_takes_the_documented_missing() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    assert row.update_mastery(0.8, 0.5, 40.0, missing=["Indexing"]) is row


def test_update_mastery_notes_when_it_happened() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    before = datetime.now(UTC)
    row.update_mastery(0.8, 0.5, 40.0)
    assert row.last_attempt is not None
    assert before <= row.last_attempt <= datetime.now(UTC)
    assert row.last_attempt.utcoffset() == timedelta(0)
    assert row.last_session_date == row.last_attempt
    assert row.last_seen == row.last_attempt.timestamp()


def test_inside_an_application_update_mastery_uses_the_applications_policy(
    make_app: Callable[..., Flask], sqlite_url: str
) -> None:
    with make_app(sqlite_url, GUIDE).app_context():
        row = UserMastery(user_id=1, topic="dbms")
        row.update_mastery(0.8, 0.5, 40.0)
    assert row.mastery_level == pytest.approx(0.6 * 0.24 + 0.4 * 0.15)


def test_a_score_that_is_no_number_leaves_the_record_as_it_was() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    with pytest.raises(ScoreOutOfRange, match=r"^A score must be a number from 0 to 1, not nan\.$"):
        row.update_mastery(float("nan"), 0.5, 40.0)
    assert (row.semantic_avg, row.keyword_avg, row.questions_attempted, row.last_attempt) == (0.0, 0.0, 0, None)


def test_a_null_of_an_older_database_counts_as_the_default() -> None:
    row = UserMastery(user_id=1, topic="dbms", semantic_avg=None, consecutive_poor=None, current_difficulty=None)
    row.update_mastery(0.8, 0.5, 40.0)
    assert row.mastery_level == pytest.approx(0.213)
    assert (row.consecutive_poor, row.current_difficulty) == (0, "medium")


# The concept document and the columns that follow it


def test_the_legacy_columns_say_what_the_concept_document_says() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    row.set_concept_masteries(
        {
            "Indexing": {"is_weak": True, "is_strong": False, "stagnation_count": 2},
            "Joins": {"is_weak": False, "is_strong": True, "stagnation_count": 0},
            "Schlüssel": {"is_weak": True},
        }
    )
    assert json.loads(row.missing_concepts) == json.loads(row.weak_concepts) == ["Indexing", "Schlüssel"]
    assert json.loads(row.strong_concepts) == ["Joins"]
    assert json.loads(row.concept_stagnation) == {"Indexing": 2, "Joins": 0, "Schlüssel": 0}


def test_a_concept_that_recovers_leaves_the_legacy_columns() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    row.set_concept_masteries({"Indexing": {"is_weak": True, "stagnation_count": 3}})
    row.set_concept_masteries({"Indexing": {"is_weak": False, "is_strong": True, "stagnation_count": 0}})
    assert (row.missing_concepts, row.weak_concepts) == ("[]", "[]")
    assert json.loads(row.strong_concepts) == ["Indexing"]
    assert json.loads(row.concept_stagnation) == {"Indexing": 0}


def test_the_getters_read_what_the_setter_stored(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    documents: dict[str, dict[str, Any]] = {
        "Indexing": {"mastery_level": 0.1, "is_weak": True, "stagnation_count": 2, "note": "kept as it is"},
        "Schlüssel": {"mastery_level": 0.8, "is_strong": True},
    }
    with any_app.app_context():
        row = UserMastery(user_id=user_id, topic="dbms")
        row.set_concept_masteries(documents)
        save(row)
    with any_app.app_context():
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert row.get_concept_masteries() == documents
        assert row.get_missing_concepts() == row.get_weak_concepts() == ["Indexing"]
        assert row.get_strong_concepts() == ["Schlüssel"]
        assert row.get_concept_stagnation() == {"Indexing": 2, "Schlüssel": 0}


def test_a_record_without_concepts_has_empty_helpers() -> None:
    row = UserMastery(user_id=1, topic="dbms")
    assert (row.get_concept_masteries(), row.get_concept_stagnation()) == ({}, {})
    assert row.get_missing_concepts() == row.get_weak_concepts() == row.get_strong_concepts() == []


def test_to_dict_uses_the_names_of_specification_a_and_rounds_to_three_places() -> None:
    row = UserMastery(
        user_id=1,
        topic="dbms",
        mastery_level=0.45678,
        mastery_velocity=-0.01234,
        questions_attempted=4,
        current_difficulty="hard",
    )
    row.set_concept_masteries(
        {"Indexing": {"is_weak": True, "stagnation_count": 2}, "Joins": {"is_strong": True}, "Keys": {}}
    )
    assert row.to_dict() == {
        "topic": "dbms",
        "mastery_level": 0.457,
        "questions_attempted": 4,
        "current_difficulty": "hard",
        "weak_concepts": ["Indexing"],
        "strong_concepts": ["Joins"],
        "learning_velocity": -0.012,
        "stagnant_concepts": {"Indexing": 2, "Joins": 0, "Keys": 0},
        "concept_count": 3,
    }
    assert row.mastery_level == 0.45678


# Column types


def bank_import(at: datetime) -> BankImport:
    return BankImport(at=at, source="here", checksum="0")


def test_a_time_of_any_zone_comes_back_as_the_same_moment_in_utc(any_app: Flask) -> None:
    in_india = datetime(2026, 3, 3, 20, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with any_app.app_context():
        row = bank_import(in_india)
        save(row)
        row_id = row.id
    with any_app.app_context():
        if db.engine.dialect.name == "postgresql":
            db.session.execute(text("SET TIME ZONE 'Asia/Tokyo'"))
        at = db.session.get_one(BankImport, row_id).at
    assert at.replace(tzinfo=None) == datetime(2026, 3, 3, 14, 30, 0, 123456)  # noqa: DTZ001 - the digits are compared
    assert at.utcoffset() == timedelta(0)


def test_a_naive_time_is_refused(any_app: Flask) -> None:
    naive = NOON.replace(tzinfo=None)
    message = r"A stored time needs a time zone: datetime\.datetime\(2026, 3, 3, 14, 30\)\."
    with any_app.app_context(), pytest.raises(StatementError, match=message):
        save(bank_import(naive))


def test_json_comes_back_as_it_was_given(any_app: Flask) -> None:
    details = {"names": ["Schlüssel", 'a "quote"', "日本語"], "level": 0.1 + 0.2, "none": None, "nested": {"yes": True}}
    with any_app.app_context():
        event = AuditEvent(at=NOON, action="test", details=details)
        save(event)
        event_id = event.id
    with any_app.app_context():
        assert db.session.get_one(AuditEvent, event_id).details == details
        written = db.session.scalar(text("SELECT details FROM audit_events"))
    assert json.loads(written) == details


def test_a_number_that_json_does_not_have_is_refused(any_app: Flask) -> None:
    with any_app.app_context(), pytest.raises(StatementError, match="Out of range float values are not JSON compliant"):
        save(AuditEvent(at=NOON, action="test", details={"level": float("nan")}))


# Attempts


def test_an_attempts_evidence_survives_the_database(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        save(
            attempt(
                user_id,
                semantic_score=0.1 + 0.2,
                keyword_score=0.7,
                response_time=12.345,
                mentioned_concepts=["Schlüssel", "Joins"],
                missed_concepts=["Indexing"],
                starts_session=True,
                created_at=NOON + timedelta(microseconds=250_000),
            )
        )
    with any_app.app_context():
        stored = db.session.scalars(select(Attempt)).one()
        assert stored.evidence == AnswerEvidence(
            semantic_score=0.30000000000000004,
            keyword_score=0.7,
            response_time=12.345,
            at=NOON_UNIX + 0.25,
            mentioned=("Schlüssel", "Joins"),
            missed=("Indexing",),
            starts_session=True,
        )


def test_a_question_is_answered_once_in_a_session(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        save(interview(user_id, id=7), interview(user_id, id=8))
        save(attempt(user_id, session_id=7, ordinal=1))
        save(attempt(user_id, session_id=8, ordinal=2))
        refused_by_the_database(attempt(user_id, session_id=7, ordinal=3))
        save(attempt(user_id, session_id=7, ordinal=3, question_id="q-2"))
        assert how_many(Attempt, user_id) == 3


def test_a_place_in_the_log_of_a_record_is_taken_once(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        save(attempt(user_id, mastery_id=1, ordinal=1))
        save(attempt(user_id, mastery_id=2, ordinal=1))
        refused_by_the_database(attempt(user_id, mastery_id=1, ordinal=1, question_id="q-2"))
        assert how_many(Attempt, user_id) == 2


def test_an_attempt_in_another_learners_session_is_refused(any_app: Flask) -> None:
    owner_id, other_id = sign_up(any_app).id, sign_up(any_app).id
    with any_app.app_context():
        save(interview(owner_id, id=7))
        refused_by_the_database(attempt(other_id, session_id=7))
        save(attempt(owner_id, session_id=7))


def test_rows_of_nobody_are_refused(any_app: Flask) -> None:
    with any_app.app_context():
        refused_by_the_database(UserMastery(user_id=999, topic="dbms"))
        refused_by_the_database(interview(999))
        refused_by_the_database(attempt(999))


def test_everything_of_a_learner_goes_with_the_learner(any_app: Flask) -> None:
    user_id, other_id = sign_up(any_app).id, sign_up(any_app).id
    with any_app.app_context():
        for owner in (user_id, other_id):
            save(
                UserMastery(user_id=owner, topic="dbms"),
                interview(owner, id=7),
                attempt(owner, session_id=7, ordinal=1),
                AskedQuestion(user_id=owner, question_id="q-1", topic="dbms", last_asked_at=NOON),
                AuditEvent(at=NOON, action="test", actor_id=owner, user_id=owner, details={}),
            )
        db.session.execute(delete(User).where(User.id == user_id))
        db.session.commit()
    owned = (UserMastery, InterviewSession, Attempt, AskedQuestion, TokenFamily)
    with any_app.app_context():
        assert {table.__tablename__: how_many(table, user_id) for table in owned} == {
            table.__tablename__: 0 for table in owned
        }
        assert [how_many(table, other_id) for table in owned] == [1, 1, 1, 1, 1]


def test_the_audit_log_outlives_the_learner(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        save(AuditEvent(at=NOON, action="test", actor_id=user_id, user_id=user_id, details={"deleted": 2}))
        db.session.execute(delete(User).where(User.id == user_id))
        db.session.commit()
    with any_app.app_context():
        event = db.session.scalars(select(AuditEvent)).one()
        assert (event.actor_id, event.user_id, event.details) == (None, None, {"deleted": 2})
