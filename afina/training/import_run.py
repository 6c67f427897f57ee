"""A prompt that PEFT trained, with an answer of ours: nothing is trained but a head."""

from dataclasses import dataclass
from pathlib import Path

from afina.backbones.backbone import Backbone
from afina.errors import InputError
from afina.soft.interchange import read_peft
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.task.task import Task
from afina.training.answering import prepare
from afina.training.head_fit import Headed
from afina.training.linear_probe import fit_on_dev


@dataclass(frozen=True)
class ImportSettings:
    """Which prompt is taken over, and how it answers."""

    folder: str = ""  # PEFT's, with adapter_config.json
    number: int | None = None  # which task of a multitask prompt, from 0
    answer: str = "auto"  # head | words | text; auto: what the model and the target suggest
    new_tokens: int = 64  # longest text written

    @property
    def probe(self) -> float:
        """Strength of a head before dev chooses it."""
        return 0.01


def import_prompt(task: Task, backbone: Backbone, settings: ImportSettings) -> SoftSolver:
    """A solver with PEFT's prompt; a head is fitted to the features under it, as the probe's is.

    Raises:
        InputError: there is no adapter of a soft prompt, or the task cannot be answered so.
        MismatchError: it is of another model.
        ArtefactError: it is damaged or hostile.
    """
    if not settings.folder:
        raise InputError("expected folder=FOLDER, of an adapter that PEFT saved; got none")
    prompt = read_peft(Path(settings.folder), backbone, task=settings.number)
    prepared = prepare(task, backbone, settings, prompt)
    answer = prepared.answer
    if isinstance(answer, Headed):
        answer = fit_on_dev(task, backbone, prepared.reader, prepared.rows, prompt).answer
    return make_solver(backbone, prepared.reader, prompt=prompt, answer=answer)
