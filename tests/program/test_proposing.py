"""Proposals: what counts as an instruction, and where it is put."""

from dataclasses import replace

import pytest

from afina.errors import InputError
from afina.hard.template import Template
from afina.program.gathering import good_marks
from afina.program.proposals import REWRITE
from afina.program.proposing import case, clean, instructed, labelled, propose, showing
from afina.program.search import Means, Search
from afina.task.signature import Signature
from tests.worlds.afina_side import WorldLM, program_of, task_of
from tests.worlds.archive import Archive
from tests.worlds.desk import Desk
from tests.worlds.simulated import Simulated

PROGRAM = program_of(Desk(0))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Tell the mood.", "Tell the mood."),
        ("```\nTell the mood.\n```", "Tell the mood."),
        ("```text\nTell the mood.\n```", "Tell the mood."),
        ('New instruction: "Tell the mood."', "Tell the mood."),
        ("  Tell\nthe mood. ", "Tell\nthe mood."),
        ("", ""),
        ("???", ""),
        ("12 34", ""),
        ("word", ""),
        ("so long " * 2000, ""),
    ],
)
def test_an_instruction_is_taken_out_of_a_reply_or_nothing(text: str, wanted: str) -> None:
    assert clean(text) == wanted


def test_an_instruction_stands_in_the_prompt_and_the_rest_stays() -> None:
    changed = instructed(PROGRAM, "predict", "Say which queue.")
    before, after = PROGRAM.prompts["predict"], changed.prompts["predict"]
    row = {"note": "a note"}
    assert after.messages(row)[0].content.startswith("Say which queue.")
    assert after.messages(row)[1:] == before.messages(row)[1:]
    assert after.signature.inputs == before.signature.inputs


def test_a_prompt_that_has_no_place_for_an_instruction_is_refused() -> None:
    fixed = replace(PROGRAM.prompts["predict"], system=Template("Always the same."))
    with pytest.raises(InputError, match=r"'Always the same\.'; put \{\{ instruction \}\} where"):
        instructed(PROGRAM.with_prompt("predict", fixed), "predict", "Another one.")


def test_rows_are_labelled_only_for_prompts_that_read_and_write_what_they_have() -> None:
    world = Archive(0)
    program, rows = program_of(world), task_of(world, 5, 5).train
    assert labelled(program.prompts["search"], rows) == []
    assert labelled(program.prompts["tell"], rows) == []
    desk = task_of(Desk(0), 5, 5).train
    assert labelled(PROGRAM.prompts["predict"], desk) == list(desk)
    shown = showing(PROGRAM, {"predict": desk})
    assert shown.prompts["predict"].demonstrations == desk


def test_a_case_tells_what_came_and_what_was_said() -> None:
    signature = Signature.parse("a, b -> c: x | y")
    row = {"a": "one", "b": "two"}
    assert case(signature, row, {"c": "x"}, "x", "wrong; expected: y") == (
        "a: one\nb: two\nc: x\njudge: wrong; expected: y"
    )
    assert case(signature, row, None, "hm", "") == "a: one\nb: two\nit wrote: hm"


def test_a_stronger_teacher_gives_the_traces() -> None:
    world = Desk(0)
    lm, teacher = WorldLM(Simulated(world)), WorldLM(Simulated(world, seed=9))
    search = Search(PROGRAM, task_of(world, 40, 5), lm, Means(teacher=teacher), calls=100)
    good = good_marks(search, search.candidates[0], search.task.train, wanted=4, keep=0)
    assert (lm.calls, teacher.calls > 0) == (0, True)
    assert all(mark.score == 1 for mark in good)
    assert search.purse.usage.calls == teacher.calls


def test_a_proposal_that_failed_is_not_called_nonsense() -> None:
    lm = WorldLM(Simulated(Desk(0)), fail=lambda number: number == 0)
    search = Search(PROGRAM, task_of(Desk(0), 5, 5), lm, Means(), calls=20)
    row = {"step": "note -> queue", "current": "Say which queue.", "cases": "none"}
    assert propose(search, REWRITE, [row]) == [""]
    assert len(search.notes) == 1
    assert "could not be asked for" in search.notes[0]
