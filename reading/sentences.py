"""Sentences and clauses of a text, as spans of its code points."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|[\r\n]+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:e\.g|i\.e|etc|vs|cf|incl|resp|approx|no|fig|eq|dr|mr|mrs|[a-z])\.$", re.IGNORECASE
)
"""What ends with a full stop and ends no sentence."""

_CLAUSE_END = re.compile(
    r"(?<![.!?;:,…()–—])[.!?;:,…()–—]++(?=\s|$)|\s[-–—]\s|\s\(|[\r\n]+"
    r"|\b(?:but|while|whereas|although|though|because|since|however|instead|so|and|which|if|when|until|unless|without)\b",
    re.IGNORECASE,
)


class Span(NamedTuple):
    """A stretch of a text in code points, end excluded."""

    start: int
    end: int


def sentences_of(text: str) -> list[Span]:
    """The sentences of a text, without the white space around them; a blank text has none."""
    return _parts(text, ((end, end) for end in _ends(text)))


def clauses_of(text: str) -> list[Span]:
    """The clauses of a text: what stands between punctuation and the conjunctions that begin a new statement."""
    return _parts(text, (match.span() for match in _CLAUSE_END.finditer(text)))


def _parts(text: str, cuts: Iterable[tuple[int, int]]) -> list[Span]:
    """What stands between the cuts, which are given by begin and end; blank parts are left out."""
    begins, ends = [0], []
    for end, begin in cuts:
        ends.append(end)
        begins.append(begin)
    parts = (_trimmed(text, begin, end) for begin, end in zip(begins, [*ends, len(text)], strict=True))
    return [part for part in parts if part]


def _ends(text: str) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(text):
        is_line_end = "\n" in match[0] or "\r" in match[0]
        if is_line_end or not _ABBREVIATION.search(text[: match.start()][-8:]):
            yield match.end()


def _trimmed(text: str, start: int, end: int) -> Span | None:
    part = text[start:end]
    stripped = part.strip()
    if not stripped:
        return None
    start += len(part) - len(part.lstrip())
    return Span(start, start + len(stripped))
