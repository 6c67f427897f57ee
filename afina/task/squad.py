"""SQuAD JSON: articles with paragraphs with questions with answers."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from afina.task.jsonl import read_json
from afina.task.rows import (
    Rejection,
    Row,
    Rows,
    check_length,
    check_text,
    gathered,
    read_text_file,
    refused,
)


def read_squad(path: Path) -> Rows:
    """Read SQuAD JSON into cells ``id``, ``title``, ``context``, ``question`` and ``answer``.

    ``answer`` is the list of accepted texts, empty where ``is_impossible`` says that there is none;
    ``answer_start`` is left out, for published files have it wrong in places. A row's line is that
    of its id.
    """
    try:
        text = read_text_file(path)
        check_text(text)
        data = read_json(text)
        if not isinstance(data, dict) or not isinstance(data.get("data"), list):
            raise ValueError('expected SQuAD JSON {"data": [...]}: JSON rows go into .jsonl files')
        asked = list(questions(data["data"]))
        places = lines(text, [cells for _, cells in asked])
        found = [read_question(path, *one) for one in zip(places, asked, strict=True)]
    except ValueError as error:
        return refused(path, str(error))
    return gathered(found) if found else refused(path, "expected questions, came none")


def questions(articles: list[object]) -> Iterator[tuple[str, dict[str, object]]]:
    """Each question with where it stands and its paragraph's context."""
    for a, article in enumerate(articles):
        title = read_part(article, f"data[{a}]").get("title", "")
        for p, paragraph in enumerate(read_list(article, "paragraphs", f"data[{a}]")):
            where = f"data[{a}].paragraphs[{p}]"
            context = read_part(paragraph, where).get("context")
            for q, question in enumerate(read_list(paragraph, "qas", where)):
                shared = {"title": title, "context": context}
                part = read_part(question, f"{where}.qas[{q}]")
                yield f"{where}.qas[{q}]", {**part, **shared}


def read_part(part: object, where: str) -> Mapping[str, object]:
    """An object of the file; raises ValueError."""
    if not isinstance(part, dict):
        raise ValueError(f"expected an object at {where}, came {type(part).__name__}")
    return part


def read_list(part: object, key: str, where: str) -> list[object]:
    """A list in an object of the file; raises ValueError."""
    items = read_part(part, where).get(key)
    if not isinstance(items, list):
        raise ValueError(f"expected a list at {where}.{key}, came {type(items).__name__}")
    return items


def lines(text: str, rows: list[dict[str, object]]) -> Iterator[int]:
    """The line of each question's id, as the file has them in order."""
    place, line = 0, 1
    for cells in rows:
        found = text.find(f'"{cells.get("id")}"', place)
        if found >= 0:
            line += text.count("\n", place, found)
            place = found
        yield line


def read_question(
    path: Path, line: int, question: tuple[str, dict[str, object]]
) -> Row | Rejection:
    """Read one question with its answers."""
    where, cells = question
    try:
        for key in ("context", "question"):
            text = cells.get(key)
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"expected a text at {where}.{key}, came {text!r}")
            check_length(key, len(text))
        answers = [answer_text(a, where) for a in read_list(cells, "answers", where)]
        if not answers and cells.get("is_impossible") is not True:
            raise ValueError(f"expected an answer at {where}, came none")
    except ValueError as error:
        return Rejection(path, line, str(error))
    return Row(path, line, {**cells, "answer": list(dict.fromkeys(answers))})


def answer_text(answer: object, where: str) -> str:
    """The text of an answer; raises ValueError."""
    text = read_part(answer, f"{where}.answers").get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected a text in {where}.answers, came {text!r}")
    return text
