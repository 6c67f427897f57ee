"""Trials and the card: each way is asked as it says, and tables go where their marks are."""

from dataclasses import replace
from pathlib import Path

import pytest

from afina.evaluation.compare import Comparison
from afina.lm.lm import LM
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.task.signature import Choice
from recipes import evaluate
from recipes.trials import Trial, from_edit, from_kinds, tried, ways
from recipes.words import CATEGORIES


class Obedient:
    """Knows flowers from metals, follows a rule for other labels, and letters shown by examples."""

    def __init__(self) -> None:
        self.identity = {"name": "obedient"}

    def most(self, request: Request) -> Reply:
        return Reply("", cost=0.0)

    async def close(self) -> None:
        """Nothing is open."""

    async def answer(self, request: Request) -> Reply:
        system = request.messages[0].content
        kind = self.kind(request.messages[-1].content)
        if f"if the sentence is {kind}" in system:
            kind = system.partition(f" if the sentence is {kind}")[0].rpartition(" ")[2]
        if "A | B" in system:
            known = {
                self.kind(asked.content): said.content
                for asked, said in zip(
                    request.messages[1:-1:2], request.messages[2::2], strict=True
                )
            }
            kind = known.get(kind, "A")
        return Reply(kind, cost=0.0)

    def kind(self, text: str) -> str:
        return next(
            name for name in ("metal", "instrument") if set(text.split()) & set(CATEGORIES[name])
        )


def scores(trial: Trial, lm: LM) -> dict[str, float | None]:
    return {row.method: row.score for row in tried(trial, lm, "obedient").rows}


@pytest.fixture(scope="module")
def trial() -> Trial:
    whole = from_kinds("metal", "instrument", seed=1)
    return replace(whole, rows=whole.rows[:30])


def test_a_model_that_reads_its_prompt_is_seen_to(trial: Trial) -> None:
    found = scores(trial, Obedient())
    assert found["no instruction"] == found["its instruction"] == 1.0
    assert found["a wrong one"] == 0.0
    assert found["letters for labels, 8 shown"] == 1.0
    none = found["letters for labels, none shown"]
    assert none is not None
    assert 0.2 < none < 0.8


def test_rows_asked_and_rows_shown_are_apart(trial: Trial) -> None:
    for each in (trial, from_edit("second to last word", seed=3)):
        asked = {str(row.inputs) for row in each.rows}
        assert not asked & {str(row.inputs) for row in each.pool}


def test_a_task_without_labels_is_put_in_fewer_ways() -> None:
    named = [way.name for way in ways(from_edit("without the first word", seed=3))]
    assert "letters for labels, 8 shown" not in named
    assert named[0] == "no instruction"


def test_labels_that_are_no_words_are_put_in_words_too(trial: Trial) -> None:
    output = replace(trial.signature.target, type=Choice(("PlayMusic", "GetWeather")))
    signature = replace(trial.signature, outputs=(output,))
    found = {way.name: way for way in ways(replace(trial, signature=signature))}
    way = found["its instruction, labels in plain words"]
    assert way.words == {"PlayMusic": "play music", "GetWeather": "get weather"}
    assert way.instruction == signature.instruction
    assert "its instruction, labels in plain words" not in [way.name for way in ways(trial)]


def test_a_table_replaces_the_one_before_and_nothing_else(trial: Trial, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("above\n<!-- text -->\nold\n<!-- end of text -->\nbelow\n")
    found: Comparison = tried(replace(trial, rows=trial.rows[:4]), Obedient(), "obedient")
    table = "\n".join(evaluate.prompt_table(found))
    for _ in range(2):
        evaluate.put("text", table, card)
    whole = card.read_text()
    assert whole.startswith("above\n<!-- text -->\n\n")
    assert whole.endswith("<!-- end of text -->\nbelow\n")
    assert whole.count("| a wrong one | 0.000") == 1
    assert "old" not in whole
    with pytest.raises(AssertionError):
        evaluate.put("prompts", table, card)


def test_trials_that_were_made_are_not_made_again_but_for_other_weights(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(each: Trial, lm: LM, model: str) -> Comparison:
        made.append(each.name)
        return tried(each, lm, model)

    small = replace(trial, rows=trial.rows[:4])
    for name, found in (
        ("RUNS", tmp_path),
        ("LocalLM", lambda _: Obedient()),
        ("trials", lambda _: [small, replace(small, name="other")]),
        ("tried", counted),
    ):
        monkeypatch.setattr(evaluate, name, found)
    table = evaluate.prompts("tiny-seq2seq")
    (tmp_path / f"prompts-{evaluate.named('tiny-seq2seq')}" / "other.md").unlink()
    assert evaluate.prompts("tiny-seq2seq") == table
    assert made == [trial.name, "other", "other"]
    evaluate.prompts("tiny-decoder")
    assert made == [trial.name, "other", "other", trial.name, "other"]


def test_the_card_has_a_place_for_each_table() -> None:
    card = evaluate.CARD.read_text()
    parts = ["text", *(f"prompts {model}" for model in evaluate.WRITERS)]
    for part in [*parts, *(f"soft {model}" for model in evaluate.TINY)]:
        assert f"<!-- {part} -->" in card
        assert f"<!-- end of {part} -->" in card
