"""Programs: several prompts under a plain function, or one that reasons first."""

from typing import TYPE_CHECKING

from afina.job import Job, Made
from afina.making.retrieved import MULTI_HOP, opened
from afina.method_settings import known_settings, read_settings

if TYPE_CHECKING:
    from afina.program.multi_hop import MultiHopSettings
    from afina.program.program import Program
    from afina.retrieval.kept import Kept


def chain_of_thought(job: Job) -> Made:
    """The instruction, and reasoning in words before the answer."""
    return programmed(job, thinking(job))


def thinking(job: Job) -> "Program":
    """A program that reasons in words before it answers."""
    from afina.program.chain_of_thought import chain_of_thought as reasoning

    return reasoning(job.task.signature)


def multi_hop(job: Job) -> Made:
    """Passages of an index, searched for again by what was read."""
    program, kept = hopping(job)
    made = programmed(job, program)
    return Made(made.solver, {"index": kept.folder, "searched": kept.mode})


def hopping(job: Job) -> "tuple[Program, Kept]":
    """A program that searches an index again by what was read, and what is kept of the index."""
    from afina.program.multi_hop import multi_hop as hops
    from afina.retrieval.needed import need_rag

    need_rag()
    known = known_settings(MULTI_HOP)
    own = {name: value for name, value in job.settings.items() if name in known}
    settings: MultiHopSettings = read_settings(MULTI_HOP, own, job.seed)
    retriever, kept = opened(job, settings.index, settings.mode)
    return hops(job.task.signature, retriever, settings, vars(kept)), kept


def programmed(job: Job, program: "Program") -> Made:
    """A program on the job's language model."""
    from afina.program.program_solver import ProgramSolver

    return Made(ProgramSolver(program, job.lm(), job.model, job.task.words))
