"""How an example's inputs, and the answers wanted of it, become token ids."""

from dataclasses import dataclass, field, replace

from afina.backbones.frozen import Frozen
from afina.errors import InputError
from afina.solver import Value, Values
from afina.task.signature import Choice, Signature, Spans, Text
from afina.task.task import Task


@dataclass(frozen=True)
class Read:
    """A row of tokens, how many did not fit, and what is wanted of it."""

    tokens: list[int]
    cut: int = 0
    target: list[int] = field(default_factory=list)
    label: int = -1


@dataclass(frozen=True)
class Reader:
    """Reads inputs for one model: the text, then a tail such as ``sentiment:``.

    ``room`` is how many tokens text and tail may take; a longer text loses its end, and the row
    says how much. ``tail`` are ids, empty where a head answers.
    """

    frozen: Frozen
    signature: Signature
    room: int
    tail: tuple[int, ...] = ()

    def read(self, inputs: Values) -> Read:
        """Tokens of the inputs alone."""
        tokens = self.frozen.encode(written(self.signature, inputs))
        fit = max(self.room - len(self.tail), 1)
        return Read([*tokens[:fit], *self.tail], cut=max(len(tokens) - fit, 0))


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


def labelled_rows(task: Task, reader: Reader, labels: tuple[str, ...]) -> list[Read]:
    """The training rows with the place of each one's label."""
    name = task.signature.target.name
    return [
        replace(reader.read(example.inputs), label=labels.index(str(example.outputs[name])))
        for example in task.train
    ]
