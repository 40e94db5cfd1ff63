"""Reviews: what is foretold of a learner's topics, which concepts are due, and how true forecasts have been."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean

from forecast import (
    REVIEW_BELOW,
    ConceptForecast,
    QuestionFigures,
    ReliabilityBin,
    forecast_concept,
    forgetting,
    question_figures,
    reliability,
)
from mastery import Difficulty
from store import Store

EASY_BELOW, HARD_FROM = 0.5, 0.8
"""Expected scores between which questions of medium difficulty are recommended."""


@dataclass(frozen=True, kw_only=True)
class TopicForecast:
    """What is foretold of the asked concepts of a topic; nothing where none was asked."""

    concepts: Mapping[str, ConceptForecast] = field(default_factory=dict)

    @property
    def expected_score(self) -> float | None:
        """The mean probability of a success at this moment, in [0, 1]; None without concepts."""
        return fmean(one.recall_now for one in self.concepts.values()) if self.concepts else None

    @property
    def confidence(self) -> float:
        """1 minus the mean width of the 80 % intervals; 0 without concepts."""
        widths = [one.interval[1] - one.interval[0] for one in self.concepts.values()]
        return 1 - fmean(widths) if widths else 0.0

    @property
    def recommended_difficulty(self) -> Difficulty:
        """Harder questions for whom more is foretold; medium without concepts."""
        expected = self.expected_score
        if expected is None or EASY_BELOW <= expected < HARD_FROM:
            return Difficulty.MEDIUM
        return Difficulty.EASY if expected < EASY_BELOW else Difficulty.HARD


NOTHING_FORETOLD = TopicForecast()


OUTLOOK_DAYS = (0, 1, 2, 4, 7, 10, 14, 21, 30, 45, 60, 90)
"""Denser where forgetting is fast."""
OUTLOOK_ANSWERS = 100


@dataclass(frozen=True, kw_only=True)
class Foretold:
    """An answer: the mean probability that was foretold of its concepts, and the share that it mentioned."""

    at: datetime
    foretold: float
    happened: float


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How a topic will be forgotten, as pairs of days from now and the mean probability of a success, and how true
    the forecasts of its last answers were, oldest first. Both are empty where nothing was asked."""

    forgetting: Sequence[tuple[int, float]] = ()
    answers: Sequence[Foretold] = ()


@dataclass(frozen=True, kw_only=True)
class DueReview:
    """A concept that was known, and should be looked at again."""

    topic: str
    forecast: ConceptForecast


@dataclass(frozen=True, kw_only=True)
class TopicCalibration:
    """How true the forecasts of a topic have been, and what answers say of its questions, by id."""

    topic: str
    reliability: Sequence[ReliabilityBin]
    questions: Mapping[str, QuestionFigures]


class Reviews:
    """Foretells from what is stored. Store and clock are handed in."""

    def __init__(self, *, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def topic(self, user_id: int, topic: str, concepts: Iterable[str]) -> TopicForecast:
        """The forecasts of these concepts of a topic."""
        now = self._clock()
        learner, terms = self._store.forecast(user_id, topic), self._store.shared_terms(topic, now=now)
        return TopicForecast(
            concepts={name: forecast_concept(learner, terms, name, now=now.timestamp()) for name in concepts}
        )

    def outlook(self, user_id: int, topic: str) -> Outlook:
        """What is ahead in a topic, and what was."""
        now, learner = self._clock(), self._store.forecast(user_id, topic)
        if not learner.concepts:
            return Outlook()
        terms = self._store.shared_terms(topic, now=now)
        curve = forgetting(learner, terms, learner.concepts, now=now.timestamp(), days=OUTLOOK_DAYS)
        answers = [
            Foretold(
                at=row.created_at,
                foretold=fmean(probability for probability, *_ in row.foretold.values()),
                happened=fmean(name in row.mentioned_concepts for name in row.foretold),
            )
            for row in self._store.foretold(user_id, topic, limit=OUTLOOK_ANSWERS)
            if row.foretold
        ]
        return Outlook(forgetting=list(zip(OUTLOOK_DAYS, curve, strict=True)), answers=answers)

    def due(self, user_id: int, *, limit: int | None = None) -> list[DueReview]:
        """Up to `limit` concepts that were known (a success at 0.7 or more) and are due, least remembered first.

        Of the bank's topics only what its questions still probe: nobody could review the rest.
        """
        now, bank = self._clock(), self._store.bank()
        found = []
        for topic, learner in self._store.forecasts(user_id).items():
            terms = self._store.shared_terms(topic, now=now)
            asked = set(bank.topics[topic].probed_concepts) if topic in bank.topics else learner.concepts.keys()
            for name in asked & learner.concepts.keys():
                foretold = forecast_concept(learner, terms, name, now=now.timestamp())
                due_at = foretold.review_due_at
                if foretold.probability >= REVIEW_BELOW and due_at is not None and due_at <= now.timestamp():
                    found.append(DueReview(topic=topic, forecast=foretold))
        return sorted(found, key=lambda one: (one.forecast.recall_now, one.topic, one.forecast.concept))[:limit]

    def calibration(self) -> list[TopicCalibration]:
        """Each topic of the question bank of which there are forecasts, in the bank's order."""
        now, found = self._clock(), []
        for topic in self._store.bank():
            terms = self._store.shared_terms(topic.slug, now=now)
            figures = {one.id: question_figures(terms, one.id) for one in topic.questions}
            known = {question: one for question, one in figures.items() if one is not None}
            if curve := reliability(terms):
                found.append(TopicCalibration(topic=topic.slug, reliability=curve, questions=known))
        return found
