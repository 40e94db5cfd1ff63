"""What is remembered of a learner in a topic for the forecast, and the forecast's Gaussian logit: plain data."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OwnTerm = tuple[float, float]
"""Mean and variance of a term that is the learner's own."""

ABILITY_PRIOR: OwnTerm = (0.0, 0.5)
BONUS_PRIOR: OwnTerm = (0.0, 0.25)
DECAY_CONCEPT, DECAY_SLOW, DECAY_FAST = 0.7, 0.93, 0.7
"""How much of a running success rate an outcome leaves standing."""
GHOST = 0.5
"""Every running rate begins with half a success."""
Z80 = 1.2815515655446004
"""The standard normal quantile that leaves 10 % on each side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptHistory:
    """What is remembered of a learner's attempts at one concept: a fixed amount, however many there were.

    `seen_at` is the learner's count of outcomes at the last attempt; `at` its Unix time.
    """

    bonus: OwnTerm = BONUS_PRIOR
    successes: float = 0.0
    failures: float = 0.0
    recent: float = GHOST
    pattern: str = ""
    seen_at: int = 0
    at: float = 0.0

    @property
    def attempts(self) -> float:
        """How many outcomes there were."""
        return self.successes + self.failures


UNSEEN = ConceptHistory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What one outcome has from the shared terms: the sum of their means and of their variances, each with its x."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerForecast:
    """What is remembered of one learner in one topic. `after` returns the next state; the old one stays as it was."""

    ability: OwnTerm = ABILITY_PRIOR
    outcomes: int = 0
    successes: float = 0.0
    slow: float = GHOST
    fast: float = GHOST
    pattern: str = ""
    last_concept: str = ""
    first_tries: int = 0
    first_successes: float = 0.0
    concepts: Mapping[str, ConceptHistory] = field(default_factory=dict)

    def concept(self, name: str) -> ConceptHistory:
        """The history of a concept; an empty one where it was never asked."""
        return self.concepts.get(name, UNSEEN)

    def after(self, concept: str, *, outcome: float, at: float, shared: Shared) -> "LearnerForecast":
        """The state after an outcome in [0, 1] at the Unix time `at`, given what the shared terms foretold.

        With the `shared` of the log a replay comes to the same state, whatever all learners have answered since.
        """
        before = self.concept(concept)
        total = Prediction.of(self, concept, shared)
        error, weight = total.error(outcome), total.weight
        success = "1" if outcome > 0.5 else "0"
        history = ConceptHistory(
            bonus=_moved(before.bonus, error, weight),
            successes=before.successes + outcome,
            failures=before.failures + 1 - outcome,
            recent=DECAY_CONCEPT * before.recent + (1 - DECAY_CONCEPT) * outcome,
            pattern=(before.pattern + success)[-3:],
            seen_at=self.outcomes + 1,
            at=at,
        )
        is_first = before.attempts == 0
        return LearnerForecast(
            ability=_moved(self.ability, error, weight),
            outcomes=self.outcomes + 1,
            successes=self.successes + outcome,
            slow=DECAY_SLOW * self.slow + (1 - DECAY_SLOW) * outcome,
            fast=DECAY_FAST * self.fast + (1 - DECAY_FAST) * outcome,
            pattern=(self.pattern + success)[-4:],
            last_concept=concept,
            first_tries=self.first_tries + is_first,
            first_successes=self.first_successes + (outcome if is_first else 0.0),
            concepts={**self.concepts, concept: history},
        )

    def to_document(self) -> dict[str, Any]:
        """The state as stored JSON."""
        own = {name: getattr(self, name) for name in _LEARNER_FIELDS}
        concepts = {name: _as_list(history) for name, history in self.concepts.items()}
        return {**own, "ability": list(self.ability), "concepts": concepts}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "LearnerForecast":
        """The state of a stored document; keys that it lacks have their value of the start."""
        values = {name: document[name] for name in _LEARNER_FIELDS if name in document}
        concepts = {name: _history_from(stored) for name, stored in document.get("concepts", {}).items()}
        return cls(**{**values, "ability": _pair(values.get("ability", ABILITY_PRIOR)), "concepts": concepts})


_LEARNER_FIELDS = tuple(name for name in LearnerForecast.__dataclass_fields__ if name != "concepts")


def _pair(stored: Iterable[float]) -> OwnTerm:
    mean, variance = stored
    return (mean, variance)


def _as_list(history: ConceptHistory) -> list[Any]:
    """A history as it is stored: a list is read and written faster than an object, at every answer."""
    return [
        *history.bonus,
        history.successes,
        history.failures,
        history.recent,
        history.pattern,
        history.seen_at,
        history.at,
    ]


def _history_from(stored: Iterable[Any]) -> ConceptHistory:
    mean, variance, successes, failures, recent, pattern, seen_at, at = stored
    return ConceptHistory(
        bonus=(mean, variance),
        successes=successes,
        failures=failures,
        recent=recent,
        pattern=pattern,
        seen_at=seen_at,
        at=at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The logit of a success as a Gaussian."""

    mean: float
    variance: float

    @classmethod
    def of(cls, learner: LearnerForecast, concept: str, shared: Shared) -> "Prediction":
        """The learner's own terms and the shared ones together."""
        bonus = learner.concept(concept).bonus
        return cls(
            mean=shared.mean + learner.ability[0] + bonus[0],
            variance=shared.variance + learner.ability[1] + bonus[1],
        )

    @property
    def probability(self) -> float:
        """The expected probability, in (0, 1): MacKay's approximation of the integral over the Gaussian."""
        return sigmoid(self.mean / math.sqrt(1 + math.pi * self.variance / 8))

    @property
    def interval(self) -> tuple[float, float]:
        """The 80 % interval of the probability."""
        reach = Z80 * math.sqrt(self.variance)
        return sigmoid(self.mean - reach), sigmoid(self.mean + reach)

    def above(self, probability: float) -> float:
        """How likely the true probability of success lies above this one."""
        distance = (self.mean - logit(probability)) / math.sqrt(self.variance)
        return 0.5 * math.erfc(-distance / math.sqrt(2))

    @property
    def weight(self) -> float:
        """How much an outcome narrows a term, per square of its x × variance."""
        curvature = self.probability * (1 - self.probability)
        return curvature / (1 + curvature * self.variance)

    def error(self, outcome: float) -> float:
        """How far an outcome moves a term, per its x × variance."""
        curvature = self.probability * (1 - self.probability)
        return (outcome - self.probability) / (1 + curvature * self.variance)


def _moved(term: OwnTerm, error: float, weight: float) -> OwnTerm:
    mean, variance = term
    return mean + variance * error, variance - weight * variance * variance


def sigmoid(z: float) -> float:
    """1 / (1 + e^−z), without overflow."""
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    grown = math.exp(z)
    return grown / (1 + grown)


def logit(probability: float) -> float:
    """The log odds of a probability in (0, 1)."""
    return math.log(probability / (1 - probability))
