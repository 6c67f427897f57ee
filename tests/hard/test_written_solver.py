"""A front that is absorbed once answers as the front written out in each row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze
from afina.backbones.injection import KeyValues
from afina.errors import ArtefactError, InputError, MismatchError, ModelError
from afina.hard.prompt import Prompt
from afina.hard.written_solver import ROWS, WrittenSolver, make_solver, unpack_written
from afina.packed import restore
from afina.solver import Packed, Prediction, Values
from afina.task.signature import Signature
from afina.task.task import Task
from tests.tiny import (
    DECODERS,
    ENCODER_DECODERS,
    ENCODERS,
    configs,
    shared,
    tiny,
    tokenizer_for,
)
from tests.training.tiny_task import text_task, worded_task

FAMILIES = [*DECODERS, *ENCODER_DECODERS]
TASK, FREE = worded_task(train=8, dev=40), text_task(train=8, dev=40)


def solver_for(backbone: Backbone, task: Task = TASK, shots: int = 1) -> WrittenSolver:
    return make_solver(Prompt.of(task.signature, task.train[:shots]), backbone, task.words)


def inputs_of(task: Task, count: int = 40) -> list[Values]:
    return [example.inputs for example in task.dev[:count]]


def said(predictions: Sequence[Prediction]) -> list[tuple[object, Mapping[str, object]]]:
    return [(each.outputs, each.evidence) for each in predictions]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shots", [0, 1])
def test_the_absorbed_front_scores_as_the_front_written_out(family: str, shots: int) -> None:
    """Broken by positions that begin at 0 behind the front."""
    backbone = shared(family)
    solver = solver_for(backbone, shots=shots)
    inputs = inputs_of(TASK, 8)
    rows = [[*solver.front, *backbone.frozen.encode(solver.prompt.back(row))] for row in inputs]
    with torch.no_grad():
        wanted = backbone.choose(rows, solver.labels, [None] * 8).softmax(dim=-1)
    for prediction, scores in zip(solver(inputs), wanted.tolist(), strict=True):
        found = prediction.evidence["probabilities"]
        assert found == pytest.approx(
            dict(zip(("positive", "negative"), scores, strict=True)), abs=1e-5
        )
        assert prediction.outputs == {"sentiment": max(found, key=found.get)}


def roomy(family: str) -> Backbone:
    """A tiny model with places for the text it may write."""
    if family == "t5":
        return shared("t5")
    config = configs()[family]
    config.max_position_embeddings = 160  # GPT-2 calls it n_positions and takes this name too
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    return backbone_of(freeze(f"roomy:{family}", model, tokenizer_for(family), kind="decoder"))


@pytest.mark.parametrize("family", ["gpt2", "llama", "t5"])
@pytest.mark.parametrize("shots", [0, 1])
def test_the_absorbed_front_writes_as_the_front_written_out(family: str, shots: int) -> None:
    """The answer ends with its line, which no word of these models does, so it is kept whole."""
    backbone = roomy(family)
    solver, inputs = solver_for(backbone, FREE, shots), inputs_of(FREE, 4)
    rows = [[*solver.front, *backbone.frozen.encode(solver.prompt.back(row))] for row in inputs]
    wanted = backbone.write(rows, [None] * 4, tokens=48)
    found = [prediction.outputs["answer"] for prediction in solver(inputs) if prediction.outputs]
    assert found == [backbone.frozen.decode(ids).strip() for ids in wanted]
    assert solver.labels == ()


@pytest.mark.parametrize("family", DECODERS)
def test_a_decoder_reads_the_front_once(family: str) -> None:
    solver = solver_for(shared(family))
    assert isinstance(solver.ready, KeyValues)
    assert solver.ready.length == len(solver.front) + len(shared(family).frozen.lead)


@pytest.mark.parametrize("family", FAMILIES)
def test_order_and_batch_change_no_answer(family: str) -> None:
    """40 rows make two batches. Broken by giving the answers in the order of their length."""
    solver, inputs = solver_for(shared(family)), inputs_of(TASK)
    assert len(inputs) > ROWS
    together = solver(inputs)
    backwards = solver(inputs[::-1])[::-1]
    alone = [solver([row])[0] for row in inputs[:6]]
    for one, other in [
        *zip(together, backwards, strict=True),
        *zip(together[:6], alone, strict=True),
    ]:
        assert one.outputs == other.outputs
        first, second = one.evidence["probabilities"], other.evidence["probabilities"]
        assert dict(first) == pytest.approx(dict(second), abs=1e-5)


def test_examples_change_the_scores() -> None:
    """Broken by a front that no row sees."""
    none, one = (solver_for(shared("llama"), shots=shots)(inputs_of(TASK, 4)) for shots in (0, 1))
    assert said(none) != said(one)


def test_zero_examples_and_no_instruction_need_no_front() -> None:
    task = replace(TASK, signature=replace(TASK.signature, instruction=""))
    for family in FAMILIES:
        solver = solver_for(shared(family), task, shots=0)
        assert solver.front == ()
        assert all(prediction.outputs for prediction in solver(inputs_of(task, 4)))
        assert solver.parameters == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_a_label_reads_as_the_task_s_word_for_it(family: str) -> None:
    """Broken by leaving the words out."""
    frozen = shared(family).frozen
    assert solver_for(shared(family)).labels == (frozen.encode("great"), frozen.encode("awful"))
    plain = replace(TASK, words={})
    named = (frozen.encode("positive"), frozen.encode("negative"))
    assert solver_for(shared(family), plain).labels == named


def test_examples_show_the_words_that_are_scored() -> None:
    """Broken by showing the labels: the model then sees one word and is asked for another."""
    solver = solver_for(shared("gpt2"), shots=1)
    assert shared("gpt2").frozen.decode(solver.front).split()[-1] == "great"
    assert solver.pack().settings["demonstrations"][0]["outputs"] == {"sentiment": "positive"}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shots", [0, 1])
def test_packing_changes_no_answer(family: str, shots: int) -> None:
    """Through JSON and another copy of the model. Broken by packing no instruction."""
    solver = solver_for(shared(family), shots=shots)
    packed = solver.pack()
    kept = replace(packed, settings=json.loads(json.dumps(packed.settings)))
    again = restore(kept, lambda name: tiny(name.removeprefix("tiny:")))
    assert said(again(inputs_of(TASK))) == said(solver(inputs_of(TASK)))
    assert again.pack() == packed


def test_an_empty_input_is_answered() -> None:
    """FAULTS 13."""
    assert solver_for(shared("gpt2"), shots=0)([{"review": ""}])[0].outputs is not None


def test_a_long_text_is_cut_and_the_question_stays() -> None:
    """Broken by cutting the end: the model then goes on with the review."""
    solver = solver_for(shared("gpt2"), shots=1)
    tokens, cut = solver._row({"review": "good film " * 40})
    assert len(tokens) == solver.room
    assert cut == 1 + 80 + 1 - solver.room
    assert tokens[-1] == shared("gpt2").frozen.encode("sentiment:")[-1]
    assert solver([{"review": "good film " * 40}])[0].evidence["tokens_cut"] == cut


@pytest.mark.parametrize("family", ["gpt2", "bart"])
def test_a_prompt_that_leaves_no_room_is_refused(family: str) -> None:
    """When it is made, not at the first row: a run without a usable solver is not kept."""
    with pytest.raises(
        ModelError, match=rf"leaves room for -?\d+, but tiny:{family} has 64 places"
    ):
        solver_for(shared(family), shots=8)


@pytest.mark.parametrize("family", ENCODERS)
def test_an_encoder_is_refused(family: str) -> None:
    with pytest.raises(ModelError, match=f"tiny:{family} is an encoder and answers no written"):
        solver_for(shared(family))


@pytest.mark.parametrize("kind", ["int", "float", "bool", "list[str]", "spans[PER]"])
def test_a_target_that_is_not_read_back_from_text_is_refused(kind: str) -> None:
    """Broken by writing it anyway: every answer is then a text and every score 0."""
    prompt = Prompt.of(Signature.parse(f"review -> thing: {kind}"))
    with pytest.raises(InputError, match=r"expected a target that is a choice, .*'thing: "):
        make_solver(prompt, shared("t5"), {})


def test_a_prompt_of_another_backbone_is_refused() -> None:
    packed = solver_for(shared("gpt2")).pack()
    for other in (tiny("gpt2", seed=1), shared("llama")):
        with pytest.raises(MismatchError, match="load the model it was measured on"):
            unpack_written(packed, other)


@pytest.mark.parametrize("name", ["signature", "instruction", "demonstrations", "words"])
def test_a_missing_field_is_refused(name: str) -> None:
    packed = solver_for(shared("gpt2")).pack()
    settings = {each: value for each, value in packed.settings.items() if each != name}
    with pytest.raises(ArtefactError, match=f"lacks or garbles '{name}'"):
        unpack_written(Packed("written", settings), shared("gpt2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signature", "x ->"),
        ("demonstrations", "none"),
        ("demonstrations", [3]),
        ("demonstrations", [{"inputs": {}}]),
        ("demonstrations", [{"inputs": {}, "outputs": {}, "id": ""}]),
        ("demonstrations", [{"inputs": 3, "outputs": 4, "id": ""}]),
        ("words", ["great"]),
    ],
)
def test_a_garbled_field_is_refused(name: str, value: object) -> None:
    packed = solver_for(shared("gpt2")).pack()
    settings = {**packed.settings, name: value}
    with pytest.raises(ArtefactError, match="lacks or garbles"):
        unpack_written(Packed("written", settings), shared("gpt2"))
