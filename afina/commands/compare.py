"""Commands that compare methods on one task: compare, and demo on the example."""

from pathlib import Path
from typing import Annotated

import typer

from afina.commands.arguments import (
    HOME,
    Home,
    Json,
    Settings,
    Several,
    Spend,
    TaskName,
    WithoutInputs,
    by_method,
)
from afina.commands.home import models_at, store_at
from afina.commands.printing import command_line, show
from afina.errors import InputError

DEMO = Path(__file__).parent.parent / "front_desk"
DEMO_METHODS = (
    "majority,linear-probe,zero-shot,few-shot,racing,prompt-tuning,prefix-tuning,p-tuning-v2"
)
DEMO_SETTINGS = [  # once over the examples: five minutes have to do on a slow machine
    "racing.calls=240",
    *(
        f"{method}.{setting}"
        for method in ("prompt-tuning", "prefix-tuning", "p-tuning-v2")
        for setting in ("epochs=1", "batch=8", "checks=1")
    ),
]
DEMO_PAGE = "demo.html"  # under the home


def compare(
    task: TaskName,
    methods: Annotated[
        str | None, typer.Option("--methods", help="Names with commas between; else all that fit.")
    ] = None,
    model: Several = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Repeats of methods that draw.")] = 1,
    examples: Annotated[
        str | None, typer.Option("--examples", help="Parts of train, for curves: 16,64,256,all.")
    ] = None,
    settings: Settings = None,
    budget: Spend = None,
    formats: Annotated[
        bool, typer.Option("--formats", help="Score written prompts in equivalent layouts too.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write it: FILE.html, .md, .csv, .tex, .json.")
    ] = None,
    without_inputs: WithoutInputs = False,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Tune several methods on one task and judge the differences; goes on where it stopped."""
    from afina.comparing import compare_lineup
    from afina.comparing_table import compared_json, compared_text, comparing_live
    from afina.formats import spreads
    from afina.lineup import Lineup, read_sizes
    from afina.page.writing import check_suffix, write_report
    from afina.routes import cheapest_first

    names = tuple(each.strip() for each in (methods or "").split(",") if each.strip())
    if methods is not None and not names:
        raise InputError(f"expected methods such as a,b, got {methods!r}; left out, all run")
    if report is not None:
        check_suffix(report)
    given = by_method(settings, list(names) or cheapest_first())
    lineup = Lineup(task, names, tuple(model or ()), seeds, read_sizes(examples), given)
    with comparing_live(command_line) as (watch, live):
        found = compare_lineup(
            store_at(home), lineup, models=models_at(home, budget), watch=watch, show=live
        )
        models = models_at(home, budget)
        spread = spreads(store_at(home), found, models) if formats else {}
    if report is not None:
        write_report(store_at(home), found, report, inputs=not without_inputs)
    show(compared_json(found, spread) if as_json else compared_text(found, spread))


def demo(home: Home = HOME, as_json: Json = False) -> None:
    """Compare every kind of prompt on an example task, offline, in minutes; writes a page."""
    if not (DEMO / "task.toml").is_file():
        raise InputError(f"no example task at {DEMO}; install Afina anew")
    page = home / DEMO_PAGE
    compare(
        str(DEMO), DEMO_METHODS, settings=DEMO_SETTINGS, report=page, home=home, as_json=as_json
    )
    if not as_json:
        show(f"all of it as a page: {page}")
