"""Runs of optimisers: kept with their trials, resumed with a larger budget, shown as a tree."""

import json
from pathlib import Path

import pytest

import afina as package
from afina.errors import BudgetError
from afina.keeping import describe, keep_run
from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import Models
from afina.store.order import Order
from afina.store.store import Store
from afina.task.task import load_task
from afina.training.watch import Board, Watch
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


# other programs, other models


class Thinker:
    """Answers a prompt that reasons; with the hint it is right more often, as ``mood`` is."""

    def __init__(self) -> None:
        self.wrote = 0

    def __call__(self, request: Request) -> str:
        if "writes" in request.messages[0].content.lower():
            self.wrote += 1
            return "I know nothing of this."
        return json.dumps({"reasoning": "I look at the words.", "sentiment": mood(request)})


def models(here: Path, **lms: ScriptedLM) -> Models:
    return Models(given=lms, journal=Journal(here / "journal.sqlite"))


def test_a_chain_of_thought_is_searched_for_and_another_model_proposes(here: Path) -> None:
    store, thinker, calls = Store(here / ".afina"), Thinker(), list[Request]()

    def write(request: Request) -> str:
        calls.append(request)
        return HINT

    both = models(here, m=ScriptedLM(thinker, name="m"), w=ScriptedLM(write, name="w"))
    settings = {"calls": 120, "program": "chain-of-thought", "proposer": "w"}
    order = Order("mood", "copro", "m", 0, settings)
    run = keep_run(store, order, "found", models=both)
    _, facts = describe(store, "found")
    best = facts["trials"][facts["best"]]
    assert [HINT in each["instruction"] for each in best["prompts"].values()] == [True]
    assert (len(calls) > 0, thinker.wrote) == (True, 0)
    assert facts["calls"] <= 120
    assert facts["reports"][0].score > facts["baselines"][0]["score"]
    assert run.folder is not None
    rows = [example.inputs for example in load_task("mood").dev]
    first, again = (package.tuning.load(run.folder, models=both)(rows) for _ in range(2))
    assert [each.outputs for each in first] == [each.outputs for each in again]
    assert all("reasoning" in json.dumps(each.evidence) for each in first)


def test_a_teacher_shows_what_the_model_itself_gets_wrong(here: Path) -> None:
    both = models(
        here, m=ScriptedLM(lambda request: "negative", name="m"), t=ScriptedLM(mood, name="t")
    )
    settings = {"calls": 60, "teacher": "t"}
    keep_run(Store(here / ".afina"), Order("mood", "bootstrap", "m", 0, settings), "b", models=both)
    _, facts = describe(Store(here / ".afina"), "b")
    shown = [
        example["outputs"]["sentiment"]
        for trial in facts["trials"]
        for example in trial["prompts"]["answer"]["demonstrations"]
    ]
    assert "positive" in shown


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("program=chain",), "to be one of predict, chain-of-thought, multi-hop, got 'chain'"),
        (("program=multi-hop",), "expected index=FOLDER, got none"),
        (("proposr=x",), "did you mean 'proposer'?"),
        (("proposer=nowhere:x",), "nowhere:x"),
    ],
)
def test_another_program_or_proposer_that_is_none_is_refused(
    here: Path, settings: tuple[str, ...], told: str
) -> None:
    (here / "answers.json").write_text("{}")
    given = [part for each in settings for part in ("--set", each)]
    called = afina("tune", "mood", "--method", "copro", "--model", "scripted:answers.json", *given)
    assert called.code in (1, 2), called.err
    assert told in called.err
    assert not (here / ".afina" / "runs").exists()


def test_a_search_tells_its_board_where_there_is_one(here: Path) -> None:
    boards, notes = list[Board](), list[str]()
    models = Models(given={"m": ScriptedLM(mood, name="m")})
    order = Order("mood", "random-search", "m", 0, {"calls": 80})
    watch = Watch(note=notes.append, board=boards.append)
    keep_run(Store(here / "drawn"), order, "r", models=models, watch=watch)
    assert notes == []
    keep_run(Store(here / "told"), order, "r", models=models, watch=Watch(note=notes.append))
    last = boards[-1]
    assert last.calls <= last.most == 80
    assert last.tokens > 0
    assert sum(each.leads for each in last.tried) == 1
    assert [board.calls for board in boards] == sorted(board.calls for board in boards)
    assert any(f"trial {last.tried[-1].number:3d}" in note for note in notes)
