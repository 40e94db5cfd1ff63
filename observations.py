"""Answers to questions that a client asked itself: scored, and recorded like any other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from feedback import explain_change, feedback_on
from mastery import Difficulty, MasteryPolicy
from models import Attempt
from question_bank import Concept, QuestionBank
from recording import GivenAnswer, record_answer
from scoring import AnswerScore, Scorer
from store import Store

CLIENT = "client"
"""The scorer of an attempt whose scores the client brought along."""


@dataclass(frozen=True, kw_only=True)
class OwnAnswer:
    """An answer to a client's own question, and what it is scored by."""

    answer: str
    expected_answers: Sequence[str]
    keywords: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class OwnScores:
    """Scores that the client found itself, in [0, 1]."""

    semantic_score: float
    keyword_score: float


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One answer that a client saw. `concepts` are the sampled ones; `response_time` in seconds.

    `mentioned` are those concepts that the client heard; with None they are looked for in the answer. Without
    `difficulty` the question counts as one of the topic's present difficulty.
    """

    topic: str
    evidence: OwnAnswer | OwnScores
    concepts: Sequence[str]
    mentioned: Sequence[str] | None = None
    question: str = ""
    response_time: float = 0.0
    difficulty: Difficulty | None = None


@dataclass(frozen=True, kw_only=True)
class ObservationOutcome:
    """All that follows from one observation."""

    attempt: Attempt
    explanation: str
    feedback: str


class Observer:
    """Scores and records what clients saw. Store, scorer, policy and clock are handed in.

    The scorer should keep no expected answers: those of clients seldom come again, and are the clients' own.
    """

    def __init__(self, *, store: Store, scorer: Scorer, policy: MasteryPolicy, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._scorer = scorer
        self._policy = policy
        self._clock = clock

    @property
    def scorer_name(self) -> str:
        """The model behind the semantic scores."""
        return self._scorer.name

    def score(self, own: OwnAnswer, *, question: str = "", concepts: Sequence[str] = ()) -> AnswerScore:
        """Scores an answer; nothing is recorded. Raises `ModelUnavailable`."""
        return self._scored(own, question, [Concept(name=name, subtopic="") for name in dict.fromkeys(concepts)])

    def observe(self, user_id: int, seen: Observation) -> ObservationOutcome:
        """Scores where the client has not, and records the attempt, in one transaction.

        Scoring happens before the transaction begins. A concept that the bank knows is looked for by its aliases, too.
        Raises `ModelUnavailable` and `ScoreOutOfRange`; then nothing is recorded.
        """
        bank = self._store.bank()
        score, scorer = self._judged(seen, bank)
        with self._store.transaction():
            self._store.lock_learner(user_id)
            standing = self._store.standing(user_id, seen.topic)
            given = GivenAnswer(
                topic=seen.topic,
                question_id=None,
                question=seen.question,
                difficulty=seen.difficulty or standing.record.progress.current_difficulty,
                answer=seen.evidence.answer if isinstance(seen.evidence, OwnAnswer) else "",
                score=score,
                scorer=scorer,
                response_time=seen.response_time,
                at=self._clock(),
            )
            recorded = record_answer(self._store, user_id, given, standing, self._policy, bank)
        return ObservationOutcome(
            attempt=recorded.attempt,
            explanation=explain_change(recorded.before, recorded.after, score, self._policy),
            feedback=feedback_on(score, recorded.after, self._policy),
        )

    def _judged(self, seen: Observation, bank: QuestionBank) -> tuple[AnswerScore, str]:
        """The score of what was seen, and who gave it."""
        if isinstance(seen.evidence, OwnScores):
            score = AnswerScore(
                semantic_score=seen.evidence.semantic_score,
                keyword_score=seen.evidence.keyword_score,
                expected_answer="",
            )
            return _hearing(score, seen.concepts, seen.mentioned or ()), CLIENT
        score = self._scored(seen.evidence, seen.question, _concepts(bank, seen.topic, seen.concepts))
        counts = all(flag.factor for flag in score.flags)
        if seen.mentioned is not None and counts:
            score = _hearing(score, seen.concepts, seen.mentioned)
        return score, self._scorer.name

    def _scored(self, own: OwnAnswer, question: str, concepts: Sequence[Concept]) -> AnswerScore:
        self._store.release()
        return self._scorer.score(
            own.answer,
            expected_answers=own.expected_answers,
            question=question,
            keywords=own.keywords,
            concepts=concepts,
        )


def _concepts(bank: QuestionBank, topic: str, names: Sequence[str]) -> list[Concept]:
    """The concepts of these names, each once, as the bank knows them where it does."""
    known = bank.topics.get(topic)
    in_bank = known.concept_by_name if known else {}
    return [in_bank.get(name) or Concept(name=name, subtopic="") for name in dict.fromkeys(names)]


def _hearing(score: AnswerScore, concepts: Sequence[str], mentioned: Sequence[str]) -> AnswerScore:
    """The score with those concepts mentioned, and the other sampled ones missed."""
    names = tuple(dict.fromkeys(concepts))
    return replace(
        score,
        mentioned_concepts=tuple(name for name in names if name in mentioned),
        missed_concepts=tuple(name for name in names if name not in mentioned),
    )
