"""all-MiniLM-L6-v2: turns texts into vectors; the only importer of sentence_transformers and onnxruntime."""

from embeddings.choice import BACKENDS, REMOTE, TIMEOUT_SECONDS, WAITING, encoder_for, is_ready, make_ready
from embeddings.kept import KeptReadings, NoShelf, NotKept, PackedReading, ReadingShelf, reading_key
from embeddings.onnx_model import OnnxEncoder, default_cache
from embeddings.readings import (
    Encoder,
    ModelBusy,
    ModelEncoder,
    ModelServerDown,
    ModelUnavailable,
    Reading,
    Spans,
    UnusableModel,
    Vectors,
)
from embeddings.remembered import Remembered
from embeddings.torch_model import TorchEncoder
from embeddings.weights import PACKAGED_MODEL

__all__ = [
    "BACKENDS",
    "PACKAGED_MODEL",
    "REMOTE",
    "TIMEOUT_SECONDS",
    "WAITING",
    "Encoder",
    "KeptReadings",
    "ModelBusy",
    "ModelEncoder",
    "ModelServerDown",
    "ModelUnavailable",
    "NoShelf",
    "NotKept",
    "OnnxEncoder",
    "PackedReading",
    "Reading",
    "ReadingShelf",
    "Remembered",
    "Spans",
    "TorchEncoder",
    "UnusableModel",
    "Vectors",
    "default_cache",
    "encoder_for",
    "is_ready",
    "make_ready",
    "reading_key",
]
