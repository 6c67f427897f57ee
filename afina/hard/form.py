"""The form of an answer: how a prompt asks for it, and how an example of it is written."""

import json

from afina.hard.template import plain
from afina.solver import Value, Values
from afina.task.signature import (
    Boolean,
    Choice,
    Field,
    Integer,
    Number,
    Signature,
    Spans,
    Text,
    TextList,
    written,
)


def form(signature: Signature) -> str:
    """What is said about the outputs wanted; nothing where one text without description is.

    >>> form(Signature.parse("review -> mood: good | bad"))
    'Answer only with one of: good | bad'
    >>> print(form(Signature.parse("question -> reasoning, answer: int")))
    Answer in these lines, each behind its name:
    reasoning: a text
    answer: a whole number
    """
    if len(signature.outputs) == 1:
        target = signature.target
        bare = target.type == Text() and not target.description
        return "" if bare else f"Answer only with {kind(target)}"
    lines = [f"{field.name}: {kind(field)}" for field in signature.outputs]
    return "\n".join(["Answer in these lines, each behind its name:", *lines])


def kind(field: Field) -> str:
    """What an output is, in words, with its description."""
    match field.type:
        case Text():
            words = "a text"
        case Integer():
            words = "a whole number"
        case Number():
            words = "a number"
        case Boolean():
            words = "true or false"
        case TextList():
            words = "a JSON list of texts"
        case Choice(()):
            words = "one label"
        case Choice(labels):
            words = f"one of: {written(labels)}"
        case Spans(()):
            words = "words that stand in the text, or [] where none answers"
        case Spans(labels):
            words = f"a JSON list of [first word, end, label], label one of: {written(labels)}"
    return f"{words} ({field.description})" if field.description else words


def answer(signature: Signature, outputs: Values) -> str:
    """An example's outputs as a model should write them; the reader reads them back.

    >>> answer(Signature.parse("question -> reasoning, answer: int"), {"answer": 3})
    'answer: 3'
    """
    fields = [field for field in signature.outputs if field.name in outputs]
    if len(signature.outputs) == 1:
        return say(fields[0], outputs[fields[0].name])
    return "\n".join(f"{field.name}: {say(field, outputs[field.name])}" for field in fields)


def say(field: Field, value: Value) -> str:
    """One output as text: of the extracts accepted the first, lists and truths as JSON."""
    match field.type:
        case Spans(()) if isinstance(value, list) and value:
            return str(value[0])
        case TextList() | Spans() | Boolean():
            return json.dumps(value, ensure_ascii=False)
    return plain(value)
