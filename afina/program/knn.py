"""Nearest examples at each call: from which rows, and how many, is chosen by what it scores.

Liu et al. 2022, "What makes good in-context examples for GPT-3?",
https://aclanthology.org/2022.deelio-1.10; Khattab et al. 2023, https://arxiv.org/abs/2310.03714,
for rows that came out right. We differ: likeness is shared words unless another selector is named,
and all rows stand beside those that came out right.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from afina.errors import BudgetError
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver
from afina.hard.selection import FewShotSettings, Load, Selection
from afina.lm.lm import LM
from afina.program.found import Ended, Found, flattery
from afina.program.gathering import good_marks, mixed
from afina.program.program import Program
from afina.program.scored import Scored
from afina.program.search import BY_ITSELF, Means, Search, too_many
from afina.program.trace import Fault, Trace, Turn
from afina.program.trial import Trial
from afina.solver import Prediction, Values
from afina.task.example import Example
from afina.task.task import Task

FEWEST = 10  # rows of dev on which a choice is scored
GATHERED = 0.2  # of the calls, for rows that come out right


@dataclass(frozen=True)
class KnnSettings:
    """Which examples are nearest, how many are shown, and what may be spent."""

    shots: int = 16  # examples shown at most; half, a quarter and an eighth are tried too
    select: str = "overlap"  # overlap, nearest or mmr
    vectors: str = "builtin:minilm"  # the model of the vectors that nearest and mmr compare
    calls: int = 200  # calls of language models at most
    seed: int = 0


@dataclass(frozen=True)
class Choice:
    """Examples to choose from at each call, None for none, and what that scored."""

    selection: Selection | None
    how: str
    scored: Scored = field(default_factory=lambda: Scored(()))


def knn(
    program: Program,
    task: Task,
    lm: LM,
    settings: KnnSettings = KnnSettings(),
    means: Means = BY_ITSELF,
    *,
    load: Load,
) -> tuple[Found, Selection | None]:
    """The best choice of nearest examples for the one prompt of a program; None for none at all.

    Raises:
        CallError: the model is out; run again to go on.
        InputError: the metric failed, or there is no such selector.
    """
    search = Search(program, task, lm, means, calls=settings.calls)
    (prompt,) = program.prompts.values()
    order = random.Random(settings.seed)
    train, dev = mixed(task.train, order), mixed(task.dev, order)
    choices = [Choice(None, "as given")]
    ended: Ended = "done"
    try:
        keep = round(settings.calls * (1 - GATHERED))
        good = good_marks(search, search.candidates[0], train, wanted=4 * settings.shots, keep=keep)
        right = [mark.example for mark in good]
        choices += chosen_from(prompt, settings, right, train, load)
        rows = dev[: max(FEWEST, search.purse.left // len(choices))]
        for place, choice in enumerate(choices):
            choices[place] = replace(choice, scored=scored(search, prompt, choice, rows))
    except BudgetError:
        ended = "calls" if search.purse.refused else "budget"
    return found(search, program, choices, ended)


def chosen_from(
    prompt: Prompt,
    settings: KnnSettings,
    right: Sequence[Example],
    train: Sequence[Example],
    load: Load,
) -> list[Choice]:
    """Choices of several sizes, from rows that came out right and from all."""
    found = []
    sizes = sorted({max(1, settings.shots // part) for part in (1, 2, 4, 8)}, reverse=True)
    for pool, name in ((train, "rows of train"), (right, "rows that came out right")):
        for shots in sizes if len(pool) > 1 else []:
            wish = FewShotSettings(shots, settings.select, settings.vectors)
            selection = Selection.of(prompt.signature, pool, wish, seed=settings.seed, load=load)
            found.append(Choice(selection, f"the {shots} nearest {name}"))
    return found


def scored(search: Search, prompt: Prompt, choice: Choice, rows: Sequence[Example]) -> Scored:
    """What a choice scores on rows of dev."""
    search.pause()
    words, calls = search.task.words, search.means.calls
    solver = PromptSolver(prompt, search.lm, "", words, calls, choice.selection)
    predictions = solver([row.inputs for row in rows])
    traces = [
        trace_of(row.inputs, prediction) for row, prediction in zip(rows, predictions, strict=True)
    ]
    failed = [each for each in traces if each.fault == "call"]
    if too_many(len(failed), len(rows)):
        search.check_there(search.lm, failed[0].reason)
    return Scored(tuple(search.mark(*each) for each in zip(rows, traces, strict=True)))


def trace_of(inputs: Values, prediction: Prediction) -> Trace:
    """A prediction of one prompt as a trace; one without a text is of a call that failed."""
    text = prediction.evidence.get("text")
    said = None if text is None else str(text)
    turn = Turn("predict", inputs, said, prediction.outputs, prediction.usage)
    fault: Fault = "" if prediction.outputs is not None else "call" if said is None else "reply"
    return Trace((turn,), prediction.outputs, prediction.reason, fault)


def found(
    search: Search, program: Program, choices: Sequence[Choice], ended: Ended
) -> tuple[Found, Selection | None]:
    """The best of the choices that were scored; of equals the one that shows least."""

    def rank(place: int) -> tuple[float, int]:
        choice = choices[place]
        shots = choice.selection.settings.shots if choice.selection else 0
        return (-1.0 if choice.scored.mean is None else choice.scored.mean, -shots)

    best = max(range(len(choices)), key=rank)
    trials = tuple(trial_of(place, each, program, search) for place, each in enumerate(choices))
    whole = Found(
        program=program,
        best=best,
        trials=trials,
        usage=search.purse.usage,
        ended=ended,
        flattery=flattery([each.scored for each in choices], best),
    )
    return whole, choices[best].selection


def trial_of(place: int, choice: Choice, program: Program, search: Search) -> Trial:
    """A choice as a trial."""
    low, high = choice.scored.bounds or (None, None)
    return Trial(
        number=place,
        parent=0 if place else None,
        how=choice.how,
        prompts=program.prompts,
        score=choice.scored.mean,
        low=low,
        high=high,
        n=len(choice.scored.marks),
        missing=choice.scored.missing,
        calls=search.purse.usage.calls,
    )
