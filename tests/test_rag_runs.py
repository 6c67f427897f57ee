"""Runs that retrieve: kept with what retrieval bought, restored, and refused where they must be."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import afina as package
from afina.errors import BudgetError, InputError
from afina.keeping import describe, keep_run
from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import Models
from afina.store.order import Order
from afina.store.store import Store
from afina.task.task import load_task
from tests.folders import Called, afina, lines, model_folder, refused, task_folder
from tests.lm.server import Server, serving, status

TOML = """signature = "question -> answer"
instruction = "Name the capital."

[data]
all = "rows.jsonl"

[split]
leaks = "allow"
"""
SYLLABLES = ("ba", "ke", "di", "mo", "su", "ra", "te", "lo", "ni", "vu")
CAPITALS = {
    f"{a}{b}land".capitalize(): f"{b}{a}ville".capitalize() for a in SYLLABLES for b in SYLLABLES
}


def passages() -> list[dict[str, str]]:
    return [
        {"_id": land, "title": land, "text": f"The capital of {land} is {capital}."}
        for land, capital in CAPITALS.items()
    ]


def asked(land: str) -> str:
    return f"Which is the capital of {land}?"


def reads(request: Request) -> str:
    """Knows nothing by itself: says what the first passage says, and cites it."""
    text = request.messages[-1].content
    if "The capital of" not in text:
        return "Nowhere"
    return text.partition(" is ")[2].partition(".")[0] + " [1]"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with questions, passages and an index of them by words."""
    monkeypatch.chdir(tmp_path)
    for name in ("AFINA_HOME", "OPENAI_BASE_URL", "OPENAI_API_KEY", "AFINA_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    rows = [{"question": asked(land), "answer": capital} for land, capital in CAPITALS.items()]
    task_folder(tmp_path, "capitals", TOML, rows=lines(rows))
    (tmp_path / "p.jsonl").write_text(lines(passages()))
    afina("index", "p.jsonl", "--into", "i", "--lexical-only")
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as found:
        monkeypatch.setenv("OPENAI_BASE_URL", found.url)
        yield found


def script(here: Path) -> str:
    """A scripted model that knows the prompts of all rows, with passages and without."""
    task, lm = load_task(here / "capitals"), ScriptedLM(reads, name="m")
    solver = package.tune(task, "rag", model=lm, settings={"index": "i", "k": 1})
    examples = [*task.dev, *task.test.open(Opened(), "script")]
    for each in (solver, solver.without_retrieval):  # type: ignore[attr-defined]  # a RagSolver
        each([example.inputs for example in examples])
    answers = {each.messages[-1].content: reads(each) for each in lm.asked}
    (here / "answers.json").write_text(json.dumps(answers))
    return "scripted:answers.json"


class Opened:
    """Counts no openings."""

    def record(self, task_digest: str, by: str) -> int:
        return 1


def tuned(model: str, *more: str, name: str = "r") -> Called:
    settings = ("--set", "index=i", "--set", "k=1", *more)
    return afina("tune", "capitals", "--method", "rag", "--model", model, "--name", name, *settings)


def test_a_run_tells_what_retrieval_bought(here: Path) -> None:
    row = tuned(script(here), "--json").json
    assert (row["method"], row["score"], row["missing"]) == ("rag", 1.0, 0)
    assert row["measures"]["cites"]["mean"] == 1.0
    assert row["measures"]["faithfulness"]["mean"] == 1.0
    bare = row["without_retrieval"]
    assert (bare["score"], bare["n"]) == (0.0, row["n"])
    assert bare["bought"]["difference"] == 1.0
    assert bare["bought"]["low"] <= 1.0
    assert bare["bought"]["verdict"] == "A better"
    shown = afina("show", "r")
    assert "dev without retrieval" in shown.out
    assert "retrieval is better than no retrieval (+1.000, +1.000 to +1.000" in shown.out
    assert "faithfulness 1.0000" in shown.out
    again = afina("resume", "r").out
    assert "without retrieval: exact-match 0.0000" in again
    reports = afina("show", "r", "--json").json["reports"]
    assert [each["split"] for each in reports] == ["dev", "dev without retrieval"]


def test_the_sealed_test_is_told_with_what_retrieval_bought(here: Path) -> None:
    tuned(script(here))
    looked = afina("test", "r", "--json").json
    assert (looked["split"], looked["score"], looked["test_openings"]) == ("test", 1.0, 1)
    assert looked["without_retrieval"]["score"] == 0.0


def test_a_comparison_sets_it_beside_the_same_prompt_without_passages(here: Path) -> None:
    model = script(here)
    compared = ("compare", "capitals", "--methods", "zero-shot,rag", "--model", model)
    found = afina(*compared, "--set", "rag.index=i", "--set", "rag.k=1", "--json").json
    assert [(row["method"], row["score"]) for row in found["rows"]] == [
        *(("zero-shot", 0.0), ("rag", 1.0))
    ]
    assert found["verdicts"][0]["verdict"] == "B better"


def test_a_run_answers_with_its_passages_as_evidence(here: Path) -> None:
    tuned(script(here))
    task = load_task(here / "capitals")
    question = str(task.dev[0].inputs["question"])
    found = afina("predict", "r", "--json", given=json.dumps({"question": question})).json
    assert found["outputs"]["answer"] == task.dev[0].outputs["answer"]
    assert found["evidence"]["cited"] == [1]
    assert found["evidence"]["passages"][0]["source"] == "p.jsonl"


def test_calls_without_passages_are_paid_from_the_same_budget(here: Path) -> None:
    model = script(here)
    stopped = tuned(model, "--budget", "calls=12")
    assert stopped.code == 5, stopped.err
    done = afina("resume", "r", "--json").json
    assert done["without_retrieval"]["missing"] == 0
    assert afina("journal", "--json").json["total"]["calls"] == 2 * done["n"]


def test_an_index_that_changed_or_is_gone_is_refused_and_comes_back(here: Path) -> None:
    model = script(here)
    tuned(model)
    (here / "p.jsonl").write_text(lines(passages()[:-1]))
    afina("index", "p.jsonl", "--into", "i")
    refused(afina("resume", "r"), 1, "holds other passages", "afina index")
    refused(afina("predict", "r", given='{"question": "x"}'), 1, "holds other passages")
    refused(tuned(model), 1, "name another run")
    (here / "p.jsonl").write_text(lines(passages()))
    afina("index", "p.jsonl", "--into", "i")
    assert afina("resume", "r").code == 0
    (here / "i").rename(here / "j")
    refused(afina("resume", "r"), 2, "no index in", "afina index SOURCE")


def test_what_cannot_begin_is_refused_and_nothing_is_kept(here: Path) -> None:
    model = script(here)
    for settings, code, message in [
        ((), 2, "expected index=FOLDER, got none"),
        (("index=nowhere",), 2, "no index in 'nowhere'"),
        (("index=i", "k=0"), 2, "a setting k above 0"),
        (("index=i", "mode=dense"), 2, "no vectors to search by dense"),
        (("index=i", "mode=best"), 2, "expected mode lexical, dense or hybrid, got 'best'"),
        (("index=i", "query=title"), 2, "out of question, got 'title'"),
        (("index=i", "into=question"), 2, "beside which another stands"),
        (("index=i", "depth=3"), 2, "expected a setting of rag, got 'depth'"),
    ]:
        more = [part for each in settings for part in ("--set", each)]
        called = afina("tune", "capitals", "--method", "rag", "--model", model, *more)
        refused(called, code, message)


def test_an_index_of_another_embedding_model_is_refused(
    here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("model")
    for seed in (0, 1):
        for path in Path(model_folder("bert", seed)).iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        if seed == 0:
            afina("index", "p.jsonl", "--into", "v", "--model", str(folder))
    refused(tuned(script(here), "--set", "index=v"), 2, "each setting once")
    called = afina(
        *("tune", "capitals", "--method", "rag", "--model", "scripted:answers.json"),
        *("--set", "index=v"),
    )
    refused(called, 1, "was made with", str(folder), "use that, or make another index")


def test_vectors_of_an_endpoint_serve_an_index_and_a_run(here: Path, server: Server) -> None:
    made = afina("index", "p.jsonl", "--into", "v", "--model", "openai:tiny", "--json").json
    assert (made["passages"], made["model"]) == (100, "openai:tiny")
    assert {each.path for each in server.seen} == {"/v1/embeddings"}
    found = afina("search", "v", "Which?", "--mode", "dense", "--json")
    assert len(found.out.splitlines()) == 5, found.err
    task, lm = load_task(here / "capitals"), ScriptedLM(reads, name="m")
    (here / "answers.json").write_text("{}")
    run = afina(
        *("tune", "capitals", "--method", "rag", "--model", "scripted:answers.json"),
        *("--set", "index=v", "--set", "k=2", "--json"),
    ).json
    assert run["missing"] == run["n"] == len(task.dev)
    assert lm.calls == 0
    three = "\n".join(json.dumps({"question": text}) for text in ("a?", "b?", "c?"))
    afina("predict", run["run"], given=three)
    assert server.bodies[-1]["input"] == ["a?", "b?", "c?"]


def test_an_endpoint_of_vectors_that_is_down_makes_rows_missing(here: Path, server: Server) -> None:
    afina("index", "p.jsonl", "--into", "v", "--model", "openai:tiny")
    server.always = status(401, "no such key")
    row = afina(
        *("tune", "capitals", "--method", "rag", "--model", script(here), "--json"),
        *("--set", "index=v", "--set", "k=1"),
    ).json
    assert (row["score"], row["missing"]) == (None, row["n"])
    assert row["without_retrieval"]["missing"] == 0
    assert row["without_retrieval"]["bought"]["verdict"].startswith("cannot tell")
    anew = ("index", "p.jsonl", "--into", "w", "--model", "openai:tiny", "--home", "other")
    refused(afina(*anew), 1, "401")
    assert not (here / "w").exists()


def test_vectors_go_through_the_journal_of_the_home(here: Path, server: Server) -> None:
    def index(*more: str) -> Called:
        return afina("index", "p.jsonl", "--into", "v", "--model", "openai:tiny", *more)

    priceless = "expected a price of 'openai:tiny'"
    refused(index("--budget", "money=1"), 2, priceless)
    refused(index("--budget", "calls=2"), 5, "expected at most 2 calls")
    (here / ".afina" / "prices.toml").write_text('[models."tiny"]\nread = 1.0\nwritten = 0.0\n')
    assert index("--budget", "money=1").code == 0
    (line,) = afina("journal", "--json").json["rows"]
    assert (line["run"], line["model"]) == (str(here / "v"), "openai:tiny")
    assert (line["calls"], line["read"]) == (len(server.seen), 5 * 101)  # passages, and a probe
    shutil.rmtree(here / "v")
    seen = len(server.seen)
    assert index().code == 0
    searched = ("search", "v", "Which?", "--mode", "dense", "--json")
    first = afina(*searched)
    assert (afina(*searched).out, len(server.seen)) == (first.out, seen + 1)
    assert "openai:tiny" in afina("journal").out
    forgotten = afina("journal", "forget", "--run", str(here / "v"), "--json").json
    assert forgotten == {"forgotten": seen + 1}


def test_a_run_pays_for_vectors_once_and_from_its_own_budget(here: Path, server: Server) -> None:
    (here / "answers.json").write_text("{}")
    chosen = ("--set", "select=nearest", "--set", "vectors=openai:tiny", "--set", "shots=1")
    tune = ("tune", "capitals", "--method", "few-shot", "--model", "scripted:answers.json")
    stopped = afina(*tune, "--name", "f", *chosen, "--budget", "calls=1")
    assert (stopped.code, len(server.seen)) == (5, 1)
    first = afina("resume", "f", "--json").json
    seen = len(server.seen)
    texts = [text for body in server.bodies for text in body["input"]]
    assert len(texts) == len(set(texts))
    assert first["tokens"] == 5 * len(load_task(here / "capitals").train)
    assert afina(*tune, "--name", "g", *chosen, "--json").json["n"] == first["n"]
    assert len(server.seen) == seen


def test_an_endpoint_without_a_key_is_refused(here: Path) -> None:
    called = afina("index", "p.jsonl", "--into", "w", "--model", "openai:tiny")
    refused(called, 2, "expected a key")
    assert not (here / "w").exists()


def test_examples_chosen_by_an_endpoint_s_vectors_are_kept_in_the_run(
    here: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, lm = load_task(here / "capitals"), ScriptedLM(lambda request: "Nowhere", name="m")
    chosen = {"select": "nearest", "shots": 2, "vectors": "openai:tiny"}
    with pytest.raises(InputError, match="expected a key"):
        package.tune(task, "few-shot", model=lm, settings=chosen)
    settings = [part for name in chosen for part in ("--set", f"{name}={chosen[name]}")]
    (here / "answers.json").write_text("{}")
    made = afina(
        *("tune", "capitals", "--method", "few-shot", "--model", "scripted:answers.json"),
        *("--name", "f", *settings, "--json"),
    ).json
    assert made["missing"] == made["n"]
    pool = [each for each in server.bodies if len(each["input"]) > 1]
    assert sum(len(each["input"]) for each in pool[:2]) >= len(task.train)
    before = len(server.seen)
    found = afina("predict", "f", "--json", given='{"question": "Which?"}').json
    assert found["outputs"] is None
    assert len(server.seen) == before + 1
    assert len(server.bodies[-1]["input"]) == 1


def test_a_budget_in_python_holds_for_retrieval_too(here: Path) -> None:
    task, lm = load_task(here / "capitals"), ScriptedLM(reads, name="m")
    solver: Any = package.tune(
        task, "rag", model=lm, settings={"index": "i"}, budget=Budget(calls=3)
    )
    with pytest.raises(BudgetError):
        solver([example.inputs for example in task.dev])
    assert lm.calls == 3


def test_a_program_over_an_index_is_optimised(here: Path) -> None:
    def hops(request: Request) -> str:
        text = request.messages[-1].content
        if "The capital of" in text:
            return text.partition(" is ")[2].partition(".")[0]
        return text.partition("capital of ")[2].partition("?")[0] or "Nowhere"

    models = Models(given={"m": ScriptedLM(hops, name="m")}, journal=Journal(here / "j.sqlite"))
    settings = {"calls": 200, "program": "multi-hop", "index": "i", "hops": 1, "k": 1}
    store = Store(here / ".afina")
    keep_run(store, Order("capitals", "random-search", "m", 0, settings), "found", models=models)
    _, facts = describe(store, "found")
    assert facts["reports"][0].score is not None
    assert len(facts["trials"]) > 1
    with pytest.raises(InputError, match=r"hops"):
        keep_run(
            store,
            Order("capitals", "copro", "m", 0, {**settings, "hops": 0}),
            "none",
            models=models,
        )
