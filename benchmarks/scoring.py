"""What scoring an answer costs, against the same weights asked twice through torch: answer and expected answer.

All run in this process in turn over the same answers; the figures are ratios of one round each. Both runtimes have as
many threads as a single worker has here, and then one, as each of two workers on two cores.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.table import Row, ratios, show
from benchmarks.texts import Given, answers, some_answers
from embeddings import KeptReadings, NoShelf, OnnxEncoder, make_ready
from embeddings.torch_model import load_torch
from embeddings.weights import PACKAGED_MODEL
from mastery import REFERENCE
from reading.sentences import sentences_of
from reading.words import content_places
from scoring import Scorer

ROUNDS = 5
ANSWERS = 48
TEXTS = 200


def measure() -> list[Row]:
    """The rows; those of as many threads as there are cores have bars."""
    make_ready()
    cores = len(os.sched_getaffinity(0))
    return [*_passes(cores, bar=5.0), *_bulk(cores), *(_passes(1) if cores > 1 else []), *_scoring(cores)]


def _passes(threads: int, *, bar: float | None = None) -> list[Row]:
    given = some_answers(ANSWERS)
    encoder = OnnxEncoder(threads=threads)
    original = load_torch(PACKAGED_MODEL).loaded

    def two_torch_passes() -> None:
        for one in given:
            original.encode(one.answer, show_progress_bar=False)
            original.encode(one.question.expected_answers[0], show_progress_bar=False)

    with torch_threads(threads):
        met = in_turn({"torch": two_torch_passes, "onnx": lambda: _read(encoder, given)})
    each = [1000 * seconds / ANSWERS for seconds in met["onnx"]]
    named = f"{threads} threads" if threads > 1 else "1 thread"
    return [
        Row.of(f"two torch passes / the one pass of an answer, {named}", ratios(met["torch"], met["onnx"]), bar=bar),
        Row.of(f"model time of an answer, {named}", each, unit="ms"),
    ]


def _read(encoder: OnnxEncoder, given: Sequence[Given]) -> None:
    """The model's part of scoring: the answer, its words and sentences."""
    for one in given:
        encoder.read([one.answer], [[*content_places(one.answer), *sentences_of(one.answer)]])


def _bulk(threads: int) -> list[Row]:
    texts = [one.answer for one in answers()][:TEXTS]
    encoder = OnnxEncoder(threads=threads)
    original = load_torch(PACKAGED_MODEL).loaded
    with torch_threads(threads):
        met = in_turn(
            {
                "torch": lambda: original.encode(texts, batch_size=32, show_progress_bar=False),
                "onnx": lambda: encoder.encode(texts),
            }
        )
    return [
        Row.of(f"{TEXTS} texts at once: torch / ONNX Runtime", ratios(met["torch"], met["onnx"]), bar=1.9),
        Row.of("texts at once, ONNX Runtime", [TEXTS / seconds for seconds in met["onnx"]], unit="1/s"),
    ]


def _scoring(threads: int) -> list[Row]:
    """What is done beside the pass: words, key terms, mentions, flags."""
    given = some_answers(ANSWERS)
    encoder = OnnxEncoder(threads=threads)
    scorer = Scorer(encoder, KeptReadings(encoder, NoShelf()), REFERENCE)
    met = in_turn({"pass": lambda: _read(encoder, given), "score": lambda: _score(scorer, given)})
    return [Row.of("an answer scored / its pass of the model", ratios(met["score"], met["pass"]))]


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


def in_turn(works: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Seconds that each work takes, round by round, after one round that does not count."""
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS + 1):
        for name, work in works.items():
            began_at = time.perf_counter()
            work()
            took[name].append(time.perf_counter() - began_at)
    return {name: seconds[1:] for name, seconds in took.items()}


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with that many threads while the block runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def main() -> None:
    """Print the table."""
    show("Scoring", measure())


if __name__ == "__main__":
    main()
