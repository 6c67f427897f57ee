"""A program: named prompts under a plain Python function."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from afina.errors import ArtefactError, InputError, MismatchError
from afina.hard.prompt import Prompt
from afina.program.steps import Flow, Steps
from afina.solver import Values
from afina.task.signature import Signature


@dataclass(frozen=True)
class Program:
    """Prompts by name, and the flow that asks them for a row of the whole program's inputs.

    ``built`` is plain JSON by which a flow of ours is made again; empty: the flow is its author's.

    >>> whole = Signature.parse("text -> mood: good | bad")
    >>> prompts = {
    ...     "shorten": Prompt.of(Signature.parse("text -> summary")),
    ...     "tell": Prompt.of(Signature.parse("summary -> mood: good | bad")),
    ... }
    >>> def flow(steps, values):
    ...     short = steps("shorten", text=values["text"])
    ...     return steps("tell", summary=short["summary"])
    >>> program = Program("summary first", whole, prompts, flow)
    >>> list(program.prompts)
    ['shorten', 'tell']

    Raises: InputError where a name has a space or stands for nothing.
    """

    name: str
    signature: Signature
    prompts: Mapping[str, Prompt]
    flow: Flow = field(compare=False)
    built: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.prompts:
            if not all(part.isidentifier() for part in name.split(".")):
                raise InputError(
                    f"expected a prompt's name of letters, digits and _, got {name!r}; rename it"
                )

    def with_prompt(self, name: str, prompt: Prompt) -> "Program":
        """The program with another prompt in the place of one.

        Raises:
            InputError: there is none of that name.
            MismatchError: the other has other fields.
        """
        if name not in self.prompts:
            raise InputError(f"expected a prompt out of {', '.join(self.prompts)}, got {name!r}")
        was, now = fields_of(self.prompts[name]), fields_of(prompt)
        if was != now:
            raise MismatchError(
                f"expected a prompt with the fields {', '.join(was)} as {name!r}, got one with "
                f"{', '.join(now)}; its flow would not find them"
            )
        return replace(self, prompts={**self.prompts, name: prompt})

    @property
    def digest(self) -> str:
        """The sha256 of all that the program is but its author's flow."""
        text = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, object]:
        """The program as plain JSON; the flow of its author is not in it."""
        return {
            "name": self.name,
            "signature": Prompt.of(self.signature).to_json(),
            "built": dict(self.built),
            "prompts": {name: prompt.to_json() for name, prompt in self.prompts.items()},
        }

    @classmethod
    def from_json(cls, data: object, flow: Flow) -> "Program":
        """The program that ``to_json`` gave, with its flow; raises ArtefactError if damaged."""
        match data:
            case {
                "name": str(name),
                "signature": dict(whole),
                "built": dict(built),
                "prompts": dict(prompts),
            }:
                read = {str(each): Prompt.from_json(prompts[each]) for each in prompts}
                return cls(name, Prompt.from_json(whole).signature, read, flow, built)
        raise ArtefactError("expected a program as JSON, came another shape; write it anew")


def fields_of(prompt: Prompt) -> list[str]:
    """A prompt's inputs and outputs as a line each."""
    return [str(each) for each in (*prompt.signature.inputs, *prompt.signature.outputs)]


def joined(
    name: str, signature: Signature, parts: Mapping[str, Program | Prompt], flow: Flow
) -> Program:
    """One program of prompts and programs, each a step of the flow by its name.

    The prompts of a part are called ``part.prompt``.
    """
    prompts: dict[str, Prompt] = {}
    flows: dict[str, Flow] = {}
    for part, each in parts.items():
        if isinstance(each, Prompt):
            prompts[part] = each
        else:
            prompts |= {f"{part}.{own}": prompt for own, prompt in each.prompts.items()}
            flows[part] = each.flow

    def whole(steps: Steps, values: Values) -> Values:
        return flow(steps.joined(flows), values)

    return Program(name, signature, prompts, whole)
