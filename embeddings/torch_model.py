"""The model through sentence_transformers: plain, slower, for any model that it can load."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from embeddings.local import LocalEncoder
from embeddings.passages import Model
from embeddings.readings import Vectors
from embeddings.tokens import Tokens
from embeddings.weights import PACKAGED_MODEL, WEIGHTS, check_weights, folder_of, sha256_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BATCH = 32
"""Passages that go through the model together."""


class TorchModel:
    """A `SentenceTransformer` as a `Model`."""

    def __init__(self, loaded: "SentenceTransformer", fingerprint: str) -> None:
        self.loaded = loaded
        self.fingerprint = fingerprint
        self.max_tokens: int | None = loaded.get_max_seq_length()

    def tokenize(self, text: str) -> Tokens:
        """See `tokens.Tokens`."""
        encoded = self.loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return encoded["input_ids"], encoded["offset_mapping"]

    def forward(self, passages: Sequence[Sequence[int]]) -> list[tuple[Vectors, Vectors]]:
        """See `passages.Model`; passages of like lengths go together."""
        import torch

        tokenizer = self.loaded.tokenizer
        order = sorted(range(len(passages)), key=lambda number: -len(passages[number]))
        outputs: dict[int, tuple[Vectors, Vectors]] = {}
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            ids = [[tokenizer.cls_token_id, *passages[number], tokenizer.sep_token_id] for number in batch]
            features = tokenizer.pad({"input_ids": ids}, return_tensors="pt", return_attention_mask=True, verbose=False)
            with torch.inference_mode():
                output = self.loaded(dict(features))
            for row, number in enumerate(batch):
                tokens = output["token_embeddings"][row, 1 : len(passages[number]) + 1]
                outputs[number] = (output["sentence_embedding"][row].numpy(), tokens.numpy())
        return [outputs[number] for number in range(len(passages))]


class TorchEncoder(LocalEncoder):
    """Reads texts through sentence_transformers; torch computes with `threads` threads, in the whole process."""

    runtime = "torch-fp32"

    def __init__(
        self,
        model: str = PACKAGED_MODEL,
        *,
        threads: int | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(model, clock=clock)
        self._threads = threads

    def _load(self) -> Model:
        if self._threads is not None:
            import torch

            torch.set_num_threads(self._threads)
        return load_torch(self._model_name)


def load_torch(model: str) -> TorchModel:
    """The model of that name or folder; raises `UnusableModel`, or what sentence_transformers raises."""
    folder = folder_of(model)
    check_weights(model, folder)
    local = folder.is_dir()
    if local:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from sentence_transformers import (
        SentenceTransformer,
    )  # seconds of import: only where a text is to be encoded

    loaded = SentenceTransformer(str(folder) if local else model, device="cpu", local_files_only=local)
    return TorchModel(loaded, _fingerprint(folder / WEIGHTS, loaded))


def _fingerprint(weights: Path, model: "SentenceTransformer") -> str:
    """Hash of the file of weights; without one, of the weights as they were loaded."""
    if weights.exists():
        return sha256_of(weights)
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
