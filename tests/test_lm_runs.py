"""Runs whose model is asked in words: kept, replayed, within a budget, by Python and commands."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import afina as package
from afina.errors import BudgetError
from afina.lm.budget import Budget
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.task.task import load_task
from tests.folders import afina, task_folder
from tests.lm.server import answers, chat, serving, status


def mood(request: Request) -> str:
    """Right where a good word stands in the review."""
    text = request.messages[-1].content
    return "positive" if any(word in text for word in ("good", "great", "fine")) else "negative"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a task, and a script that answers each of its rows."""
    monkeypatch.chdir(tmp_path)
    for name in ("AFINA_HOME", "OPENAI_BASE_URL", "OPENAI_API_KEY", "AFINA_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    task_folder(tmp_path)
    return tmp_path


def script(folder: Path, more: Mapping[str, str] | None = None) -> str:
    task = load_task(folder / "mood")
    lm = ScriptedLM(mood, name="m")
    package.evaluate(
        package.tune(task, "zero-shot", model=lm), task.dev, task.metric, field="sentiment"
    )
    answers = {each.messages[-1].content: mood(each) for each in lm.asked}
    (folder / "answers.json").write_text(json.dumps({**answers, **(more or {})}))
    return "scripted:answers.json"


def test_a_language_model_of_one_s_own_is_tuned_and_evaluated(here: Path) -> None:
    task, lm = load_task(here / "mood"), ScriptedLM(mood, name="m")
    solver = package.tune(task, "few-shot", model=lm, settings={"shots": 2}, run=here / "run")
    report = package.evaluate(solver, task.dev, task.metric, field="sentiment")
    assert report.missing == 0
    assert lm.calls == len({str(example.inputs) for example in task.dev})
    again = package.tune(task, "few-shot", model=lm, settings={"shots": 2}, run=here / "run")
    assert package.evaluate(again, task.dev, task.metric, field="sentiment").score == report.score
    assert lm.calls == len({str(example.inputs) for example in task.dev})


def test_a_wrong_key_is_told_and_the_same_command_asks_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune = ("tune", "mood", "--method", "zero-shot", "--model", "openai:tiny", "--name", "r")
    with serving() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        server.always = status(401, "no such key")
        refused_all = afina(*tune)
        count = len(server.seen)
        assert refused_all.code == 0
        assert f"missing: {count} of {count}, " in refused_all.out
        assert "401" in refused_all.out
        assert "INCOMPLETE; run the same again" in refused_all.out
        server.always = answers(chat("positive"))
        again = afina(*tune)
        assert "0 missing" in again.out
        assert "INCOMPLETE" not in again.out
        seen = len(server.seen)
        assert afina("resume", "r").out.splitlines()[:2] == again.out.splitlines()[:2]
        assert len(server.seen) == seen


def test_a_run_of_one_endpoint_is_not_taken_for_another_s(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = ("compare", "mood", "--methods", "zero-shot", "--model", "openai:tiny", "--json")
    with serving() as server:
        server.always = answers(chat("positive"))
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        first = afina(*compare).json["rows"]
        monkeypatch.setenv("OPENAI_BASE_URL", server.url.replace("127.0.0.1", "localhost"))
        other = afina(*compare)
        assert "was measured at " + server.url in other.out + other.err
        monkeypatch.delenv("OPENAI_BASE_URL")
        assert afina(*compare).json["rows"][0]["score"] == first[0]["score"]


def test_a_budget_holds_and_a_larger_one_goes_on(here: Path) -> None:
    task, lm = load_task(here / "mood"), ScriptedLM(mood, name="m")

    def scored(calls: int) -> float | None:
        solver = package.tune(
            task, "zero-shot", model=lm, budget=Budget(calls=calls), run=here / "run"
        )
        return package.evaluate(solver, task.dev, task.metric, field="sentiment").score

    with pytest.raises(BudgetError):
        scored(3)
    assert lm.calls == 3
    assert scored(1000) is not None
    assert lm.calls == len({str(example.inputs) for example in task.dev})


def test_commands_replay_what_was_paid_and_tell_what_was_spent(here: Path) -> None:
    model = script(here)
    first = afina("compare", "mood", "--methods", "majority,zero-shot", "--model", model, "--json")
    assert first.code == 0, first.err
    row = first.json["rows"][1]
    assert (row["method"], row["missing"]) == ("zero-shot", 0)
    assert row["calls"] == row["n"]
    spent = afina("journal", "--json").json["total"]
    again = afina("compare", "mood", "--methods", "majority,zero-shot", "--model", model, "--json")
    assert again.json["rows"][1]["score"] == row["score"]
    assert afina("journal", "--json").json["total"]["calls"] == spent["calls"]


def test_a_spent_budget_ends_with_its_exit_code_and_can_be_resumed(here: Path) -> None:
    model = script(here)
    asked = ("tune", "mood", "--method", "zero-shot", "--model", model, "--name", "words")
    stopped = afina(*asked, "--budget", "calls=3")
    assert stopped.code == 5
    assert "budget" in stopped.err
    assert afina("journal", "--json").json["total"]["calls"] == 3
    done = afina("resume", "words", "--json")
    assert done.code == 0, done.err
    assert done.json["missing"] == 0


def test_an_endpoint_without_a_key_is_refused(here: Path) -> None:
    called = afina("tune", "mood", "--method", "zero-shot", "--model", "openai:some-model")
    assert called.code == 2
    assert "expected a key" in called.err
    assert "Traceback" not in called.err


def test_a_run_can_be_talked_to(here: Path) -> None:
    model = script(here, {"Hello": "Hi!", "Bye": "So long."})
    afina("tune", "mood", "--method", "zero-shot", "--model", model, "--name", "words")
    called = afina("chat", "words", given="Hello\nBye\n")
    assert called.out.splitlines() == ["Hi!", "So long."], called.err


def test_a_run_whose_model_changed_is_refused(here: Path) -> None:
    model = script(here)
    afina("tune", "mood", "--method", "zero-shot", "--model", model, "--name", "words")
    (here / "answers.json").write_text("{}")
    called = afina("chat", "words", given="Hello\n")
    assert called.code == 1
    assert "load the model it was measured on" in called.err
