"""Every method by its name: from a job to a solver; what one needs is imported when it runs."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from afina.disk import Disk, write_fault
from afina.errors import AfinaError, InputError
from afina.method_settings import read_settings
from afina.solver import Packed, Solver
from afina.task.pinned import named_tasks, pinned
from afina.task.signature import Choice
from afina.task.task import Task, load_task
from afina.training.watch import Watch

if TYPE_CHECKING:
    from afina.backbones.backbone import Backbone
    from afina.hard.interchange.prompt_file import WrittenSettings
    from afina.hard.prompt import Prompt
    from afina.hard.rag import RagSettings
    from afina.hard.selection import FewShotSettings, Selection
    from afina.lm.lm import LM
    from afina.program.multi_hop import MultiHopSettings
    from afina.program.program import Program
    from afina.retrieval.embedding import Embedding
    from afina.retrieval.kept import Kept
    from afina.retrieval.retriever import Retriever
    from afina.training.checkpoint import Checkpoints
    from afina.training.doctor import Diagnosis, Finding
    from afina.training.full_run import FullSettings
    from afina.training.import_run import ImportSettings
    from afina.training.multitask_run import MultitaskSettings
    from afina.training.p_tuning_run import PTuningSettings
    from afina.training.prefix_run import PrefixSettings
    from afina.training.prompt_run import PromptTuningSettings
    from afina.training.soft_run import Built
    from afina.training.train import Outcome

MULTITASK = "multitask-prompt-tuning"
RAG = "rag"
WRITTEN = "written"
MULTI_HOP = "multi-hop"
RETRIEVING = (RAG, MULTI_HOP)


def no_lm() -> "LM":
    raise AssertionError("this job has no language model")


def no_embedding(name: str) -> "Embedding":
    raise AssertionError(f"this job has no model of vectors, not even {name}")


@dataclass(frozen=True)
class Job:
    """What a method is given: a task without its test rows, a model, and where to keep its state.

    ``backbone`` loads the model, or hands out the one already loaded, and ``lm`` the same to be
    asked in words. By a name ``embedding`` gives a model of vectors, ``bundle`` what another run
    has kept, ``source`` a task to learn from.
    """

    task: Task
    model: str
    backbone: "Callable[[], Backbone]"
    bundle: Callable[[str], Packed]
    folder: Path
    seed: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    disk: Disk = field(default_factory=Disk)
    source: Callable[[str], Task] = load_task
    lm: "Callable[[], LM]" = no_lm
    embedding: "Callable[[str], Embedding]" = no_embedding


@dataclass(frozen=True)
class Made:
    """A solver, and what is to be remembered of its making (plain JSON)."""

    solver: Solver
    facts: Mapping[str, object] = field(default_factory=dict)


def majority(job: Job) -> Made:
    from afina.yardsticks.majority import most_common

    return Made(most_common(job.task))


def linear_probe(job: Job) -> Made:
    from afina.training.linear_probe import probe

    solver, strength = probe(job.task, job.backbone())
    return Made(solver, {"strength": strength})


def full_fine_tuning(job: Job) -> Made:
    from afina.backbones.backbone import load_backbone
    from afina.training.full_run import fine_tune

    settings: FullSettings = read_settings("full-fine-tuning", job.settings, job.seed)
    own = load_backbone(job.model)  # its weights will move, so it is nobody else's
    keeper = checkpoints(job, own)
    solver, outcome = fine_tune(job.task, own, settings, keeper=keeper, watch=job.watch)
    return Made(solver, curve(outcome))


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


def opened(job: Job, name: str, mode: str) -> "tuple[Retriever, Kept]":
    """The index of a name to be searched in a mode, or in its best, and what is kept of it."""
    from afina.retrieval.indexing import to_search
    from afina.retrieval.kept import Kept, index_folder

    wanted = None if mode == "auto" else mode
    index = to_search(index_folder(name), wanted, job.embedding)
    kept = Kept.of(index, index.chosen(wanted))
    return index.retriever(kept.mode), kept


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


def written(job: Job, prompt: "Prompt", selection: "Selection | None" = None) -> Made:
    from afina.hard.prompt_solver import PromptSolver

    lm, words = job.lm(), job.task.words
    return Made(PromptSolver(prompt, lm, job.model, words, selection=selection))


def build_prompt_tuning(job: Job, backbone: "Backbone") -> "Built":
    from afina.soft.init import STARTS
    from afina.training.prompt_run import build_prompt

    settings: PromptTuningSettings = read_settings("prompt-tuning", job.settings, job.seed)
    other = None if settings.start in STARTS else job.bundle(settings.start)
    return build_prompt(job.task, backbone, settings, other)


def build_prefix_tuning(job: Job, backbone: "Backbone", method: str) -> "Built":
    from afina.soft.prefix_init import STARTS
    from afina.training.prefix_run import build_prefix

    settings: PrefixSettings = read_settings(method, job.settings, job.seed)
    other = None if settings.start in STARTS else job.bundle(settings.start)
    return build_prefix(job.task, backbone, settings, other)


def build_p_tuning(job: Job, backbone: "Backbone") -> "Built":
    from afina.soft.init import STARTS
    from afina.training.p_tuning_run import build_p

    settings: PTuningSettings = read_settings("p-tuning", job.settings, job.seed)
    other = None if settings.start in STARTS else job.bundle(settings.start)
    return build_p(job.task, backbone, settings, other)


BUILDERS: "dict[str, Callable[[Job, Backbone], Built]]" = {
    "prompt-tuning": build_prompt_tuning,
    "p-tuning": build_p_tuning,
    "prefix-tuning": partial(build_prefix_tuning, method="prefix-tuning"),
    "p-tuning-v2": partial(build_prefix_tuning, method="p-tuning-v2"),
}


def soft(job: Job, build: "Callable[[Job, Backbone], Built]") -> Made:
    """Train one soft prompt.

    Raises:
        AfinaError: the loss is no finite number, or the frozen weights changed.
    """
    (made,) = together([job], build)
    if isinstance(made, AfinaError):
        raise made
    return made


def together(
    jobs: Sequence[Job], build: "Callable[[Job, Backbone], Built]"
) -> list[Made | AfinaError]:
    """Train soft prompts of one task and model by one pass a step; state lies with the first.

    One whose loss is no finite number gives its error, and the others go on.

    Raises:
        AfinaError: the frozen weights changed.
    """
    from afina.backbones.frozen import digest_of
    from afina.training.doctor import answers, look
    from afina.training.soft_run import tune_together

    first = jobs[0]
    backbone = first.backbone()
    before = backbone.frozen.digest
    builts = [build(job, backbone) for job in jobs]
    warn(first.watch, look(builts[0]))
    tuned = tune_together(
        first.task,
        builts,
        keeper=checkpoints(first, backbone),
        watch=first.watch,
    )
    if digest_of(backbone.frozen.model) != before:
        raise AfinaError("the frozen weights changed while tuning; the prompt is not kept")
    if isinstance(first.task.signature.target.type, Choice):
        warn(first.watch, [answers(first.task, solver) for solver, _ in tuned])
    return [
        AfinaError(outcome.failure) if outcome.failure else Made(solver, curve(outcome))
        for solver, outcome in tuned
    ]


def warn(watch: Watch, findings: "Iterable[Finding]") -> None:
    """Tell of what the doctor found wanting."""
    for finding in findings:
        if not finding.fine:
            watch.note(f"{finding.name}: {finding.text}")


def examine(job: Job, method: str) -> "Diagnosis":
    """What the doctor says of a method on a task and a model; nothing is kept.

    Raises:
        InputError: the method trains no soft prompt.
    """
    if method not in BUILDERS:
        raise InputError(
            f"expected a method that trains a soft prompt, got {method!r}; "
            f"there are {', '.join(BUILDERS)}"
        )
    from afina.training import doctor

    def build(task: Task, rate: float | None) -> "Built":
        settings = job.settings if rate is None else {**job.settings, "rate": rate}
        return BUILDERS[method](replace(job, task=task, settings=settings), backbone)

    backbone = job.backbone()
    return doctor.examine(job.task, build)


def multitask_prompt_tuning(job: Job) -> Made:
    """Train the prompt that source tasks share, or take another run's, and adapt it to the task.

    Raises:
        InputError: there are neither sources nor a run to start from, or the target is a source.
        MismatchError: a source's data changed, or the run to start from is of another model.
        AfinaError: the frozen weights changed.
    """
    from afina.backbones.frozen import digest_of
    from afina.training import multitask_run

    settings: MultitaskSettings = read_settings(MULTITASK, job.settings, job.seed)
    one_origin(settings.source, settings.start)
    backbone = job.backbone()
    before = backbone.frozen.digest
    if settings.start:
        shared = multitask_run.shared_in(job.bundle(settings.start), backbone)
    else:
        sources = named_tasks(settings.source, job.source)
        multitask_run.check_sources(sources, job.task)
        shared = multitask_run.train_shared(
            sources,
            backbone,
            settings,
            keepers=lambda stage: checkpoints(job, backbone, stage),
            watch=job.watch,
        )
    keeper = checkpoints(job, backbone)
    solver, outcome = multitask_run.adapt(
        job.task, backbone, shared, settings, keeper=keeper, watch=job.watch
    )
    if digest_of(backbone.frozen.model) != before:
        raise AfinaError("the frozen weights changed while tuning; the prompt is not kept")
    return Made(solver, {**curve(outcome), **shared.facts})


def one_origin(source: str, start: str) -> None:
    """Refuse a shared prompt that comes from nowhere, or from two places.

    Raises:
        InputError: it does.
    """
    if bool(source.strip(", ")) == bool(start):
        raise InputError(
            f"expected source=A,B (tasks to learn a shared prompt from) or start=RUN (the folder "
            f"of a run that has one), got source {source!r} and start {start!r}; give one of them"
        )


def pinned_sources(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings whose sources are named with the digests of their data, which decide the result.

    Raises:
        InputError: there are neither sources nor a run to start from, or there are both.
        MismatchError: the data of one changed.
    """
    source = str(settings.get("source", ""))
    one_origin(source, str(settings.get("start", "")))
    return {**settings, "source": pinned(source)} if source else dict(settings)


