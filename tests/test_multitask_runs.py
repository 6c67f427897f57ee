"""Multitask prompt tuning as a method and a command: its sources, its start, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from afina import keeping, tuning
from afina.errors import InputError, Interrupted, MismatchError
from afina.job import Job
from afina.lineup import compared_name
from afina.making.multitask import MULTITASK
from afina.methods import method_named
from afina.models import Models, load_model
from afina.solver import Packed
from afina.store.order import Order
from afina.store.store import Store
from afina.task.task import Task, load_task
from afina.training.watch import Watch
from tests.folders import afina, lines, model_folder, refused, reviews, task_folder

QUICK: dict[str, object] = {
    "length": 2,
    "epochs": 1,
    "teacher_epochs": 1,
    "source_epochs": 1,
    "batch": 16,
}
SETS = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a target and two sources, worked in."""
    for name, seed in (("mood", 0), ("one", 1), ("two", 2)):
        task_folder(tmp_path, name, rows=lines(reviews(60, seed)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def order(**settings: object) -> Order:
    return Order("mood", MULTITASK, model_folder(), 0, {**QUICK, **settings})


def told() -> tuple[str, ...]:
    return ("tune", "mood", "--method", MULTITASK, "--model", model_folder(), *SETS)


def arrays(packed: Packed) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in packed.arrays.items()}


def test_the_command_learns_from_its_sources_and_adapts(here: Path) -> None:
    called = afina(*told(), "--source", "one,two", "--name", "r", "--json")
    row = json.loads(called.out)
    assert row["method"] == MULTITASK
    assert "the prompt that one, two share" in called.err
    shown = afina("show", "r", "--json").json
    pins = [load_task(name).digest[:12] for name in ("one", "two")]
    assert shown["settings"]["source"] == f"one@{pins[0]},two@{pins[1]}"
    again = afina("resume", "r", "--json")
    assert again.json["score"] == row["score"]


def test_a_stopped_run_is_resumed_with_the_same_bytes(here: Path) -> None:
    """Stopped while a teacher, the shared prompt and the target's are trained."""
    store, wanted = Store(here / "home"), order(source="one,two")
    keeping.keep_run(store, wanted, "calm")
    for name, step in (("a", 1), ("b", 6), ("c", 13)):
        stops = iter([None] * step + [Interrupted("stopped", signal_number=15)])
        with pytest.raises(Interrupted):
            keeping.keep_run(store, wanted, name, watch=Watch(stop=lambda stops=stops: next(stops)))
        keeping.keep_run(store, wanted, name)
        calm, again = (store.run(each).folder for each in ("calm", name))
        assert calm is not None
        assert again is not None
        assert arrays(tuning.bundle_at(again)) == arrays(tuning.bundle_at(calm))
        assert (again / "made.json").read_bytes() == (calm / "made.json").read_bytes()


def test_a_run_starts_from_another_runs_shared_prompt(here: Path) -> None:
    """The same as with the sources themselves. Broken by the target's prompt as the start."""
    load = load_model
    for name, given in (("first", {"source": "one,two"}), ("again", {"start": "first"})):
        tuning.tune_in(
            here / name, load_task("mood"), order(**given), models=Models(load=load), watch=Watch()
        )
    one, other = (tuning.bundle_at(here / name) for name in ("first", "again"))
    assert arrays(one) == arrays(other)
    assert not list((here / "again").glob("teacher-*"))


def test_changed_data_of_a_source_is_noticed(here: Path) -> None:
    """When a run is resumed, asked for again, or taken up by a comparison."""
    store = Store(here / "home")
    keeping.keep_run(store, order(source="one,two"), "r")
    kept = store.run("r")
    before = compared_name(load_task("mood"), tuning.checked(order(source="one")))
    assert before == compared_name(load_task("mood"), tuning.checked(order(source="one")))
    (here / "one" / "rows.jsonl").write_text(lines(reviews(60, 9)))
    with pytest.raises(MismatchError, match="the data of 'one' is"):
        keeping.keep_run(store, replace(order(), settings=kept.settings), "r")
    with pytest.raises(MismatchError, match="run 'r' was made with settings"):
        keeping.keep_run(store, order(source="one,two"), "r")
    after = compared_name(load_task("mood"), tuning.checked(order(source="one")))
    assert after != before


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "expected source=A,B (tasks to learn a shared prompt from) or start=RUN"),
        ({"source": " , "}, "got source ' , ' and start ''; give one of them"),
        ({"source": "one", "start": "r"}, "got source 'one' and start 'r'; give one of them"),
        ({"source": "nope"}, "came 'nope', which is neither"),
        ({"source": "one", "temperature": 0.0}, "temperature above 0"),
    ],
)
def test_what_cannot_be_begun_leaves_nothing(
    here: Path, given: dict[str, object], reason: str
) -> None:
    with pytest.raises(InputError) as caught:
        keeping.keep_run(Store(here / "home"), order(**given), "r")
    assert reason in str(caught.value)
    assert not (here / "home").exists()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("one,mood", "got 'mood' as source 2 and as the target; leave one out"),
        ("one,two,one", "got 'one' as source 3 and as source 1; leave one out"),
    ],
)
def test_sources_that_are_the_same_data_are_refused(here: Path, source: str, reason: str) -> None:
    refused(afina(*told(), "--source", source), 2, reason)


def test_a_source_named_twice_on_the_command_line_is_refused(here: Path) -> None:
    called = afina(*told(), "--source", "one", "--set", "source=two")
    refused(called, 2, "each setting once, got 'source' twice")
    called = afina("tune", "mood", "--model", model_folder(), "--source", "one")
    refused(called, 2, "expected a setting of prompt-tuning, got 'source'")


def test_no_test_of_a_source_is_read(here: Path) -> None:
    """With tests that hold no rows at all the result is the same."""
    found = []
    for name, load in (("sealed", sealed), ("whole", load_task)):
        (here / name).mkdir()
        job = Job(
            load_task("mood").for_tuning(),
            model_folder(),
            lambda: load_model(model_folder()),
            tuning.bundle_at,
            here / name,
            settings={**QUICK, "source": "one"},
            source=load,
        )
        found.append(arrays(method_named(MULTITASK)(job).solver.pack()))
    assert found[0] == found[1]


def sealed(name: str) -> Task:
    return load_task(name).for_tuning()


def test_what_is_remembered_tells_teacher_and_student_of_each_source(here: Path) -> None:
    tuning.tune_in(
        here / "run", load_task("mood"), order(source="one,two"), models=Models(), watch=Watch()
    )
    made = json.loads((here / "run" / "made.json").read_bytes())
    assert [each["task"] for each in made["sources"]] == ["one", "two"]
    assert [each["data"] for each in made["sources"]] == [
        load_task(name).digest for name in ("one", "two")
    ]
    assert all(0 <= each[who] <= 1 for each in made["sources"] for who in ("teacher", "shared"))
    assert len(made["source_curve"]["losses"]) == made["source_curve"]["steps"]
    assert len(made["losses"]) == made["steps"]
