"""A comparison of hostile texts by scripts, with its report in all formats."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from afina.comparing import Compared, compare_lineup
from afina.lineup import Lineup
from afina.lm.journal import Journal
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import Models
from afina.page.data import report_data
from afina.store.store import Store
from tests.folders import lines, reviews, task_folder

HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">'


def mood(request: Request) -> str:
    """Right where a good word stands in the review; better with examples; now and then mute."""
    text = request.messages[-1].content
    good = ("good", "great", "fine") + (("happy", "nice") if len(request.messages) > 3 else ())
    if "awful" in text:
        return "I cannot say."
    return "positive" if any(word in text for word in good) else "negative"


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("page") / "home")


@pytest.fixture(scope="package")
def compared(store: Store) -> Compared:
    rows = reviews(400)
    for number, row in enumerate(rows):
        row["review"] = f"{row['review']} {HOSTILE if number % 2 else '=HYPERLINK(1)'} {number}"
    folder = task_folder(store.home.parent, "=mood<b>", rows=lines(rows))
    models = Models(
        given={"m": ScriptedLM(mood, name="m", price=1e-6)},
        journal=Journal(store.home.parent / "journal.sqlite"),
    )
    methods = ("majority", "zero-shot", "few-shot", "rag")
    lineup = Lineup(str(folder), methods[:3], ("m",), 2, (32, 0))
    return compare_lineup(store, lineup, models=models)


@pytest.fixture(scope="package")
def facts(store: Store, compared: Compared) -> Any:
    """The report's facts, with a loss curve, trials and a failed row as other methods have."""
    found = json.loads(json.dumps(report_data(store, compared)))
    run = found["runs"][found["rows"][2]["runs"][0]]
    run["losses"] = [2.0, 1.0, 0.5, 0.25]
    trial = {"number": 0, "parent": None, "how": "as given", "score": 0.5, "calls": 10}
    run["trials"] = [trial, {**trial, "number": 1, "parent": 0, "score": 0.7, "calls": 20}]
    failed = dict.fromkeys(found["rows"][0], None) | {
        **{"label": "rag", "model": "m", "runs": [], "error": f"no index {HOSTILE}", "n": 0},
        **{"missing": 0, "seeds": 1, "seconds": 0.0, "tokens": 0, "calls": 0, "cost": 0.0},
        **{"latency_ms": {"p50": None, "p95": None}, "parameters": 0, "complete": False},
        **{"tuning": {"seconds": 0.0}, "each_answer": {"tokens": 0.0, "cost": 0.0}, "bytes": 0},
    }
    found["rows"].append(failed)
    found["unfit"] = [{"method": "linear-probe", "model": "m", "reason": "it works on weights"}]
    return found


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """The system's Chromium, driven by playwright; tests skip where either is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def page_file(facts: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from afina.page.page import html_page

    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_text(html_page(facts))
    return path
