"""Texts that would earn scores without an answer: the question handed back, words without sentences, copied text."""

import re
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import fuzz

from reading.words import STOP_WORDS, Word, words_of

HANDED_BACK_RATIO = 90.0
"""Least partial match with the question (0 to 100) of an answer without a word of its own."""

PROSE = 0.25
"""Share of function words from which an expected answer is prose, so that prose can be asked for."""

BORROWED = 0.8
"""Share of content words that a list of key terms takes from the expected answer. Terse answers in a learner's own
words share fewer, and are none."""

BARE_ROW = 6
"""Words in a row, without one between that joins them, that are a list: fewer are a phrase or a terse answer."""

_JOINING = STOP_WORDS.difference(
    "each every any all both more most other some only own same too very just also there here again during between"
    " through before after above below over under up down out off".split()
)
"""Function words without which no sentence is made; the others may stand in a list of terms."""

STATEMENT = 3
"""Words between two separators from which they may be a terse statement: "methods validate input". The items of a list
of terms are shorter, and a list without separators has at least `BARE_ROW` words."""

_SEPARATES = re.compile(r"[,;.:!?()=<>{}\[\]\r\n]|\s[-–—*•]\s")
"""What stands between the items of a list, and between terse statements."""

_ENDS_ROW = re.compile(r"[:()=<>{}\[\]]")
"""What a list of terms does not hold: labels, formulas and code do."""

LISTED = 0.6
"""Share of the borrowed words that stand in such rows, from which a text lives by its list."""

MIN_ORDERED = 12
"""Words from which a text shows an order."""

IN_ORDER = 0.1
"""Share of neighbouring pairs of words that an answer made of the expected answer's words has in common with it, below
which its words are in no order: copying it gives 1, rephrasing it with its own words about 0.3, shuffling it 0."""

COPIED_RUN = 8
"""Words in the same order that two people do not write by chance."""

LONGEST_ECHO = 3
"""Lengths of the question up to which an answer can be the question with words around it."""

QUOTED_RUN = 4
"""Words of the question in a row that a learner repeats before answering."""

_DETERMINERS = frozenset("a an the its their our my your his her".split())
_NO_NOUN = frozenset(
    "of is are was were be been and or to in on for by with from at that which than if because but a an the can will"
    " would should does do did has have had it they he she we you".split()
)
"""What cannot follow a determiner."""

_PREPOSITIONS = frozenset("of for by with from at into".split())
_NO_OBJECT = frozenset(
    "is are was were be of and or to than if because but can will would should does do did has have had".split()
)
"""What cannot follow a preposition."""


_OPENINGS = frozenset("well hmm ok okay think guess believe good great question answer asked asking".split())
"""What people say before they come to it."""


def is_handed_back(answer: Sequence[Word], question: Sequence[Word], *, own_terms: bool) -> bool:
    """Whether the answer only repeats the question.

    `own_terms` says whether the expected answer holds terms that the question does not: where the question offers the
    possible answers ("Is a stack LIFO or FIFO?"), a short choice is an answer, and only the whole question is not.
    """
    if not question or not answer:
        return False
    asked = {word.root for word in question if word.is_content}
    content = {word.root for word in answer if word.is_content and word.folded not in _OPENINGS}
    if not content or not content <= asked:
        return False
    said, put = " ".join(word.folded for word in answer), " ".join(word.folded for word in question)
    if fuzz.ratio(said, put) >= HANDED_BACK_RATIO:
        return True
    is_whole = len(put) <= len(said) <= LONGEST_ECHO * len(put)
    is_part = own_terms and len(said) < len(put)
    return (is_whole or is_part) and fuzz.partial_ratio(said, put) >= HANDED_BACK_RATIO


def is_word_list(text: str, answer: Sequence[Word], question: Sequence[Word], expected: Sequence[Word]) -> bool:
    """Whether the expected answer's words stand there bare, where it is prose: as a list, or in no order.

    `text` is the answer, `answer` its words. What the answer repeats of the question does not make it prose.
    """
    if function_share(expected) < PROSE:
        return False
    own = _without_runs(answer, question)
    meant = {word.root for word in expected if word.is_content}
    rows = [row for row in _rows(own, text) if len(row) >= BARE_ROW and _borrowed(row, meant) >= BORROWED]
    borrowed = sum(word.root in meant for word in own)
    if borrowed and sum(word.root in meant for row in rows for word in row) >= LISTED * borrowed:
        return True
    content = [word for word in own if word.is_content]
    return _borrowed(content, meant) >= BORROWED and _is_shuffled(own, expected)


