"""The encoder-decoder that ships reads its prompt: it answers with the labels that are told."""

from afina.backbones.backbone import load_backbone
from afina.backbones.local_lm import LocalLM
from afina.lm.lm import ask
from afina.lm.reply import Reply
from afina.lm.request import Message, Request

LABELS = (("positive", "negative"), ("weather", "job"), ("A", "B"), ("up", "down"), ("cat", "dog"))
TEXTS = ("the food was awful and cold", "a lovely film with great songs", "it rained all day")


def test_it_answers_with_the_labels_that_are_told() -> None:
    """The texts are the same for all; broken where the prompt does not come to the encoder."""
    lm = LocalLM(load_backbone("builtin:tiny-seq2seq"))
    told = [
        f"Choose the class of the text.\n\nAnswer only with one of: {' | '.join(labels)}"
        for labels in LABELS
    ]
    requests = [
        Request(
            (Message("system", system), Message("user", f"text: {text}\nclass:")), max_tokens=12
        )
        for system in told
        for text in TEXTS
    ]
    replies = ask(lm, requests)
    said = [each.text.strip() if isinstance(each, Reply) else "" for each in replies]
    wanted = [labels for labels in LABELS for _ in TEXTS]
    held = [answer in labels for answer, labels in zip(said, wanted, strict=True)]
    assert sum(held) >= 13, list(zip(said, wanted, strict=True))
