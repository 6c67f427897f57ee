"""A tuned soft prompt as a solver."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from afina.backbones.backbone import Backbone, with_precision
from afina.backbones.decoder import Decoder
from afina.backbones.injection import Embeddings, Injection
from afina.errors import ArtefactError, InputError, MismatchError
from afina.soft.answer import Answer, Answered
from afina.soft.packed_answer import pack_answer, unpack_answer
from afina.soft.packed_arrays import finite
from afina.soft.packed_prompt import pack_prompt, unpack_prompt, unpack_shared
from afina.soft.packed_reader import pack_reader, unpack_reader
from afina.soft.reading import Read, Reading
from afina.solver import Packed, Prediction, Usage, Values

ROWS = 32  # rows in a batch


@dataclass(frozen=True)
class SoftSolver:
    """Answers by a backbone with a soft prompt in front of every row."""

    backbone: Backbone
    reader: Reading
    prompt: Injection | None
    answer: Answer
    parameters: int
    ready: Injection | None  # what the backbone takes: the prompt, absorbed where it can be
    shared: Tensor | None = None  # [P, H], where other tasks may start from; no part in answers

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
        if read.cut:
            evidence = {**evidence, "tokens_cut": read.cut}
        outputs = {self.reader.signature.target.name: value}
        return Prediction(outputs, evidence, Usage(1, self.tokens(read)), seconds)

    def tokens(self, read: Read) -> int:
        """How many places a row takes, with its prompt and the special tokens around it."""
        frozen = self.reader.frozen
        placed = isinstance(self.prompt, Embeddings) and self.prompt.anywhere  # in the row itself
        length = self.prompt.length if self.prompt and not placed else 0
        around = length + len(frozen.lead) + len(frozen.trail)
        return len(read.tokens) + around * max(len(read.windows), 1)

    def pack(self) -> Packed:
        """The prompt, the head and what they belong to."""
        frozen = self.reader.frozen
        settings: dict[str, object] = {
            "model": frozen.name,
            "digest": frozen.digest,
            "precision": str(frozen.precision).removeprefix("torch."),
            **pack_reader(self.reader),
        }
        prompt, answer = pack_prompt(self.prompt), pack_answer(self.answer)
        arrays = {**prompt.arrays, **answer.arrays}
        if self.shared is not None:
            arrays["shared"] = self.shared.cpu().numpy()
        return Packed("soft", {**settings, **prompt.settings, **answer.settings}, arrays)


def make_solver(
    backbone: Backbone, reader: Reading, *, prompt: Injection | None, answer: Answer
) -> SoftSolver:
    """A solver; a causal decoder's prompt is absorbed once, here."""
    ready: Injection | None = prompt
    if isinstance(prompt, Embeddings) and not prompt.anywhere and isinstance(backbone, Decoder):
        with torch.no_grad():
            ready = backbone.absorb(prompt)
    kept = sum(array.size for array in pack_prompt(prompt).arrays.values())
    if isinstance(answer, nn.Module):
        kept += sum(parameter.numel() for parameter in answer.parameters())
    return SoftSolver(backbone, reader, prompt, answer, kept, ready)


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
        reader = unpack_reader(facts, frozen)
        prompt = unpack_prompt(facts, arrays, backbone)
        answer = unpack_answer(facts, arrays, frozen)
        shared = unpack_shared(arrays, frozen.width)
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise ArtefactError(f"the bundle lacks or garbles {error}; tune the prompt anew") from error
    return replace(make_solver(backbone, reader, prompt=prompt, answer=answer), shared=shared)
