"""A finished part is there whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from afina.disk import Disk
from afina.errors import ArtefactError
from afina.solver import Packed
from afina.training.checkpoint import Checkpoints
from afina.training.finished import Finished, keep, kept

PART = Finished(
    Packed("soft", {"a": 1, "b": ["x"]}, {"prompt": np.float32([[0.1, 1 / 3]])}), {"score": 0.1}
)


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    keeper = Checkpoints(tmp_path, Disk())
    assert kept(keeper) is None
    keep(keeper, PART)
    found = kept(keeper)
    assert found is not None
    assert (found.packed.kind, found.packed.settings, found.facts) == (
        "soft",
        {"a": 1, "b": ["x"]},
        {"score": 0.1},
    )
    assert found.packed.arrays.keys() == {"prompt"}
    assert found.packed.arrays["prompt"].tobytes() == PART.packed.arrays["prompt"].tobytes()


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    """Broken by reading the newest file whatever its bytes."""
    keeper = Checkpoints(tmp_path, Disk())
    keep(keeper, PART)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ArtefactError, match=r"no checkpoint in .* is whole"):
        kept(keeper)
