"""How an example's inputs, and the answers wanted of it, become token ids."""

from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from afina.backbones.frozen import Frozen
from afina.errors import InputError
from afina.solver import Value, Values
from afina.task.signature import Choice, Signature, Spans, Text
from afina.task.task import Task


@dataclass(frozen=True)
class Words:
    """The words that a row is asked about: where each begins, and the tag wanted of it."""

    places: list[int]  # of the first pieces among the row's tokens
    tags: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Passage:
    """The stretch of a context that a row holds."""

    text: str  # the whole context
    start: int  # of the first piece among the row's tokens
    pieces: list[tuple[int, int]]  # the characters of each
    wanted: list[tuple[int, int]] = field(default_factory=list)  # first and last piece of answers
    unanswerable: bool = False  # no answer is wanted anywhere in the context


@dataclass(frozen=True)
class Likely:
    """What a model found likeliest at each place of a row's target: tokens and probabilities."""

    tokens: Int[Tensor, "W k"]
    shares: Float[Tensor, "W k"]


@dataclass(frozen=True)
class Read:
    """A row of tokens, how many did not fit, and what is wanted of it.

    What does not fit in one row may be read in windows, of which ``tokens`` then holds all.
    """

    tokens: list[int]
    cut: int = 0
    target: list[int] = field(default_factory=list)
    label: int = -1
    number: float = 0.0
    marks: Words | Passage | Likely | None = None
    windows: tuple["Read", ...] = ()


@runtime_checkable
class Reading(Protocol):
    """Reads inputs for one model."""

    @property
    def frozen(self) -> Frozen:
        """The model."""

    @property
    def signature(self) -> Signature:
        """The inputs' names."""

    @property
    def room(self) -> int:
        """How many tokens a row may take."""

    def read(self, inputs: Values) -> Read:
        """Tokens of the inputs alone."""


@dataclass(frozen=True)
class Reader:
    """Reads inputs for one model: the text, then a tail such as ``sentiment:``.

    ``room`` is how many tokens text and tail may take; a longer text loses its end, and the row
    says how much. ``tail`` are ids, empty where a head answers. An encoder then reads two texts as
    it was trained to, with its separator between; of two that are too long the longer is cut.
    """

    frozen: Frozen
    signature: Signature
    room: int
    tail: tuple[int, ...] = ()

    def read(self, inputs: Values) -> Read:
        """Tokens of the inputs alone."""
        if not self.tail and reads_pairs(self.frozen, self.signature):
            return self._pair(inputs)
        tokens = self.frozen.encode(written(self.signature, inputs))
        fit = max(self.room - len(self.tail), 1)
        return Read([*tokens[:fit], *self.tail], cut=max(len(tokens) - fit, 0))

    def _pair(self, inputs: Values) -> Read:
        first, second = (
            self.frozen.encode(str(inputs[name.name])) for name in self.signature.inputs
        )
        between = separator(self.frozen)
        fit = max(self.room - len(between), 0)
        front = first[: max(-(-fit // 2), fit - len(second))]
        back = second[: fit - len(front)]
        cut = len(first) + len(second) - len(front) - len(back)
        return Read([*front, *between, *back], cut=cut)


def reads_pairs(frozen: Frozen, signature: Signature) -> bool:
    """Whether inputs are two texts, and the model an encoder with a separator for them."""
    texts = [name for name in signature.inputs if name.type == Text()]
    pair = len(texts) == len(signature.inputs) == 2
    return pair and frozen.kind == "encoder" and frozen.tokenizer.sep_token_id is not None


def separator(frozen: Frozen) -> tuple[int, ...]:
    """What the tokenizer puts between the texts of a pair; nothing where it has no separator."""
    mark = frozen.tokenizer.sep_token_id
    if mark is None:
        return ()
    pair = list(frozen.tokenizer("a", "a")["input_ids"])
    return (mark,) * max(pair.count(mark) - [*frozen.lead, *frozen.trail].count(mark), 1)


def written(signature: Signature, inputs: Values) -> str:
    """Inputs as text: the value alone where there is one, else a line a name.

    >>> written(Signature.parse("context, question -> answer"), {"context": "a", "question": "b"})
    'context: a\\nquestion: b'
    """
    values = [(name.name, _text(inputs[name.name])) for name in signature.inputs]
    if len(values) == 1:
        return values[0][1]
    return "\n".join(f"{name}: {value}" for name, value in values)


def _text(value: Value) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def labels_of(signature: Signature) -> tuple[str, ...]:
    """The labels of the target.

    Raises:
        InputError: the target is no choice.
    """
    if not isinstance(signature.target.type, Choice):
        raise InputError(
            f"expected a target that is a choice of labels, got {str(signature.target)!r}; "
            "write it as name: a | b"
        )
    return signature.target.type.labels


def check_written(signature: Signature) -> None:
    """Refuse a target whose values cannot be read back from what a model writes.

    Raises:
        InputError: the target is no choice, text or bare spans.
    """
    match signature.target.type:
        case Choice() | Text() | Spans(()):
            return
    raise InputError(
        f"expected a target that is a choice, a text or bare spans, got "
        f"{str(signature.target)!r}; a local model writes no other"
    )


def labelled_rows(task: Task, reader: Reading, labels: tuple[str, ...]) -> list[Read]:
    """The training rows with the place of each one's label."""
    name = task.signature.target.name
    return [
        replace(reader.read(example.inputs), label=labels.index(str(example.outputs[name])))
        for example in task.train
    ]
