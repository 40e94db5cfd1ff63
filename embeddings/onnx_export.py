"""Makes the copy of a model that ONNX Runtime reads: the same weights, checked against the original."""

import logging
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embeddings.onnx_model import (
    COPIED,
    EMBEDDED,
    GRAPH,
    MASK,
    TOKEN_VECTORS,
    TOKENIZER,
    TYPES,
    WEIGHTS,
    Manifest,
    OnnxModel,
    copy_folder,
    copy_of,
    crc32_of,
    load_copy,
)
from embeddings.passages import Model, read_with
from embeddings.readings import UnusableModel, Vectors
from embeddings.token_vectors import STORED
from embeddings.torch_model import TorchModel, load_torch
from embeddings.weights import PACKAGED_MODEL
from reading.words import content_places

if TYPE_CHECKING:
    import onnx

log = logging.getLogger(__name__)

TEXTS = Path(__file__).parent / "parity_texts.txt"
"""Real answers and expected answers, one a line, on which every copy is compared with its original."""

MAX_DIFFERENCE = 1e-5
"""Two cosines may differ by this much and no more."""

OPSET = 17
HIDDEN = "last_hidden_state"
POOLINGS = ("mean", "cls")


def ensure_copy(model: str = PACKAGED_MODEL, *, cache: Path) -> Path:
    """The folder of the model's copy, made where there is none.

    Raises `UnusableModel` where the model cannot be copied, or its copy would give other cosines.
    """
    return copy_of(model, cache) or _make_copy(model, cache)


def _make_copy(model: str, cache: Path) -> Path:
    original = load_torch(model)
    pooling = _pooling(original)
    target = copy_folder(cache, model, original.fingerprint)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=cache) as temporary:
        folder = Path(temporary)
        try:
            made, manifest = _compared_copy(model, original, pooling, folder / "joined", join=joined_attention)
        except Exception as error:
            log.warning("attention not joined model=%s error=%s", model, type(error).__name__)
            made, manifest = _compared_copy(model, original, pooling, folder / "plain")
        _move(made, target)
    log.info(
        "model copied to=%s texts=%d difference=%.1e", target, manifest.texts_compared, manifest.greatest_difference
    )
    return target


def _compared_copy(
    model: str,
    original: TorchModel,
    pooling: str,
    folder: Path,
    *,
    join: Callable[["onnx.ModelProto", Any], "onnx.ModelProto"] = lambda graph, _transformer: graph,
) -> tuple[Path, Manifest]:
    """The folder with a copy whose cosines are the original's; raises `UnusableModel` where they are not."""
    folder.mkdir()
    _export(original, folder, join)
    manifest = _manifest_of(model, original, pooling, folder)
    manifest.write(folder)
    texts = TEXTS.read_text().splitlines()
    difference = greatest_difference(original, load_copy(folder), texts)
    if not difference <= MAX_DIFFERENCE:
        raise UnusableModel(
            f"its copy for ONNX Runtime gives cosines that differ by {difference:.1e}, more than {MAX_DIFFERENCE}"
        )
    compared = replace(manifest, texts_compared=len(texts), greatest_difference=difference)
    compared.write(folder)
    return folder, compared


def _move(folder: Path, target: Path) -> None:
    """Into its place at once; where another process was first, its copy stays."""
    folder.chmod(0o755)
    try:
        folder.rename(target)
    except OSError:
        if not target.exists():
            raise


def _manifest_of(model: str, original: TorchModel, pooling: str, folder: Path) -> Manifest:
    """The manifest of a copy that is not compared yet."""
    tokenizer = original.loaded.tokenizer
    return Manifest(
        model=model,
        weights_sha256=original.fingerprint,
        max_tokens=original.max_tokens,
        begin_token=tokenizer.cls_token_id,
        end_token=tokenizer.sep_token_id,
        pooling=pooling,
        dimensions=_token_vectors(original.loaded[0].auto_model).shape[1],
        files={name: crc32_of(folder / name) for name in COPIED},
        texts_compared=0,
        greatest_difference=0.0,
    )


