"""A chain of thought asks for the reasoning first, and answers with the signature's outputs."""

import pytest

from afina.errors import InputError
from afina.lm.scripted import ScriptedLM
from afina.program.chain_of_thought import chain_of_thought
from afina.program.program_solver import ProgramSolver
from afina.program.running import traces_of
from afina.task.signature import Signature

SIGNATURE = Signature.parse("question -> answer: int", "Work it out.")


def test_the_reasoning_is_asked_for_in_front_of_the_answer() -> None:
    lm = ScriptedLM(lambda request: "reasoning: two and two\nanswer: 4")
    program = chain_of_thought(SIGNATURE)
    (trace,) = traces_of(program, [{"question": "2 + 2?"}], lm)
    assert trace.outputs == {"reasoning": "two and two", "answer": 4}
    system = lm.asked[0].messages[0].content
    assert system.startswith("Work it out.")
    assert system.index("reasoning:") < system.index("answer: a whole number")
    (found,) = ProgramSolver(program, lm, "m")([{"question": "2 + 2?"}])
    assert found.outputs == {"answer": 4}


def test_a_signature_that_reasons_already_is_refused() -> None:
    with pytest.raises(InputError, match="without a field 'reasoning'"):
        chain_of_thought(Signature.parse("question -> reasoning, answer"))
