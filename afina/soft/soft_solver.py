"""A tuned soft prompt as a solver."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone, with_precision
from afina.backbones.decoder import Decoder
from afina.backbones.injection import Embeddings, Injection
from afina.errors import ArtefactError, MismatchError, SignatureError
from afina.soft.answer import Answer, Answered, HeadAnswer, LabelWords, Writing
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Read, Reader
from afina.solver import Packed, Prediction, Usage, Values
from afina.task.signature import Signature

ROWS = 32  # rows in a batch


@dataclass(frozen=True)
class SoftSolver:
    """Answers by a backbone with a soft prompt in front of every row."""

    backbone: Backbone
    reader: Reader
    prompt: Embeddings | None
    answer: Answer
    parameters: int
    ready: Injection | None  # what the backbone takes: the prompt, absorbed where it can be

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row; rows of like length share a batch."""
        reads = [self.reader.read(row) for row in inputs]
        predictions: list[Prediction] = [Prediction(None)] * len(reads)
        for places in batches_by_length(reads):
            for place, prediction in zip(
                places, self._batch([reads[place] for place in places]), strict=True
            ):
                predictions[place] = prediction
        return predictions

    def _batch(self, reads: Sequence[Read]) -> Iterator[Prediction]:
        start = time.perf_counter()
        with torch.no_grad():
            answered = self.answer.answer(self.backbone, reads, [self.ready] * len(reads))
        seconds = (time.perf_counter() - start) / len(reads)
        for read, each in zip(reads, answered, strict=True):
            yield self._prediction(read, each, seconds)

    def _prediction(self, read: Read, answered: Answered, seconds: float) -> Prediction:
        value, evidence = answered
        frozen = self.reader.frozen
        length = self.prompt.length if self.prompt else 0
        tokens = len(read.tokens) + length + len(frozen.lead) + len(frozen.trail)
        if read.cut:
            evidence = {**evidence, "tokens_cut": read.cut}
        outputs = {self.reader.signature.target.name: value}
        return Prediction(outputs, evidence, Usage(1, tokens), seconds)

    def pack(self) -> Packed:
        """The prompt, the head and what they belong to."""
        frozen = self.reader.frozen
        settings: dict[str, object] = {
            "model": frozen.name,
            "digest": frozen.digest,
            "precision": str(frozen.precision).removeprefix("torch."),
            "signature": str(self.reader.signature),
            "room": self.reader.room,
            "tail": list(self.reader.tail),
            "length": self.prompt.length if self.prompt else 0,
        }
        arrays = {}
        if self.prompt is not None:
            arrays["prompt"] = self.prompt.vectors.detach().cpu().numpy()
        match self.answer:
            case HeadAnswer(head=head, labels=labels):
                settings |= {"answer": "head", "labels": list(labels)}
                arrays["head.weight"] = head.weight.detach().cpu().numpy()
                arrays["head.bias"] = head.bias.detach().cpu().numpy()
            case LabelWords(labels=labels, tokens=tokens):
                settings |= {"answer": "label-words", "labels": list(labels), "words": tokens}
            case Writing(tokens=tokens):
                settings |= {"answer": "writing", "tokens": tokens}
        return Packed("soft", settings, arrays)


def make_solver(
    backbone: Backbone, reader: Reader, *, prompt: Embeddings | None, answer: Answer
) -> SoftSolver:
    """A solver; a causal decoder's prompt is absorbed once, here."""
    ready: Injection | None = prompt
    if prompt is not None and isinstance(backbone, Decoder):
        with torch.no_grad():
            ready = backbone.absorb(prompt)
    trained = 0 if prompt is None else prompt.vectors.numel()
    if isinstance(answer, HeadAnswer):
        trained += sum(parameter.numel() for parameter in answer.parameters())
    return SoftSolver(backbone, reader, prompt, answer, trained, ready)


def batches_by_length(reads: Sequence[Read]) -> list[list[int]]:
    """Places of rows of like length, at most ROWS together."""
    order = sorted(range(len(reads)), key=lambda place: len(reads[place].tokens))
    return [order[start : start + ROWS] for start in range(0, len(order), ROWS)]


def unpack(packed: Packed, backbone: Backbone) -> SoftSolver:
    """The solver that was packed, on the backbone it belongs to.

    Raises:
        MismatchError: the backbone is another.
        ArtefactError: a field or an array is missing or of the wrong shape.
    """
    facts, frozen = packed.settings, backbone.frozen
    if facts.get("digest") != frozen.digest:
        raise MismatchError(
            f"the prompt was tuned on {facts.get('model')!r} with weights "
            f"{str(facts.get('digest'))[:12]}…, but {frozen.name} has {frozen.digest[:12]}…; "
            "load the model it was tuned on"
        )
    arrays = finite(packed)
    backbone = with_precision(backbone, str(facts.get("precision")))
    try:
        signature = Signature.parse(str(facts["signature"]))
        reader = Reader(frozen, signature, _integer(facts["room"]), _integers(facts["tail"]))
        length = _integer(facts["length"])
        shape = (length, frozen.width)
        prompt = Embeddings(_array(arrays, "prompt", shape)) if length else None
        answer = _answer(facts, arrays, frozen.hidden)
    except (KeyError, TypeError, ValueError, SignatureError) as error:
        raise ArtefactError(f"the bundle lacks or garbles {error}; tune the prompt anew") from error
    return make_solver(backbone, reader, prompt=prompt, answer=answer)


def finite(packed: Packed) -> dict[str, Tensor]:
    """The arrays as tensors.

    Raises:
        ArtefactError: a number is NaN or infinite.
    """
    arrays = {name: torch.from_numpy(array.copy()) for name, array in packed.arrays.items()}
    if not all(bool(array.isfinite().all()) for array in arrays.values()):
        raise ArtefactError("the bundle holds NaN or infinite numbers; tune the prompt anew")
    return arrays


def _answer(facts: Mapping[str, object], arrays: Mapping[str, Tensor], width: int) -> Answer:
    match facts["answer"]:
        case "head":
            labels = _labels(facts)
            weight = _array(arrays, "head.weight", (len(labels), width))
            bias = _array(arrays, "head.bias", (len(labels),))
            return HeadAnswer(ClassificationHead(weight, bias), labels)
        case "label-words":
            labels, words = _labels(facts), _list(facts["words"])
            if len(words) != len(labels):
                raise ValueError(f"words for {len(labels)} labels, of which it has {len(words)}")
            return LabelWords(labels, [list(_integers(word)) for word in words])
        case "writing":
            return Writing(_integer(facts["tokens"]))
    raise ValueError(f"answer {facts['answer']!r}")


def _array(arrays: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    array = arrays[name]
    if array.dtype != torch.float32 or tuple(array.shape) != shape:
        raise ValueError(f"{name}, {array.dtype} of {tuple(array.shape)}, not float32 of {shape}")
    return array


def _labels(facts: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(label) for label in _list(facts["labels"]))


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r}, which should be a whole number")
    return value


def _integers(value: object) -> tuple[int, ...]:
    return tuple(_integer(part) for part in _list(value))


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r}, which should be a list")
    return value
