"""The Hub: a dataset by its name, read with the optional package ``datasets``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from afina.errors import TaskError
from afina.task.draft import Draft, chosen_metric, drafted
from afina.task.rows import Row
from afina.task.settings import Data, Settings
from afina.task.signature import Choice, Field, Signature, Text
from afina.task.sources import Column, Examples, Layout, examples_of

NAMES = {"train": "train", "validation": "dev", "valid": "dev", "dev": "dev", "test": "test"}
"""What the Hub calls our splits."""


@dataclass(frozen=True)
class Mapped:
    """How a Hub dataset is read; by default its columns and their types say it."""

    signature: str = ""  # default: every column of texts -> the column of labels
    instruction: str = ""
    metric: str = ""
    columns: Mapping[str, Column] = field(default_factory=dict)  # by field; default: its name
    config: str = ""  # the dataset's configuration, where it has several


def read_hub(name: str, mapped: Mapped) -> Draft:
    """Read a dataset into a draft; raises TaskError. Code of the dataset's own is never run."""
    parts = load_parts(name, mapped.config)
    if "train" not in parts:
        raise TaskError(f"expected a split 'train' in {name}, came {', '.join(parts) or 'none'}")
    features = parts["train"].features
    if mapped.signature:
        signature = Signature.parse(mapped.signature, mapped.instruction)
    else:
        signature = default_signature(name, features, mapped.instruction)
    layout = Layout(columns=mapped.columns)
    found: dict[str, Examples] = {}
    for part, rows in parts.items():
        if part in NAMES:
            path = Path(f"{name}/{part}")
            found[NAMES[part]] = examples_of(rows_of(path, rows, features), [], signature, layout)
    metric = chosen_metric(mapped.metric or None, signature)
    settings = Settings(signature=str(signature), data=Data(train="train"))
    return drafted(name, signature, metric, found, settings)


def load_parts(name: str, config: str) -> Mapping[str, Any]:  # Any: the package has no types
    """The dataset's splits as the package gives them; raises TaskError."""
    try:
        import datasets
    except ImportError as error:
        raise TaskError(
            f"expected the package 'datasets' to read {name!r} from the Hub, came none:"
            " pip install 'afina[hub]'"
        ) from error
    try:
        return dict(datasets.load_dataset(name, config or None))
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise TaskError(f"cannot read {name!r} from the Hub: {reason}") from error


def default_signature(name: str, features: Mapping[str, Any], instruction: str) -> Signature:
    """Every column of texts -> the one column of labels; raises TaskError for other datasets."""
    labels = [column for column, kind in features.items() if hasattr(kind, "names")]
    texts = [column for column, kind in features.items() if getattr(kind, "dtype", "") == "string"]
    if len(labels) != 1 or not texts:
        raise TaskError(
            f"expected columns of texts and one of labels in {name}, came"
            f" {', '.join(features)}: give a signature, such as 'question -> answer'"
        )
    inputs = tuple(Field(column, Text()) for column in texts if column not in ("id", "idx"))
    target = Field(labels[0], Choice(tuple(features[labels[0]].names)))
    return Signature(inputs, (target,), instruction)


def rows_of(path: Path, rows: Iterable[Any], features: Mapping[str, Any]) -> list[Row]:
    """Rows with the names of labels in place of their numbers; one without a label has None."""
    names = {column: kind.names for column, kind in features.items() if hasattr(kind, "names")}
    return [
        Row(path, line, {column: label(raw, names.get(column)) for column, raw in cells.items()})
        for line, cells in enumerate(rows, 1)
    ]


def label(raw: object, names: list[str] | None) -> object:
    """The name of a label's number."""
    if names is None or not isinstance(raw, int):
        return raw
    return names[raw] if 0 <= raw < len(names) else None
