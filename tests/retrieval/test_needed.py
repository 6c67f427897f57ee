"""Retrieval names the packages it needs."""

import importlib.util

import pytest

from afina.errors import InputError
from afina.retrieval import needed


def test_a_package_that_is_not_there_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needed.need_rag()
    monkeypatch.setattr(
        needed,
        "find_spec",
        lambda name: None if name == "pypdf" else importlib.util.find_spec(name),
    )
    with pytest.raises(InputError, match="pypdf is not installed: run pip install"):
        needed.need_rag()
