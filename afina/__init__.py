"""Afina finds the best prompt for a task on a frozen model.

Ten names, each loaded when it is first used, so that ``import afina`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from afina.backbones.backbone import load_backbone as load_backbone
    from afina.comparing import compare as compare
    from afina.evaluation.evaluate import evaluate as evaluate
    from afina.models import load_lm as load_lm
    from afina.task.example import Example as Example
    from afina.task.signature import Signature as Signature
    from afina.task.task import Task as Task
    from afina.task.task import load_task as load_task
    from afina.tuning import load as load
    from afina.tuning import tune as tune

ADDRESSES = {
    "Signature": "afina.task.signature",
    "Example": "afina.task.example",
    "Task": "afina.task.task",
    "load_task": "afina.task.task",
    "load_lm": "afina.models",
    "load_backbone": "afina.backbones.backbone",
    "tune": "afina.tuning",
    "evaluate": "afina.evaluation.evaluate",
    "compare": "afina.comparing",
    "load": "afina.tuning",
}
__version__ = "0.1.0"
__all__ = [*ADDRESSES, "__version__"]


def __getattr__(name: str) -> object:
    if name in ADDRESSES:
        return getattr(import_module(ADDRESSES[name]), name)
    raise AttributeError(f"module 'afina' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
