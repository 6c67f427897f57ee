"""Afina's model of a cell of the grid: frozen, under a prompt of its method, ready to be trained.

Each method is built as ``afina tune`` builds it, from a task made of the grid's rows. Features are
nobody's task in Afina: their cells take a classification's prompt, and train it by a loss that
draws the features, as PEFT's side does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import freeze, kind_of
from afina.backbones.injection import Embeddings, Injection, Injections, slot
from afina.soft.answer import Answer, Answered, HeadAnswer, Writing
from afina.soft.learner import Learner, SoftPrompt
from afina.soft.multitask import SharedPrompt
from afina.soft.multitask_learner import MultiRead, MultitaskLearner
from afina.soft.prefix_init import at_sites
from afina.soft.reading import Read, Words
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.soft.span_answer import SpanAnswer
from afina.soft.token_answer import TokenAnswer
from afina.soft.token_reading import tags_of
from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.metrics import metric_named
from afina.task.sealed import SealedSplit
from afina.task.signature import Signature
from afina.task.splits import Manifest
from afina.task.task import Task
from afina.task.value import spans_of
from afina.training import task_group
from afina.training.answering import Prepared
from afina.training.multitask_run import MultitaskSettings, source_start
from afina.training.p_tuning_run import PTuningSettings, build_p
from afina.training.prefix_run import PrefixSettings, build_prefix
from afina.training.prompt_run import PromptTuningSettings, build_prompt
from benchmarks.grid_models import METHODS, OWN_ATTENTION, WRITTEN, model_of, tokenizer_of
from benchmarks.grid_rows import ROWS, Row

VIRTUAL = 4
NETWORK = 32  # width of a reparametrisation
STEPS = 3
NEW = 6  # generated tokens
TAGGED = "X"  # the one label of the spans: tags O, B-X, I-X


@dataclass(frozen=True)
class Case:
    """What a cell is about."""

    family: str
    task: str
    method: str

    @property
    def answer(self) -> str:
        """How Afina is asked to answer."""
        return "text" if self.task in WRITTEN else "head"


@dataclass(frozen=True)
class Asked:
    """A row, its prompt, and how it is answered."""

    read: Read
    injection: Injection | None
    answer: Answer


class Drawn(nn.Module):
    """Features, and the states they are the mean of; the loss draws them to drawn ones."""

    def __init__(self, labels: int, hidden: int) -> None:
        super().__init__()
        drawn = torch.randn(labels, hidden, generator=torch.Generator().manual_seed(2))
        self.register_buffer("drawn", drawn)

    def gather(self, backbone: Backbone, rows: Sequence[Read], injections: Injections) -> Tensor:
        """Features, then the states of the row's own tokens, ``[B, 1+T, H]``."""
        tokens = [row.tokens for row in rows]
        features = backbone.features(tokens, injections)
        return torch.cat([features[:, None], backbone.states(tokens, injections)], dim=1)

    def loss(self, gathered: Tensor, rows: Sequence[Read]) -> Tensor:
        wanted = self.get_buffer("drawn")[[row.label for row in rows]]
        return nn.functional.mse_loss(gathered[:, 0], wanted)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        """No value; the features are the evidence."""
        features = self.gather(backbone, rows, injections)[:, 0].tolist()
        return [("", {"features": each}) for each in features]


@dataclass(frozen=True)
class Made:
    """A cell's learner, with its rows and their answers; several tasks where the method mixes."""

    backbone: Backbone
    learner: Learner | MultitaskLearner
    prepared: Sequence[Prepared]  # a task each
    inputs: Sequence[Sequence[Values]]  # of each task's rows

    def rows(self) -> list[Read] | list[MultiRead]:
        """What the learner is trained on."""
        if isinstance(self.learner, Learner):
            return list(self.prepared[0].rows)
        return [
            MultiRead(row, task, place)
            for task, each in enumerate(self.prepared)
            for place, row in enumerate(each.rows)
        ]

    def injection(self, task: int) -> Injection:
        """A task's prompt as it is now."""
        with torch.no_grad():
            if isinstance(self.learner, MultitaskLearner):
                return self.learner.prompt.injection(task)
            assert isinstance(self.learner.prompt, SoftPrompt)
            return self.learner.prompt.injection()

    def answer(self, task: int) -> Answer:
        """How a task's rows are answered."""
        if isinstance(self.learner, MultitaskLearner):
            return self.learner.answer(task)
        assert isinstance(self.learner.answer, Answer)
        return self.learner.answer

    def asked(self) -> list[Asked]:
        """All rows under their prompts."""
        return [each for task in range(len(self.prepared)) for each in self.asked_of(task)]

    def asked_of(self, task: int) -> list[Asked]:
        """A task's rows, which share a prompt."""
        injection = self.injection(task)
        return [Asked(row, injection, self.answer(task)) for row in self.prepared[task].rows]

    def solver(self, task: int) -> SoftSolver:
        """What would be kept of a task; under features, a classification with their prompt."""
        each = self.prepared[task]
        return make_solver(
            self.backbone, each.reader, prompt=self.injection(task), answer=each.answer
        )


