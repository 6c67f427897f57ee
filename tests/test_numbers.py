"""A task whose target is a number, from its file to its report."""

import json
from pathlib import Path

import numpy as np
import pytest

from afina.evaluation.evaluate import evaluate
from afina.solver import Packed, Prediction, Value, Values
from afina.task.task import load_task
from tests.folders import afina, lines, refused, task_folder

TOML = """signature = "a, b -> score: float"

[data]
all = "rows.jsonl"
"""
COLOURS = "red blue green black white grey brown pink".split()
ANIMALS = "cat dog bird fish horse mouse snake frog".split()


def pairs(count: int = 200) -> list[dict[str, Value]]:
    """Two sentences a row, scored 0 to 5 by how many of their words they share."""
    generator = np.random.default_rng(0)
    rows: list[dict[str, Value]] = []
    for number in range(count):
        words = [
            f"{generator.choice(COLOURS)} {generator.choice(ANIMALS)} {n}"
            for n in generator.integers(1e6, size=10)
        ]
        same = int(generator.integers(6))
        a, b = words[:5], words[:same] + words[5 : 10 - same]
        rows.append({"a": " and ".join(a), "b": " and ".join(b), "score": same + number % 4 / 4})
    return rows


class Overlap:
    """Answers the share of words that two texts have in common."""

    parameters = 0

    def __call__(self, inputs: list[Values]) -> list[Prediction]:
        words = [[set(str(row[side]).split()) for side in "ab"] for row in inputs]
        return [Prediction({"score": len(a & b) / len(a | b)}) for a, b in words]

    def pack(self) -> Packed:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    task_folder(tmp_path, "likeness", TOML, rows=lines(pairs()))
    return tmp_path


def test_a_task_of_numbers_is_checked_and_cut() -> None:
    found = afina("check", "likeness", "--json").json
    assert found["usable"]
    assert (found["metric"], found["rows"]) == ("pearson", {"train": 140, "dev": 20, "test": 40})
    assert found["labels"] == {"train": {}, "dev": {}, "test": {}}
    assert afina("check", "likeness").out.splitlines()[0].endswith("float, scored by pearson")


def test_what_is_no_number_is_rejected_by_line(here: Path) -> None:
    rows = [*pairs(30), {"a": "x", "b": "y", "score": "high"}, {"a": "x", "b": "z", "score": True}]
    task_folder(here, "odd", TOML, rows=lines(rows))
    called = afina("check", "odd")
    assert called.code == 2
    assert "rows.jsonl:31: score: expected a finite number, came 'high'" in called.out
    assert "rows.jsonl:32: score: expected a finite number, came True" in called.out


def test_a_metric_of_words_is_refused_for_numbers(here: Path) -> None:
    task_folder(here, "words", f'metric = "bleu"\n{TOML}', rows=lines(pairs()))
    refused(afina("check", "words"), 2, "task.toml", "'score: float', came 'bleu'", "'pearson'")


def test_the_mean_is_the_yardstick_and_correlates_with_nothing() -> None:
    row = afina("tune", "likeness", "--method", "majority", "--name", "m", "--json").json
    assert (row["metric"], row["score"], row["low"], row["high"]) == ("pearson", 0.0, 0.0, 0.0)
    assert (row["n"], row["missing"]) == (20, 0)
    answer = afina("predict", "m", "--json", given=json.dumps({"a": "x", "b": "y"})).json
    train = load_task("likeness").train
    mean = np.mean([example.outputs["score"] for example in train])
    assert answer["outputs"]["score"] == pytest.approx(mean, abs=1e-12)
    looked = afina("test", "m", "--json").json
    assert (looked["split"], looked["n"], looked["score"]) == ("test", 40, 0.0)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_a_solver_of_numbers_is_scored_with_its_interval(here: Path, metric: str) -> None:
    task_folder(here, metric, f'metric = "{metric}"\n{TOML}', rows=lines(pairs()))
    task = load_task(metric)
    report = evaluate(Overlap(), task.train, task.metric, field="score")
    assert report.score is not None
    assert report.low is not None
    assert report.high is not None
    assert 0.8 < report.low < report.score < report.high < 1.0
    assert all(row.score is None for row in report.rows)
