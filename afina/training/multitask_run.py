"""Multitask prompt tuning: teachers, the prompt their tasks share, then a target's prompt from it.

1. Plain prompt tuning on each source task gives its teacher.
2. The shared prompt and the sources' rank-one parts learn all tasks at once: ``loss = task loss +
   score_weight · KL(teacher's probabilities ‖ student's) + feature_weight · ‖features apart‖²``.
3. A target, or a group of targets, starts from the shared prompt and trains it with its own parts.

Wang, Panda, Karlinsky, Feris, Sun and Kim 2023, https://arxiv.org/abs/2303.02861. Each stage keeps
its checkpoints and, once finished, its result, so that a run that was killed redoes none. We differ
in the rates (in units of the model's word vectors, the rank-one parts slowly: they multiply) and in
starting all prompts from words of the vocabulary.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.errors import InputError, MismatchError
from afina.soft import init
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.lesson import Lesson, Weights, joined
from afina.soft.multitask_learner import Rates, Teaching
from afina.soft.reading import Read
from afina.soft.saying import Part, say
from afina.soft.soft_solver import SoftSolver, batches_by_length, unpack
from afina.solver import Packed
from afina.task.task import Task
from afina.training.answering import Prepared
from afina.training.checkpoint import Checkpoints
from afina.training.finished import Finished, keep, kept
from afina.training.prompt_run import PromptTuningSettings, tune_prompt
from afina.training.scoring import dev_score
from afina.training.task_group import build, train_group
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch

Keepers = Callable[[str], Checkpoints]  # where a stage of this name keeps its files
TEACHABLE = (HeadAnswer, LabelWords, Writing)


@dataclass(frozen=True)
class MultitaskSettings:
    """What multitask prompt tuning trains, and from where."""

    source: str = ""  # tasks to train the shared prompt on: folders or Hub names, commas between
    start: str = ""  # in place of sources: the folder of another multitask run
    length: int = 20  # trained vectors, 1 upward
    answer: str = "auto"  # head | words | text; auto: what the model and the targets suggest
    rate: float = 0.05  # learning rate of a task's own rank-one part, whose start is 1
    shared_rate: float = 0.3  # learning rate of the shared vectors, in units of word vectors
    head_rate: float = 0.005  # learning rate of the heads
    probe: float = 0.01  # strength (C) of the logistic regression the heads start from
    new_tokens: int = 64  # longest text written
    temperature: float = 2.0  # a source of n rows is drawn n ** (1 / temperature) times as often
    score_weight: float = 0.9  # what the distance from the teachers' probabilities counts
    feature_weight: float = 0.9  # what the distance from their features counts
    teacher_epochs: int | None = None  # passes of a teacher; None: as TrainSettings has it
    source_epochs: int | None = None  # passes of the shared prompt over its sources
    train: TrainSettings = field(default_factory=TrainSettings)

    @property
    def rates(self) -> Rates:
        return Rates(self.shared_rate, self.rate, self.head_rate)

    def teacher(self) -> PromptTuningSettings:
        """A teacher's settings: plain prompt tuning's, of the same length and answer."""
        return PromptTuningSettings(
            length=self.length,
            answer=self.answer,
            head_rate=self.head_rate,
            probe=self.probe,
            new_tokens=self.new_tokens,
            train=replace(self.train, epochs=self.teacher_epochs),
        )


@dataclass(frozen=True)
class Shared:
    """A prompt that tasks share ``[P, H]``, where a target starts, and how it was made."""

    vectors: Tensor
    facts: Mapping[str, Any] = field(default_factory=dict)  # plain JSON


def train_shared(
    sources: Sequence[Task],
    backbone: Backbone,
    settings: MultitaskSettings,
    *,
    keepers: Keepers,
    watch: Watch,
) -> Shared:
    """Train a teacher a source, then the prompt that all sources share.

    Raises:
        InputError: there are no sources, one comes twice, or one has no probabilities to learn.
        ModelError: the model cannot answer a source in the way asked for, or has no room.
    """
    check_sources(sources)
    done = kept(keepers("shared"))
    if done is None:
        done = _trained(sources, backbone, settings, keepers, watch)
        keep(keepers("shared"), done)
    check_same_data(done.facts["sources"], sources)
    return Shared(torch.from_numpy(done.packed.arrays["shared"].copy()), done.facts)


def _trained(
    sources: Sequence[Task],
    backbone: Backbone,
    settings: MultitaskSettings,
    keepers: Keepers,
    watch: Watch,
) -> Finished:
    """The shared prompt, from nothing."""
    group = build(sources, backbone, source_start(backbone, settings), settings, settings.rates)
    for task, prepared in zip(sources, group.prepared, strict=True):
        check_teachable(task, prepared)
    teachers = [
        teacher_of(task, backbone, settings, keepers=keepers, number=number, watch=watch)
        for number, task in enumerate(sources)
    ]
    weights = Weights(settings.score_weight, settings.feature_weight)
    lessons = [
        lessons_of(teacher, prepared.rows, features=weights.features > 0)
        for (teacher, _), prepared in zip(teachers, group.prepared, strict=True)
    ]
    group.learner.teaching = Teaching(lessons, weights)
    watch.note(f"the prompt that {', '.join(task.name for task in sources)} share")
    loop = replace(settings.train, epochs=settings.source_epochs)
    outcome = train_group(group, loop, settings.temperature, keeper=keepers("sources"), watch=watch)
    facts = {
        "sources": [
            {"task": task.name, "data": task.digest, "teacher": teacher, "shared": score}
            for task, (_, teacher), score in zip(sources, teachers, group.scores(), strict=True)
        ],
        "source_curve": told(outcome),
    }
    vectors = group.learner.prompt.folded().cpu().numpy()
    return Finished(Packed("shared", {}, {"shared": vectors}), facts)


def adapt(
    target: Task,
    backbone: Backbone,
    shared: Shared,
    settings: MultitaskSettings,
    *,
    keeper: Checkpoints,
    watch: Watch,
) -> tuple[SoftSolver, Outcome]:
    """Train a target's prompt from a shared one."""
    (solver,), outcome = adapt_group(
        [target], backbone, shared, settings, keeper=keeper, watch=watch
    )
    return solver, outcome


