"""Every optimiser: it gains where there is something to gain, only there; stops and resumes."""

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import pytest

from afina.errors import AfinaError, CallError
from afina.hard.prompt_solver import CallSettings
from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from afina.program.search import Means
from tests.program.optimising import OPTIMISERS, judge_of, optimised, texts
from tests.worlds.afina_side import WORLDS, WorldLM, program_of, shuffled, task_of, worth
from tests.worlds.desk import QUEUES, Desk
from tests.worlds.ledger import Ledger
from tests.worlds.simulated import DISTRACTORS, Simulated, Temper

ROOT = Path(__file__).parents[2]
GAINS = {  # world, calls and the least gain that is expected on average
    "bootstrap": ("desk", 120, 0.15),
    "random-search": ("ledger", 200, 0.30),
    "copro": ("desk", 150, 0.35),
    "mipro": ("desk", 200, 0.35),
    "gepa": ("desk", 200, 0.30),
    "racing": ("desk", 150, 0.35),
}
PROPOSING = ["copro", "gepa", "racing"]
SMALL = Desk(0)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_gains_on_rows_held_out(name: str) -> None:
    world_name, calls, gain = GAINS[name]
    gains = []
    for seed in range(2):
        world = WORLDS[world_name](seed)
        lm = WorldLM(Simulated(world, seed))
        found = optimised(name, world, calls, seed=seed, lm=lm)
        assert lm.calls == found.usage.calls <= calls
        gains.append(worth(found.program, world, 100) - worth(program_of(world), world, 100))
    assert fmean(gains) > gain


@pytest.mark.parametrize("name", ["gepa", "racing", "random-search"])
def test_a_program_of_two_stages_is_improved_in_both(name: str) -> None:
    world = WORLDS["archive"](1)
    found = optimised(name, world, 400, seed=1)
    given = program_of(world)
    assert worth(found.program, world, 100) > 2 * worth(given, world, 100)
    assert all(found.program.prompts[each] != given.prompts[each] for each in given.prompts)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_shuffled_answers_give_no_gain_on_rows_held_out(name: str) -> None:
    gains = []
    for seed in range(4):
        world = Desk(seed)
        task = shuffled(task_of(world), seed)
        lm = WorldLM(Simulated(world, seed, Temper(tips=0.0)))
        found = optimised(name, world, 100, seed=seed, lm=lm, task=task, means=Means())
        gains.append(worth(found.program, world, 50) - worth(program_of(world), world, 50))
    assert fmean(gains) < 0.06


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_constant_metric_gives_the_program_back(name: str) -> None:
    found = optimised(name, SMALL, 120, means=Means(judge=lambda example, trace: 0.0))
    assert found.best == 0
    assert found.program.prompts == program_of(SMALL).prompts


def test_distractors_are_not_taken_up_by_racing() -> None:
    taken = 0
    for seed in range(5):
        world = Ledger(seed)
        model = Simulated(world, seed, Temper(chatter=1.0))
        found = optimised("racing", world, 150, seed=seed, lm=WorldLM(model))
        text = found.program.prompts["predict"].signature.instruction
        taken += any(phrase in text for phrase in DISTRACTORS)
    assert taken <= 1


@dataclass
class Blindfolded(WorldLM):
    """A proposer to whom no answer is shown."""

    async def answer(self, request: Request) -> Reply:
        hidden = tuple(
            Message(each.role, re.sub("|".join(QUEUES), "?", each.content))
            for each in request.messages
        )
        return await super().answer(replace(request, messages=hidden))


@pytest.mark.parametrize("name", PROPOSING)
def test_hiding_the_evidence_removes_the_gain_of_instructions(name: str) -> None:
    world = Desk(0)
    blind = Blindfolded(Simulated(world, 0))
    means = Means(judge=judge_of(world), proposer=blind)
    found = optimised(name, world, 200, means=means)
    assert blind.calls > 0
    for trial in found.trials:
        assert not world.rules("predict", trial.prompts["predict"].signature.instruction)
    bare = program_of(world)
    text = found.program.prompts["predict"].signature.instruction
    own = replace(bare.prompts["predict"].signature, instruction=text)
    program = bare.with_prompt("predict", replace(bare.prompts["predict"], signature=own))
    assert worth(program, world, 100) < worth(bare, world, 100) + 0.1


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_result_is_the_same_however_many_are_asked_at_once(name: str) -> None:
    found = set()
    for concurrency in (1, 8, 32):
        means = Means(judge=judge_of(SMALL), calls=CallSettings(concurrency=concurrency))
        found.add(texts(optimised(name, SMALL, 100, means=means)))
    assert len(found) == 1


