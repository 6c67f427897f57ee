"""Methods are tuned one after the other on one task, kept, and set side by side."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from afina.comparing import (
    Standing,
    compare,
    compare_again,
    compare_lineup,
    kept_lineups,
    read_lineup,
)
from afina.errors import (
    AfinaError,
    ArtefactError,
    BudgetError,
    BusyError,
    InputError,
    MismatchError,
    ModelError,
    SealedError,
    SpaceError,
)
from afina.evaluation.compare import Comparison
from afina.job import Job, Made
from afina.keeping import open_test
from afina.lineup import Lineup, compared_name
from afina.lm.budget import UNLIMITED, Budget
from afina.lm.journal import Journal
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.methods import METHODS, READER, WRITER, usual_model
from afina.models import Models
from afina.routes import usual_models
from afina.store.order import Order
from afina.store.store import Store
from afina.task.signature import Text
from afina.task.task import load_task
from afina.tuning import checked
from tests.folders import afina, lines, model_folder, refused, reviews, task_folder

QUICK: dict[str, object] = {"length": 2, "epochs": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return task_folder(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def order(folder: Path, method: str = "prompt-tuning", **changes: Any) -> Order:
    settings = QUICK if method == "prompt-tuning" else {}
    return replace(Order(str(folder), method, model_folder(), 0, settings), **changes)


@pytest.fixture
def with_method(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Job], Made]], None]:
    """Adds a method called ``odd`` to the table for one test."""
    return lambda method: monkeypatch.setitem(METHODS, "odd", method)


def mood(request: Request) -> str:
    """Right where a good word stands in the review."""
    text = request.messages[-1].content
    return "positive" if any(word in text for word in ("good", "great", "fine")) else "negative"


def speaking(tmp_path: Path, budget: Budget = UNLIMITED, **names: ScriptedLM) -> Models:
    """Models of scripts, by name, with a journal."""
    given = names or {"m": ScriptedLM(mood, name="m")}
    return Models(given=given, journal=Journal(tmp_path / "journal.sqlite"), budget=budget)


def test_a_comparison_finds_its_runs_again(folder: Path, store: Store) -> None:
    def compared() -> Comparison:
        methods = ["majority", "linear-probe", "prompt-tuning"]
        settings = {"prompt-tuning": QUICK}
        return compare(
            store, str(folder), methods, model=model_folder(), seeds=2, settings=settings
        )

    first = compared()
    assert [len(row.seeds) for row in first.rows] == [1, 1, 2]
    names = [run.name for run in store.runs()]
    assert len(names) == 4
    assert compared().to_json() == first.to_json()
    assert [run.name for run in store.runs()] == names


def test_a_run_on_other_weights_of_the_same_name_is_not_taken_for_these(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(model_folder(seed=0), model)
    methods = ["majority", "linear-probe"]
    first = compare(store, str(folder), methods, model=str(model))
    shutil.copytree(model_folder(seed=1), model, dirs_exist_ok=True)
    with pytest.raises(MismatchError, match=r"was measured on weights .* is now on weights"):
        compare(store, str(folder), methods, model=str(model))
    shutil.rmtree(model)
    again = compare(store, str(folder), methods, model=str(model))
    assert [row.score for row in again.rows] == [row.score for row in first.rows]


def test_text_and_numbers_name_the_same_run(folder: Path) -> None:
    task = load_task(folder)
    names = {
        compared_name(task, checked(order(folder, settings=settings)))
        for settings in ({"length": 2, "rate": 1.0}, {"length": "2", "rate": "1"})
    }
    assert len(names) == 1
    other = checked(order(folder, settings={"length": 2, "rate": 1.5}))
    assert compared_name(task, other) not in names


def test_only_a_methods_own_fault_is_a_row(
    folder: Path, store: Store, with_method: Callable[[Callable[[Job], Made]], None]
) -> None:
    def failing(error: AfinaError) -> Callable[[Job], Made]:
        def method(job: Job) -> Made:
            raise error

        return method

    def compared() -> Comparison:
        return compare(store, str(folder), ["majority", "odd"], model=model_folder())

    for fault in (AfinaError("the loss is nan"), ModelError("no room"), InputError("no choice")):
        with_method(failing(fault))
        rows = compared().rows
        assert [row.error for row in rows] == ["", str(fault)]
    for fatal in (SpaceError("full"), BusyError("held"), ArtefactError("damaged")):
        with_method(failing(fatal))
        with pytest.raises(type(fatal)):
            compared()


def test_a_task_is_read_once_for_all_runs(
    folder: Path, store: Store, with_method: Callable[[Callable[[Job], Made]], None]
) -> None:
    def taking_it_away(job: Job) -> Made:
        shutil.rmtree(folder)
        return METHODS["majority"](job)

    with_method(taking_it_away)
    found = compare(store, str(folder), ["odd", "majority", "linear-probe"], model=model_folder())
    assert [row.error for row in found.rows] == ["", "", ""]


@pytest.mark.parametrize(
    ("methods", "seeds", "reason"),
    [
        (["majority", "majority"], 1, "got majority, majority"),
        (["majority"], 0, "expected 1 seed or more, got 0"),
        (["majority", "oops"], 1, "expected a method's name, got 'oops'"),
    ],
)
def test_a_comparison_that_cannot_be_begun_leaves_nothing(
    folder: Path, store: Store, methods: list[str], seeds: int, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        compare(store, str(folder), methods, model=model_folder(), seeds=seeds)
    with pytest.raises(ModelError):
        compare(store, str(folder), ["majority", "linear-probe"], model="./nope")
    assert not store.home.exists()


def test_a_method_that_reads_the_test_stops_the_comparison(
    folder: Path, store: Store, with_method: Callable[[Callable[[Job], Made]], None]
) -> None:
    def cheat(job: Job) -> Made:
        raise SealedError(str(list(job.task.test)))  # type: ignore[call-overload]

    with_method(cheat)
    with pytest.raises(SealedError):
        compare(store, str(folder), ["majority", "odd"], model=model_folder())
    assert store.count(load_task(folder).digest) == 0


def test_openings_are_counted_in_a_later_comparison(folder: Path, store: Store) -> None:
    compare(store, str(folder), ["majority"])
    open_test(store, store.runs()[0].name)
    assert compare(store, str(folder), ["majority"]).openings == 1


# sizes


def test_parts_of_train_are_runs_of_their_own_and_make_curves(folder: Path, store: Store) -> None:
    methods = ["majority", "linear-probe"]
    found = compare(store, str(folder), methods, model=model_folder(), seeds=2, sizes=(20, 60, 0))
    assert [row.examples for row in found.rows] == [111, 111]
    assert [len(row.seeds) for row in found.rows] == [1, 1]
    for curve in found.curves:
        assert [point.examples for point in curve.points] == [20, 60, 111]
        assert [len(point.runs) for point in curve.points] == [2, 2, 1]
    assert len(store.runs()) == 2 * (2 + 2 + 1)
    assert {run.settings.get("examples", 0) for run in store.runs()} == {0, 20, 60}


def test_all_of_train_by_its_number_is_all(folder: Path, store: Store) -> None:
    compare(store, str(folder), ["majority"])
    compare(store, str(folder), ["majority"], sizes=(111,))
    assert len(store.runs()) == 1


def test_what_a_seed_decides_is_told(folder: Path, store: Store) -> None:
    found = compare(store, str(folder), ["majority"], sizes=(20,), seeds=2)
    (row,) = found.rows
    assert row.variance is not None
    assert row.variance.untold.startswith("which examples of train are used move with the seed")


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ((), "expected sizes such as"),
        ((8, 8), "each once, got 8, 8"),
        ((-1,), "each once, got -1"),
        ((112, 0), "at most 111 examples, as many as train has, got 112"),
    ],
)
def test_sizes_that_cannot_be_are_refused(
    folder: Path, store: Store, sizes: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        compare(store, str(folder), ["majority"], sizes=sizes)
    assert not store.home.exists()


# models and routes


def test_local_and_asked_models_stand_in_one_comparison(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    models = replace(speaking(tmp_path), load=Models().load)
    names = [model_folder("gpt2"), "m"]
    found = compare(store, str(folder), ["majority", "zero-shot"], model=names, models=models)
    assert [row.label for row in found.rows] == [
        "majority",
        f"zero-shot on {names[0]}",
        "zero-shot on m",
    ]
    assert [row.error for row in found.rows] == [""] * 3
    assert len(found.verdicts) == 3


def test_without_methods_all_that_fit_run_and_the_others_say_why(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    kept = ("majority", "linear-probe", "zero-shot", "few-shot", "rag", "imported", "prompt-tuning")
    lineup = Lineup(str(folder), (), ("m",))
    with patch.dict(METHODS, {name: METHODS[name] for name in kept}, clear=True):
        found = compare_lineup(store, lineup, models=speaking(tmp_path))
    assert found.lineup.methods == ("majority", "zero-shot", "few-shot")
    reasons = {each.method: each.reason for each in found.unfit}
    assert "weights" in reasons["linear-probe"]
    assert "--set rag.index=" in reasons["rag"]
    assert "--set imported.folder=" in reasons["imported"]
    assert "weights" in reasons["prompt-tuning"]


def test_a_comparison_is_kept_under_its_name(folder: Path, store: Store, tmp_path: Path) -> None:
    lineup = Lineup(str(folder), ("majority", "zero-shot"), ("m",))
    models = speaking(tmp_path)
    found = compare_lineup(store, lineup, models=models)
    assert list(kept_lineups(store)) == [found.name]
    again, unfit = read_lineup(kept_lineups(store)[found.name])
    assert (again, unfit) == (lineup, [])
    shown = compare_lineup(store, again, models=models)
    assert shown.comparison.to_json() == found.comparison.to_json()


def test_a_damaged_comparison_is_named(folder: Path, store: Store) -> None:
    found = compare_lineup(store, Lineup(str(folder), ("majority",), ("m",)))
    path = kept_lineups(store)[found.name]
    for text in ("{", "[]", '{"lineup": {}, "unfit": []}', '{"lineup": {}}'):
        path.write_text(text)
        with pytest.raises(ArtefactError):
            read_lineup(path)


def test_who_watches_sees_each_contender_come(folder: Path, store: Store) -> None:
    seen: list[list[str]] = []

    def show(standings: Any) -> None:
        seen.append([each.state for each in standings])
        assert all(isinstance(each, Standing) for each in standings)

    lineup = Lineup(str(folder), ("majority", "zero-shot"), (model_folder(),))
    compare_lineup(store, lineup, show=show)
    assert seen == [["running", "waiting"], ["done", "running"], ["done", "failed"]]


# budgets


def test_a_budget_that_cannot_score_each_prompt_is_refused_before_it_begins(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    lm = ScriptedLM(mood, name="m")
    models = speaking(tmp_path, Budget(calls=20), m=lm)
    with pytest.raises(InputError, match=r"at least 34 calls.*enough for zero-shot, seed 0; raise"):
        compare(store, str(folder), ["zero-shot", "few-shot"], model="m", models=models)
    assert lm.calls == 0
    assert not store.home.exists()


def test_a_budget_is_of_the_whole_comparison(folder: Path, store: Store, tmp_path: Path) -> None:
    lm = ScriptedLM(mood, name="m", price=1.0)
    models = speaking(tmp_path, Budget(money=2_000.0), m=lm)
    with pytest.raises(BudgetError, match=r"finished are: zero-shot$"):
        compare(store, str(folder), ["zero-shot", "few-shot"], model="m", models=models)
    more = replace(models, budget=Budget(calls=10_000))
    paid = lm.calls
    found = compare(store, str(folder), ["zero-shot", "few-shot"], model="m", models=more)
    assert [row.error for row in found.rows] == ["", ""]
    assert lm.calls < paid + 34


def test_an_optimiser_s_calls_are_its_tuning_and_others_have_none(
    folder: Path, store: Store, tmp_path: Path, with_method: Callable[[Callable[[Job], Made]], None]
) -> None:
    from afina.lm.lm import ask
    from afina.lm.request import Message

    def asking(job: Job) -> Made:
        ask(job.lm(), [Request((Message("user", f"a good try {n}"),)) for n in range(5)])
        return METHODS["zero-shot"](job)

    with_method(asking)
    found = compare(store, str(folder), ["zero-shot", "odd"], model="m", models=speaking(tmp_path))
    assert [row.tuning_usage.calls for row in found.rows] == [0, 5]
    assert json.loads(json.dumps(found.to_json()))["rows"][1]["tuning"]["calls"] == 5


# shown again by its name


def test_a_comparison_is_shown_and_reported_on_by_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    model = ("--model", model_folder())
    first = afina("compare", "mood", "--methods", "majority,zero-shot", *model, "--json").json
    assert first["rows"][1]["error"]
    again = afina("show", first["name"], "--report", "out.html", "--json").json
    assert again == first
    assert first["name"] in Path("out.html").read_text()
    refused(afina("show", first["name"], "--report", "out.pdf"), 2, "ends in .html")
    refused(afina("show", "nothing", "--report", "out.html"), 2, "expected the name of a compar")
    refused(afina("compare", "mood", "--report", "x.doc"), 2, "ends in .html")


def test_a_comparison_that_is_not_finished_is_not_gone_on_with_by_showing_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    name = afina("compare", "mood", "--methods", "majority", "--json").json["name"]
    store = Store(Path(".afina").absolute())
    store.update_run(replace(store.runs()[0], status="interrupted"))
    refused(afina("show", name), 2, "is not finished; call the same afina compare again")
    (folder / "rows.jsonl").write_text(lines(reviews(seed=5)))
    refused(afina("show", name), 1, "changed since")


# which method on which model


def test_a_method_runs_on_those_models_that_it_fits(folder: Path, store: Store) -> None:
    reader, writer = model_folder(), model_folder("gpt2")
    lineup = Lineup(str(folder), ("majority", "zero-shot", "linear-probe"), (reader, writer))
    found = compare_lineup(store, lineup)
    rows = [(row.method, row.model) for row in found.comparison.rows]
    assert rows == [
        ("majority", ""),
        ("zero-shot", writer),
        ("linear-probe", reader),
        ("linear-probe", writer),
    ]
    (left,) = found.unfit
    assert (left.method, left.model, left.reason) == (
        "zero-shot",
        reader,
        "an encoder writes no text",
    )
    again = compare_again(store, found.name)
    assert again is not None
    assert again.comparison.to_json() == found.comparison.to_json()
    assert again.unfit == found.unfit


def test_without_a_model_the_built_in_ones_serve(folder: Path) -> None:
    task = load_task(folder)
    assert usual_models(task, ["majority", "prompt-tuning"]) == (READER,)
    assert usual_models(task, ["zero-shot"]) == (WRITER,)
    assert usual_models(task, []) == (READER, WRITER)
    target = task.signature.target.type
    assert usual_model("distill", target) == usual_model("prompt-tuning", Text()) == WRITER
