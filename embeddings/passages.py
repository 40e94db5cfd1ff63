"""Passages: the stretches of a text that a model reads at once, and how their vectors become the text's."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.readings import Reading, Spans, Vectors
from embeddings.tokens import Tokens
from reading.sentences import sentences_of

SPECIAL_TOKENS = 2
"""The model's own marks at the beginning and the end of a passage."""


@dataclass(frozen=True)
class Passage:
    """Tokens of one text that the model reads at once, and where each stands in the text."""

    text: int
    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]


class Model(Protocol):
    """A transformer in memory."""

    @property
    def fingerprint(self) -> str:
        """The hash of its weights."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """How many tokens it reads at once, special ones included; None for any number."""
        ...

    def tokenize(self, text: str) -> Tokens: ...

    def forward(self, passages: Sequence[Sequence[int]]) -> list[tuple[Vectors, Vectors]]:
        """The vector of each passage, and those of its tokens without the special ones."""
        ...


def read_with(model: Model, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
    """Each text's passages go through the model; its vector is their mean, weighted by their tokens."""
    passages = [
        passage
        for number, text in enumerate(texts)
        for passage in passages_of(text, model.tokenize, model.max_tokens, number=number)
    ]
    outputs = model.forward([passage.ids for passage in passages])
    parts: list[list[tuple[Passage, Vectors, Vectors]]] = [[] for _ in texts]
    for passage, (vector, tokens) in zip(passages, outputs, strict=True):
        parts[passage.text].append((passage, vector, tokens))
    return [_joined_reading(part, asked) for part, asked in zip(parts, spans, strict=True)]


def passages_of(
    text: str, tokenize: Callable[[str], Tokens], max_tokens: int | None, *, number: int = 0
) -> list[Passage]:
    """The text in passages that fit: one, or else as few as hold it without cutting a sentence that fits."""
    ids, offsets = tokenize(text)
    room = (max_tokens or len(ids) + SPECIAL_TOKENS) - SPECIAL_TOKENS
    cuts = [0, len(ids)] if len(ids) <= room else cuts_of(text, [start for start, _ in offsets], room)
    return [Passage(number, ids[start:end], offsets[start:end]) for start, end in pairwise(cuts)]


def cuts_of(text: str, starts: Sequence[int], room: int) -> list[int]:
    """Token numbers at which passages begin, and the end: at sentences, within one only where it is too long."""
    sentences = [bisect_left(starts, sentence.start) for sentence in sentences_of(text)][1:]
    cuts, fitting = [0], 0
    for end in [*sentences, len(starts)]:
        if end - cuts[-1] > room and fitting > cuts[-1]:
            cuts.append(fitting)
        while end - cuts[-1] > room:
            cuts.append(cuts[-1] + room)
        fitting = end
    return [*cuts, len(starts)]


def _joined_reading(parts: Sequence[tuple[Passage, Vectors, Vectors]], spans: Spans) -> Reading:
    vector = joined_vector([vector for _, vector, _ in parts], [len(passage.ids) for passage, _, _ in parts])
    if not spans:
        return Reading(vector=vector, spans=np.empty((0, len(vector)), dtype=np.float32))
    offsets = [offset for passage, _, _ in parts for offset in passage.offsets]
    tokens = np.concatenate([tokens for _, _, tokens in parts])
    sums = np.zeros((len(tokens) + 1, len(vector)))
    tokens.cumsum(axis=0, dtype=np.float64, out=sums[1:])
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    after = [bisect_left(starts, end) for _, end in spans]
    before = [bisect_right(ends, start) for start, _ in spans]
    return Reading(vector=vector, spans=unit_rows(sums[after] - sums[before]))


def joined_vector(vectors: Sequence[Vectors], tokens: Sequence[int]) -> Vectors:
    """The direction of a text whose passages have these vectors and numbers of tokens."""
    weights = np.array(tokens, dtype=np.float32) + np.float32(SPECIAL_TOKENS)
    joined: Vectors = unit_rows((weights @ unit_rows(np.stack(vectors)))[np.newaxis])[0]
    return joined


def unit_rows(rows: NDArray[Any]) -> Vectors:
    """The rows with length 1; those of length 0 stay."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(lengths, lengths, 1), dtype=np.float32)
