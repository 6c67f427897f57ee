"""What is kept comes back as it was."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from afina.errors import ArtefactError
from afina.solver import Span, Value
from afina.store.columns import damage, number, to_text, value_of


@pytest.mark.parametrize(
    "value", ["", "é\0\ud800", 0, False, 0.1 + 0.2, 2**70, [], ["a"], [Span(0, 1, "x")]]
)
def test_values_come_back_as_they_were(value: Value) -> None:
    back = value_of(json.loads(to_text(value)))
    assert back == value
    assert type(back) is type(value)
    if isinstance(value, list) and isinstance(back, list):
        assert [type(part) for part in back] == [type(part) for part in value]


def test_numpy_s_numbers_become_python_s() -> None:
    scores = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True)}
    assert json.loads(to_text(scores)) == {"a": 0.5, "b": 3, "c": True}
    assert type(number(np.float32(0.5))) is float
    assert number(None) is None


def test_what_is_no_json_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="expected plain JSON"):
        to_text({"a": object()})


@pytest.mark.parametrize("fault", [ValueError("x"), TypeError("x"), AttributeError("x")])
def test_what_cannot_be_read_back_is_damaged(fault: Exception) -> None:
    refused = pytest.raises(ArtefactError, match=r"store.db: run 'a' is damaged: x")
    with refused, damage(Path("store.db"), "run 'a'"):
        raise fault


def test_other_faults_pass() -> None:
    with pytest.raises(sqlite3.Error), damage(Path("store.db"), "run 'a'"):
        raise sqlite3.DatabaseError
