"""A program of one prompt answers as the prompt does by itself."""

from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver
from afina.lm.scripted import ScriptedLM
from afina.program.predict import predict
from afina.program.program_solver import ProgramSolver
from afina.task.signature import Signature


def test_it_asks_and_answers_as_its_prompt_does() -> None:
    signature = Signature.parse("review -> mood: good | bad", "Tell the mood.")
    words = {"good": "great", "bad": "awful"}
    rows = [{"review": text} for text in ("fine", "dull", "so")]
    replies = ["great", "**Awful.**", "hm"]
    one, other = (ScriptedLM(replies, name="m") for _ in range(2))
    alone = PromptSolver(Prompt.of(signature), one, "m", words)
    whole = ProgramSolver(predict(signature), other, "m", words)
    for row in rows:
        (first,), (second,) = alone([row]), whole([row])
        assert (first.outputs, first.usage) == (second.outputs, second.usage)
        assert bool(first.reason) == bool(second.reason)
    assert one.asked == other.asked
