"""Ensembles: several prompts in one batch, that vote or are averaged."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings
from afina.disk import Disk
from afina.errors import ArtefactError, InputError, MismatchError
from afina.models import Models
from afina.packed import join, restore
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.ensemble import Ensemble, elected, make_ensemble, unpack_ensemble
from afina.soft.heads import ClassificationHead
from afina.soft.number_answer import NumberAnswer, Scale
from afina.soft.reading import Reader
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.soft.template import Template
from afina.soft.template_reading import TemplateReader
from afina.soft.verbalizer import LearnedVerbalizer, Verbalizer
from afina.solver import Packed, Prediction, Values
from afina.store.bundle import save_bundle
from afina.task.signature import Signature
from afina.task.task import load_task
from afina.tuning import ensemble, load, tune
from tests.folders import model_folder, task_folder
from tests.tiny import FAMILIES, shared, tiny
from tests.training.tiny_task import reviews

SIGNATURE = Signature.parse("review -> mood: good | bad | fine")
LABELS = ("good", "bad", "fine")
INPUTS: list[Values] = [{"review": text} for text, _ in reviews(40, seed=5)]
KINDS = ["head", "label-words", "verbalizer", "calibrated", "learned"]
EACH = [(family, KINDS[at % 5]) for at, family in enumerate(FAMILIES)]
EACH += [("bert", kind) for kind in KINDS[1:]] + [("gpt2", "head"), ("t5", "calibrated")]


def drawn(*shape: int, seed: int, size: float = 0.5) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * size


def member(
    family: str, kind: str, seed: int, *, backbone: Backbone | None = None, length: int = 3
) -> SoftSolver:
    """A solver with a prompt and, where it has one, a head of its own seed."""
    backbone = backbone or shared(family)
    frozen = backbone.frozen
    ending = " it was {mask} ." if frozen.kind == "encoder" and kind != "head" else " it was"
    template = Template.parse(f"{{p:{length}}} {{review}}{ending}")
    signature = Signature.parse("review -> answer") if kind == "text" else SIGNATURE
    reader = TemplateReader(frozen, signature, 40, template)
    prompt = Embeddings(drawn(length, frozen.width, seed=seed), anywhere=True)
    words = [[each] for each in (frozen.encode(word) for word in ("great", "awful", "nice"))]
    answers = {
        "head": lambda: HeadAnswer(
            ClassificationHead(drawn(3, frozen.hidden, seed=seed), torch.zeros(3)), LABELS
        ),
        "label-words": lambda: LabelWords(LABELS, [each[0] for each in words]),
        "verbalizer": lambda: Verbalizer(LABELS, words),
        "calibrated": lambda: Verbalizer(LABELS, words, empty=reader.empty()),
        "learned": lambda: LearnedVerbalizer(LABELS, drawn(3, frozen.width, seed=seed), scale=0.5),
        "text": lambda: Writing(3),
    }
    return make_solver(backbone, reader, prompt=prompt, answer=answers[kind]())


def outputs(predictions: Sequence[Prediction]) -> list[object]:
    return [each.outputs for each in predictions]


def probabilities(prediction: Prediction) -> Mapping[str, float]:
    found = prediction.evidence["probabilities"]
    assert isinstance(found, dict)
    return found


def mean_of(row: Sequence[Prediction]) -> dict[str, float]:
    return {label: sum(probabilities(each)[label] for each in row) / len(row) for label in LABELS}


def assert_same(one: Sequence[Prediction], other: Sequence[Prediction]) -> None:
    for left, right in zip(one, other, strict=True):
        assert left.outputs == right.outputs
        assert probabilities(left) == pytest.approx(probabilities(right), abs=1e-5)


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_an_ensemble_of_one_is_the_one(family: str, kind: str) -> None:
    one = member(family, kind, 0)
    assert_same(make_ensemble([one])(INPUTS), one(INPUTS))
    assert outputs(make_ensemble([one], "vote")(INPUTS)) == outputs(one(INPUTS))


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_two_equal_ones_are_the_one(family: str, kind: str) -> None:
    one = member(family, kind, 0)
    twice = [one, member(family, kind, 0)]
    assert_same(make_ensemble(twice)(INPUTS), one(INPUTS))
    assert outputs(make_ensemble(twice, "vote")(INPUTS)) == outputs(one(INPUTS))


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_a_mean_is_the_mean_of_the_members_alone(family: str, kind: str) -> None:
    """By hand. Broken by giving all rows the first member's prompt, or its head."""
    members = [member(family, kind, seed) for seed in range(3)]
    alone = [each(INPUTS) for each in members]
    for row, prediction in zip(
        zip(*alone, strict=True), make_ensemble(members)(INPUTS), strict=True
    ):
        wanted = mean_of(row)
        assert probabilities(prediction) == pytest.approx(wanted, abs=1e-5)
        assert prediction.outputs == {"mood": max(wanted, key=lambda label: wanted[label])}


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_a_vote_counts_the_members_alone(family: str, kind: str) -> None:
    members = [member(family, kind, seed) for seed in range(3)]
    alone = [each(INPUTS) for each in members]
    found = make_ensemble(members, "vote")(INPUTS)
    for row, prediction in zip(zip(*alone, strict=True), found, strict=True):
        votes = [each.outputs["mood"] for each in row if each.outputs]
        assert prediction.evidence["votes"] == {vote: votes.count(vote) for vote in votes}
        assert prediction.outputs is not None
        best = prediction.outputs["mood"]
        assert votes.count(best) == max(map(votes.count, votes))


