"""Files of prompts: written, checked, read; every refusal names the file."""

from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import InputError, MismatchError
from afina.hard.interchange.prompt_file import (
    FORMATS,
    WrittenSettings,
    pinned_prompt,
    read_prompt,
    taken,
    write_prompt,
)
from afina.hard.prompt import Prompt
from afina.hard.template import Template
from afina.solver import Values
from afina.task.example import Example
from afina.task.signature import Signature
from tests.hard.test_template import hostile

MOODS = Signature.parse("review -> mood: good | bad", 'Tell the mood as {"mood": {{ x }}}.')
SHOWN = (Example.of({"review": "{{7*7}} {x} `` ```"}, {"mood": "good"}),)
PROMPT = Prompt.of(MOODS, SHOWN)
ROWS: list[Values] = [{"review": each} for each in hostile(3, 300)]
ENDINGS = {"langchain": "json", "openai": "json", "promptfoo": "yaml", "markdown": "md"}


@pytest.mark.parametrize("form", FORMATS)
def test_a_prompt_says_the_same_after_a_file(form: str, tmp_path: Path) -> None:
    """FAULTS 15: hostile rows stand in the messages as they are."""
    path = tmp_path / f"prompt.{ENDINGS[form]}"
    assert write_prompt(PROMPT, form, path, ROWS) == len(ROWS)
    for again in (read_prompt(path, form, MOODS), read_prompt(path, "auto", MOODS)):
        assert all(again.messages(row) == PROMPT.messages(row) for row in ROWS)
        assert [each.outputs for each in again.demonstrations] == [{"mood": "good"}]


@pytest.mark.parametrize("form", ["langchain", "openai", "promptfoo"])
def test_blocks_are_refused_and_nothing_is_written(form: str, tmp_path: Path) -> None:
    prompt = replace(PROMPT, user=Template("{% if review %}{{ review }}{% endif %}"))
    with pytest.raises(InputError, match="came a block on 'review'"):
        write_prompt(prompt, form, tmp_path / "p", ROWS)
    assert not list(tmp_path.iterdir())
    assert write_prompt(replace(prompt, demonstrations=()), "markdown", tmp_path / "p.md", ROWS)


def test_a_format_that_says_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    markdown = FORMATS["markdown"]
    other = replace(markdown, read=lambda text, at: markdown.read(text + "\n# user\nx", at))
    monkeypatch.setitem(FORMATS, "markdown", other)
    with pytest.raises(InputError, match="markdown would not say the same for the row"):
        write_prompt(PROMPT, "markdown", tmp_path / "p", ROWS)
    assert not list(tmp_path.iterdir())


def test_a_system_part_that_may_be_empty_is_refused(tmp_path: Path) -> None:
    prompt = replace(PROMPT, system=Template("{{ review }}"), demonstrations=())
    with pytest.raises(InputError, match="a system part that always says something"):
        write_prompt(prompt, "openai", tmp_path / "p", [{"review": "x"}])


@pytest.mark.parametrize(("form", "kind"), [("langchain", "list[str]"), ("promptfoo", "float")])
def test_types_that_a_tool_writes_otherwise_are_refused(
    form: str, kind: str, tmp_path: Path
) -> None:
    signature = Signature.parse(f"a: {kind} -> b")
    with pytest.raises(InputError, match=f"{form} writes the values of 'a' otherwise"):
        write_prompt(Prompt.of(signature), form, tmp_path / "p", [])
    path = tmp_path / "p.json"
    write_prompt(Prompt.of(Signature.parse("a -> b")), form, path, [])
    with pytest.raises(InputError, match=f"p.json.*: {form} writes the values of 'a' otherwise"):
        read_prompt(path, form, signature)


@pytest.mark.parametrize(
    ("name", "data", "form", "reason"),
    [
        ("p.txt", b"x", "auto", "p.txt'; name its form: langchain, openai, promptfoo, markdown"),
        ("p.json", b"\xff", "auto", "p.json: expected UTF-8, came another encoding at 0"),
        ("p.json", b"[]", "word", "expected a format out of langchain, .*, got 'word'"),
        ("p.json", b"[]", "auto", "expected a turn of the user last"),
        ("p.json", b'{"lc": 1}', "auto", "p.json: expected ChatPromptTemplate"),
        ("p.md", b"# user\n{{ review.x }}", "auto", "p.md:1: below this heading, line 1: .*attrib"),
        ("p.md", b"# user\n{{ text }}", "auto", "p.md:1: expected the inputs of review"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused_with_its_name(
    name: str, data: bytes, form: str, reason: str, tmp_path: Path
) -> None:
    """FAULTS 16."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=reason):
        read_prompt(tmp_path / name, form, MOODS)


@pytest.mark.parametrize("name", ["nope.json", ".", "a\0b.json", "x" * 300 + ".json"])
def test_what_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file|cannot read"):
        read_prompt(tmp_path / name, "auto", MOODS)


def test_a_file_far_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afina.hard.interchange.prompt_file.LARGEST", 10)
    (tmp_path / "p.json").write_text("[" * 11)
    with pytest.raises(InputError, match=r"p.json: expected at most 10 bytes, came 11"):
        read_prompt(tmp_path / "p.json", "auto", MOODS)


def test_a_pinned_file_is_taken_over_until_it_changes(tmp_path: Path) -> None:
    """Broken by a comparison that gives back the score of an older file."""
    path = tmp_path / "p.md"
    write_prompt(PROMPT, "markdown", path, ROWS)
    pinned = pinned_prompt(str(path))
    assert pinned_prompt(pinned) == pinned
    settings = WrittenSettings(pinned)
    assert taken(settings, MOODS, {}).messages(ROWS[0]) == PROMPT.messages(ROWS[0])
    path.write_text(path.read_text().replace("Tell", "Say"))
    with pytest.raises(
        MismatchError, match=r"p.md holds another prompt than when the run was made"
    ):
        taken(settings, MOODS, {})
    assert pinned_prompt(pinned) != pinned
    with pytest.raises(InputError, match="expected prompt=FILE, of a written prompt, got none"):
        pinned_prompt("")


def test_examples_answer_by_words_and_are_kept_as_labels(tmp_path: Path) -> None:
    """Broken by examples whose answers are no labels."""
    words = {"good": "great"}
    path = tmp_path / "p.md"
    write_prompt(PROMPT.in_words(words), "markdown", path, ROWS)
    found = taken(WrittenSettings(pinned_prompt(str(path))), MOODS, words)
    assert found.demonstrations[0].outputs == {"mood": "good"}
    assert found.in_words(words).messages(ROWS[0]) == PROMPT.in_words(words).messages(ROWS[0])
