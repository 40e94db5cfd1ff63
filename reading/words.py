"""The words of a text: where they stand, how they are folded, and the root by which they are compared."""

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import snowballstemmer

WORD = re.compile(r"([^\W_](?:[^\W_]|[\u0300-\u036f])*(?:\+\+|#)?)(?:['’][sS]\b)?")
"""Letters, their accents and digits, with the tail of names such as C++ and C#; a possessive ending is left aside."""

STOP_WORDS = frozenset(
    "a an the of to in on for and or is are was were be been being it its this that these those as at by from with"
    " can will would may might could should must which who whom what when where why how than then so such do does did"
    " has have had having you your we our they their them he she his her i me my not no nor but if while because"
    " about into over under between through during before after above below up down out off again each every any all"
    " both more most other some only own same too very just also there here"
    " per via until till since unless within without"
    " cannot don doesn didn isn aren wasn weren won wouldn couldn shouldn hasn haven hadn mustn needn"
    " mightn ain t s d ll m re ve".split()
)
"""Words that carry the sentence, not its subject, with the halves of "don't" and "they're". A larger list gained
nothing against human grades; the words of negation are read elsewhere (`reading/polarity.py`)."""

NUMBERS = {
    word: str(number) for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
}
"""Numbers that people write as words as often as in digits."""

LONGEST_WORD = 50
"""Longer runs of letters are not English; they would only fill the memory of stems."""

MIN_JOINED_LETTERS = 5
"""Spaces and hyphens are ignored only in names at least this long: `deadlock` is `dead lock`, `as is` is not `asis`."""


class Word(NamedTuple):
    """A word of a text: as it is written, folded, its root, and where it stands (code points, end excluded)."""

    text: str
    folded: str
    root: str
    is_content: bool
    """Whether the word carries meaning of its own: no stop word, and no single letter but a sign such as `C#`."""
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        """Whether it is a number, in digits or as a word."""
        return self.root.isdigit()


def words_in(text: str) -> list[Word]:
    """The words of a text, in its order: folded to lower case and compatible letters, without punctuation."""
    return list(_words_in(text))


@lru_cache(maxsize=32)
def _words_in(text: str) -> tuple[Word, ...]:
    """A text is read several times in a row."""
    return tuple(Word(*_forms(match[1]), match.start(1), match.end(1)) for match in WORD.finditer(text))


Forms = tuple[str, str, str, bool]


def _forms(written: str) -> Forms:
    """A word as it is written, folded, its root, and whether it carries meaning."""
    return _forms_of_word(written) if len(written) <= LONGEST_WORD else _made_forms(written)


@lru_cache(maxsize=50_000)
def _forms_of_word(written: str) -> Forms:
    """Texts share their words, which so stand in memory once."""
    return _made_forms(written)


def _made_forms(written: str) -> Forms:
    folded = _folded(written)
    if folded == written:
        folded = written  # one string, not two
    root = root_of(folded)
    says_something = len(folded) > 1 or not folded.isascii() or root.isdigit()
    return written, folded, root, folded not in STOP_WORDS and says_something


def words_of(text: str) -> list[str]:
    """The folded words of a text."""
    return [_forms(match[1])[1] for match in WORD.finditer(text)]


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", word).casefold()


def roots_of(text: str) -> frozenset[str]:
    """The roots of all words of a text."""
    return frozenset(word.root for word in words_in(text))


def content_of(words: Iterable[Word]) -> list[Word]:
    """The words that carry meaning; a text that has none speaks by all of its words."""
    words = list(words)
    return [word for word in words if word.is_content] or words


def content_places(text: str) -> list[tuple[int, int]]:
    """Where the words stand by which a text speaks: begin and end in code points."""
    return [(word.start, word.end) for word in content_of(words_in(text))]


def initials_of(words: Iterable[Word]) -> str:
    """The first letters of words."""
    return "".join(word.folded[0] for word in words)


def root_of(folded: str) -> str:
    """What a folded word is compared by: a number word's digits, else its stem."""
    return NUMBERS.get(folded) or stem(folded)


_local = threading.local()
"""The stemmer keeps state while it works: each thread has its own."""


def stem(word: str) -> str:
    """The Snowball stem of an English word; what is too long for a word is its own stem."""
    if len(word) > LONGEST_WORD:
        return word
    if not hasattr(_local, "stemmer"):
        _local.stemmer = snowballstemmer.stemmer("english")
    stemmed: str = _local.stemmer.stemWord(word)
    return stemmed
