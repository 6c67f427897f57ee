"""A written prompt: an instruction and demonstrations that every request shares, then the row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.signature import Signature


@dataclass(frozen=True)
class Prompt:
    """Plain text in a fixed layout: the instruction, a block an example, the open block.

    >>> signature = Signature.parse("review -> mood: good | bad", instruction="Tell the mood.")
    >>> prompt = Prompt(signature, (Example.of({"review": "Loved it."}, {"mood": "good"}),))
    >>> print(prompt.front + prompt.back({"review": "A bore."}))
    Tell the mood.
    <BLANKLINE>
    review: Loved it.
    mood: good
    <BLANKLINE>
    review: A bore.
    mood:
    """

    signature: Signature
    demonstrations: tuple[Example, ...] = ()

    @property
    def front(self) -> str:
        """What all requests share; read once and kept by a local model."""
        target = self.signature.target.name
        blocks = [self.signature.instruction] if self.signature.instruction else []
        for example in self.demonstrations:
            answer = _text(example.outputs[target])
            blocks.append(f"{self._inputs(example.inputs)}\n{target}: {answer}")
        return "".join(f"{block}\n\n" for block in blocks)

    def in_words(self, words: Mapping[str, str]) -> "Prompt":
        """The prompt whose examples answer by a label's word where it has one of its own."""
        name = self.signature.target.name
        shown = []
        for example in self.demonstrations:
            answer = example.outputs[name]
            word = words.get(answer, answer) if isinstance(answer, str) else answer
            shown.append(replace(example, outputs={**example.outputs, name: word}))
        return replace(self, demonstrations=tuple(shown))

    def back(self, inputs: Values) -> str:
        """The row, up to where the answer begins."""
        return f"{self._inputs(inputs)}\n{self.signature.target.name}:"

    def _inputs(self, inputs: Values) -> str:
        names = [field.name for field in self.signature.inputs]
        return "\n".join(f"{name}: {_text(inputs[name])}" for name in names)


def _text(value: Value) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def choose_demonstrations(
    examples: Sequence[Example], signature: Signature, *, count: int, order: Sequence[int]
) -> tuple[Example, ...]:
    """The first ``count`` examples in a given order, one label after the other.

    ``order`` is a permutation of places; each turn takes the next example of each label, so the
    labels are balanced. Where the target is no choice every answer is a label of its own.
    """
    target = signature.target.name
    waiting: dict[str, list[Example]] = {}
    for place in order:
        waiting.setdefault(str(examples[place].outputs[target]), []).append(examples[place])
    turns = max((len(group) for group in waiting.values()), default=0)
    rounds = [
        group[turn] for turn in range(turns) for group in waiting.values() if turn < len(group)
    ]
    return tuple(rounds[:count])
