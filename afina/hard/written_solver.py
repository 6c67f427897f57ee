"""A written prompt on a local model as a solver: labels are scored, other answers are written."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from afina.backbones.backbone import Backbone, with_precision
from afina.backbones.decoder import Decoder
from afina.backbones.frozen import Tokens
from afina.backbones.injection import KeyValues
from afina.backbones.words import label_tokens
from afina.errors import (
    ArtefactError,
    InputError,
    MismatchError,
    ModelError,
)
from afina.hard.prompt import Prompt
from afina.solver import Packed, Prediction, Usage, Values
from afina.task.example import Example
from afina.task.signature import Choice, Signature, Spans, Text

ROWS = 32  # rows in a batch
LEAST = 16  # tokens a row must at least have room for
NEW_TOKENS = 48


@dataclass(frozen=True)
class WrittenSolver:
    """A decoder reads the shared front once and keeps it as keys and values; an encoder-decoder
    reads it with each row."""

    backbone: Backbone
    prompt: Prompt
    words: Mapping[str, str]
    front: tuple[int, ...]
    labels: tuple[list[int], ...]  # tokens a label; none where the answer is written
    ready: KeyValues | None = field(repr=False)

    @property
    def parameters(self) -> int:
        return 0

    @property
    def room(self) -> int:
        """How many tokens a row may take; an encoder-decoder answers in places of its own."""
        frozen = self.backbone.frozen
        answer = max((len(label) for label in self.labels), default=NEW_TOKENS)
        spare = answer if isinstance(self.backbone, Decoder) else 0
        around = len(frozen.lead) + len(frozen.trail) + len(self.front)
        return frozen.positions - around - spare

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row; rows of like length share a batch."""
        rows = [self._row(each) for each in inputs]
        order = sorted(range(len(rows)), key=lambda place: len(rows[place][0]))
        predictions: dict[int, Prediction] = {}
        for start in range(0, len(order), ROWS):
            places = order[start : start + ROWS]
            answered = self._batch([rows[place] for place in places])
            predictions.update(zip(places, answered, strict=True))
        return [predictions[place] for place in range(len(rows))]

    def _row(self, inputs: Values) -> tuple[list[int], int]:
        """The row's tokens; its inputs lose their end where there is no room for all."""
        frozen, room = self.backbone.frozen, self.room
        tokens = frozen.encode(self.prompt.back(inputs))
        if len(tokens) <= room:
            return tokens, 0
        tail = frozen.encode(f"\n{self.prompt.signature.target.name}:")
        return [*tokens[: room - len(tail)], *tail], len(tokens) - room

    def _batch(self, rows: Sequence[tuple[list[int], int]]) -> list[Prediction]:
        clock = time.perf_counter()
        tokens: list[Tokens] = [row for row, _ in rows]
        if self.ready is None:
            tokens = [[*self.front, *row] for row in tokens]
        answers = self._answers(tokens, [self.ready] * len(rows))
        seconds = (time.perf_counter() - clock) / len(rows)
        target = self.prompt.signature.target.name
        return [
            Prediction(
                {target: answer},
                {**evidence, **({"tokens_cut": cut} if cut else {})},
                Usage(1, len(self.front) + len(row)),
                seconds,
            )
            for (answer, evidence), (row, cut) in zip(answers, rows, strict=True)
        ]

    def _answers(
        self, rows: Sequence[Tokens], injections: Sequence[KeyValues | None]
    ) -> list[tuple[str, dict[str, object]]]:
        target = self.prompt.signature.target.type
        if isinstance(target, Choice):
            scores = self.backbone.choose(rows, self.labels, injections).softmax(dim=-1)
            return [_best(target.labels, each) for each in scores.tolist()]
        written = self.backbone.write(rows, injections, tokens=NEW_TOKENS)
        texts = [self.backbone.frozen.decode(ids).strip() for ids in written]
        return [(text.partition("\n")[0].strip(), {}) for text in texts]

    def pack(self) -> Packed:
        """The prompt as plain text and examples; there are no learned numbers."""
        frozen, signature = self.backbone.frozen, self.prompt.signature
        demonstrations = [
            {"inputs": dict(each.inputs), "outputs": dict(each.outputs), "id": each.id}
            for each in self.prompt.demonstrations
        ]
        settings: dict[str, object] = {
            "model": frozen.name,
            "digest": frozen.digest,
            "precision": str(frozen.precision).removeprefix("torch."),
            "signature": str(signature),
            "instruction": signature.instruction,
            "demonstrations": demonstrations,
            "words": dict(self.words),
        }
        return Packed("written", settings)


def make_solver(prompt: Prompt, backbone: Backbone, words: Mapping[str, str]) -> WrittenSolver:
    """A solver; a decoder absorbs the front once, here.

    Raises:
        ModelError: the model has no language-model head that could answer by words, or no room.
        InputError: the target is no choice, text or bare spans.
    """
    frozen = backbone.frozen
    if frozen.kind == "encoder":
        raise ModelError(
            f"{frozen.name} is an encoder and answers no written prompt; use a decoder or "
            "encoder-decoder, or a method with a head such as prompt-tuning"
        )
    target = prompt.signature.target
    match target.type:
        case Choice(names):
            labels = label_tokens(frozen, f"\n{target.name}:", names, words)
        case Text() | Spans(()):
            labels = []
        case _:
            raise InputError(
                f"expected a target that is a choice, a text or bare spans, got {str(target)!r}; "
                "a local model writes no other"
            )
    if len(prompt.signature.outputs) > 1:
        alone = replace(prompt.signature, outputs=(target,))
        prompt = Prompt.of(alone, prompt.demonstrations)
    text = prompt.in_words(words).front
    front = frozen.encode(text) if text else []
    solver = WrittenSolver(backbone, prompt, words, tuple(front), tuple(labels), None)
    if solver.room < LEAST:
        raise ModelError(
            f"the written prompt takes {len(front)} tokens and leaves room for {solver.room}, but "
            f"{frozen.name} has {frozen.positions} places; use fewer examples"
        )
    return (
        replace(solver, ready=backbone.absorb(front)) if isinstance(backbone, Decoder) else solver
    )


def _best(labels: Sequence[str], scores: Sequence[float]) -> tuple[str, dict[str, object]]:
    order = sorted(range(len(labels)), key=lambda place: -scores[place])
    evidence = {labels[place]: round(scores[place], 6) for place in order[:3]}
    return labels[order[0]], {"probabilities": evidence}


def unpack_written(packed: Packed, backbone: Backbone) -> WrittenSolver:
    """The solver that was packed, on the backbone it belongs to.

    Raises:
        MismatchError: the backbone is another.
        ArtefactError: a field is missing or garbled.
    """
    facts, frozen = packed.settings, backbone.frozen
    if facts.get("digest") != frozen.digest:
        raise MismatchError(
            f"the prompt was measured on {facts.get('model')!r}, but the weights of {frozen.name} "
            "are others; load the model it was measured on"
        )
    try:
        signature = Signature.parse(str(facts["signature"]), instruction=str(facts["instruction"]))
        kept = facts["demonstrations"]
        assert isinstance(kept, list)
        shown = tuple(Example(each["inputs"], each["outputs"], each["id"]) for each in kept)
        words = facts["words"]
        assert isinstance(words, dict)
        prompt = Prompt.of(signature, shown)
        backbone = with_precision(backbone, str(facts["precision"]))
    except (KeyError, TypeError, AssertionError, InputError) as error:
        raise ArtefactError(f"the bundle lacks or garbles {error}; tune it anew") from error
    return make_solver(prompt, backbone, words)
