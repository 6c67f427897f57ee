"""Reads an HTML file: its title, and what a reader would see, paragraph by paragraph."""

import codecs
import re
from collections.abc import Iterator
from html import unescape

from afina.retrieval.text import checked, read_text

UNSEEN = {"template", "noscript", "title"}
INLINE = set(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd label mark "
    "output q rp rt ruby s samp small span strike strong sub sup time tt u var wbr".split()
)
SPACED = {"br", "td", "th"}
BORDER = "\0"  # of paragraphs; no text holds it
TOKEN = re.compile(
    r"""<!--.*?(?:-->|\Z)
    | <(?:script|style)\b[^>]*>.*?(?:</(?:script|style)\b[^>]*>|\Z)
    | <(?P<closes>/?)(?P<tag>[a-z][^\s/>]*)(?:(?:"[^"]*"|'[^']*'|[^>"'])*+>|[^>]*>)
    | <[!?][^>]*>""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
HEAD = 4096  # bytes in which a page names its encoding


def read_html(data: bytes) -> tuple[str, str]:
    """The title and the text.

    Raises:
        ValueError: its characters cannot be told, or it holds NUL.
    """
    title: list[str] = []
    seen: list[str] = []
    hidden: list[str] = []  # open tags whose text is not shown
    for tag, closes, text in tokens(characters(data)):
        if tag in UNSEEN and not closes:
            hidden.append(tag)
        elif tag in hidden:
            del hidden[hidden.index(tag) :]
        if tag and tag not in INLINE:
            seen.append(" " if tag in SPACED else BORDER)
        if text and not hidden:
            seen.append(text)
        elif text and hidden == ["title"]:
            title.append(text)
    paragraphs = (" ".join(each.split()) for each in "".join(seen).split(BORDER))
    return " ".join("".join(title).split()), "\n\n".join(filter(None, paragraphs))


def tokens(page: str) -> Iterator[tuple[str, bool, str]]:
    """Tags in small letters, whether each closes, and the texts between."""
    end = page.rfind(">") + 1  # no tag is behind; so nothing is searched twice
    place = 0
    for found in TOKEN.finditer(page, 0, end):
        yield "", False, unescape(page[place : found.start()])
        yield (found["tag"] or "").lower(), bool(found["closes"]), ""
        place = found.end()
    yield "", False, unescape(page[place:])


def characters(data: bytes) -> str:
    """A page's characters: by the encoding it names, if it names one, or as UTF-8.

    Raises:
        ValueError: it names no encoding that there is, or another than it is in.
    """
    found = CHARSET.search(data[:HEAD])
    named = found[1].decode("ascii", "replace") if found else "utf-8"
    try:
        name = codecs.lookup(named).name
    except LookupError as error:
        raise ValueError(
            f"expected an encoding that there is, came {named!r}: save the file as UTF-8"
        ) from error
    if name in ("utf-8", "utf-16") or data.startswith(codecs.BOM_UTF8):
        return read_text(data)
    try:
        return checked(data.decode(name))
    except (UnicodeDecodeError, LookupError) as error:
        raise ValueError(
            f"expected {named}, which the page names, came other bytes: save the file as UTF-8"
        ) from error
