"""Answers of many kinds to the questions of the bank."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from config import ROOT
from embeddings import Encoder
from question_bank import Question, Topic
from reading.sentences import sentences_of
from reading.words import content_places
from tests.typed import QUALITIES, typed_answers
from topic_files import load_topics


@dataclass(frozen=True)
class Given:
    """An answer to a question of a topic."""

    topic: Topic
    question: Question
    answer: str

    def read_by(self, encoder: Encoder) -> None:
        """The model's part of scoring: the answer, its words and its sentences."""
        encoder.read([self.answer], [[*content_places(self.answer), *sentences_of(self.answer)]])


def answers() -> Iterator[Given]:
    """Every answer, topic by topic."""
    for topic in load_topics(ROOT / "questions"):
        for question in topic.questions:
            yield from (Given(topic, question, typed_answers()[question.id][quality]) for quality in QUALITIES)


def some_answers(count: int) -> list[Given]:
    """So many of them, the same every time."""
    return random.Random(count).sample(list(answers()), count)  # noqa: S311 - the same every time


@cache
def answers_by_question() -> dict[str, list[str]]:
    """The answers to each question, by its id."""
    found: dict[str, list[str]] = {}
    for given in answers():
        found.setdefault(given.question.id, []).append(given.answer)
    return found