def imported(job: Job) -> Made:
    """A prompt that PEFT trained, with an answer of ours."""
    from afina.training.import_run import import_prompt

    settings: ImportSettings = read_settings("imported", job.settings, job.seed)
    return Made(import_prompt(job.task, job.backbone(), settings))


METHODS: dict[str, Callable[[Job], Made]] = {
    "majority": majority,
    "linear-probe": linear_probe,
    "zero-shot": zero_shot,
    "few-shot": few_shot,
    WRITTEN: from_file,
    "chain-of-thought": chain_of_thought,
    RAG: rag,
    MULTI_HOP: multi_hop,
    **{name: partial(soft, build=build) for name, build in BUILDERS.items()},
    MULTITASK: multitask_prompt_tuning,
    "imported": imported,
    "full-fine-tuning": full_fine_tuning,
}
SEEDED = {"few-shot", "full-fine-tuning", MULTITASK, *BUILDERS}  # the others give one answer
WITHOUT_MODEL = {"majority"}


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


def checkpoints(job: Job, backbone: "Backbone", stage: str = "checkpoints") -> "Checkpoints":
    """Where a run of a model keeps its checkpoints, or those of one of its stages."""
    from afina.training.checkpoint import Checkpoints

    folder = job.folder / stage
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise write_fault(folder, error, 0) from error
    return Checkpoints(folder, job.disk, weights=backbone.frozen.digest)


def curve(outcome: "Outcome") -> dict[str, object]:
    moment = outcome.moment
    return {
        "steps": moment.step,
        "steps_planned": outcome.steps,
        "best_step": moment.best_step,
        "losses": list(moment.losses),
        "scores": [list(each) for each in moment.scores],
    }
