"""Prompts to and from PEFT's folders: round trips, numbers that PEFT once gave, and refusals."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings, KeyValues
from afina.backbones.sites import Place
from afina.disk import Disk
from afina.errors import (
    AfinaError,
    ArtefactError,
    InputError,
    MismatchError,
    ModelError,
    SpaceError,
)
from afina.soft.adapter_folder import CONFIG, NUMBERS
from afina.soft.interchange import read_peft, read_peft_head, write_peft, write_prompt_embeds
from tests.backbones.test_identities import CLOSE, TEXTS
from tests.backbones.test_key_values import key_values
from tests.soft.references.peft_beside import CASES, TASK, N, fill, formula_backbone, ours, stored
from tests.tiny import FAMILIES, FRONTED, shared, tiny

FORMULA_ORDER = ["prompt_embeddings", "prefix_task_cols", "prefix_task_rows"]


def vectors(backbone: Backbone, length: int = N, **place: bool) -> Embeddings:
    generator = torch.Generator().manual_seed(4)
    return Embeddings(torch.randn(length, backbone.frozen.width, generator=generator), **place)


def prefix(backbone: Backbone, length: int = N) -> KeyValues:
    """Keys and values where PEFT has them."""
    prompt = replace(key_values(backbone, length), start=length)
    if backbone.frozen.kind != "encoder-decoder":
        return prompt
    own = [n for n, site in enumerate(backbone.sites()) if site.place is Place.DECODER]
    return replace(prompt, keys=prompt.keys[own], values=prompt.values[own], sites=tuple(own))


@pytest.mark.parametrize("case", list(CASES))
def test_stored_answers_of_peft_are_ours(case: str, tmp_path: Path) -> None:
    """The folder is as PEFT wrote it, its numbers from a formula; PEFT need not be installed."""
    reference = stored()[case]
    shapes = reference["shapes"]
    names = [name for name in FORMULA_ORDER if name in shapes]
    tensors = {name: torch.zeros(shapes[name]) for name in names}
    fill(list(tensors.values()), 0.6)
    folder_with(tmp_path, reference["config"], tensors)
    backbone = formula_backbone(CASES[case][0])
    task = TASK if CASES[case][1] == "multitask" else None
    said = ours(backbone, read_peft(tmp_path, backbone, task=task), TEXTS)[..., :6]
    torch.testing.assert_close(said.flatten(), torch.tensor(reference["said"]), **CLOSE)


def folder_with(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config))
    save_file(tensors, folder / NUMBERS, metadata={"format": "pt"})


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_written_and_read_are_the_same(family: str, before: bool, tmp_path: Path) -> None:
    """Bit for bit, behind the lead or before it. Broken by leaving the lead in."""
    backbone = shared(family)
    prompt = vectors(backbone, before_lead=before and bool(backbone.frozen.lead))
    write_peft(prompt, backbone, folder=tmp_path / "new" / "adapter")
    again = read_peft(tmp_path / "new" / "adapter", backbone)
    assert isinstance(again, Embeddings)
    assert torch.equal(again.vectors, prompt.vectors)
    assert again.before_lead == prompt.before_lead


@pytest.mark.parametrize("family", FRONTED)
def test_keys_and_values_written_and_read_are_the_same(family: str, tmp_path: Path) -> None:
    """Also with the sites given in another order. Broken by swapping keys and values."""
    backbone = shared(family)
    prompt = prefix(backbone)
    write_peft(turned(backbone, prompt), backbone, folder=tmp_path)
    again = read_peft(tmp_path, backbone)
    assert isinstance(again, KeyValues)
    assert torch.equal(again.keys, prompt.keys)
    assert torch.equal(again.values, prompt.values)
    assert (again.sites, again.start, again.lead) == (prompt.sites, N, False)


def turned(backbone: Backbone, prompt: KeyValues) -> KeyValues:
    sites = tuple(range(len(prompt.keys))) if prompt.sites is None else prompt.sites
    return replace(
        prompt, keys=prompt.keys.flip(0), values=prompt.values.flip(0), sites=sites[::-1]
    )


def test_an_absorbed_prompt_keeps_its_lead(tmp_path: Path) -> None:
    backbone = shared("llama")
    prompt = backbone.absorb([7, 8])
    write_peft(prompt, backbone, folder=tmp_path)
    again = read_peft(tmp_path, backbone)
    assert isinstance(again, KeyValues)
    assert (again.start, again.lead) == (3, True)
    assert torch.equal(again.keys, prompt.keys)


def test_a_view_is_written_without_its_storage(tmp_path: Path) -> None:
    """Broken by saving the tensor as it is."""
    backbone = shared("gpt2")
    whole = torch.randn(10_000, 32)
    part = Embeddings(whole[5:8])
    write_peft(part, backbone, folder=tmp_path)
    write_prompt_embeds(part, backbone, path=tmp_path / "embeds")
    assert (tmp_path / NUMBERS).stat().st_size < 2_000
    assert (tmp_path / "embeds").stat().st_size < 5_000


def test_the_same_prompt_gives_the_same_bytes(tmp_path: Path) -> None:
    """Also in the header, whose notes safetensors leaves in any order."""
    backbone = shared("bert")
    made = []
    for number in range(8):
        write_peft(vectors(backbone), backbone, folder=tmp_path / str(number))
        made.append((tmp_path / str(number) / NUMBERS).read_bytes())
    assert len(set(made)) == 1


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    backbone = shared("gpt2")
    prompt = vectors(backbone)
    write_peft(prompt, backbone, folder=tmp_path)
    save_file({"prompt_embeddings": prompt.vectors.bfloat16()}, tmp_path / NUMBERS)
    again = read_peft(tmp_path, backbone)
    assert isinstance(again, Embeddings)
    assert torch.equal(again.vectors, prompt.vectors.bfloat16().float())


def test_the_readme_says_to_leave_the_lead_out(tmp_path: Path) -> None:
    write_peft(vectors(shared("bert")), shared("bert"), folder=tmp_path)
    assert "drop the first 1 that the tokenizer gives" in (tmp_path / "README.md").read_text()
    write_peft(vectors(shared("gpt2")), shared("gpt2"), folder=tmp_path)
    assert "drop the first" not in (tmp_path / "README.md").read_text()


def test_prompt_embeddings_are_base64_of_a_saved_tensor(tmp_path: Path) -> None:
    backbone = shared("llama")
    prompt = vectors(backbone)
    write_prompt_embeds(prompt, backbone, path=tmp_path / "prompt.b64")
    saved = io.BytesIO(base64.b64decode((tmp_path / "prompt.b64").read_bytes(), validate=True))
    assert torch.equal(torch.load(saved, weights_only=True), prompt.vectors)


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    class Full(Disk):
        def write(self, path: Path, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    backbone = shared("gpt2")
    write_peft(vectors(backbone), backbone, folder=tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(SpaceError):
        write_peft(vectors(backbone, 5), backbone, folder=tmp_path, disk=Full())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


REFUSED_TO_WRITE: dict[str, tuple[str, Callable[[Backbone], Any], str]] = {
    "anywhere": ("bert", lambda b: vectors(b, anywhere=True), "none at other places"),
    "upper": ("gpt2", lambda b: some(prefix(b), (1,)), r"sites \[0, 1\], where PEFT .* came \[1\]"),
    "cross": ("bart", lambda b: replace(key_values(b, N), start=N), r"sites \[2, 4\], where PEFT"),
    "start": ("bert", lambda b: replace(prefix(b), start=0), "begins at position 0; PEFT would"),
    "width": ("gpt2", lambda b: Embeddings(torch.zeros(N, 33)), "width 33"),
    "heads": ("gpt2", lambda b: prefix(shared("llama")), "heads"),
}


def some(prompt: KeyValues, sites: tuple[int, ...]) -> KeyValues:
    chosen = list(sites)
    return replace(prompt, keys=prompt.keys[chosen], values=prompt.values[chosen], sites=sites)


@pytest.mark.parametrize("name", list(REFUSED_TO_WRITE))
def test_what_peft_does_not_have_is_refused(name: str, tmp_path: Path) -> None:
    family, make, reason = REFUSED_TO_WRITE[name]
    with pytest.raises(AfinaError, match=reason):
        write_peft(make(shared(family)), shared(family), folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_task_type_with_a_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got 'SEQ_CLS'; PEFT's other types bring heads"):
        write_peft(vectors(shared("bert")), shared("bert"), folder=tmp_path, task_type="SEQ_CLS")


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_vllm_takes_vectors_in_front_of_a_decoder_alone(family: str, tmp_path: Path) -> None:
    prompt = prefix(shared(family)) if family == "gpt2" else vectors(shared(family))
    with pytest.raises(InputError, match="expected"):
        write_prompt_embeds(prompt, shared(family), path=tmp_path / "x")


def good(folder: Path, family: str = "gpt2", kind: str = "vectors") -> Backbone:
    backbone = shared(family)
    made = vectors(backbone) if kind == "vectors" else prefix(backbone)
    write_peft(made, backbone, folder=folder)
    return backbone


def with_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peft_type": "LORA"}, "got 'LORA'; other adapters are no soft prompts"),
        ({"peft_type": None}, "got None"),
        ({"peft_type": ["x"]}, "got \\['x'\\]"),
        ({"task_type": "TALK"}, "got 'TALK'"),
        ({"task_type": "SEQ_2_SEQ_LM"}, "is for encoder-decoders"),
        ({"num_virtual_tokens": None}, "names no num_virtual_tokens"),
        ({"num_virtual_tokens": 0}, "of 1 or more, came 0"),
        ({"num_virtual_tokens": -1}, "of 1 or more, came -1"),
        ({"num_virtual_tokens": True}, "of 1 or more, came True"),
        ({"num_virtual_tokens": "3"}, "of 1 or more, came '3'"),
        ({"num_virtual_tokens": 2**40}, "of 1 or more, came 1099511627776"),
        ({"num_virtual_tokens": 4}, r"of shape \(4, 32\).* came \(3, 32\)"),
        ({"num_virtual_tokens": 64}, "takes 65 places with its prompt, but tiny:gpt2 has 64"),
        ({"num_transformer_submodules": 2}, "rows for 2 parts"),
        ({"num_transformer_submodules": 3}, "rows for 3 parts"),
    ],
)
def test_a_config_that_says_something_else_is_refused(
    changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    backbone = good(tmp_path)
    with_config(tmp_path, **changes)
    with pytest.raises(AfinaError, match=reason):
        read_peft(tmp_path, backbone)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_layers": 3}, "is for 3 layers .* but the model has 2"),
        (
            {"num_attention_heads": 2},
            "with 2 heads of size 16, but the model has 2 with 4 of size 8",
        ),
        ({"token_dim": 64}, "4 heads of size 16"),
        ({"token_dim": 33}, "but the model has 2 with 4 of size 8"),
    ],
)
def test_a_prefix_of_another_shape_is_refused(
    changes: dict[str, object], reason: str, tmp_path: Path
) -> None:
    backbone = good(tmp_path, kind="prefix")
    with_config(tmp_path, **changes)
    with pytest.raises(MismatchError, match=reason):
        read_peft(tmp_path, backbone)


def test_another_model_s_prefix_is_refused(tmp_path: Path) -> None:
    """Llama's grouped heads are two; GPT-2 here has four."""
    good(tmp_path, "llama", "prefix")
    with pytest.raises(MismatchError, match="with 2 heads of size 8, but the model has 2 with 4"):
        read_peft(tmp_path, shared("gpt2"))