def test_of_equal_votes_the_more_probable_wins() -> None:
    assert elected(["a", "b"], ["b", "a"])[0] == "b"
    assert elected(["a", "b", "a"], ["b", "a"])[0] == "a"
    assert elected(["c", "b", "a"], ["a", "b", "c"]) == ("a", {"votes": {"c": 1, "b": 1, "a": 1}})


@pytest.mark.parametrize("family", ["gpt2", "t5"])
def test_texts_are_voted_on(family: str) -> None:
    members = [member(family, "text", seed) for seed in (0, 1, 0)]
    alone = members[0](INPUTS[:9])
    assert outputs(make_ensemble(members, "vote")(INPUTS[:9])) == outputs(alone)


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_packing_changes_no_answer(family: str, kind: str) -> None:
    """Through JSON and on another copy of the model."""
    ensemble = make_ensemble([member(family, kind, seed) for seed in range(2)])
    packed = ensemble.pack()
    kept = replace(packed, settings=json.loads(json.dumps(packed.settings)))
    again = restore(kept, Models(load=lambda name: tiny(name.removeprefix("tiny:"))))
    assert isinstance(again, Ensemble)
    assert_same(again(INPUTS), ensemble(INPUTS))
    assert again.parameters == ensemble.parameters
    assert again.pack().settings == packed.settings


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_a_row_alone_equals_the_row_in_a_batch(family: str, kind: str) -> None:
    ensemble = make_ensemble([member(family, kind, seed) for seed in range(3)])
    assert_same([ensemble([row])[0] for row in INPUTS[:6]], ensemble(INPUTS)[:6])


def test_prompts_of_several_lengths_and_places_are_joined() -> None:
    """In front of the text, in a template, and of several lengths."""
    backbone = shared("bert")
    head = member("bert", "head", 2).answer
    front = make_solver(
        backbone,
        Reader(backbone.frozen, SIGNATURE, 40),
        prompt=Embeddings(drawn(5, 32, seed=4)),
        answer=head,
    )
    members = [member("bert", "head", 0), member("bert", "head", 1, length=7), front]
    alone = [each(INPUTS) for each in members]
    for row, found in zip(zip(*alone, strict=True), make_ensemble(members)(INPUTS), strict=True):
        wanted = mean_of(row)
        assert probabilities(found) == pytest.approx(wanted, abs=1e-5)


