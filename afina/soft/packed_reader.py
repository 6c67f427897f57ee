"""How inputs are read, as settings, and back."""

from collections.abc import Mapping

from afina.backbones.frozen import Frozen
from afina.soft.packed_arrays import integer, integers
from afina.soft.reading import Reader, Reading
from afina.soft.span_reading import SpanReader
from afina.soft.template import Template
from afina.soft.template_reading import TemplateReader
from afina.soft.token_reading import TokenReader, words_of
from afina.task.signature import Signature


def pack_reader(reader: Reading) -> dict[str, object]:
    """What a reader needs besides its model."""
    facts: dict[str, object] = {"signature": str(reader.signature), "room": reader.room}
    match reader:
        case Reader(tail=tail):
            return {**facts, "reading": "text", "tail": list(tail)}
        case TemplateReader(template=template):
            return {**facts, "reading": "template", "template": str(template)}
        case TokenReader():
            return {**facts, "reading": "tokens"}
        case SpanReader(context=context):
            return {**facts, "reading": "spans", "context": context}
    raise AssertionError(reader)


def unpack_reader(facts: Mapping[str, object], frozen: Frozen) -> Reading:
    """The reader that was packed; a bundle that names none is read as one text.

    Raises:
        KeyError, TypeError, ValueError: something is missing or of the wrong type.
        SignatureError, InputError: the signature is none, or none for this reader.
    """
    signature, room = Signature.parse(str(facts["signature"])), integer(facts["room"])
    match facts.get("reading", "text"):
        case "text":
            return Reader(frozen, signature, room, integers(facts["tail"]))
        case "template":
            template = Template.parse(str(facts["template"]))
            return TemplateReader(frozen, signature, room, template)
        case "tokens":
            words_of(signature)
            return TokenReader(frozen, signature, room)
        case "spans":
            context = str(facts["context"])
            if context not in [each.name for each in signature.inputs]:
                raise ValueError(f"context {context!r}")
            return SpanReader(frozen, signature, room, context)
    raise ValueError(f"reading {facts['reading']!r}")
