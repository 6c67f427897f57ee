"""An answer as arrays and settings, and back."""

from collections.abc import Mapping

from torch import Tensor

from afina.soft.answer import Answer, HeadAnswer, LabelWords, Writing
from afina.soft.heads import ClassificationHead
from afina.soft.packed_arrays import array_of, integer, integers, labels_in, list_of
from afina.solver import Packed


def pack_answer(answer: Answer) -> Packed:
    """The numbers of an answer, and what else it needs."""
    match answer:
        case HeadAnswer(head=head, labels=labels):
            arrays = {
                "head.weight": head.weight.detach().cpu().numpy(),
                "head.bias": head.bias.detach().cpu().numpy(),
            }
            return Packed("head", {"answer": "head", "labels": list(labels)}, arrays)
        case LabelWords(labels=labels, tokens=tokens):
            facts = {"answer": "label-words", "labels": list(labels), "words": tokens}
            return Packed("label-words", facts)
        case Writing(tokens=tokens):
            return Packed("writing", {"answer": "writing", "tokens": tokens})
    raise AssertionError(answer)


def unpack_answer(facts: Mapping[str, object], arrays: Mapping[str, Tensor], hidden: int) -> Answer:
    """The answer that was packed; ``hidden`` is the size of the model's states.

    Raises:
        KeyError, TypeError, ValueError: something is missing or of the wrong shape.
    """
    match facts["answer"]:
        case "head":
            labels = labels_in(facts)
            weight = array_of(arrays, "head.weight", (len(labels), hidden))
            bias = array_of(arrays, "head.bias", (len(labels),))
            return HeadAnswer(ClassificationHead(weight, bias), labels)
        case "label-words":
            labels, words = labels_in(facts), list_of(facts["words"])
            if len(words) != len(labels):
                raise ValueError(f"words for {len(labels)} labels, of which it has {len(words)}")
            return LabelWords(labels, [list(integers(word)) for word in words])
        case "writing":
            return Writing(integer(facts["tokens"]))
    raise ValueError(f"answer {facts['answer']!r}")
