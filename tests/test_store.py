"""The store keeps all of a block or none of it, and writers that come together take turns."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

import store.bank as bank_shelf
from bank_tables import BankQuestion, ExpectedVector
from embeddings import KeptReadings
from mastery import Difficulty
from models import InterviewSession, UserMastery, db
from question_bank import Concept, Question, QuestionBank, Topic
from store import NotFound, Store
from tests.conftest import sign_up
from tests.delivered import delivered_topics
from tests.fakes import WordEncoder

T = TypeVar("T")

NOON = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)

LOCKING = Topic(
    slug="locking",
    title="Locking",
    concepts=(
        Concept(
            name="Mutex",
            subtopic="locks",
            aliases=("lock",),
            descriptions=("Only one thread may be in there at a time.", "It keeps the others out; «½ 🔒»."),
        ),
        Concept(name="Deadlock", subtopic="locks"),
    ),
    questions=(
        Question(
            id="locking-mutex",
            topic="locking",
            subtopic="locks",
            difficulty=Difficulty.EASY,
            text="What does a mutex do?",
            concepts=("Mutex",),
            expected_answers=("It lets one thread in.", "It excludes the others."),
            keywords=("thread",),
        ),
        Question(
            id="locking-deadlock",
            topic="locking",
            subtopic="locks",
            difficulty=Difficulty.HARD,
            text="When do two threads wait forever?",
            concepts=("Deadlock", "Mutex"),
            expected_answers=("When each holds what the other wants.",),
        ),
    ),
)


def at_once(app: Flask, count: int, work: Callable[[], T]) -> list[T]:
    """The results of that many threads which begin together, each with a database session of its own."""
    barrier = threading.Barrier(count)

    def run(_: int) -> T:
        with app.app_context():
            barrier.wait()
            return work()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


class GivenUp(Exception):
    """What went wrong in the middle of a transaction."""


def write_and_fail(write: Callable[[], object]) -> None:
    """A transaction that writes and then goes wrong."""
    with Store().transaction():
        write()
        db.session.flush()
        raise GivenUp


def write_inside(user_id: int, topic: str) -> None:
    """A new record, in a transaction of its own."""
    with Store().transaction():
        Store().standing(user_id, topic)


def save_topics(*topics: Topic) -> None:
    store = Store()
    with store.transaction():
        store.save_topics(topics, source="tests", checksum="0", at=NOON)


def answer(store: Store, user_id: int, topic: str) -> None:
    with store.transaction():
        store.lock_learner(user_id)
        store.standing(user_id, topic)[0].update_mastery(0.8, 0.5, 40.0)


def levels(app: Flask, user_id: int) -> dict[str, float]:
    with app.app_context():
        return Store().mastery_levels(user_id)


# Transactions


def test_a_transaction_keeps_all_of_its_writes(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context(), store.transaction():
        store.standing(user_id, "dbms")[0].mastery_level = 0.25
        store.standing(user_id, "oop")[0].mastery_level = 0.5
    assert levels(any_app, user_id) == {"dbms": 0.25, "oop": 0.5}


def test_a_transaction_that_fails_keeps_nothing(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context():
        with pytest.raises(GivenUp):
            write_and_fail(lambda: store.standing(user_id, "dbms"))
        assert store.mastery(user_id, "dbms") is None
    assert levels(any_app, user_id) == {}


def test_after_a_failure_the_next_transaction_works(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context():
        with pytest.raises(GivenUp):
            write_and_fail(lambda: None)
        answer(store, user_id, "dbms")
    assert levels(any_app, user_id) == {"dbms": pytest.approx(0.213)}


def test_a_transaction_inside_another_commits_with_the_outer_one(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context(), store.transaction():
        write_inside(user_id, "dbms")
        write_inside(user_id, "oop")
        assert levels(any_app, user_id) == {}
    assert levels(any_app, user_id) == {"dbms": 0.0, "oop": 0.0}


def test_a_transaction_inside_another_is_lost_with_the_outer_one(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context(), pytest.raises(GivenUp):
        write_and_fail(lambda: write_inside(user_id, "dbms"))
    assert levels(any_app, user_id) == {}


def test_a_failure_in_the_inner_transaction_gives_up_the_outer_one(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()

    def outer() -> None:
        with store.transaction():
            store.standing(user_id, "dbms")
            write_and_fail(lambda: store.standing(user_id, "oop"))

    with any_app.app_context(), pytest.raises(GivenUp):
        outer()
    assert levels(any_app, user_id) == {}


def test_what_was_changed_outside_a_transaction_is_not_kept_by_the_next(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context():
        answer(store, user_id, "dbms")
        store.masteries(user_id)[0].mastery_level = 0.9
        with store.transaction():
            store.standing(user_id, "oop")
    assert levels(any_app, user_id)["dbms"] == pytest.approx(0.213)


def test_a_transaction_sees_what_others_committed_since_the_row_was_loaded(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context():
        answer(store, user_id, "dbms")
        loaded = store.mastery(user_id, "dbms")
        at_once(any_app, 1, lambda: answer(Store(), user_id, "dbms"))
        with store.transaction():
            assert loaded
            assert loaded.questions_attempted == 2


def test_release_lets_the_next_read_see_what_was_committed_since(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context():
        assert store.mastery_levels(user_id) == {}
        store.release()
        at_once(any_app, 1, lambda: answer(Store(), user_id, "dbms"))
        assert store.mastery_levels(user_id) == {"dbms": pytest.approx(0.213)}


def test_release_inside_a_transaction_gives_nothing_up(any_app: Flask) -> None:
    user_id, store = sign_up(any_app).id, Store()
    with any_app.app_context(), store.transaction():
        store.standing(user_id, "dbms")
        store.release()
    assert levels(any_app, user_id) == {"dbms": 0.0}


# Writers that come together


def test_answers_of_six_threads_on_one_record_are_all_counted(any_app: Flask) -> None:
    user_id = sign_up(any_app).id

    def thirty_answers() -> None:
        store = Store()
        for _ in range(30):
            answer(store, user_id, "dbms")

    at_once(any_app, 6, thirty_answers)
    with any_app.app_context():
        row = db.session.get_one(UserMastery, (user_id, "dbms"))
        assert row.questions_attempted == 180
        assert row.mastery_level == pytest.approx(0.71)


def test_the_first_answers_of_sixteen_threads_make_one_record(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    at_once(any_app, 16, lambda: answer(Store(), user_id, "dbms"))
    with any_app.app_context():
        rows = Store().masteries(user_id)
        assert [(row.topic, row.questions_attempted) for row in rows] == [("dbms", 16)]


def test_an_unknown_learner_cannot_be_locked(any_app: Flask) -> None:
    with any_app.app_context(), pytest.raises(NotFound, match=r"^There is no such thing, or it is not yours\.$"):
        Store().lock_learner(999)


def test_readings_that_several_threads_made_are_kept_once(any_app: Flask) -> None:
    names = iter(range(8))

    def keep() -> None:
        mine = next(names)
        Store().keep("model", {"shared": (bytes([mine]), bytes([mine, mine])), f"own-{mine}": (b"own", b"words")})

    at_once(any_app, 8, keep)
    with any_app.app_context():
        assert db.session.scalar(select(func.count()).select_from(ExpectedVector)) == 9
        found = Store().find("model", ["shared", *(f"own-{number}" for number in range(8))])
    assert found.pop("shared") in [(bytes([number]), bytes([number, number])) for number in range(8)]
    assert found == {f"own-{number}": (b"own", b"words") for number in range(8)}


def test_a_reading_that_is_there_is_left_as_it_is(any_app: Flask) -> None:
    first, second, new = (b"first", b"its words"), (b"second", b"other words"), (b"new", b"")
    with any_app.app_context():
        Store().keep("model", {"text": first})
        Store().keep("model", {"text": second, "other": new})
        assert Store().find("model", ["text", "other", "unknown"]) == {"text": first, "other": new}


def test_a_reading_without_spans_is_kept(any_app: Flask) -> None:
    with any_app.app_context():
        Store().keep("model", {"text": (b"vector", b"")})
        assert Store().find("model", ["text"]) == {"text": (b"vector", b"")}


def test_keeping_nothing_keeps_nothing(any_app: Flask) -> None:
    with any_app.app_context():
        Store().keep("model", {})
        assert Store().find("model", []) == {}
        assert db.session.scalar(select(func.count()).select_from(ExpectedVector)) == 0


def test_readings_of_another_model_are_not_found(any_app: Flask) -> None:
    with any_app.app_context():
        Store().keep("model", {"text": (b"first", b"words")})
        assert Store().find("another", ["text"]) == {}


def test_more_readings_than_a_statement_takes_are_found(any_app: Flask) -> None:
    readings = {f"text-{number}": (number.to_bytes(2, "big"), b"words" * (number % 3)) for number in range(1201)}
    with any_app.app_context():
        Store().keep("model", readings)
        assert Store().find("model", list(readings)) == readings


def test_a_reading_comes_back_from_the_store_bit_for_bit(any_app: Flask) -> None:
    text, spans = "cycles wait forever", [(0, 19), (0, 6), (7, 7)]
    with any_app.app_context():
        [made] = KeptReadings(WordEncoder(), Store()).read([text], [spans])
        encoder = WordEncoder()
        [taken] = KeptReadings(encoder, Store()).read([text], [spans])
    assert encoder.encoded == []
    assert (taken.vector.tobytes(), taken.spans.tobytes()) == (made.vector.tobytes(), made.spans.tobytes())
    assert (taken.vector.shape, taken.spans.shape) == ((512,), (3, 512))
    assert taken.spans[:2].any(axis=1).all()


# The question bank


def test_the_bank_is_what_the_files_say(any_app: Flask) -> None:
    topics = delivered_topics()
    with any_app.app_context():
        bank = Store().bank()
        assert {topic.slug: topic for topic in bank} == {topic.slug: topic for topic in topics}
        assert len({question.id for topic in bank for question in topic.questions}) == sum(
            len(topic.questions) for topic in topics
        )


def test_a_question_that_left_its_file_is_retired_and_not_deleted(any_app: Flask) -> None:
    mutex, deadlock = LOCKING.questions
    with any_app.app_context():
        save_topics(LOCKING)
        save_topics(replace(LOCKING, questions=(mutex,)))
        bank = Store().bank()
        assert bank.topic("locking").active_questions == (mutex,)
        assert bank.question("locking-deadlock") == replace(deadlock, retired=True)
        stored = select(func.count()).select_from(BankQuestion).where(BankQuestion.topic == "locking")
        assert db.session.scalar(stored) == 2


def test_a_question_that_returns_to_its_file_may_be_asked_again(any_app: Flask) -> None:
    with any_app.app_context():
        save_topics(LOCKING)
        save_topics(replace(LOCKING, questions=LOCKING.questions[:1]))
        save_topics(LOCKING)
        assert Store().bank().topic("locking") == LOCKING


def test_descriptions_are_kept_with_their_concepts(any_app: Flask) -> None:
    with any_app.app_context():
        save_topics(LOCKING)
        db.session.remove()
        mutex, deadlock = Store().bank().topic("locking").concepts
        assert mutex.descriptions == ("Only one thread may be in there at a time.", "It keeps the others out; «½ 🔒».")
        assert deadlock.descriptions == ()


def test_a_changed_file_changes_title_concepts_and_questions(any_app: Flask) -> None:
    mutex, deadlock = LOCKING.questions
    changed = replace(
        LOCKING,
        title="Locks",
        concepts=(
            Concept(name="Deadlock", subtopic="locks", aliases=("circular wait",), descriptions=("All wait.",)),
            replace(LOCKING.concepts[0], descriptions=LOCKING.concepts[0].descriptions[1:]),
        ),
        questions=(replace(deadlock, difficulty=Difficulty.MEDIUM), replace(mutex, text="What is a mutex?")),
    )
    with any_app.app_context():
        save_topics(LOCKING)
        save_topics(changed)
        assert Store().bank().topic("locking") == changed


def test_loading_one_topic_leaves_the_others_alone(any_app: Flask) -> None:
    with any_app.app_context():
        before = {topic.slug: topic for topic in Store().bank()}
        save_topics(LOCKING)
        assert {topic.slug: topic for topic in Store().bank()} == {**before, "locking": LOCKING}


def test_topics_that_could_not_all_be_saved_are_not_saved_at_all(any_app: Flask) -> None:
    with any_app.app_context():
        before = list(Store().bank())
        with pytest.raises(GivenUp):
            write_and_fail(lambda: Store().save_topics([LOCKING], source="tests", checksum="1", at=NOON))
        assert list(Store().bank()) == before
        assert Store().bank_checksum("tests") is None


def test_the_bank_is_read_again_after_another_process_has_loaded_it(
    make_app: Callable[..., Flask], any_url: str
) -> None:
    app, other = make_app(any_url), make_app(any_url)
    store = Store()

    def bank() -> QuestionBank:
        with app.app_context():
            return store.bank()

    first = bank()
    assert bank() is first
    assert "locking" not in first.topics
    with other.app_context():
        save_topics(LOCKING)
    assert bank().topic("locking") == LOCKING


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the questions that are read from the database."""
    ids: list[str] = []
    make = bank_shelf._question

    def noted(row: Any) -> Question:
        ids.append(row.id)
        return make(row)

    monkeypatch.setattr(bank_shelf, "_question", noted)
    return ids


