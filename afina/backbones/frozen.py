"""A pretrained transformer whose weights stay as they are, with its tokenizer."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
)
from transformers.utils import logging

from afina.backbones.attention import NAME
from afina.backbones.builtin.folder import builtin_folder
from afina.backbones.quantised import let_gradients_through, parted, recipe
from afina.errors import ModelError

UNLIMITED = 1_000_000  # tokenizers without a limit report 1e30

Tokens = Sequence[int]


@dataclass(frozen=True)
class Frozen:
    """A model with its tokenizer; no parameter asks for a gradient.

    ``lead`` and ``trail`` are the special tokens the tokenizer puts around a text.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    kind: str  # encoder | decoder | encoder-decoder
    writes: bool  # has a language-model head
    lead: tuple[int, ...]
    trail: tuple[int, ...]
    precision: torch.dtype = torch.float32

    @cached_property
    def digest(self) -> str:
        """sha256 over the names, shapes and bytes of all weights."""
        return digest_of(self.model)

    @property
    def width(self) -> int:
        """Size of an input vector, H."""
        return int(self.model.get_input_embeddings().weight.shape[1])

    @property
    def hidden(self) -> int:
        """Size of a layer's state; ALBERT's and ELECTRA's input vectors are narrower."""
        return int(self.model.config.hidden_size)

    @property
    def pad(self) -> int:
        """The id that fills empty places; masked, so any valid id serves."""
        return int(self.tokenizer.pad_token_id or 0)

    @cached_property
    def positions(self) -> int:
        """How many places an input may have, prompt and special tokens included."""
        places = getattr(self.model.config, "max_position_embeddings", None) or UNLIMITED
        for table in self._position_tables():
            places = table.num_embeddings - self.first_position
        return int(min(places, self.tokenizer.model_max_length, UNLIMITED))

    @cached_property
    def first_position(self) -> int:
        """The position of an input's first place: behind the padding's own row, if that has one."""
        paddings = [table.padding_idx for table in self._position_tables()]
        return max((each + 1 for each in paddings if each is not None), default=0)

    @cached_property
    def tells_pairs(self) -> bool:
        """Whether the model was trained to tell a pair's first text from its second."""
        kinds = getattr(self.model.config, "type_vocab_size", 0)
        return kinds > 1 and self.tokenizer.sep_token_id is not None

    def encode(self, text: str) -> list[int]:
        """Ids without special tokens; what looks like one in the text is read as plain text."""
        ids: list[int] = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, verbose=False
        )["input_ids"]
        if self._specials.isdisjoint(ids):
            return ids
        return [each for token in ids for each in self._as_text(token)]

    @cached_property
    def _specials(self) -> frozenset[int]:
        return frozenset(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}

    def _as_text(self, token: int) -> list[int]:
        """A special token that a text spelt, in two plain halves; any other as it is.

        Unigram and word-level vocabularies hold special tokens among their words.
        """
        if token not in self._specials:
            return [token]
        mark = str(self.tokenizer.convert_ids_to_tokens(token))
        return [token] if len(mark) < 2 else [*self.encode(mark[:1]), *self.encode(mark[1:])]

    def decode(self, ids: Tokens) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def embed(self, ids: Tokens | Tensor) -> Tensor:
        """Input vectors of words: ``[..., H]``."""
        table = self.model.get_input_embeddings()
        vectors: Tensor = table(torch.as_tensor(ids, dtype=torch.long, device=self.model.device))
        return vectors

    def _position_tables(self) -> list[torch.nn.Embedding]:
        return [
            module
            for name, module in self.model.named_modules()
            if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
        ]

    @contextmanager
    def recomputing(self) -> Iterator[None]:
        """Gradient checkpointing: layers are computed again on the way back, for less memory.

        Raises:
            ModelError: the model's layers cannot be computed again.
        """
        if not self.model.supports_gradient_checkpointing:
            raise ModelError(
                f"{self.name} cannot recompute its layers; train it without gradient checkpointing"
            )
        self.model.activation_checkpointing_enable({"use_reentrant": False})
        self.model.train()
        try:
            yield
        finally:
            self.model.eval()
            self.model.activation_checkpointing_disable()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Mixed precision where it was asked for."""
        device = self.model.device.type
        with torch.autocast(device, self.precision, enabled=self.precision != torch.float32):
            yield


def digest_of(model: torch.nn.Module) -> str:
    """sha256 over the names, shapes and bytes of all weights of a model."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_frozen(name: str, *, precision: str = "auto", device: str = "cpu") -> Frozen:
    """Load a built-in model, a folder, or a Hub name (``hf:`` may stand in front).

    Only safetensors are read and no remote code runs. Where ``:8bit`` or ``:4bit`` stands behind
    the name, its weights are quantised.

    Raises:
        ModelError: nothing is there, or it is no transformer this package can freeze.
        ArtefactError: the built-in model's file is not the one we know.
    """
    plain, way = parted(name)
    source = _source_of(plain)
    weights: dict[str, Any] = {}
    if way is not None:
        weights["quantization_config"] = recipe(way, precision_of(precision, device))
        weights["device_map"] = {"": device}
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        model, kind, writes = _load_model(source, config, weights)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(_explain(name, error)) from error
    if way is None:
        model.to(device)
    else:
        let_gradients_through(model)
    return freeze(name, model, tokenizer, kind=kind, writes=writes, precision=precision)


