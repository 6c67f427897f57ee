"""Splits: seeded, stratified, steady under added rows, whole groups together."""

from collections import Counter

import pytest

from afina.errors import MismatchError
from afina.task.example import Example
from afina.task.splits import Manifest, cut_splits

SHARES = {"test": 0.2, "dev": 0.1}


def example(n: int, label: str = "a", group: str = "") -> Example:
    return Example.of({"text": f"row {n}"}, {"label": label}, group=group)


ROWS = [example(n, "a" if n % 4 else "b") for n in range(400)]


def cut(
    rows: list[Example], *, seed: int = 0, target: str = "label"
) -> dict[str, tuple[Example, ...]]:
    return cut_splits(rows, shares=SHARES, seed=seed, target=target)


def place(splits: dict[str, tuple[Example, ...]]) -> dict[str, str]:
    return {example.id: name for name, rows in splits.items() for example in rows}


def test_every_row_stands_in_one_split_in_its_order() -> None:
    splits = cut(ROWS)
    assert sorted(place(splits)) == sorted(example.id for example in ROWS)
    for rows in splits.values():
        assert list(rows) == [example for example in ROWS if example in rows]


def test_each_label_keeps_the_shares() -> None:
    splits = cut(ROWS)
    for name, share in (*SHARES.items(), ("train", 0.7)):
        counts = Counter(example.outputs["label"] for example in splits[name])
        assert abs(counts["a"] - 300 * share) <= 1
        assert abs(counts["b"] - 100 * share) <= 1


def test_the_order_of_the_file_changes_no_place() -> None:
    assert place(cut(ROWS)) == place(cut(ROWS[::-1]))


def test_another_seed_cuts_elsewhere() -> None:
    one, other = place(cut(ROWS)), place(cut(ROWS, seed=1))
    assert one == place(cut(ROWS, seed=0))
    assert sum(one[key] != other[key] for key in one) > 100


def test_ten_rows_more_move_few() -> None:
    before, after = place(cut(ROWS)), place(cut([*ROWS, *(example(n) for n in range(400, 410))]))
    assert sum(before[key] != after[key] for key in before) <= 8


def test_many_small_labels_keep_the_shares_together() -> None:
    splits = cut([example(n, f"label {n // 5}") for n in range(750)])
    assert abs(len(splits["dev"]) - 75) <= 15
    assert abs(len(splits["test"]) - 150) <= 20
    assert len({example.outputs["label"] for example in splits["train"]}) == 150


def test_groups_are_never_parted() -> None:
    rows = [example(n, "a" if n % 3 else "b", f"group {n % 40}") for n in range(400)]
    splits = cut(rows)
    groups = {name: {example.group for example in found} for name, found in splits.items()}
    assert groups["train"].isdisjoint(groups["dev"] | groups["test"])
    assert groups["dev"].isdisjoint(groups["test"])
    assert len(splits["test"]) == 80
    assert len(splits["dev"]) == 40


def test_equal_inputs_are_never_parted() -> None:
    rows = [Example.of({"text": f"row {n % 100}"}, {"ref": f"version {n}"}) for n in range(400)]
    splits = cut(rows, target="")
    texts = {name: {str(e.inputs["text"]) for e in found} for name, found in splits.items()}
    assert texts["train"].isdisjoint(texts["dev"] | texts["test"])
    assert texts["dev"].isdisjoint(texts["test"])


def test_a_single_row_is_for_training() -> None:
    for seed in range(40):
        splits = cut([example(0)], seed=seed)
        assert [len(splits[name]) for name in ("train", "dev", "test")] == [1, 0, 0]


def test_a_manifest_reads_back_and_knows_the_content() -> None:
    splits = cut(ROWS)
    manifest = Manifest.of(splits, 0, SHARES)
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.splits["dev"] == tuple(example.id for example in splits["dev"])
    changed = {**splits, "dev": (*splits["dev"][:-1], example(999))}
    assert Manifest.of(changed, 0, SHARES).digest != manifest.digest
    assert Manifest.of(cut(ROWS), 0, SHARES).digest == manifest.digest


def test_the_manifest_knows_content_behind_given_ids() -> None:
    one, other = (Example.of({"t": t}, {"y": "a"}, id="same") for t in ("x", "y"))
    digests = {Manifest.of({"train": [e]}, 0, {}).digest for e in (one, other)}
    assert len(digests) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"splits": 5}', "null"])
def test_a_broken_manifest_is_refused(text: str) -> None:
    with pytest.raises(MismatchError, match="expected a split manifest"):
        Manifest.from_json(text)
