"""The report is one file that asks no network, runs no data, and answers clicks and keys."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from afina.page.page import html_page, inert

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def test_the_data_comes_back_as_it_was(facts: Any) -> None:
    (text,) = DATA.findall(html_page(facts))
    assert json.loads(text) == facts


def test_no_data_leaves_its_script(facts: Any) -> None:
    whole = html_page(facts)
    (text,) = DATA.findall(whole)
    assert not set("<>&\u2028\u2029") & set(text)
    assert whole.count("</script>") == 2
    assert inert(["\u2028", "<!--"]) == '["\\u2028", "\\u003c!--"]'


def test_nothing_is_fetched_from_elsewhere(facts: Any) -> None:
    frame = DATA.sub("", html_page(facts))
    assert set(re.findall(r"https?://[^\"' ]+", frame)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in frame
    assert not re.search(r"@import|\bfetch\(|XMLHttpRequest|<script src|<link rel=\"style", frame)


@dataclass
class Opened:
    """A page with what it complained of and what it asked for."""

    page: Any
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def opened(browser: Any, path: Path, width: int, scheme: str = "light") -> Opened:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    found = Opened(page)
    page.on("console", lambda said: found.faults.append(said.text))
    page.on("pageerror", lambda error: found.faults.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(path.as_uri())
    return found


@pytest.fixture
def shown(browser: Any, page_file: Path) -> Iterator[Opened]:
    found = opened(browser, page_file, 1280)
    yield found
    assert found.faults == []
    assert [url for url in found.asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert found.page.evaluate("window.hacked") is None
    found.page.close()


def texts(page: Any, selector: str) -> list[str]:
    found: list[str] = page.locator(selector).all_text_contents()
    return found


def test_every_row_verdict_and_plot_is_there(shown: Opened, facts: Any) -> None:
    page = shown.page
    firsts = texts(page, "#rows tbody td:first-child")
    assert [text.split(" ")[0] for text in firsts] == ["majority", "zero-shot", "few-shot", "rag"]
    assert firsts[3].endswith("failed")
    assert len(texts(page, "#verdicts tbody tr")) == len(facts["verdicts"]) == 3
    assert texts(page, "figcaption") == [
        "Scores with 95 % intervals",
        "Quality against cost",
        "Learning curves",
        "From how many calls tuning pays",
        "Tuning over time",
    ]
    assert texts(page, "#advice p") == facts["advice"]
    assert "Left out: linear-probe on m" in texts(page, "#unfit p")[0]


def expected(facts: Any, kind: str, a: str, b: str) -> int:
    pairs = list(zip(facts["answers"][a], facts["answers"][b], strict=True))
    grades = [(x[1], y[1]) for x, y in pairs]
    match kind:
        case "all":
            return len(pairs)
        case "different":
            said = zip(*facts["answers"].values(), strict=True)
            return sum(len({each[0] for each in row}) > 1 for row in said)
        case "failed":
            return sum(y is None or y < 1 for _, y in grades)
        case "improved":
            return sum(x is not None and y is not None and y > x for x, y in grades)
    return sum(x is not None and y is not None and y < x for x, y in grades)


def test_filters_show_the_examples_they_say(shown: Opened, facts: Any) -> None:
    page = shown.page
    labels = list(facts["answers"])
    for a, b in ((labels[0], labels[1]), (labels[1], labels[2])):
        page.select_option("#base", a)
        page.select_option("#other", b)
        counts = {}
        for kind in ("different", "failed", "improved", "regressed", "all"):
            page.click(f"#filters button[value={kind}]")
            assert page.get_attribute(f"#filters button[value={kind}]", "aria-pressed") == "true"
            count = int(texts(page, "#count")[0].split(" ")[0])
            assert count == expected(facts, kind, a, b), kind
            assert len(texts(page, "#matrix tbody tr")) == min(count, 50)
            counts[kind] = count
        assert counts["improved"] > 0
        assert counts["different"] < counts["all"]


def test_a_text_is_found_and_shown_as_text(shown: Opened) -> None:
    page = shown.page
    page.fill("#find", "window.hacked")
    assert int(texts(page, "#count")[0].split(" ")[0]) > 0
    assert "</script><script>" in texts(page, "#matrix tbody td:nth-child(2)")[0]
    page.fill("#find", "nothing has this")
    assert texts(page, "#count")[0].startswith("0 of ")


def test_without_inputs_there_is_no_column_for_them(
    browser: Any, facts: Any, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    heads = {}
    for told in (True, False):
        bare = [{**each, "inputs": {}} for each in facts["examples"]]
        path.write_text(html_page(facts if told else {**facts, "examples": bare}))
        found = opened(browser, path, 1280)
        heads[told] = texts(found.page, "#matrix thead th")
        assert found.faults == []
        cells = found.page.locator("#matrix tbody tr").first.locator("td").count()
        assert cells == len(heads[told])
        found.page.close()
    assert heads[True] == ["example", "inputs", "wanted", *facts["answers"]]
    assert heads[False] == ["example", "wanted", *facts["answers"]]


def test_a_loss_curve_is_smoothed_and_ends_at_the_mean_of_its_last_steps(shown: Opened) -> None:
    """Broken by leaving a window out at the start, where fewer steps have been made."""
    values = [float(10 * (at % 2) + at) for at in range(80)]  # jumps by 10 up and down
    found = shown.page.evaluate("values => smoothed(values)", values)
    assert found == pytest.approx(
        [sum(values[max(0, at - 3) : at + 1]) / min(4, at + 1) for at in range(80)]
    )
    assert shown.page.evaluate("[90039, 1.4, 0.5].map(about)") == ["90,000", "1.4", "0.5"]


def test_a_point_of_a_plot_leads_to_its_run(shown: Opened, facts: Any) -> None:
    page = shown.page
    links = page.locator("#plots svg a[href]")
    names = {links.nth(n).get_attribute("href").removeprefix("#run-") for n in range(links.count())}
    assert names <= set(facts["runs"])
    assert {run for row in facts["rows"] for run in row["runs"][:1]} <= names
    page.locator("#rows a").first.click()
    run = facts["rows"][0]["runs"][0]
    assert page.evaluate(f"document.getElementById('run-{run}').open")
    assert run in texts(page, "details[open] summary")


def test_prompts_differ_line_by_line(shown: Opened, facts: Any) -> None:
    page = shown.page
    zero, few = (facts["rows"][place]["runs"][0] for place in (1, 2))
    page.select_option("#two", zero)
    page.select_option("#one", few)
    assert texts(page, "#diff del") == []
    assert any("# example 1" in line for line in texts(page, "#diff ins"))
    page.select_option("#two", "")
    assert texts(page, "#diff ins") == []


def test_all_can_be_reached_by_keys(shown: Opened) -> None:
    page = shown.page
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if page.evaluate("document.activeElement.value") == "improved":
            page.keyboard.press("Enter")
    assert page.get_attribute("#filters button[value=improved]", "aria-pressed") == "true"
    assert {"base", "other", "find", "a", "BUTTON"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_fits_the_window_and_can_be_read(
    browser: Any, page_file: Path, width: int, scheme: str
) -> None:
    found = opened(browser, page_file, width, scheme)
    assert found.page.evaluate("document.documentElement.scrollWidth") <= width
    assert found.page.evaluate(CONTRAST) >= 4.5
    sizes = found.page.evaluate(
        "[...document.querySelectorAll('#plots svg text')].map(each =>"
        " each.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 9
    assert found.faults == []
    found.page.close()


CONTRAST = """() => {
  const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(
    v => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = light(getComputedStyle(document.body).backgroundColor);
  const marks = [...document.querySelectorAll('.mark')].map(each => getComputedStyle(each).fill);
  const words = [...document.querySelectorAll('p, td, th, a')].map(
    each => getComputedStyle(each).color);
  return Math.min(...[...marks, ...words].map(light).map(
    each => (Math.max(each, back) + 0.05) / (Math.min(each, back) + 0.05)));
}"""


def test_a_report_without_a_score_is_still_a_page(browser: Any, facts: Any, tmp_path: Path) -> None:
    path = tmp_path / "failed.html"
    empty: dict[str, object] = {"verdicts": [], "curves": [], "crossings": [], "break_even": None}
    more = {"choice": None, "examples": [], "answers": {}, "runs": {}, "rows": facts["rows"][3:]}
    path.write_text(html_page({**facts, **empty, **more}))
    found = opened(browser, path, 1280)
    assert found.faults == []
    assert "failed" in texts(found.page, "#rows tbody td")[0]
    found.page.close()


def test_no_two_of_many_methods_have_one_mark(browser: Any, facts: Any, tmp_path: Path) -> None:
    path = tmp_path / "many.html"
    row = {**facts["rows"][0], "runs": []}
    rows = [{**row, "label": f"m{number}", "method": f"m{number}"} for number in range(20)]
    none: dict[str, object] = {"verdicts": [], "curves": [], "crossings": [], "break_even": None}
    path.write_text(html_page({**facts, **none, "rows": rows, "examples": [], "answers": {}}))
    found = opened(browser, path, 1280)
    marks = found.page.eval_on_selector_all(".legend svg", "all => all.map(one => one.innerHTML)")
    assert found.faults == []
    assert len(marks) == len(set(marks)) == 20
    found.page.close()
