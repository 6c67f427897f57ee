"""The package's face: ten names at most, each loaded when it is first used."""

import subprocess
import sys
from importlib import import_module

import pytest

import afina


@pytest.mark.parametrize("name", afina.ADDRESSES)
def test_each_name_is_the_one_at_its_address(name: str) -> None:
    assert getattr(afina, name) is getattr(import_module(afina.ADDRESSES[name]), name)
    assert name in dir(afina)


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'afina' has no attribute 'tunes'"):
        _ = afina.tunes
    assert len(afina.ADDRESSES) <= 10


def test_importing_and_loading_a_task_load_nothing_heavy() -> None:
    code = (
        "import sys, afina; first = set(sys.modules); afina.load_task, afina.Signature\n"
        "print(sorted({'numpy', 'pydantic', 'scipy', 'rich'} & first),"
        " sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "[] []\n", found.stderr
