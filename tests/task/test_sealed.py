"""The sealed test: its length is all that is seen, and each opening is counted."""

import copy
import pickle

import pytest

from afina.errors import SealedError
from afina.task.example import Example
from afina.task.sealed import SealedSplit
from tests.task.ledger import MemoryLedger

ROWS = tuple(Example.of({"text": f"secret {n}"}, {"label": "a"}) for n in range(3))


@pytest.fixture
def split() -> SealedSplit:
    return SealedSplit(ROWS, "digest")


def test_opening_gives_the_rows_and_is_counted(split: SealedSplit) -> None:
    ledger = MemoryLedger()
    assert len(split) == 3
    assert split.open(ledger, "run-1") == ROWS
    assert split.open(ledger, "run-2") == ROWS
    assert ledger.openings == [("digest", "run-1"), ("digest", "run-2")]


TOUCHES = {
    "iter": iter,
    "list": list,
    "index": lambda split: split[0],
    "slice": lambda split: split[:1],
    "contains": lambda split: ROWS[0] in split,
    "repr": repr,
    "str": str,
    "format": lambda split: f"{split}",
    "rows": lambda split: split.rows,
    "examples": lambda split: split.examples,
    "private": lambda split: split._unseal,
    "unknown": lambda split: split._rows,
    "getattr": lambda split: getattr(split, "_unseal", None),
    "hasattr": lambda split: hasattr(split, "data"),
    "set": lambda split: setattr(split, "_unseal", None),
    "pickle": pickle.dumps,
    "reduce": lambda split: split.__reduce_ex__(4),
    "sorted": sorted,
    "star": lambda split: [*split],
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_touching_a_row_raises(split: SealedSplit, touch: str) -> None:
    with pytest.raises(SealedError, match="sealed"):
        TOUCHES[touch](split)


def test_vars_show_nothing(split: SealedSplit) -> None:
    with pytest.raises(TypeError):
        vars(split)
    assert not any("secret" in str(name) for name in dir(split))


def test_copies_stay_sealed(split: SealedSplit) -> None:
    for copied in (copy.copy(split), copy.deepcopy(split)):
        assert copied is split


def test_a_ledger_that_fails_keeps_the_seal(split: SealedSplit) -> None:
    class Broken(MemoryLedger):
        def record(self, task_digest: str, by: str) -> int:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        split.open(Broken(), "run")


def test_while_tuning_there_are_no_rows_to_open(split: SealedSplit) -> None:
    ledger = MemoryLedger()
    blind = split.for_tuning()
    assert len(blind) == 3
    with pytest.raises(SealedError):
        blind.open(ledger, "run")
    assert ledger.openings == []
    with pytest.raises(SealedError):
        blind.for_tuning().open(ledger, "run")
    assert split.open(ledger, "run") == ROWS
