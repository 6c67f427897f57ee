"""Reading a template: its words, fields and blocks, each checked and written anew for minijinja.

minijinja never sees what a user wrote. A template is read here by a grammar that has nothing but
fields and a few blocks; what is not in it is refused with its line. The source that minijinja gets
is put together from the parts that were read: every field goes by a name made here, and every text
of the template is a value like any other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from afina.errors import InputError

OPEN = re.compile(r"\{\{|\{%")
TOKEN = re.compile(
    r"\s+|(?P<name>[^\W\d]\w*)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>==|!=|\}\}|%\}|.)", re.DOTALL
)
WORDS = {"if", "elif", "else", "endif", "for", "endfor", "in", "and", "or", "not"}
SIGNS = {
    ".": "attributes",
    "[": "indices",
    "(": "calls",
    "|": "filters",
    "-": "marks for white space",
}
BLOCKS = "if, elif, else, endif, for NAME in NAME, or endfor"
DEEPEST = 20  # blocks inside blocks


class Use(NamedTuple):
    """A field where it is named, and whether it is looped over."""

    name: str
    line: int
    looped: bool


class Token(NamedTuple):
    """A name, a text in quotes or a sign inside a tag."""

    kind: str
    text: str


@dataclass(frozen=True)
class Parsed:
    """What minijinja renders: a source, the texts in it by name, the fields by name.

    A field ``f0`` that is written out is ``f0_text`` in the source, since minijinja writes some
    values otherwise than Python; ``f0_html`` where its text stands as HTML.
    """

    source: str
    texts: dict[str, str]
    fields: dict[str, str]  # name in the source -> name in the template
    uses: tuple[Use, ...]


class Block(NamedTuple):
    """A block that is open: its word, the line, a loop's own name, whether else was seen."""

    word: str
    line: int
    name: str = ""
    ended: bool = False


@dataclass
class Reader:
    """What was read so far; it lives while one template is read."""

    text: str
    parts: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)  # name in the template -> in the source
    uses: list[Use] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def line(self, place: int) -> int:
        return self.text.count("\n", 0, place) + 1

    def words(self, text: str) -> str:
        """The name that a text of the template goes by."""
        name = f"t{len(self.texts)}"
        self.texts[name] = text
        return name

    def field(self, name: str, line: int, *, looped: bool = False) -> str:
        """The name that a field goes by, or a loop's own name."""
        for depth, block in enumerate(self.blocks):
            if block.name == name:
                return f"l{depth}"
        if name in WORDS or name.startswith("_"):
            raise fault(line, "a field's name", name)
        self.uses.append(Use(name, line, looped))
        return self.fields.setdefault(name, f"f{len(self.fields)}")


def parse(text: str) -> Parsed:
    """Read a template; raises InputError with the line of what is not in the grammar."""
    reader, start = Reader(text), 0
    while found := OPEN.search(text, start):
        line = reader.line(found.start())
        tokens, end = inside(text, found, line)
        first, after = found.start(), end
        if found.group() == "{%":
            first, after = alone(text, first, end)
        add_words(reader, text[start : max(first, start)])
        if found.group() == "{{":
            reader.parts.append(f"{{{{ {shown(reader, tokens, line)} }}}}")
        else:
            reader.parts.append(f"{{% {block(reader, tokens, line)} %}}")
        start = after
    add_words(reader, text[start:])
    if reader.blocks:
        last = reader.blocks[-1]
        raise InputError(f"line {last.line}: the {last.word} is never closed; add end{last.word}")
    fields = {name: written for written, name in reader.fields.items()}
    return Parsed("".join(reader.parts), reader.texts, fields, tuple(reader.uses))


def add_words(reader: Reader, text: str) -> None:
    """Put a text of the template down, if there is any."""
    if text:
        reader.parts.append(f"{{{{ {reader.words(text)} }}}}")


def inside(text: str, opened: re.Match[str], line: int) -> tuple[list[Token], int]:
    """The tokens between the braces, and where what follows begins."""
    close = {"{{": "}}", "{%": "%}"}[opened.group()]
    tokens: list[Token] = []
    for found in TOKEN.finditer(text, opened.end()):
        if found.lastgroup is None:
            continue
        if found.group() == close:
            return tokens, found.end()
        if found.lastgroup == "sign" and found.group() not in ("==", "!="):
            if close == "%}" and tokens and tokens[0].text not in WORDS:
                raise fault(line, BLOCKS, tokens[0].text)
            raise fault(line, "names, texts in quotes, == or !=", found.group())
        tokens.append(Token(found.lastgroup, found.group()))
    raise InputError(
        f"line {line}: {opened.group()} is never closed; "
        f"""write {{{{ "{opened.group()}" }}}} where the braces themselves are meant"""
    )


