"""Running a program: a thread an example, one event loop for all they ask."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from afina.errors import CallError, InputError, UnreadableError
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings, PromptSolver
from afina.lm.lm import LM, run
from afina.program.line import Line, StoppedError
from afina.program.program import Program
from afina.program.steps import Asking, Steps
from afina.program.trace import Fault, Trace, Turn
from afina.solver import Values
from afina.task.signature import Signature

AS_USUAL = CallSettings()


def traces_of(
    program: Program,
    rows: Sequence[Values],
    lm: LM,
    settings: CallSettings = AS_USUAL,
    *,
    words: Mapping[str, str] = {},
) -> list[Trace]:
    """A trace a row, in order; the same however many are asked at once, but for rounding.

    A call that failed and a reply that cannot be read leave their row without outputs.

    Raises:
        BudgetError: the budget is spent; what was already sent was waited for.
        InputError: a row lacks an input, or the flow asks or returns what is not there.
    """
    for row in rows:
        check_row(program.signature, row)
    return run(running(program, rows, lm, settings, words)) if rows else []


async def running(
    program: Program,
    rows: Sequence[Values],
    lm: LM,
    settings: CallSettings,
    words: Mapping[str, str],
) -> list[Trace]:
    """Run all rows in threads while this loop asks for them."""
    loop = asyncio.get_running_loop()
    askings = askings_of(program, lm, settings, words)
    line = Line(lm, loop, settings.concurrency)
    with ThreadPoolExecutor(min(settings.concurrency, len(rows))) as pool:
        work = partial(trace_of, program, askings, line)
        futures = [loop.run_in_executor(pool, work, row) for row in rows]
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
            line.shut()
            await asyncio.wait(futures)
        finally:  # also where this is cancelled: no thread may wait for a loop that has gone
            line.cut()
            await asyncio.wait(futures)
            faults = [each.exception() for each in futures]
            await lm.close()
    for fault in faults:
        if fault is not None and not isinstance(fault, StoppedError):
            raise fault
    return [each.result() for each in futures]


def trace_of(program: Program, askings: Mapping[str, Asking], line: Line, row: Values) -> Trace:
    """Run the flow for one row.

    Raises:
        BudgetError: the budget is spent.
        InputError: the flow asks or returns what is not there.
    """
    turns: list[Turn] = []
    try:
        outputs = program.flow(Steps(askings, line.ask, turns), dict(row))
    except CallError as error:
        return Trace(tuple(turns), None, str(error), fault_of(error, turns))
    return Trace(tuple(turns), checked(program, outputs))


def fault_of(error: CallError, turns: Sequence[Turn]) -> Fault:
    """What a run failed by; a call that failed decides, whatever the flow made of it."""
    if any(turn.text is None for turn in turns):
        return "call"
    return "reply" if isinstance(error, UnreadableError) else "flow"


def checked(program: Program, outputs: object) -> Values:
    """What a flow returned; raises InputError unless the program's outputs are in it."""
    wanted = [field.name for field in program.signature.outputs]
    if not isinstance(outputs, Mapping) or any(name not in outputs for name in wanted):
        came = ", ".join(outputs) if isinstance(outputs, Mapping) else repr(outputs)
        raise InputError(
            f"expected the flow of {program.name!r} to return {', '.join(wanted)}, came "
            f"{came or 'nothing'}; return a mapping that has them"
        )
    return outputs


def check_row(signature: Signature, row: Values) -> None:
    """Refuse a row that does not fit the program; raises InputError."""
    for field in signature.inputs:
        if field.name not in row:
            raise InputError(
                f"expected rows with the inputs of {signature}, came one with "
                f"{', '.join(row) or 'none'}: it lacks {field.name!r}"
            )


def askings_of(
    program: Program, lm: LM, settings: CallSettings, words: Mapping[str, str]
) -> dict[str, Asking]:
    """Each prompt as it is asked; words stand for labels where a prompt has the whole's target."""
    target = program.signature.target

    def asking(prompt: Prompt) -> Asking:
        own = words if prompt.signature.target == target else {}
        solver = PromptSolver(prompt, lm, "", own, settings)
        return Asking(solver, prompt.in_words(own))

    return {name: asking(prompt) for name, prompt in program.prompts.items()}
