"""Soft prompts to and from PEFT's adapter folders, and to vLLM's prompt embeddings.

PEFT puts virtual tokens before everything, special tokens included, and its prefixes count the text
from behind them. What is read here does the same, so that logits equal PEFT's wherever it is right:
on rows that are not padded, or on the right. ``docs/interchange.md`` has the formats.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings, Injection, KeyValues
from afina.backbones.layout import check_fits, check_room
from afina.backbones.plain_head import plain_head
from afina.backbones.sites import Place, Site, check_sites
from afina.disk import Disk, replace_file
from afina.errors import ArtefactError, InputError, MismatchError, ModelError
from afina.soft.adapter_folder import TASKS, VERSION, Adapter, finite, read_adapter, write_adapter
from afina.soft.heads import ClassificationHead

PROMPT = "prompt_embeddings"
COLUMNS, ROWS = "prefix_task_cols", "prefix_task_rows"
LEAD = "afina.lead"  # a note in the numbers: how many leading special tokens the prompt holds
HEADS = {"SEQ_CLS": "score", "TOKEN_CLS": "classifier", "QUESTION_ANS": "qa_outputs"}
MODULES = tuple(
    f"base_model.{module}.{part}"
    for module in ("classifier", "score", "qa_outputs")
    for part in ("weight", "bias")
)
USUAL = {"decoder": "CAUSAL_LM", "encoder-decoder": "SEQ_2_SEQ_LM", "encoder": "FEATURE_EXTRACTION"}


def read_peft(folder: Path, backbone: Backbone, *, task: int | None = None) -> Injection:
    """The prompt of a PEFT adapter; ``task`` names one of a multitask prompt's tasks, from 0.

    A head that was saved beside it is left to `read_peft_head`.

    Raises:
        InputError: there is no adapter, or none of a soft prompt, or the task is not named.
        MismatchError: it does not fit the backbone.
        ArtefactError: it is damaged or hostile.
    """
    adapter = read_adapter(folder)
    kind = TASKS[adapter.task] if adapter.task else None
    if kind not in (None, backbone.frozen.kind):
        raise MismatchError(
            f"{folder} is for {kind}s ({adapter.task}), but {backbone.frozen.name} is a "
            f"{backbone.frozen.kind}; use the model it was trained on"
        )
    if adapter.parts > 2 or (adapter.parts == 2 and backbone.frozen.kind != "encoder-decoder"):
        raise MismatchError(
            f"{folder} has rows for {adapter.parts} parts of a model, but "
            f"{backbone.frozen.name} is a {backbone.frozen.kind}; use the model it was trained on"
        )
    check_room(backbone.frozen, adapter.length + 1)
    _check_names(adapter)
    if task is not None and adapter.method != "MULTITASK_PROMPT_TUNING":
        raise InputError(f"{folder} holds one prompt, not several tasks'; leave the task out")
    match adapter.method:
        case "PREFIX_TUNING":
            return _prefix(adapter, backbone)
        case "MULTITASK_PROMPT_TUNING":
            return _front(adapter, backbone, _task_prompt(adapter, backbone, task))
    rows = adapter.length * adapter.parts
    return _front(adapter, backbone, adapter.numbers(PROMPT, (rows, backbone.frozen.width)))


def read_peft_head(folder: Path, backbone: Backbone) -> ClassificationHead:
    """The head saved beside a prompt, where it is one linear map of what a backbone gives.

    Of `features` for a decoder's sequences, of `states` for tokens and for the starts and ends of
    answers. The labels' order is that of training; the folder does not name them.

    Raises:
        InputError: there is no head.
        ModelError: it is more than a linear map, or reads what a virtual token makes of it.
        ArtefactError: it is damaged or of another shape.
    """
    adapter, frozen = read_adapter(folder), backbone.frozen
    module = HEADS.get(str(adapter.task))
    name = f"base_model.{module}.weight"
    if module is None or not set(adapter.shapes) & set(MODULES):
        raise InputError(f"{folder} holds no head ({adapter.task}); fit one: afina import {folder}")
    if adapter.task == "SEQ_CLS" and frozen.kind != "decoder":
        raise ModelError(
            f"PEFT's classifier of {frozen.name} pools the first place, where a virtual token "
            f"stands for the special one; fit a head anew: afina import {folder}"
        )
    if plain_head(frozen, str(adapter.task)) != module or name not in adapter.shapes:
        raise ModelError(
            f"the head of {frozen.name} for {adapter.task} is more than a linear map of its "
            f"states; fit one anew: afina import {folder}"
        )
    classes = adapter.shapes[name][0]
    weight = adapter.numbers(name, (classes, frozen.hidden))
    bias = f"base_model.{module}.bias"
    offset = adapter.numbers(bias, (classes,)) if bias in adapter.shapes else torch.zeros(classes)
    return ClassificationHead(weight, offset)


def write_peft(
    injection: Injection,
    backbone: Backbone,
    *,
    folder: Path,
    task_type: str | None = None,
    disk: Disk = Disk(),
) -> None:
    """Write a folder that ``PeftModel.from_pretrained`` loads, with the same answers.

    Leading special tokens that stand before the prompt are written as the first of its virtual
    tokens; its README says that texts then come without them. ``task_type`` is PEFT's; left out, it
    is the one for the backbone's kind.

    Raises:
        InputError: PEFT has nothing that gives the same answers.
        SpaceError: the disk is full.
    """
    frozen = backbone.frozen
    task = task_type or USUAL[frozen.kind]
    if task not in (USUAL[frozen.kind], "FEATURE_EXTRACTION"):
        raise InputError(
            f"expected task_type {USUAL[frozen.kind]} or FEATURE_EXTRACTION for {frozen.name}, got "
            f"{task!r}; PEFT's other types bring heads of their own"
        )
    match injection:
        case Embeddings():
            tensor, config, lead = _written_front(injection, backbone)
        case KeyValues():
            tensor, config, lead = _written_prefix(injection, backbone)
    common = {
        "auto_mapping": None,
        "base_model_name_or_path": _base_name(frozen.name),
        "inference_mode": True,
        "modules_to_save": None,
        "num_virtual_tokens": len(tensor),
        "peft_version": VERSION,
        "revision": None,
        "task_type": task,
    }
    write_adapter(
        folder,
        {**common, **config},
        {PROMPT: tensor},
        notes={LEAD: str(lead)} if lead else {},
        readme=_readme(frozen.name, len(tensor), lead),
        disk=disk,
    )


def write_prompt_embeds(
    injection: Injection, backbone: Backbone, *, path: Path, disk: Disk = Disk()
) -> None:
    """Write what vLLM's ``prompt_embeds`` takes: base64 of a tensor ``[n, hidden]`` as torch saves.

    vLLM asks for that pickle; it is only ever written here, never read. Leading special tokens are
    not in it: the server's own template writes them.

    Raises:
        InputError: the prompt is no run of vectors in front of a decoder's text.
        SpaceError: the disk is full.
    """
    if not isinstance(injection, Embeddings) or injection.anywhere:
        raise InputError("expected vectors in front of the text: vLLM takes no other soft prompt")
    if backbone.frozen.kind != "decoder":
        raise InputError(f"expected a decoder, which vLLM serves; {backbone.frozen.name} is none")
    check_fits(backbone.frozen, injection)
    saved = io.BytesIO()
    # a view would take its whole storage along
    torch.save(injection.vectors.detach().clone().contiguous().cpu(), saved)
    replace_file(path, base64.b64encode(saved.getvalue()), disk)


@dataclass(frozen=True)
class Shape:
    """How PEFT counts a prefix: layers of its own count, heads, and the size of one."""

    layers: int
    heads: int
    size: int


def _check_names(adapter: Adapter) -> None:
    wanted = {PROMPT}
    if adapter.method == "MULTITASK_PROMPT_TUNING":
        wanted |= {COLUMNS, ROWS}
    other = sorted(set(adapter.shapes) - wanted - set(MODULES))
    if other:
        raise ArtefactError(
            f"{adapter.path}: expected {', '.join(sorted(wanted))} and at most a head, came "
            f"{len(other)} more, such as {other[0][:60]!r}; weights of the model itself cannot be "
            "taken over"
        )


def _front(adapter: Adapter, backbone: Backbone, rows: Float[Tensor, "R H"]) -> Embeddings:
    """The rows in front of a text; the second half of an encoder-decoder's is left out.

    PEFT's forward puts no row of it anywhere in prompt tuning and P-tuning, and its generation
    none in multitask prompt tuning.
    """
    frozen, vectors = backbone.frozen, rows[: adapter.length].clone()
    folded = _folded(adapter, backbone)
    if not folded:
        return Embeddings(vectors, before_lead=bool(frozen.lead))
    if not torch.equal(vectors[:folded], frozen.embed(frozen.lead).to(vectors)):
        raise MismatchError(
            f"{adapter.path} begins with the special tokens of another model than "
            f"{frozen.name}; use the model it was tuned on"
        )
    return Embeddings(vectors[folded:].clone())


def _folded(adapter: Adapter, backbone: Backbone) -> int:
    """How many leading special tokens the prompt holds."""
    note, lead = adapter.notes.get(LEAD), len(backbone.frozen.lead)
    if note is None:
        return 0
    if note != str(lead) or adapter.length < lead:
        raise MismatchError(
            f"{adapter.path} holds {note[:20]!r} leading special tokens, but "
            f"{backbone.frozen.name} has {lead}; use the model it was tuned on"
        )
    return lead


def _task_prompt(adapter: Adapter, backbone: Backbone, task: int | None) -> Float[Tensor, "R H"]:
    """``shared * (columns @ rows)`` of one task."""
    tasks, rank = (adapter.sizes.get(name, 1) for name in ("num_tasks", "num_ranks"))
    rows, width = adapter.length * adapter.parts, backbone.frozen.width
    number = 0 if task is None and tasks == 1 else task
    if number is None or not 0 <= number < tasks:
        raise InputError(
            f"{adapter.path.parent} holds {tasks} tasks' prompts; name one, 0 to {tasks - 1}, "
            f"got {task}"
        )
    shared = adapter.numbers(PROMPT, (rows, width))
    columns = adapter.numbers(COLUMNS, (tasks, rows, rank))[number]
    own = adapter.numbers(ROWS, (tasks, rank, width))[number]
    return finite(adapter.path, "the task's prompt", shared * (columns @ own))


def _prefix(adapter: Adapter, backbone: Backbone) -> KeyValues:
    """Keys and values; each virtual token's row holds, layer by layer, its keys, then its values.

    Of an encoder-decoder PEFT gives a prefix to the decoder's own attention alone. It lays the
    layers' rows out twice and takes four a layer, of which it uses two: layer l has rows 4l and
    4l+1, counted round. So layers share numbers, as they do in PEFT's training.
    """
    numbers, sites = _own_sites(backbone)
    both = backbone.frozen.kind == "encoder-decoder"
    if both and adapter.parts != 2:
        raise MismatchError(
            f"{adapter.path.parent} has a prefix for one part of a model, for which PEFT has no "
            f"place in {backbone.frozen.name}; train it as SEQ_2_SEQ_LM"
        )
    shape = _shape(adapter, sites, both=both)
    width = 2 * shape.layers * shape.heads * shape.size
    saved = adapter.numbers(PROMPT, (adapter.length, width))
    parts = saved.view(adapter.length, 2 * shape.layers, shape.heads, shape.size)
    parts = parts.permute(1, 2, 0, 3)  # [2L, K, P, D]
    step = 4 if both else 2
    places = torch.arange(len(sites)) * step
    found = KeyValues(
        parts[places % len(parts)].clone(),
        parts[(places + 1) % len(parts)].clone(),
        sites=numbers if both else None,
        start=adapter.length,
        lead=bool(_folded(adapter, backbone)),
    )
    check_sites(backbone.sites(), found)
    return found


def _shape(adapter: Adapter, sites: list[Site], *, both: bool) -> Shape:
    first = sites[0]
    heads = adapter.sizes.get("num_attention_heads", first.heads)
    width = adapter.sizes.get("token_dim", first.heads * first.size)
    layers = adapter.sizes.get("num_layers", len(sites))
    found = Shape(layers, heads, width // heads)
    enough = layers >= len(sites) if both else layers == len(sites)
    if (heads, width) != (first.heads, first.heads * first.size) or not enough:
        raise MismatchError(
            f"{adapter.path.parent} is for {layers} layers with {heads} heads of size "
            f"{found.size}, but the model has {len(sites)} with {first.heads} of size "
            f"{first.size}; use the model it was trained on"
        )
    return found


def _own_sites(backbone: Backbone) -> tuple[tuple[int, ...], list[Site]]:
    """The sites that PEFT gives a prefix: all, but of an encoder-decoder the decoder's own."""
    sites = backbone.sites()
    wanted = Place.DECODER if backbone.frozen.kind == "encoder-decoder" else None
    chosen = [number for number, site in enumerate(sites) if wanted is None or site.place is wanted]
    return tuple(chosen), [sites[number] for number in chosen]


