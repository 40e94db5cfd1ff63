"""Readings of texts that come again and again: made once, then kept."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from embeddings.readings import Encoder, Reading, Spans
from embeddings.remembered import Remembered

PackedReading = tuple[bytes, bytes]
"""A reading as it is kept: the vector in single precision, those of its spans in half."""


class ReadingShelf(Protocol):
    """Where readings are kept between processes: by the model's fingerprint and a hash of text and spans."""

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, PackedReading]: ...

    def keep(self, fingerprint: str, readings: dict[str, PackedReading]) -> None: ...


class NotKept(LookupError):
    """A reading is not kept yet; the model would have to make it."""


class NoShelf:
    """Keeps nothing beyond the process."""

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, PackedReading]:
        return {}

    def keep(self, fingerprint: str, readings: dict[str, PackedReading]) -> None:
        pass


class KeptReadings:
    """Readings of texts that come again and again (expected answers, concepts): made once, then kept.

    First in this process, bounded to `size` texts, then on the shelf that all processes share. The bound is low: who
    uses a reading often remembers what it made of it. The vectors of spans
    are rounded to half precision, which changes a cosine by less than 0.001, before their first use: a reading is
    the same whether it was kept or not.
    """

    def __init__(self, encoder: Encoder, shelf: ReadingShelf, *, size: int = 10) -> None:
        self._encoder = encoder
        self._shelf = shelf
        self._near: Remembered[str, PackedReading] = Remembered(size)

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`; raises `ModelUnavailable`."""
        return self._read(texts, spans, may_make=True)

    def read_kept(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """The same without the model; raises `NotKept`, and `ModelUnavailable` where its fingerprint is not known."""
        return self._read(texts, spans, may_make=False)

    def _read(self, texts: Sequence[str], spans: Sequence[Spans], *, may_make: bool) -> list[Reading]:
        keys = [reading_key(text, asked) for text, asked in zip(texts, spans, strict=True)]
        near = self._near.find(keys)
        wanted = zip(keys, texts, spans, strict=True)
        if far := {key: (text, asked) for key, text, asked in wanted if key not in near}:
            near |= self._fetch(far, may_make=may_make)
        return [_unpacked(near[key], len(asked)) for key, asked in zip(keys, spans, strict=True)]

    def _fetch(self, texts: dict[str, tuple[str, Spans]], *, may_make: bool) -> dict[str, PackedReading]:
        fingerprint = self._encoder.fingerprint
        found = self._shelf.find(fingerprint, list(texts))
        if missing := {key: text for key, text in texts.items() if key not in found}:
            if not may_make:
                raise NotKept(f"{len(missing)} texts have no readings yet.")
            fresh = self._make(missing)
            self._shelf.keep(fingerprint, fresh)
            found |= fresh
        self._near.keep(found)
        return found

    def _make(self, missing: dict[str, tuple[str, Spans]]) -> dict[str, PackedReading]:
        texts, spans = zip(*missing.values(), strict=True)
        readings = self._encoder.read(texts, spans)
        return {key: _packed(reading) for key, reading in zip(missing, readings, strict=True)}


def _packed(reading: Reading) -> PackedReading:
    return reading.vector.astype("<f4").tobytes(), reading.spans.astype("<f2").tobytes()


def _unpacked(packed: PackedReading, spans: int) -> Reading:
    vector = np.frombuffer(packed[0], dtype="<f4")
    rows = np.frombuffer(packed[1], dtype="<f2").astype(np.float32)
    return Reading(vector=vector, spans=rows.reshape(spans, len(vector)))


def reading_key(text: str, spans: Spans) -> str:
    """The key under which a text's reading is kept."""
    places = ",".join(f"{start}-{end}" for start, end in spans)
    return hashlib.sha256(f"{places}\n{text}".encode()).hexdigest()
