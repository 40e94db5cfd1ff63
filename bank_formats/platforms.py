"""Questions of a learning platform as the values of a bank file: what they lack is assumed, and said."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import PurePath
from typing import Any

from bank_formats.documents import Document, PlacedLines
from bank_lines import BankProblem, InvalidBank, Where
from mastery import Difficulty

DEFAULT_DIFFICULTY = Difficulty.MEDIUM
DEFAULT_SUBTOPIC = "general"
MAX_ID = 100
MAX_SUBTOPIC = 64
SHOWN = 60
"""Characters of a name in what is said of it: it may be said of each question."""

RIGHT = 100.0
"""Percent that an expected answer earns."""

WILDCARD = re.compile(r"(?<!\\)\*")
MEANINGS = ("concept", "difficulty", "keyword", "retired", "subtopic")
"""What a tag may say of a question, as in `concept:Deadlock`."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A text and its line."""

    text: str
    line: int


@dataclass(frozen=True, kw_only=True)
class PlatformQuestion:
    """A question as the platform knows it. `category` is the way to it: topic first, then subtopics."""

    line: int
    name: str
    number: str
    text: Placed
    answers: tuple[Placed, ...]
    tags: tuple[Placed, ...]
    category: tuple[str, ...]


class PlatformReader:
    """Gathers the questions of a platform's file, and what there is to say of it: what both formats have in common."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._category: tuple[str, ...] = ()
        self.questions: list[PlatformQuestion] = []
        self.notices: list[BankProblem] = []

    def document(self) -> Document:
        """The bank file that the questions make; raises `InvalidBank` where they make none."""
        return _document(self._file, self.questions, self.notices)

    def _notice(self, line: int, message: str) -> None:
        self.notices.append(BankProblem(self._file, line, message))


def _document(file: str, questions: Sequence[PlatformQuestion], notices: Iterable[BankProblem]) -> Document:
    """The bank file that these questions make; raises `InvalidBank` where they make none.

    Without a category the topic is named as the file is, if it has a name.
    """
    notices = list(notices)
    usable: list[PlatformQuestion] = []
    for question in questions:
        lacks = _lacks(question)
        if lacks:
            notices.append(BankProblem(file, question.line, f"Left out: {lacks}."))
        else:
            usable.append(question)
    if not usable:
        raise InvalidBank([BankProblem(file, 1, "No question of this file can be used."), *notices])
    title, strangers = _title(file, usable)
    if not title:
        strangers = [BankProblem(file, usable[0].line, "No category names the topic, and the file has no name.")]
    if strangers:
        raise InvalidBank([*strangers, *notices])
    builder = _Builder(file, title)
    for question in usable:
        builder.add(question)
    return Document(
        values=builder.values,
        lines=PlacedLines(file, builder.places),
        notices=tuple(sorted([*notices, *builder.notices])),
    )


def categories(path: str) -> tuple[str, ...]:
    """The names of a category's path, without the platform's own roots (`$course$/top`); `//` is a slash in a name."""
    parts = [part.replace("//", "/").strip() for part in re.split(r"(?<!/)/(?!/)", path)]
    named = dropwhile(lambda part: part.startswith("$") or part in ("top", ""), parts)
    return tuple(part for part in named if part)


def expected(text: str, earns: str) -> tuple[str, str]:
    """A short answer as an expected one, empty where it is none, and what is to be said about it, if anything."""
    plain = " ".join(WILDCARD.sub(" ", text).split()).replace("\\*", "*")
    if not _is_right(earns):
        return "", f"Left out: the answer {text!r} earns {earns} %, not {RIGHT:.0f} %."
    if not plain:
        return "", f"Left out: the answer {text!r} stands for any answer."
    if WILDCARD.search(text):
        return plain, f"Wildcards mean nothing here: {text!r} is expected as {plain!r}."
    return plain, ""


def _is_right(earns: str) -> bool:
    try:
        return float(earns) >= RIGHT
    except ValueError:
        return False


def slug(text: str, longest: int = MAX_ID) -> str:
    """A text as lower-case words with single hyphens between them; empty where it has no Latin letter or digit."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain))[:longest].strip("-")


def _lacks(question: PlatformQuestion) -> str:
    """Why a question cannot be used; empty where it can."""
    if not question.text.text:
        return "the question has no text"
    if not question.answers:
        return "there is no expected answer"
    if not question.name and not question.number:
        return "neither a name nor an id tells the question from others"
    if not question.name and not any(tag.text.lower().startswith("concept:") for tag in question.tags):
        return "neither a name nor a tag concept:NAME says what the question probes"
    return ""


def _title(file: str, questions: Sequence[PlatformQuestion]) -> tuple[str, list[BankProblem]]:
    """The topic of all questions, and what is wrong where they have several."""
    titles = [question.category[0] if question.category else PurePath(file).stem for question in questions]
    strangers = [
        BankProblem(
            file,
            question.line,
            f"A file holds one topic: this is of {title[:SHOWN]!r}, others of {titles[0][:SHOWN]!r}.",
        )
        for question, title in zip(questions, titles, strict=True)
        if title != titles[0]
    ]
    return titles[0], strangers