def test_members_that_answer_alike_share_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three heads are one pass of the model a batch. Broken by a pass a member."""
    ensemble = make_ensemble([member("bert", "head", seed) for seed in range(3)])
    calls: list[int] = []
    backbone = ensemble.members[0].backbone
    real = type(backbone).features

    def counted(
        self: Backbone, rows: Sequence[list[int]], injections: Sequence[Embeddings]
    ) -> object:
        calls.append(len(rows))
        return real(self, rows, injections)

    monkeypatch.setattr(type(backbone), "features", counted)
    ensemble(INPUTS[:10])
    assert calls == [30]


def test_heads_and_words_are_joined_too() -> None:
    members = [member("bert", "head", 0), member("bert", "verbalizer", 1)]
    alone = [each(INPUTS[:5]) for each in members]
    for row, found in zip(
        zip(*alone, strict=True), make_ensemble(members)(INPUTS[:5]), strict=True
    ):
        wanted = mean_of(row)
        assert probabilities(found) == pytest.approx(wanted, abs=1e-5)


def test_an_ensemble_counts_what_all_its_members_take() -> None:
    members = [member("bert", "head", seed) for seed in range(3)]
    alone = [each(INPUTS[:1])[0] for each in members]
    found = make_ensemble(members)(INPUTS[:1])[0]
    assert found.usage.calls == 3
    assert found.usage.tokens == sum(each.usage.tokens for each in alone)
    assert make_ensemble(members).parameters == sum(each.parameters for each in members)
    assert make_ensemble(members)([]) == []


def test_a_cut_text_says_so() -> None:
    found = make_ensemble([member("bert", "head", 0)])([{"review": "good " * 60}])[0]
    assert (
        found.evidence["tokens_cut"]
        == member("bert", "head", 0)([{"review": "good " * 60}])[0].evidence["tokens_cut"]
    )


@pytest.mark.parametrize("other", ["weights", "family"])
def test_prompts_of_different_models_are_refused(other: str) -> None:
    """Broken by comparing names: other weights of the same name are another model."""
    second = (
        member("bert", "head", 1, backbone=tiny("bert", seed=1))
        if other == "weights"
        else member("roberta", "head", 1)
    )
    with pytest.raises(MismatchError, match="expected prompts of one model, got tiny:bert"):
        make_ensemble([member("bert", "head", 0), second])


def test_prompts_of_different_signatures_are_refused() -> None:
    one, other = member("bert", "head", 0), member("bert", "head", 1)
    asked = Signature.parse("review -> mood: good | fine | bad")
    reader = replace(other.reader, signature=asked)
    with pytest.raises(MismatchError, match="expected prompts of one signature"):
        make_ensemble([one, replace(other, reader=reader)])


def test_what_cannot_be_joined_is_refused() -> None:
    one = member("bert", "head", 0)
    with pytest.raises(InputError, match="expected an ensemble by mean or vote, got 'sum'"):
        make_ensemble([one], "sum")
    with pytest.raises(InputError, match="expected prompts to join, got none"):
        make_ensemble([])
    with pytest.raises(InputError, match="expected a vote of prompts that write, got mean"):
        make_ensemble([member("gpt2", "text", 0)])
    number = NumberAnswer(
        ClassificationHead(torch.zeros(1, 32), torch.zeros(1)), Scale(0.0, 1.0, False)
    )
    with pytest.raises(InputError, match="choose a label or write a text, got NumberAnswer"):
        make_ensemble([replace(one, answer=number)])


def packed() -> Packed:
    return make_ensemble([member("bert", "head", seed) for seed in range(2)]).pack()


@pytest.mark.parametrize(
    ("field", "value"),
    [("members", None), ("members", [3]), ("members", []), ("how", "sum"), ("how", None)],
)
def test_a_garbled_ensemble_is_refused(field: str, value: object) -> None:
    with pytest.raises(ArtefactError, match=r"the bundle (lacks or garbles|holds no ensemble)"):
        unpack_ensemble(
            replace(packed(), settings={**packed().settings, field: value}), shared("bert")
        )


def test_an_ensemble_without_a_member_s_numbers_is_refused() -> None:
    arrays = {name: part for name, part in packed().arrays.items() if name != "1.prompt"}
    with pytest.raises(ArtefactError, match="prompt"):
        unpack_ensemble(replace(packed(), arrays=arrays), shared("bert"))


def test_an_ensemble_of_another_model_is_refused() -> None:
    with pytest.raises(MismatchError, match="load the model it was tuned on"):
        unpack_ensemble(packed(), tiny("bert", seed=1))


def test_runs_are_joined_by_their_folders(tmp_path: Path) -> None:
    """Two seeds of one task, on a model that is loaded by its name."""
    task = load_task(task_folder(tmp_path))
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders):
        tune(
            task,
            "p-tuning",
            model=model_folder(),
            seed=seed,
            settings={"length": 2, "hidden": 8, "epochs": 1},
            run=folder,
        )
    inputs = [example.inputs for example in task.dev]
    joined = ensemble(folders)
    assert isinstance(joined, Ensemble)
    assert len({id(each.backbone.frozen.model) for each in joined.members}) == 1
    save_bundle(tmp_path / "joined", joined.pack(), Disk())
    assert outputs(load(tmp_path / "joined")(inputs)) == outputs(joined(inputs))
    assert outputs(ensemble(folders[:1])(inputs)) == outputs(load(folders[0])(inputs))


def test_what_is_no_soft_prompt_is_not_joined() -> None:
    with pytest.raises(InputError, match="expected soft prompts to join, got 'majority'"):
        join([Packed("majority", {})], "mean")
