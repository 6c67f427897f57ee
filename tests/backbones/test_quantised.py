"""Frozen weights in eight and four bits; what needs bitsandbytes is skipped where it is not."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig
from transformers.utils import logging

from afina.backbones.backbone import Backbone, load_backbone
from afina.backbones.decoder import Decoder
from afina.backbones.frozen import digest_of
from afina.backbones.injection import Embeddings
from afina.disk import Disk
from afina.errors import MismatchError, ModelError
from afina.models import Models
from afina.packed import restore
from afina.training.checkpoint import Checkpoints
from afina.training.full_run import FullSettings, fine_tune
from afina.training.watch import Watch
from tests.backbones.test_identities import CLOSE, TEXTS, rows_for
from tests.tiny import IDS, VOCABULARY, tokenizer_for
from tests.training.test_prompt_run import task_for, tune

HERE = find_spec("bitsandbytes") is not None
needed = pytest.mark.skipif(not HERE, reason="bitsandbytes is not installed")
WAYS = ["8bit", "4bit"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A llama whose matrices are as wide as a block of four bits."""
    path = tmp_path_factory.mktemp("llama")
    shape = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=128,
        max_position_embeddings=64,
        **IDS,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(shape)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(0.0, 0.1)
    logging.disable_progress_bar()
    model.save_pretrained(path)
    tokenizer_for("llama").save_pretrained(path)
    logging.enable_progress_bar()
    return str(path)


@pytest.mark.skipif(HERE, reason="bitsandbytes is installed")
@pytest.mark.parametrize("way", WAYS)
def test_without_bitsandbytes_it_is_said_how_to_get_it(way: str, folder: str) -> None:
    """Broken by leaving it to transformers, whose words fill a screen."""
    with pytest.raises(ModelError, match=f"in {way} needs bitsandbytes.*pip install") as caught:
        load_backbone(folder, quantise=way)
    assert "\n" not in str(caught.value)


def test_another_way_of_quantising_is_refused(folder: str) -> None:
    with pytest.raises(ModelError, match="expected to quantise by 8bit or 4bit, got '2bit'"):
        load_backbone(folder, quantise="2bit")


def test_a_folder_is_still_found_by_a_name_with_a_colon(folder: str) -> None:
    """Broken by taking any last part of a name for a way."""
    assert load_backbone(f"hf:{folder}").frozen.name == f"hf:{folder}"


@needed
@pytest.mark.parametrize("way", WAYS)
def test_a_quantised_model_keeps_the_identities(way: str, folder: str) -> None:
    """Words as vectors are the words, a row alone is the row in a batch, and it is smaller."""
    backbone = loaded(folder, way)
    plain = load_backbone(folder, precision="float32")
    assert size(backbone) < (0.5 if way == "8bit" else 0.35) * size(plain)
    rows = rows_for(backbone, TEXTS)
    words = backbone.frozen.encode("it was a very good film")
    soft = Embeddings(backbone.frozen.embed(words))
    labels = [backbone.frozen.encode(each) for each in ("great film", "awful")]
    with torch.no_grad():
        found = backbone.choose(rows, labels, [soft] * 4)
        written = backbone.choose([[*words, *row] for row in rows], labels, [None] * 4)
        alone = [backbone.choose([row], labels, [soft])[0] for row in rows]
        exact = plain.choose(rows, labels, [soft] * 4)
    close = CLOSE if way == "4bit" else {"atol": 0.05, "rtol": 0.0}  # activations are rounded too
    torch.testing.assert_close(found, written, **close)
    torch.testing.assert_close(found, torch.stack(alone), **close)
    assert 0 < float((found - exact).abs().max()) < 2


@needed
@pytest.mark.parametrize("way", WAYS)
def test_gradients_go_through_after_an_answer(way: str, folder: str) -> None:
    """Broken by letting bitsandbytes pack its weights when it first answers."""
    backbone = loaded(folder, way)
    rows = rows_for(backbone, TEXTS)
    backbone.write(rows, [None] * 4, tokens=2)
    vectors = (
        torch.randn(3, 64, generator=torch.Generator().manual_seed(0)) * 0.3
    ).requires_grad_()
    soft = Embeddings(vectors)
    backbone.likelihood(rows, [backbone.frozen.encode("great")] * 4, [soft] * 4).sum().backward()
    assert vectors.grad is not None
    assert bool((vectors.grad.abs().sum(dim=1) > 0).all())


@needed
@pytest.mark.parametrize("way", WAYS)
def test_full_fine_tuning_of_a_quantised_model_is_refused(
    way: str, folder: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="quantised and cannot move"):
        fine_tune(
            task_for("head"),
            loaded(folder, way),
            FullSettings(),
            keeper=Checkpoints(tmp_path, Disk()),
            watch=Watch(),
        )


@needed
@pytest.mark.parametrize("way", WAYS)
def test_a_prompt_is_tuned_on_a_quantised_model(way: str, folder: str, tmp_path: Path) -> None:
    """And its bundle loads by the name alone, onto the same weights and none else."""
    backbone = loaded(folder, way)
    before = digest_of(backbone.frozen.model)
    solver, outcome = tune(task_for("text"), backbone, tmp_path)
    assert outcome.moment.losses[-1] < outcome.moment.losses[0]
    assert digest_of(backbone.frozen.model) == before
    packed, task = solver.pack(), task_for("text")
    inputs = [each.inputs for each in task.dev]
    again = restore(packed)
    assert [each.outputs for each in again(inputs)] == [each.outputs for each in solver(inputs)]
    with pytest.raises(MismatchError, match="load the model it was tuned on"):
        restore(packed, Models(load=lambda _name: load_backbone(folder)))


def loaded(folder: str, way: str) -> Decoder:
    backbone = load_backbone(folder, precision="float32", quantise=way)
    assert isinstance(backbone, Decoder)
    assert backbone.frozen.name == f"{folder}:{way}"
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())
    return backbone


def size(backbone: Backbone) -> int:
    """Bytes of the matrices of the layers."""
    layers = [part for name, part in backbone.frozen.model.named_parameters() if "proj" in name]
    return sum(part.numel() * part.element_size() for part in layers)
