"""The tasks under benchmarks/ load from ../shared/data, with every row accounted for."""

from pathlib import Path

import pytest

from afina.task.check import inspect_task

ROOT = Path(__file__).parents[2]
TASKS = ROOT / "benchmarks" / "tasks"
pytestmark = pytest.mark.skipif(
    not (ROOT.parent / "shared" / "data").is_dir(), reason="needs ../shared/data"
)

# train, dev and test before leaks are dropped, as the READMEs of the data have them; a dev or
# test that is cut counts as train. Of e2e_nlg, dev and test have one example for each meaning.
ROWS = {
    "mr": (8220, 1101, 790),
    "subj": (7851, 1037, 767),
    "uci_sentiment": (2106, 0, 715),
    "banking77": (10003, 0, 2493),
    "clinc150": (15000, 3000, 3608),
    "snips": (13784, 0, 571),
    "snips_slots": (13784, 0, 571),
    "wikigold": (1196, 168, 265),
    "wnut17": (3394, 1009, 1049),
    "uner_pt_bosque": (7018, 1172, 912),
    "uner_en_ewt": (2001, 0, 1637),
    "squadshifts": (5547, 509, 1510),
    "faquad": (837, 0, 49),
    "e2e_nlg": (42061, 547, 494),
}
LABELS = {"mr": 2, "subj": 2, "uci_sentiment": 2, "banking77": 77, "clinc150": 150, "snips": 7}
BIG = pytest.mark.slow


def test_every_task_is_tested() -> None:
    assert {path.parent.name for path in TASKS.glob("*/task.toml")} == set(ROWS)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=BIG if sum(ROWS[name]) > 7000 else ()) for name in ROWS],
)
def test_a_task_over_real_data_is_usable(name: str) -> None:
    check = inspect_task(TASKS / name)
    whole = {split: check.rows[split] + check.dropped[split] for split in check.rows}
    train, dev, test = ROWS[name]
    if not dev:
        whole["train"] += whole.pop("dev")
    assert list(whole.values()) == ([train, dev, test] if dev else [train, test])
    assert check.usable
    assert check.rejected == ()
    assert check.dropped["test"] == 0
    assert len(check.labels["train"]) == LABELS.get(name, 0)
