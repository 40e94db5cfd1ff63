"""What to ask next: by sampled priorities, as documented, or by what the forecast says is worth asking."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from adaptive_state import ConceptMastery, TopicMastery
from forecast import REVIEW_BELOW, ConceptForecast, forecast_concept, with_question
from forecast_state import LearnerForecast
from forecast_terms import SharedTerms
from mastery import Difficulty, MasteryPolicy
from question_bank import Question, Topic


class SelectionRule(StrEnum):
    """How questions are chosen."""

    DOCUMENTED = "documented"
    FORECAST = "forecast"


AIMED_SUCCESS = 0.7
"""The success rate at which a question is worth most: hard enough to learn from, easy enough to go on."""
SURELY_KNOWN = 0.9
"""A concept that is mastered with this probability is not asked again before it is due."""
PREREQUISITE_KNOWN = 0.5
"""A prerequisite counts as known from this probability of a success."""
NEVER_ASKED = 0.15
"""Added to the need of a concept that was never asked, once more for every outcome that each concept could have had by
then: nothing but asking can tell what is known of it, and none is left out for good."""
DUE = 0.2
"""Added to the need of a concept that was known and whose review is due."""
BLOCKED = 0.15
"""Share of its need that a concept keeps while a prerequisite of it is unknown."""
READINESS = 1.0
"""Added to the probability of a success for how learnable a concept is: what is nearly known is learned soonest."""
FIT, MET_BEFORE = 0.1, 0.9
REST, SPREAD_OVER = 0.7, 12
"""Share of its need that a concept keeps right after it was asked, and after how many outcomes it has all of it."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A question, and the concepts that it samples."""

    question: Question
    concepts: tuple[str, ...]


def plan_topics(levels: Mapping[str, float], topics: Sequence[str]) -> tuple[str, ...]:
    """The topics, lowest mastery level first; a topic without a record counts as 0; ties keep the given order."""
    return tuple(sorted(topics, key=lambda topic: levels.get(topic, 0.0)))


def sample_without_replacement(weights: Mapping[str, float], k: int, *, chance: random.Random) -> tuple[str, ...]:
    """Up to k different names in the order drawn, each draw proportional to the weights (all > 0) that are left."""
    left = dict(weights)
    drawn: list[str] = []
    while left and len(drawn) < k:
        name = chance.choices(list(left), weights=list(left.values()))[0]
        del left[name]
        drawn.append(name)
    return tuple(drawn)


def priorities(names: Iterable[str], mastery: TopicMastery, *, now: float, policy: MasteryPolicy) -> dict[str, float]:
    """Each concept's priority at this moment (Unix time); a concept that was never seen counts as new."""
    velocity = mastery.progress.mastery_velocity
    concepts = {name: mastery.concepts.get(name) or ConceptMastery(name=name) for name in names}
    return {name: concept.priority_at(now, velocity=velocity, policy=policy) for name, concept in concepts.items()}


def sampling_weights(
    names: Iterable[str], mastery: TopicMastery, *, now: float, policy: MasteryPolicy
) -> dict[str, float]:
    """Each concept's priority at this moment (Unix time), never below the policy's floor (rulings, 4)."""
    found = priorities(names, mastery, now=now, policy=policy)
    return {name: max(policy.sampling_weight_floor, priority) for name, priority in found.items()}


def choose_question(
    topic: Topic,
    mastery: TopicMastery,
    *,
    difficulty: Difficulty,
    asked: Sequence[str],
    last_asked: Mapping[str, float],
    now: float,
    chance: random.Random,
    policy: MasteryPolicy,
) -> Selection | None:
    """The next question of a topic, or None when every question was asked in this session (`asked`).

    The questions nearest to the difficulty are eligible; of those, the ones that this learner was never asked, while
    there are any (`last_asked`: Unix times by question id). Concepts are sampled by priority from what the eligible
    questions probe. The question that probes most of them wins, then the one that was asked longest ago, then the
    first drawn. It samples those of its concepts that were drawn, filled up by priority to the policy's number.
    """
    left_out = set(asked)
    candidates = [question for question in topic.active_questions if question.id not in left_out]
    if not candidates:
        return None
    eligible = _eligible(candidates, difficulty, last_asked)
    probed = dict.fromkeys(name for question in eligible for name in question.concepts)
    weights = sampling_weights(probed, mastery, now=now, policy=policy)
    sampled = sample_without_replacement(weights, policy.concepts_per_question, chance=chance)
    chance.shuffle(eligible)
    question = max(
        eligible,
        key=lambda question: (
            sum(name in sampled for name in question.concepts),
            -last_asked.get(question.id, 0.0),
        ),
    )
    drawn = [name for name in sampled if name in question.concepts]
    rest = {name: weights[name] for name in question.concepts if name not in drawn}
    missing = policy.concepts_per_question - len(drawn)
    filled = sample_without_replacement(rest, missing, chance=chance)
    return Selection(question=question, concepts=(*drawn, *filled))


