"""The terms of the forecast that all learners share: which an attempt meets, and what answers have shown of them."""

import math
from collections.abc import Iterable, Mapping

from forecast_state import ConceptHistory, LearnerForecast, OwnTerm, Prediction, Shared

Evidence = tuple[float, float]
"""What answers say of a shared term: information (1/variance) and information × mean, beyond the term's prior."""

SLOPE = 0.02
"""Prior variance of a slope that has a meaning of its own and a plausible mean."""
PATTERN = 0.1
"""Prior variance of what is known only by counting: how much a pattern of past outcomes says."""
CONCEPT_SLOPE = 0.05
QUESTION = 0.7
"""Prior variance of a question's difficulty."""
DAY = 86_400.0
DAYS_PRIOR: OwnTerm = (-0.25, SLOPE)
"""Of the slope over log(1 + days since the last attempt)."""

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
