"""Forecasts over HTTP and in the store: with a topic's mastery, as reviews that are due, and as calibration."""

from datetime import datetime
from threading import Event, Lock, Thread, current_thread

import pytest
from flask import Flask
from sqlalchemy import func, select

from counts import SharedForecast, slot_of
from forecast import predict, step
from forecast_state import LearnerForecast, Shared
from forecast_terms import Evidence, SharedTerms, merge_evidence
from models import Attempt, Forecast, db
from reviews import OUTLOOK_DAYS
from store import Store, forecasts, utc_now
from store.forecasts import SHARED_FOR, SHARED_TOGETHER
from tests.conftest import Learner, sign_up
from tests.fakes import Clock
from tests.test_admin import give_role
from tests.test_api_progress import practised

DAY = 86_400


def known(app: Flask, learner: Learner, at: float, *concepts: str) -> None:
    """The learner answered well six times about each of these, at that Unix time."""
    with app.app_context():
        store, state = Store(), LearnerForecast()
        for concept in concepts * 6:
            state = step(state, SharedTerms(), concept, question=None, outcome=1.0, at=at).learner
        with store.transaction():
            store.keep_forecast(learner.id, "dbms", state)


def answered(learner: Learner, answers: int) -> None:
    """So many answers in databases, a few to a session."""
    for begun in range(0, answers, 8):
        practised(learner, "dbms", answers=min(8, answers - begun))


def test_each_asked_concept_has_a_forecast(learner: Learner) -> None:
    practised(learner, "dbms")
    view = learner.get("/api/adaptive/mastery/dbms").json
    for concept in view["concepts"].values():
        foretold = concept["forecast"]
        low, high = foretold["interval"]
        assert 0 < low < foretold["probability"] < high < 1
        assert foretold["review_due_at"] is not None
    assert 0 < view["mastery"]["expected_score"] < 1


def test_what_was_known_comes_up_for_review_once_it_is_due(app: Flask, learner: Learner, clock: Clock) -> None:
    known(app, learner, clock().timestamp() - 100 * DAY, "Deadlock")
    reply = learner.get("/api/user/review?limit=1")
    assert reply.status_code == 200, reply.json
    due = reply.json["reviews"]
    assert [one["topic"] for one in due] == ["dbms"]
    assert due[0]["recall_now"] < 0.7 <= due[0]["probability"]
    known(app, learner, clock().timestamp(), "Deadlock")
    assert learner.get("/api/user/review").json["reviews"] == []


def test_what_no_question_probes_any_more_is_never_due(app: Flask, learner: Learner, clock: Clock) -> None:
    known(app, learner, clock().timestamp() - 100 * DAY, "Deadlock", "A concept of former days")
    assert [one["concept"] for one in learner.get("/api/user/review").json["reviews"]] == ["Deadlock"]


def test_a_topic_that_nobody_can_have_has_no_outlook(any_app: Flask) -> None:
    learner = sign_up(any_app)
    for topic in ("%00", "a%00b", "no-such-topic", "x" * 3_000):
        reply = learner.get(f"/api/adaptive/mastery/{topic}/forecast")
        assert (reply.status_code, reply.json) == (200, {"forgetting": [], "answers": []})


def test_a_process_remembers_few_topics_that_nobody_shares(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasts, "MOST_UNSHARED", 3)
    with app.app_context():
        store = Store()
        for number in range(20):
            store.shared_terms(f"invented {number}", now=utc_now())
        assert list(store._kept_terms) == [f"invented {number}" for number in range(3)]


def share(store: Store, learner: Learner, *topics: str, at: datetime) -> None:
    """What an answer to each of the topics says of the shared terms, each in a transaction of its own."""
    for topic in topics:
        with store.transaction():
            store.share_evidence(learner.id, topic, {"base": (1.0, 0.5)}, at=at)


def test_of_an_answer_that_was_undone_no_evidence_waits(app: Flask, learner: Learner, clock: Clock) -> None:
    with app.app_context():
        store = Store()
        with store.transaction():
            store.share_evidence(learner.id, "dbms", {"base": (1.0, 0.5)}, at=clock())
            assert store._waiting == {}
            db.session.rollback()
        assert store._waiting == {}
        share(store, learner, "dbms", at=clock())
        store.share_what_waits(at=clock())
        [row] = db.session.scalars(select(SharedForecast))
        assert row.evidence == {"base": [1.0, 0.5]}


