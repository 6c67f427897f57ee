"""What is made of a packed solver: the solver again, a file for others, a portrait, an ensemble."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from afina.errors import ArtefactError, InputError
from afina.models import Models, load_model
from afina.solver import Packed, Solver

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.retrieval.retriever import Retriever
    from afina.soft.portrait import Portrait

EXPORTS = ("peft", "prompt-embeds")


def restore(packed: Packed, models: Models = Models()) -> Solver:
    """The solver that was packed; its model is loaded by the name it was tuned under.

    Raises:
        ArtefactError: what is packed is damaged or of a kind this version does not know.
        MismatchError: the model of that name has other weights now.
    """
    load = models.load
    match packed.kind:
        case "majority":
            from afina.yardsticks.majority import unpack_majority

            return unpack_majority(packed)
        case "prompt":
            from afina.hard.prompt_solver import unpack_prompt

            return unpack_prompt(packed, models.lm(model_of(packed)), models.embedding)
        case "rag":
            from afina.hard.rag_solver import unpack_rag

            lm = models.lm(model_of(packed))
            return unpack_rag(packed, lm, lambda kept: index_kept(kept, models), models.embedding)
        case "program":
            from afina.program.program_solver import unpack_program

            lm = models.lm(model_of(packed))
            return unpack_program(packed, lm, lambda kept: index_kept(kept, models))
        case "soft":
            from afina.soft.soft_solver import unpack

            return unpack(packed, load(model_of(packed)))
        case "ensemble":
            from afina.soft.ensemble import unpack_ensemble

            return unpack_ensemble(packed, load(model_of(packed)))
        case "whole":
            from afina.training.full_run import unpack_whole

            return unpack_whole(packed, load_model(model_of(packed)))
    raise ArtefactError(f"expected a bundle of a known kind, got {packed.kind!r}; update afina")


def index_kept(origin: Mapping[str, object], models: Models) -> "Retriever":
    """The retriever of an index that a solver was measured with.

    Raises:
        InputError: it is gone, or the packages of retrieval are not installed.
        MismatchError: it holds other passages, or vectors of another model.
        ArtefactError: what was kept is garbled, or the index is damaged.
    """
    from afina.retrieval.needed import need_rag

    need_rag()
    from afina.retrieval.kept import kept_retriever

    return kept_retriever(origin, models.embedding)


def export_prompt(
    packed: Packed, form: str, out: Path, load: "Callable[[str], Backbone]" = load_model
) -> None:
    """Write a packed soft prompt for others: a folder of PEFT's, or a file for vLLM.

    Raises:
        InputError: there is no such form, no soft prompt, or the form has nothing of its kind.
        MismatchError: the model of that name has other weights now.
    """
    if form not in EXPORTS:
        raise InputError(f"expected --to {' or '.join(EXPORTS)}, got {form!r}")
    if packed.kind != "soft" or not {"prompt", "keys"} & set(packed.arrays):
        raise InputError("expected a run with a soft prompt; this one has none to export")
    from afina.soft.interchange import write_peft, write_prompt_embeds
    from afina.soft.soft_solver import unpack

    solver = unpack(packed, load(model_of(packed)))
    assert solver.prompt is not None
    if form == "peft":
        write_peft(solver.prompt, solver.backbone, folder=out)
    else:
        write_prompt_embeds(solver.prompt, solver.backbone, path=out)


def portrait_of(
    packed: Packed, load: "Callable[[str], Backbone]" = load_model
) -> "Portrait | None":
    """What can be seen of a packed soft prompt; None, and no model loaded, where there is none.

    Raises:
        ModelError: its model cannot be loaded.
        MismatchError: the model of that name has other weights now.
    """
    if packed.kind != "soft" or not {"prompt", "keys"} & set(packed.arrays):
        return None
    from afina.soft.portrait import portrait
    from afina.soft.soft_solver import unpack

    solver = unpack(packed, load(model_of(packed)))
    return None if solver.prompt is None else portrait(solver.prompt, solver.backbone.frozen)


def join(
    bundles: Sequence[Packed], how: str, load: "Callable[[str], Backbone]" = load_model
) -> Solver:
    """One solver of several packed soft prompts, whose model is loaded once.

    Raises:
        InputError: there are none, one is no soft prompt, or their answers cannot be joined.
        MismatchError: they belong to different models or signatures.
    """
    from afina.soft.ensemble import make_ensemble
    from afina.soft.soft_solver import unpack

    for packed in bundles:
        if packed.kind != "soft":
            raise InputError(f"expected soft prompts to join, got {packed.kind!r}; leave it out")
    loaded = cache(load)
    return make_ensemble([unpack(each, loaded(model_of(each))) for each in bundles], how)


def model_of(packed: Packed) -> str:
    """The name of the model a packed solver was tuned on."""
    name = packed.settings.get("model")
    if not isinstance(name, str):
        raise ArtefactError(f"the bundle names no model, but {name!r}; tune it anew")
    return name
