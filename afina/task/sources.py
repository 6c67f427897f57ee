"""Sources: the files a task names, read into examples of its signature."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from afina.errors import TaskError
from afina.solver import Span, Value, Values
from afina.task.conll import read_conll
from afina.task.example import Example
from afina.task.jsonl import read_jsonl
from afina.task.parquet import read_parquet
from afina.task.rows import Rejection, Row, Rows, refused
from afina.task.signature import Choice, Field, Signature, Spans, Text
from afina.task.squad import read_squad
from afina.task.table import read_table
from afina.task.value import read_texts, read_value

Column = str | int


@dataclass(frozen=True)
class Layout:
    """Where a file keeps its fields."""

    columns: Mapping[str, Column] = field(default_factory=dict)  # by field; default: its name
    labels: Mapping[str, str] = field(default_factory=dict)  # raw value -> label of the target
    header: bool = True  # of CSV and TSV
    group: Column | None = None
    id: Column | None = None
    token_column: int = 0  # of CoNLL
    tag_column: int = -1  # of CoNLL


@dataclass(frozen=True)
class Examples:
    """Every row of a source as an example or a rejection."""

    accepted: tuple[Example, ...]
    rejected: tuple[Rejection, ...]


READERS: dict[str, Callable[[Path, Layout], Rows]] = {
    ".csv": lambda path, layout: read_table(path, delimiter=",", header=layout.header),
    ".tsv": lambda path, layout: read_table(path, delimiter="\t", header=layout.header),
    ".jsonl": lambda path, _: read_jsonl(path),
    ".json": lambda path, _: read_squad(path),
    ".parquet": lambda path, _: read_parquet(path),
    ".conll": lambda path, layout: read_conll(
        path, tokens=layout.token_column, tags=layout.tag_column
    ),
}
CONLL = (".conll", ".iob", ".iob2", ".bio")


def read_rows(path: Path, layout: Layout) -> Rows:
    """Read a file by its suffix; raises TaskError for an unknown one."""
    suffix = path.suffix.lower()
    read = READERS.get(".conll" if suffix in CONLL else suffix)
    if read is None:
        known = ", ".join(sorted({*READERS, *CONLL}))
        raise TaskError(f"expected a data file that ends in {known}, came {path.name!r}")
    try:
        return read(path, layout)
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error


def read_examples(paths: Sequence[Path], signature: Signature, layout: Layout) -> Examples:
    """Read files into examples, in order; raises TaskError for an unknown kind of file."""
    accepted: list[Row] = []
    rejected: list[Rejection] = []
    for path in paths:
        rows = read_rows(path, layout)
        rows = missing_column(path, rows, signature, layout) or rows
        accepted += rows.accepted
        rejected += rows.rejected
    return examples_of(accepted, rejected, signature, layout)


def examples_of(
    rows: Sequence[Row], rejected: Sequence[Rejection], signature: Signature, layout: Layout
) -> Examples:
    """Turn rows into examples, with ids that stand once."""
    examples: list[Example] = []
    refusals = list(rejected)
    first: dict[str, int] = {}
    contents: Counter[str] = Counter()
    for row in rows:
        try:
            example = read_example(row, signature, layout)
            if layout.id is None:
                contents[example.id] += 1
                example = numbered(example, contents[example.id])
            elif example.id in first:
                raise ValueError(f"the id {example.id!r} stands in line {first[example.id]} too")
            first[example.id] = row.line
            examples.append(example)
        except ValueError as error:
            refusals.append(Rejection(row.path, row.line, str(error)))
    refusals.sort(key=lambda rejection: (str(rejection.path), rejection.line))
    return Examples(tuple(examples), tuple(refusals))


def numbered(example: Example, count: int) -> Example:
    """The second example of the same content and those after it get a number."""
    return example if count == 1 else replace(example, id=f"{example.id}-{count}")


def missing_column(path: Path, rows: Rows, signature: Signature, layout: Layout) -> Rows | None:
    """A file whose every row lacks a column is refused once; in JSONL each row has its own."""
    if not rows.accepted or path.suffix.lower() == ".jsonl":
        return None
    try:
        for part in (*signature.inputs, *signature.outputs):
            cell(rows.accepted[0], column_of(part, signature, layout, rows.accepted[0]))
        for column in (layout.group, layout.id):
            cell(rows.accepted[0], column) if column is not None else None
    except ValueError as error:
        return refused(path, str(error))
    return None


def column_of(part: Field, signature: Signature, layout: Layout, row: Row) -> Column:
    """The column of a field: as told, or of its name, or CoNLL's tokens and tags."""
    if part.name in layout.columns:
        return layout.columns[part.name]
    if part.name not in row.cells and set(row.cells) == {"tokens", "tags"}:
        return "tags" if part == signature.target else "tokens"
    return part.name


def cell(row: Row, column: Column) -> object:
    """A raw cell by the column's name or, in a table, its number; raises ValueError."""
    names = list(row.cells)
    if isinstance(column, int):
        if not -len(names) <= column < len(names):
            raise ValueError(f"expected a column {column}, came {len(names)} (the first is 0)")
        return row.cells[names[column]]
    if column not in row.cells:
        there = ", ".join(map(repr, names[:20])) or "none"
        raise ValueError(f"no column {column!r}; the columns are {there}")
    return row.cells[column]


