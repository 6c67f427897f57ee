"""What a person sees of a soft prompt at the terminal: its places, words and norms; and as JSON."""

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from afina.errors import AfinaError

if TYPE_CHECKING:
    from afina.soft.portrait import Place, Portrait

NO_EXPLANATION = (
    "These are the nearest words, not what the prompt means: one that works as well may be near to"
    " any others."
)


def prompt_table(seen: "Portrait | AfinaError | None") -> RenderableType:
    """A soft prompt: its places with their nearest words, or with norms alone, and its sites."""
    if seen is None:
        return Group()
    if isinstance(seen, AfinaError):
        return Text(f"the prompt cannot be shown: {seen}")
    return portrait_table(seen)


def portrait_table(portrait: "Portrait") -> RenderableType:
    """The places and sites of a prompt that can be seen."""
    worded = has_words(portrait)
    heads = ("place", "norm", "of a word's", "nearest words") if worded else ("place", "norm")
    table = plain_table(*heads)
    for number, place in enumerate(portrait.places, start=1):
        table.add_row(*map(Text, place_cells(number, place)[: len(heads)]))
    parts: list[RenderableType] = [Text(), table]
    if worded:
        parts.append(Text(NO_EXPLANATION))
    if portrait.sites:
        parts += [Text(), site_table(portrait)]
    return Group(*parts)


def has_words(portrait: "Portrait") -> bool:
    """Whether words are named, of which is to be said what they are not."""
    return any(place.near for place in portrait.places)


def site_table(portrait: "Portrait") -> Table:
    """The norms of a prompt's keys and values, a site a line."""
    table = plain_table("site", "norm of keys", "norm of values")
    for number, site in enumerate(portrait.sites, start=1):
        table.add_row(str(number), f"{site.keys:.3f}", f"{site.values:.3f}")
    return table


def plain_table(*heads: str) -> Table:
    """A table of a few columns; only the last is folded."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in heads[:-1]:
        table.add_column(head, no_wrap=True)
    table.add_column(heads[-1], overflow="fold")
    return table


def place_cells(number: int, place: "Place") -> tuple[str, ...]:
    """A place's number, norm, relative norm and nearest words."""
    words = ", ".join(f"{visible(near.word)} {near.similarity:.2f}" for near in place.near)
    relative = "" if place.relative is None else f"{place.relative:.2f}"
    return str(number), f"{place.norm:.3f}", relative, words


def visible(word: str) -> str:
    """A word of a vocabulary without its spaces; quoted where it holds what cannot be printed.

    >>> print(visible(" film"), visible("\\x1b[2J"), visible(" "))
    film '\\x1b[2J' ' '
    """
    short = word.strip()
    return short if short and short.isprintable() else repr(word)


def prompt_json(seen: "Portrait | AfinaError | None") -> dict[str, object] | None:
    """All numbers of a soft prompt, or why they cannot be had."""
    if seen is None or isinstance(seen, AfinaError):
        return None if seen is None else {"error": str(seen)}
    return {
        "places": [
            {
                "norm": place.norm,
                "relative_norm": place.relative,
                "nearest": [[near.word, near.similarity] for near in place.near],
            }
            for place in seen.places
        ],
        "sites": [{"keys": site.keys, "values": site.values} for site in seen.sites],
        "similarity": [list(row) for row in seen.similarity],
        "warning": NO_EXPLANATION if has_words(seen) else "",
    }
