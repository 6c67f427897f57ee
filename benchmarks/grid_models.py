"""The grid's models: tiny random ones of eleven families, and their tasks.

Both sides begin at the same weights drawn from fixed seeds. Dropout is off, so that
two runs of one model are equal, and weights are spread wide, so that a fault shows in the answers.
"""

from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BartConfig,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    T5Config,
)

SPECIALS = ["<pad>", "<s>", "</s>", "<mask>", "<unk>"]
WORDS = (
    "a good bad film it was great awful the plot is dull and bright not very so i liked hated "
    "this one positive negative review , . never again yes no really fine poor nice happy slow"
).split()
VOCABULARY = {word: number for number, word in enumerate([*SPECIALS, *WORDS])}
PAD = 0

AUTO: dict[str, Any] = {  # transformers annotates its auto classes too loosely to say more
    "sequence classification": AutoModelForSequenceClassification,
    "token classification": AutoModelForTokenClassification,
    "question answering": AutoModelForQuestionAnswering,
    "causal LM": AutoModelForCausalLM,
    "seq2seq LM": AutoModelForSeq2SeqLM,
    "feature extraction": AutoModel,
}
WRITTEN = ("causal LM", "seq2seq LM")  # the tasks whose answer is generated
LABELS = 3
HEADS = (  # the modules over the model proper, however the family calls them
    *("classifier", "pre_classifier", "pooler", "head", "score", "classification_head"),
    "qa_outputs",
)

ENCODERS = ("bert", "roberta", "distilbert", "deberta-v2", "modernbert", "electra", "albert")
DECODERS = ("gpt2", "llama")
ENCODER_DECODERS = ("bart", "t5")
FAMILIES = (*ENCODERS, *DECODERS, *ENCODER_DECODERS)
OWN_ATTENTION = ("deberta-v2",)  # has no place for keys and values
AROUND = {"gpt2": "$A", "llama": "<s> $A", "t5": "$A </s>"}  # the others: <s> $A </s>
METHODS = (
    "prompt tuning",
    "prefix",
    "prefix with MLP",
    "P-tuning MLP",
    "P-tuning LSTM",
    "multitask",
)

SHAPE = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
IDS = {"pad_token_id": PAD, "bos_token_id": 1, "eos_token_id": 2}
SILENT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def tasks_of(family: str, *, every: bool = False) -> tuple[str, ...]:
    """The family's share of the 29 pairs of the grid, or every pair that PEFT has a class for.

    Left out even then: an encoder made a decoder, and masked LM, which PEFT has no task type for.
    """
    chosen: tuple[str, ...]
    more: tuple[str, ...]
    if family in ENCODERS:
        more = ("feature extraction",)
        chosen = ("sequence classification", "token classification", "question answering")
    elif family in DECODERS:
        more = ("token classification", "question answering", "feature extraction")
        chosen = ("sequence classification", "causal LM")
    else:
        tagging = ("token classification",) if family == "t5" else ()  # BART has no such class
        more = ("sequence classification", *tagging, "question answering")
        chosen = ("seq2seq LM", "feature extraction")
    return (*chosen, *more) if every else chosen


def allows(family: str, method: str) -> bool:
    """Whether the architecture can take the method's prompt."""
    return not (family in OWN_ATTENTION and method.startswith("prefix"))


def config_of(family: str) -> PreTrainedConfig:
    """A fresh config of a family: two layers, four heads, 32 wide, no dropout."""
    match family:
        case "bert":
            return BertConfig(**SHAPE, **IDS, **SILENT)
        case "roberta":
            return RobertaConfig(**SHAPE, **IDS, **SILENT)
        case "electra":
            return ElectraConfig(**SHAPE, **IDS, **SILENT, embedding_size=32)
        case "albert":
            return AlbertConfig(
                **SHAPE, **IDS, **SILENT, embedding_size=32, classifier_dropout_prob=0.0
            )
        case "deberta-v2":
            attention = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
            return DebertaV2Config(**SHAPE, **IDS, **SILENT, **attention, pooler_dropout=0.0)
        case "modernbert":
            around = {"cls_token_id": 1, "sep_token_id": 2}
            return ModernBertConfig(**SHAPE, **IDS, **around, local_attention=8)
        case "distilbert":
            silent = {"dropout": 0.0, "attention_dropout": 0.0}
            silent |= {"seq_classif_dropout": 0.0, "qa_dropout": 0.0}
            shape = {"vocab_size": len(VOCABULARY), "dim": 32, "n_layers": 2, "n_heads": 4}
            return DistilBertConfig(
                **shape, **silent, hidden_dim=48, max_position_embeddings=64, pad_token_id=PAD
            )
        case "gpt2":
            silent = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
            silent |= {"summary_first_dropout": 0.0, "classifier_dropout": 0.0}
            shape = {"vocab_size": len(VOCABULARY), "n_embd": 32, "n_layer": 2, "n_head": 4}
            return GPT2Config(**shape, **silent, **IDS, n_positions=64)
        case "llama":
            grouped = {"num_key_value_heads": 2, "head_dim": 8}
            return LlamaConfig(**SHAPE, **IDS, **grouped, classifier_dropout=0.0)
        case "bart":
            layers = {"encoder_layers": 2, "decoder_layers": 2}
            heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
            return BartConfig(
                **layers,
                **heads,
                **IDS,
                vocab_size=len(VOCABULARY),
                d_model=32,
                encoder_ffn_dim=48,
                decoder_ffn_dim=48,
                max_position_embeddings=64,
                dropout=0.0,
                decoder_start_token_id=2,
                forced_eos_token_id=None,
            )
        case "t5":
            shape = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
            return T5Config(
                **shape,
                vocab_size=len(VOCABULARY),
                dropout_rate=0.0,
                decoder_start_token_id=PAD,
                pad_token_id=PAD,
                eos_token_id=2,
            )
    raise ValueError(f"expected a family out of {', '.join(FAMILIES)}, got {family!r}")


def model_of(family: str, task: str) -> PreTrainedModel:
    """A fresh model of a family for a task, always with the same weights, in evaluation mode."""
    config = config_of(family)
    if task not in WRITTEN:
        config.num_labels = 2 if task == "question answering" else LABELS
    torch.manual_seed(0)
    model: PreTrainedModel = AUTO[task].from_config(config)
    torch.manual_seed(0)  # again, since a head has drawn more or less: the trunks are alike
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 2 and "norm" not in name.lower():
                weight.normal_(0.0, 0.15)
    return model.eval()


def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    """One token a word, with the special tokens that the family puts around a text."""
    inner = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single=AROUND.get(family, "<s> $A </s>"), special_tokens=[("<s>", 1), ("</s>", 2)]
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
