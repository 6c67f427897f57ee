"""The encoder-decoder that ships reads its prompt: the labels told, the words asked for."""

from dataclasses import replace

import pytest

from afina.backbones.backbone import load_backbone
from afina.backbones.local_lm import LocalLM
from afina.lm.lm import ask
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from recipes.trials import Way, from_edit, report

LABELS = (("positive", "negative"), ("weather", "job"), ("A", "B"), ("up", "down"), ("cat", "dog"))
TEXTS = ("the food was awful and cold", "a lovely film with great songs", "it rained all day")


@pytest.fixture(scope="module")
def lm() -> LocalLM:
    return LocalLM(load_backbone("builtin:tiny-seq2seq"))


@pytest.mark.parametrize(
    ("edit", "least", "untold"), [("first word", 0.9, 0.6), ("last word", 0.8, 0.3)]
)
def test_it_gives_the_word_that_the_instruction_asks_for(
    lm: LocalLM, edit: str, least: float, untold: float
) -> None:
    trial = from_edit(edit, seed=5)
    trial = replace(trial, rows=trial.rows[:40])

    def score(instruction: str) -> float:
        found = report(trial, Way("", instruction), lm, "m", 0).score
        assert found is not None
        return found

    assert score(trial.signature.instruction) >= least
    assert score("") <= untold


def test_it_answers_with_the_labels_that_are_told(lm: LocalLM) -> None:
    """The texts are the same for all; broken where the prompt does not come to the encoder."""
    told = [
        f"Choose the class of the text.\n\nAnswer only with one of: {' | '.join(labels)}"
        for labels in LABELS
    ]
    requests = [
        Request(
            (Message("system", system), Message("user", f"text: {text}\nclass:")), max_tokens=12
        )
        for system in told
        for text in TEXTS
    ]
    replies = ask(lm, requests)
    said = [each.text.strip() if isinstance(each, Reply) else "" for each in replies]
    wanted = [labels for labels in LABELS for _ in TEXTS]
    held = [answer in labels for answer, labels in zip(said, wanted, strict=True)]
    assert sum(held) >= 13, list(zip(said, wanted, strict=True))


def test_it_tells_praise_from_blame_by_the_text(lm: LocalLM) -> None:
    """It could not while each head of its encoder looked at one fixed place (docs/log.md)."""
    system = "Say whether the remark is good or bad.\n\nAnswer only with one of: good | bad"
    praise = ("a wonderful , brilliant and moving film", "we loved every minute , lovely staff")
    blame = ("a terrible waste of time , dull and stupid", "the soup was cold and the waiter rude")
    requests = [
        Request(
            (Message("system", system), Message("user", f"sentence: {text}\nsentiment:")),
            labels=("good", "bad"),
        )
        for text in (*praise, *blame)
    ]
    shares = [
        each.scores["good"] if isinstance(each, Reply) else None for each in ask(lm, requests)
    ]
    assert shares == pytest.approx([1.0, 1.0, 0.0, 0.0], abs=0.2)
