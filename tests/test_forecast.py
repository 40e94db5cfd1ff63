"""The forecast: Gaussian terms that every outcome moves, and what is foretold from them."""

import json
import random

import pytest

from benchmarks.tracing import ForecastPredictor
from forecast import REVIEW_BELOW, forecast_concept, predict, step
from forecast_state import LearnerForecast, Prediction, Shared
from forecast_terms import DAY, SharedTerms

NOW = 1_772_548_200.0


def answered(outcomes: str, concept: str = "joins", *, at: float = NOW) -> tuple[LearnerForecast, SharedTerms]:
    """A learner after these outcomes (1 or 0), alone in the world."""
    learner, terms = LearnerForecast(), SharedTerms()
    for outcome in outcomes:
        done = step(learner, terms, concept, question=None, outcome=float(outcome), at=at)
        learner = done.learner
        terms.add(done.learned)
    return learner, terms


def test_nothing_known_is_even_odds_and_says_so() -> None:
    foretold = forecast_concept(LearnerForecast(), SharedTerms(), "joins", now=NOW)
    assert foretold.probability == pytest.approx(0.5)
    low, high = foretold.interval
    assert low < 0.2
    assert high > 0.8
    assert not foretold.enough_data
    assert foretold.review_due_at is None


def test_one_outcome_moves_each_term_by_the_documented_step() -> None:
    """By hand: z = 0, v = 0.5 + 0.25 + 1.25 = 2, p = ½, h = ¼, so ability moves by 0.5 · ½ / (1 + ¼ · 2) = 1/6."""
    learner = LearnerForecast().after("joins", outcome=1.0, at=NOW, shared=Shared(mean=0.0, variance=1.25))
    assert learner.ability == pytest.approx((1 / 6, 0.5 - 0.25 * 0.25 / 1.5))
    assert learner.concept("joins").bonus == pytest.approx((1 / 12, 0.25 - 0.25 * 0.0625 / 1.5))


def test_successes_raise_the_forecast_and_narrow_it() -> None:
    few, many = (forecast_concept(*answered("1" * n), "joins", now=NOW) for n in (1, 12))
    assert many.probability > few.probability > 0.5
    assert many.interval[1] - many.interval[0] < few.interval[1] - few.interval[0]
    assert many.mastered > few.mastered
    assert many.enough_data


def test_what_is_known_of_one_concept_says_something_of_another() -> None:
    able, terms = answered("1" * 8)
    assert predict(able, terms, "indexes").mean > predict(LearnerForecast(), terms, "indexes").mean


def test_time_lowers_recall_and_the_review_date_is_where_it_crosses() -> None:
    learner, terms = answered("11")
    foretold = forecast_concept(learner, terms, "joins", now=NOW)
    assert foretold.review_due_at is not None
    assert NOW + DAY < foretold.review_due_at < NOW + 180 * DAY
    on_the_day = forecast_concept(learner, terms, "joins", now=foretold.review_due_at)
    assert on_the_day.recall_now == pytest.approx(REVIEW_BELOW, abs=0.03)
    assert on_the_day.probability == foretold.probability
    much_later = forecast_concept(learner, terms, "joins", now=foretold.review_due_at + 300 * DAY)
    assert much_later.recall_now < REVIEW_BELOW
    assert much_later.mastered < foretold.mastered


def test_what_was_never_known_is_due_at_once() -> None:
    assert forecast_concept(*answered("000"), "joins", now=NOW + DAY).review_due_at == NOW


def test_a_question_that_others_miss_is_foretold_to_be_missed() -> None:
    terms = SharedTerms()
    for name in range(30):
        for question, outcome in (("hard", 0.0), ("easy", 1.0)):
            learner = LearnerForecast()
            terms.add(step(learner, terms, f"c{name}", question=question, outcome=outcome, at=NOW).learned)
    hard, easy = (predict(LearnerForecast(), terms, "joins", question=name).probability for name in ("hard", "easy"))
    assert hard < 0.35 < 0.65 < easy


def test_evidence_adds_up_in_any_order() -> None:
    parts = [step(LearnerForecast(), SharedTerms(), "joins", question="q", outcome=y, at=NOW).learned for y in (1, 0)]
    forth, back = SharedTerms(parts), SharedTerms(reversed(parts))
    assert predict(LearnerForecast(), forth, "joins") == predict(LearnerForecast(), back, "joins")


def test_a_state_survives_storage() -> None:
    learner, _terms = answered("1101")
    assert LearnerForecast.from_document(json.loads(json.dumps(learner.to_document()))) == learner


def test_a_state_does_not_grow_with_history() -> None:
    short, long = (len(json.dumps(answered("10" * n)[0].to_document())) for n in (20, 400))
    assert long < short + 40


def test_what_lies_above_a_probability_is_a_half_at_the_middle() -> None:
    assert Prediction(mean=0.0, variance=1.0).above(0.5) == pytest.approx(0.5)
    assert Prediction(mean=2.0, variance=1.0).above(0.5) == pytest.approx(0.97725, abs=1e-5)


def test_a_simulated_class_is_foretold_without_training() -> None:
    """Learners of unlike ability and concepts of unlike difficulty: forecasts are true on average, and far apart."""
    chance, predictor = random.Random(5), ForecastPredictor()
    seen: list[tuple[float, int]] = []
    for user in range(150):
        ability = chance.gauss(0, 1)
        for place in range(30):
            concept = chance.randrange(8)
            outcome = int(chance.gauss(0, 1) < ability + (concept - 3.5) / 3)
            case = (str(user), str(concept), None)
            seen.append((predictor.predict(*case, place), outcome))
            predictor.update(*case, outcome, place)
    late = seen[1000:]
    for low, high in ((0.0, 0.3), (0.3, 0.6), (0.6, 0.85), (0.85, 1.0)):
        group = [(p, y) for p, y in late if low <= p < high]
        assert len(group) > 200
        assert sum(y for _, y in group) / len(group) == pytest.approx(sum(p for p, _ in group) / len(group), abs=0.06)
