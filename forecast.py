"""Forecast: the probability that a learner's next attempt succeeds, learned online from an empty start.

The logit is a sum of Gaussian terms: what is the learner's own (ability, a bonus for each concept) and what all
learners share (difficulty of concepts and questions, slopes of what the history of answers says). Each outcome moves
every term by a step of an extended Kalman filter with a diagonal covariance. Cost of a step: some forty terms, whatever
the history. Where the formulas come from: docs/decisions/0015-forecast.md. The learner's own terms are in
`forecast_state.py`, the shared ones in `forecast_terms.py`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from forecast_state import ConceptHistory, LearnerForecast, Prediction, Shared, logit
from forecast_terms import (
    DAY,
    DAYS_PRIOR,
    QUESTION,
    Evidence,
    SharedTerms,
    days_since,
    discrimination_term,
    question_term,
    shared_terms,
)

BINS = 10
"""Parts into which forecasts are sorted to compare them with outcomes."""
REVIEW_BELOW = 0.7
"""A concept is due on the day on which its forecast falls below this probability."""
MASTERED_FROM = 0.75
"""A concept counts as mastered where an attempt succeeds at least this often."""
LONGEST_REVIEW_DAYS = 180.0
"""However well a concept is known, it is looked at again after half a year."""
ENOUGH_ATTEMPTS = 3


def predict(
    learner: LearnerForecast, terms: SharedTerms, concept: str, *, question: str | None = None, at: float | None = None
) -> Prediction:
    """The forecast of the learner's next attempt at a concept."""
    return Prediction.of(learner, concept, terms.meet(shared_terms(learner, concept, question, at)))


def with_question(prediction: Prediction, terms: SharedTerms, question: str) -> Prediction:
    """The forecast for a certain question, from that for an average one."""
    mean, variance = terms.belief(question_term(question), 0.0, QUESTION)
    return Prediction(mean=prediction.mean - mean, variance=prediction.variance + variance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one outcome leads to: the learner's next state, what the shared terms foretold, and what they learn."""

    learner: LearnerForecast
    shared: Shared
    probability: float
    learned: Mapping[str, Evidence]


def step(
    learner: LearnerForecast, terms: SharedTerms, concept: str, *, question: str | None, outcome: float, at: float
) -> Step:
    """One outcome in [0, 1] of an attempt at a concept at the Unix time `at`. `terms` stay as they were."""
    met = shared_terms(learner, concept, question, at)
    shared = terms.meet(met)
    prediction = Prediction.of(learner, concept, shared)
    learned = terms.learned(met, prediction, outcome)
    own = learner.ability[0] + learner.concept(concept).bonus[0]
    learned.update(_checks(prediction.probability, own, question, outcome))
    return Step(
        learner=learner.after(concept, outcome=outcome, at=at, shared=shared),
        shared=shared,
        probability=prediction.probability,
        learned=learned,
    )


def _checks(probability: float, own: float, question: str | None, outcome: float) -> dict[str, Evidence]:
    """What tells whether forecasts and questions are any good; no forecast is made of it."""
    place = min(int(probability * BINS), BINS - 1)
    checks = {f"foretold:{place}": (1.0, probability), f"happened:{place}": (1.0, outcome)}
    if question is not None:
        curvature = probability * (1 - probability)
        checks[discrimination_term(question)] = (own * own * curvature, own * (outcome - probability))
    return checks


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Forecasts of one tenth of [0, 1]: how many, their mean, and the mean of the outcomes that followed."""

    count: int
    foretold: float
    happened: float


def reliability(terms: SharedTerms) -> list[ReliabilityBin]:
    """The reliability curve, lowest forecasts first; tenths without a forecast are left out."""
    curve = []
    for place in range(BINS):
        count, foretold = terms.evidence(f"foretold:{place}")
        if count:
            happened = terms.evidence(f"happened:{place}")[1]
            curve.append(ReliabilityBin(count=round(count), foretold=foretold / count, happened=happened / count))
    return curve


@dataclass(frozen=True, kw_only=True)
class QuestionFigures:
    """A question's difficulty (a logit; above 0 is harder than its concepts) with its standard deviation, and its
    discrimination: 1 where it tells able learners from others as expected, near 0 or below where it does not."""

    difficulty: float
    deviation: float
    discrimination: float


def question_figures(terms: SharedTerms, question: str) -> QuestionFigures | None:
    """What the answers say of a question; None before the first.

    Discrimination is one Newton step from 1 on the log-likelihood of the slope of the learner's own terms, under a
    Gaussian prior of variance 1/4.
    """
    if not terms.evidence(question_term(question))[0]:
        return None
    mean, variance = terms.belief(question_term(question), 0.0, QUESTION)
    information, weighted = terms.evidence(discrimination_term(question))
    return QuestionFigures(
        difficulty=mean, deviation=math.sqrt(variance), discrimination=1 + weighted / (information + 4.0)
    )


@dataclass(frozen=True, kw_only=True)
class ConceptForecast:
    """What is foretold of a concept. Probabilities in [0, 1]; `review_due_at` is a Unix time, None if never asked.

    `probability` is that of a success right after the last attempt, `today` foretells one at this moment.
    """

    concept: str
    attempts: int
    probability: float
    interval: tuple[float, float]
    mastered: float
    enough_data: bool
    today: Prediction
    review_due_at: float | None

    @property
    def recall_now(self) -> float:
        """The probability of a success at this moment."""
        return self.today.probability


def forecast_concept(learner: LearnerForecast, terms: SharedTerms, concept: str, *, now: float) -> ConceptForecast:
    """The forecast of a concept at the Unix time `now`, for a question of average difficulty."""
    history = learner.concept(concept)
    fresh = predict(learner, terms, concept)
    today = predict(learner, terms, concept, at=now)
    return ConceptForecast(
        concept=concept,
        attempts=round(history.attempts),
        probability=fresh.probability,
        interval=fresh.interval,
        mastered=today.above(MASTERED_FROM),
        enough_data=history.attempts >= ENOUGH_ATTEMPTS,
        today=today,
        review_due_at=_review_due_at(history, fresh, terms),
    )


def forgetting(
    learner: LearnerForecast, terms: SharedTerms, concepts: Iterable[str], *, now: float, days: Sequence[float]
) -> list[float]:
    """The mean probability of a success over these concepts, of which there must be one, after each of so many days
    from the Unix time `now` without a question."""
    fresh = {name: predict(learner, terms, name) for name in concepts}
    mean, variance = terms.belief("days", *DAYS_PRIOR)
    curve = []
    for later in days:
        moment, recalled = now + later * DAY, 0.0
        for name, prediction in fresh.items():
            x = math.log1p(days_since(learner.concept(name), moment))
            faded = Prediction(mean=prediction.mean + x * mean, variance=prediction.variance + x * x * variance)
            recalled += faded.probability
        curve.append(recalled / len(fresh))
    return curve


def _review_due_at(history: ConceptHistory, fresh: Prediction, terms: SharedTerms) -> float | None:
    """The moment at which the mean of the logit falls to that of `REVIEW_BELOW`; at once where it is lower already."""
    if not history.attempts:
        return None
    slope, _variance = terms.belief("days", *DAYS_PRIOR)
    spare = fresh.mean - logit(REVIEW_BELOW) * math.sqrt(1 + math.pi * fresh.variance / 8)
    if spare <= 0:
        return history.at
    longest = math.log1p(LONGEST_REVIEW_DAYS)
    log_days = longest if slope >= 0 else min(longest, spare / -slope)
    return history.at + math.expm1(log_days) * DAY
