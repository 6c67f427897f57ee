"""Runs that are killed and begun again: one process imports all, and forks a child for each life.

``python -m tests.training.lives WHAT FOLDER`` does one of the functions below and prints what came
of it as JSON; ``test_killed.py`` asks and judges.
"""

import hashlib
import json
import os
import random
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.disk import LOCK, Disk
from afina.errors import AfinaError
from afina.models import Models
from afina.training.checkpoint import Checkpoints
from afina.training.prompt_run import PromptTuningSettings, tune_prompt
from afina.training.train import TrainSettings
from afina.training.watch import Watch
from afina.tuning import Order, tune_in
from tests.tiny import tiny
from tests.training.tiny_task import review_task

RUNS = 20
POINTS = [
    "before step",
    "before writing",
    "mid-write",
    "before rename",
    "after rename",
    "after writing",
]
LAST = "after the last step"
FAMILY = "llama"
OWN = {"length": 4, "answer": "head", "rate": 1.0, "head_rate": 0.05}
LOOP = {"epochs": 5, "batch": 4, "save_every": 2, "patience": 99, "checks": 2}
SETTINGS = PromptTuningSettings(**OWN, train=TrainSettings(**LOOP))
ORDER = Order("tiny", "prompt-tuning", f"tiny:{FAMILY}", settings={**OWN, **LOOP})
TASK = replace(review_task(train=16), dev=review_task(train=16).train)  # so that the best is late
Result = dict[str, Any]  # plain JSON


@dataclass
class Fate:
    """Does something, by default dies, when a life comes to a point for the n-th time."""

    point: str = ""
    countdown: int = 0
    act: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL)

    def meet(self, point: str) -> None:
        if point == self.point:
            self.countdown -= 1
            if self.countdown == 0:
                self.act()


