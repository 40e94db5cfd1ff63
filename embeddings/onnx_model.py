"""The model through ONNX Runtime, from the copy that `onnx_export` has made; never imports torch."""

import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from embeddings.local import LocalEncoder
from embeddings.passages import SPECIAL_TOKENS, Model
from embeddings.readings import UnusableModel, Vectors
from embeddings.token_vectors import TokenVectors
from embeddings.tokens import Tokens, tokenizer_in
from embeddings.weights import PACKAGED_MODEL, known_fingerprint

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FORMAT = 4
"""Counts the ways in which copies are made: a copy of another format is not looked at."""

GRAPH, WEIGHTS, TOKENIZER, MANIFEST = "model.onnx", "weights.bin", "tokenizer.json", "manifest.json"
TOKEN_VECTORS = "token_vectors.bin"  # noqa: S105 - a file
"""Half of the weights: see `TokenVectors`."""

COPIED = (GRAPH, WEIGHTS, TOKEN_VECTORS, TOKENIZER)

EMBEDDED, MASK, TYPES = "inputs_embeds", "attention_mask", "token_type_ids"
"""What the graph is given: the vectors of tokens in the place of their ids."""

BATCH_TOKENS = 1024
"""Tokens that go through the model together, padding included: more is no faster on a CPU, and takes more memory."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a copy is: of which weights, how it is used, the CRC-32 of its files, and how far from the original."""

    model: str
    weights_sha256: str
    max_tokens: int | None
    begin_token: int
    end_token: int
    pooling: str
    dimensions: int
    files: dict[str, int]
    texts_compared: int
    greatest_difference: float

    def write(self, folder: Path) -> None:
        """Write it into the folder of the copy."""
        (folder / MANIFEST).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of the copy in that folder; raises `OSError`, `ValueError` and `TypeError`."""
        return cls(**json.loads((folder / MANIFEST).read_text()))


def default_cache() -> Path:
    """Where copies lie unless a folder is chosen: beside what other programs keep for this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradus"


def copy_of(model: str, cache: Path) -> Path | None:
    """The folder of the model's copy; None where there is none yet."""
    fingerprint = known_fingerprint(model)
    if fingerprint is not None:
        folder = copy_folder(cache, model, fingerprint)
        return folder if (folder / MANIFEST).exists() else None
    made = sorted(cache.glob(f"{_slug(model)}-*-v{FORMAT}/{MANIFEST}"), key=lambda path: path.stat().st_mtime)
    return made[-1].parent if made else None


def copy_folder(cache: Path, model: str, fingerprint: str) -> Path:
    """Where the copy of these weights belongs."""
    return cache / f"{_slug(model)}-{fingerprint[:16]}-v{FORMAT}"


def _slug(model: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in model)[-80:]


class OnnxModel:
    """A copy in memory as a `Model`."""

    def __init__(
        self,
        session: "InferenceSession",
        tokenize: Callable[[str], Tokens],
        token_vectors: TokenVectors,
        manifest: Manifest,
    ) -> None:
        self.fingerprint = manifest.weights_sha256
        self.max_tokens = manifest.max_tokens
        self._session = session
        self._tokenize = tokenize
        self._token_vectors = token_vectors
        self._manifest = manifest
        self._inputs = frozenset(given.name for given in session.get_inputs())

    def tokenize(self, text: str) -> Tokens:
        """See `tokens.Tokens`."""
        return self._tokenize(text)

    def forward(self, passages: Sequence[Sequence[int]]) -> list[tuple[Vectors, Vectors]]:
        """See `passages.Model`; passages of like lengths go together."""
        outputs: list[tuple[Vectors, Vectors]] = [None] * len(passages)  # type: ignore[list-item]
        for batch in batches([len(ids) + SPECIAL_TOKENS for ids in passages]):
            hidden = self._hidden([passages[number] for number in batch])
            for row, number in enumerate(batch):
                tokens = hidden[row, : len(passages[number]) + SPECIAL_TOKENS]
                vector = tokens.mean(axis=0) if self._manifest.pooling == "mean" else tokens[0]
                outputs[number] = (vector, tokens[1:-1])
        return outputs

    def _hidden(self, passages: Sequence[Sequence[int]]) -> Vectors:
        """The last hidden state, shape (passages, tokens of the longest, dimensions)."""
        begin, end = self._manifest.begin_token, self._manifest.end_token
        longest = max(map(len, passages)) + SPECIAL_TOKENS
        ids = np.zeros((len(passages), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, passage in enumerate(passages):
            ids[row, : len(passage) + SPECIAL_TOKENS] = [begin, *passage, end]
            mask[row, : len(passage) + SPECIAL_TOKENS] = 1
        given = {EMBEDDED: self._token_vectors.of(ids), MASK: mask, TYPES: np.zeros_like(ids)}
        hidden: Vectors
        [hidden] = self._session.run(None, {name: values for name, values in given.items() if name in self._inputs})
        return hidden


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """The numbers of passages that go through the model together, the longest first, within `BATCH_TOKENS`."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    made: list[list[int]] = []
    for number in order:
        if made and (len(made[-1]) + 1) * lengths[made[-1][0]] <= BATCH_TOKENS:
            made[-1].append(number)
        else:
            made.append([number])
    return made


class OnnxEncoder(LocalEncoder):
    """Reads texts through ONNX Runtime with `threads` threads; `cache` is the folder of the copies."""

    runtime = "onnx-fp32"

    def __init__(
        self,
        model: str = PACKAGED_MODEL,
        *,
        cache: Path | None = None,
        threads: int | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(model, clock=clock)
        self._cache = cache or default_cache()
        self._threads = threads

    def _load(self) -> Model:
        folder = copy_of(self._model_name, self._cache)
        if folder is None:
            raise UnusableModel("its copy for ONNX Runtime is not there: run `make setup` (or `flask prepare`) once")
        return load_copy(folder, threads=self._threads)


def load_copy(folder: Path, *, threads: int | None = None) -> OnnxModel:
    """The copy in that folder; raises `UnusableModel` where a file of it is damaged."""
    manifest = Manifest.read(folder)
    for name in COPIED:
        if crc32_of(folder / name) != manifest.files[name]:
            raise UnusableModel(f"the {name} of its copy for ONNX Runtime is damaged: remove the copy and prepare anew")
    import onnxruntime  # a fifth of a second: only where a text is to be encoded

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its threads wait for each other within an answer without falling asleep, and sleep between answers: there they
    # would take the cores from the requests around them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(str(folder / GRAPH), options, providers=["CPUExecutionProvider"])
    vectors = TokenVectors(folder / TOKEN_VECTORS, manifest.dimensions)
    return OnnxModel(session, tokenizer_in(folder / TOKENIZER), vectors, manifest)


def crc32_of(path: Path) -> int:
    """CRC-32 of a file: notices damage, and takes a tenth of the time of a secure hash."""
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value
