"""The log of answers leads to what is stored, to the last bit; a record can be rebuilt from it by another policy."""

import json
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from mastery import GUIDE, REFERENCE, MasteryPolicy
from models import Attempt, Forecast, UserMastery, db
from replays import LEARNERS_PER_BATCH, Outcome, rebuild, verify
from resets import reset_mastery
from scoring import AnswerScore
from store import Store
from tests.conftest import postgres_url, sign_up
from tests.test_recording import GIVEN, NOON, record

CONCEPTS = ("Indexing", "B-tree", "Locking", "Join")


def practise(
    app: Flask, user_id: int, answers: int, policy: MasteryPolicy = REFERENCE, *, begin: int = 0, seed: int = 1
) -> None:
    """Some answers in two topics, at random but the same every time."""
    chance = random.Random(seed)
    with app.app_context():
        for number in range(begin, begin + answers):
            sampled = chance.sample(CONCEPTS, 3)
            said = chance.randint(0, 3)
            score = AnswerScore(
                semantic_score=chance.random(),
                keyword_score=chance.random(),
                expected_answer="It is sorted.",
                mentioned_concepts=tuple(sampled[:said]),
                missed_concepts=tuple(sampled[said:]),
            )
            topic = chance.choice(("dbms", "oop"))
            at = NOON + timedelta(minutes=number, microseconds=chance.randrange(10**6))
            given = replace(GIVEN, topic=topic, score=score, at=at, response_time=chance.uniform(0, 90))
            record(user_id, given, policy)


def verified(app: Flask, *user_ids: int) -> Outcome:
    with app.app_context():
        return verify(Store(), user_ids)


def rebuilt(app: Flask, user_id: int, policy: MasteryPolicy) -> Outcome:
    with app.app_context():
        return rebuild(Store(), [user_id], policy)


def change(app: Flask, user_id: int, **values: Any) -> None:
    with app.app_context(), Store().transaction():
        db.session.execute(
            update(UserMastery).where(UserMastery.user_id == user_id, UserMastery.topic == "dbms").values(**values)
        )


def record_of(app: Flask, user_id: int) -> UserMastery:
    with app.app_context():
        return Store().masteries(user_id)[0]


def test_what_was_recorded_is_what_its_log_leads_to(any_app: Flask) -> None:
    ada, bob = sign_up(any_app, "ada").id, sign_up(any_app, "bob").id
    practise(any_app, ada, 40)
    practise(any_app, bob, 7, GUIDE)
    assert verified(any_app, ada, bob) == Outcome(records=4, answers=47)


CHANGED = {
    "mastery_level": 0.123,
    "semantic_avg": 0.9,
    "correct_count": 99,
    "consecutive_poor": 7,
    "current_difficulty": "easy",
    "last_mastery": 0.0,
    "weak_concepts": '["Join"]',
    "strong_concepts": '["Join"]',
    "concept_stagnation": "{}",
    "last_attempt": NOON - timedelta(days=1),
}