class MortalDisk(Disk):
    """A disk under whose operations the process may die."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data[: len(data) // 2])
        self.fate.meet("mid-write")
        super().write(path, data)

    def rename(self, source: Path, target: Path) -> None:
        self.fate.meet("before rename")
        super().rename(source, target)
        self.fate.meet("after rename")


class PlainDisk(MortalDisk):
    """The control that writes over the file itself instead of renaming a whole one into place."""

    def write(self, path: Path, data: bytes) -> None:
        Disk.write(self, path, data)

    def rename(self, source: Path, target: Path) -> None:
        MortalDisk.write(self, target, source.read_bytes())
        source.unlink()


@dataclass(frozen=True)
class Forgetful(Checkpoints):
    """The controls that keep no state of the generator, or none of the optimizer."""

    forgets: str = "nothing"

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Path:
        kept = {
            name: part for name, part in tensors.items() if not name.startswith(f"0.{self.forgets}")
        }
        fresh = torch.Generator().manual_seed(SETTINGS.train.seed).get_state()
        return super().save(step, {"0.generator": fresh, **kept}, facts)


def tune_whole(folder: Path, backbone: Backbone, fate: Fate) -> Result:
    """The whole way: order, checkpoints, facts and bundle."""
    notes: list[str] = []
    watch = Watch(at=fate.meet, note=notes.append)
    tune_in(
        folder,
        TASK,
        ORDER,
        models=Models(load=lambda name: backbone),
        watch=watch,
        disk=MortalDisk(fate),
    )
    return {"notes": notes}


def tune_with(keeper: Checkpoints, backbone: Backbone, fate: Fate) -> Result:
    """The training alone, with checkpoints of a certain kind."""
    notes: list[str] = []
    watch = Watch(at=fate.meet, note=notes.append)
    solver, _ = tune_prompt(TASK, backbone, SETTINGS, keeper=keeper, watch=watch)
    last = keeper.load()
    assert last is not None
    prompt = [part.tobytes() for _, part in sorted(solver.pack().arrays.items())]
    moved = [last.tensors[name].numpy().tobytes() for name in sorted(last.tensors)]
    return {"prompt": sha256(prompt), "last": sha256(moved), "notes": notes}


def live(life: Callable[[], Result]) -> Result | None:
    """One life in a child of its own; None where it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.write(writing, json.dumps(said(life)).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert os.WEXITSTATUS(status) == 0
    return dict(json.loads(text))


def said(life: Callable[[], Result]) -> Result:
    """What a life gives, or the error it ends with."""
    try:
        return life()
    except AfinaError as error:
        kind = type(error).__name__
        return {"error": kind, "message": str(error), "exit": error.exit_code, "notes": []}


def sha256(parts: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def files(folder: Path) -> dict[str, str]:
    """The sha256 of every file of a run but its lock."""
    return {
        str(path.relative_to(folder)): sha256([path.read_bytes()])
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK
    }


def reference(folder: Path, backbone: Backbone) -> Result:
    """A run that nothing stops."""
    live(lambda: tune_whole(folder / "reference", backbone, Fate()))
    made = json.loads((folder / "reference" / "made.json").read_bytes())
    return {"files": files(folder / "reference"), "best_step": made["best_step"]}


def killed(folder: Path, backbone: Backbone) -> Result:
    """Runs that are killed at random points until their last life."""
    runs = []
    for number in range(RUNS):
        place, deaths = folder / f"run-{number}", []
        for fate in fates(random.Random(number)):
            if live(lambda: tune_whole(place, backbone, fate)) is not None:  # noqa: B023  run now
                break
            deaths.append(fate.point)
        runs.append({"deaths": deaths, "files": files(place)})
    return {"runs": runs}


def fates(chance: random.Random) -> Sequence[Fate]:
    """Three to five deaths, then a life without."""
    found = []
    for _ in range(chance.randint(3, 4)):
        point = chance.choice(POINTS)
        found.append(Fate(point, chance.randint(1, 7 if point == "before step" else 3)))
    return [*found, *chance.choice([[], [Fate(LAST, 1)]]), Fate()]


def controls(folder: Path, backbone: Backbone) -> Result:
    """One death in the third pass, with checkpoints that are whole and with those that are not."""
    found = {}
    for name, forgets in (("whole", "nothing"), ("no generator", "gen"), ("no optimizer", "opt")):
        keeper = Forgetful(new(folder / name), Disk(), forgets=forgets)
        found[name] = [
            live(lambda: tune_with(keeper, backbone, fate))  # noqa: B023  run now
            for fate in (Fate("before step", 11), Fate())
        ]
    calm = Checkpoints(new(folder / "calm"), Disk())
    found["calm"] = [live(lambda: tune_with(calm, backbone, Fate()))]
    for name, disk in (("renamed", MortalDisk), ("plain", PlainDisk)):
        found[name] = [
            live(lambda: tune_with(keeper, backbone, fate))  # noqa: B023  run now
            for fate in (Fate("mid-write", 3), Fate())
            for keeper in [Checkpoints(new(folder / name), disk(fate))]
        ]
    return found


def full(folder: Path, backbone: Backbone) -> Result:
    """A disk that is full at the third checkpoint, by a limit that the kernel keeps."""
    place, before = folder / "full", dict[str, str]()

    def shrink() -> None:
        before.update(files(place))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    fate = Fate("before writing", 3, shrink)
    first = live(lambda: {**said(lambda: tune_whole(place, backbone, fate)), "before": before})
    after = files(place)
    live(lambda: tune_whole(place, backbone, Fate()))
    return {"first": first, "after": after, "files": files(place)}


def new(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def main() -> None:
    torch.set_num_threads(1)
    folder, backbone = Path(sys.argv[2]), tiny(FAMILY)
    asked = {"killed": killed, "controls": controls, "full": full}
    found = reference(folder, backbone)
    if sys.argv[1] == "all":
        for name, ask in asked.items():
            found[name] = ask(new(folder / name), backbone)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