class _Builder:
    """Takes questions in turn and fills what they lack."""

    def __init__(self, file: str, title: str) -> None:
        self._file = file
        self._topic = slug(title, MAX_SUBTOPIC)
        self._names: dict[str, str] = {}
        self.values: dict[str, Any] = {"topic": self._topic, "title": title, "concepts": [], "questions": []}
        self.places: dict[Where, int] = {}
        self.notices: list[BankProblem] = []

    def add(self, question: PlatformQuestion) -> None:
        """Take over a question."""
        tags = self._meanings(question)
        subtopic = self._subtopic(question, tags["subtopic"])
        place: Where = ("questions", len(self.values["questions"]))
        self.places |= {place: question.line, (*place, "text"): question.text.line}
        self.places |= {(*place, "expected_answers", i): answer.line for i, answer in enumerate(question.answers)}
        if tags["difficulty"]:
            self.places[*place, "difficulty"] = tags["difficulty"][0].line
        entry = {
            "id": self._id(question),
            "subtopic": subtopic,
            "difficulty": self._difficulty(question, tags["difficulty"]),
            "text": question.text.text,
            "concepts": self._concepts(question, tags["concept"], subtopic),
            "expected_answers": [answer.text for answer in question.answers],
        }
        if tags["keyword"]:
            entry["keywords"] = [tag.text for tag in tags["keyword"]]
        if tags["retired"]:
            entry["retired"] = tags["retired"][0].text
            self.places[*place, "retired"] = tags["retired"][0].line
        self.values["questions"].append(entry)

    def _meanings(self, question: PlatformQuestion) -> dict[str, list[Placed]]:
        """What the tags say, by their meaning; of those that say nothing here there is a notice."""
        found: dict[str, list[Placed]] = {meaning: [] for meaning in MEANINGS}
        for tag in question.tags:
            meaning, colon, said = (part.strip() for part in tag.text.partition(":"))
            if not colon and meaning.lower() in {step.value for step in Difficulty}:
                meaning, said = "difficulty", meaning
            elif not colon and meaning.lower() == "retired":
                meaning, said = "retired", "true"
            if meaning.lower() in found and said:
                found[meaning.lower()].append(Placed(text=said, line=tag.line))
            else:
                self._notice(tag.line, f"The tag {tag.text!r} says nothing here.")
        for meaning in ("difficulty", "retired", "subtopic"):
            for tag in found[meaning][1:]:
                self._notice(tag.line, f"A question has one {meaning}: {tag.text!r} is left out.")
        return found

    def _id(self, question: PlatformQuestion) -> str:
        """Its number, or its name after the topic's: it must stay the same when the text is edited."""
        if question.number:
            return slug(question.number) or self._hashed(question.number)
        name = slug(question.name)
        return f"{self._topic}-{name}"[:MAX_ID].strip("-") if name else self._hashed(question.name)

    def _hashed(self, name: str) -> str:
        return f"{self._topic}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"

    def _subtopic(self, question: PlatformQuestion, said: Sequence[Placed]) -> str:
        if said:
            return slug(said[0].text, MAX_SUBTOPIC)
        if len(question.category) > 1:
            return slug("-".join(question.category[1:]), MAX_SUBTOPIC)
        message = f"Neither its category nor a tag subtopic:NAME names a subtopic: it is {DEFAULT_SUBTOPIC!r}."
        self._notice(question.line, message)
        return DEFAULT_SUBTOPIC

    def _difficulty(self, question: PlatformQuestion, said: Sequence[Placed]) -> str:
        if said:
            return said[0].text.lower()
        self._notice(question.line, f"No tag difficulty:NAME: it is {DEFAULT_DIFFICULTY.value}.")
        return DEFAULT_DIFFICULTY.value

    def _concepts(self, question: PlatformQuestion, said: Sequence[Placed], subtopic: str) -> list[str]:
        if not said:
            self._notice(question.line, f"No tag concept:NAME: its name {question.name!r} is its concept.")
        named = said or [Placed(text=question.name, line=question.line)]
        return list(dict.fromkeys(self._known(concept, subtopic) for concept in named))

    def _known(self, named: Placed, subtopic: str) -> str:
        """The concept's name as it was first written; its subtopic is that of the first question that named it."""
        if named.text.casefold() not in self._names:
            self._names[named.text.casefold()] = named.text
            self.places["concepts", len(self.values["concepts"])] = named.line
            self.values["concepts"].append({"name": named.text, "subtopic": subtopic})
        return self._names[named.text.casefold()]

    def _notice(self, line: int, message: str) -> None:
        self.notices.append(BankProblem(self._file, line, message))
