"""All optimisers with one face, for tests; run as a script, one life of a search that is killed."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from afina.hard.prompt_solver import CallSettings
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import LM
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.program.bootstrap import BootstrapSettings, bootstrap
from afina.program.copro import CoproSettings, copro
from afina.program.found import Found
from afina.program.gepa import GepaSettings, gepa
from afina.program.judge import Feedback, Judge
from afina.program.mipro import mipro
from afina.program.mipro_settings import MiproSettings
from afina.program.program import Program
from afina.program.racing import RacingSettings, racing
from afina.program.random_search import RandomSearchSettings, random_search
from afina.program.search import Means
from afina.program.trace import Trace
from afina.task.example import Example
from afina.task.task import Task
from tests.worlds.afina_side import WORLDS, WorldLM, feedback_of, program_of, task_of
from tests.worlds.simulated import Simulated
from tests.worlds.world import World

Optimise = Callable[[Program, Task, LM, int, int, Means], Found]

OPTIMISERS: dict[str, Optimise] = {
    "bootstrap": lambda program, task, lm, calls, seed, means: bootstrap(
        program, task, lm, BootstrapSettings(calls=calls, seed=seed), means
    ),
    "random-search": lambda program, task, lm, calls, seed, means: random_search(
        program, task, lm, RandomSearchSettings(calls=calls, seed=seed), means
    ),
    "copro": lambda program, task, lm, calls, seed, means: copro(
        program, task, lm, CoproSettings(calls=calls, seed=seed), means
    ),
    "mipro": lambda program, task, lm, calls, seed, means: mipro(
        program, task, lm, MiproSettings(calls=calls, seed=seed), means
    ),
    "gepa": lambda program, task, lm, calls, seed, means: gepa(
        program, task, lm, GepaSettings(calls=calls, seed=seed), means
    ),
    "racing": lambda program, task, lm, calls, seed, means: racing(
        program, task, lm, RacingSettings(calls=calls, seed=seed), means
    ),
}


def judge_of(world: World) -> Judge:
    """Whether the target is right, with the world's own words."""
    told = feedback_of(world)

    def judge(example: Example, trace: Trace) -> Feedback:
        assert trace.outputs is not None
        right = trace.outputs[world.target] == example.outputs[world.target]
        return Feedback(float(right), told(example, trace))

    return judge


def optimised(
    name: str,
    world: World,
    calls: int,
    *,
    seed: int = 0,
    lm: LM | None = None,
    task: Task | None = None,
    means: Means | None = None,
) -> Found:
    """What an optimiser finds in a world."""
    return OPTIMISERS[name](
        program_of(world),
        task or task_of(world),
        lm or WorldLM(Simulated(world, seed)),
        calls,
        seed,
        means or Means(judge=judge_of(world)),
    )


def texts(found: Found) -> str:
    """All that a search found, as a text that is the same for the same."""
    trials = [trial.to_json() for trial in found.trials]
    whole = {"program": found.program.to_json(), "best": found.best, "trials": trials}
    return json.dumps({**whole, "calls": found.usage.calls, "ended": found.ended}, sort_keys=True)


class MortalLM(WorldLM):
    """Notes each call in a file before it answers, and kills the process at one of them."""

    def __init__(self, world: World, calls: Path, fatal: int) -> None:
        super().__init__(Simulated(world, 0))
        self.calls_file = calls
        self.fatal = fatal

    async def answer(self, request: Request) -> Reply:
        with self.calls_file.open("a") as file:
            file.write("call\n")
        if len(self.asked) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().answer(request)


def main(name: str, world_name: str, folder: Path, calls: int, fatal: int) -> None:
    """One life: it ends by itself, and prints what was found, or at the fatal call."""
    world = WORLDS[world_name](0)
    lm = MortalLM(world, folder / "calls", fatal)
    kept = Journaled(lm, Journal(folder / "journal.sqlite"))
    means = Means(judge=judge_of(world), calls=CallSettings(concurrency=4))
    print(texts(optimised(name, world, calls, lm=kept, means=means)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
