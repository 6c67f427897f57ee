"""Searched prompts: instructions and examples that an optimiser found within a number of calls."""

import importlib.util
import json
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from afina.disk import replace_file
from afina.errors import BudgetError, InputError
from afina.job import Job, Made
from afina.making.programs import hopping, programmed, thinking
from afina.method_settings import PREDICT, PROGRAM, read_settings
from afina.solver import Solver
from afina.training.watch import Board, Progress, Tried

if TYPE_CHECKING:
    from afina.hard.prompt import Prompt
    from afina.hard.prompt_solver import PromptSolver
    from afina.hard.selection import Selection
    from afina.lm.lm import LM
    from afina.program.found import Found
    from afina.program.knn import KnnSettings
    from afina.program.program import Program
    from afina.program.search import Means, Search

TRIALS = "trials.json"  # in a run's folder, also where its budget was spent
KNN = "knn"
MIPRO = "mipro"
Optimise = Callable[[Job, "Means"], "Found"]


def bootstrap(job: Job, means: "Means") -> "Found":
    from afina.program.bootstrap import bootstrap as optimise

    return optimise(begun(job), job.task, job.lm(), own_settings(job, "bootstrap"), means)


def random_search(job: Job, means: "Means") -> "Found":
    from afina.program.random_search import random_search as optimise

    return optimise(begun(job), job.task, job.lm(), own_settings(job, "random-search"), means)


def copro(job: Job, means: "Means") -> "Found":
    from afina.program.copro import copro as optimise

    return optimise(begun(job), job.task, job.lm(), own_settings(job, "copro"), means)


def mipro(job: Job, means: "Means") -> "Found":
    need_optuna()
    from afina.program.mipro import mipro as optimise

    return optimise(begun(job), job.task, job.lm(), own_settings(job, MIPRO), means)


def gepa(job: Job, means: "Means") -> "Found":
    from afina.program.gepa import gepa as optimise

    return optimise(begun(job), job.task, job.lm(), own_settings(job, "gepa"), means)


def racing(job: Job, means: "Means") -> "Found":
    from afina.program.racing import racing as optimise

    return optimise(begun(job), job.task, job.lm(), own_settings(job, "racing"), means)


OPTIMISERS: Mapping[str, Optimise] = {
    "bootstrap": bootstrap,
    "random-search": random_search,
    "copro": copro,
    MIPRO: mipro,
    "gepa": gepa,
    "racing": racing,
}


def own_settings(job: Job, method: str) -> Any:  # each optimiser has a dataclass of its own
    return read_settings(method, job.settings, job.seed)


def begun(job: Job) -> "Program":
    """The program that a search begins with: a prompt alone, reasoning first, or over an index."""
    from afina.program.predict import predict

    match job.settings.get(PROGRAM, PREDICT):
        case "chain-of-thought":
            return thinking(job)
        case "multi-hop":
            return hopping(job)[0]
        case _:
            return predict(job.task.signature)


def need_optuna() -> None:
    """Refuse to go on without the estimator's package; raises InputError."""
    if importlib.util.find_spec("optuna") is None:
        raise InputError(
            "expected the package optuna, which mipro draws with; install afina[optimise]"
        )


def searched(job: Job, optimise: Optimise) -> Made:
    """The best prompt that a search found, beside the rows it has to beat.

    Raises:
        BudgetError: the budget is spent; the trials are kept, and a larger one goes on.
        CallError: the model is out; run again to go on.
    """
    found = optimise(job, means_of(job))
    shots = max(len(each.demonstrations) for each in found.program.prompts.values())
    return finished(job, found, solver_for(job, found.program), shots)


def nearest(job: Job) -> Made:
    """Examples chosen anew at each call: how many, and from which rows, is tried on dev.

    Raises:
        BudgetError: the budget is spent; the trials are kept, and a larger one goes on.
        CallError: the model is out; run again to go on.
    """
    from afina.program.knn import knn
    from afina.program.predict import predict

    settings: KnnSettings = read_settings(KNN, job.settings, job.seed)
    program = predict(job.task.signature)
    found, selection = knn(program, job.task, job.lm(), settings, means_of(job), load=job.embedding)
    (prompt,) = program.prompts.values()
    shots = 0 if selection is None else selection.settings.shots
    return finished(job, found, solver_of(job, prompt, selection), shots)


def solver_for(job: Job, program: "Program") -> Solver:
    """A program on the job's language model; one prompt alone needs no program around it."""
    if job.settings.get(PROGRAM, PREDICT) != PREDICT:
        return programmed(job, program).solver
    (prompt,) = program.prompts.values()
    return solver_of(job, prompt)


