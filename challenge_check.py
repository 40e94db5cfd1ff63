"""Gates that a debugging challenge must pass: its size, its words, its likeness to others, and what the scorer says."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bank_check import LEAD, OWN_SCORE, ReadOnce
from bank_gates import SENTENCE_WORDS, Finder, Spelling, plain_words
from bank_lines import BankProblem, Where
from challenges import Challenge, Language
from embeddings import KeptReadings, ModelEncoder, NoShelf
from mastery import MasteryPolicy
from question_bank import Topic
from reading.sentences import sentences_of
from reading.words import roots_of
from scoring import AnswerScore, Scorer

PROGRAM_LINES = (6, 25)
EXPLANATION_WORDS = (40, 120)
KEYWORDS = (4, 8)

SAID_BY_TITLE = 0.45
"""What a title may earn as the explanation of its own bug: the delivered ones, which name the matter, earn up to 0.39;
the first dozen words of an explanation earn 0.54 in the median."""

SAID_BY_PROGRAM = 0.7
"""What the comments of a program may earn as its explanation: those of the delivered ones earn up to 0.63, as they say
what it is for."""

SAME_BUG = 0.75
"""Cosine of two explanations from which they tell of one bug: of two delivered challenges 0.71 at most, of two
explanations of one challenge 0.78 in the median."""

_COMMENTS = {
    Language.PYTHON: re.compile(r'"""(?:.|\n)*?"""|#.*'),
    Language.SQL: re.compile(r"/\*(?:.|\n)*?\*/|--.*"),
}
_C_COMMENTS = re.compile(r"/\*(?:.|\n)*?\*/|//.*")
_IN_PROGRAM = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


@dataclass(frozen=True, kw_only=True)
class ReadChallenge:
    """A challenge with its topic, and where it stands: the how-manieth of its file."""

    challenge: Challenge
    topic: Topic
    lines: Finder
    place: int

    def problem(self, path: Where, message: str) -> BankProblem:
        """What is wrong with a part, at its line."""
        return self.lines.problem(("challenges", self.place, *path), message)


def plain_problems(read: ReadChallenge) -> Iterator[BankProblem]:
    """What is wrong with a challenge, as far as neither model nor word list is needed."""
    challenge = read.challenge
    if not challenge.id.startswith(f"{challenge.language}-"):
        yield read.problem(("id",), f"The id does not begin with the language: {challenge.language}-.")
    lines = len(challenge.buggy_code.splitlines())
    yield from _bounded(read, ("buggy_code",), lines, "lines", PROGRAM_LINES)
    yield from _bounded(read, ("keywords",), len(challenge.keywords), "keywords", KEYWORDS)
    for j, keyword in enumerate(challenge.keywords):
        if roots_of(keyword) and roots_of(keyword) <= roots_of(challenge.title):
            yield read.problem(("keywords", j), f"The title gives the keyword {keyword!r} away.")
    for j, text in enumerate(challenge.expected_answers):
        path = ("expected_answers", j)
        yield from _bounded(read, path, len(text.split()), "words", EXPLANATION_WORDS)
        longest = max((len(text[start:end].split()) for start, end in sentences_of(text)), default=0)
        if longest > SENTENCE_WORDS:
            yield read.problem(path, f"A sentence has {longest} words; up to {SENTENCE_WORDS} are read well.")


def _bounded(read: ReadChallenge, path: Where, found: int, what: str, bounds: tuple[int, int]) -> Iterator[BankProblem]:
    if not bounds[0] <= found <= bounds[1]:
        yield read.problem(path, f"There are {found} {what}; {bounds[0]} to {bounds[1]} are read well.")


def misspelt_words(read: ReadChallenge, misspelt: Spelling) -> Iterator[BankProblem]:
    """Words that neither a word list nor the program knows, each where it stands first in the challenge."""
    challenge, places = read.challenge, dict[str, Where]()
    texts: list[tuple[Where, str]] = [(("title",), challenge.title)]
    for part in ("keywords", "expected_answers"):
        texts += [((part, j), text) for j, text in enumerate(getattr(challenge, part))]
    for path, text in texts:
        for word in plain_words(text):
            places.setdefault(word, path)
    program = f"{challenge.buggy_code}\n{challenge.correct_code}"
    known = {word.lower() for word in _IN_PROGRAM.findall(program)} | {word.lower() for word in program.split()}
    for word in sorted(set(misspelt(places)) - known):
        yield read.problem(places[word], f"No word list knows {word!r}.")


def repeated_challenges(reads: Iterable[ReadChallenge], checked: frozenset[str]) -> Iterator[BankProblem]:
    """Those of the ids `checked` whose title or program, however it is laid out, another challenge has already."""
    first: dict[tuple[str, str], str] = {}
    for read in sorted(reads, key=lambda one: one.challenge.id in checked):
        for part in ("title", "buggy_code"):
            key = part, "".join(getattr(read.challenge, part).casefold().split())
            if key in first and read.challenge.id in checked:
                what = "title" if part == "title" else "program"
                yield read.problem((part,), f"The {what} is that of {first[key]!r}.")
            first.setdefault(key, read.challenge.id)


class ChallengeGates:
    """Asks the scorer that serves about challenges; raises `ModelUnavailable` where the model cannot be loaded."""

    def __init__(self, encoder: ModelEncoder, policy: MasteryPolicy) -> None:
        self._encoder = ReadOnce(encoder)
        self._policy = policy
        self._scorer = Scorer(self._encoder, KeptReadings(self._encoder, NoShelf()), policy)

    def problems(self, read: ReadChallenge, others: Iterable[ReadChallenge]) -> Iterator[BankProblem]:
        """What is wrong with a challenge. Its explanations are held against the others of its language or topic."""
        one = read.challenge
        near = [
            other
            for other in others
            if other.challenge.id != one.id
            and (other.challenge.language == one.language or other.challenge.topic == one.topic)
        ]
        yield from self._given_away(read)
        for j, explanation in enumerate(one.expected_answers):
            yield from self._unfit(read, ("expected_answers", j), explanation, near)

    def same_bugs(self, reads: Sequence[ReadChallenge], checked: frozenset[str]) -> Iterator[BankProblem]:
        """Explanations of the ids `checked` that tell of a bug which another challenge of the language has already."""
        told = [
            (read, j, text)
            for read in sorted(reads, key=lambda one: one.challenge.id in checked)
            for j, text in enumerate(read.challenge.expected_answers)
        ]
        if not told:
            return
        readings = self._encoder.read([text for _, _, text in told], [()] * len(told))
        vectors = np.stack([reading.vector for reading in readings])
        for at, (read, j, _) in enumerate(told):
            if read.challenge.id not in checked:
                continue
            alike = np.array([_are_alike(read, earlier) for earlier, _, _ in told[:at]], dtype=bool)
            cosines = np.where(alike, vectors[:at] @ vectors[at], -1)
            if at and cosines.max() >= SAME_BUG:
                other = told[int(cosines.argmax())][0].challenge.id
                message = f"This explains nearly the same as {other!r}: the cosine is {cosines.max():.2f}."
                yield read.problem(("expected_answers", j), message)

    def _given_away(self, read: ReadChallenge) -> Iterator[BankProblem]:
        said = (
            (("title",), "The title gives", read.challenge.title, SAID_BY_TITLE),
            (("buggy_code",), "The program's comments give", comments_of(read.challenge), SAID_BY_PROGRAM),
        )
        for path, what, text, bound in said:
            earned = self._combined(self._score(text, read, title="")) if text else 0.0
            if earned > bound:
                message = f"{what} the bug away: as an explanation, that earns {earned:.2f}, not up to {bound}."
                yield read.problem(path, message)

    def _unfit(
        self, read: ReadChallenge, path: Where, explanation: str, others: Sequence[ReadChallenge]
    ) -> Iterator[BankProblem]:
        own = self._score(explanation, read, concepts=True)
        earned = self._combined(own)
        for name in own.missed_concepts:
            yield read.problem(path, f"The scorer does not see {name!r} in this explanation.")
        if earned < OWN_SCORE:
            why = "; ".join(flag.effect for flag in own.flags) or f"missed: {', '.join(own.missed_keywords)}"
            yield read.problem(
                path, f"The explanation earns {earned:.2f} on its own challenge, not {OWN_SCORE} ({why})."
            )
        if not others:
            return
        elsewhere = float(np.mean([self._combined(self._score(explanation, other)) for other in others]))
        if earned - elsewhere < LEAD:
            message = (
                f"The explanation fits other challenges of its language or topic too: it earns {elsewhere:.2f} there on"
                f" average, less than {LEAD} below its {earned:.2f} here."
            )
            yield read.problem(path, message)

    def _score(
        self, explanation: str, read: ReadChallenge, *, concepts: bool = False, title: str | None = None
    ) -> AnswerScore:
        """As explanations are scored; without its title, where it is the title that is looked at."""
        challenge = read.challenge
        return self._scorer.score(
            explanation,
            expected_answers=challenge.expected_answers,
            question=challenge.title if title is None else title,
            keywords=challenge.keywords,
            concepts=[read.topic.concept_by_name[name] for name in challenge.concepts] if concepts else (),
        )

    def _combined(self, score: AnswerScore) -> float:
        return self._policy.combined_score(semantic_score=score.semantic_score, keyword_score=score.keyword_score)


def comments_of(challenge: Challenge) -> str:
    """What the comments of the buggy program say, as one text; empty where there is none."""
    comments = _COMMENTS.get(challenge.language, _C_COMMENTS).findall(challenge.buggy_code)
    return " ".join(" ".join(comment.strip('#/*-" \n') for comment in comments).split())


def _are_alike(one: ReadChallenge, other: ReadChallenge) -> bool:
    """Whether two challenges are in one language; a bug may come up once in each."""
    return one.challenge.id != other.challenge.id and one.challenge.language == other.challenge.language
