"""A PEFT adapter folder: its config and its safetensors file, read with care and written whole.

The format is that of PEFT 0.21.2, https://github.com/huggingface/peft: ``adapter_config.json``
beside ``adapter_model.safetensors``. Only numbers and the few settings named here are read: no
pickle, no code, no name that could be followed to a network.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from afina.disk import Disk, replace_file, write_fault
from afina.errors import ArtefactError, InputError

CONFIG = "adapter_config.json"
NUMBERS = "adapter_model.safetensors"
PICKLE = "adapter_model.bin"
README = "README.md"
VERSION = "0.21.2"  # of PEFT, whose format this is
LARGEST_CONFIG = 2**20  # bytes; PEFT's take a thousand
LARGEST_HEADER = 2**20  # bytes of a safetensors header; PEFT's take some hundreds
LARGEST_FILE = 2**30  # bytes; a prefix of 100 for a model of seven billion weights takes 26 million
METHODS = ("PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "MULTITASK_PROMPT_TUNING")
TASKS = {  # PEFT's task types, and the kind of model that each is for where it is for one
    "CAUSAL_LM": "decoder",
    "SEQ_2_SEQ_LM": "encoder-decoder",
    "SEQ_CLS": None,
    "TOKEN_CLS": None,
    "QUESTION_ANS": None,
    "FEATURE_EXTRACTION": None,
}
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SETTINGS = (
    "num_virtual_tokens",
    "token_dim",
    "num_transformer_submodules",
    "num_attention_heads",
    "num_layers",
    "num_tasks",
    "num_ranks",
)


@dataclass(frozen=True)
class Adapter:
    """What an adapter folder says of itself; its numbers are loaded when their shape is known."""

    path: Path  # of the numbers
    method: str  # as PEFT calls it
    task: str | None  # PEFT's task type
    sizes: Mapping[str, int]  # the settings that are given
    shapes: Mapping[str, tuple[int, ...]]
    notes: Mapping[str, str]  # the numbers' own metadata

    @property
    def length(self) -> int:
        """Virtual tokens."""
        return self.sizes["num_virtual_tokens"]

    @property
    def parts(self) -> int:
        """2 where there are rows for an encoder and rows for a decoder."""
        return self.sizes.get("num_transformer_submodules", 2 if self.task == "SEQ_2_SEQ_LM" else 1)

    def numbers(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """An array in float32; nothing is loaded that is not of the shape wanted.

        Raises:
            ArtefactError: it is missing, of another shape or type, or not finite.
        """
        if self.shapes.get(name) != shape:
            raise ArtefactError(
                f"{self.path}: expected {name} of shape {shape}, as {CONFIG} and the model say, "
                f"came {self.shapes.get(name)}; use the folder and the model as they were trained"
            )
        with opened(self.path) as file:
            kind = file.get_slice(name).get_dtype()
            if kind not in TYPES:
                raise ArtefactError(
                    f"{self.path}: expected {name} as {', '.join(TYPES)}, came {kind}"
                )
            array: Tensor = file.get_tensor(name).to(torch.float32)
        return finite(self.path, name, array)


def finite(path: Path, name: str, array: Tensor) -> Tensor:
    """The array; refuses NaN and infinite numbers."""
    if not bool(array.isfinite().all()):
        raise ArtefactError(f"{path}: {name} holds NaN or infinite numbers; train the prompt anew")
    return array


def read_adapter(folder: Path) -> Adapter:
    """What an adapter folder says of itself.

    Raises:
        InputError: it is no adapter folder, or of a method that is no soft prompt.
        ArtefactError: its numbers are a pickle, or it is damaged or hostile.
    """
    config = _config(folder / CONFIG)
    path = folder / NUMBERS
    if not path.is_file():
        raise _missing(folder)
    method, task = config.get("peft_type"), config.get("task_type")
    if method not in METHODS:
        raise InputError(
            f"{folder / CONFIG}: expected a peft_type of {', '.join(METHODS)}, got "
            f"{_shown(method)}; other adapters are no soft prompts"
        )
    if task is not None and task not in TASKS:
        raise InputError(
            f"{folder / CONFIG}: expected a task_type of {', '.join(TASKS)}, got {_shown(task)}"
        )
    sizes = {
        name: _size(folder / CONFIG, name, config[name])
        for name in SETTINGS
        if config.get(name) is not None
    }
    if "num_virtual_tokens" not in sizes:
        raise ArtefactError(f"{folder / CONFIG}: it names no num_virtual_tokens; save it anew")
    shapes, notes = _header(path)
    return Adapter(path, str(method), task, sizes, shapes, notes)


def write_adapter(
    folder: Path,
    config: Mapping[str, object],
    tensors: Mapping[str, Tensor],
    *,
    notes: Mapping[str, str],
    readme: str,
    disk: Disk,
) -> None:
    """Write the numbers, then the config: the second makes the folder an adapter.

    Raises:
        InputError: the folder cannot be written.
        SpaceError: the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_fault(folder, error, 0) from error
    own = {name: each.detach().clone().contiguous().cpu() for name, each in tensors.items()}
    data = safetensors.torch.save(own, metadata={"format": "pt", **notes})
    replace_file(folder / NUMBERS, ordered(data), disk)
    replace_file(folder / README, readme.encode(), disk)
    text = json.dumps(config, indent=2, sort_keys=True)
    replace_file(folder / CONFIG, text.encode(), disk)


def ordered(data: bytes) -> bytes:
    """A safetensors file with its header in order: safetensors itself shuffles the notes."""
    behind = 8 + int.from_bytes(data[:8], "little")
    text = json.dumps(json.loads(data[8:behind]), sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[behind:]


def opened(path: Path) -> Any:  # safetensors' own class, which has no type
    """A safetensors file whose header was checked.

    Raises:
        ArtefactError: the header is too long, or it contradicts itself or the file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if not 8 < size <= LARGEST_FILE:
            raise ValueError(f"expected 8 to {LARGEST_FILE} bytes, came {size}")
        most = min(LARGEST_HEADER, size - 8)
        if header > most:
            raise ValueError(f"expected a header of {most} bytes at most, came {header}")
        return safe_open(path, framework="pt")
    except (OSError, ValueError, SafetensorError) as error:
        raise ArtefactError(f"{path}: not a safetensors file ({error}); save it anew") from error


def _header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    with opened(path) as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        return shapes, dict(file.metadata() or {})


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"no adapter in {path.parent}: expected {CONFIG} and {NUMBERS}")
    try:
        size = path.stat().st_size
        if size > LARGEST_CONFIG:
            raise ValueError(f"expected at most {LARGEST_CONFIG} bytes, came {size}")
        config = json.loads(path.read_bytes())
        if not isinstance(config, dict):
            raise ValueError(f"expected an object, came {type(config).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError(f"{path}: not a config ({error}); save it anew with PEFT") from error
    return config


def _missing(folder: Path) -> InputError | ArtefactError:
    if (folder / PICKLE).exists():
        return ArtefactError(
            f"{folder / PICKLE} is a pickle, which can run code when read; load it with PEFT where "
            f"you trust it, and save_pretrained it again, which writes {NUMBERS}"
        )
    return InputError(f"no adapter in {folder}: expected {NUMBERS} beside {CONFIG}")


def _size(path: Path, name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise ArtefactError(f"{path}: expected {name} of 1 or more, came {_shown(value)}")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
