"""A chain: prompts, programs and plain functions one after the other; the simplest of flows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from afina.errors import InputError
from afina.hard.prompt import Prompt
from afina.program.program import Program, joined
from afina.program.steps import Steps
from afina.solver import Values
from afina.task.signature import Signature

Function = Callable[[Values], Values]
Link = tuple[str, Prompt | Program] | Function


@dataclass(frozen=True)
class Chain:
    """Links in their order; each reads all values so far and adds its own.

    A prompt or a program has a name, under which it becomes a step; a function has none.

    >>> def double(values):
    ...     return {"text": values["text"] * 2}
    >>> tell = Prompt.of(Signature.parse("text -> mood: good | bad"))
    >>> chain = Chain.of(double) | Chain.of(tell=tell)
    >>> list(chain.program("twice", Signature.parse("text -> mood: good | bad")).prompts)
    ['tell']
    """

    links: tuple[Link, ...]

    @classmethod
    def of(cls, *functions: Function, **steps: Prompt | Program) -> "Chain":
        """A chain of functions, then of prompts and programs by their names."""
        return cls((*functions, *steps.items()))

    def __or__(self, other: "Chain | Function") -> "Chain":
        """The chain with a function, or another chain's links, behind it."""
        return Chain((*self.links, *(other.links if isinstance(other, Chain) else (other,))))

    def program(self, name: str, signature: Signature) -> Program:
        """The program that runs the links in turn.

        Raises:
            InputError: two links have one name.
        """
        steps: dict[str, Prompt | Program] = {}
        for link in self.links:
            if isinstance(link, tuple):
                if link[0] in steps:
                    raise InputError(f"the name {link[0]!r} stands twice: give each its own")
                steps[link[0]] = link[1]
        return joined(name, signature, steps, self.flow)

    def flow(self, steps: Steps, values: Values) -> Values:
        """The values and all that the links added; a later one replaces an earlier one.

        Raises:
            InputError: a function returned no mapping.
            CallError: a step gave nothing.
        """
        found = dict(values)
        for link in self.links:
            found.update(steps(link[0], **found) if isinstance(link, tuple) else added(link, found))
        return found


def added(function: Function, values: Values) -> Values:
    """What a function adds; raises InputError where it is no mapping."""
    given = function(dict(values))
    if not isinstance(given, Mapping):
        name = getattr(function, "__name__", repr(function))
        raise InputError(f"expected the values that {name} adds, came {given!r}")
    return given