def _pooling(original: TorchModel) -> str:
    """How the model makes one vector of many; raises `UnusableModel` for a way that is not known here."""
    steps = [type(module).__name__ for module in original.loaded]
    pooling = getattr(original.loaded[1], "pooling_mode", "") if len(steps) > 1 else ""
    if steps not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or pooling not in POOLINGS:
        raise UnusableModel(
            f"it works in the steps {', '.join(steps)} with {pooling or 'no'} pooling, which ONNX Runtime is not"
            " prepared for: use EMBEDDING_BACKEND=torch"
        )
    return str(pooling)


def _export(original: TorchModel, folder: Path, join: Callable[["onnx.ModelProto", Any], "onnx.ModelProto"]) -> None:
    """Write graph, weights and tokenizer. The weights are a file of their own, so that processes map it into memory."""
    import onnx

    transformer = original.loaded[0].auto_model
    model = join(_traced(transformer, original.loaded.tokenizer.model_input_names, folder / GRAPH), transformer)
    onnx.save(model, folder / GRAPH, save_as_external_data=True, location=WEIGHTS, size_threshold=1024)
    _token_vectors(transformer).astype(STORED).tofile(folder / TOKEN_VECTORS)
    original.loaded.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    for name in COPIED:
        (folder / name).chmod(0o644)


def _traced(transformer: Any, names: Sequence[str], path: Path) -> "onnx.ModelProto":
    """The transformer as an ONNX graph of plain operations, some of which ONNX Runtime joins when it loads them.

    `names` are the inputs that its tokenizer makes; the vectors of tokens stand in the place of their ids.
    """
    import onnx
    import torch

    given_names = [EMBEDDED, MASK, *(name for name in names if name == TYPES)]

    class LastHiddenState(torch.nn.Module):
        """The transformer with its inputs in order and one output."""

        def __init__(self, transformer: torch.nn.Module) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            output = self.transformer(**dict(zip(given_names, given, strict=True)))
            return output.last_hidden_state  # type: ignore[no-any-return]

    transformer.set_attn_implementation("eager")  # the other implementations have no plain operations
    ids = torch.ones((2, 16), dtype=torch.int64)
    vectors = torch.zeros((2, 16, _token_vectors(transformer).shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter tells of its own future, and of branches on constants
        torch.onnx.export(
            LastHiddenState(transformer).eval(),
            (vectors, *(ids for _ in given_names[1:])),
            str(path),
            input_names=given_names,
            output_names=[HIDDEN],
            dynamic_axes={name: {0: "passages", 1: "tokens"} for name in (*given_names, HIDDEN)},
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load(path)


def joined_attention(model: "onnx.ModelProto", transformer: Any) -> "onnx.ModelProto":
    """The graph with each layer's attention as one operation of ONNX Runtime; other models than BERTs stay as they are.

    See docs/decisions/0013-an-exact-copy-for-onnx-runtime.md.
    """
    if transformer.config.model_type != "bert":
        return model
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_by_fusion

    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # the graph begins after the lookup of tokens
    options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False
    config = transformer.config
    joined = optimize_by_fusion(model, "bert", config.num_attention_heads, config.hidden_size, options)
    return joined.model  # type: ignore[no-any-return]


def _token_vectors(transformer: Any) -> Vectors:
    """The vector by which each token enters the transformer, shape (tokens, dimensions)."""
    vectors: Vectors = transformer.get_input_embeddings().weight.detach().cpu().numpy()
    return vectors


def greatest_difference(original: Model, copy: OnnxModel, texts: list[str]) -> float:
    """How far the copy's cosines are from the original's: between any two of the texts, and of each word to itself."""
    spans = [content_places(text) for text in texts]
    theirs, ours = read_with(original, texts, spans), read_with(copy, texts, spans)
    their_texts, our_texts = (np.stack([one.vector for one in some]).astype(np.float64) for some in (theirs, ours))
    their_words, our_words = (np.vstack([one.spans for one in some]).astype(np.float64) for some in (theirs, ours))
    between = our_texts @ our_texts.T - their_texts @ their_texts.T
    own = [
        ((rows - others) * rows).sum(axis=1) for rows, others in ((their_texts, our_texts), (their_words, our_words))
    ]
    return max(float(np.abs(differences).max()) for differences in (between, *own))
