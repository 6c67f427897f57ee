"""A draft: a task as it was read, before anything is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from afina.errors import InputError, TaskError
from afina.task.example import Example
from afina.task.jsonl import read_json
from afina.task.leaks import Leak, find_leaks
from afina.task.metrics import Metric, check_metric, default_metric, metric_named
from afina.task.names import data_file
from afina.task.rows import Rejection
from afina.task.settings import Settings, Split, read_settings
from afina.task.signature import Boolean, Choice, FieldType, Signature, Spans
from afina.task.sources import (
    Examples,
    Layout,
    labels_in,
    merged,
    read_examples,
    with_labels,
)
from afina.task.splits import cut_splits

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Draft:
    """Splits with what is wrong about them; leaks are not looked for where all are allowed."""

    name: str
    signature: Signature
    metric: Metric
    splits: Mapping[str, tuple[Example, ...]]
    rejected: tuple[Rejection, ...]
    leaks: tuple[Leak, ...]
    dropped: Mapping[str, int]
    rule: Split
    shares: Mapping[str, float]
    words: Mapping[str, str]
    further_words: Mapping[str, tuple[str, ...]]

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the splits cannot be used: one that is empty, a label that train does not show."""
        empty = [name for name in SPLITS if not self.splits[name]]
        if empty:
            return (f"expected examples in each split, came none in {' and '.join(empty)}",)
        unseen = self.unseen("train")
        if unseen:
            names = ", ".join(map(repr, unseen[:5])) + (" ..." if len(unseen) > 5 else "")
            return (
                f"no example in train for {len(unseen)} of the labels: {names}; add some or take"
                " the labels out of the signature",
            )
        return ()

    def unseen(self, split: str) -> list[str]:
        """Labels of the signature without an example in a split."""
        target = self.signature.target
        if not isinstance(target.type, Choice):
            return []
        there = {example.outputs[target.name] for example in self.splits[split]}
        return [label for label in target.type.labels if label not in there]


def read_folder(folder: Path) -> Draft:
    """Read a folder with task.toml; raises TaskError where it cannot be read at all."""
    path = folder / "task.toml"
    settings = read_settings(path)
    try:
        signature = Signature.parse(settings.signature, settings.instruction)
        metric = chosen_metric(settings.metric, signature)
        layout = layout_of(settings, signature)
        signature, splits = read_splits(folder, settings, signature, layout)
        check_labels(settings, signature)
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error  # the same kind, with the place
    return drafted(folder.resolve().name, signature, metric, splits, settings)


def chosen_metric(name: str | None, signature: Signature) -> Metric:
    """The metric that was named, or that of the target's type; raises InputError."""
    metric = metric_named(name) if name else default_metric(signature.target.type)
    check_metric(metric, signature.target)
    return metric


def layout_of(settings: Settings, signature: Signature) -> Layout:
    """Where the fields stand; raises TaskError for columns of fields that are not there."""
    data = settings.data
    names = [part.name for part in (*signature.inputs, *signature.outputs)]
    for name in data.columns:
        if name not in names:
            raise TaskError(
                f"data.columns.{name}: expected a field of the signature"
                f" ({', '.join(names)}), came {name!r}"
            )
    return Layout(
        columns=data.columns,
        labels=settings.labels,
        header=data.header,
        group=data.group,
        id=data.id,
        token_column=data.token_column,
        tag_column=data.tag_column,
    )


def read_splits(
    folder: Path, settings: Settings, signature: Signature, layout: Layout
) -> tuple[Signature, dict[str, Examples]]:
    """Read the files of each split; labels that are open come from a file or from train."""
    files = {name: [data_file(folder, f) for f in settings.data.files(name)] for name in SPLITS}
    open_labels = signature.target.type == Choice(())
    if settings.labels_file is not None:
        if not open_labels:
            raise TaskError("labels_file: expected 'choice' as the target's type in the signature")
        path = data_file(folder, settings.labels_file)
        signature = with_labels(signature, read_labels(path))
    train = read_examples(files["train"], signature, layout)
    if signature.target.type == Choice(()):
        signature = with_labels(signature, labels_in(train.accepted, signature.target.name))
    found = {"train": train}
    for name in ("dev", "test"):
        if files[name]:
            found[name] = read_examples(files[name], signature, layout)
    return signature, found


def read_labels(path: Path) -> list[str]:
    """Read a JSON list of labels; raises TaskError."""
    try:
        labels = read_json(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise TaskError(f"labels_file: expected a JSON list of labels: {error}") from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise TaskError(f"labels_file: expected a JSON list of texts in {path}")
    return labels


def check_labels(settings: Settings, signature: Signature) -> None:
    """Labels in [labels] and [prompt] are the signature's; raises TaskError."""
    known = labels_of(signature.target.type)
    named = {f"labels.{raw}": label for raw, label in settings.labels.items()}
    named |= {f"prompt.words.{label}": label for label in settings.prompt.words}
    for key, label in named.items():
        if label not in known:
            raise TaskError(f"{key}: expected a label of the signature, came {label!r}")


def labels_of(target: FieldType) -> tuple[str, ...]:
    """The labels of a type."""
    match target:
        case Choice(labels) | Spans(labels):
            return labels
        case Boolean():
            return ("true", "false")
        case _:
            return ()


def drafted(
    name: str,
    signature: Signature,
    metric: Metric,
    found: Mapping[str, Examples],
    settings: Settings,
) -> Draft:
    """Cut the splits that are not there, merge versions, and look for leaks."""
    rule, target = settings.split, signature.target
    shares = {"test": rule.test, "dev": rule.dev}
    shares = {part: share for part, share in shares.items() if part not in found}
    splits = {part: rows.accepted for part, rows in found.items()}
    label = target.name if isinstance(target.type, Choice | Boolean) else ""
    splits |= cut_splits(splits["train"], shares=shares, seed=rule.seed, target=label)
    if settings.data.merge:
        splits |= {part: merged(splits[part], target.name) for part in ("dev", "test")}
    splits = {part: splits[part] for part in SPLITS}
    leaks = () if rule.leaks == "allow" else tuple(find_leaks(splits))
    kept = without(splits, leaks) if rule.leaks == "drop" else splits
    return Draft(
        name=name,
        signature=signature,
        metric=metric,
        splits=kept,
        rejected=tuple(r for rows in found.values() for r in rows.rejected),
        leaks=leaks,
        dropped={part: len(splits[part]) - len(kept[part]) for part in SPLITS},
        rule=rule,
        shares=shares,
        words=settings.prompt.first,
        further_words=settings.prompt.further,
    )


def without(
    splits: Mapping[str, tuple[Example, ...]], leaks: tuple[Leak, ...]
) -> dict[str, tuple[Example, ...]]:
    """The splits without what leaks: the earlier one gives way, so test stays whole."""
    gone = {(leak.split, leak.id) for leak in leaks}
    return {
        name: tuple(example for example in rows if (name, example.id) not in gone)
        for name, rows in splits.items()
    }
