"""The command that shows runs, and draws their soft prompts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afina.commands.arguments import HOME, Home, Json, WithoutInputs
from afina.commands.home import models_at, store_there
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
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Write a comparison: FILE.html, .md, .csv, .tex, .json."),
    ] = None,
    without_inputs: WithoutInputs = False,
    trials: Annotated[
        bool, typer.Option("--trials", help="Draw the tree of what its search tried.")
    ] = False,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Show a run or a comparison; what differs between two runs' prompts; or list all runs."""
    from afina.keeping import describe
    from afina.portrait_table import prompt_json, prompt_table
    from afina.prompt_diff import version_json, version_table
    from afina.run_table import run_json, run_table, runs_json, runs_table
    from afina.store.prompts import prompts_of

    if trials:
        show_trials(run, home, as_json=as_json)
        return
    alone = run if other is None else None
    inputs = not without_inputs
    if alone is not None and show_comparison(alone, report, home, inputs=inputs, as_json=as_json):
        return
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


def show_comparison(
    name: str, report: Path | None, home: Path, *, inputs: bool, as_json: bool
) -> bool:
    """Show the comparison of a name and write its report; whether there is one.

    Raises:
        InputError: a report is asked for, and there is none.
    """
    from afina.comparing import compare_again
    from afina.comparing_table import compared_json, compared_text
    from afina.formats import kept_spreads
    from afina.page.writing import check_suffix, write_report

    if report is not None:
        check_suffix(report)
    store = store_there(home)
    found = compare_again(store, name, models=models_at(home))
    if found is None:
        if report is not None:
            raise InputError(f"expected the name of a comparison to report on, got {name!r}")
        return False
    if report is not None:
        write_report(store, found, report, inputs=inputs)
    spread = kept_spreads(store, found)
    show(compared_json(found, spread) if as_json else compared_text(found, spread))
    return True


def show_trials(run: str | None, home: Path, *, as_json: bool) -> None:
    """Print the tree of what a run's search tried, finished or not."""
    from afina.trial_table import read_trials, trial_tree

    if run is None:
        raise InputError("expected the run whose trials to show, got none; name one")
    found = read_trials(store_there(home).run(run))
    show(found if as_json else trial_tree(found))


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
