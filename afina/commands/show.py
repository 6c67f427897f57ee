"""The command that shows runs, and draws their soft prompts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afina.commands.arguments import HOME, Home, Json
from afina.commands.home import store_there
from afina.commands.printing import show
from afina.errors import AfinaError, InputError

if TYPE_CHECKING:
    from afina.soft.portrait import Portrait
    from afina.store.run import Run


def show_run(
    run: Annotated[str | None, typer.Argument(help="A run's name; all runs if left out.")] = None,
    other: Annotated[
        str | None, typer.Argument(help="Another run: what differs in their written prompts.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", help="Draw how alike the places of its prompt are: FILE.svg."),
    ] = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Show a run: scores, settings, its prompt; what differs between two; or list all runs."""
    from afina.console import run_json, run_table, runs_json, runs_table
    from afina.portrait_table import prompt_json, prompt_table
    from afina.prompt_diff import version_json, version_table
    from afina.store.prompts import prompts_of
    from afina.tuning import describe

    if run is not None and other is not None:
        show_difference(run, other, picture, home, as_json=as_json)
        return
    if run is None:
        if picture is not None:
            raise InputError(f"expected the run to draw in {picture}, got none; name one")
        runs = store_there(home).runs() if (home / "store.db").is_file() else []
        show(runs_json(runs) if as_json else runs_table(runs))
        return
    found, facts = describe(store_there(home), run)
    seen, written = look_at(found), prompts_of(store_there(home), found.name)
    if picture is not None:
        draw(found, seen, picture)
    if as_json:
        versions = [version_json(each) for each in written]
        show({**run_json(found, facts), "prompt": prompt_json(seen), "written": versions})
    else:
        show(run_table(found, facts))
        show(version_table(written))
        show(prompt_table(seen))


def show_difference(a: str, b: str, picture: Path | None, home: Path, *, as_json: bool) -> None:
    """Print what differs between the written prompts of two runs."""
    from afina.prompt_diff import difference_json, difference_text
    from afina.store.prompts import of_run

    if picture is not None:
        raise InputError(f"expected one run to draw in {picture}, got two; name one")
    store = store_there(home)
    both = of_run(store, a), of_run(store, b)
    show(difference_json(*both) if as_json else difference_text(*both))


def look_at(run: "Run") -> "Portrait | AfinaError | None":
    """What can be seen of a finished run's soft prompt, or why it cannot; None if it has none."""
    from afina.packed import portrait_of
    from afina.tuning import bundle_at

    if run.status != "done" or run.folder is None:
        return None
    try:
        return portrait_of(bundle_at(run.folder))
    except AfinaError as error:  # the scores are shown all the same
        return error


def draw(run: "Run", seen: "Portrait | AfinaError | None", path: Path) -> None:
    """Write the picture of how alike the places of a run's prompt are.

    Raises:
        InputError: the run has no soft prompt, or the file cannot be written or is no .svg.
        AfinaError: the prompt cannot be seen.
    """
    from afina.disk import Disk, replace_file
    from afina.heatmap import heat_map

    if isinstance(seen, AfinaError):
        raise seen
    if seen is None:
        raise InputError(
            f"expected a finished run with a soft prompt, got {run.name!r}, {run.method}"
        )
    if path.suffix != ".svg":
        raise InputError(f"expected a file that ends in .svg, got {str(path)!r}")
    title = f"Similarity of the places of {run.name}"
    note = "The cosine of each pair of places: how alike they are, not what they mean."
    replace_file(path, heat_map(seen.similarity, title, note).encode(), Disk())
