"""A prompt: what a model reads, as a frozen value: system part, user template, demonstrations."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from afina.errors import ArtefactError, InputError
from afina.hard import marked
from afina.hard.form import answer, form
from afina.hard.template import Template
from afina.lm.request import Message
from afina.solver import Values
from afina.task.example import Example
from afina.task.signature import Choice, Field, Signature, TextList
from afina.task.value import read_value

SYSTEM = Template("{{ instruction }}{% if instruction and form %}\n\n{% endif %}{{ form }}")
PARTS = ("system", "user")
Layout = Literal["lines", "marked"]


@dataclass(frozen=True)
class Prompt:
    """A system part that stays, a user template that each row fills, and examples between them.

    The system part may name ``instruction`` and ``form``, which are the signature's, and inputs.
    ``open`` names the parts that may be overridden; all others are locked. Where ``layout`` is
    ``marked`` both parts are DSPy's, and follow from the signature alone.

    >>> signature = Signature.parse("review -> mood: good | bad", instruction="Tell the mood.")
    >>> shown = Example.of({"review": "Loved it."}, {"mood": "good"})
    >>> prompt = Prompt.of(signature, (shown,))
    >>> for message in prompt.messages({"review": "A bore."}):
    ...     print(message.role, "|", message.content.replace("\\n", " / "))
    system | Tell the mood. /  / Answer only with one of: good | bad
    user | review: Loved it. / mood:
    assistant | good
    user | review: A bore. / mood:
    >>> print("".join(prompt.flat({"review": "A bore."})))
    Tell the mood.
    <BLANKLINE>
    review: Loved it.
    mood: good
    <BLANKLINE>
    review: A bore.
    mood:

    Raises: InputError where a template names an unknown field, an example lacks a value, or a part
    that is to be open is unknown.
    """

    signature: Signature
    system: Template
    user: Template
    demonstrations: tuple[Example, ...] = ()
    open: tuple[str, ...] = ()
    layout: Layout = "lines"

    def __post_init__(self) -> None:
        for part in self.open:
            if part not in PARTS:
                raise InputError(f"expected open parts out of {', '.join(PARTS)}, came {part!r}")
        inputs = [field.name for field in self.signature.inputs]
        lists = [field.name for field in self.signature.inputs if field.type == TextList()]
        checked("system", self.system, [*inputs, "instruction", "form"], lists)
        checked("user", self.user, inputs, lists)
        for example in self.demonstrations:
            for name, values in [
                *((name, example.inputs) for name in inputs),
                (self.signature.target.name, example.outputs),
            ]:
                if name not in values:
                    raise InputError(f"the example {example.id!r} lacks {name!r}; leave it out")

    @classmethod
    def of(
        cls,
        signature: Signature,
        demonstrations: tuple[Example, ...] = (),
        *,
        open: tuple[str, ...] = (),  # noqa: A002  the field's name
    ) -> "Prompt":
        """The prompt that a signature gives: its instruction, and a line an input."""
        return cls(signature, SYSTEM, user_template(signature), demonstrations, open)

    def messages(self, inputs: Values) -> tuple[Message, ...]:
        """A conversation up to the row; raises InputError where an input is missing."""
        return (*self.opening(inputs), self.turn(inputs))

    def opening(self, inputs: Values | None = None) -> tuple[Message, ...]:
        """The system part, if it says anything, and a turn of each side an example."""
        if self.layout == "marked":
            return (Message("system", marked.system(self.signature)), *self.shown)
        system = self.said(form(self.signature), inputs or {})
        return ((Message("system", system),) if system else ()) + self.shown

    @cached_property
    def shown(self) -> tuple[Message, ...]:
        """The examples as turns; made once, since every row begins with them."""
        if self.layout == "marked":
            return marked.turns(self.signature, self.demonstrations)
        turns: list[Message] = []
        for example in self.demonstrations:
            turns.append(self.turn(example.inputs))
            turns.append(Message("assistant", answer(self.signature, example.outputs)))
        return tuple(turns)

    def turn(self, inputs: Values) -> Message:
        """A row as the user's turn."""
        if self.layout == "marked":
            return Message("user", marked.row(self.signature, inputs))
        return Message("user", self.user.render(inputs))

    def said(self, form: str, inputs: Values) -> str:
        """The system part with a form; inputs count only where it names them."""
        own = {"instruction": self.signature.instruction, "form": form}
        return self.system.render({**inputs, **own})

    @property
    def fixed(self) -> bool:
        """Whether the system part is the same for all rows."""
        return set(self.system.names) <= {"instruction", "form"}

    def flat(self, inputs: Values) -> tuple[str, str]:
        """Plain text for a model without turns: what all rows share, and the row.

        The row ends where the answer begins. Plain text has no turns that could hold a row's text
        apart from the examples; a model with turns should get ``messages``.
        """
        if self.fixed:
            return self.front, self.back(inputs)
        return "", self._front(inputs) + self.back(inputs)

    @cached_property
    def front(self) -> str:
        """What all rows share of the plain text; read once and kept by a local model.

        Raises:
            InputError: the system part names an input, so rows share nothing.
        """
        return self._front({})

    def _front(self, inputs: Values) -> str:
        if self.layout == "marked":
            return "".join(f"{each.content}\n\n" for each in self.opening())
        system = self.said("", inputs)
        blocks = [system] if system else []
        for example in self.demonstrations:
            row = self.user.render(example.inputs)
            gap = "\n" if len(self.signature.outputs) > 1 else "" if row[-1:].isspace() else " "
            blocks.append(row + gap + answer(self.signature, example.outputs))
        return "".join(f"{block}\n\n" for block in blocks)

    def back(self, inputs: Values) -> str:
        """The row as plain text, up to where the answer begins."""
        row, outputs = self.turn(inputs).content, self.signature.outputs
        bare = len(outputs) == 1 or self.layout == "marked"
        return row if bare else f"{row}\n{outputs[0].name}:"

    def in_words(self, words: Mapping[str, str]) -> "Prompt":
        """The prompt whose labels read as the words that stand for them, in examples too.

        Raises:
            SignatureError: two labels have one word.
        """
        target = self.signature.target
        if not isinstance(target.type, Choice) or not words:
            return self
        labels = tuple(words.get(label, label) for label in target.type.labels)
        outputs = (*self.signature.outputs[:-1], replace(target, type=Choice(labels)))
        examples = []
        for example in self.demonstrations:
            label = str(example.outputs[target.name])
            worded = {**example.outputs, target.name: words.get(label, label)}
            examples.append(replace(example, outputs=worded))
        signature = replace(self.signature, outputs=outputs)
        return replace(self, signature=signature, demonstrations=tuple(examples))

    def with_user(self, text: str) -> "Prompt":
        """The prompt with another user template; raises InputError where that part is locked."""
        return replace(self.unlocked("user"), user=Template(text))

    def with_system(self, text: str) -> "Prompt":
        """The prompt with another system part; raises InputError where that part is locked."""
        return replace(self.unlocked("system"), system=Template(text))

    def unlocked(self, part: str) -> "Prompt":
        """The prompt itself; raises InputError unless the part is open."""
        if part not in self.open:
            raise InputError(
                f"the {part} part of this prompt is locked; open are: "
                f"{', '.join(self.open) or 'none'}; name it in the prompt's open parts to allow it"
            )
        return self

    @property
    def digest(self) -> str:
        """The sha256 of all that the prompt is."""
        text = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, object]:
        """The prompt as plain JSON."""
        fields = [*self.signature.inputs, *self.signature.outputs]
        layout = {} if self.layout == "lines" else {"layout": self.layout}
        return layout | {
            "signature": str(self.signature),
            "instruction": self.signature.instruction,
            "descriptions": {each.name: each.description for each in fields if each.description},
            "system": self.system.text,
            "user": self.user.text,
            "demonstrations": [example_to_json(each) for each in self.demonstrations],
            "open": list(self.open),
        }

    @classmethod
    def from_json(cls, data: object) -> "Prompt":
        """The prompt that ``to_json`` gave; raises ArtefactError where it is damaged."""
        match data:
            case {
                "signature": str(text),
                "instruction": str(instruction),
                "descriptions": dict(descriptions),
                "system": str(system),
                "user": str(user),
                "demonstrations": list(shown),
                "open": list(parts),
                **rest,
            }:
                try:
                    signature = described(Signature.parse(text, instruction), descriptions)
                    examples = tuple(example_of(each, signature) for each in shown)
                    layout = read_layout(rest.get("layout", "lines"))
                    return cls(
                        signature, Template(system), Template(user), examples, tuple(parts), layout
                    )
                except (InputError, ValueError) as error:
                    raise ArtefactError(f"the prompt cannot be read: {error}") from error
        raise ArtefactError("expected a prompt as JSON, came another shape; write it anew")


