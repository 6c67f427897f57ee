"""What is printed of passages."""

from rich.console import Console

from afina.passage_table import SHOWN, excerpt, passage_table
from afina.retrieval.passage import Passage


def test_a_long_text_is_cut_and_says_so() -> None:
    assert excerpt("x" * SHOWN) == "x" * SHOWN
    assert excerpt("x" * (SHOWN + 1)) == "x" * SHOWN + "…"


def test_nothing_of_a_passage_moves_the_cursor_or_is_markup() -> None:
    passage = Passage("a", "\x1b[2Jone [bold]two[/bold]\x07", "[red]T[/red]\x1b", "s\x1b.txt", 1.5)
    console = Console(width=100, force_terminal=False, record=True)
    with console.capture() as found:
        console.print(passage_table([passage]))
    assert "\x1b" not in found.get()
    assert "\x07" not in found.get()
    assert "one [bold]two[/bold]" in found.get()
    assert "[red]T[/red]" in found.get()
    assert "1.500" in found.get()
