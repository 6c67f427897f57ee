"""Methods by their names, their settings, and solvers from what was packed."""

import os
from pathlib import Path

import pytest

from afina.errors import ArtefactError, InputError, MismatchError
from afina.hard.interchange.prompt_file import pinned_prompt
from afina.job import Job
from afina.making.kept import checkpoints
from afina.making.multitask import MULTITASK
from afina.making.retrieved import retrieves
from afina.making.searched import SEARCHED
from afina.method_settings import known_settings, read_settings, typed_settings
from afina.methods import METHODS, SEEDED, WITHOUT_MODEL, method_named
from afina.models import load_embedding, load_model, local_lm
from afina.packed import model_of, restore
from afina.solver import Packed
from afina.task.task import Task, load_task
from afina.training.watch import Watch
from tests.folders import (
    adapter_folder,
    index_folder,
    model_folder,
    prompt_file,
    soft_bundle,
    source_folder,
    task_folder,
)
from tests.tiny import shared

ASKED = (
    *("zero-shot", "few-shot", "written", "chain-of-thought", "rag", "multi-hop"),
    *("distill", "read-back", *SEARCHED),
)
FAMILY = dict.fromkeys(ASKED, "gpt2")  # encoders answer none of these
QUICK = {
    "prompt-tuning": {"length": 2, "epochs": 1},
    "distill": {"teacher": "zero-shot", "length": 2, "epochs": 1},
    "read-back": {"start": "some run", "drafts": 1, "rows": 2, "tokens": 4},
    "p-tuning": {"length": 2, "hidden": 8, "epochs": 1},
    "prefix-tuning": {"length": 2, "epochs": 1},
    "p-tuning-v2": {"length": 2, "epochs": 1},
    "few-shot": {"shots": 2},
    **{name: {"calls": 24} for name in SEARCHED},
    "full-fine-tuning": {"epochs": 1, "rate": 5e-5},  # more of it only harms so small a model
}


def quick(method: str) -> dict[str, object]:
    """Settings of a method with which it takes no time."""
    if method == MULTITASK:
        epochs = {"epochs": 1, "teacher_epochs": 1, "source_epochs": 1}
        return {"source": source_folder(), "length": 2, **epochs}
    if method == "imported":
        return {"folder": adapter_folder()}
    if method == "written":
        return {"prompt": pinned_prompt(prompt_file())}
    if retrieves(method, {}):
        return {"index": index_folder(), "k": 1}
    return QUICK.get(method, {})


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return load_task(task_folder(tmp_path))


def job(task: Task, folder: Path, method: str, *, seed: int = 0) -> Job:
    model = model_folder(FAMILY.get(method, "bert"))
    return Job(
        task.for_tuning(),
        model,
        lambda: load_model(model),
        bundle=lambda name: soft_bundle(),
        folder=folder,
        seed=seed,
        settings=quick(method),
        watch=Watch(),
        lm=lambda: local_lm(load_model(model)),
        embedding=load_embedding,
    )


