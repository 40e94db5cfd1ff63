"""Readings: what an encoder makes of texts, and how it says that it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, dimensions), each row of length 1."""

Spans = Sequence[tuple[int, int]]
"""Stretches of a text in code points, end excluded."""

RETRY_AFTER_SECONDS = 30
"""A model that failed to load is tried again after this time, so that a repaired installation heals by itself."""


class ModelUnavailable(RuntimeError):
    """The embedding model cannot be used; the message says why. `retry_after` is in seconds."""

    retry_after = RETRY_AFTER_SECONDS


class ModelBusy(ModelUnavailable):
    """More texts wait for the model than it is allowed to keep waiting."""

    retry_after = 1


class ModelServerDown(ModelUnavailable):
    """The model server cannot be used at this moment; the message says why, without its address."""

    retry_after = 5


class UnusableModel(ValueError):
    """What is installed is not the model that was chosen; the message may be told to clients."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the model made of one text: its vector, and the vector of each span that was asked for.

    `vector` has shape (dimensions,), `spans` (number of spans, dimensions); each row has length 1, or is 0 where a span
    holds nothing that the model knows.
    """

    vector: Vectors
    spans: Vectors


class Encoder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """Model, runtime and precision, e.g. `all-MiniLM-L6-v2/onnx-fp32`: the scorer of an attempt."""
        ...

    @property
    def fingerprint(self) -> str:
        """Tells vectors of one model from those of another; raises `ModelUnavailable`."""
        ...

    @property
    def in_context(self) -> bool:
        """Whether the vector of a span depends on the text around it; else it is that of the span alone."""
        ...

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """One reading a text, its spans with it; raises `ModelUnavailable`."""
        ...


class ModelEncoder(Encoder, Protocol):
    """An encoder whose model has to be loaded."""

    @property
    def state(self) -> str:
        """`ok` when the model can be used, `unavailable` after a failure, `not loaded` before the first use."""
        ...

    def load(self) -> None:
        """Load the model now; raises `ModelUnavailable` with the reason when that fails."""
        ...


def encode(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """The vectors of the texts alone, shape (len(texts), dimensions); raises `ModelUnavailable`."""
    return np.stack([reading.vector for reading in encoder.read(texts, [()] * len(texts))])
