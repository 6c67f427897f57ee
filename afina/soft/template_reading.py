"""How a template and an example's inputs become token ids, a vector's place among them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from afina.backbones.frozen import Frozen
from afina.backbones.injection import slot
from afina.errors import InputError, ModelError
from afina.soft.reading import Read
from afina.soft.template import Mask, Named, Piece, Slots, Template, Words, check_signature
from afina.solver import Value, Values
from afina.task.signature import Signature

# What a text is written behind, to see how it goes on: behind words it may go on in the last one.
AFTER_WORDS = ("a", ".", "1")
AFTER_VECTOR = (".", "a", "1")


@dataclass(frozen=True)
class Space:
    """What stands directly in front of a text: a space or nothing, behind what has come so far."""

    text: str
    after: tuple[str, ...]  # examples of it; none where no words have come yet

    def encode(self, frozen: Frozen, text: str) -> list[int]:
        """The ids of a text at this place; an empty one has none, not even for the space."""
        if not text:
            return []
        if not self.after and not self.text:
            return frozen.encode(text)
        return behind(frozen, self.text + text, self.after or AFTER_VECTOR)


@dataclass(frozen=True)
class Blank:
    """The place of an input's value in a row."""

    name: str
    space: Space


@dataclass(frozen=True)
class TemplateReader:
    """Reads inputs for one model by a template.

    ``room`` is how many tokens a row may have, vectors included. Where values are too long the
    longest lose their ends, and the row says how many tokens; the template's own words stay whole.
    What stands in a value is text, whatever it looks like.
    """

    frozen: Frozen
    signature: Signature
    room: int
    template: Template

    def __post_init__(self) -> None:
        check_signature(self.template, self.signature)
        taken = sum(len(part) for part in self._parts if isinstance(part, list))
        if self.room < taken + len(self.template.names):
            raise ModelError(
                f"the template takes {taken} places and leaves no room for the text: "
                f"{self.frozen.name} has {self.room} for a row; shorten the template"
            )

    def read(self, inputs: Values) -> Read:
        """A row's tokens; the k-th vector's place is ``slot(k)``."""
        parts = self._parts
        texts = [
            part.space.encode(self.frozen, _text(inputs[part.name]))
            for part in parts
            if isinstance(part, Blank)
        ]
        lengths = [len(text) for text in texts]
        own = sum(len(part) for part in parts if isinstance(part, list))
        kept = fitted(lengths, self.room - own)
        values = (text[:length] for text, length in zip(texts, kept, strict=True))
        row = [part if isinstance(part, list) else next(values) for part in parts]
        return Read([token for part in row for token in part], cut=sum(lengths) - sum(kept))

    def empty(self) -> list[int]:
        """The row of inputs that are empty."""
        return [token for part in self._parts if isinstance(part, list) for token in part]

    def answer(self, word: str) -> list[int]:
        """The ids of a word at the answer's place.

        Raises:
            InputError: the word has none.
        """
        tokens = self._answer_space.encode(self.frozen, word)
        if not tokens:
            raise InputError(f"expected a word that {self.frozen.name} can read, got {word!r}")
        return tokens

    @cached_property
    def _placed(self) -> list[tuple[Piece, Space]]:
        return list(placed(self.template))

    @property
    def _answer_space(self) -> Space:
        """Where there is no mask, the answer stands behind all, with a space where none is."""
        for piece, space in self._placed:
            if isinstance(piece, Mask):
                return space
        last = self.template.pieces[-1]
        broken = isinstance(last, Words) and last.text[-1] != " " and last.text[-1].isspace()
        return Space("" if broken else " ", AFTER_WORDS)

    @cached_property
    def _parts(self) -> list[list[int] | Blank]:
        """The template's own tokens, and the places of values between them."""
        parts: list[list[int] | Blank] = []
        slots = 0
        for piece, space in self._placed:
            match piece:
                case Slots(count):
                    parts.append([slot(slots + number) for number in range(count)])
                    slots += count
                case Named(name):
                    parts.append(Blank(name, space))
                case Words(text):
                    parts.append(space.encode(self.frozen, text))
                case Mask() if self.frozen.kind == "encoder":
                    parts.append([mask_of(self.frozen)])
        return parts


def placed(template: Template) -> Iterator[tuple[Piece, Space]]:
    """The pieces, each with what stands in front of it.

    Tokenizers that mark spaces mark them in front of a word, so the space at the end of a piece
    goes to the next one; a vector has no spelling and takes it away.
    """
    space = ""
    after: tuple[str, ...] = ()
    for piece in template.pieces:
        match piece:
            case Words(text):
                whole = space + text
                text = whole.removesuffix(" ")
                if text:
                    yield Words(text), Space("", after)
                    after = AFTER_WORDS
                space = whole[len(text) :]
            case Named():
                yield piece, Space(space, after)
                space, after = "", AFTER_WORDS
            case Slots() | Mask():
                yield piece, Space(space, after)
                space = ""
                if after or piece == Mask():
                    after = AFTER_VECTOR


def behind(frozen: Frozen, text: str, fronts: Sequence[str]) -> list[int]:
    """The ids of a text as it is written behind one of several others.

    Tokenizers differ in what they do with a space, and put one of their own in front of a text, so
    the ids are read off a text with another in front of it.
    """
    for front in fronts:
        before, both = frozen.encode(front), frozen.encode(front + text)
        if both[: len(before)] == before:
            return both[len(before) :]
    return frozen.encode(text)


def fitted(lengths: Sequence[int], room: int) -> list[int]:
    """How many tokens of each text are kept: the longest are cut, all to one length.

    >>> fitted([5, 2, 9], 12)
    [5, 2, 5]
    >>> fitted([5, 2], 12)
    [5, 2]
    """
    kept = [0] * len(lengths)
    for done, at in enumerate(sorted(range(len(lengths)), key=lengths.__getitem__)):
        kept[at] = min(lengths[at], (room - sum(kept)) // (len(lengths) - done))
    return kept


def mask_of(frozen: Frozen) -> int:
    """The id of the mask token.

    Raises:
        ModelError: the tokenizer has none.
    """
    mask = frozen.tokenizer.mask_token_id
    if mask is None:
        raise ModelError(f"{frozen.name} has no mask token; use answer=head")
    return int(mask)


def _text(value: Value) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)