def read_layout(name: object) -> Layout:
    """The layout of a name; raises ValueError where there is none."""
    match name:
        case "lines" | "marked":
            return name
    raise ValueError(f"expected the layout lines or marked, came {name!r}")


def user_template(signature: Signature) -> Template:
    """A line an input; the target's name last, where it is the only output."""
    lines = [f"{field.name}: {{{{ {field.name} }}}}" for field in signature.inputs]
    if len(signature.outputs) == 1:
        lines.append(f"{signature.target.name}:")
    return Template("\n".join(lines))


def checked(part: str, template: Template, names: list[str], lists: list[str]) -> None:
    """Refuse a template that names what is not there; raises InputError with its part and line."""
    try:
        template.check(names, lists)
    except InputError as error:
        raise InputError(f"{part} template, {error}") from error


def described(signature: Signature, descriptions: Mapping[object, object]) -> Signature:
    """The signature with its fields' descriptions."""

    def side(fields: tuple[Field, ...]) -> tuple[Field, ...]:
        return tuple(
            replace(each, description=str(descriptions.get(each.name, ""))) for each in fields
        )

    return replace(signature, inputs=side(signature.inputs), outputs=side(signature.outputs))


def example_to_json(example: Example) -> dict[str, object]:
    """An example as plain JSON."""
    return {
        "inputs": dict(example.inputs),
        "outputs": dict(example.outputs),
        "id": example.id,
        "group": example.group,
    }


def example_of(data: object, signature: Signature) -> Example:
    """An example from JSON, each value as its field's type; raises ValueError."""
    match data:
        case {
            "inputs": dict(inputs),
            "outputs": dict(outputs),
            "id": str(name),
            "group": str(group),
        }:
            kinds = {each.name: each.type for each in (*signature.inputs, *signature.outputs)}
            for each in (*inputs, *outputs):
                if each not in kinds:
                    raise ValueError(f"an example has {each!r}, which the signature has not")
            return Example(
                {each: read_value(kinds[each], raw) for each, raw in inputs.items()},
                {each: read_value(kinds[each], raw) for each, raw in outputs.items()},
                name,
                group,
            )
    raise ValueError("expected an example with inputs, outputs, id and group")
