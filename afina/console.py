"""Progress at the terminal, and a clean stop at a signal."""

import ctypes
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from afina.errors import AfinaError, Interrupted
from afina.training.watch import Board, Watch
from afina.training.watch import Progress as Step

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TRIMMED = 2  # steps between two returns of free memory
SHOWN = 10  # candidates of a search that are shown at once
PATIENCE_SECONDS = 4.0  # between two questions of a training loop whether to stop


class Stopper:
    """Turns the first SIGINT or SIGTERM into a clean end; a second one kills at once.

    Training is asked to stop after its step, and keeps its state. Where nothing has asked for
    PATIENCE_SECONDS whether to stop, as while a model loads, the work is broken off: what was kept
    before is whole.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.number = 0
        self.asked = -math.inf

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Note the first signal."""
        self.number = number
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if self.clock() - self.asked > PATIENCE_SECONDS:
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)

    def wanted(self, reason: Callable[[], Interrupted]) -> AfinaError | None:
        """Why to stop, if so; the caller is given the time it needs to keep its state."""
        self.asked = self.clock()
        if not self.number:
            return None
        signal.setitimer(signal.ITIMER_REAL, 0)
        return reason()


@contextmanager
def stoppable(again: Callable[[], str]) -> Iterator[Callable[[], AfinaError | None]]:
    """Catches signals; gives the question whether to stop, which training asks each step.

    ``again`` tells the command that goes on afterwards.

    Raises:
        Interrupted: a signal came.
    """
    stopper = Stopper()

    def reason() -> Interrupted:
        text = f"stopped; what was done is kept, go on with: {again()}"
        return Interrupted(text, signal_number=stopper.number or signal.SIGINT)

    before = {number: signal.signal(number, stopper.take) for number in SIGNALS}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        yield lambda: stopper.wanted(reason)
    except KeyboardInterrupt:
        raise reason() from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def give_memory_back() -> None:
    """Ask glibc to return what is free to the system.

    Batches of many lengths otherwise leave holes: a run on 8,000 rows peaks a third higher.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library has no such call
            ctypes.CDLL("libc.so.6").malloc_trim(0)


class LiveBoard:
    """The candidates of a search with what it spent; drawn anew whenever it is asked for."""

    def __init__(self) -> None:
        self.board: Board | None = None

    def show(self, board: Board | None) -> None:
        """Take over how far a search is; None where none runs."""
        self.board = board

    def __rich__(self) -> RenderableType:
        if self.board is None:
            return ""
        board = self.board
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for head in ("", "trial", "score", "interval", "rows", "how"):
            table.add_column(head, overflow="fold")
        ranked = sorted(board.tried, key=lambda each: (not each.leads, -each.score))
        for each in ranked[:SHOWN]:
            interval = f"{each.low:.3f}–{each.high:.3f}" if each.low is not None else "–"
            cells = (str(each.number), f"{each.score:.3f}", interval, str(each.n), Text(each.how))
            table.add_row("*" if each.leads else "", *cells)
        spent = (
            f"{board.calls} of {board.most} calls, {board.tokens:,} tokens, {board.cost:.4g} $, "
            f"{len(board.tried)} tried, {board.seconds_left:.0f} s left"
        )
        return Group(table, Text(spent))


@contextmanager
def watching(again: Callable[[], str], above: RenderableType = "") -> Iterator[Watch]:
    """Shows progress where standard error is a terminal, and stops cleanly at a signal.

    ``above`` stands over the progress and is drawn anew with it.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  best on dev {task.fields[best]:.4f}"),
        TextColumn("{task.fields[left]:.0f} s left"),
    )
    terminal = sys.stderr.isatty()
    bar = Progress(*columns, console=console, disable=not terminal)
    board = LiveBoard()
    drawn = Group(above, board, bar)
    shown = Live(drawn, console=console, transient=True) if terminal else nullcontext()
    with stoppable(again) as stop, shown:
        line = bar.add_task("", total=1, visible=False, loss=0.0, best=0.0, left=0.0)

        def show(step: Step) -> None:
            board.show(None)
            if step.step % TRIMMED == 0:
                give_memory_back()
            bar.update(
                line,
                completed=step.step,
                total=step.steps,
                visible=True,
                loss=step.loss,
                best=step.best,
                left=step.seconds_left,
            )

        yield Watch(
            show=show,
            stop=stop,
            note=lambda text: console.print(text, markup=False, soft_wrap=True),
            board=board.show if terminal else None,
        )
