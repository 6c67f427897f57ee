"""The Hub: a dataset is read through the optional package, here from a local folder."""

import sys
from pathlib import Path

import pytest

from afina.errors import DataError, TaskError
from afina.task.hub import Mapped, default_signature, read_hub, rows_of
from afina.task.sources import Layout, examples_of
from afina.task.task import load_task


class ClassLabel:
    """Features as the package shows them."""

    dtype = "int64"

    def __init__(self, names: list[str]) -> None:
        self.names = names


class Value:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


FEATURES = {
    "idx": Value("int32"),
    "sentence": Value("string"),
    "label": ClassLabel(["negative", "positive"]),
}


def test_texts_and_one_column_of_labels_make_a_signature() -> None:
    signature = default_signature("owner/name", FEATURES, "Judge it.")
    assert str(signature) == "sentence -> label: negative | positive"
    assert signature.instruction == "Judge it."
    with pytest.raises(TaskError, match="give a signature"):
        default_signature("owner/name", {"text": Value("string")}, "")


def test_numbers_of_labels_become_their_names() -> None:
    signature = default_signature("owner/name", FEATURES, "")
    cells = [{"idx": n, "sentence": f"s{n}", "label": label} for n, label in enumerate((1, 0, -1))]
    rows = rows_of(Path("owner/name/train"), cells, FEATURES)
    found = examples_of(rows, [], signature, Layout())
    assert [e.outputs["label"] for e in found.accepted] == ["positive", "negative"]
    assert str(found.rejected[0]) == "owner/name/train:3: label: expected a text, came None"


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(TaskError, match=r"pip install 'afina\[hub\]'"):
        load_task("owner/name")


def dataset(folder: Path) -> str:
    for split, numbers in {"train": range(60), "test": range(60, 80)}.items():
        rows = [f"number {n} {'even' * (n % 2)} {n * 7919},{'ab'[n % 2]}" for n in numbers]
        (folder / f"{split}.csv").write_text("\n".join(["text,kind", *rows, ""]))
    return str(folder)


def test_a_local_dataset_is_read_by_the_package(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    draft = read_hub(dataset(tmp_path), Mapped(signature="text -> kind: a | b", metric="macro-f1"))
    assert {name: len(rows) for name, rows in draft.splits.items()}["test"] == 20
    assert sum(len(draft.splits[name]) for name in ("train", "dev")) == 60
    assert draft.metric.name == "macro-f1"
    assert draft.rejected == ()


def test_a_dataset_without_labels_needs_a_signature(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(TaskError, match="give a signature"):
        read_hub(dataset(tmp_path), Mapped())


def test_a_dataset_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(TaskError, match="cannot read") as caught:
        load_task("owner/no-such-dataset-here")
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, DataError)