def copied_share(answer: Sequence[Word], shown: Iterable[str]) -> float:
    """The share of an answer's words, 0 to 1, that stand in long runs copied from texts that were shown before."""
    if not answer:
        return 0.0
    runs = _Runs([word.folded for word in answer], COPIED_RUN)
    copied = {place for text in shown for place in runs.places_in(_shown_words(text))}
    return len(copied) / len(answer)


@lru_cache(maxsize=512)
def _shown_words(text: str) -> tuple[str, ...]:
    """A session shows the same expected answers at each of its answers: they are taken apart once."""
    return tuple(words_of(text))


def function_share(words: Sequence[Word]) -> float:
    """The share of words, 0 to 1, that carry the sentence and not its subject."""
    return sum(word.folded in STOP_WORDS for word in words) / len(words) if words else 0.0


def _without_runs(answer: Sequence[Word], question: Sequence[Word]) -> list[Word]:
    quoted = _Runs([word.folded for word in answer], QUOTED_RUN).places_in([word.folded for word in question])
    return [word for place, word in enumerate(answer) if place not in quoted]


class _Runs:
    """The runs of that many words of a text, which may stand in other texts."""

    def __init__(self, words: Sequence[str], length: int) -> None:
        self._length = length
        self._starts: dict[tuple[str, ...], list[int]] = {}
        for start in range(len(words) - length + 1):
            self._starts.setdefault(tuple(words[start : start + length]), []).append(start)
        self._ends = {(run[0], run[-1]) for run in self._starts}

    def places_in(self, other: Sequence[str]) -> set[int]:
        """Places of the words that stand in runs which the other text holds too."""
        ends = list(zip(other, other[self._length - 1 :], strict=False))
        if self._ends.isdisjoint(ends):  # an answer of one's own shares not even the ends of a run, and most are
            return set()
        return {
            place
            for begin, pair in enumerate(ends)
            if pair in self._ends
            for start in self._starts.get(tuple(other[begin : begin + self._length]), ())
            for place in range(start, start + self._length)
        }


def _rows(words: Sequence[Word], text: str) -> list[list[Word]]:
    """Words that nothing joins, in rows: across the items of a list, but not across terse statements."""
    rows: list[list[Word]] = [[]]
    end = 0
    for item in _items(words, text):
        runs = _bare_runs(item, text)
        length = sum(not _is_hyphened(word, text) for word in item)
        is_statement = len(runs) == 1 and STATEMENT <= length < BARE_ROW
        if len(runs) > 1 or is_statement or _ENDS_ROW.search(text, end, item[0].start):
            rows.append([])
        if not is_statement:
            rows[-1].extend(runs[0])
            rows.extend(runs[1:])
        end = item[-1].end
    return rows


def _items(words: Sequence[Word], text: str) -> list[list[Word]]:
    """The words between two separators; no item is empty."""
    items: list[list[Word]] = []
    for place, word in enumerate(words):
        if place == 0 or _SEPARATES.search(text, words[place - 1].end, word.start):
            items.append([])
        items[-1].append(word)
    return items


def _is_hyphened(word: Word, text: str) -> bool:
    """Whether the word hangs on the one before, as in `wait-for`."""
    return text[word.start - 1 : word.start] == "-"


def _bare_runs(item: Sequence[Word], text: str) -> list[list[Word]]:
    """The words of an item between those that join words; one run where there is none of them."""
    runs: list[list[Word]] = [[]]
    for word in item:
        if word.folded in _JOINING and not _is_hyphened(word, text):
            runs.append([])
        else:
            runs[-1].append(word)
    return runs


def _borrowed(words: Sequence[Word], meant: Set[str]) -> float:
    """The share of words whose roots are among those meant."""
    return sum(word.root in meant for word in words) / len(words) if words else 0.0


def _is_shuffled(answer: Sequence[Word], expected: Sequence[Word]) -> bool:
    if len(answer) < MIN_ORDERED:
        return False
    pairs = list(pairwise(answer))
    meant = set(pairwise(word.root for word in expected))
    kept = sum((one.root, other.root) in meant for one, other in pairs)
    return kept < IN_ORDER * len(pairs) and any(_is_impossible(one.folded, other.folded) for one, other in pairs)


def _is_impossible(one: str, other: str) -> bool:
    """Whether English never puts the two words together."""
    return (one in _DETERMINERS and other in _NO_NOUN) or (one in _PREPOSITIONS and other in _NO_OBJECT)
