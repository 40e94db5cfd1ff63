"""Key terms: what an answer should contain, and how much of each was found in it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import Prefix

from reading.nearness import IN_CONTEXT, Nearness
from reading.words import MIN_JOINED_LETTERS, Word, content_of, initials_of, roots_of, words_in

Vectors = NDArray[np.float32]
"""Shape (words, dimensions), each row of length 1."""

INITIALS = range(3, 6)
"""Words that initials may stand for: two letters are too often a word, six are hardly ever used."""

MAX_COMPOUND = 3
"""Neighbouring words of the expected answer that a learner may write as one."""

MIN_TYPO_LETTERS = 5
"""In shorter words a changed letter makes another word more often than a typo: `lock`, `look`, `lack`."""

ENDINGS = frozenset(("", *"or ors er ers ion ions ing ive al ity able ment ness ly ed e".split()))
"""What makes another word of a word, where the stem is not the same any more."""

TYPO_RATIO = 85.0
"""Least similarity of a typo (0 to 100): one wrong, missing or swapped pair of letters in a word of seven."""

FOUND_FROM = 0.5
"""The credit from which a term is listed as matched."""


Run = tuple[Word, ...]
"""Neighbouring words of a text."""


class Match(StrEnum):
    """How a key term was found, best first."""

    WORD = "word"
    COMPOUND = "compound"
    INITIALS = "initials"
    TYPO = "typo"
    MEANING = "meaning"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyTerm:
    """A term that an answer should contain: as it is written, and its words, which must all be found."""

    surface: str
    parts: tuple[Word, ...]
    joined: str = ""
    initials: str = ""
    """What a learner may write for several words: all as one, or their initials; empty where neither is enough."""

    @property
    def stems(self) -> frozenset[str]:
        """What the term is compared by."""
        return frozenset(part.root for part in self.parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class TermCredit:
    """How much of a key term an answer contains: `credit` in [0, 1], how it was found, and as which words.

    `places` are where those words begin in the answer, in code points.
    """

    term: str
    credit: float
    match: Match
    found_as: str = ""
    places: tuple[int, ...] = ()

    @property
    def is_matched(self) -> bool:
        """Whether the term counts among the matched ones, by its credit as it is shown."""
        return round(self.credit, 3) >= FOUND_FROM


def key_terms(expected: str, *, question: str = "", keywords: Iterable[str] = ()) -> tuple[KeyTerm, ...]:
    """The terms that an answer should contain, in the order of the text, each once.

    Given keywords are taken as they are; a keyword of several words needs all of them, and one without a word is left
    out. Else they are the stems of the expected answer without stop words and without those that the question already
    gives away; if none is left, all content words, and if there is none, all words.
    """
    if given := [term for term in map(_given_term, keywords) if term.parts]:
        first_given: dict[frozenset[str], KeyTerm] = {}
        for term in given:
            first_given.setdefault(term.stems, term)
        return tuple(first_given.values())
    content = content_of(words_in(expected))
    given_away = roots_of(question)
    own = [word for word in content if word.root not in given_away]
    first: dict[str, Word] = {}
    for word in own or content:
        first.setdefault(word.root, word)
    return tuple(KeyTerm(surface=_shown(word), parts=(word,)) for word in first.values())


def _shown(word: Word) -> str:
    """The word as a learner reads it: without the capital of a sentence, but `InnoDB` and `LRU` as they are."""
    return word.text if word.text[1:].lower() != word.text[1:] else word.folded


def _given_term(keyword: str) -> KeyTerm:
    words = words_in(keyword)
    joined = "".join(word.folded for word in words)
    parts = {word.root: word for word in content_of(words)}
    return KeyTerm(
        surface=keyword,
        parts=tuple(parts.values()),
        joined=joined if len(words) > 1 and len(joined) >= MIN_JOINED_LETTERS else "",
        initials=initials_of(words) if len(words) in INITIALS else "",
    )


@dataclass(frozen=True, kw_only=True)
class ReadText:
    """A text as the model read it: its words, and the vectors of its content words.

    Expected answers are remembered like this, by the hundred: what can be had from it soon is not kept with it.
    """

    words: Sequence[Word]
    content: Sequence[Word]
    vectors: Vectors
    """Of the content words, shape (content words, dimensions)."""
    text: str = ""
    """The text itself, where it matters what stands between the words."""

    @cached_property
    def by_root(self) -> dict[str, Word]:
        """The first word of each root."""
        return {word.root: word for word in reversed(self.words)}

    @cached_property
    def typed(self) -> dict[str, Word]:
        """The first of each content word as it is typed."""
        return {word.folded: word for word in reversed(self.content)}

    @cached_property
    def by_first_letter(self) -> dict[str, list[Word]]:
        """Those by their first letters, in order."""
        words: dict[str, list[Word]] = {}
        for word in self.content:
            if self.typed[word.folded] is word:
                words.setdefault(word.folded[0], []).append(word)
        return words


Places = tuple[int, int]
"""From which word of a text to which, end excluded."""


def written_as_one(words: Sequence[Word]) -> Iterator[tuple[str, Places]]:
    """Neighbouring words by what they are written as one. Of runs of one name the last counts: those typed so come
    after those of the same roots, longer ones after shorter ones."""
    for forms in ([word.root for word in words], [word.folded for word in words]):
        joined: Sequence[str] = forms
        for length in range(2, MAX_COMPOUND + 1):
            joined = [begun + form for begun, form in zip(joined, forms[length - 1 :], strict=False)]
            yield from zip(joined, zip(range(len(words)), range(length, len(words) + 1), strict=False), strict=False)


def abbreviated(words: Sequence[Word]) -> Iterator[tuple[str, Places]]:
    """Neighbouring words by their initials; at least two of them carry meaning. Of runs of one name the last counts."""
    letters = initials_of(words)
    carrying = [0, *accumulate(word.is_content for word in words)]
    for length in INITIALS:
        for at in range(len(letters) - length + 1):
            if carrying[at + length] - carrying[at] > 1:
                yield letters[at : at + length], (at, at + length)


class TermFinder:
    """Finds the key terms of one expected answer in one answer. Rules in order; the first that holds decides."""

    def __init__(self, expected: ReadText, answer: ReadText, nearness: Nearness = IN_CONTEXT) -> None:
        self._expected = expected
        self._answer = answer
        self._nearness = nearness
        self._found: dict[Word, TermCredit | None] = {}
        self._nearest: dict[str, tuple[float, Word] | None] = {}

    def find(self, term: KeyTerm, *, near_from: float | None = None) -> TermCredit:
        """The credit for a term; one of several words has that of its worst.

        `near_from` is the cosine from which a word of like meaning earns partial credit, if not that of the nearness.
        """
        near_from = self._nearness.term_from if near_from is None else near_from
        for match, form in ((Match.COMPOUND, term.joined), (Match.INITIALS, term.initials)):
            if form and (word := self._answer.typed.get(form)) and (match is Match.COMPOUND or _abbreviates(word)):
                return replace(_credit(word, 1.0, match, (word,)), term=term.surface)
        found = [self._find(part, near_from) for part in term.parts]
        if len(found) == 1 and found[0].term == term.surface:
            return found[0]
        worst = min(found, key=lambda one: one.credit)
        if worst.credit == 0.0:
            return replace(worst, term=term.surface)
        words = " ".join(dict.fromkeys(one.found_as for one in found))
        places = tuple(sorted({place for one in found for place in one.places}))
        return replace(worst, term=term.surface, found_as=words, places=places)

    def _find(self, part: Word, near_from: float) -> TermCredit:
        """The credit for one word; what is not a question of meaning is looked for once."""
        if part not in self._found:
            self._found[part] = self._find_word(part)
        return self._found[part] or self._near(part, near_from)

    def _find_word(self, part: Word) -> TermCredit | None:
        for match, look in (
            (Match.WORD, self._same_root),
            (Match.COMPOUND, self._compound),
            (Match.INITIALS, self._initials),
            (Match.TYPO, self._typo),
        ):
            if run := look(part):
                return _credit(part, 1.0, match, run)
        return None

    def _same_root(self, part: Word) -> Run:
        word = self._answer.by_root.get(part.root)
        return (word,) if word else ()

    def _compound(self, part: Word) -> Run:
        """Spaces and hyphens elsewhere than in the expected answer: `dead lock`, `hashtable`."""
        if len(part.folded) >= MIN_JOINED_LETTERS:
            for written in (part.folded, part.root):
                if run := _run(self._answer.words, self._said_as_one.get(written)):
                    return run
        return self._compounded.get(part.root, ())

    def _initials(self, part: Word) -> Run:
        """`LRU` for least recently used, or the words for the initials."""
        places = self._said_in_initials.get(part.folded) if _abbreviates(part) else None
        return _run(self._answer.words, places) or self._abbreviated.get(part.root, ())

    def _typo(self, part: Word) -> Run:
        alike = self._answer.by_first_letter.get(part.folded[0], ())
        return next(((word,) for word in alike if is_typo(word.folded, part.folded)), ())

    def _near(self, part: Word, near_from: float) -> TermCredit:
        """Partial credit for the answer's nearest word; a number is right or wrong."""
        if part.root not in self._nearest:
            self._nearest[part.root] = None if part.is_number else self._nearest_to(part.root)
        nearest = self._nearest[part.root]
        credit = ramp(nearest[0], near_from, self._nearness.term_full) if nearest else 0.0
        if nearest is None or credit == 0.0:
            return _credit(part, 0.0, Match.NONE, ())
        return _credit(part, credit, Match.MEANING, (nearest[1],))

    def _nearest_to(self, root: str) -> tuple[float, Word] | None:
        """The answer's word that is nearest to one of this root in the expected answer, and its cosine."""
        rows = self._rows.get(root, [])
        if not rows or not len(self._answer.vectors):
            return None
        cosine, place = max((self._nearest_by_row[row] for row in rows), key=lambda nearest: nearest[0])
        return cosine, self._answer.content[place]

    @cached_property
    def _nearest_by_row(self) -> list[tuple[float, int]]:
        """For each content word of the expected answer the greatest cosine, and that of which of the answer's it is."""
        cosines: Vectors = self._expected.vectors.astype(np.float32, copy=False) @ self._answer.vectors.T
        return list(zip(cosines.max(axis=1).tolist(), cosines.argmax(axis=1).tolist(), strict=True))

    @cached_property
    def _rows(self) -> dict[str, list[int]]:
        """The rows of the expected answer's vectors that belong to each root."""
        rows: dict[str, list[int]] = {}
        for row, word in enumerate(self._expected.content):
            rows.setdefault(word.root, []).append(row)
        return rows

    @cached_property
    def _said_as_one(self) -> dict[str, Places]:
        return dict(written_as_one(self._answer.words))

    @cached_property
    def _said_in_initials(self) -> dict[str, Places]:
        return dict(abbreviated(self._answer.words))

    @cached_property
    def _compounded(self) -> dict[str, Run]:
        """Roots of neighbouring words of the expected answer that the answer writes as one."""
        shortened = self._shortened(written_as_one(self._expected.words))
        return {
            word.root: (typed,) for typed, run in shortened if len(typed.folded) >= MIN_JOINED_LETTERS for word in run
        }

    @cached_property
    def _abbreviated(self) -> dict[str, Run]:
        """Roots of neighbouring words of the expected answer for which the answer has their initials."""
        shortened = self._shortened(abbreviated(self._expected.words))
        return {word.root: (typed,) for typed, run in shortened if _abbreviates(typed, run) for word in run}

    def _shortened(self, names: Iterable[tuple[str, Places]]) -> list[tuple[Word, Run]]:
        """The runs of the expected answer for which the answer has one word, with it."""
        words, typed = self._expected.words, self._answer.typed
        named = {name: places for name, places in names if name in typed}
        return [(word, _run(words, named[name])) for name, word in typed.items() if name in named]