def _written_front(
    injection: Embeddings, backbone: Backbone
) -> tuple[Float[Tensor, "P H"], dict[str, object], int]:
    frozen = backbone.frozen
    check_fits(frozen, injection)
    if injection.anywhere:
        raise InputError(
            "expected vectors in front of the text; PEFT has none at other places of a template"
        )
    vectors, lead = injection.vectors, 0
    if frozen.lead and not injection.before_lead:
        lead = len(frozen.lead)
        vectors = torch.cat([frozen.embed(frozen.lead).to(vectors), vectors])
    config: dict[str, object] = {
        "peft_type": "PROMPT_TUNING",
        "prompt_tuning_init": "RANDOM",
        "num_transformer_submodules": 1,
        "num_attention_heads": int(frozen.model.config.num_attention_heads),
        "num_layers": int(frozen.model.config.num_hidden_layers),
        "token_dim": frozen.width,
    }
    return vectors, config, lead


def _written_prefix(
    injection: KeyValues, backbone: Backbone
) -> tuple[Float[Tensor, "P W"], dict[str, object], int]:
    check_sites(backbone.sites(), injection)
    numbers, sites = _own_sites(backbone)
    every = tuple(range(len(backbone.sites())))
    given = every if injection.sites is None else injection.sites
    if sorted(given) != list(numbers):
        raise InputError(
            f"expected keys and values at attention sites {list(numbers)}, where PEFT has a "
            f"prefix, came {list(given)}"
        )
    if injection.start != injection.length:
        raise InputError(
            f"expected a text that begins behind its {injection.length} keys and values, as in "
            f"PEFT, but it begins at position {injection.start}; PEFT would answer otherwise"
        )
    order = torch.tensor([given.index(number) for number in numbers])
    pairs = torch.stack([injection.keys[order], injection.values[order]], dim=1)  # [L, 2, K, P, D]
    both = backbone.frozen.kind == "encoder-decoder"
    if both:  # the other two of the four rows that PEFT takes a layer
        pairs = torch.cat([pairs, torch.zeros_like(pairs)], dim=1)
    rows = pairs.flatten(0, 1).permute(2, 0, 1, 3)  # [P, 2L, K, D], or 4L
    config: dict[str, object] = {
        "peft_type": "PREFIX_TUNING",
        "prefix_projection": False,
        "encoder_hidden_size": None,
        "num_transformer_submodules": 2 if both else 1,
        "num_attention_heads": sites[0].heads,
        "num_layers": rows.shape[1] // 2,
        "token_dim": sites[0].heads * sites[0].size,
    }
    return rows.flatten(1), config, len(backbone.frozen.lead) if injection.lead else 0


def _base_name(name: str) -> str | None:
    return None if name.startswith("builtin:") else name.removeprefix("hf:")


def _readme(name: str, length: int, lead: int) -> str:
    text = (
        f"# A soft prompt of {length} virtual tokens for {name}\n\nWritten by Afina for PEFT "
        f"{VERSION}: `PeftModel.from_pretrained(model, folder)`. Pad batches on the right.\n"
    )
    if not lead:
        return text
    return (
        f"{text}\nThe first {lead} of them are the special tokens that begin a text of this "
        f"model. Leave those out of `input_ids`: drop the first {lead} that the tokenizer gives.\n"
    )
