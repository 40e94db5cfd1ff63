"""Plain data that steps forward: a concept, a topic with its concepts, and a running session's state."""

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NotRequired, TypedDict

from mastery import REFERENCE, Difficulty, MasteryPolicy, Streak, TopicProgress, Verdict

UNSEEN_PRIORITY = 0.5
"""A concept's stored priority before it was ever sampled (specification A)."""


class ConceptDocument(TypedDict):
    """One concept as it stands in the stored JSON document (rulings, 5)."""

    mastery_level: float
    attempts: int
    times_mentioned: int
    times_missed_when_sampled: int
    last_seen: float
    stagnation_count: int
    is_weak: bool
    is_strong: bool
    priority_score: float


class SessionDocument(TypedDict):
    """A running session's state as it stands in the stored JSON document."""

    topics: list[str]
    topic: str
    current_difficulty: str
    consecutive_good: int
    consecutive_poor: int
    questions_on_topic: int
    asked: list[str]
    counted_in: dict[str, int]
    open_question: NotRequired["OpenQuestionDocument | None"]
    selection: NotRequired[str]


class OpenQuestionDocument(TypedDict):
    """The question that waits for an answer."""

    question_id: str
    concepts: list[str]
    difficulty: str
    asked_at: float


class CorruptConceptDocument(ValueError):
    """A stored concept document is not of the documented shape."""


@dataclass
class ConceptMastery:
    """A learner's mastery of one concept. Levels and priority in [0, 1]; `last_seen` is a Unix time, 0 for never."""

    name: str
    mastery_level: float = 0.0
    attempts: int = 0
    times_mentioned: int = 0
    times_missed_when_sampled: int = 0
    last_seen: float = 0.0
    stagnation_count: int = 0
    is_weak: bool = False
    is_strong: bool = False
    priority_score: float = UNSEEN_PRIORITY
    extra: dict[str, Any] = field(default_factory=dict, kw_only=True)
    """Keys of the stored document that this version does not know; they are written back untouched."""

    @property
    def correct(self) -> int:
        """Specification B's name for `times_mentioned`."""
        return self.times_mentioned

    def after(self, *, mentioned: bool, at: float, policy: MasteryPolicy) -> "ConceptMastery":
        """The concept after a question that sampled it, answered at the Unix time `at`; priority is left as it was."""
        level = policy.concept_level_after(self.mastery_level, mentioned=mentioned)
        attempts = self.attempts + 1
        mentions = self.times_mentioned + mentioned
        misses = self.times_missed_when_sampled + (not mentioned)
        return replace(
            self,
            mastery_level=level,
            attempts=attempts,
            times_mentioned=mentions,
            times_missed_when_sampled=misses,
            last_seen=at,
            stagnation_count=0 if mentioned else self.stagnation_count + 1,
            is_weak=policy.is_weak(mastery_level=level, attempts=attempts, misses=misses),
            is_strong=policy.is_strong(mastery_level=level, mentions=mentions),
        )

    def priority_at(self, now: float, *, velocity: float, policy: MasteryPolicy) -> float:
        """Priority in [0, 1] at the Unix time `now`, while the topic moves with `velocity`."""
        return policy.priority(
            mastery_level=self.mastery_level,
            misses=self.times_missed_when_sampled,
            stagnation=self.stagnation_count,
            seconds_unseen=now - self.last_seen,
            velocity=velocity,
        )

    def prioritised(self, now: float, *, velocity: float, policy: MasteryPolicy) -> "ConceptMastery":
        """The concept with its priority of that moment."""
        return replace(self, priority_score=self.priority_at(now, velocity=velocity, policy=policy))

    def record_attempt(self, mentioned: bool, *, at: float | None = None, policy: MasteryPolicy = REFERENCE) -> None:
        """The documented door to `after`: steps this object in place, now unless `at` (Unix time) is given."""
        self._become(self.after(mentioned=mentioned, at=time.time() if at is None else at, policy=policy))

    def update_priority_score(
        self, velocity: float = 0.0, *, now: float | None = None, policy: MasteryPolicy = REFERENCE
    ) -> None:
        """The documented door to `prioritised`: updates this object in place."""
        moment = time.time() if now is None else now
        self._become(self.prioritised(moment, velocity=velocity, policy=policy))

    def _become(self, other: "ConceptMastery") -> None:
        self.__dict__.update(other.__dict__)

    def to_document(self) -> dict[str, Any]:
        """The `ConceptDocument` of this concept, with the unknown keys that it was loaded with."""
        known: ConceptDocument = {
            "mastery_level": self.mastery_level,
            "attempts": self.attempts,
            "times_mentioned": self.times_mentioned,
            "times_missed_when_sampled": self.times_missed_when_sampled,
            "last_seen": self.last_seen,
            "stagnation_count": self.stagnation_count,
            "is_weak": self.is_weak,
            "is_strong": self.is_strong,
            "priority_score": self.priority_score,
        }
        return {**self.extra, **known}

    @classmethod
    def from_document(cls, name: str, document: Mapping[str, Any]) -> "ConceptMastery":
        """The concept of a stored document; missing keys are filled in, unknown ones kept.

        Documents of specification B say `correct` for `times_mentioned` and nothing about misses: both are derived.
        Raises `CorruptConceptDocument` for a value of the wrong type.
        """
        if not isinstance(document, Mapping):
            raise CorruptConceptDocument(f"Concept {name!r}: expected an object, found {document!r}.")
        values = dict(document)
        correct = values.pop("correct", None)
        if values.get("times_mentioned") is None:
            values["times_mentioned"] = correct
        says_mentions = values["times_mentioned"] is not None
        attempts = _count(name, values, "attempts", 0)
        mentions = _count(name, values, "times_mentioned", 0)
        return cls(
            name=name,
            attempts=attempts,
            times_mentioned=mentions,
            times_missed_when_sampled=_count(
                name, values, "times_missed_when_sampled", max(0, attempts - mentions) if says_mentions else 0
            ),
            stagnation_count=_count(name, values, "stagnation_count", 0),
            mastery_level=_number(name, values, "mastery_level", 0.0, highest=1.0),
            last_seen=_number(name, values, "last_seen", 0.0),
            priority_score=_number(name, values, "priority_score", UNSEEN_PRIORITY, highest=1.0),
            is_weak=_flag(name, values, "is_weak"),
            is_strong=_flag(name, values, "is_strong"),
            extra=values,
        )


