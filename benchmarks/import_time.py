"""CPU seconds of a fresh process that imports Afina or shows its help, beside others' imports.

User and system time of the process, the best of several runs; the bare interpreter is the floor.
Writes import_time.md. To reach: under 0.3 s for both of ours. Packages not installed are left out.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.machine import machine

TABLE = Path(__file__).with_suffix(".md")
OTHERS = {"peft": "peft", "dspy": "dspy", "langchain_core": "langchain-core"}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    others = [module for module in OTHERS if find_spec(module)]
    lines = ["# CPU time of a start", "", "| command | CPU seconds |", "| --- | --- |"]
    for name, command in commands(others).items():
        seconds = min(cpu_seconds(command) for _ in range(options.rounds))
        lines.append(f"| `{name}` | {seconds:.3f} |")
    about = machine(["afina", *(OTHERS[module] for module in others)])
    lines += ["", f"Best of {options.rounds}; a fresh process each. {about}", ""]
    options.output.write_text("\n".join(lines))


def commands(others: Sequence[str]) -> dict[str, list[str]]:
    """Each command to measure, by the name it goes under."""
    statements = ["pass", "import afina", *(f"import {module}" for module in others)]
    found = {f'python -c "{code}"': [sys.executable, "-c", code] for code in statements}
    return found | {"afina --help": [str(Path(sys.executable).parent / "afina"), "--help"]}


def cpu_seconds(command: Sequence[str]) -> float:
    """User and system time of ``command``, run to its end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