def edit(question: Question) -> None:
    """As another process does it."""
    store = Store()
    with store.transaction():
        store.lock_bank()
        store.save_question(question, source="tests", checksum="0", at=NOON)


def test_after_an_edit_of_one_question_its_topic_is_read_again_and_no_other(any_app: Flask, read: list[str]) -> None:
    store = Store()
    with any_app.app_context():
        before = store.bank()
        assert len(read) == sum(len(topic.questions) for topic in before)
        first = before.topic("dbms").questions[0]
        read.clear()
        edit(replace(first, text="What is a lock for?"))
        after = store.bank()
        assert sorted(read) == sorted(before.topic("dbms").question_by_id)
        assert after.question(first.id).text == "What is a lock for?"
        assert after.topic("dbms") == Store().bank().topic("dbms")
        assert all(after.topics[slug] is topic for slug, topic in before.topics.items() if slug != "dbms")
        assert list(after.topics) == list(before.topics)


def test_after_a_load_only_the_topics_that_it_changed_are_read_again(any_app: Flask, read: list[str]) -> None:
    store = Store()
    with any_app.app_context():
        save_topics(LOCKING)
        before = store.bank()
        save_topics(*before)
        assert store.bank() is before
        save_topics(*(topic for topic in before if topic.slug != "dbms"), replace(LOCKING, title="Locks"))
        read.clear()
        after = store.bank()
        assert set(read) == {*before.topic("dbms").question_by_id, *LOCKING.question_by_id}
        assert (after.topic("dbms").active_questions, after.topic("locking").title) == ((), "Locks")
        assert after.topic("python") is before.topic("python")