Concepts = Mapping[str, ConceptMastery]


def concepts_from_documents(documents: Mapping[str, Any]) -> dict[str, ConceptMastery]:
    """All concepts of a stored document, by name."""
    if not isinstance(documents, Mapping):
        raise CorruptConceptDocument(f"Expected an object of concepts, found {documents!r}.")
    return {name: ConceptMastery.from_document(name, document) for name, document in documents.items()}


@dataclass(frozen=True, kw_only=True)
class AnswerEvidence:
    """What one answer says of a learner: the input of the central step, and all that a replay needs.

    Scores in [0, 1]; `response_time` in seconds; `at` is a Unix time. `mentioned` and `missed` together are the
    concepts that were sampled for the question.
    """

    semantic_score: float
    keyword_score: float
    response_time: float
    at: float
    mentioned: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    starts_session: bool = False

    @property
    def outcomes(self) -> tuple[tuple[str, float], ...]:
        """Each sampled concept with 1 where it was mentioned and 0 where it was missed, by name: an order that tells
        nothing of the outcomes, as each of them is foretold from those before it."""
        return tuple(sorted([(name, 1.0) for name in self.mentioned] + [(name, 0.0) for name in self.missed]))


@dataclass(frozen=True, kw_only=True)
class TopicMastery:
    """A learner's whole record of a topic: the figures and the concepts."""

    progress: TopicProgress = field(default_factory=TopicProgress)
    concepts: Concepts = field(default_factory=dict)

    def after(self, answer: AnswerEvidence, policy: MasteryPolicy) -> "TopicMastery":
        """The record after one answer: figures first, then the concepts, then every priority with the new velocity."""
        progress = self.progress.after(
            semantic_score=answer.semantic_score,
            keyword_score=answer.keyword_score,
            response_time=answer.response_time,
            policy=policy,
            starts_session=answer.starts_session,
        )
        concepts = dict(self.concepts)
        for names, mentioned in ((answer.mentioned, True), (answer.missed, False)):
            for name in names:
                concept = concepts.get(name) or ConceptMastery(name=name)
                concepts[name] = concept.after(mentioned=mentioned, at=answer.at, policy=policy)
        velocity = progress.mastery_velocity
        return TopicMastery(
            progress=progress,
            concepts={
                name: concept.prioritised(answer.at, velocity=velocity, policy=policy)
                for name, concept in concepts.items()
            },
        )

    def to_documents(self) -> dict[str, dict[str, Any]]:
        """The stored JSON document of all concepts."""
        return {name: concept.to_document() for name, concept in self.concepts.items()}


def replay(answers: Iterable[AnswerEvidence], policy: MasteryPolicy) -> TopicMastery:
    """The record that a log of answers, oldest first, leads to."""
    mastery = TopicMastery()
    for answer in answers:
        mastery = mastery.after(answer, policy)
    return mastery


@dataclass(frozen=True, kw_only=True)
class OpenQuestion:
    """The question that waits for an answer, and the concepts sampled for it. `asked_at` is a Unix time."""

    question_id: str
    concepts: tuple[str, ...]
    difficulty: Difficulty
    asked_at: float


