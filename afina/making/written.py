"""Written prompts: the instruction, examples beside it, or all of it from a file."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from afina.job import Job, Made
from afina.method_settings import read_settings

if TYPE_CHECKING:
    from afina.hard.interchange.prompt_file import WrittenSettings
    from afina.hard.prompt import Prompt
    from afina.hard.selection import FewShotSettings, Selection

WRITTEN = "written"


def zero_shot(job: Job) -> Made:
    from afina.hard.prompt import Prompt

    return written(job, Prompt.of(job.task.signature))


def few_shot(job: Job) -> Made:
    """Examples of train in the prompt: the same for all rows, or chosen anew for each."""
    from afina.hard.prompt import Prompt
    from afina.hard.selection import Selection

    settings: FewShotSettings = read_settings("few-shot", job.settings, job.seed)
    signature, pool = job.task.signature, job.task.train
    selection = Selection.of(signature, pool, settings, seed=job.seed, load=job.embedding)
    shown = selection.same_for_all
    if shown is None:
        return written(job, Prompt.of(signature), selection)
    return written(job, Prompt.of(signature, shown))


def from_file(job: Job) -> Made:
    """A prompt that stands in a file, of ours or another tool's."""
    from afina.hard.interchange.prompt_file import taken

    settings: WrittenSettings = read_settings(WRITTEN, job.settings, job.seed)
    return written(job, taken(settings, job.task.signature, job.task.words))


def pinned_prompt(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings whose file is named with the digest of what it holds, which decides the result.

    Raises:
        InputError: there is no such file, or none is named.
    """
    from afina.hard.interchange import prompt_file

    return {**settings, "prompt": prompt_file.pinned_prompt(str(settings.get("prompt", "")))}


def written(job: Job, prompt: "Prompt", selection: "Selection | None" = None) -> Made:
    from afina.hard.prompt_solver import PromptSolver

    lm, words = job.lm(), job.task.words
    return Made(PromptSolver(prompt, lm, job.model, words, selection=selection))
