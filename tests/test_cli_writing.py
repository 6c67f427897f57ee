"""``afina predict`` of a prompt that writes: by a beam search, several texts, and as they come."""

import json
from pathlib import Path

import pytest

from tests.folders import Called, afina, lines, model_folder, refused, task_folder, tuned

TOML = """signature = "review -> answer"
instruction = "Say what it was."
metric = "exact-match"

[data]
train = "train.jsonl"
dev = "dev.jsonl"
"""
ROWS = [
    {"review": f"it was a {word} film , so {word}", "answer": f"very {word}"}
    for word in "good bad great awful fine nice poor sad happy slow quick long short dull".split()
]
INPUTS = lines([{"review": "it was good"}, {"review": "a nice , quick film"}])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with a run that writes, called r."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFINA_HOME", raising=False)
    task_folder(tmp_path, "says", TOML, train=lines(ROWS[:10]), dev=lines(ROWS[10:]))
    settings = [f"--set={each}" for each in ("length=2", "epochs=1", "new_tokens=5")]
    model = model_folder("gpt2")
    called = afina("tune", "says", "--model", model, "--name", "r", *settings)
    assert called.code == 0, called.err
    return tmp_path


def predict(*options: str, given: str = INPUTS) -> Called:
    return afina("predict", "r", *options, given=given)


def test_several_texts_of_a_search_are_evidence() -> None:
    """Broken by options that are read and not obeyed."""
    called = predict("--beams", "3", "--returns", "2", "--json")
    assert called.code == 0, called.err
    for line in called.out.splitlines():
        found = json.loads(line)
        texts = found["evidence"]["texts"]
        assert len(texts) == 2
        assert found["outputs"] == {"answer": texts[0]["text"]}
        assert texts[0]["score"] >= texts[1]["score"]
    assert predict("--json").out.count('"texts"') == 0


def test_streamed_answers_are_the_answers() -> None:
    """Broken by two answers on one line."""
    wanted = [json.loads(line)["outputs"]["answer"] for line in predict("--json").out.splitlines()]
    called = predict("--stream")
    assert called.code == 0, called.err
    assert called.out.splitlines() == wanted


def test_what_cannot_be_asked_together_is_refused() -> None:
    refused(predict("--stream", "--json"), 2, "--stream or --json")
    refused(predict("--stream", "--beams", "2"), 2, "expected one text to stream", "2 beams")
    refused(predict("--returns", "2"), 2, "set beams or a temperature")
    refused(predict("--beams", "0"), 2, "expected beams of 1 or more")


def test_a_run_that_writes_no_text_is_refused(here: Path) -> None:
    task_folder(here)
    assert tuned(name="head").code == 0
    given = '{"review": "good"}'
    for option in (("--stream",), ("--beams", "2")):
        called = afina("predict", "head", *option, given=given)
        refused(called, 2, "expected a tuned soft prompt that answers by writing")
