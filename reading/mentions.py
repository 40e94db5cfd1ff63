"""Mentions: whether an answer brings a concept in, by name or by saying what it is."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np

from reading.key_terms import INITIALS, MIN_TYPO_LETTERS, ReadText, Vectors, is_typo
from reading.nearness import IN_CONTEXT, Nearness
from reading.words import MIN_JOINED_LETTERS, Word, initials_of, words_in

V = TypeVar("V")

ENOUGH_CONTEXT = 8
"""Content words from which an answer shows in which sense it uses a word; "Deadlock." alone is simply named."""

LONGEST_AS_ONE = 4
"""Words of an answer that may together be a name written otherwise."""

_BEING = frozenset("is are was were be been being isn aren wasn weren ain it that this".split())
_THIS = frozenset("it that this these those they".split())
_NEW_STATEMENT = re.compile(r"[.,;:!?\r\n]")
_AUXILIARIES = frozenset("do does did can could will would may might must should".split())
_CONTRACTED = frozenset("don doesn didn can couldn won wouldn mayn mightn mustn shouldn".split())
_OPINIONS = frozenset("think believe call called say said consider considered count counts qualify qualifies".split())
_BETWEEN = (
    _BEING
    | _OPINIONS
    | frozenset(
        "a an the any really truly fully quite very actually even yet always strictly longer at all as to you i".split()
    )
)
"""What may stand between a negator and the concept that it denies."""

_REACH = 5
"""Words before a concept among which its denial is looked for."""


class Mentions:
    """Finds concepts in one answer."""

    def __init__(self, answer: ReadText, nearness: Nearness = IN_CONTEXT) -> None:
        self._answer = answer
        self._nearness = nearness

    def mention(self, names: Sequence[str], descriptions: Sequence[Vectors] = ()) -> bool:
        """Whether the answer says one of the names, or what the concept is.

        `descriptions` are the vectors of the content words of each sentence that says what the concept is. A name
        counts in any inflection, spelling or spacing, mistyped, or as initials; not where it is denied ("not atomic"),
        and not where nothing else in the answer fits the descriptions, because the word then has another sense. That
        something is absent or prevented ("deadlock-free", "without locks") is a statement about it, and counts.
        """
        found = [(name, start) for name in names for start in self._places(name)]
        said = [name for name, start in found if not self._is_denied(start)]
        if found and not said:
            return False
        if not descriptions:
            return bool(said)
        nearness = self.nearness(descriptions)
        if said and not (nearness < self._nearness.other_sense and self._may_mean_else(said)):
            return True
        return nearness >= self._nearness.paraphrased

    def _may_mean_else(self, said: Sequence[str]) -> bool:
        """Whether only single words were said, in an answer long enough to tell their sense."""
        return len(self._answer.content) >= ENOUGH_CONTEXT and all(len(_name(name)) == 1 for name in said)

    def nearness(self, descriptions: Sequence[Vectors]) -> float:
        """How near the answer comes to the descriptions of a concept, -1 to 1.

        The mean over their content words of the best cosine with a word of the answer.
        """
        if not len(self._answer.vectors):
            return 0.0
        lengths = [len(vectors) for vectors in descriptions]
        nearest = (np.concatenate(descriptions).astype(np.float32, copy=False) @ self._answer.vectors.T).max(axis=1)
        starts = np.cumsum([0, *lengths[:-1]])
        return float((np.add.reduceat(nearest, starts) / lengths).mean())

    def _places(self, name: str) -> set[int]:
        """Where the answer says the name: the places of the first words."""
        sought = _name(name)
        if not sought:
            return set()
        said, length = self._answer.words, len(sought)
        starts = self._starting_like(sought[0])
        places = {start for start in starts if _are_same(said[start : start + length], sought)}
        if sum(len(word.folded) for word in sought) >= MIN_JOINED_LETTERS:
            for written in _as_one(sought):
                places.update(self.written_as_one(written))
        if length in INITIALS:
            initials = initials_of(sought)
            places.update(start for start, word in enumerate(said) if word.folded == initials)
        return places

    def _starting_like(self, word: Word) -> list[int]:
        """The places of the words that are this one, mistyped or not."""
        alike = self._by_first_letter.get(word.folded[0], ())
        return [*self._by_root.get(word.root, ()), *(at for at, other in alike if is_typo(other, word.folded))]

    @cached_property
    def _by_root(self) -> dict[str, list[int]]:
        """The places of the words of each root."""
        return _grouped((word.root, at) for at, word in enumerate(self._answer.words))

    @cached_property
    def _by_first_letter(self) -> dict[str, list[tuple[int, str]]]:
        """The places of the words that can be mistyped ones, with the words, by first letters."""
        words = enumerate(self._answer.words)
        return _grouped(
            (word.folded[0], (at, word.folded)) for at, word in words if len(word.folded) >= MIN_TYPO_LETTERS
        )

    def written_as_one(self, written: str) -> Iterator[int]:
        """The places from which a few words, without what stands between them, are written so."""
        words = self._answer.words
        for start in self._beginning_with.get(written[0], ()):
            if _is_joined(words[start : start + LONGEST_AS_ONE], written):
                yield start

    @cached_property
    def _beginning_with(self) -> dict[str, list[int]]:
        """The places of the words of each first letter, those of their roots among them: `3` for three."""
        words = enumerate(self._answer.words)
        return _grouped((letter, at) for at, word in words for letter in {word.folded[:1], word.root[:1]})

    def _is_denied(self, place: int) -> bool:
        """Whether what stands at this place is said not to be so."""
        words = self._answer.words
        between: list[str] = []
        for at in range(place - 1, max(place - 1 - _REACH, -1), -1):
            if _NEW_STATEMENT.search(self._answer.text, words[at].end, words[at + 1].start):
                return False  # what stands before speaks of something else
            if words[at].folded not in _BETWEEN:
                before = [word.folded for word in words[max(at - 2, 0) : at]]
                return _denies(words[at].folded, ["", "", *before][-2:], between)
            between.append(words[at].folded)
        return False


def _denies(word: str, before: Sequence[str], between: Sequence[str]) -> bool:
    """Whether a word, after two others, denies what follows, with these between them, last first."""
    if word in ("neither", "nor", "non"):
        return not between
    if word == "no":  # "that's no deadlock", but not "there is no deadlock"
        return before[-1] in _THIS or before[0] in _THIS or "longer" in between
    if word in ("isnt", "arent", "wasnt", "werent"):
        return True
    if word not in ("not", "t", "never"):
        return False
    if before[-1] in ("may", "might"):
        return False
    acts = before[-1] in _AUXILIARIES | _CONTRACTED  # "cannot deadlock" says that something is absent
    return not acts or not {"be", "being", *_OPINIONS}.isdisjoint(between)


def _grouped(pairs: Iterable[tuple[str, V]]) -> dict[str, list[V]]:
    """The second of each pair by the first, in order."""
    groups: dict[str, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


@lru_cache(maxsize=10_000)
def _name(name: str) -> tuple[Word, ...]:
    return tuple(words_in(name))


def _is_joined(words: Sequence[Word], written: str) -> bool:
    """Whether the first of the words, one or more, are written so in one of the ways of `_as_one`."""
    folded = roots = ""
    for word in words:
        if written in (roots + word.root, folded + word.folded, folded + word.root):
            return True
        folded += word.folded
        roots += word.root
        if not written.startswith((folded, roots)):
            return False
    return False


def _as_one(words: Sequence[Word]) -> frozenset[str]:
    """The words without what stands between them, in all ways in which an inflected ending can be left out."""
    stem = "".join(word.folded for word in words[:-1])
    return frozenset({"".join(word.root for word in words), stem + words[-1].folded, stem + words[-1].root})


def _are_same(said: Sequence[Word], meant: Sequence[Word]) -> bool:
    return len(said) == len(meant) and all(map(_is_same, said, meant))


def _is_same(said: Word, meant: Word) -> bool:
    return said.root == meant.root or is_typo(said.folded, meant.folded)