@dataclass(frozen=True, kw_only=True)
class AdaptiveInterviewState:
    """Where a session stands. Each method returns the next state; the old one stays as it was."""

    topics: tuple[str, ...] = ()
    topic: str = ""
    current_difficulty: Difficulty = Difficulty.MEDIUM
    consecutive_good: int = 0
    consecutive_poor: int = 0
    questions_on_topic: int = 0
    asked: tuple[str, ...] = ()
    counted_in: Mapping[str, int] = field(default_factory=dict)
    """Per topic, the mastery record whose `sessions_attempted` already counts this session."""
    open_question: OpenQuestion | None = None
    selection: str = "documented"
    """How the session's questions are chosen."""

    def on_topic(self, topic: str, difficulty: Difficulty) -> "AdaptiveInterviewState":
        """The session moves to a topic and takes over its difficulty; the session's own streak restarts."""
        return replace(
            self,
            topic=topic,
            current_difficulty=difficulty,
            consecutive_good=0,
            consecutive_poor=0,
            questions_on_topic=0,
        )

    def asking(self, question: OpenQuestion) -> "AdaptiveInterviewState":
        """A question is put to the learner."""
        return replace(
            self,
            open_question=question,
            asked=(*self.asked, question.question_id),
            questions_on_topic=self.questions_on_topic + 1,
        )

    def after_answer(self, verdict: Verdict, policy: MasteryPolicy) -> "AdaptiveInterviewState":
        """The open question was answered: streak and difficulty step; a change of difficulty restarts the streak."""
        streak = Streak(good=self.consecutive_good, poor=self.consecutive_poor).after(verdict)
        difficulty = policy.session_difficulty_after(self.current_difficulty, streak)
        if difficulty is not self.current_difficulty:
            streak = Streak()
        return replace(
            self,
            open_question=None,
            current_difficulty=difficulty,
            consecutive_good=streak.good,
            consecutive_poor=streak.poor,
        )

    def counting_in(self, mastery_id: int) -> "AdaptiveInterviewState":
        """This session now counts among the `sessions_attempted` of that mastery record of the current topic."""
        return replace(self, counted_in={**self.counted_in, self.topic: mastery_id})

    def closed(self) -> "AdaptiveInterviewState":
        """The session ends; an open question stays unanswered."""
        return replace(self, open_question=None)

    def to_document(self) -> SessionDocument:
        """The state as stored JSON."""
        question = self.open_question
        return {
            "topics": list(self.topics),
            "topic": self.topic,
            "current_difficulty": self.current_difficulty,
            "consecutive_good": self.consecutive_good,
            "consecutive_poor": self.consecutive_poor,
            "questions_on_topic": self.questions_on_topic,
            "asked": list(self.asked),
            "counted_in": dict(self.counted_in),
            "selection": self.selection,
            "open_question": None
            if question is None
            else {
                "question_id": question.question_id,
                "concepts": list(question.concepts),
                "difficulty": question.difficulty,
                "asked_at": question.asked_at,
            },
        }

    @classmethod
    def from_document(cls, document: SessionDocument) -> "AdaptiveInterviewState":
        """The state of a stored document."""
        question = document.get("open_question")
        return cls(
            topics=tuple(document["topics"]),
            topic=document["topic"],
            current_difficulty=Difficulty(document["current_difficulty"]),
            consecutive_good=document["consecutive_good"],
            consecutive_poor=document["consecutive_poor"],
            questions_on_topic=document["questions_on_topic"],
            asked=tuple(document["asked"]),
            counted_in=document["counted_in"],
            selection=document.get("selection", "documented"),
            open_question=None
            if question is None
            else OpenQuestion(
                question_id=question["question_id"],
                concepts=tuple(question["concepts"]),
                difficulty=Difficulty(question["difficulty"]),
                asked_at=question["asked_at"],
            ),
        )


def _taken(values: dict[str, Any], key: str, default: Any) -> Any:
    """What stands under that key, taken out of `values`; null counts as missing."""
    value = values.pop(key, None)
    return default if value is None else value


def _count(name: str, values: dict[str, Any], key: str, default: int) -> int:
    value = _taken(values, key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise CorruptConceptDocument(f"Concept {name!r}: {key} must be a whole number from 0 up, not {value!r}.")
    return value


def _number(
    name: str, values: dict[str, Any], key: str, default: float, *, highest: float = sys.float_info.max
) -> float:
    value = _taken(values, key, default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value <= highest):
        bounds = "a finite number from 0 up" if highest > 1 else "a number from 0 to 1"
        raise CorruptConceptDocument(f"Concept {name!r}: {key} must be {bounds}, not {value!r}.")
    return float(value)


def _flag(name: str, values: dict[str, Any], key: str) -> bool:
    value = _taken(values, key, False)
    if not isinstance(value, bool):
        raise CorruptConceptDocument(f"Concept {name!r}: {key} must be true or false, not {value!r}.")
    return value