def test_a_topic_from_which_a_question_moves_is_read_again(any_app: Flask, read: list[str]) -> None:
    """Though nothing was said of it: what it lost came with a topic of another source."""
    store = Store()
    with any_app.app_context():
        save_topics(LOCKING)
        before = store.bank()
        moved = replace(before.question("locking-mutex"), topic="threads")
        threads = Topic(slug="threads", title="Threads", concepts=LOCKING.concepts, questions=(moved,))
        read.clear()
        with store.transaction():
            store.save_topics([threads], source="elsewhere", checksum="1", at=NOON)
        after = store.bank()
        assert set(read) == LOCKING.question_by_id.keys()
        assert after.owners["locking-mutex"] == "threads"
        assert after.topic("locking").question_by_id.keys() == LOCKING.question_by_id.keys() - {"locking-mutex"}
        assert after.topic("dbms") is before.topic("dbms")


def test_the_checksum_of_the_last_load_is_kept_per_source(any_app: Flask) -> None:
    store = Store()
    with any_app.app_context():
        for source, checksum in (("a", "1"), ("b", "2"), ("a", "3")):
            with store.transaction():
                store.save_topics([], source=source, checksum=checksum, at=NOON)
        assert [store.bank_checksum(source) for source in ("a", "b", "c")] == ["3", "2", None]


