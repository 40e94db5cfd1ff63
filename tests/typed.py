"""Answers as learners type them, by question and quality."""

from functools import cache

import yaml

from config import ROOT
from question_bank import Topic
from reading.sentences import sentences_of
from tests.delivered import delivered_topics

QUALITIES = ("good", "middling", "poor")
BESIDE_THE_POINT = "It depends on the system, but usually it is faster that way and easier to maintain."


@cache
def typed_answers() -> dict[str, dict[str, str]]:
    """An answer of each quality to each question of the bank.

    Typed by somebody where tests/answers/ has them; to the other questions they are made of the expected answer.
    """
    return {name: answers for topic in delivered_topics() for name, answers in _of(topic).items()}


def _of(topic: Topic) -> dict[str, dict[str, str]]:
    file = ROOT / "tests" / "answers" / f"{topic.slug}.yaml"
    rows = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else []
    made = {question.id: _made_of(question.expected_answers[0]) for question in topic.questions}
    return made | {row["id"]: {quality: row[quality] for quality in QUALITIES} for row in rows}


def _made_of(expected: str) -> dict[str, str]:
    """Most of it with a word of one's own before, its first sentence, and something beside the point."""
    sentences = [expected[start:end] for start, end in sentences_of(expected)]
    good = " ".join(["Well, as far as I know:", *sentences[: max(1, len(sentences) - 1)]])
    return {"good": good, "middling": sentences[0], "poor": BESIDE_THE_POINT}
