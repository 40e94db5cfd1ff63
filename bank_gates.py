"""Gates that a topic of the question bank must pass and that need no model: size, probes, lengths, spelling."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from bank_lines import BankProblem, Where
from mastery import Difficulty
from question_bank import Concept, Question, Topic
from reading.sentences import sentences_of

SUBTOPICS, CONCEPTS, QUESTIONS_PER_DIFFICULTY = 6, 24, 12
"""What a full topic holds at least."""

PROBES, PROBED_DIFFICULTIES = 3, 2
"""Questions that probe a concept at least, and the difficulties over which they spread: an estimate of what somebody
knows of it should rest neither on two answers nor on questions of one difficulty."""

QUESTION_WORDS = (5, 60)
ANSWER_WORDS = (40, 120)
DESCRIPTION_WORDS = (3, 30)
SENTENCE_WORDS = 55
"""Words in one sentence of a question or an expected answer: who reads a question under time reads it once."""

Spelling = Callable[[Iterable[str]], Iterable[str]]
"""Which of some words, in small letters, are misspelt."""

_TOKEN = re.compile(r"[^\s,;:!?()\[\]{}\"“”„/|—–…]+")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)?\Z")
_LEGAL_CAPITALS = re.compile(r"(?:[A-Z]?[a-z]+)\Z")
_POSSESSIVE = re.compile(r"['’]s?\Z")


class Finder(Protocol):
    """Finds where a part of a topic was written: `Lines` of its file, or who knows its origin."""

    def problem(self, path: Where, message: str) -> BankProblem: ...


@dataclass(frozen=True, kw_only=True)
class ReadTopic:
    """A topic and where its parts stand in its file."""

    topic: Topic
    lines: Finder

    def problem(self, path: Where, message: str) -> BankProblem:
        """What is wrong with a part, at its line."""
        return self.lines.problem(path, message)

    @property
    def active_questions(self) -> Iterator[tuple[int, Question]]:
        """The questions that are asked, each with its place in the file."""
        return ((i, question) for i, question in enumerate(self.topic.questions) if not question.retired)


def pure_problems(read: ReadTopic, *, any_size: bool = False) -> Iterator[BankProblem]:
    """What is wrong with a topic, as far as neither model nor word list is needed.

    With `any_size` nothing is asked for that only a full topic can have.
    """
    if not any_size:
        yield from size_problems(read)
        yield from reach_problems(read)
    yield from probe_problems(read)
    yield from length_problems(read)


def size_problems(read: ReadTopic) -> Iterator[BankProblem]:
    """A full topic has 24 concepts in 6 subtopics, and 12 questions of each difficulty, or more."""
    topic = read.topic
    subtopics = len({concept.subtopic for concept in topic.concepts})
    if subtopics < SUBTOPICS:
        yield read.problem(("concepts",), f"The topic has {subtopics} subtopics; a full one has {SUBTOPICS}.")
    if len(topic.concepts) < CONCEPTS:
        yield read.problem(("concepts",), f"The topic has {len(topic.concepts)} concepts; a full one has {CONCEPTS}.")
    counts = Counter(question.difficulty for question in topic.active_questions)
    for step in Difficulty:
        if counts[step] < QUESTIONS_PER_DIFFICULTY:
            message = f"The topic has {counts[step]} {step} questions; a full one has {QUESTIONS_PER_DIFFICULTY}."
            yield read.problem(("questions",), message)


def probe_problems(read: ReadTopic) -> Iterator[BankProblem]:
    """Every concept is probed by at least 3 questions, over at least 2 difficulties."""
    probes = _probes(read.topic)
    for i, concept in enumerate(read.topic.concepts):
        steps = probes[concept.name]
        if len(steps) < PROBES or len(set(steps)) < PROBED_DIFFICULTIES:
            found = ", ".join(step.value for step in steps) or "none"
            message = (
                f"{concept.name!r} is probed by {len(steps)} questions ({found}); it needs {PROBES}"
                f" over {PROBED_DIFFICULTIES} difficulties."
            )
            yield read.problem(("concepts", i), message)


def reach_problems(read: ReadTopic) -> Iterator[BankProblem]:
    """Every concept is reachable at every difficulty: some question there probes it, wherever a learner stands."""
    probes = _probes(read.topic)
    for i, concept in enumerate(read.topic.concepts):
        if missing := [step.value for step in Difficulty if step not in probes[concept.name]]:
            yield read.problem(("concepts", i), f"No {' and no '.join(missing)} question probes {concept.name!r}.")


def length_problems(read: ReadTopic) -> Iterator[BankProblem]:
    """Texts, and the sentences of questions and answers, are neither too short nor too long to be read once."""
    for path, text, bounds in _bounded_texts(read):
        shortest, longest = bounds
        words = len(text.split())
        if not shortest <= words <= longest:
            yield read.problem(path, f"The text has {words} words; {shortest} to {longest} are read well.")
        if "descriptions" in path:
            continue
        for start, end in sentences_of(text):
            words = len(text[start:end].split())
            if words > SENTENCE_WORDS:
                message = (
                    f"A sentence has {words} words; up to {SENTENCE_WORDS} are read well: {text[start:end][:40]!r}…"
                )
                yield read.problem(path, message)


def repeated_texts(topics: Iterable[ReadTopic]) -> Iterator[BankProblem]:
    """Questions that are asked twice, across topics, whatever case they are written in."""
    first: dict[str, str] = {}
    for read in topics:
        for i, question in read.active_questions:
            text = question.text.casefold()
            if text in first:
                yield read.problem(("questions", i, "text"), f"This asks the same as {first[text]!r}.")
            first.setdefault(text, question.id)


def spelling_problems(read: ReadTopic, misspelt: Spelling) -> Iterator[BankProblem]:
    """Words that no word list knows, each where it stands first. Code, abbreviations and numbers are not looked at."""
    places: dict[str, Where] = {}
    for path, text in _texts(read.topic):
        for word in plain_words(text):
            places.setdefault(word, path)
    for word in sorted(misspelt(places)):
        yield read.problem(places[word], f"No word list knows {word!r}.")


def plain_words(text: str) -> Iterator[str]:
    """The words of a text that a dictionary may know, in small letters and without a possessive ending.

    What holds digits, underscores, dots or other signs, and what is written with capitals inside, is code or a name.
    """
    for token in _TOKEN.findall(text):
        for part in token.strip(".'’‘`*").split("-"):
            word = _POSSESSIVE.sub("", part)
            if _WORD.match(word) and _LEGAL_CAPITALS.match(re.sub("['’]", "", word)):
                yield word.replace("’", "'").lower()


def _texts(topic: Topic) -> Iterator[tuple[Where, str]]:
    """All that is written in a topic, with the way to it."""
    yield ("title",), topic.title
    for i, concept in enumerate(topic.concepts):
        yield from _texts_of_concept(("concepts", i), concept)
    for i, question in enumerate(topic.questions):
        yield ("questions", i, "text"), question.text
        for part in ("expected_answers", "keywords"):
            for j, text in enumerate(getattr(question, part)):
                yield ("questions", i, part, j), text


def _texts_of_concept(path: Where, concept: Concept) -> Iterator[tuple[Where, str]]:
    yield (*path, "name"), concept.name
    for part in ("aliases", "descriptions"):
        for j, text in enumerate(getattr(concept, part)):
            yield (*path, part, j), text


def _bounded_texts(read: ReadTopic) -> Iterator[tuple[Where, str, tuple[int, int]]]:
    """The texts whose length matters, with the words that they may have."""
    for i, concept in enumerate(read.topic.concepts):
        for j, text in enumerate(concept.descriptions):
            yield ("concepts", i, "descriptions", j), text, DESCRIPTION_WORDS
    for i, question in read.active_questions:
        yield ("questions", i, "text"), question.text, QUESTION_WORDS
        for j, text in enumerate(question.expected_answers):
            yield ("questions", i, "expected_answers", j), text, ANSWER_WORDS


def _probes(topic: Topic) -> Mapping[str, list[Difficulty]]:
    """The difficulties of the questions that probe each concept."""
    probes: defaultdict[str, list[Difficulty]] = defaultdict(list)
    for question in topic.active_questions:
        for name in question.concepts:
            probes[name].append(question.difficulty)
    return probes
