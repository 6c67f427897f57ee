"""Runs of optimisers: kept with their trials, resumed with a larger budget, shown as a tree."""

import json
from pathlib import Path

import pytest

import afina as package
from afina.errors import BudgetError
from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import Models
from afina.store.order import Order
from afina.store.store import Store
from afina.task.task import load_task
from afina.tuning import describe, keep_run
from tests.folders import afina, refused, task_folder

HINT = "A good word makes it positive."


def mood(request: Request) -> str:
    """Right on most rows, and on all that a hint helps with; asked for an instruction, the hint."""
    system, text = request.messages[0].content, request.messages[-1].content
    if "writes" in system.lower() or "write " in system.lower():
        return HINT
    good = any(word in text for word in ("good", "great", "fine"))
    helped = HINT in system and any(word in text for word in ("bright", "liked", "nice", "happy"))
    return "positive" if good or helped else "negative"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("AFINA_HOME", "OPENAI_BASE_URL", "OPENAI_API_KEY", "AFINA_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    task_folder(tmp_path)
    return tmp_path


def kept(here: Path, method: str, budget: int, calls: int = 120) -> Store:
    """A store with a run of a method, asked through a journal."""
    store = Store(here / ".afina")
    models = Models(
        given={"m": ScriptedLM(mood, name="m")},
        journal=Journal(here / "journal.sqlite"),
        budget=Budget(calls=budget),
    )
    keep_run(store, Order("mood", method, "m", 0, {"calls": calls}), "found", models=models)
    return store


@pytest.mark.parametrize("method", ["gepa", "racing", "copro", "mipro"])
def test_a_search_finds_what_helps_and_tells_what_it_has_to_beat(here: Path, method: str) -> None:
    run, facts = describe(kept(here, method, 1000), "found")
    assert run.status == "done"
    best = facts["trials"][facts["best"]]
    assert HINT in best["prompts"]["answer"]["instruction"]
    report = facts["reports"][0]
    (zero_shot, *_) = facts["baselines"]
    assert (zero_shot["name"], zero_shot["n"]) == ("zero-shot", report.n)
    assert report.score > zero_shot["score"]
    assert facts["calls"] <= 120


def test_the_trials_are_drawn_as_a_tree(here: Path) -> None:
    kept(here, "racing", 1000)
    drawn = afina("show", "found", "--trials")
    assert drawn.code == 0, drawn.err
    lines = drawn.out.splitlines()
    assert lines[0].startswith("0  0.")
    assert "as given" in lines[0]
    assert any("── 1  " in line for line in lines)
    assert any(line.startswith("beside it on dev: zero-shot") for line in lines)
    told = afina("show", "found", "--trials", "--json").json
    assert told["trials"][0]["parent"] is None
    assert all(trial["parent"] < trial["number"] for trial in told["trials"][1:])


def test_a_spent_budget_keeps_the_trials_and_a_larger_one_goes_on(here: Path) -> None:
    with pytest.raises(BudgetError, match=r"best so far is trial 2 .*raise the budget and run"):
        kept(here, "racing", 30)
    drawn = afina("show", "found", "--trials")
    assert "its budget was spent" in drawn.out
    store = kept(here, "racing", 1000)
    _, facts = describe(store, "found")
    calm = describe(kept(calm_folder(here), "racing", 1000), "found")[1]
    assert json.dumps(facts["trials"]) == json.dumps(calm["trials"])


def calm_folder(here: Path) -> Path:
    folder = here / "calm"
    folder.mkdir()
    return folder


def test_a_run_that_searched_nothing_has_no_trials(here: Path) -> None:
    afina("tune", "mood", "--method", "majority", "--name", "plain")
    refused(afina("show", "plain", "--trials"), 2, "'plain', majority", "no trials")


def test_a_dry_run_tells_the_calls_and_asks_nothing(here: Path) -> None:
    (here / "answers.json").write_text("{}")
    model = ("--model", "scripted:answers.json")
    called = afina("tune", "mood", "--method", "gepa", *model, "--dry-run", "--json")
    assert called.code == 0, called.err
    (cost,) = called.json["costs"]
    dev = len(load_task("mood").dev)
    assert cost["calls"] == 400 + 3 * dev
    assert not (here / ".afina" / "runs").exists()


def test_nearest_examples_are_chosen_and_loaded_again(here: Path) -> None:
    task, lm = load_task("mood"), ScriptedLM(mood, name="m")
    solver = package.tune(task, "knn", model=lm, settings={"calls": 60}, run=here / "run")
    again = package.tune(task, "knn", model=lm, settings={"calls": 60}, run=here / "run")
    rows = [example.inputs for example in task.dev]
    assert [each.outputs for each in solver(rows)] == [each.outputs for each in again(rows)]
