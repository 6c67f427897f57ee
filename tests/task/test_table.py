"""Tables: what is written is read back, and no cell is a formula."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afina.task.table import csv_records, read_table, write_csv

CELLS = st.text(st.sampled_from('ab",\n ='), max_size=6)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", '=HYPERLINK("x")'])
def test_a_formula_is_disarmed_on_the_way_out(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "out.csv"
    write_csv(path, ["text", cell], [[cell, "plain"], [-1, 0.5]])
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["text", f"'{cell}"], [f"'{cell}", "plain"], ["-1", "0.5"]]


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5))
def test_records_are_those_of_the_csv_module(rows: list[list[str]]) -> None:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    text = "\n".join(lines) + "\n"
    assert [cells for _, cells in csv_records(text)] == list(csv.reader(lines_of(text)))


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@given(st.text(st.sampled_from('ab",\n'), max_size=60))
def test_any_text_is_cut_into_records_to_its_end(text: str) -> None:
    records = list(csv_records(text))
    lines = [line for line, _ in records]
    assert lines == sorted(set(lines))
    if '"' not in text:
        assert [cells for _, cells in records] == [
            line.split(",") for line in text.split("\n") if line
        ]


def test_a_written_table_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_csv(path, ["a", "b"], [['say "hi"', "two\nlines"], ["", "é, ü"]])
    rows = read_table(path, delimiter=",", header=True)
    assert [dict(row.cells) for row in rows.accepted] == [
        {"a": 'say "hi"', "b": "two\nlines"},
        {"a": "", "b": "é, ü"},
    ]
    assert [row.line for row in rows.accepted] == [2, 4]
