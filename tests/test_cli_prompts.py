"""Written prompts on the command line: in and out of files, versions, and aliases."""

from pathlib import Path
from typing import Any

import pytest

from afina.lm.request import Request
from tests.folders import TOML, Called, afina, lines, refused, reviews, task_folder, tuned

WORDS = '\n[prompt.words]\npositive = "great"\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with a task called mood, and a model that says what the scores of 20 ask."""
    monkeypatch.chdir(tmp_path)
    for name in ("AFINA_HOME", "OPENAI_BASE_URL", "OPENAI_API_KEY", "AFINA_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    task_folder(tmp_path, rows=lines(reviews(60)))
    monkeypatch.setattr("afina.models.scripted_lm", lambda name: scripted())
    return tmp_path


def scripted() -> Any:
    from afina.lm.scripted import ScriptedLM

    return ScriptedLM(say, name="m")


def say(request: Request) -> str:
    """Right where a good word stands in the review."""
    text = request.messages[-1].content
    return "positive" if any(word in text for word in ("good", "great", "fine")) else "negative"


MODEL = ("--model", "scripted:m")


def shots(name: str = "shown", count: int = 2) -> Called:
    method = ("--method", "few-shot", "--set", f"shots={count}")
    called = afina("tune", "mood", *method, *MODEL, "--name", name)
    assert called.code == 0, called.err
    return called


@pytest.mark.parametrize(
    ("form", "file"),
    [
        ("langchain", "p.json"),
        ("openai", "p.json"),
        ("promptfoo", "p.yaml"),
        ("markdown", "p.md"),
    ],
)
def test_a_prompt_goes_out_and_comes_back_with_its_score(form: str, file: str) -> None:
    shots()
    called = afina("export", "shown", "--to", form, "--out", file)
    assert called.out == (
        f"wrote {file}; checked: 7 rows render byte-equal to what was scored\n"
    ), called.err
    score = afina("show", "shown", "--json").json["reports"][0]["score"]
    back = afina("import", file, "--task", "mood", *MODEL, "--name", "back", "--json").json
    assert (back["method"], back["score"]) == ("written", score)
    assert afina("show", "shown", "back", "--json").json["difference"] == {}
    total = afina("journal", "--json").json["total"]
    assert (total["calls"], total["replays"]) == (6, 6)  # each request was the one paid for before


def test_labels_words_go_out_and_come_back(here: Path) -> None:
    task_folder(here, "worded", TOML.replace("[data]", f"{WORDS}[data]"), rows=lines(reviews(60)))
    method = ("--method", "few-shot", "--set", "shots=2")
    assert afina("tune", "worded", *method, *MODEL, "--name", "w").code == 0
    assert afina("export", "w", "--to", "markdown", "--out", "w.md").code == 0
    text = Path("w.md").read_text()
    assert "one of: great | negative" in text
    assert "```\ngreat\n```" in text
    back = afina("import", "w.md", "--task", "worded", *MODEL, "--name", "back")
    assert back.code == 0, back.err
    total = afina("journal", "--json").json["total"]
    assert (total["calls"], total["replays"]) == (6, 6)


def test_an_edited_prompt_is_a_version_with_its_parent(here: Path) -> None:
    shots()
    afina("export", "shown", "--to", "markdown", "--out", "p.md")
    path = here / "p.md"
    path.write_text(path.read_text().replace("positive or negative", "good or <bad>"))
    told = ("--parent", "shown", "--message", "Other words.")
    called = afina("import", "p.md", "--task", "mood", *MODEL, "--name", "edited", *told)
    assert called.code == 0, called.err
    (old,) = afina("show", "shown", "--json").json["written"]
    (new,) = afina("show", "edited", "--json").json["written"]
    assert (new["parent"], new["message"]) == (old["digest"], "Other words.")
    assert old["message"] == "few-shot on mood, seed 0, shots=2"
    found = afina("show", "shown", "edited", "--json").json["difference"]
    assert list(found) == ["system"]
    assert found["system"][:2] == ["--- shown", "+++ edited"]
    assert "+Say whether the review is good or <bad>." in found["system"]
    out = afina("show", "shown", "edited").out
    assert "-Say whether the review is positive or negative.\n" in out
    assert (
        f"edited prompt {new['digest'][:12]}, made from {old['digest'][:12]}: Other words." in out
    )


def test_a_file_that_changed_is_another_run_in_a_comparison(here: Path) -> None:
    """Broken by a run that is found again by its file's name."""
    shots()
    afina("export", "shown", "--to", "markdown", "--out", "p.md")

    def compared() -> str:
        settings = ("--set", "written.prompt=p.md")
        called = afina("compare", "mood", "--methods", "written", *MODEL, *settings, "--json")
        return str(called.json["rows"][0]["run"])

    first = compared()
    assert compared() == first
    (here / "p.md").write_text((here / "p.md").read_text().replace("Say", "Tell"))
    assert compared() != first
    refused(afina("resume", first), 1, "prompt")


def test_an_alias_stands_for_a_run_in_every_command() -> None:
    shots()
    shots("other", count=4)
    assert afina("alias").out == "no aliases yet; make one with: afina alias NAME RUN\n"
    assert afina("alias", "production", "shown", "--json").json[0]["run"] == "shown"
    afina("alias", "production", "other")
    assert afina("show", "production", "--json").json["run"] == "other"
    assert afina("show", "production", "other", "--json").json["difference"] == {}
    assert afina("predict", "production", given='{"review": "fine"}').out == "positive\tfine\n"
    assert afina("export", "production", "--to", "openai", "--out", "p.json").code == 0
    refused(tuned(name="production", method="majority"), 2, "'production', which is an alias")
    back = afina("alias", "production", "--back", "--json").json
    assert [(each["run"], each["left"] is None) for each in back] == [
        ("shown", True),
        ("other", False),
    ]
    assert afina("show", "production", "--json").json["run"] == "shown"
    assert [each["alias"] for each in afina("alias", "--json").json] == ["production"]
    refused(afina("alias", "production", "--back"), 2, "it has only stood for 'shown'")
    refused(afina("alias", "--back"), 2, "expected one alias to move back")
    refused(afina("alias", "a", "shown", "--back"), 2, "expected one alias to move back")
    refused(afina("alias", "shown", "other"), 2, "'shown', which a run has")


def test_what_has_no_written_prompt_is_refused(here: Path) -> None:
    tuned(name="m", method="majority")
    refused(
        afina("export", "m", "--to", "openai", "--out", "p"), 2, "one written prompt", "majority"
    )
    refused(afina("show", "m", "m"), 2, "expected a run with a written prompt, came 'm', majority")
    shots()
    refused(afina("export", "shown", "--to", "peft", "--out", "p"), 2, "a run with a soft prompt")
    refused(
        afina("export", "shown", "--to", "word", "--out", "p"), 2, "--to", "langchain", "'word'"
    )
    refused(afina("show", "shown", "shown", "--picture", "x.svg"), 2, "expected one run to draw")
    method = ("--method", "few-shot", "--set", "shots=2", "--set", "select=overlap")
    assert afina("tune", "mood", *method, *MODEL, "--name", "each").code == 0
    refused(afina("export", "each", "--to", "openai", "--out", "p"), 2, "chosen for each row")
    assert not (here / "p").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# user\n{{ review.__class__ }}", "p.md:1: below this heading, line 1: "),
        ("# user\n{{ text }}", "p.md:1: expected the inputs of"),
        ("hello", "p.md:1: expected a heading"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused_with_its_place(
    text: str, reason: str, here: Path
) -> None:
    """FAULTS 16."""
    (here / "p.md").write_text(text)
    refused(afina("import", "p.md", "--task", "mood", *MODEL), 2, reason)
    refused(afina("import", "no.md", "--task", "mood", *MODEL), 2, "no.md")
    refused(afina("tune", "mood", "--method", "written", *MODEL), 2, "expected prompt=FILE")


def test_a_parent_that_is_not_there_is_refused_before_anything_is_kept(here: Path) -> None:
    (here / "p.md").write_text("# user\n{{ review }}")
    shots()
    told = ("--task", "mood", *MODEL, "--name", "new", "--parent", "nope")
    refused(afina("import", "p.md", *told), 2, "expected the name of a run, came 'nope'")
    assert [each["run"] for each in afina("show", "--json").json] == ["shown"]
    tuned(name="m", method="majority")
    told = ("--task", "mood", *MODEL, "--name", "new", "--parent", "m")
    refused(afina("import", "p.md", *told), 2, "written prompt, came 'm'")
    assert [each["run"] for each in afina("show", "--json").json] == ["shown", "m"]