def test_another_model_s_leading_special_token_is_refused(tmp_path: Path) -> None:
    """Broken by dropping the first vector unseen."""
    good(tmp_path, "bert")
    with pytest.raises(MismatchError, match="begins with the special tokens of another model"):
        read_peft(tmp_path, tiny("bert", seed=1))
    good(tmp_path, "llama")
    with_config(tmp_path, task_type=None)
    with pytest.raises(
        MismatchError, match="holds '1' leading special tokens, but tiny:gpt2 has 0"
    ):
        read_peft(tmp_path, shared("gpt2"))


def test_a_prefix_for_one_part_has_no_place_in_an_encoder_decoder(tmp_path: Path) -> None:
    backbone = good(tmp_path, "t5", "prefix")
    with_config(tmp_path, num_transformer_submodules=1)
    with pytest.raises(MismatchError, match="PEFT has no place in tiny:t5"):
        read_peft(tmp_path, backbone)


def multitask(folder: Path, tasks: int = 2) -> Backbone:
    backbone = good(folder)
    with_config(folder, peft_type="MULTITASK_PROMPT_TUNING", num_tasks=tasks, num_ranks=2)
    generator = torch.Generator().manual_seed(0)
    shapes = {"prompt_embeddings": (N, 32), "prefix_task_cols": (tasks, N, 2)}
    shapes["prefix_task_rows"] = (tasks, 2, 32)
    numbers = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    save_file(numbers, folder / NUMBERS)
    return backbone


