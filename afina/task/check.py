"""A check: what a task holds and what is wrong with it, without refusing anything."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from afina.task.draft import SPLITS, Draft
from afina.task.example import Example, content_id
from afina.task.hub import Mapped
from afina.task.leaks import Leak, find_leaks
from afina.task.rows import Rejection
from afina.task.signature import Boolean, Choice, Signature
from afina.task.task import read_draft


@dataclass(frozen=True)
class TaskCheck:
    """The counts and faults of a task; ``usable`` is whether load_task accepts it."""

    name: str
    signature: Signature
    metric: str
    rows: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    rejected: tuple[Rejection, ...]
    leaks: tuple[Leak, ...]
    leak_rule: str
    dropped: Mapping[str, int]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether nothing stands in the way of loading the task."""
        leaking = self.leak_rule == "refuse" and bool(self.leaks)
        return not (self.rejected or self.faults or leaking)


def inspect_task(source: str | Path, *, mapped: Mapped | None = None) -> TaskCheck:
    """Look at a task; raises TaskError only where it cannot be read at all."""
    draft = read_draft(source, mapped)
    allowed = draft.rule.leaks == "allow"
    leaks = tuple(find_leaks(draft.splits)) if allowed else draft.leaks
    return TaskCheck(
        name=draft.name,
        signature=draft.signature,
        metric=draft.metric.name,
        rows={name: len(draft.splits[name]) for name in SPLITS},
        labels={name: label_counts(draft, name) for name in SPLITS},
        rejected=draft.rejected,
        leaks=leaks,
        leak_rule=draft.rule.leaks,
        dropped=draft.dropped,
        faults=draft.faults,
        warnings=tuple(warnings_of(draft, leaks)),
    )


def label_counts(draft: Draft, split: str) -> dict[str, int]:
    """Examples per label, most first; empty where the target has none."""
    target = draft.signature.target
    if not isinstance(target.type, Choice | Boolean):
        return {}
    counts = Counter(str(example.outputs[target.name]) for example in draft.splits[split])
    return dict(counts.most_common())


def warnings_of(draft: Draft, leaks: Sequence[Leak]) -> list[str]:
    """What is worth a look but stops nothing."""
    found = []
    for split in SPLITS:
        unseen = draft.unseen(split)
        if unseen:
            names = ", ".join(unseen[:5]) + (" ..." if len(unseen) > 5 else "")
            found.append(f"{len(unseen)} labels without an example in {split}: {names}")
    twice = conflicts(draft.splits["train"])
    if twice:
        found.append(f"{twice} inputs stand in train with different outputs")
    if draft.rule.leaks == "allow" and leaks:
        found.append(f'{len(leaks)} leaks are let through by leaks = "allow"')
    return found


def conflicts(examples: Sequence[Example]) -> int:
    """Inputs that stand with more than one outputs."""
    outputs: dict[str, set[str]] = {}
    for example in examples:
        key = content_id(example.inputs, {})
        outputs.setdefault(key, set()).add(content_id({}, example.outputs))
    return sum(len(found) > 1 for found in outputs.values())