def _run(words: Sequence[Word], places: Places | None) -> Run:
    return tuple(words[slice(*places)]) if places else ()


def _credit(part: Word, credit: float, match: Match, run: Run) -> TermCredit:
    found_as, places = " ".join(word.text for word in run), tuple(word.start for word in run)
    return TermCredit(term=part.text, credit=credit, match=match, found_as=found_as, places=places)


def _abbreviates(word: Word, run: Run = ()) -> bool:
    """Whether a word can be initials, and no ordinary short word: `LRU`, `fifo`, or `lru` for words that all count."""
    return word.text.isupper() or len(word.folded) > min(INITIALS) or (bool(run) and all(one.is_content for one in run))


def is_typo(typed: str, meant: str) -> bool:
    """Whether one word is the other, mistyped: same first letter and nearly the same letters.

    `process` and `processor` are two words, not one mistyped.
    """
    return (
        typed[0] == meant[0]
        and min(len(typed), len(meant)) >= MIN_TYPO_LETTERS
        and typed.isalpha()
        and meant.isalpha()
        and fuzz.ratio(typed, meant, score_cutoff=TYPO_RATIO) > 0
        and not _differ_by_ending(typed, meant)
    )


def _differ_by_ending(one: str, other: str) -> bool:
    shared = Prefix.similarity(one, other)
    return one[shared:] in ENDINGS and other[shared:] in ENDINGS


def ramp(value: float, start: float, full: float) -> float:
    """0 up to `start`, 1 from `full`, a straight line between."""
    return min(1.0, max(0.0, (value - start) / (full - start)))