def test_a_task_s_prompt_is_the_shared_one_times_its_own_matrix(tmp_path: Path) -> None:
    backbone = multitask(tmp_path)
    saved = load_file(tmp_path / NUMBERS)
    own = saved["prefix_task_cols"][1] @ saved["prefix_task_rows"][1]
    found = read_peft(tmp_path, backbone, task=1)
    assert isinstance(found, Embeddings)
    torch.testing.assert_close(found.vectors, saved["prompt_embeddings"] * own)


@pytest.mark.parametrize("task", [None, 2, -1])
def test_a_task_that_is_not_there_is_refused(task: int | None, tmp_path: Path) -> None:
    """Broken by Python's negative index, or by a first task when none is named."""
    backbone = multitask(tmp_path)
    with pytest.raises(InputError, match=f"2 tasks' prompts; name one, 0 to 1, got {task}"):
        read_peft(tmp_path, backbone, task=task)


def test_the_only_task_needs_no_name_and_one_prompt_has_none(tmp_path: Path) -> None:
    assert isinstance(read_peft(tmp_path, multitask(tmp_path, tasks=1)), Embeddings)
    with pytest.raises(InputError, match="holds one prompt, not several"):
        read_peft(tmp_path / "one", good(tmp_path / "one"), task=0)


def test_a_task_s_prompt_that_overflows_is_refused(tmp_path: Path) -> None:
    backbone = multitask(tmp_path)
    numbers = {name: part * 1e30 for name, part in load_file(tmp_path / NUMBERS).items()}
    save_file(numbers, tmp_path / NUMBERS)
    with pytest.raises(ArtefactError, match="holds NaN or infinite numbers"):
        read_peft(tmp_path, backbone, task=0)


