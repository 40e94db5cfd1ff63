"""Sentences and clauses of a text, as spans of its code points."""

import re
from collections.abc import Iterator
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
    spans: list[Span] = []
    start = 0
    for stop in _ends(text):
        if span := _trimmed(text, start, stop):
            spans.append(span)
        start = stop
    return spans


def clauses_of(text: str) -> list[Span]:
    """The clauses of a text: what stands between punctuation and the conjunctions that begin a new statement."""
    spans: list[Span] = []
    start = 0
    for match in _CLAUSE_END.finditer(text):
        if span := _trimmed(text, start, match.start()):
            spans.append(span)
        start = match.end()
    if span := _trimmed(text, start, len(text)):
        spans.append(span)
    return spans


def _ends(text: str) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(text):
        is_line_end = "\n" in match[0] or "\r" in match[0]
        if is_line_end or not _ABBREVIATION.search(text[: match.start()][-8:]):
            yield match.end()
    yield len(text)


def _trimmed(text: str, start: int, end: int) -> Span | None:
    part = text[start:end]
    stripped = part.strip()
    if not stripped:
        return None
    start += len(part) - len(part.lstrip())
    return Span(start, start + len(stripped))
