"""Runs the benchmarks named, or all: ``python -m benchmarks [name ...] [--option value ...]``.

Each runs in a process of its own and writes its table beside its script. Options go to each of
them as they are, so give them only with benchmarks that know them.
"""

import subprocess
import sys

BENCHMARKS = (
    "import_time",
    "training_step",
    "together",
    "tune_memory",
    "grid",
    "real_data",
    "comparison",
    "soft_methods",
    "rate_probe",
    "multitask",
    "serving",
    "calls",
    "local_calls",
    "journal",
    "retrieval",
    "rag",
    "multi_hop",
    "few_shot",
    "distill",
    "reader",
    "statistics_check",
    "optimisers",
    "instruction_search",
)


def main(arguments: list[str]) -> None:
    dashes = [place for place, word in enumerate(arguments) if word.startswith("-")]
    cut = dashes[0] if dashes else len(arguments)
    names, options = arguments[:cut], arguments[cut:]
    for name in names:
        if name not in BENCHMARKS:
            sys.exit(f"expected a benchmark out of {', '.join(BENCHMARKS)}, got {name!r}")
    for name in names or BENCHMARKS:
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
