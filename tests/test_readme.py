"""The README and the pages under docs/: examples run, commands exist, links lead somewhere."""

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from afina.cli import USAGE_ERROR, app
from afina.making.searched import SEARCHED
from afina.method_settings import known_settings
from afina.methods import METHODS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#([\w-]+))?\)")
SPAN = re.compile(r"`(afina [^`]+)`")


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def commands(page: Path) -> Iterator[list[str]]:
    """Every call of afina in a page's shell blocks, as its arguments."""
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            for part in re.split(r"[|;&]", line.partition("#")[0]):
                words = shlex.split(part)
                if words[:1] == ["afina"]:
                    yield words[1:]


def named(page: Path) -> Iterator[list[str]]:
    """Every call of afina that a sentence names; such a call may leave arguments out."""
    for span in SPAN.findall(page.read_text()):
        words = [word.strip("[]…") for word in shlex.split(span)[1:]]
        yield [word for word in words if word]


def fault(arguments: list[str]) -> str:
    """What is wrong with a command line; it is parsed, and nothing is called."""
    group: Any = typer.main.get_command(app)
    name, *rest = arguments
    try:
        if name not in group.commands:
            return f"no command {name}"
        group.commands[name].make_context(name, rest)
    except typer.Exit:  # --help
        return ""
    except USAGE_ERROR as error:
        return str(error.format_message())
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for arguments in commands(page):
        assert fault(arguments) == "", arguments
    for arguments in named(page):
        assert fault(arguments) == "" or fault(arguments).startswith("Missing "), arguments


def test_a_command_that_does_not_exist_is_found() -> None:
    assert "frob" in fault(["frob", "x"])
    assert "--metod" in fault(["tune", "x", "--metod", "y"])
    assert fault(["tune", "--method", "y"]).startswith("Missing argument")
    assert fault(["tune", "x", "--method", "y"]) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_give_what_it_says(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        found = doctest.testfile(str(page), module_relative=False, verbose=False)
    assert found.failed == 0, out.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_page_and_its_heading(page: Path) -> None:
    for target, heading in LINK.findall(page.read_text()):
        if target.startswith("https://"):
            continue
        path = page.parent / target
        assert path.is_file(), target
        if heading:
            heads = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert heading in {head.lower().replace(" ", "-") for head in heads}, heading


def test_the_methods_are_those_of_the_readme() -> None:
    listed = re.findall(r"^\| `([\w-]+)` \|", README.read_text(), re.MULTILINE)
    assert listed == list(METHODS)


OWN_PAGE = {
    "distill": "distillation",
    "read-back": "distillation",
    "imported": "interchange",
    "multitask-prompt-tuning": "multitask",
    "p-tuning": "p-tuning",
    "prefix-tuning": "prefix-tuning",
    "p-tuning-v2": "prefix-tuning",
    "written": "prompt-file",
    **dict.fromkeys(SEARCHED, "optimisers"),
}


@pytest.mark.parametrize(
    "method", ["few-shot", "rag", "multi-hop", "full-fine-tuning", "prompt-tuning", *OWN_PAGE]
)
def test_settings_stand_in_the_docs_with_their_defaults(method: str) -> None:
    names = ["methods", "prompt-tuning", *([OWN_PAGE[method]] if method in OWN_PAGE else [])]
    pages = [(ROOT / "docs" / f"{name}.md").read_text() for name in names]
    whole = "\n".join(pages)
    for name, default in known_settings(method).items():
        shown = {"": "empty", None: "by the task"}.get(default, f"`{default}`")
        row = f"| `{name}` | {shown} |"
        told = f"`{name}` {shown}" in whole or f"`{name}` is {shown}" in whole.replace("\n", " ")
        assert row in whole or told, f"no page says that {method}'s {name} is {shown}"


@pytest.mark.slow
def test_the_readmes_tour_runs(tmp_path: Path) -> None:
    """All but the two make commands, in a copy of what a clone has."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shell = [block for block in blocks(README, "sh") if "make" not in block]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for name, arguments in [
        *[(block, ["bash", "-euo", "pipefail", "-c", block]) for block in shell],
        *[(block, [sys.executable, "-c", block]) for block in blocks(README, "python")],
    ]:
        found = subprocess.run(
            arguments,
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
        assert found.returncode == 0, (name, found.stderr)
        assert found.stdout, name
        assert found.stderr == "", name
