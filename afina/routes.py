"""Routes: which methods fit a task and a model, cheapest first, and why others do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from afina.making.multitask import MULTITASK
from afina.making.trained import BUILDERS
from afina.method_settings import defaults
from afina.methods import METHODS, WEIGHTS, WITHOUT_MODEL, WRITING, usual_model
from afina.models import Models, is_speaker
from afina.task.signature import FieldType, Text, TextList
from afina.task.task import Task

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone

# By what one run of each takes; a method that is not named asks a language model many times.
FIRST = (
    "majority",
    "linear-probe",
    "zero-shot",
    "few-shot",
    "written",
    "rag",
    "chain-of-thought",
    "multi-hop",
)
LAST = (*BUILDERS, "distill", "read-back", MULTITASK, "imported", "full-fine-tuning")
HEADED = {"linear-probe", "p-tuning-v2"}  # answer by a head alone
NEEDED = ("index", "source", "folder", "prompt")  # settings without which a method has nothing


@dataclass(frozen=True)
class Unfit:
    """A method that is left out on a model, and why."""

    method: str
    model: str
    reason: str

    def __str__(self) -> str:
        return f"{self.method}{f' on {self.model}' if self.model else ''}: {self.reason}"


def cheapest_first() -> list[str]:
    """Every method, by what a run of it takes."""
    asking = [name for name in METHODS if name not in FIRST and name not in LAST]
    return [name for name in (*FIRST, *asking, *LAST) if name in METHODS]


def fitting(
    task: Task,
    models: Models,
    names: Sequence[str],
    settings: Mapping[str, Mapping[str, object]],
    methods: Sequence[str] = (),
) -> tuple[list[str], list[Unfit]]:
    """The methods that fit on at least one of the models, and what does not fit.

    Without ``methods``: of all, cheapest first.
    """
    fit, unfit = [], []
    for method in methods or cheapest_first():
        found = [
            Unfit(method, name, reason)
            for name in names
            if (reason := why_not(method, task, models, name, settings.get(method, {})))
        ]
        unfit += found
        if len(found) < len(names):
            fit.append(method)
    return fit, unfit


def usual_models(task: Task, methods: Sequence[str]) -> tuple[str, ...]:
    """The built-in models for methods, or for all, where no model is named."""
    target = task.signature.target.type
    return tuple(sorted({usual_model(name, target) for name in methods or METHODS}))


def why_not(method: str, task: Task, models: Models, name: str, given: Mapping[str, object]) -> str:
    """Why a method cannot run on a task and a model, as far as that can be told; "" if it can."""
    if method in WITHOUT_MODEL:
        return ""
    own = {each.name: getattr(defaults(method), each.name) for each in fields(defaults(method))}
    for setting in (*NEEDED, *(["start"] if method == "read-back" else [])):
        if own.get(setting) == "" and not given.get(setting):
            return f"it needs --set {method}.{setting}=..."
    target = task.signature.target.type
    if is_speaker(name) or name in models.given:
        return "it works on weights, and this model has none here" if method in WEIGHTS else ""
    return why_not_here(method, target, models.load(name))


def why_not_here(method: str, target: FieldType, backbone: "Backbone") -> str:
    """Why a method cannot run on a model with weights here; "" if it can."""
    written = isinstance(target, Text | TextList)
    if method in WRITING:
        return "an encoder writes no text" if backbone.frozen.kind == "encoder" else ""
    if method in HEADED and written:
        return "it answers by a head, and the target is a text"
    if written and backbone.frozen.kind == "encoder":
        return "an encoder writes no text"
    return ""
