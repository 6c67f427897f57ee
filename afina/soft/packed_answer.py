"""An answer as arrays and settings, and back."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from afina.backbones.frozen import Frozen
from afina.backbones.projection import answer_width
from afina.soft.answer import Answer, HeadAnswer, LabelWords, Writing
from afina.soft.heads import ClassificationHead
from afina.soft.number_answer import NumberAnswer, Scale
from afina.soft.packed_arrays import array_of, flag, integer, integers, labels_in, list_of, number
from afina.soft.span_answer import Limits, SpanAnswer, SpanHead
from afina.soft.token_answer import TokenAnswer
from afina.soft.token_reading import tags_of
from afina.soft.verbalizer import LearnedVerbalizer, Verbalizer
from afina.solver import Packed


def pack_answer(answer: Answer) -> Packed:
    """The numbers of an answer, and what else it needs."""
    facts: dict[str, object]
    match answer:
        case HeadAnswer(head=head, labels=labels):
            facts = {"answer": "head", "labels": list(labels)}
            return Packed("head", facts, _arrays(head))
        case TokenAnswer(head=head, labels=labels):
            facts = {"answer": "tokens", "labels": list(labels)}
            return Packed("tokens", facts, _arrays(head))
        case SpanAnswer(head=head, limits=limits):
            return Packed("spans", {"answer": "spans", **asdict(limits)}, _arrays(head))
        case NumberAnswer(head=head, scale=scale):
            return Packed("number", {"answer": "number", **asdict(scale)}, _arrays(head))
        case Verbalizer(labels=labels, words=words, empty=empty):
            facts = {"answer": "verbalizer", "labels": list(labels), "words": words, "empty": empty}
            return Packed("verbalizer", facts)
        case LearnedVerbalizer(labels=labels, vectors=vectors):
            found = {"verbalizer": vectors.detach().cpu().numpy()}
            return Packed("learned", {"answer": "learned", "labels": list(labels)}, found)
        case LabelWords(labels=labels, tokens=tokens):
            facts = {"answer": "label-words", "labels": list(labels), "words": tokens}
            return Packed("label-words", facts)
        case Writing(tokens=tokens):
            return Packed("writing", {"answer": "writing", "tokens": tokens})
    raise AssertionError(answer)


def _arrays(head: nn.Module) -> dict[str, NDArray[np.float32]]:
    return {f"head.{name}": part.cpu().numpy() for name, part in head.state_dict().items()}


def unpack_answer(
    facts: Mapping[str, object], arrays: Mapping[str, Tensor], frozen: Frozen
) -> Answer:
    """The answer that was packed.

    Raises:
        KeyError, TypeError, ValueError: something is missing or of the wrong shape.
    """
    hidden = frozen.hidden
    match facts["answer"]:
        case "head":
            labels = labels_in(facts)
            return HeadAnswer(_head(arrays, len(labels), hidden), labels)
        case "tokens":
            labels = labels_in(facts)
            return TokenAnswer(_head(arrays, len(tags_of(labels)), hidden), labels)
        case "spans":
            names = {"weight": (2, hidden), "null_weight": (2, hidden), "null_bias": (2,)}
            parts = [array_of(arrays, f"head.{name}", shape) for name, shape in names.items()]
            limits = Limits(integer(facts["pieces"]), flag(facts["unanswerable"]))
            return SpanAnswer(SpanHead(*parts), limits)
        case "number":
            scale = Scale(number(facts["mean"]), number(facts["deviation"]), flag(facts["whole"]))
            return NumberAnswer(_head(arrays, 1, hidden), scale)
        case "verbalizer":
            return _verbalizer(facts)
        case "learned":
            labels = labels_in(facts)
            vectors = array_of(arrays, "verbalizer", (len(labels), answer_width(frozen)))
            return LearnedVerbalizer(labels, vectors, scale=1.0)
        case "label-words":
            labels, words = labels_in(facts), list_of(facts["words"])
            if len(words) != len(labels):
                raise ValueError(f"words for {len(labels)} labels, of which it has {len(words)}")
            return LabelWords(labels, [list(integers(word)) for word in words])
        case "writing":
            return Writing(integer(facts["tokens"]))
    raise ValueError(f"answer {facts['answer']!r}")


def _verbalizer(facts: Mapping[str, object]) -> Verbalizer:
    labels, words, empty = labels_in(facts), list_of(facts["words"]), facts["empty"]
    found = [[list(integers(word)) for word in list_of(each)] for each in words]
    if len(found) != len(labels) or not all(each and all(each) for each in found):
        raise ValueError(f"words for {len(labels)} labels, of which it has {words!r}")
    return Verbalizer(labels, found, empty=None if empty is None else list(integers(empty)))


def _head(arrays: Mapping[str, Tensor], outputs: int, hidden: int) -> ClassificationHead:
    weight = array_of(arrays, "head.weight", (outputs, hidden))
    return ClassificationHead(weight, array_of(arrays, "head.bias", (outputs,)))
