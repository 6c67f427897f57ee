"""Prompts with passages of an index."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from afina.job import Job, Made
from afina.method_settings import PROGRAM, read_settings
from afina.solver import Solver

if TYPE_CHECKING:
    from afina.hard.rag import RagSettings
    from afina.retrieval.kept import Kept
    from afina.retrieval.retriever import Retriever

RAG = "rag"
MULTI_HOP = "multi-hop"


def rag(job: Job) -> Made:
    """Passages of an index in the prompt, found anew for each row."""
    from afina.hard.prompt_solver import PromptSolver
    from afina.hard.rag import query_field, rag_prompt
    from afina.hard.rag_solver import RagSolver, Search
    from afina.retrieval.needed import need_rag

    need_rag()
    settings: RagSettings = read_settings(RAG, job.settings, job.seed)
    prompt = rag_prompt(job.task.signature, settings.into)
    query = query_field(job.task.signature, settings.query, settings.into)
    retriever, kept = opened(job, settings.index, settings.mode)
    place = prompt.signature.inputs[0].name
    search = Search(retriever, query, place, settings.k, vars(kept))
    asking = PromptSolver(prompt, job.lm(), job.model, job.task.words)
    return Made(RagSolver(asking, search), {"index": kept.folder, "searched": kept.mode})


def retrieves(method: str, settings: Mapping[str, object]) -> bool:
    """Whether a method with such settings reads an index."""
    return method in (RAG, MULTI_HOP) or settings.get(PROGRAM) == MULTI_HOP


def opened(job: Job, name: str, mode: str) -> "tuple[Retriever, Kept]":
    """The index of a name to be searched in a mode, or in its best, and what is kept of it."""
    from afina.retrieval.indexing import to_search
    from afina.retrieval.kept import Kept, index_folder

    wanted = None if mode == "auto" else mode
    index = to_search(index_folder(name), wanted, job.embedding)
    kept = Kept.of(index, index.chosen(wanted))
    return index.retriever(kept.mode), kept


def pinned_retrieval(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings whose index is named with the digest of what it holds, which decides the result.

    Raises:
        InputError: there is no such index, or none is named.
        MismatchError: it holds other passages now.
        ArtefactError: it is damaged.
    """
    from afina.retrieval.needed import need_rag

    need_rag()
    from afina.retrieval.kept import pinned_index

    return {**settings, "index": pinned_index(str(settings.get("index", "")))}


def without_retrieval(solver: Solver) -> Solver | None:
    """The same task and model without passages; None where a solver retrieves none."""
    from afina.hard.rag_solver import RagSolver

    return solver.without_retrieval if isinstance(solver, RagSolver) else None
