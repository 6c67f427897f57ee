"""A soft prompt put into words, and what the words are worth."""

from dataclasses import replace

import pytest
import torch

from afina.backbones.injection import Embeddings
from afina.errors import InputError
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.soft.answer import LabelWords
from afina.soft.reading import Reader
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.task.task import Task
from afina.training.read_back import (
    ReadBackSettings,
    answered_rows,
    nearest_words,
    read_back,
)
from tests.tiny import shared
from tests.training.tiny_task import GOOD, review_task

WORDS = "great film awful"
RULE = "Say positive where the words are glad."
SETTINGS = ReadBackSettings(drafts=3, rows=4)


def soft(task: Task, words: str = WORDS) -> SoftSolver:
    """A prompt of words' own vectors, in front of rows that are answered by label words."""
    backbone = shared("gpt2")
    frozen = backbone.frozen
    labels = [frozen.encode("good"), frozen.encode("bad")]
    reader = Reader(frozen, task.signature, 40, tuple(frozen.encode("\nsentiment:")))
    prompt = Embeddings(frozen.embed(frozen.encode(words)).detach())
    answer = LabelWords(("positive", "negative"), labels)
    return make_solver(backbone, reader, prompt=prompt, answer=answer)


def lm(*written: str) -> ScriptedLM:
    """A model that drafts in turn, and that tells the mood only where it is told the rule."""
    drafts = iter(written)

    def said(request: Request) -> str:
        system, row = request.messages[0].content, request.messages[-1].content
        if "put into words" in system:
            return next(drafts)
        glad = any(word in row for word in GOOD) if RULE in system else len(row) % 2 == 0
        return "positive" if glad else "negative"

    return ScriptedLM(said, name="drafter")


def test_the_words_nearest_to_vectors_of_words_are_those_words() -> None:
    """Broken by leaving out a place, or by looking at other places' words."""
    assert nearest_words(soft(review_task())) == WORDS


def test_the_draft_that_scores_best_is_kept() -> None:
    task = review_task(train=8, dev=12)
    best, tried = read_back(task, soft(task), lm("Guess.", RULE, "Say no."), SETTINGS, model="x")
    assert best.prompt.signature.instruction == RULE
    assert [each.origin for each in tried] == ["nearest words", "draft", "draft", "draft"]
    scores = {each.text: each.score for each in tried}
    assert scores[RULE] == max(score for score in scores.values() if score is not None)
    assert scores[WORDS] == scores["Guess."] is not None


def test_of_equals_the_shorter_is_kept() -> None:
    task = review_task(train=8, dev=12)
    longer = f"{RULE} So it is."
    best, _ = read_back(task, soft(task), lm(longer, RULE, longer), SETTINGS, model="x")
    assert best.prompt.signature.instruction == RULE


def test_the_drafter_sees_the_soft_prompts_answers_and_no_labels() -> None:
    """Broken by showing what was wanted of the rows."""
    task = review_task(train=8, dev=4)
    solver, name = soft(task), task.signature.target.name
    wrong = tuple(replace(each, outputs={name: "neither"}) for each in task.train)
    shown = answered_rows(replace(task, train=wrong), solver, 4)
    assert shown == answered_rows(task, solver, 4)
    assert shown.count(f"{name}: ") == 4


def test_replies_without_a_word_are_left_out() -> None:
    task = review_task(train=8, dev=4)
    _, tried = read_back(task, soft(task), lm("", RULE, ""), SETTINGS, model="x")
    assert [each.text for each in tried] == [WORDS, RULE]


def test_a_run_without_a_soft_prompt_is_refused() -> None:
    solver = replace(soft(review_task()), prompt=None)
    with pytest.raises(InputError, match="expected a run with a soft prompt to read back"):
        nearest_words(solver)


def test_keys_and_values_have_no_words_and_are_drafted_alone() -> None:
    task = review_task(train=8, dev=4)
    backbone = shared("gpt2")
    with torch.no_grad():
        prompt = backbone.read(backbone.frozen.encode(WORDS))
    solver = replace(soft(task), prompt=prompt, ready=prompt)
    _, tried = read_back(task, solver, lm(RULE, RULE, RULE), SETTINGS, model="x")
    assert [each.origin for each in tried] == ["draft"]