@pytest.mark.parametrize("method", METHODS)
def test_packing_and_restoring_change_no_answer(
    task: Task, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A program's requests gather into batches as they come, and beside other rows a sum is rounded
    # otherwise: in bfloat16 a model this small often has two words within that of each other.
    monkeypatch.setattr("afina.backbones.frozen._has_bfloat16", lambda device: False)
    solver = METHODS[method](job(task, tmp_path, method)).solver
    inputs = [example.inputs for example in task.dev]
    again = restore(solver.pack())
    assert again.parameters == solver.parameters
    assert again.pack().settings == solver.pack().settings
    first, second = solver(inputs), again(inputs)
    assert [each.outputs for each in first] == [each.outputs for each in second]
    assert [each.evidence for each in first] == [each.evidence for each in second]


# What a search gives may be the same for two seeds: tests/program/test_optimisers.py tells.
@pytest.mark.parametrize("method", [name for name in METHODS if name not in SEARCHED])
def test_only_seeded_methods_draw(task: Task, tmp_path: Path, method: str) -> None:
    def made(seed: int) -> Packed:
        folder = tmp_path / str(seed)
        folder.mkdir()
        return METHODS[method](job(task, folder, method, seed=seed)).solver.pack()

    one, other = made(0), made(1)
    same = one.settings == other.settings and all(
        one.arrays[name].tobytes() == other.arrays[name].tobytes() for name in one.arrays
    )
    assert same == (method not in SEEDED)


def test_a_method_without_a_model_loads_none(task: Task, tmp_path: Path) -> None:
    for method in WITHOUT_MODEL:
        asked = Job(task.for_tuning(), "", refuse, lambda name: Packed("none", {}), tmp_path)
        assert METHODS[method](asked).solver.parameters == 0


def refuse() -> None:
    raise AssertionError("the model was loaded")


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    assert method_named("few-shot") is METHODS["few-shot"]
    with pytest.raises(InputError, match="got 'fewshot'; did you mean 'few-shot'"):
        method_named("fewshot")
    with pytest.raises(InputError, match=f"there are {', '.join(METHODS)}"):
        method_named("")


@pytest.mark.parametrize("method", METHODS)
def test_settings_begin_as_their_defaults(method: str) -> None:
    found = read_settings(method, {}, 7)
    train = getattr(found, "train", None)
    assert train is None or train.seed == 7
    assert "seed" not in known_settings(method)


def test_settings_given_as_text_are_read_as_their_type() -> None:
    given = {"length": "3", "rate": "0.5", "text": "20", "epochs": "2", "clip": "1e-3"}
    found = typed_settings("prompt-tuning", given)
    assert found == {"length": 3, "rate": 0.5, "text": "20", "epochs": 2, "clip": 0.001}
    settings = read_settings("prompt-tuning", given, 0)
    assert (settings.length, settings.train.epochs, settings.train.seed) == (3, 2, 0)


@pytest.mark.parametrize("form", [str, lambda value: value])
def test_nothing_is_not_taken_for_left_out(form: object) -> None:
    assert callable(form)
    zeros = {"rate": 0.0, "warmup": 0.0, "epochs": 0, "patience": 0, "text": ""}
    given = {name: form(value) for name, value in zeros.items()}
    assert typed_settings("prompt-tuning", given) == zeros
    settings = read_settings("prompt-tuning", given, 0)
    assert (settings.rate, settings.text, settings.train.epochs) == (0.0, "", 0)
    assert read_settings("few-shot", {"shots": form(0)}, 0).shots == 0


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("length", "many", "expected a whole number as the setting length, got 'many'"),
        ("length", 2.5, "a whole number"),
        ("length", True, "a whole number"),
        ("length", False, "a whole number"),
        ("length", None, "a whole number"),
        ("length", "", "a whole number"),
        ("length", 0, "length above 0"),
        ("epochs", -1, "epochs of 0 or more, got -1; left out, the task decides it"),
        ("batch", 0, "batch above 0"),
        ("checks", 0, "checks above 0"),
        ("save_every", 0, "save_every above 0"),
        ("probe", 0.0, "probe above 0"),
        ("rate", "fast", "expected a number as the setting rate, got 'fast'"),
        ("rate", float("nan"), "a number"),
        ("rate", "inf", "a number"),
        ("rate", -0.1, "rate of 0 or more"),
        ("start", 3, "expected a text as the setting start, got 3; left out, it is 'vocabulary'"),
        ("seed", 3, "expected a setting of prompt-tuning, got 'seed'"),
        ("lenght", 3, "did you mean 'length'"),
    ],
)
def test_a_wrong_setting_is_refused(name: str, value: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        typed_settings("prompt-tuning", {name: value})
    assert "\n" not in str(caught.value)


def test_a_method_without_settings_says_so() -> None:
    with pytest.raises(InputError, match="a setting of majority, got 'length'; there are examples"):
        typed_settings("majority", {"length": 1})


def test_an_unknown_kind_of_bundle_is_refused() -> None:
    with pytest.raises(ArtefactError, match="known kind, got 'frob'; update afina"):
        restore(Packed("frob", {}))
    with pytest.raises(ArtefactError, match="names no model, but 3"):
        model_of(Packed("soft", {"model": 3}))


@pytest.mark.parametrize(
    "method", ["prompt-tuning", "linear-probe", "few-shot", "full-fine-tuning"]
)
def test_a_solver_of_another_backbone_is_refused(task: Task, tmp_path: Path, method: str) -> None:
    packed = METHODS[method](job(task, tmp_path, method)).solver.pack()
    other = model_folder(FAMILY.get(method, "bert"), 1)
    moved = Packed(packed.kind, {**packed.settings, "model": other}, packed.arrays)
    with pytest.raises(MismatchError, match="weights"):
        restore(moved)


def test_a_folder_for_checkpoints_that_cannot_be_made_is_named(task: Task, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    asked = job(task, tmp_path / "file", "prompt-tuning")
    with pytest.raises(InputError, match=os.path.join("file", "checkpoints")):
        checkpoints(asked, shared("bert"))
