"""LocalEncoder: a model in this process, loaded at first use and shared by its threads."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import ThreadpoolController

from embeddings.passages import Model, read_with
from embeddings.readings import (
    RETRY_AFTER_SECONDS,
    ModelUnavailable,
    Reading,
    Spans,
    UnusableModel,
    Vectors,
    encode,
)
from embeddings.weights import PACKAGED_MODEL

log = logging.getLogger(__name__)

MAX_NAME = 64


class LocalEncoder(ABC):
    """Reads texts with a model in this process. `model` is `all-MiniLM-L6-v2` for the packaged weights, or else a
    folder or a hub model's name. A subclass says with what it runs.
    """

    runtime: str
    in_context = True

    def __init__(self, model: str = PACKAGED_MODEL, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._model_name = model
        self._clock = clock
        self._lock = threading.Lock()
        self._loaded: Model | None = None
        self._failure: tuple[float, str] | None = None

    @abstractmethod
    def _load(self) -> Model:
        """The model; any error says why there is none."""

    @property
    def name(self) -> str:
        """See `Encoder.name`; a model that is not the packaged one is told by its fingerprint too."""
        if self._model_name == PACKAGED_MODEL:
            return f"{PACKAGED_MODEL}/{self.runtime}"
        return f"{self._model_name[-MAX_NAME:]}@{self.fingerprint[:12]}/{self.runtime}"

    @property
    def fingerprint(self) -> str:
        """The hash of the weights; raises `ModelUnavailable`."""
        return self._ready().fingerprint

    @property
    def state(self) -> str:
        """`ok` when the model is in memory, `unavailable` after a failure, `not loaded` before the first use."""
        if self._loaded is not None:
            return "ok"
        return "unavailable" if self._failure is not None else "not loaded"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1, shape (len(texts), dimensions); raises `ModelUnavailable`."""
        return encode(self, texts)

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`. A text that is longer than the model reads is read in passages of whole sentences."""
        model = self._ready()
        try:
            readings = read_with(model, texts, spans)
        except (RuntimeError, OSError) as error:
            log.exception("encoding failed")
            raise ModelUnavailable("The embedding model failed on this text.") from error
        if not all(np.isfinite(reading.vector).all() and np.isfinite(reading.spans).all() for reading in readings):
            raise ModelUnavailable("The embedding model gave no finite numbers for this text.")
        return readings

    def load(self) -> None:
        """Load the model now; raises `ModelUnavailable` with the reason when that fails."""
        self._ready()

    def _ready(self) -> Model:
        loaded = self._loaded
        if loaded is not None:
            return loaded
        with self._lock:
            if self._loaded is None:
                self._refuse_while_failing()
                try:
                    self._loaded = self._load()
                    # Our small products are over before a second thread has begun; it would take the model's core.
                    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
                except Exception as error:
                    reason = f"The embedding model cannot be loaded: {_told(error)}"
                    self._failure = (self._clock(), reason)
                    log.error("model load failed model=%s reason=%s", self._model_name, error)
                    raise ModelUnavailable(reason) from error
            return self._loaded

    def _refuse_while_failing(self) -> None:
        if self._failure is not None and self._clock() - self._failure[0] < RETRY_AFTER_SECONDS:
            raise ModelUnavailable(self._failure[1])


def _told(error: Exception) -> str:
    """The reason as a client may know it: without the folders of this machine."""
    return str(error) if isinstance(error, UnusableModel) else f"{type(error).__name__}; the log says more"
