"""The report for other tools says the same numbers, and nothing in it runs."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from afina.comparing import Compared
from afina.errors import InputError
from afina.page.texts import csv_text, json_text, latex_text, markdown_text
from afina.page.writing import write_report
from afina.store.store import Store


def test_json_is_all_facts(facts: Any) -> None:
    assert json.loads(json_text(facts)) == facts


def test_csv_has_the_rows_with_formulas_disarmed(facts: Any) -> None:
    odd = [{**facts["rows"][0], "label": "=HYPERLINK(1)"}, *facts["rows"][1:]]
    found = list(csv.DictReader(io.StringIO(csv_text({**facts, "rows": odd}))))
    assert found[0]["label"] == "'=HYPERLINK(1)"
    for row, line in zip(facts["rows"][1:3], found[1:3], strict=True):
        assert float(line["score"]) == row["score"]
        assert line["runs"] == " ".join(row["runs"])
        assert (int(line["n"]), int(line["missing"])) == (row["n"], row["missing"])


def test_markdown_has_every_score_and_run(facts: Any) -> None:
    text = markdown_text(facts)
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(table) == 2 + len(facts["rows"])
    for row, line in zip(facts["rows"][:3], table[2:], strict=False):
        assert f"{row['score']:.3f}" in line
        for run in row["runs"]:
            assert run.replace("_", r"\_") in line
    assert "<script>" not in text
    assert "left out: linear-probe on m" in text


def test_latex_escapes_what_it_would_read(facts: Any) -> None:
    odd = {**facts["rows"][0], "label": r"50 % of a_b & {c} \input"}
    text = latex_text({**facts, "rows": [odd]})
    assert r"50 \% of a\_b \& \{c\} \textbackslash{}input &" in text
    assert text.count(r"\\") == 2


@pytest.mark.parametrize("suffix", ["html", "md", "csv", "tex", "json"])
def test_the_suffix_says_the_format(
    store: Store, compared: Compared, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"report.{suffix}"
    write_report(store, compared, path)
    assert "zero-shot" in path.read_text()


@pytest.mark.parametrize("suffix", ["html", "md", "csv", "tex", "json"])
def test_without_inputs_nothing_of_them_is_told(
    store: Store, compared: Compared, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"report.{suffix}"
    write_report(store, compared, path, inputs=False)
    text = path.read_text()
    assert "zero-shot" in text
    given = {str(value) for row in compared.task.for_tuning().dev for value in row.inputs.values()}
    given |= {str(value) for row in compared.task.train for value in row.inputs.values()}
    assert [each for each in given if json.dumps(each)[1:-1] in text] == []


def test_another_suffix_is_refused(store: Store, compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.html, \.json, .*got '.*report\.pdf'"):
        write_report(store, compared, tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []
