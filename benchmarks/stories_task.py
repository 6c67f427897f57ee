"""A task out of the stories in ../shared: the last sentence of a paragraph is to be written."""

import json
import re
from pathlib import Path

from benchmarks.real_data import SHARED

TEXT = SHARED / "tinystories_sample" / "tinystories.txt"
TOML = """signature = "beginning -> ending"
instruction = "Go on with the story by one sentence."
metric = "bleu"

[data]
all = "rows.jsonl"

[split]
dev = 0.2
test = 0.2
leaks = "allow"
"""
FEWEST = 3  # sentences of a paragraph


def stories_task(folder: Path) -> Path:
    """Write the task into a folder, and give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for paragraph in TEXT.read_text().split("\n"):
        sentences = re.findall(r"[^.!?]+[.!?]+\"?", paragraph)
        if len(sentences) >= FEWEST:
            begun = "".join(sentences[:-1]).strip()
            rows.append({"beginning": begun, "ending": sentences[-1].strip()})
    whole = {row["beginning"]: row for row in rows}  # each beginning once
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in whole.values()))
    (folder / "task.toml").write_text(TOML)
    return folder
