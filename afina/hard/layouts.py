"""Layouts: one written prompt in several forms that mean the same.

How a prompt is laid out alone can move a score by many points (Sclar et al. 2023, "Quantifying
language models' sensitivity to spurious features in prompt design",
https://arxiv.org/abs/2310.11324). They draw from a grammar of separators and cases; we take a few
fixed ones, and the labels in the other order.
"""

from dataclasses import dataclass, replace

from afina.errors import InputError
from afina.hard.prompt import Prompt, user_template
from afina.hard.template import Template
from afina.task.signature import Choice, Signature


@dataclass(frozen=True)
class Layout:
    """How a row's inputs stand: the case of names, what follows a name, what parts the fields."""

    case: str = "as is"  # or capital, upper
    colon: str = ": "
    between: str = "\n"


LAYOUTS = {
    "capital": Layout("capital"),
    "upper": Layout("upper", ":: "),
    "equals": Layout("as is", " = "),
    "own lines": Layout("as is", ":\n", "\n\n"),
    "bars": Layout("as is", ": ", " | "),
}


def layouts(prompt: Prompt) -> dict[str, Prompt]:
    """The prompt as it is, laid out anew in each way, and with its labels the other way round.

    Raises:
        InputError: its user part is not the one that its signature gives.
    """
    signature = prompt.signature
    if prompt.user != user_template(signature):
        raise InputError(
            "expected a prompt whose user part is its signature's, came one with a template of its "
            "own; only those zero-shot and few-shot write can be laid out anew"
        )
    found = {"as written": prompt}
    for name, layout in LAYOUTS.items():
        found[name] = replace(prompt, user=laid_out(signature, layout))
    if isinstance(signature.target.type, Choice):
        found["labels turned"] = replace(prompt, signature=turned(signature))
    return found


def laid_out(signature: Signature, layout: Layout) -> Template:
    """The user part of a signature in a layout; the target's name last, where it is alone."""
    fields = [
        f"{cased(each.name, layout.case)}{layout.colon}{{{{ {each.name} }}}}"
        for each in signature.inputs
    ]
    if len(signature.outputs) == 1:
        fields.append(cased(signature.target.name, layout.case) + layout.colon.rstrip())
    return Template(layout.between.join(fields))


def cased(name: str, case: str) -> str:
    """A field's name in a case.

    >>> cased("review", "capital"), cased("review", "upper"), cased("review", "as is")
    ('Review', 'REVIEW', 'review')
    """
    match case:
        case "capital":
            return name.capitalize()
        case "upper":
            return name.upper()
    return name


def turned(signature: Signature) -> Signature:
    """The signature with its labels named in the other order."""
    target = signature.target
    assert isinstance(target.type, Choice)
    other = replace(target, type=Choice(tuple(reversed(target.type.labels))))
    return replace(signature, outputs=(*signature.outputs[:-1], other))
