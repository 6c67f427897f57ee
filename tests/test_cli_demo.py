"""The demo: every kind of prompt on the task that ships."""

import json
from pathlib import Path

import pytest

from afina.commands import compare
from afina.commands.arguments import by_method
from afina.method_settings import typed_settings
from tests.folders import afina, refused


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFINA_HOME", raising=False)


def test_the_demo_s_settings_are_its_methods_own() -> None:
    given = by_method(compare.DEMO_SETTINGS, compare.DEMO_METHODS.split(","))
    found = {method: typed_settings(method, values) for method, values in given.items()}
    assert found.pop("racing") == {"calls": 240}
    assert {values["epochs"] for values in found.values()} == {1}


def test_the_demo_finds_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "DEMO_METHODS", "majority")
    monkeypatch.setattr(compare, "DEMO_SETTINGS", [])
    found = afina("demo", "--json").json
    assert found["task"] == "front_desk"
    assert found["rows"][0]["n"] >= 100
    told = afina("demo")
    assert told.out.endswith("all of it as a page: .afina/demo.html\n")
    assert found["name"] in Path(".afina/demo.html").read_text()


def test_the_demo_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "DEMO", Path("/nowhere"))
    refused(afina("demo"), 2, "no example task at /nowhere", "install Afina anew")


@pytest.mark.slow
def test_the_demo_ends_with_a_table_of_every_kind_of_prompt() -> None:
    called = afina("demo", "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    scores = {(row["method"], row["model"]): row["score"] for row in found["rows"]}
    assert None not in scores.values()
    majority, probe = scores["majority", ""], scores["linear-probe", "builtin:minilm"]
    assert majority < probe < scores["prompt-tuning", "builtin:minilm"]
