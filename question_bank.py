"""Questions and concepts: the bank's data, by topic."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from mastery import Difficulty

RESERVED_TOPIC = "all"
"""A reset takes `"all"` for every topic, so no topic may be called that."""


@dataclass(frozen=True, kw_only=True)
class Concept:
    """Something that a learner can know: its name, the other words by which an answer may mention it, and what it is.

    `descriptions` say what it is without naming it, so that an answer in a learner's own words is recognised.
    `prerequisites` name concepts of the same topic that one should know before.
    """

    name: str
    subtopic: str
    aliases: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    prerequisites: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, the concepts that it probes (names of its topic's concepts) and the answers that are accepted.

    `edited_at` is when an administrator last edited, retired or restored it by itself: its file changes it no more.
    """

    id: str
    topic: str
    subtopic: str
    difficulty: Difficulty
    text: str
    concepts: tuple[str, ...]
    expected_answers: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    retired: bool = False
    edited_at: datetime | None = field(default=None, compare=False)

    def to_document(self) -> dict[str, Any]:
        """What a topic's file says of the question beside its id; its columns have the same names."""
        return {
            "subtopic": self.subtopic,
            "difficulty": self.difficulty.value,
            "text": self.text,
            "concepts": list(self.concepts),
            "expected_answers": list(self.expected_answers),
            "keywords": list(self.keywords),
            "retired": self.retired,
        }


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic with its concepts and questions, retired questions included."""

    slug: str
    title: str
    concepts: tuple[Concept, ...]
    questions: tuple[Question, ...]

    @cached_property
    def active_questions(self) -> tuple[Question, ...]:
        """The questions that may still be asked."""
        return tuple(question for question in self.questions if not question.retired)

    @cached_property
    def question_by_id(self) -> Mapping[str, Question]:
        """The topic's questions by id, retired ones included."""
        return {question.id: question for question in self.questions}

    @cached_property
    def concept_by_name(self) -> Mapping[str, Concept]:
        """The topic's concepts by name."""
        return {concept.name: concept for concept in self.concepts}

    @cached_property
    def probed_concepts(self) -> tuple[str, ...]:
        """Names of the concepts that some active question probes: those that can be sampled."""
        return tuple(dict.fromkeys(name for question in self.active_questions for name in question.concepts))


class UnknownTopic(LookupError):
    """No topic of that name is in the bank."""


class UnknownQuestion(LookupError):
    """No question of that id is in the bank."""


class QuestionBank:
    """All topics, in the order in which they were given."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self.topics: Mapping[str, Topic] = {topic.slug: topic for topic in topics}

    def __iter__(self) -> Iterator[Topic]:
        return iter(self.topics.values())

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """The topic of each question id, retired questions included."""
        return {question.id: topic.slug for topic in self for question in topic.questions}

    def topic(self, slug: str) -> Topic:
        """The topic of that slug; raises `UnknownTopic`."""
        try:
            return self.topics[slug]
        except KeyError:
            raise UnknownTopic(f"There is no topic {slug!r} in the question bank.") from None

    def question(self, question_id: str) -> Question:
        """The question of that id, retired or not; raises `UnknownQuestion`."""
        for topic in self:
            if question_id in topic.question_by_id:
                return topic.question_by_id[question_id]
        raise UnknownQuestion(f"There is no question {question_id!r} in the question bank.")

    def concepts_of(self, question: Question, names: Iterable[str]) -> tuple[Concept, ...]:
        """The named concepts of the question's topic, in that order."""
        concepts = self.topic(question.topic).concept_by_name
        return tuple(concepts[name] for name in names if name in concepts)