def adapt_group(
    targets: Sequence[Task],
    backbone: Backbone,
    shared: Shared,
    settings: MultitaskSettings,
    *,
    keeper: Checkpoints,
    watch: Watch,
) -> tuple[list[SoftSolver], Outcome]:
    """Train several targets' prompts at once from a shared one, which all of them move.

    The best is of the mean of their dev scores. A trained head is set beside heads fitted anew to
    the features under the trained prompt; dev decides.

    Raises:
        InputError: there are no targets, or the shared prompt is of another length or width.
    """
    if not targets:
        raise InputError("expected one target or more to adapt the shared prompt to, got none")
    start = check_shared(shared.vectors, backbone, settings)
    group = build(targets, backbone, start, settings, settings.rates)
    outcome = train_group(group, settings.train, settings.temperature, keeper=keeper, watch=watch)
    solvers = [group.best_solver(number) for number in range(len(targets))]
    return [replace(solver, shared=shared.vectors) for solver in solvers], outcome


def teacher_of(
    task: Task,
    backbone: Backbone,
    settings: MultitaskSettings,
    *,
    keepers: Keepers,
    number: int,
    watch: Watch,
) -> tuple[SoftSolver, float]:
    """A source's teacher and its dev score; one that is finished is loaded."""
    stage = f"teacher-{number}"
    done = kept(keepers(f"{stage}-done"))
    if done is None:
        watch.note(f"the teacher of {task.name}")
        solver, _ = tune_prompt(
            task, backbone, settings.teacher(), keeper=keepers(stage), watch=watch
        )
        facts = {"score": dev_score(solver, task), "data": task.digest}
        done = Finished(solver.pack(), facts)
        keep(keepers(f"{stage}-done"), done)
    check_same_data([done.facts], [task])
    return unpack(done.packed, backbone), done.facts["score"]