def make(case: Case) -> Made:
    """The case's learner on a fresh backbone, always with the same start."""
    backbone = backbone_for(case)
    mixes = case.method == "multitask"
    groups = [[row for row in ROWS if row.mixed == task] for task in (0, 1)] if mixes else [ROWS]
    tasks = [task_of(case, rows) for rows in groups]
    learner, prepared = learner_of(case, backbone, tasks)
    if case.task == "feature extraction":
        learner = with_answer(learner, Drawn(len(ROWS), backbone.frozen.hidden))
    return Made(
        backbone, learner, prepared, [[each.inputs for each in task.train] for task in tasks]
    )


def backbone_for(case: Case) -> Backbone:
    """The family's tiny model as Afina loads it: with its language-model head, or without any."""
    model = model_of(case.family, case.task if case.task in WRITTEN else "feature extraction")
    return backbone_of(
        freeze(
            f"grid:{case.family}",
            model,
            tokenizer_of(case.family),
            kind=kind_of(model.config),
            writes=case.task in WRITTEN,
        )
    )


def learner_of(
    case: Case, backbone: Backbone, tasks: Sequence[Task]
) -> tuple[Learner | MultitaskLearner, Sequence[Prepared]]:
    """The method's learner, and how its tasks' rows are read and answered."""
    match case.method:
        case "multitask":
            shared = MultitaskSettings(length=VIRTUAL, answer=case.answer, new_tokens=NEW)
            start = source_start(backbone, shared)
            group = task_group.build(tasks, backbone, start, shared, shared.rates)
            return group.learner, group.prepared
        case "prompt tuning":
            plain = PromptTuningSettings(length=VIRTUAL, answer=case.answer, new_tokens=NEW)
            built = build_prompt(tasks[0], backbone, plain)
        case "prefix" | "prefix with MLP":
            network = "mlp" if case.method.endswith("MLP") else "none"
            prefix = PrefixSettings(
                length=VIRTUAL, answer=case.answer, new_tokens=NEW, network=network, hidden=NETWORK
            )
            built = build_prefix(tasks[0], backbone, prefix)
        case "P-tuning MLP" | "P-tuning LSTM":
            placed = PTuningSettings(
                length=VIRTUAL,
                answer=case.answer,
                new_tokens=NEW,
                network=case.method.removeprefix("P-tuning ").lower(),
                hidden=NETWORK,
            )
            built = build_p(tasks[0], backbone, placed)
        case _:
            raise ValueError(f"expected one of {', '.join(METHODS)}, got {case.method!r}")
    return built.learner, [built.prepared]


def with_answer(
    learner: Learner | MultitaskLearner, answer: nn.Module
) -> Learner | MultitaskLearner:
    """The same prompt, every task answered otherwise."""
    backbone, prompt = learner.backbone, learner.prompt
    if isinstance(learner, Learner):
        return Learner(backbone, prompt, answer, rates=learner.rates)
    assert isinstance(prompt, SharedPrompt)
    answers = [answer for _ in learner.answers]
    return MultitaskLearner(backbone, prompt, answers, rates=learner.rates)


def task_of(case: Case, rows: Sequence[Row]) -> Task:
    """The rows as a task of Afina's."""
    examples = tuple(example_of(case, row) for row in rows)
    splits = {"train": examples, "dev": examples, "test": examples}
    manifest = Manifest.of(splits, 0, {})
    return Task(
        name="grid",
        signature=Signature.parse(signature_of(case, rows)),
        metric=metric_named("accuracy"),
        train=examples,
        dev=examples,
        test=SealedSplit(examples, manifest.digest),
        manifest=manifest,
        digest=manifest.digest,
    )


