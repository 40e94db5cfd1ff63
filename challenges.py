"""Debugging challenges: short programs with one bug each, read from files that are validated line by line."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from bank_lines import InvalidBank, Lines, Where, read_document, read_folder
from mastery import Difficulty
from question_bank import Question, Topic
from topic_files import ProbeSchema, filled, text_field


class Language(StrEnum):
    """What a challenge's program is written in."""

    PYTHON = "python"
    SQL = "sql"
    JAVA = "java"
    C = "c"
    JAVASCRIPT = "javascript"


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A program with one bug, its correction and the accepted explanations; the rest is as in a question.

    `harness` shows the bug by running: it stays in the file, so a challenge from the store has none.
    """

    id: str
    language: Language
    topic: str
    subtopic: str
    title: str
    difficulty: Difficulty
    concepts: tuple[str, ...]
    buggy_code: str
    correct_code: str
    expected_answers: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    harness: str = field(default="", compare=False, repr=False)
    retired: bool = False

    @cached_property
    def as_question(self) -> Question:
        """The challenge as a question of its topic: the title asks, an explanation answers."""
        return Question(
            id=self.id,
            topic=self.topic,
            subtopic=self.subtopic,
            difficulty=self.difficulty,
            text=self.title,
            concepts=self.concepts,
            expected_answers=self.expected_answers,
            keywords=self.keywords,
            retired=self.retired,
        )


class UnknownChallenge(LookupError):
    """No challenge of that id is in the bank."""


class ChallengeBank:
    """All challenges, in the order in which they were given, retired ones included."""

    def __init__(self, challenges: Iterable[Challenge]) -> None:
        self._challenges = {challenge.id: challenge for challenge in challenges}

    @cached_property
    def active(self) -> tuple[Challenge, ...]:
        """The challenges that may still be set."""
        return tuple(challenge for challenge in self._challenges.values() if not challenge.retired)

    def challenge(self, challenge_id: str) -> Challenge:
        """The challenge of that id, retired or not; raises `UnknownChallenge`."""
        try:
            return self._challenges[challenge_id]
        except KeyError:
            raise UnknownChallenge(f"There is no debugging challenge {challenge_id!r}.") from None


class _ChallengeSchema(ProbeSchema):
    language = fields.String(required=True, validate=validate.OneOf([language.value for language in Language]))
    topic = text_field()
    title = text_field(validate=validate.And(filled, validate.Length(max=200)))
    buggy_code = text_field()
    correct_code = text_field()
    harness = text_field()


class _FileSchema(Schema):
    challenges = fields.List(fields.Nested(_ChallengeSchema), required=True, validate=validate.Length(min=1))


def load_challenges(folder: Path, topics: Iterable[Topic]) -> list[Challenge]:
    """The challenges of a folder of `*.yaml` files; raises `InvalidBank` with the problems of all files together."""
    by_slug = {topic.slug: topic for topic in topics}
    taken = ids_of_questions(by_slug.values())
    files = read_folder(folder, lambda text, file: checked_challenges(*read_document(text, file), by_slug, taken))
    return list(chain.from_iterable(files))


def ids_of_questions(topics: Iterable[Topic]) -> dict[str, str]:
    """The ids that no challenge can have, and where they stand."""
    return {question.id: f"the questions of the topic {topic.slug}" for topic in topics for question in topic.questions}


def holds_challenges(values: Any) -> bool:
    """Whether the values of a file are meant as challenges, and not as a topic."""
    return isinstance(values, dict) and "challenges" in values


def checked_challenges(
    lines: Lines, values: Any, topics: Mapping[str, Topic], taken: dict[str, str]
) -> tuple[Challenge, ...]:
    """The challenges that the values of a file make; raises `InvalidBank` with every problem and its line.

    `topics` by slug. `taken` says where ids already stand; those of this file are added to it.
    """
    try:
        items = _FileSchema().load(values)["challenges"]
    except ValidationError as error:
        raise InvalidBank(lines.problems(error.messages)) from None
    found = [*_repeated_ids(items, lines.file, taken), *_unfit_challenges(items, topics)]
    if found:
        raise InvalidBank(lines.problem(path, message) for path, message in found)
    return tuple(_challenge(item) for item in items)


def _repeated_ids(items: list[dict[str, Any]], file: str, taken: dict[str, str]) -> Iterator[tuple[Where, str]]:
    for i, item in enumerate(items):
        if item["id"] in taken:
            yield ("challenges", i, "id"), f"The id {item['id']!r} already stands in {taken[item['id']]}."
        taken.setdefault(item["id"], file)


def _unfit_challenges(items: list[dict[str, Any]], topics: Mapping[str, Topic]) -> Iterator[tuple[Where, str]]:
    for i, item in enumerate(items):
        here = ("challenges", i)
        if item["buggy_code"] == item["correct_code"]:
            yield (*here, "correct_code"), "The corrected program is the same as the buggy one."
        topic = topics.get(item["topic"])
        if topic is None:
            yield (*here, "topic"), f"There is no topic {item['topic']!r} in the question bank."
        else:
            yield from (((*here, *path), message) for path, message in _strange_names(item, topic))


def _strange_names(item: dict[str, Any], topic: Topic) -> Iterator[tuple[Where, str]]:
    """Names that the topic does not know."""
    if item["subtopic"] not in {concept.subtopic for concept in topic.concepts}:
        yield ("subtopic",), f"No concept of the topic {topic.slug!r} belongs to the subtopic {item['subtopic']!r}."
    for j, name in enumerate(item["concepts"]):
        if name not in topic.concept_by_name:
            yield ("concepts", j), f"The topic {topic.slug!r} has no concept {name!r}."
        elif name in item["concepts"][:j]:
            yield ("concepts", j), f"The concept {name!r} stands twice in this challenge."


def _challenge(item: dict[str, Any]) -> Challenge:
    return Challenge(
        id=item["id"],
        language=Language(item["language"]),
        topic=item["topic"],
        subtopic=item["subtopic"],
        title=item["title"],
        difficulty=Difficulty(item["difficulty"]),
        concepts=tuple(item["concepts"]),
        buggy_code=item["buggy_code"],
        correct_code=item["correct_code"],
        expected_answers=tuple(" ".join(answer.split()) for answer in item["expected_answers"]),
        keywords=tuple(item["keywords"]),
        harness=item["harness"],
        retired=item["retired"],
    )
