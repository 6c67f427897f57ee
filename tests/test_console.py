"""What a person sees, the same facts as JSON, and how a signal ends the work."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from afina.console import PATIENCE_SECONDS, LiveBoard, Stopper, stoppable, watching
from afina.errors import Interrupted
from afina.evaluation.report import Report
from afina.prediction_text import prediction_json, prediction_text
from afina.run_table import run_table, runs_table, score_text, sparkline
from afina.solver import Prediction, Span, Usage
from afina.store.run import Run
from afina.task.check import TaskCheck
from afina.task.rows import Rejection
from afina.task.signature import Signature
from afina.task_table import task_json, task_text
from afina.training.watch import Board, Progress, Tried

NAME = "a-task-of-a-long-name-prompt-tuning-2901b13d-s0"
RUN = Run(NAME, "tasks/mood/", "d", "prompt-tuning", "builtin:minilm", 0, status="done")
REPORT = Report(
    *("accuracy", "dev", "label", 0.5, 0.25, 0.75, 10, 1, 2.0, Usage(10, 20, 0.5), 1.5, 2.5, ()),
    openings=1,
)


def drawn(thing: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(thing)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_runs_name_is_never_cut(width: int) -> None:
    text = drawn(runs_table([RUN]), width)
    assert NAME in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_no_runs_are_told_with_the_command_that_makes_one() -> None:
    assert drawn(runs_table([])) == "no runs yet; make one with: afina tune TASK\n"


def test_a_score_comes_with_its_n_its_interval_and_its_cost() -> None:
    text = drawn(score_text(RUN, REPORT))
    assert "prompt-tuning on builtin:minilm, seed 0: accuracy on dev" in text
    assert "0.5000 [0.2500, 0.7500], n = 10" in text
    assert "1 missing, p50 1.5 ms, p95 2.5 ms a request" in text
    assert "the sealed test has been opened once" in text


def test_a_run_in_full_tells_what_it_remembers() -> None:
    facts = {
        "reports": [REPORT],
        "openings": 3,
        "losses": [2.0, 1.0],
        "scores": [[0, 0.5], [2, 0.75]],
        "best_step": 2,
        "strength": 0.03,
    }
    text = drawn(run_table(RUN, facts))
    for part in ("defaults", "▁", "2.000 → 1.000", "best at step 2", "strength", "0.03"):
        assert part in text, part
    assert text.endswith("the sealed test has been opened 3 times\n")


def test_a_prediction_is_a_line_for_people_and_an_object_for_machines() -> None:
    inputs = {"review": "good\n\tfilm", "stars": 0}
    found = Prediction({"label": "a b", "spans": [Span(0, 1, "X")]}, {"p": 1}, Usage(1, 7), 0.25)
    assert prediction_text(inputs, found) == 'a b, [[0, 1, "X"]]\tgood film, 0'
    assert prediction_json(inputs, found) == {
        "inputs": inputs,
        "outputs": found.outputs,
        "evidence": {"p": 1},
        "tokens": 7,
        "seconds": 0.25,
        "cost": 0.0,
    }
    missing = Prediction(None, reason="timeout")
    assert prediction_text({"x": "a"}, missing) == "(missing: timeout)\ta"
    assert prediction_json({"x": "a"}, missing)["outputs"] is None


def test_a_check_lists_twenty_of_a_kind_and_json_lists_all() -> None:
    rejected = tuple(Rejection(Path("rows.csv"), line, "odd") for line in range(2, 40))
    none: dict[str, int] = {}
    found = TaskCheck(
        *("mood", Signature.parse("a -> b"), "exact_match", {"train": 3}, {}, rejected, ()),
        *("refuse", none, ("no dev",), ("few rows",)),
    )
    text = drawn(task_text(found))
    assert text.count("  rejected: rows.csv:") == 20
    assert "… and 18 more rejected; --json lists all" in text
    assert "  fault: no dev\n  warning: few rows\n" in text
    assert text.endswith("not ready: mend 38 rejected rows and 1 faults, listed above\n")
    assert len(task_json(found)["rejected"]) == 38  # type: ignore[arg-type]


def test_a_curve_is_a_line_of_blocks() -> None:
    assert sparkline([1.0]) == sparkline([1.0] * 3)[:1] == "▁"
    assert len(sparkline(range(1000))) == 40
    assert sparkline([3, 2, 1, 0]) == "█▅▃▁"


# signals


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
