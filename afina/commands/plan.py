"""The command that looks ahead: what the data can settle, and what each route will take."""

from typing import Annotated

import typer

from afina.commands.arguments import (
    HOME,
    Home,
    Json,
    Settings,
    Several,
    TaskName,
    by_method,
)
from afina.commands.home import models_at, store_at
from afina.commands.printing import show


def plan(
    task: TaskName,
    methods: Annotated[
        str | None, typer.Option("--methods", help="Names with commas between; else all that fit.")
    ] = None,
    model: Several = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Repeats of methods that draw.")] = 1,
    settings: Settings = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Tell what a comparison could settle and would take, before anything runs."""
    from afina.lineup import Lineup
    from afina.plan import plan as planned
    from afina.plan_table import plan_text
    from afina.routes import cheapest_first

    names = tuple(each.strip() for each in (methods or "").split(",") if each.strip())
    given = by_method(settings, list(names) or cheapest_first())
    lineup = Lineup(task, names, tuple(model or ()), seeds, (0,), given)
    found = planned(store_at(home), lineup, models=models_at(home))
    show(found.to_json() if as_json else plan_text(found))