def test_evidence_waits_on_where_the_answer_that_was_to_write_it_failed(
    app: Flask, learner: Learner, clock: Clock
) -> None:
    with app.app_context():
        store, at = Store(), clock()
        share(store, learner, *(["dbms"] * (SHARED_TOGETHER - 1)), at=at)
        with store.transaction():
            store.share_evidence(learner.id, "dbms", {"base": (1.0, 0.5)}, at=at)
            db.session.rollback()
        share(store, learner, "dbms", at=at)
        [row] = db.session.scalars(select(SharedForecast))
        assert row.evidence == {"base": [SHARED_TOGETHER, SHARED_TOGETHER / 2]}
        with store.transaction():
            pass
        db.session.rollback()
        assert store._waiting == {}


def test_what_waits_is_written_at_once_where_the_process_ends(any_app: Flask, clock: Clock) -> None:
    learner, later = sign_up(any_app), clock() + SHARED_FOR
    with any_app.app_context():
        store = Store()
        share(store, learner, "dbms", "oop", "dbms", at=clock())
        store.share_what_waits(at=later)
        store.share_what_waits(at=later)
        rows = db.session.scalars(select(SharedForecast).order_by(SharedForecast.topic))
        assert [(row.topic, row.slot, row.evidence, row.changed_at) for row in rows] == [
            ("dbms", slot_of(learner.id), {"base": [2.0, 1.0]}, later),
            ("oop", slot_of(learner.id), {"base": [1.0, 0.5]}, later),
        ]


def test_what_waits_goes_on_waiting_where_it_cannot_be_written(
    app: Flask, learner: Learner, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object) -> None:
        raise RuntimeError("the disk is full")

    with app.app_context():
        store = Store()
        share(store, learner, "dbms", at=clock())
        with monkeypatch.context() as patched:
            patched.setattr("store.counting.Changes.write", fail)
            with pytest.raises(RuntimeError):
                store.share_what_waits(at=clock())
        store.share_what_waits(at=clock())
        [row] = db.session.scalars(select(SharedForecast))
        assert row.evidence == {"base": [1.0, 0.5]}


