"""Forecast: the probability that a learner's next attempt succeeds, learned online from an empty start.

The logit is a sum of Gaussian terms: what is the learner's own (ability, a bonus for each concept) and what all
learners share (difficulty of concepts and questions, slopes of what the history of answers says). Each outcome moves
every term by a step of an extended Kalman filter with a diagonal covariance. Cost of a step: some forty terms, whatever
the history. Where the formulas come from: docs/decisions/0015-forecast.md.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Evidence = tuple[float, float]
"""What answers say of a shared term: information (1/variance) and information × mean, beyond the term's prior."""

OwnTerm = tuple[float, float]
"""Mean and variance of a term that is the learner's own."""

ABILITY_PRIOR: OwnTerm = (0.0, 0.5)
BONUS_PRIOR: OwnTerm = (0.0, 0.25)
SLOPE = 0.02
"""Prior variance of a slope that has a meaning of its own and a plausible mean."""
PATTERN = 0.1
"""Prior variance of what is known only by counting: how much a pattern of past outcomes says."""
CONCEPT_SLOPE = 0.05
QUESTION = 0.7
"""Prior variance of a question's difficulty."""
BINS = 10
"""Parts into which forecasts are sorted to compare them with outcomes."""
DECAY_CONCEPT, DECAY_SLOW, DECAY_FAST = 0.7, 0.93, 0.7
"""How much of a running success rate an outcome leaves standing."""
GHOST = 0.5
"""Every running rate begins with half a success."""
DAY = 86_400.0
DAYS_PRIOR: OwnTerm = (-0.25, SLOPE)
"""Of the slope over log(1 + days since the last attempt)."""
REVIEW_BELOW = 0.7
"""A concept is due on the day on which its forecast falls below this probability."""
MASTERED_FROM = 0.75
"""A concept counts as mastered where an attempt succeeds at least this often."""
LONGEST_REVIEW_DAYS = 180.0
"""However well a concept is known, it is looked at again after half a year."""
Z80 = 1.2815515655446004
"""The standard normal quantile that leaves 10 % on each side."""
ENOUGH_ATTEMPTS = 3


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


Term = tuple[str, float, float, float]
"""A shared term as an outcome meets it: its name, x, and the mean and variance of its prior."""


class SharedTerms:
    """What all learners together have shown of concepts, questions and histories, as evidence by term."""

    def __init__(self, evidence: Iterable[Mapping[str, Evidence]] = ()) -> None:
        self._evidence: dict[str, Evidence] = {}
        for part in evidence:
            self.add(part)

    def add(self, evidence: Mapping[str, Evidence]) -> None:
        """Take more evidence in. Evidence adds up, in whatever order it comes."""
        merge_evidence(self._evidence, evidence)

    def evidence(self, name: str) -> Evidence:
        """What is known of a term beyond its prior."""
        return self._evidence.get(name, (0.0, 0.0))

    def belief(self, name: str, mean: float, variance: float) -> OwnTerm:
        """Mean and variance of a term with that prior."""
        found = self._evidence.get(name)
        if found is None:
            return mean, variance
        information = 1 / variance + found[0]
        return (mean / variance + found[1]) / information, 1 / information

    def meet(self, terms: Iterable[Term]) -> Shared:
        """The sum of the terms."""
        total = spread = 0.0
        for name, x, prior_mean, prior_variance in terms:
            mean, variance = self.belief(name, prior_mean, prior_variance)
            total += x * mean
            spread += x * x * variance
        return Shared(mean=total, variance=spread)

    def learned(self, terms: Iterable[Term], prediction: Prediction, outcome: float) -> dict[str, Evidence]:
        """What an outcome adds to the evidence for each of the terms."""
        error, weight = prediction.error(outcome), prediction.weight
        learned: dict[str, Evidence] = {}
        for name, x, prior_mean, prior_variance in terms:
            mean, variance = self.belief(name, prior_mean, prior_variance)
            scaled = variance * x
            narrowed = variance - weight * scaled * scaled
            moved = mean + scaled * error
            learned[name] = (1 / narrowed - 1 / variance, moved / narrowed - mean / variance)
        return learned


def merge_evidence(into: dict[str, Evidence], more: Mapping[str, Evidence]) -> None:
    """Add evidence to other evidence, term by term."""
    for name, (information, weighted) in more.items():
        known = into.get(name, (0.0, 0.0))
        into[name] = (known[0] + information, known[1] + weighted)


def shared_terms(learner: LearnerForecast, concept: str, question: str | None, at: float | None) -> list[Term]:
    """The shared terms of an attempt at a concept: by a question of that id, or by an average one (None).

    `at` is its Unix time; None leaves out what was forgotten since the last attempt.
    """
    history = learner.concept(concept)
    terms = [("base", 1.0, 0.0, 1.0), (concept_term(concept), -1.0, 0.0, 0.6)]
    if question is not None:
        terms.append((question_term(question), -1.0, 0.0, QUESTION))
    terms += _concept_slopes(learner, concept, history, at)
    terms += _learner_slopes(learner, history)
    terms += _patterns(learner, concept, history)
    return terms


