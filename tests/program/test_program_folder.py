"""A program taken out as plain text and put back asks the same, and scores the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import InputError
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.report import Report
from afina.hard.prompt import Prompt
from afina.program.chain_of_thought import chain_of_thought
from afina.program.multi_hop import multi_hop
from afina.program.program import Program
from afina.program.program_folder import read_program, write_program
from afina.program.program_solver import ProgramSolver
from afina.task.example import Example
from afina.task.metrics import METRICS
from afina.task.signature import Signature
from afina.written import export_written
from tests.program.small import PROGRAM, scripted

SHOWN = (Example.of({"summary": "{{ x }} fine"}, {"mood": "good"}),)
TAUGHT = PROGRAM.with_prompt("tell", replace(PROGRAM.prompts["tell"], demonstrations=SHOWN))
ROWS = [
    Example.of({"text": f"so {word} a day {at}"}, {"mood": "good" if at % 4 else "bad"})
    for at, word in enumerate(["dull", "fine", "fine", "fine", "fine", "dull", "fine", "dull"])
]


def scored(program: Program) -> Report:
    settings = EvaluationSettings(latency_sample=0, resamples=100)
    solver = ProgramSolver(program, scripted(), "m")
    return evaluate(solver, ROWS, METRICS["accuracy"], field="mood", settings=settings)


@pytest.mark.parametrize("form", ["markdown", "openai"])
def test_what_is_exported_asks_the_same_and_scores_the_same(form: str, tmp_path: Path) -> None:
    assert write_program(TAUGHT, form, tmp_path, words={}) == 3
    ending = {"markdown": "md", "openai": "json"}[form]
    assert {each.name for each in tmp_path.iterdir()} == {f"shorten.{ending}", f"tell.{ending}"}
    again = read_program(PROGRAM, form, tmp_path)
    for name, prompt in TAUGHT.prompts.items():
        row = {prompt.signature.inputs[0].name: "{{ 7*7 }} any"}
        assert again.prompts[name].messages(row) == prompt.messages(row)
    first, second = scored(TAUGHT), scored(again)
    assert first.score == second.score == 0.625
    assert (first.low, first.high) == (second.low, second.high)


def test_a_changed_file_changes_what_is_asked(tmp_path: Path) -> None:
    write_program(TAUGHT, "markdown", tmp_path)
    file = tmp_path / "tell.md"
    file.write_text(file.read_text().replace("Tell the mood.", "Say how it feels."))
    said = read_program(PROGRAM, "markdown", tmp_path).prompts["tell"].messages({"summary": "x"})
    assert said[0].content.startswith("Say how it feels.")


def test_words_stand_for_labels_where_the_target_is_asked_for(tmp_path: Path) -> None:
    write_program(TAUGHT, "markdown", tmp_path, words={"good": "great"})
    assert "great" in (tmp_path / "tell.md").read_text()


def test_parts_and_passages_and_dspys_layout_can_be_written(tmp_path: Path) -> None:
    hops = multi_hop(Signature.parse("question -> answer"), lambda query, k: [])
    assert write_program(hops, "markdown", tmp_path / "hops") == 3
    thought = chain_of_thought(Signature.parse("question -> answer: int", "Work it out."))
    marked = replace(thought.prompts["answer"], layout="marked")
    assert write_program(thought.with_prompt("answer", marked), "openai", tmp_path / "m") == 1
    assert "Your input fields are:" in (tmp_path / "m" / "answer.json").read_text()


def test_what_cannot_be_written_or_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        write_program(PROGRAM, "markdown", tmp_path / "file")
    with pytest.raises(InputError, match=r"shorten\.md"):
        read_program(PROGRAM, "markdown", tmp_path)
    lists = Prompt.of(Signature.parse("text, words: list[str] -> mood: good | bad"))
    program = Program(
        "lists", PROGRAM.signature, {"tell": replace(lists, layout="marked")}, PROGRAM.flow
    )
    with pytest.raises(InputError, match="would not say the same"):
        write_program(program, "openai", tmp_path / "x")


def test_a_run_of_a_program_is_exported_as_a_folder(tmp_path: Path) -> None:
    thought = chain_of_thought(Signature.parse("text -> mood: good | bad", "Tell the mood."))
    packed = ProgramSolver(thought, scripted(), "m", words={"good": "great"}).pack()
    assert export_written(packed, "markdown", tmp_path, []) == 1
    assert "one of: great | bad" in (tmp_path / "answer.md").read_text()
