"""Examples chosen for each row: as the selector alone would, kept whole, missing where it fails."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from afina.errors import ArtefactError, CallError, InputError, MismatchError
from afina.hard.demonstrations import SELECTORS, Aids
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver, unpack_prompt
from afina.hard.selection import FewShotSettings, Selection, read_selection
from afina.lm.scripted import ScriptedLM
from afina.retrieval.embedding import Embedding, Vectors
from afina.solver import Packed
from afina.task.example import Example
from afina.task.signature import Signature
from tests.retrieval.texts import WORDS, vectors

SIGNATURE = Signature.parse("text -> mood: good | bad")
TEXTS = "fine plot|dull plot|a fine film|the sea|salt and bread|a dull evening at sea".split("|")
POOL = tuple(
    Example.of({"text": text}, {"mood": "bad" if "dull" in text else "good"}) for text in TEXTS
)
ROWS = [{"text": text} for text in ("a fine plot", "dull sea", "fine plot", "bread")]


def load(name: str) -> Embedding:
    assert name == "words"
    return WORDS


def made(select: str, shots: int = 2, pool: Sequence[Example] = POOL, **more: Any) -> Selection:
    settings = FewShotSettings(shots, select, "words", **more)
    return Selection.of(SIGNATURE, pool, settings, seed=3, load=load)


def solver(selection: Selection | None, lm: ScriptedLM | None = None) -> PromptSolver:
    lm = lm or ScriptedLM(lambda request: "good", name="g")
    return PromptSolver(Prompt.of(SIGNATURE), lm, "scripted:g", selection=selection)


@pytest.mark.parametrize("select", SELECTORS)
def test_rows_together_are_shown_what_each_selector_shows_a_row(select: str) -> None:
    choose = SELECTORS[select](POOL, Aids(SIGNATURE, 3, vectors=vectors))
    assert made(select)(ROWS) == [choose(row, 2) for row in ROWS]
    assert [made(select)([row]) for row in ROWS] == [[choose(row, 2)] for row in ROWS]
    assert made(select, pool=())(ROWS) == [()] * len(ROWS)
    assert made(select)([]) == []


def test_only_draws_are_the_same_for_all() -> None:
    for select in SELECTORS:
        same = made(select).same_for_all
        assert (same is not None) == (select in ("random", "balanced"))
        assert same is None or [same] * len(ROWS) == made(select)(ROWS)


def test_length_keeps_to_its_room() -> None:
    (none,), (some,) = made("length", room=12)(ROWS[:1]), made("length", room=60)(ROWS[:1])
    assert (len(none), len(some)) == (0, 2)


def test_rows_are_put_to_the_model_of_vectors_together() -> None:
    asked: list[int] = []

    def count(texts: Sequence[str]) -> Vectors:
        asked.append(len(texts))
        return vectors(texts)

    selection = Selection.of(
        SIGNATURE,
        POOL,
        FewShotSettings(2, "nearest", "words"),
        seed=0,
        load=lambda name: replace(WORDS, embed=count),
    )
    selection(ROWS)
    selection(ROWS)
    assert asked == [len(POOL), len(ROWS), len(ROWS)]


def test_each_row_is_asked_behind_its_own_examples_in_the_labels_words() -> None:
    lm = ScriptedLM(lambda request: "great", name="g")
    asking = replace(solver(made("nearest"), lm), words={"good": "great"})
    found = asking(ROWS)
    for row, request, prediction in zip(ROWS, lm.asked, found, strict=True):
        (shown,) = made("nearest")([row])
        turns = [turn.content for turn in request.messages]
        words = {"good": "great", "bad": "bad"}
        assert turns[1:-1] == [
            turn
            for example in shown
            for turn in (
                f"text: {example.inputs['text']}\nmood:",
                words[str(example.outputs["mood"])],
            )
        ]
        assert row["text"] in turns[-1]
        assert prediction.evidence["shown"] == [example.id for example in shown]
        assert prediction.outputs == {"mood": "good"}


@pytest.mark.parametrize("select", ["length", "nearest", "mmr", "overlap"])
def test_what_is_packed_is_restored_equal_without_asking_for_the_pool(select: str) -> None:
    packed = solver(made(select)).pack()
    assert set(packed.arrays) == ({"vectors"} if select in ("nearest", "mmr") else set())
    settings = json.loads(json.dumps(packed.settings))
    asked: list[int] = []

    def count(texts: Sequence[str]) -> Vectors:
        asked.append(len(texts))
        return vectors(texts)

    again = unpack_prompt(
        Packed(packed.kind, settings, packed.arrays),
        ScriptedLM(lambda request: "good", name="g"),
        lambda name: replace(WORDS, embed=count),
    )
    assert asked == []
    assert again.selection == solver(made(select)).selection
    assert again.selection is not None
    assert again.selection(ROWS) == made(select)(ROWS)
    assert again.pack().settings == packed.settings
    for name, array in packed.arrays.items():
        np.testing.assert_array_equal(again.pack().arrays[name], array)


def test_an_endpoint_of_vectors_that_is_down_makes_rows_missing() -> None:
    def down(texts: Sequence[str]) -> Vectors:
        raise CallError("the endpoint is down", attempts=3)

    selection = replace(made("nearest"), embedding=replace(WORDS, embed=down))
    lm = ScriptedLM(lambda request: "good", name="g")
    found = solver(selection, lm)(ROWS)
    assert [each.outputs for each in found] == [None] * len(ROWS)
    assert {each.reason for each in found} == {"no examples: the endpoint is down"}
    assert lm.calls == 0


def test_vectors_of_another_width_are_refused() -> None:
    other = replace(WORDS, embed=lambda texts: vectors(texts)[:, :3])
    with pytest.raises(MismatchError, match=r"vectors of 8 numbers.*came 3 of 'words'.*tune anew"):
        replace(made("mmr"), embedding=other)(ROWS)


def test_what_cannot_choose_is_refused() -> None:
    with pytest.raises(InputError, match=r"select out of random, balanced, .* got 'best'"):
        made("best")
    for select in ("nearest", "overlap", "length"):
        with pytest.raises(InputError, match="expected the input 'text', came review"):
            made(select)([{"review": "x"}])


def test_a_bundle_that_is_damaged_or_of_other_vectors_is_refused() -> None:
    whole = made("nearest").to_json()
    arrays = {"vectors": made("nearest").vectors}
    broken: list[tuple[object, str]] = [
        ([], "examples to choose from"),
        ({**whole, "pool": [{"inputs": {}}]}, "an example with inputs"),
        ({**whole, "settings": {"shots": "many"}}, "cannot be read"),
        ({**whole, "settings": {"select": "best"}}, "no selector 'best'"),
    ]
    for data, message in broken:
        with pytest.raises(ArtefactError, match=message):
            read_selection(data, SIGNATURE, arrays, load)
    with pytest.raises(ArtefactError, match="a vector for each of 6 examples"):
        read_selection(whole, SIGNATURE, {}, load)
    with pytest.raises(MismatchError, match="the weights of that name are others now"):
        read_selection(whole, SIGNATURE, arrays, lambda name: replace(WORDS, digest="cd"))
