"""A chain: steps one after the other, each a plain function that adds values to those before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from afina.errors import CallError, InputError
from afina.hard.prompt import Prompt
from afina.hard.reader import read_answer
from afina.lm.request import Message
from afina.solver import Values

Step = Callable[[Values], Values]


@dataclass(frozen=True)
class Chain:
    """Steps in their order; a step reads all values so far and returns those it adds.

    >>> def halve(values):
    ...     return {"half": values["number"] / 2}
    >>> def say(values):
    ...     return {"answer": f"{values['number']} is twice {values['half']}"}
    >>> chain = Chain.of(halve) | say
    >>> chain({"number": 6})["answer"]
    '6 is twice 3.0'
    """

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, *steps: Step) -> "Chain":
        """A chain of these steps."""
        return cls(steps)

    def __or__(self, step: Step) -> "Chain":
        """The chain with another step, or another chain's steps, behind it."""
        return Chain((*self.steps, *(step.steps if isinstance(step, Chain) else (step,))))

    def __call__(self, inputs: Values) -> Values:
        """The inputs and all that the steps added; a later value replaces an earlier one.

        Raises:
            InputError: a step returned no mapping.
        """
        values = dict(inputs)
        for step in self.steps:
            added = step(dict(values))
            if not isinstance(added, Mapping):
                name = getattr(step, "__name__", repr(step))
                raise InputError(f"expected the values that {name} adds, came {added!r}")
            values.update(added)
        return values


def asking(prompt: Prompt, ask: Callable[[tuple[Message, ...]], str]) -> Chain:
    """A chain of one step, which asks a prompt; ``ask`` gives a model's text for messages.

    The step raises CallError where the text cannot be read as the prompt's outputs.
    """

    def step(values: Values) -> Values:
        text = ask(prompt.messages(values))
        reading = read_answer(text, prompt.signature, values)
        if reading.outputs is None:
            raise CallError(f"the reply cannot be read, {reading.reason}; it began {text[:80]!r}")
        return reading.outputs

    return Chain.of(step)