class WatchedLock:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self, waited: Event) -> None:
        self._lock, self._waited = Lock(), waited

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._waited.set()
            self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def test_two_threads_that_look_again_add_what_is_new_once(
    any_app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is held where it adds, until the second waits for it, or has added the same."""
    learner, second, settled, late = sign_up(any_app), Thread(), Event(), clock() + SHARED_FOR

    def look() -> None:
        with any_app.app_context():
            shared.shared_terms("dbms", now=late)
        settled.set()

    def merge_second(into: dict[str, Evidence], more: dict[str, Evidence]) -> None:
        if current_thread() is not second:
            second.start()
            assert settled.wait(60)
        merge_evidence(into, more)

    with any_app.app_context():
        shared = Store()
        share(shared, learner, *(["dbms"] * SHARED_TOGETHER), at=late)
        assert shared.shared_terms("dbms", now=clock()).evidence("base") == (SHARED_TOGETHER, SHARED_TOGETHER / 2)
        share(shared, learner, *(["dbms"] * SHARED_TOGETHER), at=late)
        second = Thread(target=look)
        with monkeypatch.context() as patched:
            patched.setattr("store.forecasts._LOOKING", WatchedLock(settled))
            patched.setattr("store.forecasts.merge_evidence", merge_second)
            terms = shared.shared_terms("dbms", now=late)
            second.join()
        assert terms.evidence("base") == (2 * SHARED_TOGETHER, SHARED_TOGETHER)


def test_a_learners_own_word_is_never_shared_and_hinders_no_other_concept(app: Flask, learner: Learner) -> None:
    known(app, learner, 1.0, "A word of my own")
    answered(learner, SHARED_TOGETHER)
    with app.app_context():
        parts = {row.part: row.evidence for row in db.session.scalars(select(SharedForecast))}
    assert parts
    assert "word of my own" not in str(parts)


def test_plans_name_what_is_due(app: Flask, learner: Learner, clock: Clock) -> None:
    practised(learner, "dbms")
    known(app, learner, clock().timestamp() - 100 * DAY, "Deadlock")
    [plan] = [one for one in learner.get("/api/profile/action_plans").json["action_plans"] if one["topic"] == "dbms"]
    assert plan["reason"].endswith("Due for review: Deadlock.")
    assert "Look at Deadlock again: known once, and about to be forgotten." in plan["steps"]


def test_a_topic_nobody_asked_about_has_no_outlook(learner: Learner) -> None:
    assert learner.get("/api/adaptive/mastery/dbms/forecast").json == {"forgetting": [], "answers": []}


def test_the_outlook_shows_how_a_topic_is_forgotten(app: Flask, learner: Learner, clock: Clock) -> None:
    known(app, learner, clock().timestamp(), "Deadlock", "Atomicity")
    curve = learner.get("/api/adaptive/mastery/dbms/forecast").json["forgetting"]
    assert [point["days"] for point in curve] == list(OUTLOOK_DAYS)
    recalls = [point["recall"] for point in curve]
    assert recalls == sorted(recalls, reverse=True)
    assert recalls[0] > 0.7 > recalls[-1] > 0.4
    with app.app_context():
        learned, terms = Store().forecast(learner.id, "dbms"), SharedTerms()
        later = [predict(learned, terms, name, at=clock().timestamp() + 7 * DAY) for name in learned.concepts]
    [week] = [point["recall"] for point in curve if point["days"] == 7]
    assert week == pytest.approx(sum(one.probability for one in later) / 2, abs=5e-4)


def test_the_outlook_sets_what_was_foretold_beside_what_happened(app: Flask, learner: Learner) -> None:
    practised(learner, "dbms", answers=3)
    practised(learner, "oop", answers=1)
    answers = learner.get("/api/adaptive/mastery/dbms/forecast").json["answers"]
    assert len(answers) == 3
    with app.app_context():
        attempts = list(db.session.scalars(select(Attempt).where(Attempt.topic == "dbms").order_by(Attempt.ordinal)))
        for attempt, shown in zip(attempts, answers, strict=True):
            sampled = len(attempt.mentioned_concepts) + len(attempt.missed_concepts)
            assert shown["happened"] == pytest.approx(len(attempt.mentioned_concepts) / sampled, abs=5e-4)
            mean = sum(numbers[0] for numbers in (attempt.foretold or {}).values()) / sampled
            assert shown["foretold"] == pytest.approx(mean, abs=5e-4)


def test_the_outlook_begins_anew_after_a_reset(learner: Learner) -> None:
    practised(learner, "dbms", answers=2)
    learner.post("/api/user/reset_mastery", {"topic": "dbms"})
    assert learner.get("/api/adaptive/mastery/dbms/forecast").json == {"forgetting": [], "answers": []}
    practised(learner, "dbms", answers=1)
    assert len(learner.get("/api/adaptive/mastery/dbms/forecast").json["answers"]) == 1


def test_a_learners_state_is_what_the_log_leads_to(app: Flask, learner: Learner) -> None:
    """With what each attempt notes of the shared terms, whatever others have answered since."""
    practised(learner, "dbms", answers=5)
    with app.app_context():
        state = LearnerForecast()
        for attempt in db.session.scalars(select(Attempt).order_by(Attempt.ordinal)):
            for concept, outcome in attempt.evidence.outcomes:
                _probability, mean, variance = attempt.foretold[concept]
                shared = Shared(mean=mean, variance=variance)
                state = state.after(concept, outcome=outcome, at=attempt.evidence.at, shared=shared)
        assert state.outcomes
        assert Store().forecast(learner.id, "dbms") == state


def test_a_reset_forgets_the_forecast_of_its_topic_alone(app: Flask, learner: Learner) -> None:
    practised(learner, "dbms")
    practised(learner, "oop")
    learner.post("/api/user/reset_mastery", {"topic": "dbms"})
    with app.app_context():
        assert list(db.session.scalars(select(Forecast.topic))) == ["oop"]


def test_shared_terms_are_written_for_several_answers_at_once(any_app: Flask) -> None:
    learner = sign_up(any_app)
    answered(learner, SHARED_TOGETHER - 1)
    with any_app.app_context():
        assert db.session.scalar(select(func.count()).select_from(SharedForecast)) == 0
    answered(learner, 1)
    with any_app.app_context():
        parts = set(db.session.scalars(select(SharedForecast.part)))
    assert "" in parts
    assert {part.partition(":")[0] for part in parts} == {"", "concept", "question"}


def test_what_waits_is_written_with_the_first_answer_after_a_minute(app: Flask, learner: Learner, clock: Clock) -> None:
    answered(learner, 2)
    clock.advance(SHARED_FOR.total_seconds() + 1)
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(SharedForecast)) == 0
    answered(learner, 1)
    with app.app_context():
        assert db.session.scalars(select(SharedForecast)).first() is not None


def test_administrators_see_how_true_forecasts_have_been(any_app: Flask, clock: Clock) -> None:
    learner, admin = sign_up(any_app), sign_up(any_app)
    give_role(any_app, admin, "admin")
    assert learner.get("/api/admin/calibration").status_code == 403
    assert admin.get("/api/admin/calibration").json == {"topics": []}
    answered(learner, SHARED_TOGETHER)
    clock.advance(61)
    [topic] = admin.get("/api/admin/calibration").json["topics"]
    assert topic["topic"] == "dbms"
    assert sum(one["count"] for one in topic["reliability"]) >= SHARED_TOGETHER
    assert len(topic["questions"]) >= 12
    assert all(0 < one["deviation"] < 0.84 for one in topic["questions"])