def concept_term(concept: str) -> str:
    """The name of a concept's difficulty among the shared terms."""
    return f"concept:{concept}"


def question_term(question: str) -> str:
    """The name of a question's difficulty among the shared terms."""
    return f"question:{question}"


def discrimination_term(question: str) -> str:
    """Under which name is kept how well a question tells learners apart."""
    return f"discrimination:{question}"


def part_of(term: str) -> str:
    """To which concept ("concept:…") or question ("question:…") a term belongs; empty for what belongs to a topic."""
    kind, _, rest = term.partition(":")
    if kind in ("concept", "new", "successes", "recent", "steps"):
        return concept_term(rest) if rest else ""
    if kind == "after":
        return concept_term(rest.rpartition(":")[0])
    return question_term(rest) if kind in ("question", "discrimination") else ""


def by_part(evidence: Mapping[str, Evidence]) -> dict[str, dict[str, Evidence]]:
    """The evidence, by what it belongs to."""
    parts: dict[str, dict[str, Evidence]] = {}
    for term, more in evidence.items():
        parts.setdefault(part_of(term), {})[term] = more
    return parts


def _concept_slopes(learner: LearnerForecast, concept: str, history: ConceptHistory, at: float | None) -> list[Term]:
    attempts = history.attempts
    if not attempts:
        return [("first", 1.0, 0.0, SLOPE), (f"new:{concept}", 1.0, 0.0, PATTERN)]
    learned, recent = math.log1p(history.successes), history.recent - 0.5
    steps = math.log1p(learner.outcomes - history.seen_at)
    rate = _log_odds(history.successes, attempts)
    terms = [
        ("successes", learned, 0.3, SLOPE),
        ("failures", math.log1p(history.failures), -0.05, SLOPE),
        ("recent", recent, 1.0, SLOPE),
        ("steps", steps, -0.05, SLOPE),
        ("recent×attempts", recent * math.log1p(attempts), 0.0, PATTERN),
        ("recent×steps", recent * steps, 0.0, PATTERN),
        ("rate", rate, 0.0, PATTERN),
        ("fast×recent", (learner.fast - 0.5) * recent, 0.0, PATTERN),
        (f"successes:{concept}", learned, 0.0, CONCEPT_SLOPE),
        (f"recent:{concept}", recent, 0.0, CONCEPT_SLOPE),
        (f"steps:{concept}", steps, 0.0, CONCEPT_SLOPE),
    ]
    days = days_since(history, at)
    if days > 0:
        terms.append(("days", math.log1p(days), *DAYS_PRIOR))
    return terms


def _learner_slopes(learner: LearnerForecast, history: ConceptHistory) -> list[Term]:
    if not learner.outcomes:
        return []
    newness = 1 / (1 + history.attempts)
    first_rate = _log_odds(learner.first_successes, learner.first_tries)
    return [
        ("slow", learner.slow - 0.5, 0.0, SLOPE),
        ("fast", learner.fast - 0.5, 0.0, SLOPE),
        ("slow×new", (learner.slow - 0.5) * newness, 0.0, PATTERN),
        ("overall", _log_odds(learner.successes, learner.outcomes), 0.0, PATTERN),
        ("first tries", first_rate, 0.0, PATTERN),
        ("first tries×new", first_rate * newness, 0.0, PATTERN),
    ]


def _patterns(learner: LearnerForecast, concept: str, history: ConceptHistory) -> list[Term]:
    """The last outcomes, of the concept and of all concepts, one term for each length."""
    terms = [(f"concept pattern:{p}", 1.0, 0.0, PATTERN) for p in _endings(history.pattern)]
    terms += [(f"pattern:{p}", 1.0, 0.0, PATTERN) for p in _endings(learner.pattern)]
    if learner.last_concept == concept:
        terms.append(("same", 1.0, 0.0, SLOPE))
    elif learner.last_concept:
        terms.append((f"after:{learner.last_concept}:{learner.pattern[-1:]}", 1.0, 0.0, PATTERN))
    return terms


def _endings(pattern: str) -> list[str]:
    return [pattern[-length:] for length in range(1, len(pattern) + 1)]


def _log_odds(successes: float, attempts: float) -> float:
    """The log odds of a success, with one ghost of each outcome."""
    return math.log((successes + 1) / (attempts - successes + 1))


def days_since(history: ConceptHistory, at: float | None) -> float:
    """Days from the last attempt to the Unix time `at`; 0 where there was none or no time is given."""
    if at is None or not history.attempts:
        return 0.0
    return max(0.0, at - history.at) / DAY


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

    `probability` is that of a success right after the last attempt, `recall_now` that of one at this moment.
    """

    concept: str
    attempts: int
    probability: float
    interval: tuple[float, float]
    mastered: float
    enough_data: bool
    recall_now: float
    review_due_at: float | None


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
        recall_now=today.probability,
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


def sigmoid(z: float) -> float:
    """1 / (1 + e^−z), without overflow."""
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    grown = math.exp(z)
    return grown / (1 + grown)


def logit(probability: float) -> float:
    """The log odds of a probability in (0, 1)."""
    return math.log(probability / (1 - probability))