@pytest.mark.parametrize("name", OPTIMISERS)
def test_seed_0_is_a_seed_and_others_are_others(name: str) -> None:
    lm = WorldLM(Simulated(SMALL, 5))
    first, again = (texts(optimised(name, SMALL, 100, seed=0, lm=lm)) for _ in range(2))
    assert first == again
    assert texts(optimised(name, SMALL, 100, seed=1, lm=lm)) != first


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_outage_pauses_and_what_follows_equals_a_calm_run(name: str, tmp_path: Path) -> None:
    """The model is out from each of several calls on; each time the run goes on where it was."""
    calm = WorldLM(Simulated(SMALL, 0))
    wanted = texts(optimised(name, SMALL, 100, lm=calm))
    journal, paid, pauses = Journal(tmp_path / "journal.sqlite"), 0, 0
    told = set[bool]()
    while True:
        lm = WorldLM(Simulated(SMALL, 0), fail=lambda number: number >= 23)
        try:
            found = texts(optimised(name, SMALL, 100, lm=Journaled(lm, journal)))
        except CallError as error:
            told.add("run it again to go on" in str(error))
            pauses, paid = pauses + 1, paid + 23
            continue
        paid += lm.calls
        break
    assert told == {True}
    assert found == wanted
    assert pauses == (calm.calls - 1) // 23
    assert paid == calm.calls


@pytest.mark.parametrize("name", ["random-search", "mipro", "racing"])
def test_stopping_at_every_turn_and_going_on_changes_nothing(name: str, tmp_path: Path) -> None:
    wanted = texts(optimised(name, SMALL, 60))
    journal, lm, lives = Journal(tmp_path / "journal.sqlite"), WorldLM(Simulated(SMALL, 0)), 0
    while True:
        paid = lm.calls

        def stop(paid: int = paid) -> AfinaError | None:
            return AfinaError("stopped") if lm.calls > paid else None

        try:
            means = Means(judge=judge_of(SMALL), stop=stop)
            found = texts(optimised(name, SMALL, 60, lm=Journaled(lm, journal), means=means))
        except AfinaError as error:
            lives += str(error) == "stopped"
            continue
        break
    assert lives > 2
    assert found == wanted
    assert len({request.key(lm.identity) for request in lm.asked}) == lm.calls


@pytest.mark.parametrize(
    ("name", "world"),
    [
        ("racing", "desk"),
        pytest.param("gepa", "archive", marks=pytest.mark.slow),
        pytest.param("mipro", "desk", marks=pytest.mark.slow),
    ],
)
def test_killed_and_run_again_gives_the_same_bytes(name: str, world: str, tmp_path: Path) -> None:
    def life(folder: Path, fatal: int) -> subprocess.CompletedProcess[str]:
        folder.mkdir(exist_ok=True)
        module = [sys.executable, "-m", "tests.program.optimising"]
        arguments = [name, world, str(folder), "90", str(fatal)]
        return subprocess.run([*module, *arguments], cwd=ROOT, capture_output=True, text=True)

    whole = life(tmp_path / "whole", -1)
    assert whole.returncode == 0, whole.stderr
    deaths, folder = 0, tmp_path / "killed"
    for fatal in (7, 30):
        deaths += life(folder, fatal).returncode == -9
    last = life(folder, -1)
    assert deaths == 2
    assert last.stdout == whole.stdout
    calls = [len((tmp_path / each / "calls").read_text().split()) for each in ("whole", "killed")]
    assert calls[0] <= calls[1] <= calls[0] + 4 * deaths


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_budget_is_never_gone_over_and_the_best_so_far_comes_back(
    name: str, tmp_path: Path
) -> None:
    lm = WorldLM(Simulated(SMALL, 0))
    journal = Journal(tmp_path / "journal.sqlite")
    found = optimised(name, SMALL, 100, lm=Journaled(lm, journal, Budget(calls=60), run="r"))
    assert lm.calls <= 60
    assert found.ended == "budget"
    assert all(entry.settled.calls + entry.reserved.calls <= 60 for entry in journal.entries("r"))
    more = optimised(name, SMALL, 100, lm=Journaled(lm, journal, Budget(calls=100), run="r"))
    assert texts(more) == texts(optimised(name, SMALL, 100))
    assert lm.calls <= 100


@dataclass
class Babbling(WorldLM):
    """A proposer that answers nonsense."""

    async def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        return Reply("?!" * len(self.asked))


@pytest.mark.parametrize("name", [*PROPOSING, "mipro"])
def test_a_proposer_that_answers_nonsense_is_told_of(name: str) -> None:
    means = Means(judge=judge_of(SMALL), proposer=Babbling(Simulated(SMALL, 0)))
    found = optimised(name, SMALL, 100, means=means)
    given = program_of(SMALL).prompts["predict"].signature.instruction
    assert {trial.prompts["predict"].signature.instruction for trial in found.trials} == {given}
    assert any("is no instruction" in note for note in found.notes)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_only_train_and_dev_are_read(name: str) -> None:
    task = task_of(SMALL).for_tuning()
    assert optimised(name, SMALL, 60, task=task).trials
