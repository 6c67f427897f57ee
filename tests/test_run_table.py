"""Runs and scores as a person sees them."""

import pytest

from afina.evaluation.report import Report
from afina.run_table import run_table, runs_table, score_text, sparkline
from afina.solver import Usage
from afina.store.run import Run
from tests.drawing import drawn

NAME = "a-task-of-a-long-name-prompt-tuning-2901b13d-s0"
RUN = Run(NAME, "tasks/mood/", "d", "prompt-tuning", "builtin:minilm", 0, status="done")
REPORT = Report(
    *("accuracy", "dev", "label", 0.5, 0.25, 0.75, 10, 1, 2.0, Usage(10, 20, 0.5), 1.5, 2.5, ()),
    openings=1,
)


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


def test_a_curve_is_a_line_of_blocks() -> None:
    assert sparkline([1.0]) == sparkline([1.0] * 3)[:1] == "▁"
    assert len(sparkline(range(1000))) == 40
    assert sparkline([3, 2, 1, 0]) == "█▅▃▁"
