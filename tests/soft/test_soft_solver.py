"""DESIGN 6, identities 1 to 3, of a solver with a soft prompt; and bundles that are refused."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings, KeyValues
from afina.errors import AfinaError, ArtefactError, MismatchError
from afina.models import Models
from afina.packed import restore
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Reader
from afina.soft.soft_solver import ROWS, SoftSolver, batches_by_length, make_solver, unpack
from afina.solver import Packed, Prediction, Values
from afina.task.signature import Signature
from tests.tiny import DECODERS, ENCODERS, FAMILIES, VOCABULARY, shared, tiny
from tests.training.tiny_task import reviews

SIGNATURE = Signature.parse("review -> mood: good | bad | fine")
LABELS = ("good", "bad", "fine")
FREE = Signature.parse("review -> answer")
INPUTS: list[Values] = [{"review": text} for text, _ in reviews(40, seed=5)]
WAYS = [(family, kind) for family in FAMILIES for kind in ("head", "words")]
WAYS += [(family, "text") for family in FAMILIES if family not in ENCODERS]
WRITTEN = [(family, kind) for family, kind in WAYS if kind != "head" or family in DECODERS]


def solver_for(
    backbone: Backbone, kind: str, *, prompt: Embeddings | None, room: int = 40
) -> SoftSolver:
    frozen = backbone.frozen
    if kind == "head":
        weight = torch.randn(3, 32, generator=torch.Generator().manual_seed(1)) * 0.3
        answer = HeadAnswer(ClassificationHead(weight, torch.tensor([0.1, 0.0, -0.1])), LABELS)
        reader = Reader(frozen, SIGNATURE, room)
    else:
        mask = [VOCABULARY["<mask>"]] if frozen.kind == "encoder" else []
        tail = (*frozen.encode("sentiment :"), *mask)
        reader = Reader(frozen, SIGNATURE if kind == "words" else FREE, room, tail)
        last = "fine" if frozen.kind == "encoder" else "fine film"
        words = [frozen.encode(word) for word in ("good", "bad", last)]
        answer = LabelWords(LABELS, words) if kind == "words" else Writing(3)
    return make_solver(backbone, reader, prompt=prompt, answer=answer)


def vectors(length: int, seed: int = 0, *, width: int = 32) -> Embeddings:
    generator = torch.Generator().manual_seed(seed)
    return Embeddings(torch.randn(length, width, generator=generator) * 0.3)


def said(predictions: Sequence[Prediction]) -> list[tuple[object, Mapping[str, object]]]:
    return [(each.outputs, each.evidence) for each in predictions]


def assert_same_to_five_places(left: Sequence[Prediction], right: Sequence[Prediction]) -> None:
    for one, other in zip(left, right, strict=True):
        assert one.outputs == other.outputs
        first, second = (dict(each.evidence.get("probabilities", {})) for each in (one, other))
        assert first == pytest.approx(second, abs=1e-5)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_packing_changes_no_answer(family: str, kind: str) -> None:
    """Through JSON as a bundle keeps it, on another copy of the model: equal to the last bit.

    Broken by packing the scaled parameter in place of the vectors, or the labels in another order.
    """
    width = shared(family).frozen.width
    solver = solver_for(shared(family), kind, prompt=vectors(4, width=width))
    packed = solver.pack()
    kept = replace(packed, settings=json.loads(json.dumps(packed.settings)))
    again = restore(kept, Models(load=lambda name: tiny(name.removeprefix("tiny:"))))
    assert said(again(INPUTS)) == said(solver(INPUTS))
    assert again.parameters == solver.parameters
    assert again.pack().settings == packed.settings


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_order_and_batch_change_no_answer(family: str, kind: str) -> None:
    """40 rows make two batches. Broken by giving the answers in the order of their length."""
    width = shared(family).frozen.width
    solver = solver_for(shared(family), kind, prompt=vectors(4, width=width))
    together = solver(INPUTS)
    order = list(range(len(INPUTS)))
    random.Random(0).shuffle(order)
    shuffled = solver([INPUTS[place] for place in order])
    assert_same_to_five_places(shuffled, [together[place] for place in order])
    alone = [solver([row])[0] for row in INPUTS[:8]]
    assert_same_to_five_places(alone, together[:8])


@pytest.mark.parametrize(("family", "kind"), WRITTEN)
def test_a_prompt_of_words_answers_as_those_words(family: str, kind: str) -> None:
    """Broken by a prompt behind the text.

    Not for a head on an encoder: it leaves the prompt's places out of the mean, words are in it.
    """
    backbone = shared(family)
    words = "it was a very good film"
    soft = Embeddings(backbone.frozen.embed(backbone.frozen.encode(words)))
    prompted = solver_for(backbone, kind, prompt=soft)(INPUTS)
    written_out = solver_for(backbone, kind, prompt=None)(
        [{"review": f"{words} {row['review']}"} for row in INPUTS]
    )
    assert_same_to_five_places(prompted, written_out)


@pytest.mark.parametrize("family", DECODERS)
def test_a_decoder_reads_its_prompt_once(family: str) -> None:
    """Broken by absorbing it in each call."""
    solver = solver_for(shared(family), "words", prompt=vectors(4))
    assert isinstance(solver.ready, KeyValues)
    lead = len(shared(family).frozen.lead)
    assert solver.ready.length == 4 + lead
    direct = replace(solver, ready=solver.prompt)
    assert_same_to_five_places(solver(INPUTS[:8]), direct(INPUTS[:8]))


def test_another_prompt_gives_other_answers() -> None:
    one, other = (
        solver_for(shared("llama"), "words", prompt=vectors(4, seed))(INPUTS) for seed in (0, 1)
    )
    assert said(one) != said(other)


def test_nothing_asked_is_nothing_answered() -> None:
    assert solver_for(shared("bert"), "head", prompt=vectors(2))([]) == []


def test_an_empty_text_is_answered() -> None:
    """FAULTS 13: "" is an input like any other."""
    for family, kind in (("bert", "head"), ("gpt2", "words"), ("bart", "head"), ("t5", "text")):
        prediction = solver_for(shared(family), kind, prompt=vectors(2))([{"review": ""}])[0]
        assert prediction.outputs is not None


def test_a_cut_text_says_how_many_tokens_it_lost() -> None:
    solver = solver_for(shared("bert"), "words", prompt=vectors(2), room=10)
    whole, cut = solver([{"review": "good film"}, {"review": "good " * 12}])
    assert "tokens_cut" not in whole.evidence
    assert cut.evidence["tokens_cut"] == 5


@pytest.mark.parametrize(("family", "around"), [("bert", 2), ("llama", 1), ("gpt2", 0)])
def test_a_prediction_counts_its_tokens_and_its_time(family: str, around: int) -> None:
    solver = solver_for(shared(family), "head", prompt=vectors(4))
    prediction = solver([{"review": "good film it"}])[0]
    assert prediction.usage.calls == 1
    assert prediction.usage.tokens == 3 + 4 + around
    assert prediction.usage.cost == 0
    assert prediction.seconds > 0


@pytest.mark.parametrize(("kind", "trained"), [("head", 4 * 32 + 3 * 32 + 3), ("words", 4 * 32)])
def test_parameters_are_those_that_were_trained(kind: str, trained: int) -> None:
    assert solver_for(shared("gpt2"), kind, prompt=vectors(4)).parameters == trained


def test_batches_are_of_like_length_and_hold_each_row_once() -> None:
    solver = solver_for(shared("bert"), "head", prompt=None)
    reads = [solver.reader.read(row) for row in INPUTS]
    batches = batches_by_length(reads)
    assert [len(batch) for batch in batches] == [ROWS, 40 - ROWS]
    flat = [len(reads[place].tokens) for batch in batches for place in batch]
    assert flat == sorted(flat)
    assert sorted(place for batch in batches for place in batch) == list(range(40))


def packed_of(kind: str = "head", family: str = "bert") -> Packed:
    return solver_for(shared(family), kind, prompt=vectors(4)).pack()


def with_array(packed: Packed, name: str, array: NDArray[np.float32] | None) -> Packed:
    arrays = {each: part for each, part in packed.arrays.items() if each != name}
    return replace(packed, arrays=arrays if array is None else {**arrays, name: array})


def refusal(packed: Packed, family: str = "bert") -> AfinaError:
    with pytest.raises(AfinaError) as caught:
        unpack(packed, shared(family))
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_prompt_of_another_backbone_is_refused(family: str) -> None:
    """Other weights of the same kind, and a model of another kind with the same width."""
    other = tiny("bert", seed=1) if family == "bert" else shared(family)
    with pytest.raises(MismatchError, match=r"tuned on 'tiny:bert' with weights .* load the model"):
        unpack(packed_of(), other)


@pytest.mark.parametrize("name", ["prompt", "head.weight", "head.bias"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(name: str, number: float) -> None:
    array = packed_of().arrays[name].copy()
    array.flat[-1] = number
    error = refusal(with_array(packed_of(), name, array))
    assert isinstance(error, ArtefactError)
    assert "NaN or infinite" in str(error)


@pytest.mark.parametrize("name", ["prompt", "head.weight", "head.bias"])
def test_a_missing_array_is_refused(name: str) -> None:
    """Broken by taking a bundle without its prompt for one that never had any."""
    error = refusal(with_array(packed_of(), name, None))
    assert isinstance(error, ArtefactError)
    assert name in str(error)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("prompt", (4, 31)),
        ("prompt", (3, 32)),
        ("prompt", (4 * 32,)),
        ("prompt", (1, 4, 32)),
        ("prompt", (0, 32)),
        ("head.weight", (3, 31)),
        ("head.weight", (2, 32)),
        ("head.bias", (2,)),
        ("head.bias", ()),
    ],
)
def test_an_array_of_another_shape_is_refused(name: str, shape: tuple[int, ...]) -> None:
    """Broken by leaving it to the first answer: a product of matrices then fails there."""
    error = refusal(with_array(packed_of(), name, np.zeros(shape, np.float32)))
    assert isinstance(error, ArtefactError)
    assert f"{name}, torch.float32 of {shape}, not float32 of" in str(error)


def test_an_array_of_another_type_is_refused() -> None:
    wide = packed_of().arrays["prompt"].astype(np.float64)
    assert "prompt, torch.float64" in str(refusal(with_array(packed_of(), "prompt", wide)))


FIELDS = ["signature", "room", "tail", "length", "answer", "labels"]


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_refused(name: str) -> None:
    packed = packed_of()
    settings = {each: value for each, value in packed.settings.items() if each != name}
    error = refusal(replace(packed, settings=settings))
    assert isinstance(error, ArtefactError)
    assert name in str(error)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [None, "x ->", 1.5, {"a": 1}, [None], [[]]])
def test_a_garbled_field_is_refused(name: str, value: object) -> None:
    """Broken by asserting a type: that is a traceback, not a line."""
    packed = packed_of()
    error = refusal(replace(packed, settings={**packed.settings, name: value}))
    assert isinstance(error, ArtefactError)
    assert error.exit_code == 3


@pytest.mark.parametrize("words", [None, "good", [[6]], [[6], ["7"], [8]], [6, 7, 8]])
def test_garbled_label_words_are_refused(words: object) -> None:
    packed = packed_of("words", "gpt2")
    error = refusal(replace(packed, settings={**packed.settings, "words": words}), "gpt2")
    assert isinstance(error, ArtefactError)


def test_a_garbled_limit_of_writing_is_refused() -> None:
    packed = packed_of("text", "gpt2")
    assert isinstance(
        refusal(replace(packed, settings={**packed.settings, "tokens": "3"}), "gpt2"), ArtefactError
    )


def test_a_prompt_before_the_lead_stays_there() -> None:
    """Broken by packing the vectors without their place."""
    prompt = replace(vectors(4), before_lead=True)
    solver = solver_for(shared("bert"), "head", prompt=prompt)
    again = unpack(solver.pack(), shared("bert"))
    assert said(again(INPUTS)) == said(solver(INPUTS))
    usual = solver_for(shared("bert"), "head", prompt=vectors(4))
    assert said(usual(INPUTS)) != said(solver(INPUTS))


def test_vectors_in_two_places_are_refused() -> None:
    packed = packed_of()
    settings = {**packed.settings, "anywhere": True, "before_lead": True}
    error = refusal(replace(packed, settings=settings))
    assert isinstance(error, ArtefactError)
    assert "two places" in str(error)


def test_a_missing_digest_belongs_to_no_model() -> None:
    packed = packed_of()
    settings = {each: value for each, value in packed.settings.items() if each != "digest"}
    assert isinstance(refusal(replace(packed, settings=settings)), MismatchError)
