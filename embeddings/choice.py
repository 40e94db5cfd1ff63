"""Which encoder an installation has chosen."""

from pathlib import Path

from embeddings.bounded import BoundedEncoder
from embeddings.onnx_model import OnnxEncoder, copy_of, default_cache
from embeddings.readings import ModelEncoder
from embeddings.torch_model import TorchEncoder
from embeddings.weights import PACKAGED_MODEL

ONNX, TORCH, REMOTE = "onnx", "torch", "remote"
BACKENDS = (ONNX, TORCH, REMOTE)

WAITING = 24
"""Answers that wait for the model of one process unless another number is chosen: some tens of milliseconds each. Fewer
than gunicorn.conf.py has threads, so that those who only read need not wait with them."""

TIMEOUT_SECONDS = 10
"""The longest time for one request to a model server and its repetitions together, unless another is chosen."""

AT_ONCE = 8
"""Requests of one process to a model server at the same time: waiting for a reply takes no core."""


def encoder_for(
    backend: str = ONNX,
    *,
    model: str = PACKAGED_MODEL,
    cache: Path | None = None,
    threads: int | None = None,
    waiting: int = WAITING,
    url: str = "",
    api_key: str = "",
    seconds: float = TIMEOUT_SECONDS,
) -> ModelEncoder:
    """The encoder of that backend, for a service: bounded. Nothing is loaded yet.

    `url`, `api_key` and `seconds` are those of a model server, see `ModelServer`.
    """
    if backend == REMOTE:
        from embeddings.remote import RemoteEncoder  # with server, a twentieth of a start that has no use for them
        from embeddings.server import ModelServer

        server = ModelServer(url, model=model, api_key=api_key, seconds=seconds, connections=AT_ONCE)
        return BoundedEncoder(RemoteEncoder(server, model=model), waiting=waiting, running=AT_ONCE)
    if backend == ONNX:
        return BoundedEncoder(OnnxEncoder(model, cache=cache, threads=threads), waiting=waiting)
    return BoundedEncoder(TorchEncoder(model, threads=threads), waiting=waiting)


def is_ready(backend: str = ONNX, *, model: str = PACKAGED_MODEL, cache: Path | None = None) -> bool:
    """Whether `make_ready` has nothing to do."""
    return backend != ONNX or copy_of(model, cache or default_cache()) is not None


def make_ready(backend: str = ONNX, *, model: str = PACKAGED_MODEL, cache: Path | None = None) -> None:
    """Make what the backend needs and has not yet: raises `UnusableModel`, or what the loading of a model raises."""
    if backend == ONNX:
        from embeddings.onnx_export import ensure_copy  # brings torch, which serving never imports

        ensure_copy(model, cache=cache or default_cache())
