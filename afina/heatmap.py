"""A heat map of numbers from -1 to 1 as an SVG picture: squares, axes, a title and a legend.

Blue is below zero, orange above and white at zero, which people with any of the common kinds of
colour blindness tell apart (Okabe and Ito 2008, https://jfly.uni-koeln.de/color/).
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby

BELOW, ZERO, ABOVE = (0, 114, 178), (255, 255, 255), (213, 94, 0)
WIDTH = 480  # of the map, in the picture's units
LARGEST = 32  # of a square
MARGIN = 48  # around the map, for the title, the note and numbers
LEGEND, STEPS = 160, 40  # the legend's height and its colours
LABELS = 20  # numbers on an axis at most


def heat_map(rows: Sequence[Sequence[float]], title: str, note: str) -> str:
    """Draw a square of numbers; places count from 1, and row 1 is on top."""
    side = min(LARGEST, WIDTH / len(rows))
    extent = side * len(rows)
    letters = max(8 * len(title), 6 * len(note))
    width, height = MARGIN + max(extent + 84, letters), max(extent, LEGEND) + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" font-family="sans-serif"'
        ' shape-rendering="crispEdges">',
        f"<title>{safe(title)}</title>",
        f"<desc>{safe(note)}</desc>",
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        text(MARGIN, 18, title, size=14),
        text(MARGIN, height - 12, note),
        *squares(rows, side),
        frame(MARGIN, extent, extent),
        *axes(len(rows), side),
        *legend(MARGIN + extent + 24),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def colour(number: float) -> str:
    """The colour of a number.

    >>> colour(-1), colour(0), colour(0.5), colour(1)
    ('#0072b2', '#ffffff', '#eaae80', '#d55e00')
    """
    end = ABOVE if number > 0 else BELOW
    share = min(1.0, abs(number))
    mixed = (round(zero + share * (part - zero)) for zero, part in zip(ZERO, end, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def squares(rows: Sequence[Sequence[float]], side: float) -> list[str]:
    """A rectangle for each run of one colour in a row."""
    found = []
    for down, row in enumerate(rows):
        across = 0
        for shade, run in groupby(map(colour, row)):
            count = len(list(run))
            found.append(
                f'<rect x="{MARGIN + across * side:g}" y="{MARGIN + down * side:g}"'
                f' width="{count * side:g}" height="{side:g}" fill="{shade}"/>'
            )
            across += count
    return found


def axes(count: int, side: float) -> list[str]:
    """The numbers of the places, beside and above; where there are many, some of them."""
    step = -(-count // LABELS)
    found = []
    for place in range(0, count, step):
        middle = MARGIN + (place + 0.5) * side
        found.append(text(middle, MARGIN - 6, str(place + 1), anchor="middle"))
        found.append(text(MARGIN - 6, middle + 4, str(place + 1), anchor="end"))
    return found


def legend(left: float) -> list[str]:
    """A strip of all colours, 1 on top, with numbers."""
    height = LEGEND / STEPS
    strip = [
        f'<rect x="{left:g}" y="{MARGIN + step * height:g}" width="16" height="{height:g}"'
        f' fill="{colour(1 - 2 * (step + 0.5) / STEPS)}"/>'
        for step in range(STEPS)
    ]
    numbers = [
        text(left + 22, MARGIN + (1 - number) * LEGEND / 2 + 4, f"{number:g}")
        for number in (1, 0.5, 0, -0.5, -1)
    ]
    return [*strip, frame(left, 16, LEGEND), *numbers]


def frame(left: float, width: float, height: float) -> str:
    """A line around what stands at the top margin."""
    return (
        f'<rect x="{left:g}" y="{MARGIN}" width="{width:g}" height="{height:g}" fill="none"'
        ' stroke="#555555"/>'
    )


def text(x: float, y: float, words: str, *, size: int = 11, anchor: str = "start") -> str:
    """A line of text."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="#222222">'
        f"{safe(words)}</text>"
    )


def safe(words: str) -> str:
    """Text that XML takes as it is; a character that XML has no place for becomes �.

    >>> safe("<b> & \\x1b")
    '&lt;b&gt; &amp; �'
    """
    return escape("".join(letter if letter.isprintable() else "�" for letter in words))