# Pages of sessions


def add_sessions(user_id: int, *sessions: tuple[int, datetime, str]) -> None:
    """Sessions of that id, start and type."""
    with Store().transaction():
        for session_id, created_at, session_type in sessions:
            Store().add_session(
                InterviewSession(
                    user_id=user_id,
                    id=session_id,
                    session_type=session_type,
                    status="completed",
                    topic="dbms",
                    max_questions=5,
                    max_minutes=30,
                    created_at=created_at,
                    state_document={},
                )
            )


def walk(user_id: int, *, limit: int, session_type: str | None = None) -> list[list[int]]:
    """The ids of all pages, from the newest on."""
    pages, place = [], None
    while True:
        page = Store().sessions(user_id, limit=limit, session_type=session_type, after=place)
        pages.append([session.id for session in page.sessions])
        place = page.next_place
        if place is None:
            return pages


def test_the_pages_hold_every_session_once_newest_first(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        add_sessions(user_id, *((n, NOON + timedelta(minutes=n), "technical") for n in (3, 1, 5, 2, 4)))
        assert walk(user_id, limit=2) == [[5, 4], [3, 2], [1]]


def test_sessions_of_one_moment_are_each_on_one_page(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        add_sessions(user_id, *((n, NOON, "technical") for n in (2, 5, 1, 4, 3)))
        assert walk(user_id, limit=2) == [[5, 4], [3, 2], [1]]


def test_sessions_a_microsecond_apart_keep_their_order(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        add_sessions(user_id, *((n, NOON - timedelta(microseconds=n), "technical") for n in (1, 2, 3)))
        assert walk(user_id, limit=1) == [[1], [2], [3]]


def test_a_page_that_ends_with_the_last_session_has_no_next_place(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    with any_app.app_context():
        add_sessions(user_id, (1, NOON, "technical"), (2, NOON, "technical"))
        assert walk(user_id, limit=2) == [[2, 1]]


def test_the_pages_of_one_type_hold_that_type_only(any_app: Flask) -> None:
    user_id = sign_up(any_app).id
    kinds = {1: "technical", 2: "mock", 3: "technical", 4: "coding", 5: "technical"}
    with any_app.app_context():
        add_sessions(user_id, *((n, NOON + timedelta(minutes=n), kind) for n, kind in kinds.items()))
        assert walk(user_id, limit=2, session_type="technical") == [[5, 3], [1]]
        assert walk(user_id, limit=2, session_type="debugging") == [[]]


def test_another_learners_sessions_are_on_no_page(any_app: Flask) -> None:
    user_id, other_id = sign_up(any_app).id, sign_up(any_app).id
    with any_app.app_context():
        add_sessions(user_id, (1, NOON, "technical"))
        add_sessions(other_id, (2, NOON, "technical"))
        assert walk(user_id, limit=5) == [[1]]
        with pytest.raises(NotFound):
            Store().session(user_id, 2)


# SQLite


FULL = 2
"""SQLite's number for a commit that waits for the disk."""


def test_sqlite_connections_are_set_up_for_several_writers(app: Flask) -> None:
    with app.app_context():
        names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        pragmas = {name: db.session.scalar(text(f"PRAGMA {name}")) for name in names}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 15_000, "synchronous": FULL}


def may_write(path: Path) -> bool:
    """Whether another connection gets SQLite's write lock without waiting."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        other.execute("ROLLBACK")
        return True


def test_a_sqlite_transaction_holds_the_write_lock_from_its_beginning(app: Flask, tmp_path: Path) -> None:
    path, store = tmp_path / "gradus.db", Store()
    with app.app_context():
        with store.transaction():
            assert not may_write(path)
        assert may_write(path)


def test_reading_from_sqlite_holds_no_writer_up(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        Store().bank()
        assert may_write(tmp_path / "gradus.db")


def test_sqlite_finds_accounts_by_its_indexes(app: Flask) -> None:
    """Signing in by username or email, parts of names, and beginnings."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        store = Store()
        store.user_by_login("dora")
        store.search_users("dor", limit=5)
        store.search_users("do", limit=5, after=(NOON, 1))
        event.remove(db.engine, "before_cursor_execute", note)
        looked = [one for one in statements if "FROM users" in one]
        assert len(looked) == 3
        with db.engine.connect() as connection:
            for statement in looked:
                places = ("dor",) * statement.count("?")
                plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", places)]
                scans = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE INDEX" not in step]
                assert scans == [], plan
