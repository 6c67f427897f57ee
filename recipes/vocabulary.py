"""One byte-level BPE tokenizer for the three built-in models, and the marks of our conversations.

A turn begins with its role's mark, an answer ends with ``</s>``. A space stands before the first
word of every text, so that a label is one word wherever it stands. Digits stand alone.
"""

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from afina.lm.request import Message

SIZE = 4096
PAD, START, END, MASK, SYSTEM, USER, ASSISTANT = range(7)
GAPS = 32  # marks of places to fill: an encoder-decoder's answer stands at the first
FIRST_GAP = 7
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIALS = [
    "<pad>",
    "<s>",
    "</s>",
    "<mask>",
    *ROLES.values(),
    *(f"<gap{place}>" for place in range(GAPS)),
]
TURNS = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}"
    "{% if message.role == 'assistant' %}</s>{% endif %}{% endfor %}"
)
HERE = {"decoder": "<|assistant|>", "seq2seq": "<gap0>"}  # where an answer belongs
AROUND = {"decoder": "<s> $A", "encoder": "<s> $A </s>", "seq2seq": "<s> $A </s>"}


def trained_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A tokenizer of SIZE tokens, learned from texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.Digits(True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def tokenizer_of(kind: str, tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer as a model of a kind loads it: decoder, encoder or seq2seq."""
    whole = Tokenizer.from_str(tokenizer.to_str())
    whole.post_processor = processors.TemplateProcessing(
        single=AROUND[kind], special_tokens=[("<s>", START), ("</s>", END)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=whole,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        mask_token="<mask>",
        additional_special_tokens=SPECIALS[SYSTEM:],
        clean_up_tokenization_spaces=False,
    )
    if kind == "encoder":
        fast.add_special_tokens({"cls_token": "<s>", "sep_token": "</s>"})
    else:
        lead = "{{ bos_token }}" if kind == "decoder" else ""
        asked = f"{{% if add_generation_prompt %}}{HERE[kind]}{{% endif %}}"
        fast.chat_template = lead + TURNS + asked
    return fast


def talk(messages: Sequence[Message]) -> str:
    """A conversation with its answers as one text, special tokens written out."""
    turns = "".join(
        f"{ROLES[each.role]}{each.content}{'</s>' if each.role == 'assistant' else ''}"
        for each in messages
    )
    return f"<s>{turns}"
