"""What scoring an answer costs, against the same weights asked twice through torch: answer and expected answer.

Each runtime works in a process of its own, and in turn over the same answers; the figures are ratios of one round each.
Both have as many threads as there are cores, as a single worker has, and then one, as each of two workers on two cores.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.table import Row, ratios, show
from benchmarks.texts import Given, answers, some_answers
from embeddings import KeptReadings, NoShelf, OnnxEncoder, default_cache, make_ready
from embeddings.onnx_export import ensure_copy
from embeddings.onnx_model import TOKENIZER
from embeddings.passages import SPECIAL_TOKENS
from embeddings.tokens import tokenizer_in
from embeddings.torch_model import load_torch
from embeddings.weights import PACKAGED_MODEL
from mastery import REFERENCE
from scoring import Scorer

ROUNDS = 5
ANSWERS = 24
TEXTS = 96
PASS, BULK, SCORE, PRODUCTS = "pass", "bulk", "score", "products"

LAYERS, DIMENSIONS, INNER = 6, 384, 1536
"""Of all-MiniLM-L6-v2; INNER is the width between the two halves of a layer's second part."""

Works = dict[str, Callable[[], object]]
"""What a runtime can be told to do, by name."""


def measure() -> list[Row]:
    """The rows; those of as many threads as there are cores have bars."""
    make_ready()
    cores = len(os.sched_getaffinity(0))
    return [*_rows(cores, bar=5.0, bulk_bar=1.9), *(_rows(1) if cores > 1 else [])]


def _rows(threads: int, *, bar: float | None = None, bulk_bar: float | None = None) -> list[Row]:
    with _runtime(_torch_works, threads) as torch, _runtime(_onnx_works, threads) as onnx:
        met = [
            (torch(PASS), onnx(PASS), torch(BULK), onnx(BULK), onnx(SCORE), onnx(PRODUCTS)) for _ in range(ROUNDS + 1)
        ][1:]
    two_passes, one_pass, torch_bulk, onnx_bulk, scored, products = zip(*met, strict=True)
    named = f"{threads} threads" if threads > 1 else "1 thread"
    return [
        Row.of(f"two torch passes / the one pass of an answer, {named}", ratios(two_passes, one_pass), bar=bar),
        Row.of(f"{TEXTS} texts at once: torch / ONNX Runtime, {named}", ratios(torch_bulk, onnx_bulk), bar=bulk_bar),
        Row.of(f"the one pass of an answer / its matrix products alone, {named}", ratios(one_pass, products)),
        Row.of(f"model time of an answer, {named}", [1000 * one / ANSWERS for one in one_pass], unit="ms"),
        Row.of(f"an answer scored / its pass of the model, {named}", ratios(scored, one_pass)),
    ]


def _torch_works(threads: int) -> Works:
    """As one would do it first: `encode` for the answer and for the expected answer."""
    import torch

    torch.set_num_threads(threads)
    original = load_torch(PACKAGED_MODEL).loaded
    given, texts = some_answers(ANSWERS), _texts()

    def two_passes() -> None:
        for one in given:
            original.encode(one.answer, show_progress_bar=False)
            original.encode(one.question.expected_answers[0], show_progress_bar=False)

    return {PASS: two_passes, BULK: lambda: original.encode(texts, batch_size=32, show_progress_bar=False)}


def _onnx_works(threads: int) -> Works:
    encoder = OnnxEncoder(threads=threads)
    encoder.load()
    scorer = Scorer(encoder, KeptReadings(encoder, NoShelf()), REFERENCE)
    products = _products(some_answers(ANSWERS), threads)
    given, texts = some_answers(ANSWERS), _texts()
    return {
        PASS: lambda: _read(encoder, given),
        BULK: lambda: encoder.encode(texts),
        SCORE: lambda: _score(scorer, given),
        PRODUCTS: products,
    }


def _products(given: Sequence[Given], threads: int) -> Callable[[], None]:
    """The products of matrices that the model needs for these answers, by numpy's OpenBLAS: no runtime does without.

    Those of attention itself, a twentieth at this length, are left out.
    """
    folder = ensure_copy(cache=default_cache())
    tokenize = tokenizer_in(folder / TOKENIZER)
    lengths = [len(tokenize(one.answer)[0]) + SPECIAL_TOKENS for one in given]
    chance = np.random.default_rng(1)
    square, wide, narrow = (
        chance.normal(size=shape).astype(np.float32)
        for shape in ((DIMENSIONS, DIMENSIONS), (DIMENSIONS, INNER), (INNER, DIMENSIONS))
    )
    tokens, inner = (chance.normal(size=(max(lengths), width)).astype(np.float32) for width in (DIMENSIONS, INNER))

    def multiply() -> None:
        with threadpool_limits(threads, user_api="blas"):
            for length in lengths:
                for _ in range(LAYERS):
                    for _ in range(4):
                        tokens[:length] @ square
                    tokens[:length] @ wide
                    inner[:length] @ narrow

    return multiply


def _texts() -> list[str]:
    return [one.answer for one in answers()][:TEXTS]


def _read(encoder: OnnxEncoder, given: Sequence[Given]) -> None:
    for one in given:
        one.read_by(encoder)


def _score(scorer: Scorer, given: Sequence[Given]) -> None:
    for one in given:
        named = one.question.concepts[: REFERENCE.concepts_per_question]
        scorer.score(
            one.answer,
            expected_answers=one.question.expected_answers,
            question=one.question.text,
            keywords=one.question.keywords,
            concepts=[one.topic.concept_by_name[name] for name in named],
        )


@contextmanager
def _runtime(works: Callable[[int], Works], threads: int) -> Iterator[Callable[[str], float]]:
    """A process that does what it is told and gives the seconds that it took."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(works, threads, theirs))
    process.start()

    def told(name: str) -> float:
        ours.send(name)
        seconds: float = ours.recv()
        return seconds

    try:
        yield told
    finally:
        ours.send(None)
        process.join()


def _serve(works: Callable[[int], Works], threads: int, orders: "Connection[float, str | None]") -> None:
    ready = works(threads)
    while (name := orders.recv()) is not None:
        began_at = time.perf_counter()
        ready[name]()
        orders.send(time.perf_counter() - began_at)


def main() -> None:
    """Print the table."""
    show("Scoring", measure())


if __name__ == "__main__":
    main()
