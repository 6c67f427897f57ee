"""A transcript: a prompt as turns, each a role and a template; what all formats have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from afina.errors import InputError
from afina.hard import marked
from afina.hard.form import form
from afina.hard.interchange.pieces import pieces_of, template_of
from afina.hard.interchange.shown import example_of
from afina.hard.prompt import Prompt
from afina.hard.template import Template
from afina.lm.request import Message, Role
from afina.solver import Values
from afina.task.signature import Signature

INSTRUCTION = Template("{{ instruction }}")


@dataclass(frozen=True)
class Line:
    """A turn: who speaks, what it says, and where it stands in the file it came from."""

    role: Role
    template: Template
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class Transcript:
    """A system part or none, turns of examples, and the row's turn."""

    lines: tuple[Line, ...]

    def messages(self, inputs: Values) -> tuple[Message, ...]:
        """The turns for a row, a system part only where it says something.

        Raises:
            InputError: an input is missing.
        """
        turns = [Message(line.role, line.template.render(inputs)) for line in self.lines]
        return tuple(turn for turn in turns if turn.content or turn.role != "system")


def transcript_of(prompt: Prompt) -> Transcript:
    """A prompt as turns; the signature's instruction and form stand in the system part as texts.

    Raises:
        InputError: the system part names one of these beside a block on an input.
    """
    system, user = prompt.system, prompt.user
    if prompt.layout == "marked":
        names = {each.name: f"{{{{ {each.name} }}}}" for each in prompt.signature.inputs}
        system = Template.verbatim(marked.system(prompt.signature))
        user = Template(marked.row(prompt.signature, names))
    elif set(system.names) & {"instruction", "form"}:
        own = {"instruction": prompt.signature.instruction, "form": form(prompt.signature)}
        system = template_of(pieces_of(system, own))
    shown = [Line(each.role, Template.verbatim(each.content)) for each in prompt.shown]
    opening = [Line("system", system)] if system.text else []
    return Transcript((*opening, *shown, Line("user", user)))


def prompt_of(transcript: Transcript, signature: Signature) -> Prompt:
    """The prompt that says these turns for a signature's rows.

    A system part without fields becomes the signature's instruction, as optimisers have it.

    Raises:
        InputError: the turns are none of a prompt, they name what the signature has not, or a turn
            in the middle is no example of the last one.
    """
    lines = list(transcript.lines)
    system = lines.pop(0).template if lines and lines[0].role == "system" else Template("")
    check_turns(lines)
    *turns, last = lines
    check_fields(transcript, signature)
    pairs = zip(turns[::2], turns[1::2], strict=True)
    examples = []
    for ask, reply in pairs:
        place = (ask.place, reply.place)
        said = (ask.template.render({}), reply.template.render({}))
        examples.append(example_of(said, place, last.template, signature))
    if not system.names:
        signature, system = replace(signature, instruction=system.render({})), INSTRUCTION
    return Prompt(signature, system, last.template, tuple(examples))


def check_turns(lines: Sequence[Line]) -> None:
    """Refuse what is not user and assistant in turn, the user last."""
    for number, line in enumerate(lines):
        wanted = ("user", "assistant")[number % 2]
        if line.role != wanted:
            raise InputError(
                f"{line.place}: expected a turn of the {wanted}, came one of the {line.role}; "
                "a prompt has at most one system part, first, then examples as a turn of each side"
            )
        if number < len(lines) - 1 and line.template.names:
            raise InputError(
                f"{line.place}: expected an example's text, came the field "
                f"{line.template.names[0]!r}; only the system part and the last turn have fields"
            )
    if len(lines) % 2 == 0:
        place = lines[-1].place if lines else "the prompt"
        raise InputError(f"{place}: expected a turn of the user last, for the row; came none")


def check_fields(transcript: Transcript, signature: Signature) -> None:
    """Refuse fields that are no inputs, and a prompt that says the same to all rows."""
    inputs, used = [each.name for each in signature.inputs], set[str]()
    for line in transcript.lines:
        used |= set(line.template.names)
        for name in line.template.names:
            if name not in inputs:
                raise InputError(
                    f"{line.place}: expected the inputs of {signature}, came the field {name!r}; "
                    "call it as the task does"
                )
    if not used:
        place = transcript.lines[-1].place
        raise InputError(f"{place}: expected one of the inputs of {signature}, came none")
