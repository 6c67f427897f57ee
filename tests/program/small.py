"""A program of two prompts, and a language model that answers it by rule."""

from afina.hard.prompt import Prompt
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.program.program import Program
from afina.program.steps import Steps
from afina.solver import Values
from afina.task.signature import Signature

WHOLE = Signature.parse("text -> mood: good | bad")
SHORTEN = Prompt.of(Signature.parse("text -> summary", "Shorten."))
TELL = Prompt.of(Signature.parse("summary -> mood: good | bad", "Tell the mood."))


def flow(steps: Steps, values: Values) -> Values:
    short = steps("shorten", text=values["text"])
    return steps("tell", summary=short["summary"])


PROGRAM = Program("summary first", WHOLE, {"shorten": SHORTEN, "tell": TELL}, flow)


def answer(request: Request) -> str:
    """The first three words, then good where ``fine`` stands in them."""
    *_, last = request.messages
    said = last.content.partition(": ")[2].rpartition("\n")[0]
    if last.content.startswith("text:"):
        return " ".join(said.split()[:3])
    return "good" if "fine" in said else "bad"


def scripted() -> ScriptedLM:
    return ScriptedLM(answer, name="small")
