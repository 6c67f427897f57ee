"""Splits: one seeded, stratified cut by content hash, and the manifest of what went where."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from afina.errors import MismatchError
from afina.task.example import Example, content_id


@dataclass(frozen=True)
class Manifest:
    """Which examples stand in which split, and how they came there."""

    splits: Mapping[str, tuple[str, ...]]
    seed: int
    shares: Mapping[str, float]
    digest: str

    @classmethod
    def of(
        cls, splits: Mapping[str, Sequence[Example]], seed: int, shares: Mapping[str, float]
    ) -> "Manifest":
        """The manifest of splits; its digest is that of every example's content, in order."""
        ids = {name: tuple(example.id for example in rows) for name, rows in splits.items()}
        content = {name: [example.content for example in rows] for name, rows in splits.items()}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return cls(ids, seed, dict(shares), digest)

    def to_json(self) -> str:
        """The manifest as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Read what ``to_json`` wrote; raises MismatchError for anything else."""
        try:
            data = json.loads(text)
            splits = {name: tuple(map(str, ids)) for name, ids in data["splits"].items()}
            shares = {name: float(share) for name, share in data["shares"].items()}
            return cls(splits, int(data["seed"]), shares, str(data["digest"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MismatchError(
                f"expected a split manifest with splits, seed, shares and digest, came {error!r}"
            ) from error


def cut_splits(
    examples: Sequence[Example], *, shares: Mapping[str, float], seed: int, target: str
) -> dict[str, tuple[Example, ...]]:
    """Cut examples into the splits that ``shares`` names and ``train``, which takes the rest.

    An example's place depends on its inputs, the seed and the other examples of its label
    (``target``; "" where nothing is stratified): each label's examples are sorted by a seeded
    hash and cut by share, so rows that are added move few others. Groups go as a whole, in the
    order of the hash of their name, over all labels; equal inputs are one group.
    """
    strata: dict[str, dict[str, list[Example]]] = {}
    for example in examples:
        label = "" if example.group or not target else json.dumps(example.outputs[target])
        unit = f"group {example.group}" if example.group else content_id(example.inputs, {})
        strata.setdefault(label, {}).setdefault(unit, []).append(example)
    place: dict[int, str] = {}
    for label, units in strata.items():
        for name, rows in cut_stratum(label, units, shares, seed):
            place |= {id(example): name for example in rows}
    names = [*shares, "train"]
    return {name: tuple(e for e in examples if place[id(e)] == name) for name in names}


def cut_stratum(
    label: str, units: Mapping[str, list[Example]], shares: Mapping[str, float], seed: int
) -> list[tuple[str, list[Example]]]:
    """Give each unit of one label its split; the last unit is train's in any case.

    A share of a small label is rounded up or down by its own hash, so that many small labels
    together keep the shares.
    """
    order = sorted(units, key=lambda unit: seeded(seed, unit))
    total = sum(map(len, units.values()))
    found: list[tuple[str, list[Example]]] = []
    taken, bound, place = 0, 0.0, 0
    for name, share in shares.items():
        bound += share * total
        limit = int(bound + seeded(seed, name, label) / 2**64)
        while place < len(order) - 1 and taken + len(units[order[place]]) / 2 <= limit:
            found.append((name, units[order[place]]))
            taken += len(units[order[place]])
            place += 1
    return found + [("train", units[unit]) for unit in order[place:]]


def seeded(seed: int, *words: str) -> int:
    """A hash of 64 bits."""
    text = json.dumps([seed, *words])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
