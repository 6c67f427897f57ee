"""A task: a signature, examples in splits, and the metric they are scored by."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from afina.errors import LeakError, TaskError
from afina.task.draft import Draft, read_folder
from afina.task.example import Example
from afina.task.hub import Mapped, read_hub
from afina.task.leaks import Leak
from afina.task.metrics import Metric
from afina.task.rows import refuse
from afina.task.sealed import SealedSplit
from afina.task.signature import Signature
from afina.task.splits import Manifest

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Task:
    """What is to be done, shown by examples; ``test`` stays sealed until the end.

    ``words`` gives a prompt's word for a label where that is not the label itself, and
    ``further_words`` what a verbalizer takes for the same label; ``dropped`` tells how many
    examples each split lost because they leaked. ``digest`` is of the signature without its
    instruction, the metric and every example: the ledger counts openings of the test by it.
    """

    name: str
    signature: Signature
    metric: Metric
    train: tuple[Example, ...] = field(repr=False)
    dev: tuple[Example, ...] = field(repr=False)
    test: SealedSplit = field(repr=False)
    manifest: Manifest = field(repr=False)
    digest: str
    words: Mapping[str, str] = field(default_factory=dict)
    further_words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)

    def for_tuning(self) -> "Task":
        """The same task without the rows of its test: even opening it raises SealedError."""
        return replace(self, test=self.test.for_tuning())


def load_task(source: str | Path, *, mapped: Mapped | None = None) -> Task:
    """Load a folder with task.toml, or a Hub dataset by its name ``owner/name``.

    ``mapped`` says how a Hub dataset's columns are read; a folder's task.toml says it itself.
    Raises TaskError, DataError for rows that were rejected and LeakError for splits that leak.
    """
    draft = read_draft(source, mapped)
    refuse(draft.rejected)
    if draft.rule.leaks == "refuse" and draft.leaks:
        raise LeakError(leak_message(source, draft.leaks))
    if draft.faults:
        raise TaskError(f"{source}: {draft.faults[0]}")
    return task_of(draft)


def read_draft(source: str | Path, mapped: Mapped | None) -> Draft:
    """Read a source as a folder, or else by its name on the Hub; raises TaskError."""
    folder = Path(source)
    if (folder / "task.toml").is_file():
        if mapped is not None:
            raise TaskError(f"expected the mapping in {folder / 'task.toml'}, came one beside it")
        return read_folder(folder)
    if folder.is_dir():
        raise TaskError(f"expected a task folder, came {str(source)!r} without task.toml")
    named = HUB_NAME.fullmatch(str(source)) is not None and not folder.parent.is_dir()
    if not named or isinstance(source, Path):
        raise TaskError(
            "expected a folder with task.toml or a Hub dataset's name 'owner/name',"
            f" came {str(source)!r}, which is neither"
        )
    return read_hub(str(source), mapped or Mapped())


def task_of(draft: Draft) -> Task:
    """The task that a draft without faults is."""
    manifest = Manifest.of(draft.splits, draft.rule.seed, draft.shares)
    content = json.dumps([str(draft.signature), draft.metric.name, manifest.digest])
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Task(
        name=draft.name,
        signature=draft.signature,
        metric=draft.metric,
        train=draft.splits["train"],
        dev=draft.splits["dev"],
        test=SealedSplit(draft.splits["test"], digest),
        manifest=manifest,
        digest=digest,
        words=draft.words,
        further_words=draft.further_words,
        dropped=draft.dropped,
    )


def leak_message(source: str | Path, leaks: tuple[Leak, ...]) -> str:
    """How many leaks of which kind, the first few, and how to go on."""
    kinds = Counter(leak.kind for leak in leaks)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    first = "; ".join(str(leak) for leak in leaks[:3])
    return (
        f"expected no example of one split in another, came {counts} ({first}"
        f"{'; ...' if len(leaks) > 3 else ''}); see all with 'afina check {source}', and set"
        ' leaks = "drop" under [split] in task.toml to leave them out of train, then dev'
    )