def test_each_column_that_was_changed_is_found(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    for column, value in CHANGED.items():
        true = getattr(record_of(any_app, ada), column)
        change(any_app, ada, **{column: value})
        [found] = verified(any_app, ada).differences
        assert (found.user_id, found.topic, found.what) == (ada, "dbms", column)
        assert found.stored == value != found.replayed, column
        change(any_app, ada, **{column: true})
    assert not verified(any_app, ada).differences


def test_a_concept_that_was_changed_is_found(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    documents = json.loads(record_of(any_app, ada).concept_masteries)
    name = next(iter(documents))
    documents[name]["mastery_level"] = 0.9876
    change(any_app, ada, concept_masteries=json.dumps(documents))
    assert [one.what for one in verified(any_app, ada).differences] == [f"concept {name!r}"]


def test_an_answer_that_is_missing_or_changed_in_the_log_is_found(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    with any_app.app_context(), Store().transaction():
        attempt = db.session.scalars(select(Attempt).where(Attempt.topic == "dbms", Attempt.ordinal == 2)).one()
        attempt.semantic_score = 0.111
    assert "mastery_after of answer 2" in [one.what for one in verified(any_app, ada).differences]
    with any_app.app_context(), Store().transaction():
        db.session.execute(delete(Attempt).where(Attempt.topic == "dbms", Attempt.ordinal == 2))
    [found] = verified(any_app, ada).differences
    assert found.what == "answers in the log"


def test_a_record_that_cannot_be_read_is_told_of_and_left_alone(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    change(any_app, ada, concept_masteries='{"Join": 7}')
    assert [one.what for one in verified(any_app, ada).differences] == ["concept_masteries"]
    outcome = rebuilt(any_app, ada, GUIDE)
    assert (outcome.records, outcome.rebuilt) == (2, 1)
    assert [one.what for one in outcome.differences] == ["concept_masteries"]
    assert record_of(any_app, ada).concept_masteries == '{"Join": 7}'


def test_a_concept_that_no_answer_sampled_is_told_of_and_kept(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    documents = json.loads(record_of(any_app, ada).concept_masteries) | {"Older": {"attempts": 3, "correct": 2}}
    change(any_app, ada, concept_masteries=json.dumps(documents))
    assert [one.replayed for one in verified(any_app, ada).differences] == [[]]
    rebuilt(any_app, ada, GUIDE)
    assert "Older" in json.loads(record_of(any_app, ada).concept_masteries)


def change_forecast(app: Flask, user_id: int, change: Callable[[dict[str, Any]], Any]) -> None:
    with app.app_context(), Store().transaction():
        row = db.session.scalars(select(Forecast).where(Forecast.user_id == user_id, Forecast.topic == "dbms")).one()
        state = deepcopy(row.state)
        change(state)
        row.state = state


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update(ability=[0.5, 0.5]),
        lambda state: state.update(outcomes=1),
        lambda state: state["concepts"].pop("Join"),
        lambda state: state["concepts"].update(Join=["no", "history"]),
        lambda state: state.clear(),
    ],
)
def test_a_forecast_that_was_changed_is_found_and_mended(any_app: Flask, change: Any) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    rebuilt(any_app, ada, GUIDE)
    with any_app.app_context():
        before = Store().forecast(ada, "dbms")
    change_forecast(any_app, ada, change)
    assert [(one.topic, one.what) for one in verified(any_app, ada).differences] == [("dbms", "forecast")]
    outcome = rebuilt(any_app, ada, GUIDE)
    assert (outcome.rebuilt, outcome.forecasts, outcome.differences) == (0, 1, ())
    with any_app.app_context():
        assert Store().forecast(ada, "dbms") == before
    assert verified(any_app, ada).differences == ()


def test_a_forecast_that_is_gone_is_made_from_the_log(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    with any_app.app_context(), Store().transaction():
        db.session.execute(delete(Forecast).where(Forecast.user_id == ada))
    assert [one.what for one in verified(any_app, ada).differences] == ["forecast", "forecast"]
    assert rebuilt(any_app, ada, REFERENCE).forecasts == 2
    assert verified(any_app, ada).differences == ()


@pytest.mark.parametrize(
    "foretold", [{"Join": [0.5, 0.0, 1.0]}, {}, [], "short", "null", "text", "negative"], ids=lambda value: str(value)
)
def test_a_log_that_contradicts_itself_on_what_was_foretold_is_told_of(any_app: Flask, foretold: Any) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    with any_app.app_context(), Store().transaction():
        attempt = db.session.scalars(select(Attempt).where(Attempt.topic == "dbms", Attempt.ordinal == 2)).one()
        broken: dict[str, Any] = {"short": [0.5, 0.0], "null": None, "text": ["a", "b", "c"]}
        broken["negative"] = [0.5, 0.0, -1e9]
        named: dict[str, Any] = dict.fromkeys(attempt.foretold or {}, broken.get(str(foretold)))
        attempt.foretold = named if isinstance(foretold, str) else foretold
        before = Store().forecast(ada, "dbms")
    [found] = verified(any_app, ada).differences
    assert (found.what, found.stored[:9]) == ("forecast", "Answer 2 ")
    assert [one.what for one in rebuilt(any_app, ada, GUIDE).differences] == ["forecast"]
    with any_app.app_context():
        assert Store().forecast(ada, "dbms") == before


def test_answers_that_are_older_than_forecasts_say_nothing_of_them(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    with any_app.app_context(), Store().transaction():
        db.session.execute(update(Attempt).values(foretold=None))
        db.session.execute(delete(Forecast))
    practise(any_app, ada, 12, begin=12)
    assert verified(any_app, ada).differences == ()
    assert rebuilt(any_app, ada, GUIDE).forecasts == 0


def test_only_answers_since_the_reset_count(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    with any_app.app_context():
        reset_mastery(Store(), user_id=ada, actor_id=ada, topic="all", at=NOON)
    practise(any_app, ada, 5, begin=60)
    outcome = verified(any_app, ada)
    assert (outcome.answers, outcome.differences) == (17, ())
    assert rebuilt(any_app, ada, GUIDE).differences == ()
    with any_app.app_context():
        rows = db.session.scalars(select(UserMastery).where(UserMastery.user_id == ada))
        assert sum(row.questions_attempted for row in rows) == 5


def test_a_record_is_rebuilt_as_if_the_other_policy_had_always_held(any_app: Flask) -> None:
    ada, bob = sign_up(any_app, "ada").id, sign_up(any_app, "bob").id
    practise(any_app, ada, 40)
    practise(any_app, bob, 40, GUIDE)
    assert rebuilt(any_app, ada, GUIDE).rebuilt == 2
    with any_app.app_context():
        of_ada, of_bob = Store().masteries(ada), Store().masteries(bob)
        assert [row.mastery for row in of_ada] == [row.mastery for row in of_bob]
        assert [row.weak_concepts for row in of_ada] == [row.weak_concepts for row in of_bob]
        assert [row.last_attempt for row in of_ada] == [row.last_attempt for row in of_bob]
    assert verified(any_app, ada).differences == ()


def test_answers_after_a_rebuild_count_by_the_policy_they_were_recorded_under(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 20)
    rebuilt(any_app, ada, GUIDE)
    practise(any_app, ada, 20, GUIDE, begin=20, seed=2)
    assert verified(any_app, ada).differences == ()
    assert rebuilt(any_app, ada, GUIDE).rebuilt == 0
    practise(any_app, ada, 20, REFERENCE, begin=40, seed=3)
    assert verified(any_app, ada).differences == ()
    assert rebuilt(any_app, ada, GUIDE).rebuilt == 2


def test_a_rebuild_that_is_done_again_changes_nothing(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 20)
    assert [rebuilt(any_app, ada, GUIDE).rebuilt for _ in range(2)] == [2, 0]
    assert rebuilt(any_app, ada, REFERENCE).rebuilt == 2
    assert verified(any_app, ada).differences == ()


def test_keys_that_the_service_only_keeps_survive_a_rebuild(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    documents = json.loads(record_of(any_app, ada).concept_masteries)
    name = next(iter(documents))
    documents[name]["note"] = "said it twice"
    change(any_app, ada, concept_masteries=json.dumps(documents))
    assert verified(any_app, ada).differences == ()
    rebuilt(any_app, ada, GUIDE)
    assert json.loads(record_of(any_app, ada).concept_masteries)[name]["note"] == "said it twice"


def test_the_shown_figures_and_the_counters_follow_a_rebuild(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 40)
    rebuilt(any_app, ada, GUIDE)
    with any_app.app_context():
        store = Store()
        before = store.level_counts(GUIDE)
        with store.transaction():
            store.count_anew(GUIDE, at=NOON)
        assert sorted(map(str, store.level_counts(GUIDE))) == sorted(map(str, before))


def test_practised_learners_come_in_batches(any_app: Flask, make_app: Callable[..., Flask]) -> None:
    ids = [sign_up(any_app, name).id for name in ("ada", "bob", "cyd", "dan")]
    for user_id in ids[:3]:
        practise(any_app, user_id, 4)
    with any_app.app_context():
        assert Store().count_practised() == 3
        assert list(Store().practised(2)) == [ids[:2], ids[2:3]]


def run(app: Flask, *words: str) -> Any:
    return app.test_cli_runner().invoke(args=["mastery", *words])


def test_the_command_tells_that_all_is_well(any_app: Flask) -> None:
    practise(any_app, sign_up(any_app, "ada").id, 12)
    result = run(any_app, "verify", "--processes", "1")
    assert (result.exit_code, result.stdout) == (0, "2 records, 12 answers: each is what its log leads to.\n")


def test_the_command_tells_of_each_difference_and_fails(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    change(any_app, ada, correct_count=99)
    result = run(any_app, "verify", "--processes", "1")
    assert result.exit_code == 1
    assert "2 records, 12 answers: 1 difference.\n" in result.stdout
    assert f"Learner {ada}, dbms, correct_count: 99; by the log " in result.stdout


def test_the_command_rebuilds_and_says_what_else_must_be_set(any_app: Flask) -> None:
    practise(any_app, sign_up(any_app, "ada").id, 12)
    result = run(any_app, "replay", "--policy", "guide", "--processes", "1")
    assert result.exit_code == 0, result.output
    assert result.stdout == "2 records, 12 answers: 2 records rebuilt by guide/1.\n"
    assert "MASTERY_POLICY=guide" in result.stderr
    again = run(any_app, "replay", "--policy", "guide", "--processes", "1")
    assert again.stdout == "2 records, 12 answers: 0 records rebuilt by guide/1.\n"


def test_the_command_tells_how_many_forecasts_it_mended(any_app: Flask) -> None:
    ada = sign_up(any_app, "ada").id
    practise(any_app, ada, 12)
    change_forecast(any_app, ada, dict.clear)
    result = run(any_app, "replay", "--policy", "guide", "--processes", "1")
    assert result.stdout == "2 records, 12 answers: 2 records rebuilt by guide/1, 1 forecast mended.\n"


def test_several_processes_rebuild_what_one_would(make_app: Callable[..., Flask], postgres_database: str) -> None:
    app = make_app(postgres_url(postgres_database))
    ids = [sign_up(app, f"learner{number}").id for number in range(2 * LEARNERS_PER_BATCH + 1)]
    for user_id in ids:
        practise(app, user_id, 3, seed=user_id)
    first = run(app, "replay", "--policy", "guide", "--processes", "2")
    assert f"{3 * len(ids)} answers: " in first.stdout, first.output
    assert run(app, "verify", "--processes", "2").exit_code == 0
    with app.app_context():
        labels = set(db.session.scalars(select(UserMastery.rebuilt_policy)))
    assert labels == {GUIDE.label}
