"""Steps: what a flow is given to ask its prompts by, for the run of one example."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from afina.errors import CallError, InputError, UnreadableError
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver
from afina.lm.reply import Missing, Reply
from afina.lm.request import Request
from afina.program.trace import Turn
from afina.solver import Value, Values

Ask = Callable[[Sequence[Request]], list[Reply | Missing]]
Flow = Callable[["Steps", Values], Values]
DRAWS = 1000  # of one flow or prompt, at most


@dataclass(frozen=True)
class Asking:
    """A prompt in its labels' words, and how its replies are read."""

    solver: PromptSolver
    worded: Prompt


@dataclass(frozen=True)
class Steps:
    """The steps of a program by name: prompts to ask and parts to run; each asking is a turn."""

    askings: Mapping[str, Asking]
    line: Ask
    turns: list[Turn] = field(default_factory=list)
    parts: Mapping[str, Flow] = field(default_factory=dict)
    prefix: str = ""  # of the part whose flow has these steps
    draw: int = 0  # tells runs of one flow apart that shall be answered anew
    stride: int = 1  # between the draws of what runs inside this one
    temperature: float | None = None  # None: as the prompts' settings say

    def __call__(self, name: str, /, **inputs: Value) -> Values:
        """Take the step of a name.

        Raises:
            InputError: there is no such step, or it lacks an input.
            CallError: the model gave no reply.
            UnreadableError: its reply is not what the step's outputs are.
        """
        if name in self.parts:
            return self.parts[name](self.inside(name), inputs)
        return self.ask(name, inputs)

    def ask(
        self, name: str, inputs: Values, *, repeat: int = 0, temperature: float | None = None
    ) -> Values:
        """Ask a prompt; ``repeat`` tells equal askings apart that shall be answered anew.

        Raises:
            InputError: there is no such prompt, or it lacks an input.
            CallError: the model gave no reply.
            UnreadableError: its reply is not what the prompt's outputs are.
        """
        (turn,) = self.taken(name, inputs, [repeat], temperature)
        if turn.outputs is None:
            raise unreadable(turn)
        return turn.outputs

    def sample(
        self, name: str, inputs: Values, *, count: int, temperature: float | None = None
    ) -> list[Values]:
        """Ask a prompt several times at once; replies that cannot be read are left out.

        Raises:
            InputError: there is no such prompt, or it lacks an input.
            CallError: a call failed.
            UnreadableError: no reply can be read.
        """
        turns = self.taken(name, inputs, range(count), temperature)
        found = [turn.outputs for turn in turns if turn.outputs is not None]
        if not found:
            raise unreadable(turns[0])
        return found

    def taken(
        self, name: str, inputs: Values, repeats: Sequence[int], temperature: float | None
    ) -> list[Turn]:
        """A turn for each repeat; raises CallError once all are noted where one failed."""
        asking = self.asking(name)
        row = own_inputs(self.prefix + name, asking.worded, inputs)
        request = asking.solver.request(asking.worded, row)
        heat = self.temperature if temperature is None else temperature
        if heat is not None:
            request = replace(request, temperature=heat)
        repeats = [self.draw + self.stride * repeat for repeat in repeats]
        replies = self.line([replace(request, repeat=repeat) for repeat in repeats])
        turns = [
            turn_of(self.prefix + name, asking, row, reply, repeat)
            for reply, repeat in zip(replies, repeats, strict=True)
        ]
        self.turns.extend(turns)
        for reply in replies:
            if isinstance(reply, Missing):
                raise CallError(reply.reason, attempts=reply.attempts)
        return turns

    def asking(self, name: str) -> Asking:
        """The prompt of a name; raises InputError where there is none."""
        whole = self.prefix + name
        if whole not in self.askings:
            size = len(self.prefix)
            own = [each[size:] for each in self.askings if each.startswith(self.prefix)]
            known = [*self.parts, *(each for each in own if "." not in each)]
            raise InputError(f"expected a step out of {', '.join(known)}, got {name!r}")
        return self.askings[whole]

    def drawn(self, draw: int, temperature: float | None) -> "Steps":
        """The same steps for another run of what may be asked by chance."""
        heat = self.temperature if temperature is None else temperature
        mark = self.draw + self.stride * draw
        return replace(self, draw=mark, stride=self.stride * DRAWS, temperature=heat)

    def inside(self, part: str) -> "Steps":
        """The steps of a part."""
        return replace(self, prefix=f"{self.prefix}{part}.", parts={})

    def joined(self, parts: Mapping[str, Flow]) -> "Steps":
        """The same steps, and parts to run by name."""
        return replace(self, parts=parts)


def own_inputs(name: str, prompt: Prompt, inputs: Values) -> Values:
    """A prompt's inputs out of those given; raises InputError where one is not there."""
    wanted = [field.name for field in prompt.signature.inputs]
    for each in wanted:
        if each not in inputs:
            raise InputError(
                f"the step {name!r} expected the input {each!r}, came "
                f"{', '.join(inputs) or 'none'}; give it one"
            )
    return {each: inputs[each] for each in wanted}


def turn_of(name: str, asking: Asking, row: Values, reply: Reply | Missing, repeat: int) -> Turn:
    """A reply as a turn."""
    found = asking.solver.prediction(asking.worded, row, reply)
    return Turn(
        prompt=name,
        inputs=row,
        text=None if isinstance(reply, Missing) else reply.text,
        outputs=found.outputs,
        usage=found.usage,
        seconds=found.seconds,
        reason=found.reason,
        repeat=repeat,
        replayed=isinstance(reply, Reply) and reply.replayed,
    )


def unreadable(turn: Turn) -> UnreadableError:
    """The error for a reply that was no answer."""
    said = (turn.text or "")[:80]
    return UnreadableError(f"the reply to {turn.prompt!r} cannot be read, {turn.reason}: {said!r}")
