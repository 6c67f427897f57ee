"""What the doctor found, for a terminal; and the same facts as JSON."""

import math
from typing import TYPE_CHECKING

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from afina.training.doctor import Diagnosis


def diagnosis_table(found: "Diagnosis") -> RenderableType:
    """A line a finding: fine, or worth a look."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("looked at", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for each in found.findings:
        verdict = Text("fine", style="green") if each.fine else Text("LOOK", style="red")
        table.add_row(each.name, verdict, Text(each.text))
    return table


def diagnosis_json(found: "Diagnosis") -> dict[str, object]:
    """Findings, the loss at each learning rate (null where it was no number), and the best rate."""
    return {
        "findings": [
            {"name": each.name, "fine": each.fine, "text": each.text} for each in found.findings
        ],
        "losses": [
            {"rate": rate, "loss": loss if math.isfinite(loss) else None}
            for rate, loss in found.losses
        ],
        "rate": found.rate,
    }
