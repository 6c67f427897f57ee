"""Programs: several prompts under a plain function, or one that reasons first."""

from typing import TYPE_CHECKING

from afina.job import Job, Made
from afina.making.retrieved import MULTI_HOP, opened
from afina.method_settings import read_settings

if TYPE_CHECKING:
    from afina.program.multi_hop import MultiHopSettings
    from afina.program.program import Program


def chain_of_thought(job: Job) -> Made:
    """The instruction, and reasoning in words before the answer."""
    from afina.program.chain_of_thought import chain_of_thought as thinking

    return programmed(job, thinking(job.task.signature))


def multi_hop(job: Job) -> Made:
    """Passages of an index, searched for again by what was read."""
    from afina.program.multi_hop import multi_hop as hopping
    from afina.retrieval.needed import need_rag

    need_rag()
    settings: MultiHopSettings = read_settings(MULTI_HOP, job.settings, job.seed)
    retriever, kept = opened(job, settings.index, settings.mode)
    program = hopping(job.task.signature, retriever, settings, vars(kept))
    made = programmed(job, program)
    return Made(made.solver, {"index": kept.folder, "searched": kept.mode})


def programmed(job: Job, program: "Program") -> Made:
    """A program on the job's language model."""
    from afina.program.program_solver import ProgramSolver

    return Made(ProgramSolver(program, job.lm(), job.model, job.task.words))
