"""The arguments and options that commands share, and how their texts are read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from afina.errors import InputError

TaskName = Annotated[str, typer.Argument(help="A folder with task.toml, or a Hub dataset's name.")]
RunName = Annotated[str, typer.Argument(help="A run's name, or an unambiguous beginning of it.")]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="builtin:NAME, a folder, a Hub name (hf:owner/name), or openai:NAME at an endpoint; "
        "if left out, a built-in one that serves.",
    ),
]
Several = Annotated[
    list[str] | None,
    typer.Option(
        "--model", help="As for tune; may be given again. If left out, built-in ones that serve."
    ),
]
Home = Annotated[Path, typer.Option("--home", envvar="AFINA_HOME", help="Where runs are kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the method, name=value; may be given again."),
]
Spend = Annotated[
    str | None,
    typer.Option("--budget", help="Caps on a language model's calls: calls=200,money=1.50."),
]
WithoutInputs = Annotated[
    bool, typer.Option("--without-inputs", help="Leave the data's inputs out of the report.")
]
HOME = Path(".afina")


def pairs(settings: Iterable[str] | None) -> dict[str, object]:
    """``name=value`` pairs.

    Raises:
        InputError: a pair has no equals sign, or a name comes twice.
    """
    found: dict[str, object] = {}
    for pair in settings or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"expected --set name=value, got {pair!r}")
        setting = name.strip().replace("-", "_")
        if setting in found:
            raise InputError(f"expected each setting once, got {setting!r} twice")
        found[setting] = value
    return found


def by_method(settings: Iterable[str] | None, methods: list[str]) -> dict[str, dict[str, object]]:
    """``method.name=value`` pairs, by method.

    Raises:
        InputError: a pair names no method of the comparison.
    """
    found: dict[str, list[str]] = {}
    for pair in settings or ():
        method, dot, rest = pair.partition(".")
        if not dot or method not in methods:
            raise InputError(
                f"expected --set method.name=value with a method of this comparison, got {pair!r}"
            )
        found.setdefault(method, []).append(rest)
    return {method: pairs(rests) for method, rests in found.items()}


def numbers(text: str | None) -> list[float]:
    """Numbers with commas between."""
    try:
        return [float(part) for part in (text or "").split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"expected numbers with commas between, got {text!r}") from error
