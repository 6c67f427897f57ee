"""Tiny random models of every family, made from configs, with a word-level tokenizer."""

from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    RobertaConfig,
    T5Config,
)

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze, kind_of

SPECIALS = ["<pad>", "<s>", "</s>", "<mask>", "<unk>"]
WORDS = (
    "a good bad film it was great awful the plot is dull and bright not very so i liked hated "
    "this one positive negative review sentiment : . , never again yes no really fine poor nice "
    "sad happy slow quick long short"
).split()
VOCABULARY = {word: number for number, word in enumerate([*SPECIALS, *WORDS])}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SHAPE = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
GROUPED = {"num_key_value_heads": 2, "head_dim": 8}


def configs() -> dict[str, PreTrainedConfig]:
    """A fresh config a family."""
    size = len(VOCABULARY)
    return {
        "bert": BertConfig(**SHAPE, **IDS),
        "roberta": RobertaConfig(**SHAPE, **IDS),
        "modernbert": ModernBertConfig(
            **SHAPE, **IDS, cls_token_id=1, sep_token_id=2, local_attention=8
        ),
        "distilbert": DistilBertConfig(
            vocab_size=size,
            dim=32,
            hidden_dim=48,
            n_layers=2,
            n_heads=4,
            max_position_embeddings=64,
            **IDS,
        ),
        "electra": ElectraConfig(**SHAPE, **IDS, embedding_size=32),
        "albert": AlbertConfig(**SHAPE, **IDS, embedding_size=24),
        "deberta-v2": DebertaV2Config(
            **SHAPE, **IDS, relative_attention=True, pos_att_type=["p2c", "c2p"]
        ),
        "gpt2": GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=64, **IDS),
        "llama": LlamaConfig(**SHAPE, **IDS, **GROUPED),
        "qwen3": Qwen3Config(**SHAPE, **IDS, **GROUPED),
        "bart": BartConfig(
            vocab_size=size,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            max_position_embeddings=64,
            decoder_start_token_id=2,
            forced_eos_token_id=None,
            **IDS,
        ),
        "t5": T5Config(
            vocab_size=size,
            d_model=32,
            d_kv=8,
            d_ff=48,
            num_layers=2,
            num_heads=4,
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=2,
        ),
    }


ENCODERS = ["bert", "roberta", "modernbert", "distilbert", "electra", "albert", "deberta-v2"]
DECODERS = ["gpt2", "llama", "qwen3"]
ENCODER_DECODERS = ["bart", "t5"]
OWN_ATTENTION = ["deberta-v2"]  # takes vectors at its input alone
FAMILIES = [*ENCODERS, *DECODERS, *ENCODER_DECODERS]
FRONTED = [family for family in FAMILIES if family not in OWN_ATTENTION]
AROUND = {
    **dict.fromkeys(ENCODERS, "<s> $A </s>"),
    "gpt2": "$A",
    "llama": "<s> $A",
    "qwen3": "$A",
    "bart": "<s> $A </s>",
    "t5": "$A </s>",
}


def tokenizer_for(family: str) -> PreTrainedTokenizerFast:
    """One token a word, with the special tokens that the family puts around a text."""
    inner = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single=AROUND[family], special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        mask_token="<mask>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
    )


def raw_model(family: str, seed: int = 0) -> Any:
    """The transformers model itself; weights are spread wide, so that answers differ."""
    config = configs()[family]
    torch.manual_seed(seed)
    attention = "eager" if family in OWN_ATTENTION else "sdpa"
    if family in ENCODERS:
        model = AutoModelForMaskedLM.from_config(config, attn_implementation=attention)
    elif family in DECODERS:
        model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    else:
        model = AutoModelForSeq2SeqLM.from_config(config, attn_implementation="sdpa")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "norm" not in name.lower():
                weight.normal_(0.0, 0.15)
    return model.eval()


def tiny(family: str, seed: int = 0) -> Backbone:
    """A fresh frozen backbone of a family."""
    model = raw_model(family, seed)
    return backbone_of(
        freeze(f"tiny:{family}", model, tokenizer_for(family), kind=kind_of(model.config))
    )


@cache
def shared(family: str) -> Backbone:
    """The same frozen backbone for every test that only reads it."""
    return tiny(family)
