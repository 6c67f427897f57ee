"""The prompts by which a model is asked for instructions: ours, and plain text like any other."""

from afina.hard.prompt import Prompt
from afina.task.signature import Field, Signature, Text, TextList


def prompt(inputs: dict[str, str], lists: tuple[str, ...], instruction: str) -> Prompt:
    """A prompt from described inputs to an instruction."""
    fields = tuple(
        Field(name, TextList() if name in lists else Text(), told) for name, told in inputs.items()
    )
    told = "\n".join(f"- {field.name}: {field.description}" for field in fields)
    signature = Signature(
        fields, (Field("instruction", Text()),), f"{instruction}\n\nYou are given:\n{told}"
    )
    return Prompt.of(signature)


ENDING = "Answer with the instruction's text alone: no title, no quotes, no remarks."
STEP = "the names of what the step reads and what it must write"
CURRENT = "the instruction that the model follows now"

REWRITE = prompt(
    {
        "step": STEP,
        "current": CURRENT,
        "cases": "rows that the model was given, what it wrote, and what a judge said of it",
    },
    (),
    "A language model does one step of a task and follows an instruction. Write it a better one. "
    "Find out from the cases what the judge wants, and say it as rules that hold for rows not seen "
    "here. Keep every rule of the current instruction that no case speaks against, and correct or "
    "drop those that one does. Do not copy rows. Be short: what helps no row has no place in it. "
    + ENDING,
)

MERGE = prompt(
    {"step": STEP, "instructions": "instructions for this one step, with a blank line between"},
    (),
    "Several writers have each found out something of how a step is to be done. Write one "
    "instruction that holds every rule of theirs, each once. Where two say the contrary, take what "
    "more of them say. Add no rule of your own. " + ENDING,
)

VARY = prompt(
    {
        "step": STEP,
        "tried": "instructions tried so far, the best last, each behind its score",
        "cases": "a few rows with what is wanted of them",
    },
    (),
    "Instructions for one step of a task were tried on rows, and scored. Write another one that "
    "should score higher than all of them. Look at what the better ones have and the others lack, "
    "and at what the rows show. " + ENDING,
)

SUMMARY = prompt(
    {"step": STEP, "cases": "rows of the data with what is wanted of them"},
    (),
    "Someone is going to write an instruction for this step and will not see the data. Tell them "
    "what they need to know: what the rows are about, what is wanted of them, and each rule that "
    "leads from the one to the other. " + ENDING,
)

GROUNDED = prompt(
    {
        "step": STEP,
        "program": "the steps of the whole program, in order",
        "summary": "what readers of parts of the data found; where they differ, follow the most",
        "current": CURRENT,
        "cases": "rows with outputs that were right",
        "hint": "how the instruction should be worded",
    },
    (),
    "Write the instruction that a language model shall follow in one step of a program. Put in all "
    "that the summary and the cases show of how it is done right, and follow the hint. " + ENDING,
)

HINTS = (
    "say it in as few words as possible",
    "state each rule in a sentence of its own",
    "tell in which order to look at things",
    "tell what to do where two rules could hold",
    "say it to somebody who has never seen such rows",
)