def solver_of(job: Job, prompt: "Prompt", selection: "Selection | None" = None) -> "PromptSolver":
    """A prompt on the job's language model."""
    from afina.hard.prompt_solver import PromptSolver

    return PromptSolver(prompt, job.lm(), job.model, job.task.words, selection=selection)


def finished(job: Job, found: "Found", solver: Solver, shots: int) -> Made:
    """What a search made, with its trials and the rows it has to beat.

    ``shots`` is how many examples it shows.

    Raises:
        BudgetError: the budget ended it; the trials are kept.
    """
    facts = found.facts()
    keep_trials(job, facts)
    if found.ended == "budget":
        best = found.trials[found.best]
        score = "not scored" if best.score is None else f"{best.score:.4f} on {best.n} rows of dev"
        raise BudgetError(
            f"the budget is spent before the search has ended; the best so far is trial "
            f"{best.number} ({score}), kept with all others in {job.folder / TRIALS}; raise the "
            "budget and run again, calls that were answered are not paid for twice"
        )
    facts["baselines"] = baselines(job, shots)
    keep_trials(job, facts)
    return Made(solver, facts)


def keep_trials(job: Job, facts: Mapping[str, object]) -> None:
    """Write what was tried."""
    replace_file(job.folder / TRIALS, json.dumps(facts, allow_nan=False).encode(), job.disk)


def baselines(job: Job, shots: int) -> list[dict[str, object]]:
    """What no search gives, on all of dev: no examples, and as many random ones as were found.

    Raises:
        BudgetError: the budget is spent.
    """
    from afina.evaluation.evaluate import EvaluationSettings, evaluate
    from afina.program.proposing import labelled, showing

    given, train = begun(job), job.task.train
    drawn = random.Random(job.seed).sample(train, min(shots, len(train)))
    shown = {name: labelled(prompt, drawn) for name, prompt in given.prompts.items()}
    ways = {"zero-shot": given, f"{len(drawn)} random examples": showing(given, shown)}
    told: list[dict[str, object]] = []
    for name, program in ways.items():
        if program.digest == given.digest and name != "zero-shot":
            continue
        report = evaluate(
            solver_for(job, program),
            job.task.dev,
            job.task.metric,
            field=job.task.signature.target.name,
            settings=EvaluationSettings(latency_sample=0),
        )
        bounds = {"score": report.score, "low": report.low, "high": report.high}
        told.append({"name": name, **bounds, "n": report.n, "missing": report.missing})
    return told


def means_of(job: Job) -> "Means":
    """Who proposes and teaches, how a run's search tells of itself, and whom it asks to end."""
    from afina.program.search import Means

    def named(role: str) -> "LM | None":
        name = str(job.settings.get(role, ""))
        return job.named_lm(name) if name else None

    start, noted = time.monotonic(), set[tuple[int, int]]()

    def show(search: "Search") -> None:
        board = board_of(search, time.monotonic() - start)
        if job.watch.board is not None:
            job.watch.board(board)
            return
        best = max((each.score for each in board.tried if each.leads), default=0.0)
        job.watch.show(Progress(board.calls, board.most, 0.0, best, board.seconds_left))
        for each in board.tried:
            if (each.number, each.n) not in noted:
                noted.add((each.number, each.n))
                job.watch.note(line(each, board))

    return Means(named("proposer"), named("teacher"), show=show, stop=job.watch.stop)


def board_of(search: "Search", seconds: float) -> Board:
    """How far a search has come in so many seconds."""
    used, left, best = search.purse.usage, search.purse.left, search.best().number
    trials = [search.trial(each) for each in search.candidates]
    tried = [
        Tried(each.number, each.how, each.score, each.low, each.high, each.n, each.number == best)
        for each in trials
        if each.score is not None
    ]
    pace = seconds / max(1, used.calls)
    return Board(tried, used.calls, used.calls + left, used.tokens, used.cost, left * pace)


def line(each: Tried, board: Board) -> str:
    """A candidate in a line."""
    mark = "*" if each.leads else " "
    return (
        f"{board.calls:5d} of {board.most} calls {mark} trial {each.number:3d}: {each.score:.3f} "
        f"[{each.low:.3f}, {each.high:.3f}] on {each.n} rows, {each.how}"
    )


SEARCHED: Mapping[str, Callable[[Job], Made]] = {
    **{name: partial(searched, optimise=optimise) for name, optimise in OPTIMISERS.items()},
    KNN: nearest,
}