def fault(line: int, expected: str, came: str) -> InputError:
    """The error for a token that does not belong where it stands."""
    what = f"; templates have no {SIGNS[came]}" if came in SIGNS else ""
    return InputError(f"line {line}: expected {expected}, came {came!r}{what}")


def alone(text: str, start: int, end: int) -> tuple[int, int]:
    """A block that stands alone on its line takes the line with it."""
    first = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", end)
    last = len(text) if stop < 0 else stop + 1
    if text[first:start].strip() or text[end:last].strip():
        return start, end
    return first, last


def shown(reader: Reader, tokens: list[Token], line: int) -> str:
    """A field, plain or as HTML, or a text in quotes."""
    match tokens:
        case [Token("name", name)]:
            written = reader.field(name, line)
            return f"{written}_text" if written in reader.fields.values() else written
        case [Token("name", name), Token("name", "as"), Token("name", "html")]:
            written = reader.field(name, line)
            if written in reader.fields.values():
                return f"{written}_html"
        case [Token("text", text)]:
            return reader.words(text[1:-1])
    came = " ".join(token.text for token in tokens)
    raise InputError(
        f"line {line}: expected one field's name or one text in quotes between {{{{ and }}}}, "
        f"came {came[:80]!r}"
    )


def block(reader: Reader, tokens: list[Token], line: int) -> str:
    """A block's tag; opens and closes blocks."""
    match [token.text for token in tokens]:
        case ["if", *_]:
            condition = " ".join(conditions(reader, tokens[1:], line))
            opened(reader, Block("if", line))
            return f"if {condition}"
        case ["elif", *_]:
            inner(reader, "elif", line)
            return f"elif {' '.join(conditions(reader, tokens[1:], line))}"
        case ["else"]:
            reader.blocks[-1] = inner(reader, "else", line)._replace(ended=True)
            return "else"
        case ["for", name, "in", source] if {tokens[1].kind, tokens[3].kind} == {"name"}:
            return loop(reader, name, source, line)
        case [("endif" | "endfor") as word]:
            if not reader.blocks or f"end{reader.blocks[-1].word}" != word:
                raise InputError(f"line {line}: {word} closes nothing that is open there")
            reader.blocks.pop()
            return word
        case [word, *_]:
            raise fault(line, BLOCKS, word)
    raise fault(line, BLOCKS, "nothing")


def loop(reader: Reader, name: str, source: str, line: int) -> str:
    """The tag of a loop; its own name stands for nothing else in the template."""
    looped = reader.field(source, line, looped=True)
    taken = {*WORDS, *reader.fields, *(each.name for each in reader.blocks)}
    if name in taken or name.startswith("_"):
        raise InputError(f"line {line}: the loop's name {name!r} is taken; give it one of its own")
    opened(reader, Block("for", line, name))
    return f"for l{len(reader.blocks) - 1} in {looped}"


def opened(reader: Reader, new: Block) -> None:
    """Open a block, if there are not too many."""
    if len(reader.blocks) == DEEPEST:
        raise InputError(f"line {new.line}: more than {DEEPEST} blocks stand inside one another")
    reader.blocks.append(new)


def inner(reader: Reader, word: str, line: int) -> Block:
    """The ``if`` that a branch belongs to."""
    if not reader.blocks or reader.blocks[-1].word != "if" or reader.blocks[-1].ended:
        raise InputError(f"line {line}: {word} belongs to no if that is open there")
    return reader.blocks[-1]


def conditions(reader: Reader, tokens: list[Token], line: int) -> Iterator[str]:
    """``[not] name [== "text"]``, with ``and`` or ``or`` between several."""
    rest = iter([*tokens, Token("sign", "%}")])
    while True:
        token = next(rest)
        if token.text == "not":
            yield "not"
            token = next(rest)
        if token.kind != "name":
            raise fault(line, "a field's name", token.text)
        yield reader.field(token.text, line)
        token = next(rest)
        if token.text in ("==", "!="):
            yield token.text
            text = next(rest)
            if text.kind != "text":
                raise fault(line, "a text in quotes", text.text)
            yield reader.words(text.text[1:-1])
            token = next(rest)
        if token.text == "%}":
            return
        if token.text not in ("and", "or"):
            raise fault(line, "and, or, == or !=", token.text)
        yield token.text
