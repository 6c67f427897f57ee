"""Every method by its name: from a job to a solver; what one needs is imported when it runs."""

import difflib
from collections.abc import Callable
from functools import partial

from afina.errors import InputError
from afina.job import Job, Made
from afina.making.chained import DISTILL, READ_BACK, distill, read_back
from afina.making.multitask import MULTITASK, multitask_prompt_tuning
from afina.making.programs import chain_of_thought, multi_hop
from afina.making.retrieved import MULTI_HOP, RAG, rag
from afina.making.searched import SEARCHED
from afina.making.trained import BUILDERS, imported, soft
from afina.making.written import WRITTEN, few_shot, from_file, zero_shot
from afina.making.yardsticks import full_fine_tuning, linear_probe, majority
from afina.task.signature import FieldType, Text, TextList

METHODS: dict[str, Callable[[Job], Made]] = {
    "majority": majority,
    "linear-probe": linear_probe,
    "zero-shot": zero_shot,
    "few-shot": few_shot,
    WRITTEN: from_file,
    "chain-of-thought": chain_of_thought,
    RAG: rag,
    MULTI_HOP: multi_hop,
    **SEARCHED,
    **{name: partial(soft, build=build) for name, build in BUILDERS.items()},
    MULTITASK: multitask_prompt_tuning,
    DISTILL: distill,
    READ_BACK: read_back,
    "imported": imported,
    "full-fine-tuning": full_fine_tuning,
}
# Methods whose seed decides something; the others give one answer.
SEEDED = {"few-shot", "full-fine-tuning", MULTITASK, DISTILL, *BUILDERS, *SEARCHED}
WITHOUT_MODEL = {"majority"}
# Methods that need a model's weights, and those that have a model write.
WEIGHTS = {
    *("linear-probe", *BUILDERS, MULTITASK, DISTILL, READ_BACK),
    *("imported", "full-fine-tuning"),
}
WRITING = {*METHODS} - WITHOUT_MODEL - WEIGHTS | {DISTILL, READ_BACK}
READER, WRITER = "builtin:minilm", "builtin:tiny-decoder"


def usual_model(method: str, target: FieldType) -> str:
    """The built-in model that a method takes where none is named: one that writes, if it must."""
    return WRITER if method in WRITING or isinstance(target, Text | TextList) else READER


def method_named(name: str) -> Callable[[Job], Made]:
    """The method of this name.

    Raises:
        InputError: there is none; the nearest is named.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(METHODS)}"
    raise InputError(f"expected a method's name, got {name!r}; {hint}")
