"""What a terminal of a width shows of a thing."""

import io

from rich.console import Console, RenderableType


def drawn(thing: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