def freeze(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    kind: str,
    writes: bool = True,
    precision: str = "float32",
) -> Frozen:
    """Freeze a model that is already in memory; its attention becomes ours."""
    model.eval().requires_grad_(False)
    _drop_nothing(model)
    if model.config._attn_implementation != NAME and model._supports_sdpa:
        model.set_attn_implementation(NAME)
    lead, trail = _around(tokenizer)
    return Frozen(
        name,
        model,
        tokenizer,
        kind,
        writes,
        lead,
        trail,
        precision_of(precision, model.device.type),
    )


def _drop_nothing(model: torch.nn.Module) -> None:
    """Set every dropout to 0: a frozen model computes alike in both modes.

    Gradient checkpointing asks for training mode, in which layers would drop.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name, value in list(vars(module).items()):
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)


def kind_of(config: Any) -> str:  # a transformers config: attributes differ by family
    """The family a config belongs to: encoder, decoder or encoder-decoder."""
    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    masked = type(config) in MODEL_FOR_MASKED_LM_MAPPING
    causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING
    if causal and (not masked or getattr(config, "is_decoder", False)):
        return "decoder"
    return "encoder"


def _load_model(
    source: str, config: Any, weights: Mapping[str, Any]
) -> tuple[PreTrainedModel, str, bool]:
    options: Mapping[str, Any] = {
        **weights,
        "config": config,
        "trust_remote_code": False,
        "use_safetensors": True,
        "dtype": torch.float32,
    }
    kind = kind_of(config)
    with _quiet():
        if kind == "decoder":
            return AutoModelForCausalLM.from_pretrained(source, **options), kind, True
        if kind == "encoder-decoder":
            return AutoModelForSeq2SeqLM.from_pretrained(source, **options), kind, True
        names = list(getattr(config, "architectures", None) or [])
        if any(architecture.endswith("ForMaskedLM") for architecture in names):
            return AutoModelForMaskedLM.from_pretrained(source, **options), kind, True
        return AutoModel.from_pretrained(source, **options), kind, False


@contextmanager
def _quiet() -> Iterator[None]:
    """The library never prints: no bars and no hints while a model loads."""
    level = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _source_of(name: str) -> str:
    if name.startswith("builtin:"):
        return str(builtin_folder(name.removeprefix("builtin:")))
    source = name.removeprefix("hf:")
    if source.startswith((".", "/", "~")) or Path(source).is_dir():
        folder = Path(source).expanduser()
        if not (folder / "config.json").is_file():
            raise ModelError(f"no model at {source!r}: expected a folder with config.json")
        return str(folder)
    return source


def _explain(name: str, error: Exception) -> str:
    if os.environ.get("HF_HUB_OFFLINE"):
        hint = "the Hub is switched off (HF_HUB_OFFLINE)"
    else:
        hint = "a Hub name needs the network"
    reason = (
        str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
    )
    return (
        f"no model could be loaded from {name!r} ({reason}); expected builtin:minilm or another "
        "built-in model, a folder with config.json, tokenizer and model.safetensors, or a Hub "
        f"name; {hint}"
    )


def _around(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[int, ...], tuple[int, ...]]:
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    for start in range(len(full) - len(plain) + 1):
        if full[start : start + len(plain)] == plain:
            return tuple(full[:start]), tuple(full[start + len(plain) :])
    raise ModelError(f"the tokenizer's special tokens are not around the text: {json.dumps(full)}")


def precision_of(precision: str, device: str) -> torch.dtype:
    """What a precision's name means on a device; ``auto`` is bfloat16 where the machine has it.

    Raises:
        ModelError: the name is none of these.
    """
    match precision:
        case "float32":
            return torch.float32
        case "bfloat16":
            return torch.bfloat16
        case "auto":
            return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    raise ModelError(f"expected precision auto, float32 or bfloat16, got {precision!r}")


def _has_bfloat16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
