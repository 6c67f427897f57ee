"""Peak memory of a whole ``afina tune`` on about 8,000 rows with builtin:minilm.

One pass over the mr task in a fresh process; the figure is its VmHWM.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine

HERE = Path(__file__).parent
PACKAGES = ("afina", "torch", "transformers")
LIMIT_MB = 1_500
CHILD = """
import sys
from afina import cli
from benchmarks.memory_step import peak_mb
sys.argv = ["afina", *sys.argv[1:]]
try:
    cli.main()
finally:
    print(round(peak_mb()), file=sys.stderr)
"""


def main(arguments: list[str]) -> None:
    """Measure and write the table; ``arguments`` are further options of ``afina tune``."""
    task = str(HERE / "tasks" / "mr")
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", CHILD, "tune", task, "--set", "epochs=1", "--home", home]
        result = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(result.stderr)
    peak = int(result.stderr.split()[-1])
    verdict = "under" if peak < LIMIT_MB else "OVER"
    text = (
        "# Memory of `afina tune` on mr (8,218 rows), builtin:minilm, one pass\n\n"
        f"{machine(PACKAGES)}\n\n"
        f"Peak resident set {peak:,} MB, {verdict} the {LIMIT_MB:,} MB asked.\n\n"
        f"{result.stdout.strip()}\n"
    )
    (HERE / "tune_memory.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
