"""How far a score moves by layout alone is measured once and told with the row."""

import json
from pathlib import Path

import pytest

from afina.comparing import compare_lineup
from afina.formats import kept_spreads, spreads
from afina.lineup import Lineup
from afina.lm.journal import Journal
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import Models
from afina.page.data import report_data
from afina.store.store import Store
from tests.folders import task_folder


def mood(request: Request) -> str:
    """Reads well only what stands behind a name with a plain colon."""
    text = request.messages[-1].content
    good = any(word in text for word in ("good", "great", "fine", "happy", "nice", "liked"))
    return "positive" if good and "review: " in text else "negative"


@pytest.fixture
def models(tmp_path: Path) -> Models:
    given = {"m": ScriptedLM(mood, name="m")}
    return Models(given=given, journal=Journal(tmp_path / "journal.sqlite"))


def test_a_model_that_reads_one_layout_alone_has_a_wide_spread(
    tmp_path: Path, models: Models
) -> None:
    store, folder = Store(tmp_path / "home"), task_folder(tmp_path)
    lineup = Lineup(str(folder), ("majority", "zero-shot"), ("m",))
    compared = compare_lineup(store, lineup, models=models)
    found = spreads(store, compared, models)
    (run,) = compared.entries[1].runs
    assert list(found) == [run]
    scores = found[run].scores
    assert len(scores) == 7
    assert scores["as written"] == scores["labels turned"] == scores["bars"]
    assert scores["as written"] == compared.comparison.rows[1].score
    assert scores["upper"] == scores["equals"] == scores["capital"] < scores["as written"]
    assert str(found[run]).endswith("in 7 equivalent layouts")
    lm = models.given["m"]
    assert isinstance(lm, ScriptedLM)
    before = lm.calls
    assert spreads(store, compared, models) == found
    assert kept_spreads(store, compared) == found
    assert lm.calls == before
    facts = json.loads(json.dumps(report_data(store, compared)))
    assert facts["runs"][run]["format_spread"]["high"] == scores["as written"]
