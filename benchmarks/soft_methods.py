"""Every soft method beside its yardsticks on real data, three seeds; goes on where it stopped.

    python -m benchmarks soft_methods              all comparisons, then the table
    python -m benchmarks.soft_methods wikigold     one of them

Runs are kept in benchmarks/.runs; the table is benchmarks/soft_methods.md.
"""

import json
import sys

from benchmarks.machine import machine
from benchmarks.real_data import HERE, PACKAGES, SHARED, STORIES, Case, run, section

SOFT = ("prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2")
ALL = ("linear-probe", *SOFT, "full-fine-tuning")
STORYTELLER = str(SHARED / "model_babyllama_tok361" / "hf")
NOTE = (
    "Scores are of dev, which also chose the stopping point, the head and the probe's strength; "
    "the sealed tests were not opened. Seconds are wall time beside other work: they bound the "
    "cost, they do not measure it."
)
CASES = {
    "wikigold": Case("wikigold", methods=ALL),
    "mr": Case("mr", methods=ALL),
    "snips": Case("snips", methods=ALL),
    "banking77": Case("banking77", methods=ALL),
    "wnut17": Case("wnut17", methods=ALL),
    "uner_pt_bosque": Case("uner_pt_bosque", methods=ALL),
    "faquad": Case("faquad", methods=(*SOFT, "full-fine-tuning")),
    "squadshifts": Case("squadshifts", methods=(*SOFT, "full-fine-tuning")),
    "e2e_nlg": Case("e2e_nlg", STORIES, SOFT[:3]),
    "e2e_nlg-babyllama": Case("e2e_nlg", STORYTELLER, SOFT[:3]),
}


def main(arguments: list[str]) -> None:
    """Run the cases named, or all, and write the table of every case that has been run."""
    kept = HERE / ".runs" / "soft_methods.json"
    sections: dict[str, str] = json.loads(kept.read_text()) if kept.is_file() else {}
    for name in arguments or list(CASES):
        sections[name] = section(name, CASES[name], run(CASES[name]))
        kept.write_text(json.dumps(sections))
        body = "\n".join(sections[each] for each in CASES if each in sections)
        text = "\n\n".join(["# Soft methods on real data", machine(PACKAGES), NOTE, body])
        (HERE / "soft_methods.md").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
