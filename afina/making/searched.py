"""Searched prompts: instructions and examples that an optimiser found within a number of calls."""

import importlib.util
import json
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from afina.disk import replace_file
from afina.errors import BudgetError, InputError
from afina.job import Job, Made
from afina.method_settings import read_settings
from afina.training.watch import Progress

if TYPE_CHECKING:
    from afina.hard.prompt import Prompt
    from afina.hard.prompt_solver import PromptSolver
    from afina.hard.selection import Selection
    from afina.program.found import Found
    from afina.program.knn import KnnSettings
    from afina.program.mipro_settings import MiproSettings
    from afina.program.search import Means, Search
    from afina.program.trial import Trial

TRIALS = "trials.json"  # in a run's folder, also where its budget was spent
KNN = "knn"
MIPRO = "mipro"
Optimise = Callable[[Job, "Means"], "Found"]


def bootstrap(job: Job, means: "Means") -> "Found":
    from afina.program import bootstrap as method
    from afina.program.predict import predict

    settings: method.BootstrapSettings = read_settings("bootstrap", job.settings, job.seed)
    return method.bootstrap(predict(job.task.signature), job.task, job.lm(), settings, means)


def random_search(job: Job, means: "Means") -> "Found":
    from afina.program import random_search as method
    from afina.program.predict import predict

    settings: method.RandomSearchSettings = read_settings("random-search", job.settings, job.seed)
    return method.random_search(predict(job.task.signature), job.task, job.lm(), settings, means)


def copro(job: Job, means: "Means") -> "Found":
    from afina.program import copro as method
    from afina.program.predict import predict

    settings: method.CoproSettings = read_settings("copro", job.settings, job.seed)
    return method.copro(predict(job.task.signature), job.task, job.lm(), settings, means)


def mipro(job: Job, means: "Means") -> "Found":
    need_optuna()
    from afina.program import mipro as method
    from afina.program.predict import predict

    settings: MiproSettings = read_settings(MIPRO, job.settings, job.seed)
    return method.mipro(predict(job.task.signature), job.task, job.lm(), settings, means)


def gepa(job: Job, means: "Means") -> "Found":
    from afina.program import gepa as method
    from afina.program.predict import predict

    settings: method.GepaSettings = read_settings("gepa", job.settings, job.seed)
    return method.gepa(predict(job.task.signature), job.task, job.lm(), settings, means)


def racing(job: Job, means: "Means") -> "Found":
    from afina.program import racing as method
    from afina.program.predict import predict

    settings: method.RacingSettings = read_settings("racing", job.settings, job.seed)
    return method.racing(predict(job.task.signature), job.task, job.lm(), settings, means)


OPTIMISERS: Mapping[str, Optimise] = {
    "bootstrap": bootstrap,
    "random-search": random_search,
    "copro": copro,
    MIPRO: mipro,
    "gepa": gepa,
    "racing": racing,
}


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
    (prompt,) = found.program.prompts.values()
    return finished(job, found, solver_of(job, prompt))


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
    return finished(job, found, solver_of(job, prompt, selection))


def solver_of(job: Job, prompt: "Prompt", selection: "Selection | None" = None) -> "PromptSolver":
    """A prompt on the job's language model."""
    from afina.hard.prompt_solver import PromptSolver

    return PromptSolver(prompt, job.lm(), job.model, job.task.words, selection=selection)


def finished(job: Job, found: "Found", solver: "PromptSolver") -> Made:
    """What a search made, with its trials and the rows it has to beat.

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
    facts["baselines"] = baselines(job, solver)
    keep_trials(job, facts)
    return Made(solver, facts)


def keep_trials(job: Job, facts: Mapping[str, object]) -> None:
    """Write what was tried."""
    replace_file(job.folder / TRIALS, json.dumps(facts, allow_nan=False).encode(), job.disk)


def baselines(job: Job, solver: "PromptSolver") -> list[dict[str, object]]:
    """What no search gives, on all of dev: no examples, and as many random ones as were found.

    Raises:
        BudgetError: the budget is spent.
    """
    from afina.evaluation.evaluate import EvaluationSettings, evaluate
    from afina.hard.prompt import Prompt

    train = job.task.train
    shots = len(solver.prompt.demonstrations)
    if solver.selection is not None:
        shots = solver.selection.settings.shots
    drawn = tuple(random.Random(job.seed).sample(train, min(shots, len(train))))
    told: list[dict[str, object]] = []
    for name, shown in (("zero-shot", ()), (f"{len(drawn)} random examples", drawn)):
        if shown or name == "zero-shot":
            made = solver_of(job, Prompt.of(job.task.signature, shown))
            report = evaluate(
                made,
                job.task.dev,
                job.task.metric,
                field=job.task.signature.target.name,
                settings=EvaluationSettings(latency_sample=0),
            )
            bounds = {"score": report.score, "low": report.low, "high": report.high}
            told.append({"name": name, **bounds, "n": report.n, "missing": report.missing})
    return told


def means_of(job: Job) -> "Means":
    """How a run's search tells of itself, and whom it asks whether to end."""
    from afina.program.search import Means

    start, seen = time.monotonic(), set[tuple[int, int]]()

    def show(search: "Search") -> None:
        made, left = search.purse.usage.calls, search.purse.left
        pace = (time.monotonic() - start) / max(1, made)
        best = search.trial(search.best())
        job.watch.show(Progress(made, made + left, 0.0, best.score or 0.0, left * pace))
        for candidate in search.candidates:
            trial = search.trial(candidate)
            if trial.score is not None and (trial.number, trial.n) not in seen:
                seen.add((trial.number, trial.n))
                job.watch.note(line(trial, best, made, made + left))

    return Means(show=show, stop=job.watch.stop)


def line(trial: "Trial", best: "Trial", made: int, calls: int) -> str:
    """A trial in a line."""
    mark = "*" if trial.number == best.number else " "
    return (
        f"{made:5d} of {calls} calls {mark} trial {trial.number:3d}: {trial.score:.3f} "
        f"[{trial.low:.3f}, {trial.high:.3f}] on {trial.n} rows, {trial.how}"
    )


SEARCHED: Mapping[str, Callable[[Job], Made]] = {
    **{name: partial(searched, optimise=optimise) for name, optimise in OPTIMISERS.items()},
    KNN: nearest,
}