def choose_by_forecast(
    topic: Topic,
    learner: LearnerForecast,
    terms: SharedTerms,
    *,
    asked: Sequence[str],
    last_asked: Mapping[str, float],
    now: float,
    chance: random.Random,
    policy: MasteryPolicy,
) -> Selection | None:
    """The next question of a topic by what the forecast says is worth asking, or None when all were asked.

    Each question samples those of its concepts that need it most (`needs`), up to the policy's number. The question
    with the largest sum of needs wins; somewhat more where its forecast is near `AIMED_SUCCESS`, and one
    that the learner has met before counts less. Ties are broken by chance.
    """
    candidates = [question for question in topic.active_questions if question.id not in asked]
    if not candidates:
        return None
    forecasts = _forecasts(topic, learner, terms, now)
    needed = _needs(topic, learner, forecasts, now)
    chance.shuffle(candidates)

    def sampled(question: Question) -> tuple[str, ...]:
        return tuple(sorted(question.concepts, key=lambda name: -needed[name])[: policy.concepts_per_question])

    def worth(question: Question) -> float:
        names = sampled(question)
        likely = [with_question(forecasts[name].today, terms, question.id).probability for name in names]
        fit = 1 - abs(sum(likely) / len(likely) - AIMED_SUCCESS) if likely else 0.0
        fresh = 1.0 if question.id not in last_asked else MET_BEFORE
        return sum(needed[name] for name in names) * (1 - FIT + FIT * fit) * fresh

    best = max(candidates, key=worth)
    return Selection(question=best, concepts=sampled(best))


def needs(topic: Topic, learner: LearnerForecast, terms: SharedTerms, *, now: float) -> dict[str, float]:
    """How much each probed concept of a topic needs a question at the Unix time `now`; 0 for what is surely known."""
    return _needs(topic, learner, _forecasts(topic, learner, terms, now), now)


def _forecasts(topic: Topic, learner: LearnerForecast, terms: SharedTerms, now: float) -> dict[str, ConceptForecast]:
    return {name: forecast_concept(learner, terms, name, now=now) for name in topic.concept_by_name}


def _needs(
    topic: Topic, learner: LearnerForecast, forecasts: Mapping[str, ConceptForecast], now: float
) -> dict[str, float]:
    return {name: _need(topic, learner, forecasts, name, now) for name in topic.probed_concepts}


def _need(
    topic: Topic, learner: LearnerForecast, forecasts: Mapping[str, ConceptForecast], name: str, now: float
) -> float:
    foretold = forecasts[name]
    is_due = foretold.probability >= REVIEW_BELOW and (foretold.review_due_at or now + 1) <= now
    if foretold.mastered >= SURELY_KNOWN and foretold.enough_data and not is_due:
        return 0.0
    blocked = any(
        forecasts[other].recall_now < PREREQUISITE_KNOWN
        for other in topic.concept_by_name[name].prerequisites
        if other in forecasts
    )
    learnable = (BLOCKED if blocked else 1.0) * (foretold.recall_now + READINESS)
    rested = min(1.0, (learner.outcomes - learner.concept(name).seen_at) / SPREAD_OVER)
    unknown = ((1 - foretold.mastered) + (1 - foretold.recall_now)) / 2
    need = unknown * learnable * (REST + (1 - REST) * rested)
    unasked = 0.0 if foretold.attempts else NEVER_ASKED * (1 + learner.outcomes / len(forecasts))
    return need + (DUE if is_due else 0.0) + unasked


def _eligible(
    candidates: Sequence[Question], difficulty: Difficulty, last_asked: Mapping[str, float]
) -> list[Question]:
    distances = {step: step.distance(difficulty) for step in {question.difficulty for question in candidates}}
    nearest = min(distances.values())
    near = {step for step, distance in distances.items() if distance == nearest}
    fitting = [question for question in candidates if question.difficulty in near]
    return [question for question in fitting if question.id not in last_asked] or fitting
