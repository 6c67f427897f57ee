"""Sources: every reader, twins that load equal, and malformed files by exact line and reason."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from afina.errors import DataError, TaskError
from afina.solver import Span
from afina.task.rows import LIMIT, Rejection, refuse
from afina.task.signature import Signature
from afina.task.sources import Examples, Layout, merged, read_examples

SENTIMENT = Signature.parse("review -> sentiment: good | bad")
NUMBER = Signature.parse("review -> stars: float")
ENTITIES = Signature.parse("tokens: list[str] -> entities: spans[PER | LOC]")
ANSWER = Signature.parse("context, question -> answer: spans")
CLEAN = b"review,sentiment\nfine film,good\nthe pits,bad\nso so,good\n"


def read(
    folder: Path, name: str, data: bytes, signature: Signature = SENTIMENT, **layout: object
) -> Examples:
    path = folder / name
    path.write_bytes(data)
    return read_examples([path], signature, Layout(**layout))  # type: ignore[arg-type]


def rows_of(examples: Examples) -> list[tuple[object, ...]]:
    assert examples.rejected == ()
    return [(*e.inputs.values(), *e.outputs.values()) for e in examples.accepted]


def test_csv_with_quotes_newlines_and_commas(tmp_path: Path) -> None:
    data = b'review,sentiment\n"a ""fine"", long\nfilm",good\n5" disk,bad\n"",good\n'
    assert rows_of(read(tmp_path, "a.csv", data)) == [
        ('a "fine", long\nfilm', "good"),
        ('5" disk', "bad"),
        ("", "good"),
    ]


def test_tsv_takes_quotes_as_plain_characters(tmp_path: Path) -> None:
    data = b'"fine" film\tgood\n"open\tbad\n'
    columns = {"review": 0, "sentiment": -1}
    found = read(tmp_path, "a.tsv", data, header=False, columns=columns)
    assert rows_of(found) == [('"fine" film', "good"), ('"open', "bad")]


def test_columns_by_number_serve_with_a_header_too(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", CLEAN, columns={"review": 0, "sentiment": 1})
    assert rows_of(found)[0] == ("fine film", "good")


def test_jsonl_with_group_id_and_raw_labels(tmp_path: Path) -> None:
    lines = [{"t": "a", "y": 1, "u": "x", "n": 7}, {"t": "b", "y": 0, "u": "z", "n": 8}]
    data = "\n\n".join(map(json.dumps, lines)).encode()
    found = read(
        tmp_path,
        "a.jsonl",
        data,
        columns={"review": "t", "sentiment": "y"},
        labels={"1": "good", "0": "bad"},
        group="u",
        id="n",
    )
    assert rows_of(found) == [("a", "good"), ("b", "bad")]
    assert [(e.id, e.group) for e in found.accepted] == [("7", "x"), ("8", "z")]


def test_conll_in_three_schemes_with_comments_and_hash_tokens(tmp_path: Path) -> None:
    io = b"-DOCSTART- O\n\nAda I-PER\nLovelace I-PER\nin O\nRio I-LOC\n\n# O\n#tag O\n"
    assert rows_of(read(tmp_path, "a.conll", io, ENTITIES)) == [
        (["Ada", "Lovelace", "in", "Rio"], [Span(0, 2, "PER"), Span(3, 4, "LOC")]),
        (["#", "#tag"], []),
    ]
    bio = b"# text = Ada\n1\tAda\tB-PER\t-\n2\tBob\tB-PER\t-\n\n\n# id\n1\t#x\tO\t-\n"
    found = read(tmp_path, "a.iob2", bio, ENTITIES, token_column=1, tag_column=2)
    assert rows_of(found) == [
        (["Ada", "Bob"], [Span(0, 1, "PER"), Span(1, 2, "PER")]),
        (["#x"], []),
    ]


def squad(*answers: str, context: str = "Ada was born in London.", id: str = "q1") -> bytes:  # noqa: A002
    texts = [{"text": text, "answer_start": 0} for text in answers]
    question = {"id": id, "question": "Where?", "answers": texts}
    data = {"data": [{"paragraphs": [{"context": context, "qas": [question]}]}]}
    return json.dumps(data, indent=1).encode()


def test_squad_keeps_every_accepted_answer_once(tmp_path: Path) -> None:
    found = read(tmp_path, "a.json", squad("London", "in London", "London"), ANSWER, id="id")
    assert rows_of(found) == [
        ("Ada was born in London.", "Where?", ["London", "in London"]),
    ]
    assert found.accepted[0].id == "q1"


def test_squad_2_has_questions_without_an_answer(tmp_path: Path) -> None:
    """Only where the file says so; broken by taking any question without answers."""
    data = squad().replace(b'"answers"', b'"is_impossible": true, "answers"')
    assert rows_of(read(tmp_path, "a.json", data, ANSWER))[0][-1] == []
    for other in (b"false", b'"true"', b"1"):
        data = squad().replace(b'"answers"', b'"is_impossible": ' + other + b', "answers"')
        assert len(read(tmp_path, "a.json", data, ANSWER).rejected) == 1


def test_no_extract_may_be_the_right_answer(tmp_path: Path) -> None:
    row = json.dumps({"context": "Ada", "question": "Where?", "answer": []}).encode()
    assert rows_of(read(tmp_path, "a.jsonl", row, ANSWER)) == [("Ada", "Where?", [])]


def test_squad_as_text_keeps_one_answer_or_the_list(tmp_path: Path) -> None:
    text = Signature.parse("context, question -> answer")
    assert rows_of(read(tmp_path, "a.json", squad("London"), text))[0][-1] == "London"
    both = rows_of(read(tmp_path, "a.json", squad("London", "in London"), text))[0][-1]
    assert both == ["London", "in London"]


def parquet(path: Path, **columns: list[object]) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet_rows_are_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", review=["x", "y"], sentiment=["good", "bad"])
    found = read_examples([path], SENTIMENT, Layout())
    assert rows_of(found) == [("x", "good"), ("y", "bad")]


def test_parquet_faults_are_found(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", review=["x", None], sentiment=["ugly", "bad"])
    found = read_examples([path], SENTIMENT, Layout())
    assert [(r.line, r.reason[:30]) for r in found.rejected] == [
        (1, "sentiment: expected 'good' or "),
        (2, "review: expected a text, came "),
    ]
    broken = read(tmp_path, "b.parquet", path.read_bytes()[:-20])
    assert "expected a Parquet file" in broken.rejected[0].reason


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.conll", "a.json"])
@pytest.mark.parametrize("twin", ["bom", "crlf", "both"])
def test_bom_and_crlf_twins_load_equal(tmp_path: Path, name: str, twin: str) -> None:
    files = {
        "a.csv": (CLEAN + b'"two\nlines",bad\n', SENTIMENT),
        "a.tsv": (CLEAN.replace(b",", b"\t"), SENTIMENT),
        "a.jsonl": (b'{"review": "x", "sentiment": "good"}\n' * 2, SENTIMENT),
        "a.conll": (b"Ada B-PER\n\nx O\n", ENTITIES),
        "a.json": (squad("London"), ANSWER),
    }
    data, signature = files[name]
    other = data.replace(b"\n", b"\r\n") if twin != "bom" else data
    other = b"\xef\xbb\xbf" + other if twin != "crlf" else other
    clean = read(tmp_path, name, data, signature)
    assert clean.accepted
    assert clean.rejected == ()
    assert read(tmp_path, name, other, signature) == clean


BIG = b"x" * (10 * LIMIT)
DEEP = b"[" * 200_000
ROW = b'{"review": "fine", "sentiment": "good"}\n'
MALFORMED = [
    # name, data, rows accepted, (line, part of the reason) of each rejection
    ("a.csv", b"", 0, [(1, "came an empty file")]),
    ("a.csv", b"\n \n", 0, [(1, "came an empty file")]),
    ("a.csv", b"review,sentiment\n", 0, [(1, "rows after the header")]),
    ("a.csv", "review,sentiment\nx,good\n".encode("utf-16"), 0, [(1, "came UTF-16")]),
    ("a.csv", "review,sentiment\nx,good\n".encode("utf-16-be"), 0, [(1, "came UTF-16")]),
    ("a.csv", CLEAN.replace(b"\n", b"\r"), 0, [(1, "CR alone")]),
    ("a.csv", CLEAN.replace(b"pits", b"pi\0ts"), 2, [(3, "NUL")]),
    ("a.csv", CLEAN.replace(b"pits", b"pi\xe9ts"), 2, [(3, "the byte 0xe9")]),
    ("a.csv", CLEAN.replace(b"review", b"revi\xe9w"), 0, [(1, "the byte 0xe9")]),
    ("a.csv", CLEAN.replace(b"the pits", b'"the pits'), 2, [(3, "never closed")]),
    ("a.csv", CLEAN.replace(b"the pits", b'"the" pits'), 2, [(3, "after a closing quote")]),
    ("a.csv", CLEAN + b'"open,good\nx,"good"\n', 4, [(5, "after a closing quote")]),
    ("a.csv", CLEAN.replace(b"so so,good", b"so,so,good"), 2, [(4, "2 columns as in the first")]),
    ("a.csv", CLEAN.replace(b"so so,good", b"so so"), 2, [(4, "came 1")]),
    ("a.csv", b'review,sentiment\n"a\nb",good\nx\ny,bad\n', 2, [(4, "came 1")]),
    ("a.csv", CLEAN.replace(b"sentiment", b"review"), 0, [(1, "'review' stands twice")]),
    ("a.csv", CLEAN.replace(b"sentiment", b""), 0, [(1, "a name for each column")]),
    ("a.csv", CLEAN.replace(b"sentiment", b"label"), 0, [(1, "columns are 'review', 'label'")]),
    ("a.csv", b'"review,sentiment\nx,good\n', 0, [(1, "never closed")]),
    ("a.csv", CLEAN.replace(b"pits", BIG), 2, [(3, "at most 1,000,000 characters")]),
    ("a.csv", CLEAN.replace(b"bad", b"ugly"), 2, [(3, "'good' or 'bad', came 'ugly'")]),
    ("a.csv", CLEAN.replace(b"bad", b""), 2, [(3, "came ''")]),
    ("a.tsv", b"review\tsentiment\nx\tgood\ty\n", 0, [(2, "came 3")]),
    ("a.tsv", b"review\tsentiment\nx\0\tgood\nx\tgood\n", 1, [(2, "NUL")]),
    ("a.tsv", CLEAN, 0, [(1, "no column 'review'")]),
    ("a.jsonl", b"", 0, [(1, "came an empty file")]),
    ("a.jsonl", ROW + b"[1]\n" + ROW, 2, [(2, "expected an object {...}, came list")]),
    ("a.jsonl", ROW + b'"text"\n5\nnull\n', 1, [(2, "str"), (3, "int"), (4, "NoneType")]),
    ("a.jsonl", ROW + b'{"review": "x"\n', 1, [(2, "at column 15")]),
    ("a.jsonl", ROW + b"{} {}\n", 1, [(2, "Extra data")]),
    ("a.jsonl", ROW + b"{}\n", 1, [(2, "no column 'review'; the columns are none")]),
    ("a.jsonl", ROW + b'{"review": "x"}\n', 1, [(2, "no column 'sentiment'")]),
    ("a.jsonl", ROW + b'{"review": NaN, "sentiment": "good"}\n', 1, [(2, "came NaN")]),
    ("a.jsonl", ROW + b'{"review": -Infinity}\n', 1, [(2, "came -Infinity")]),
    ("a.jsonl", ROW + b'{"review": "x", "review": "y"}\n', 1, [(2, "'review' stands twice")]),
    ("a.jsonl", ROW + DEEP + b"\n", 1, [(2, "nested too deep")]),
    ("a.jsonl", ROW + b'{"review": ' + b"9" * 9000 + b"}\n", 1, [(2, "4300 digits")]),
    ("a.jsonl", ROW + b'{"review": "' + BIG + b'"}\n', 1, [(2, "at most 1,000,000")]),
    ("a.jsonl", ROW + b'{"review": 5, "sentiment": "good"}\n', 1, [(2, "review: expected a text")]),
    ("a.jsonl", ROW + b'{"review": null, "sentiment": "good"}\n', 1, [(2, "came None")]),
    ("a.jsonl", ROW + b'{"review": "\\u0000", "sentiment": "good"}\n', 1, [(2, "NUL")]),
    (
        "a.jsonl",
        ROW + b'{"review": "\\ud800", "sentiment": "good"}\n',
        1,
        [(2, "whole characters")],
    ),
    ("a.jsonl", ROW + b'{"review": "\xff", "sentiment": "good"}\n', 1, [(2, "the byte 0xff")]),
    ("a.jsonl", ROW.decode().encode("utf-16"), 0, [(1, "came UTF-16")]),
    ("a.conll", b"Ada B-PER\nx\n\ny O\n", 1, [(2, "2 columns as in the sentence's first")]),
    ("a.conll", b"Ada B-ORG\n\ny O\n", 1, [(1, "'PER' or 'LOC', came 'ORG'")]),
    ("a.conll", b"y O\n\nAda PER\n", 1, [(3, "expected a tag")]),
    ("a.conll", b"Ada\n\ny O\n", 1, [(1, "a token and a tag")]),
    ("a.conll", b"y\tO\n\n#x\tPER\n", 1, [(3, "expected a tag")]),
    ("a.conll", b"y O\n\nA\0da O\n", 1, [(3, "NUL")]),
    ("a.conll", b"# only a comment\n", 0, [(1, "expected sentences")]),
    ("a.json", b'{"data": 5}', 0, [(1, "expected SQuAD JSON")]),
    ("a.json", b'[{"review": "x"}]', 0, [(1, "expected SQuAD JSON")]),
    ("a.json", b'{"data": []}', 0, [(1, "expected questions")]),
    ("a.json", b'{"data": [5]}', 0, [(1, "an object at data[0], came int")]),
    ("a.json", b'{"data": [{}]}', 0, [(1, "a list at data[0].paragraphs")]),
    ("a.json", b'{\n"data": [}', 0, [(1, "at line 2, column 10")]),
    ("a.json", DEEP, 0, [(1, "nested too deep")]),
    ("a.json", squad(), 0, [(9, "an answer at data[0].paragraphs[0].qas[0], came none")]),
    ("a.json", squad(""), 0, [(9, "expected a text in")]),
    ("a.json", squad("Paris"), 0, [(9, "'Paris' stands in none of the inputs")]),
    ("a.json", squad("x", context=""), 0, [(9, "expected a text at")]),
    ("a.parquet", b"PAR1 no parquet", 0, [(1, "expected a Parquet file")]),
    ("a.parquet", b"", 0, [(1, "expected a Parquet file")]),
]
SIGNATURES = {".conll": ENTITIES, ".json": ANSWER}


@pytest.mark.parametrize(
    ("name", "data", "accepted", "rejected"),
    MALFORMED,
    ids=[f"{n}-{case[0]}-{case[3][0][1][:25]}" for n, case in enumerate(MALFORMED)],
)
def test_a_malformed_file_is_refused_by_line(
    tmp_path: Path, name: str, data: bytes, accepted: int, rejected: list[tuple[int, str]]
) -> None:
    signature = SIGNATURES.get(Path(name).suffix, SENTIMENT)
    found = read(tmp_path, name, data, signature)
    assert len(found.accepted) == accepted
    assert [rejection.line for rejection in found.rejected] == [line for line, _ in rejected]
    for rejection, (line, reason) in zip(found.rejected, rejected, strict=True):
        assert reason in rejection.reason
        assert str(rejection).startswith(f"{tmp_path / name}:{line}: ")
        assert len(rejection.reason) < 400
        assert "\n" not in rejection.reason


def test_every_row_is_accepted_or_rejected(tmp_path: Path) -> None:
    bad = {5: b'"open,good', 17: b"one", 23: b"a,b,c", 40: b"x,ugly", 41: b"\0,good"}
    lines = [bad.get(n, b"row %d,good" % n) for n in range(100)]
    found = read(tmp_path, "a.csv", b"review,sentiment\n" + b"\n".join(lines))
    assert len(found.accepted) + len(found.rejected) == 100
    assert [rejection.line - 2 for rejection in found.rejected] == list(bad)


def test_numbers_that_are_none_are_refused_in_tables(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", b"review,stars\nx,NaN\ny,1e999\nz,0\n", NUMBER)
    assert [rejection.line for rejection in found.rejected] == [2, 3]
    assert found.accepted[0].outputs == {"stars": 0.0}


def test_a_second_row_of_the_same_id_names_the_first(tmp_path: Path) -> None:
    data = b"id,review,sentiment\n1,x,good\n2,y,bad\n1,z,good\n"
    found = read(tmp_path, "a.csv", data, id="id")
    assert [str(r) for r in found.rejected] == [
        f"{tmp_path / 'a.csv'}:4: the id '1' stands in line 2 too"
    ]


def test_rows_of_the_same_content_get_ids_of_their_own(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", b"review,sentiment\nx,good\nx,good\nx,good\n")
    first = found.accepted[0].id
    assert [e.id for e in found.accepted] == [first, f"{first}-2", f"{first}-3"]


@pytest.mark.parametrize("column", ["group", "id"])
def test_an_empty_group_or_id_is_refused(tmp_path: Path, column: str) -> None:
    data = b"u,review,sentiment\n1,x,good\n,y,bad\n"
    found = read(tmp_path, "a.csv", data, **{column: "u"})
    assert [(r.line, r.reason) for r in found.rejected] == [
        (3, "'u': expected a text or a whole number, came ''")
    ]


def test_formulas_are_plain_data_on_the_way_in(tmp_path: Path) -> None:
    cell = '=HYPERLINK("http://x")'
    data = b'review,sentiment\n"=HYPERLINK(""http://x"")",good\n'
    assert rows_of(read(tmp_path, "a.csv", data)) == [(cell, "good")]


def test_spans_must_lie_within_the_tokens(tmp_path: Path) -> None:
    data = b'{"tokens": ["a"], "entities": [[0, 2, "PER"]]}\n{"tokens": ["a"], "entities": ["O"]}\n'
    found = read(tmp_path, "a.jsonl", data, ENTITIES)
    assert len(found.accepted) == 1
    assert "ends after the last of 1 tokens" in found.rejected[0].reason


def test_tags_and_tokens_must_be_as_many(tmp_path: Path) -> None:
    data = b'{"tokens": ["a", "b"], "entities": ["O"]}\n'
    found = read(tmp_path, "a.jsonl", data, ENTITIES)
    assert "expected 2 tags, one for each token, came 1" in found.rejected[0].reason


def test_labels_of_tags_are_renamed(tmp_path: Path) -> None:
    found = read(tmp_path, "a.conll", b"Rio B-CITY\n", ENTITIES, labels={"CITY": "LOC"})
    assert rows_of(found) == [(["Rio"], [Span(0, 1, "LOC")])]


def test_an_unknown_suffix_names_those_known(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"\.jsonl.*came 'a\.xlsx'"):
        read(tmp_path, "a.xlsx", b"x")


def test_merged_examples_list_every_version(tmp_path: Path) -> None:
    plain = Signature.parse("mr -> ref")
    found = read(tmp_path, "a.csv", b"mr,ref\na,one\nb,three\na,two\na,one\n", plain)
    both, single = merged(found.accepted, "ref")
    assert both.outputs == {"ref": ["one", "two"]}
    assert single.outputs == {"ref": "three"}


def test_refusing_lists_twenty_and_counts_the_rest(tmp_path: Path) -> None:
    refuse(())
    rejected = tuple(Rejection(tmp_path / "a.csv", n, "why") for n in range(1, 24))
    with pytest.raises(DataError) as caught:
        refuse(rejected)
    lines = str(caught.value).split("\n")
    assert lines[0] == f"{tmp_path / 'a.csv'}:1: why"
    assert len(lines) == 21
    assert lines[-1] == "and 3 more"
    assert caught.value.exit_code == 2
