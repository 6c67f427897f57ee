"""An episode: one task put into words, with rows of it; a conversation is made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from afina.hard.prompt import Prompt, user_template
from afina.hard.template import Template
from afina.lm.request import Message
from afina.task.example import Example
from afina.task.signature import Choice, Field, Integer, Signature, Text

Row = tuple[str, ...]  # the inputs in order, and the answer behind them


@dataclass(frozen=True)
class Episode:
    """A signature and rows; the rows are examples of each other.

    ``taught`` says that the answers follow from the instruction; where they do not, only the rows
    before tell a reader what is wanted.
    """

    signature: Signature
    rows: tuple[Row, ...]
    taught: bool = True

    @classmethod
    def of(
        cls,
        inputs: Sequence[str],
        output: str,
        rows: Sequence[Row],
        *,
        instruction: str = "",
        labels: Sequence[str] = (),
        number: bool = False,
        taught: bool = True,
    ) -> "Episode":
        """An episode whose answers are labels, whole numbers or texts."""
        kind = Choice(tuple(labels)) if labels else Integer() if number else Text()
        fields = tuple(Field(name, Text()) for name in inputs)
        return cls(Signature(fields, (Field(output, kind),), instruction), tuple(rows), taught)

    def examples(self) -> tuple[Example, ...]:
        """The rows as examples of the signature."""
        names, target = [field.name for field in self.signature.inputs], self.signature.target.name
        return tuple(
            Example(dict(zip(names, row[:-1], strict=True)), {target: row[-1]}, "")
            for row in self.rows
        )


def conversation(episode: Episode, draw: Random) -> list[Message]:
    """All rows as turns, mostly laid out as the written prompts of Afina are."""
    *shown, last = episode.examples()
    prompt = laid_out(episode.signature, draw, bare=not episode.taught or len(shown) > 3)
    prompt = replace(prompt, demonstrations=tuple(shown))
    said = prompt.messages(last.inputs)
    return [*said, Message("assistant", episode.rows[-1][-1])]


def laid_out(signature: Signature, draw: Random, *, bare: bool) -> Prompt:
    """A prompt for a signature: as it stands by default, or in another form.

    ``bare`` allows one that says nothing of what is wanted.
    """
    prompt = Prompt.of(signature)
    form = draw.random()
    if form < 0.7:
        return prompt
    if form < 0.8:  # the form of an answer goes unsaid
        return replace(prompt, system=Template("{{ instruction }}"))
    if form < 0.9:  # the task stands before the row
        asked = Template.verbatim(signature.instruction).text
        gap = "\n" if asked else ""
        user = Template(f"{asked}{gap}{user_template(signature).text}")
        return replace(prompt, system=Template("{{ form }}"), user=user)
    fields = [f"{{{{ {field.name} }}}}" for field in signature.inputs]
    if bare and form < 0.95:  # nothing but rows
        return Prompt(signature, Template(""), Template("\n".join(fields)))
    return replace(prompt, user=Template("\n".join(fields)))