def with_head(folder: Path, family: str, task: str, module: str) -> Backbone:
    backbone = good(folder, family)
    with_config(folder, task_type=task)
    numbers = load_file(folder / NUMBERS)
    numbers[f"base_model.{module}.weight"] = torch.randn(3, 32)
    numbers[f"base_model.{module}.bias"] = torch.randn(3)
    save_file(numbers, folder / NUMBERS)
    return backbone


@pytest.mark.parametrize(
    ("family", "task", "module"),
    [
        ("gpt2", "SEQ_CLS", "score"),
        ("llama", "SEQ_CLS", "score"),
        ("bert", "TOKEN_CLS", "classifier"),
        ("electra", "TOKEN_CLS", "classifier"),
        ("roberta", "QUESTION_ANS", "qa_outputs"),
    ],
)
def test_a_linear_head_is_read(family: str, task: str, module: str, tmp_path: Path) -> None:
    backbone = with_head(tmp_path, family, task, module)
    head, saved = read_peft_head(tmp_path, backbone), load_file(tmp_path / NUMBERS)
    assert torch.equal(head.weight, saved[f"base_model.{module}.weight"])
    assert torch.equal(head.bias, saved[f"base_model.{module}.bias"])


@pytest.mark.parametrize(
    ("family", "task", "module", "reason"),
    [
        ("bert", "SEQ_CLS", "classifier", "pools the first place, where a virtual token stands"),
        ("modernbert", "TOKEN_CLS", "classifier", "more than a linear map of its states"),
        ("bart", "QUESTION_ANS", "score", "more than a linear map of its states"),
    ],
)
def test_a_head_that_is_more_than_linear_is_refused(
    family: str, task: str, module: str, reason: str, tmp_path: Path
) -> None:
    backbone = with_head(tmp_path, family, task, module)
    with pytest.raises(ModelError, match=reason):
        read_peft_head(tmp_path, backbone)


def test_a_head_that_is_not_there_or_of_another_width_is_refused(tmp_path: Path) -> None:
    backbone = good(tmp_path)
    with pytest.raises(InputError, match="holds no head"):
        read_peft_head(tmp_path, backbone)
    with_head(tmp_path, "gpt2", "SEQ_CLS", "score")
    numbers = load_file(tmp_path / NUMBERS)
    numbers["base_model.score.weight"] = torch.zeros(3, 31)
    save_file(numbers, tmp_path / NUMBERS)
    with pytest.raises(ArtefactError, match=r"of shape \(3, 32\)"):
        read_peft_head(tmp_path, backbone)
