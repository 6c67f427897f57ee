"""Bad input: one line that says what came and what to do, the exit code, and nothing kept."""

import shutil
from pathlib import Path

import pytest

from tests.folders import (
    QUICK,
    TOML,
    Called,
    afina,
    leaking,
    lines,
    model_folder,
    refused,
    reviews,
    task_folder,
    tuned,
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with a task called mood."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFINA_HOME", raising=False)
    task_folder(tmp_path)
    return tmp_path


def bad_tune(*more: str) -> Called:
    return afina("tune", *more, "--model", model_folder())


def test_a_missing_file_is_named(here: Path) -> None:
    (here / "mood" / "rows.jsonl").unlink()
    refused(bad_tune("mood"), 2, "rows.jsonl", "mood")
    refused(bad_tune("nope"), 2, "expected a folder with task.toml", "'nope'")


def test_an_unknown_column_is_named_with_its_line(here: Path) -> None:
    task_folder(here, "t", rows=lines([{"text": "a", "sentiment": "positive"}]))
    refused(bad_tune("t"), 2, "t/rows.jsonl:1: ", "'review'")


def test_a_label_outside_the_signature_is_named_with_its_line(here: Path) -> None:
    task_folder(here, "t", rows=lines([*reviews(), {"review": "x", "sentiment": "mixed"}]))
    refused(bad_tune("t"), 2, "t/rows.jsonl:161: ", "'mixed'")


def test_an_empty_split_is_named(here: Path) -> None:
    leaking(here, "drop", twice=True)
    refused(bad_tune("drop"), 2, "drop: expected examples in each split, came none in dev")


def test_several_faults_of_a_task_stand_in_one_line(here: Path) -> None:
    task_folder(here, "t", TOML.replace("[data]", 'metrik = "x"\ninstrution = "y"\n[data]'))
    refused(bad_tune("t"), 2, "metrik", "instrution", "; ")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--method", "prompt-tunin"], ["'prompt-tunin'", "did you mean 'prompt-tuning'?"]),
        (["--method", "zzz"], ["'zzz'", "majority", "full-fine-tuning"]),
        (["--set", "lenght=3"], ["prompt-tuning", "'lenght'", "did you mean 'length'?"]),
        (["--set", "zzz=3"], ["'zzz'", "length", "epochs"]),
        (["--set", "length=abc"], ["a whole number", "length", "'abc'", "left out, it is 20"]),
        (["--set", "length=2.5"], ["a whole number", "'2.5'"]),
        (["--set", "rate=nan"], ["a number", "rate", "'nan'"]),
        (["--set", "rate=-1"], ["rate of 0 or more", "'-1'"]),
        (["--set", "batch=0"], ["batch above 0", "'0'"]),
        (["--set", "length"], ["name=value", "'length'"]),
        (["--set", "length=1", "--set", "length=2"], ["'length' twice"]),
        (["--seed", "-1"], ["a seed of 0 or more", "-1"]),
        (["--seed", "x"], ["--seed", "afina tune --help"]),
        (["--frob"], ["--frob", "afina tune --help"]),
        (["--name", ""], ["expected a run's name", "''"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_argument_is_named_and_nothing_is_kept(
    arguments: list[str], parts: list[str]
) -> None:
    refused(bad_tune("mood", *arguments), 2, *parts)
    assert not Path(".afina").exists()


def test_a_model_that_is_not_there_is_named_and_nothing_is_kept() -> None:
    refused(afina("tune", "mood", "--model", "./nope"), 2, "no model at './nope'", "config.json")
    Path("empty").mkdir()
    refused(afina("tune", "mood", "--model", "empty"), 2, "'empty'", "config.json")
    refused(afina("tune", "mood", "--model", "owner/nope"), 2, "'owner/nope'", "builtin:minilm")
    assert not Path(".afina").exists()


HOSTILE = [
    *("", ".", "..", "../x", "a/../../x", "..\\x", "%2e%2e/x", "%2e%2e%2fx", "%252e%252e%252fx"),
    *("/etc/passwd", "~/x", "C:\\x", "file:///etc/passwd", "a\0b", "a\nb", "a#b", "a?b", "a b"),
    *(".hidden", "a..b", "a" * 101, "a" * 300, "рaypal", "ａ", "a\u202eb", "A"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_and_nothing_is_made(here: Path, name: str) -> None:
    tuned(method="majority")
    before = sorted(map(str, here.rglob("*")))
    called = afina("tune", "mood", "--method", "majority", f"--name={name}")
    refused(called, 2, "expected a run's name")
    for command in ("show", "resume", "predict", "test"):
        called = afina(command, "--", name, given='{"review": "a"}')
        refused(called, 2, "expected the name of a run")
    assert sorted(map(str, here.rglob("*"))) == before


def test_a_prompt_of_another_backbone_is_refused(here: Path) -> None:
    shutil.copytree(model_folder(), "model")
    afina("tune", "mood", "--model", "model", "--name", "r", *QUICK)
    weights = "model.safetensors"
    shutil.copy(Path(model_folder("bert", 1)) / weights, Path("model") / weights)
    called = afina("predict", "r", given='{"review": "a"}')
    refused(called, 1, "was tuned on 'model'", "load the model it was tuned on")
    refused(afina("test", "r"), 1, "was tuned on 'model'")
    assert afina("show", "r", "--json").json["test_openings"] == 0


def test_a_damaged_store_is_named(here: Path) -> None:
    tuned(method="majority")
    (here / ".afina" / "store.db").write_bytes(b"no database" * 100)
    refused(afina("show"), 3, "store.db")
    refused(tuned(method="majority", name="s"), 3, "store.db")


@pytest.mark.parametrize("file", ["bundle.json", "arrays.safetensors"])
def test_a_damaged_bundle_is_named(here: Path, file: str) -> None:
    tuned()
    path = here / ".afina" / "runs" / "r" / "bundle" / file
    path.write_bytes(path.read_bytes()[:-3])
    refused(afina("predict", "r", given='{"review": "a"}'), 3, file)


@pytest.mark.parametrize("file", ["order.json", "made.json"])
def test_a_damaged_file_of_a_run_is_named(here: Path, file: str) -> None:
    tuned()
    (here / ".afina" / "runs" / "r" / file).write_text("{")
    command = {"order.json": "predict", "made.json": "show"}[file]
    refused(afina(command, "r", given='{"review": "a"}'), 3, file)


def test_a_home_that_cannot_be_made_is_named(here: Path) -> None:
    (here / "file").write_text("")
    refused(tuned("--home", "file/home", method="majority"), 2, "file")
