"""BoundedEncoder: answers take turns at the model, and only so many wait."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from embeddings.readings import ModelBusy, ModelEncoder, Reading, Spans

TEXTS_A_TURN = 32
"""Who brings many texts lets others have their turn in between."""


class BoundedEncoder:
    """An encoder that `running` readers use at once while up to `waiting` more wait; the next gets `ModelBusy`."""

    def __init__(self, encoder: ModelEncoder, *, waiting: int, running: int = 1) -> None:
        self._encoder = encoder
        self._running = running
        self._places = running + waiting
        self._taken = 0
        self._counting = threading.Lock()
        self._turns = threading.BoundedSemaphore(running)

    @property
    def waiting(self) -> int:
        """How many wait at this moment."""
        return max(0, self._taken - self._running)

    @property
    def name(self) -> str:
        """See `Encoder.name`."""
        return self._encoder.name

    @property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return self._encoder.fingerprint

    @property
    def in_context(self) -> bool:
        """See `Encoder.in_context`."""
        return self._encoder.in_context

    @property
    def state(self) -> str:
        """See `ModelEncoder.state`."""
        return self._encoder.state

    def load(self) -> None:
        """See `ModelEncoder.load`."""
        self._encoder.load()

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`; raises `ModelBusy` when too many wait already."""
        with self._place():
            return [
                reading
                for first in range(0, len(texts), TEXTS_A_TURN)
                for reading in self._read(texts[first : first + TEXTS_A_TURN], spans[first : first + TEXTS_A_TURN])
            ]

    @contextmanager
    def _place(self) -> Iterator[None]:
        with self._counting:
            if self._taken >= self._places:
                raise ModelBusy("Many answers wait for the embedding model at this moment. Please try again.")
            self._taken += 1
        try:
            yield
        finally:
            with self._counting:
                self._taken -= 1

    def _read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        with self._turns:
            return self._encoder.read(texts, spans)
