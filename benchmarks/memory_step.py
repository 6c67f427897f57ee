"""Peak memory of a few training steps of one contender, in a fresh process.

``python -m benchmarks.memory_step peft 0`` prints one JSON object in MB: ``start``, the peak once
the case is built (imports, model, batch), and ``peak``, that after two steps.

The peak is VmHWM of /proc/self/status, so Linux only. ru_maxrss would be wrong here: it outlives
exec, and a process started by one of 2 GB reports at least 2 GB.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

STEPS = 2  # the second holds the optimizer's state, too


@dataclass(frozen=True)
class Memory:
    """Peaks of a process in MB: before the first step, and after the last."""

    start: float
    peak: float


def memory_of(contender: str, case: int) -> Memory:
    """Measure the contender on a case, by its place in CASES, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory_step", contender, str(case)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Memory(**json.loads(result.stdout.splitlines()[-1]))


def main(contender: str, case: int) -> None:
    import_module("torch").set_num_threads(2)
    cases = import_module("benchmarks.training_cases").CASES
    side = import_module(f"benchmarks.training_step_{contender}")
    step = getattr(side, f"{contender}_step")(cases[case])
    start = peak_mb()
    for _ in range(STEPS):
        step()
    sys.stdout.write(json.dumps({"start": start, "peak": peak_mb()}) + "\n")


def peak_mb() -> float:
    """The most memory this program has held so far."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found, "no VmHWM in /proc/self/status"
    return int(found[1]) * 1024 / 1e6


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
