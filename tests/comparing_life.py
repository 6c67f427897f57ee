"""Processes that compare by a script, each killed at its k-th call: comparing_life FOLDER HOME K...

They are forked from one that has imported everything; it prints how each ended.
"""

import json
import os
import signal
import sys
from pathlib import Path

from afina.comparing import compare_lineup
from afina.lineup import Lineup
from afina.lm.journal import Journal
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import Models
from afina.page.data import report_data
from afina.store.store import Store


class Mortal(ScriptedLM):
    """Kills its process when it is asked for the k-th time; 0: never."""

    def __init__(self, k: int) -> None:
        super().__init__(mood, name="m", price=1e-6)
        self.k = k

    async def answer(self, request: Request) -> Reply:
        if self.calls + 1 == self.k:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().answer(request)


def mood(request: Request) -> str:
    """Right where a good word stands in the review."""
    text = request.messages[-1].content
    return "positive" if any(word in text for word in ("good", "great", "fine")) else "negative"


def live(folder: str, home: Path, k: int) -> None:
    """Compare, and write the report's facts."""
    models = Models(given={"m": Mortal(k)}, journal=Journal(home / "journal.sqlite"))
    store = Store(home)
    lineup = Lineup(folder, ("majority", "zero-shot", "few-shot"), ("m",), 2, (20, 0))
    found = compare_lineup(store, lineup, models=models)
    (home / "report.json").write_text(json.dumps(report_data(store, found), sort_keys=True))


def main(folder: str, home: str, *ks: str) -> None:
    """Live once for each k, one after the other."""
    ends = []
    for k in ks:
        child = os.fork()
        if not child:
            live(folder, Path(home), int(k))
            os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    print(json.dumps(ends))


if __name__ == "__main__":
    main(*sys.argv[1:])
