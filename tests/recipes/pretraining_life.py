"""A process that pretrains and is killed within its k-th step: pretraining_life FOLDER K."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from recipes import portion, pretrain
from tests.recipes.test_pretrain import SMALL, TINY, counting_stock


class Mortal(pretrain.Session):
    """Kills its process when a step has changed the weights and nothing of it is kept yet."""

    def step(self, place: pretrain.Place) -> Any:
        found = super().step(place)
        if place.step == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return found


if __name__ == "__main__":
    portion.SIZES["tiny"] = TINY
    pretrain.SAVE_SECONDS = 0
    pretrain.Session = Mortal  # type: ignore[misc]
    plan = pretrain.Plan("decoder", "tiny", portion=SMALL)
    pretrain.pretrain(plan, counting_stock(), Path(sys.argv[1]), steps=7)