def signature_of(case: Case, rows: Sequence[Row]) -> str:
    match case.task:
        case "token classification":
            return f"words: list[str] -> spans: spans[{TAGGED}]"
        case "question answering":
            return "text -> answer: spans"
        case "causal LM" | "seq2seq LM":
            return "text -> answer"
    return f"text -> label: {' | '.join(sorted({label_of(row) for row in rows}))}"


def example_of(case: Case, row: Row) -> Example:
    words = row.text.split()
    answer: Value
    match case.task:
        case "token classification":
            tags = [tags_of([TAGGED])[tag] for tag in row.tags]
            return Example.of({"words": words}, {"spans": spans_of(tags, [TAGGED])})
        case "question answering":
            answer = " ".join(words[row.span[0] : row.span[1] + 1])
            return Example.of({"text": row.text}, {"answer": answer})
        case "causal LM" | "seq2seq LM":
            return Example.of({"text": row.text}, {"answer": row.target})
    return Example.of({"text": row.text}, {"label": label_of(row)})


def label_of(row: Row) -> str:
    return f"label {row.label}"


def train_a_little(made: Made) -> list[float]:
    """A few steps on all rows; the losses."""
    groups = [
        {"params": group.parameters, "lr": group.learning_rate} for group in made.learner.groups()
    ]
    optimizer = torch.optim.AdamW(groups)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = made.learner.loss(made.rows())  # type: ignore[arg-type]  # rows of its own kind
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def trained(case: Case) -> Made:
    """The case's learner after a few steps."""
    made = make(case)
    train_a_little(made)
    return made


@torch.no_grad()
def said(backbone: Backbone, asked: Sequence[Asked]) -> list[Tensor]:
    """What the rows are answered, by one pass for all: the scores that each answer is read off."""
    reads, injections = [each.read for each in asked], [each.injection for each in asked]
    answer = asked[0].answer
    if isinstance(answer, Writing):
        tokens, targets = [read.tokens for read in reads], [read.target for read in reads]
        gathered = backbone.token_likelihood(tokens, targets, injections)
    else:
        gathered = answer.gather(backbone, reads, injections)
    return [
        scores_of(each.answer, part, each.read)
        for part, each in zip(gathered.split(1), asked, strict=True)
    ]


def scores_of(answer: Answer, gathered: Tensor, read: Read) -> Tensor:
    """A row's scores without what is padded: of labels, tags or places; a text's, and their sum."""
    scores = gathered
    if isinstance(answer, HeadAnswer | TokenAnswer | SpanAnswer):
        scores = answer.head(gathered)
    match answer:
        case HeadAnswer():
            return scores[0]
        case TokenAnswer():
            assert isinstance(read.marks, Words)
            return scores[0, : len(read.marks.places)]
        case Writing():
            return torch.cat([scores[0, : len(read.target)], scores.sum(dim=1)])
        case SpanAnswer() | Drawn():
            return scores[0, : 1 + len(read.tokens)]
    raise AssertionError(answer)


def strangers(made: Made) -> list[Asked]:
    """Rows of other lengths under other methods' prompts, or under none."""
    backbone, like = made.backbone, made.asked()[0]
    width, generator = backbone.frozen.width, torch.Generator().manual_seed(3)
    words = [token for token in like.read.tokens if token >= 0]
    vectors = torch.randn(VIRTUAL + 3, width, generator=generator)
    rows: list[tuple[list[int], Injection | None]] = [
        ([*words, *words, *words], None),
        (words[:2], Embeddings(vectors)),
        ([slot(1), *words, slot(0)], Embeddings(vectors[:2], anywhere=True)),
    ]
    if backbone.frozen.model.config.model_type not in OWN_ATTENTION:
        read = backbone.read(words[:3])
        rows += [(words[1:], read), ([*words, *words], at_sites(read, [len(read.keys) - 1]))]
    target = [*like.read.target, *like.read.target[:2]]
    marks = Words([0]) if isinstance(like.read.marks, Words) else like.read.marks
    reads = [replace(like.read, tokens=tokens, target=target, marks=marks) for tokens, _ in rows]
    pairs = zip(reads, rows, strict=True)
    return [Asked(read, injection, like.answer) for read, (_, injection) in pairs]