def read_example(row: Row, signature: Signature, layout: Layout) -> Example:
    """Read one row; raises ValueError."""

    def raw(part: Field) -> object:
        return cell(row, column_of(part, signature, layout, row))

    inputs = {part.name: named(part, raw(part)) for part in signature.inputs}
    outputs: dict[str, Value] = {}
    for part in signature.outputs:
        if isinstance(part.type, Spans) and part.type.labels:
            check_tags(part, raw(part), inputs)
        renamed = rename(raw(part), layout.labels) if part == signature.target else raw(part)
        outputs[part.name] = named(part, renamed, wanted=True)
    check_places(signature, inputs, outputs)
    group = "" if layout.group is None else plain(row, layout.group)
    return Example.of(
        inputs, outputs, plain(row, layout.id) if layout.id is not None else "", group
    )


def plain(row: Row, column: Column) -> str:
    """An id or a group: a text that is not empty, or a whole number; raises ValueError."""
    raw = cell(row, column)
    if type(raw) is int:
        return str(raw)
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(f"{column!r}: expected a text or a whole number, came {raw!r}")
    return raw


def named(part: Field, raw: object, *, wanted: bool = False) -> Value:
    """A field's value, its name in front of the reason; raises ValueError.

    Of a wanted text several versions may be given, as a list.
    """
    try:
        if wanted and isinstance(part.type, Text) and isinstance(raw, list) and raw:
            texts = read_texts(raw)
            return texts[0] if len(texts) == 1 else texts
        return read_value(part.type, raw)
    except ValueError as error:
        raise ValueError(f"{part.name}: {error}") from error


def rename(raw: object, labels: Mapping[str, str]) -> object:
    """A raw label, or the labels in a list of tags, as the task words them."""
    if isinstance(raw, list):
        return [
            tag[:2] + labels.get(tag[2:], tag[2:])
            if isinstance(tag, str) and tag[1:2] == "-"
            else tag
            for tag in raw
        ]
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    return labels.get(text, raw)


def check_places(signature: Signature, inputs: Values, outputs: Values) -> None:
    """Spans lie within the tokens, extracts stand in a text; raises ValueError."""
    for part in signature.outputs:
        match part.type:
            case Spans(()):
                check_extracts(part, outputs[part.name], inputs)
            case Spans():
                check_spans(part, outputs[part.name], inputs)


def check_extracts(part: Field, value: Value, inputs: Values) -> None:
    """Each accepted answer stands word for word in an input; none may be right too.

    Raises ValueError.
    """
    assert isinstance(value, list)
    texts = [text for text in inputs.values() if isinstance(text, str)]
    for answer in value:
        if not any(str(answer) in text for text in texts):
            raise ValueError(f"{part.name}: {answer!r} stands in none of the inputs")


def check_tags(part: Field, raw: object, inputs: Values) -> None:
    """There is a tag for each token; raises ValueError."""
    if not isinstance(raw, list) or not raw or not isinstance(raw[0], str):
        return
    lengths = [len(tokens) for tokens in inputs.values() if isinstance(tokens, list)]
    if lengths and len(raw) not in lengths:
        raise ValueError(
            f"{part.name}: expected {lengths[0]} tags, one for each token, came {len(raw)}"
        )


def check_spans(part: Field, value: Value, inputs: Values) -> None:
    """Each span ends within the tokens; raises ValueError."""
    assert isinstance(value, list)
    length = max((len(tokens) for tokens in inputs.values() if isinstance(tokens, list)), default=0)
    for span in value:
        if isinstance(span, Span) and length and span.end > length:
            raise ValueError(f"{part.name}: {span} ends after the last of {length} tokens")


def merged(examples: Sequence[Example], target: str) -> tuple[Example, ...]:
    """Examples with equal inputs as one, whose wanted value is the list of all its versions."""
    versions: dict[str, list[Example]] = {}
    for example in examples:
        key = Example.of(example.inputs, {}, group=example.group).id
        versions.setdefault(key, []).append(example)
    return tuple(together(same, target) for same in versions.values())


def together(same: Sequence[Example], target: str) -> Example:
    """One example of several with equal inputs."""
    texts: dict[str, None] = {}
    for example in same:
        value = example.outputs[target]
        texts |= dict.fromkeys(map(str, value if isinstance(value, list) else [value]))
    first = same[0]
    outputs = {**first.outputs, target: next(iter(texts)) if len(texts) == 1 else list(texts)}
    return Example.of(first.inputs, outputs, group=first.group)


def labels_in(examples: Sequence[Example], target: str) -> tuple[str, ...]:
    """The labels that occur, sorted."""
    return tuple(sorted({str(example.outputs[target]) for example in examples}))


def with_labels(signature: Signature, labels: Sequence[str]) -> Signature:
    """The signature with its target's labels filled in."""
    target = replace(signature.target, type=Choice(tuple(labels)))
    return replace(signature, outputs=(*signature.outputs[:-1], target))
