"""How a signal ends the work, and what a terminal shows of a search under way."""

import os
import signal
import subprocess
import sys
import time

import pytest

from afina.console import PATIENCE_SECONDS, LiveBoard, Stopper, stoppable, watching
from afina.errors import Interrupted
from afina.training.watch import Board, Progress, Tried
from tests.drawing import drawn


def signalled(number: signal.Signals, *, asks: bool) -> None:
    """A signal comes to training, which asks each step, or to work that does not ask any more."""
    with stoppable(lambda: "afina resume r") as stop:
        if asks:
            assert stop() is None
        os.kill(os.getpid(), number)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            time.sleep(0.001)
            reason = stop() if asks else None
            if reason is not None:
                raise reason
    raise AssertionError("nothing stopped it")


def hanging() -> None:
    """A signal comes to training that asked a moment ago and then hangs."""
    with stoppable(lambda: "again") as stop:
        stop()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("asks", [True, False], ids=["training", "loading"])
def test_the_first_signal_stops_with_the_command_that_goes_on(
    number: signal.Signals, code: int, asks: bool
) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    began = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        signalled(number, asks=asks)
    assert time.monotonic() - began < 2
    assert caught.value.exit_code == code
    assert str(caught.value).endswith("go on with: afina resume r")
    after = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    assert after == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_training_that_hangs_is_broken_off_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PATIENCE_SECONDS <= 5
    monkeypatch.setattr("afina.console.PATIENCE_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(Interrupted):
        hanging()
    assert 0.1 < time.monotonic() - began < 2


def test_a_state_that_is_being_kept_is_given_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afina.console.PATIENCE_SECONDS", 0.05)
    with stoppable(lambda: "again") as stop:
        stop()
        os.kill(os.getpid(), signal.SIGINT)
        reason = stop()
        assert isinstance(reason, Interrupted)
        time.sleep(0.2)  # writes a checkpoint


def test_a_training_loop_of_long_ago_does_not_delay_the_end() -> None:
    now = [0.0]
    stopper = Stopper(clock=lambda: now[0])
    stopper.wanted(lambda: Interrupted("", signal_number=2))
    now[0] = PATIENCE_SECONDS + 1
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(KeyboardInterrupt):
            stopper.take(signal.SIGINT, None)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process_at_once(second: signal.Signals) -> None:
    code = (
        "import os, signal, time\n"
        "from afina.console import stoppable\n"
        "with stoppable(lambda: 'again') as stop:\n"
        "    stop()\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        f"    os.kill(os.getpid(), {int(second)})\n"
        "    time.sleep(60)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30)
    assert found.returncode == -second


def test_nothing_is_shown_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with watching(lambda: "again") as watch:
        watch.show(Progress(step=1, steps=2, loss=0.5, best=0.25, seconds_left=3.0))
    assert capfd.readouterr() == ("", "")
    with watching(lambda: "again") as watch:
        watch.note("[red]x" * 50)
    assert capfd.readouterr() == ("", "[red]x" * 50 + "\n")


def test_a_search_is_drawn_with_its_best_first_and_what_it_spent() -> None:
    tried = [Tried(n, f"[b]way {n}", n / 20, 0.1, 0.9, 17, n == 3) for n in range(15)]
    live = LiveBoard()
    assert drawn(live).strip() == ""
    live.show(Board(tried, 120, 400, 12345, 0.25, 61.0))
    lines = [line.split() for line in drawn(live).splitlines()]
    rows = [line for line in lines if "0.100–0.900" in line]
    assert [row[row.index("17") - 3] for row in rows] == ["3", *map(str, range(14, 5, -1))]
    assert rows[0][0] == "*"
    assert "[b]way 3" in drawn(live)
    assert "120 of 400 calls, 12,345 tokens, 0.25 $, 15 tried, 61 s left" in drawn(live)
    live.show(None)
    assert drawn(live).strip() == ""
