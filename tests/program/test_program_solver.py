"""A program as a solver: its traces are evidence, and a bundle holds what makes it again."""

import json
from pathlib import Path

import pytest

from afina.errors import ArtefactError, InputError, MismatchError
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.scripted import ScriptedLM
from afina.program.predict import predict
from afina.program.program_solver import ProgramSolver, unpack_program
from afina.retrieval.retriever import Retriever
from afina.solver import Packed, Solver
from afina.task.example import Example
from afina.task.metrics import METRICS
from tests.program.small import PROGRAM, WHOLE, answer, scripted

OURS = predict(WHOLE)
ROWS = [
    Example.of({"text": "so fine a day"}, {"mood": "good"}),
    Example.of({"text": "so dull a day"}, {"mood": "bad"}),
]


def no_index(origin: object) -> Retriever:
    raise AssertionError(origin)


def test_an_answer_has_its_trace_as_evidence() -> None:
    solver = ProgramSolver(PROGRAM, scripted(), "scripted:small")
    assert isinstance(solver, Solver)
    (found,) = solver([{"text": "so fine a day"}])
    assert found.outputs == {"mood": "good"}
    assert found.usage.calls == 2
    trace = json.loads(json.dumps(found.evidence["trace"]))
    assert [turn["prompt"] for turn in trace["turns"]] == ["shorten", "tell"]
    assert trace["turns"][0]["text"] == "so fine a"


def test_what_cannot_be_read_is_missing_and_no_score_of_zero() -> None:
    lm = ScriptedLM(lambda request: "hm" if "dull" in request.messages[-1].content else "good")
    settings = EvaluationSettings(latency_sample=0, resamples=10)
    report = evaluate(
        ProgramSolver(OURS, lm, "x"),
        [
            Example.of({"text": "fine"}, {"mood": "good"}),
            Example.of({"text": "x"}, {"mood": "bad"}),
        ],
        METRICS["accuracy"],
        field="mood",
        settings=settings,
    )
    assert (report.score, report.missing) == (0.5, 0)
    report = evaluate(
        ProgramSolver(OURS, ScriptedLM(lambda request: "hm"), "x"),
        ROWS,
        METRICS["accuracy"],
        field="mood",
        settings=settings,
    )
    assert (report.score, report.missing) == (None, 2)


def test_a_second_run_is_replayed_and_says_so(tmp_path: Path) -> None:
    lm = Journaled(scripted(), Journal(tmp_path / "j.sqlite"), run="a")
    solver = ProgramSolver(OURS, lm, "x")
    (first,), (second,) = (solver([ROWS[0].inputs]) for _ in range(2))
    assert "replayed" not in first.evidence
    assert second.evidence["replayed"] is True
    assert first.evidence["trace"] == second.evidence["trace"]
    assert first.usage == second.usage


def test_packing_and_reading_change_no_answer() -> None:
    solver = ProgramSolver(OURS, scripted(), "scripted:small", words={"good": "good"})
    packed = solver.pack()
    assert packed.kind == "program"
    settings = json.loads(json.dumps(packed.settings))
    again = unpack_program(Packed("program", settings), ScriptedLM(answer, name="small"), no_index)
    assert again.program == OURS
    rows = [each.inputs for each in ROWS]
    assert again(rows) == solver(rows)
    assert again.pack() == packed


def test_a_flow_of_its_authors_is_not_packed() -> None:
    with pytest.raises(InputError, match="got 'summary first' with one of its own; keep its"):
        ProgramSolver(PROGRAM, scripted(), "x").pack()


def test_a_bundle_of_other_weights_or_damaged_is_refused() -> None:
    packed = ProgramSolver(OURS, scripted(), "x").pack()
    with pytest.raises(MismatchError, match="the weights of that name are others"):
        unpack_program(packed, ScriptedLM({}), no_index)
    with pytest.raises(ArtefactError, match="came another shape"):
        unpack_program(Packed("program", {}), scripted(), no_index)
    garbled = {**packed.settings, "calls": {"temperature": "warm"}}
    with pytest.raises(ArtefactError, match="settings are garbled"):
        unpack_program(Packed("program", garbled), scripted(), no_index)