def lessons_of(teacher: SoftSolver, rows: Sequence[Read], *, features: bool) -> Lesson:
    """What a teacher says of a task's rows, each at its row's place; no gradients."""
    batches = batches_by_length(rows)
    with torch.no_grad():
        found = [
            say(
                teacher.backbone,
                [Part(teacher.answer, [rows[place] for place in places], teacher.ready)],
                features=features,
            )[0].lesson
            for places in batches
        ]
    order = [place for places in batches for place in places]
    return joined(found).at(sorted(range(len(order)), key=order.__getitem__))


def source_start(backbone: Backbone, settings: MultitaskSettings) -> Tensor:
    """Words of the vocabulary ``[P, H]``, the same that the teachers start from.

    Raises:
        InputError: the length is below 1.
    """
    if settings.length < 1:
        raise InputError(f"expected a prompt of 1 vector or more, got length {settings.length}")
    generator = torch.Generator().manual_seed(settings.train.seed)
    return init.from_vocabulary(backbone.frozen, settings.length, generator)


def shared_in(packed: Packed, backbone: Backbone) -> Shared:
    """The shared prompt of another multitask run.

    Raises:
        InputError: what was packed holds none.
        MismatchError: it belongs to other weights.
    """
    if "shared" not in packed.arrays:
        raise InputError(
            f"expected the run of a multitask prompt to start from, got a {packed.kind} bundle "
            "without a shared prompt; name one, or give sources"
        )
    init.check_same_weights(backbone.frozen, packed)
    return Shared(torch.from_numpy(packed.arrays["shared"].copy()))


def check_shared(vectors: Tensor, backbone: Backbone, settings: MultitaskSettings) -> Tensor:
    """A shared prompt that fits the model and the settings.

    Raises:
        InputError: it has another length or width.
    """
    wanted = (settings.length, backbone.frozen.width)
    if tuple(vectors.shape) != wanted:
        raise InputError(
            f"expected a shared prompt of length and width {wanted}, got {tuple(vectors.shape)}; "
            "set length as it was when the shared prompt was trained, on the same model"
        )
    return vectors.float()


def check_sources(sources: Sequence[Task], target: Task | None = None) -> None:
    """Refuse sources that are none, or the same data twice, or the target's own.

    Raises:
        InputError: they are.
    """
    if not sources:
        raise InputError(
            "expected tasks to train the shared prompt on, or a run to start from; "
            "set source=A,B (folders or Hub names) or start=RUN (its folder)"
        )
    seen = {} if target is None else {target.digest: "the target"}
    for number, task in enumerate(sources, start=1):
        if task.digest in seen:
            raise InputError(
                f"expected sources with data of their own, got {task.name!r} as source {number} "
                f"and as {seen[task.digest]}; leave one out"
            )
        seen[task.digest] = f"source {number}"


def check_same_data(facts: Sequence[Mapping[str, Any]], sources: Sequence[Task]) -> None:
    """Refuse to go on with what was learned from other data.

    Raises:
        MismatchError: the data of a source is not what it was, or there are other sources.
    """
    before, now = [each["data"] for each in facts], [task.digest for task in sources]
    if before != now:
        raise MismatchError(
            f"the run was made with sources whose data is {[each[:12] for each in before]}, not "
            f"{[each[:12] for each in now]}; set them as they were, or start another run"
        )


def check_teachable(task: Task, prepared: Prepared) -> None:
    """Refuse a source whose answers have no probabilities that a student could learn.

    Raises:
        InputError: its answers are no labels or texts.
    """
    if not isinstance(prepared.answer, TEACHABLE):
        raise InputError(
            f"expected sources whose targets are a choice of labels or a text, got "
            f"{str(task.signature.target)!r} of {task.name}; leave that source out"
        )


def told(outcome: Outcome) -> dict[str, Any]:
    """A curve, as plain JSON."""
    moment = outcome.moment
    return {
        "steps": moment.step,
        "best_step": moment.best_step,
        "losses": list(moment.losses),
        "scores": [list(each) for each in moment.scores],
    }
