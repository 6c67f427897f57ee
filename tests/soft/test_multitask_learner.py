"""A batch of many tasks: each row under its task's prompt, each answer on its own rows."""

import pytest
import torch
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.soft.answer import HeadAnswer, LabelWords, Writing
from afina.soft.heads import ClassificationHead
from afina.soft.lesson import Weights
from afina.soft.multitask import SharedPrompt
from afina.soft.multitask_learner import MultiRead, MultitaskLearner, Rates, Teaching
from afina.soft.reading import Read
from afina.soft.saying import Part, gathered, say
from tests.tiny import shared, tiny

RATES = Rates(0.1, 0.2, 0.3)
WAYS = [("bert", "head"), ("albert", "head"), ("roberta", "words"), ("gpt2", "head")]
WAYS += [
    ("llama", "words"),
    ("llama", "mixed"),
    ("gpt2", "text"),
    ("t5", "text"),
    ("bart", "words"),
]


def answers(kind: str, backbone: Backbone) -> list[nn.Module]:
    """Three tasks' answers, of two, three and four labels."""
    generator = torch.Generator().manual_seed(3)
    made: list[nn.Module] = []
    for classes in (2, 3, 4):
        labels = tuple("abcd"[:classes])
        weight = torch.randn(classes, backbone.frozen.hidden, generator=generator)
        longer = [] if backbone.frozen.kind == "encoder" else [7]
        match kind:
            case "head":
                made.append(HeadAnswer(ClassificationHead(weight, torch.zeros(classes)), labels))
            case "words":
                made.append(LabelWords(labels, [[20 + n, *longer] for n in range(classes)]))
            case "text":
                made.append(Writing(3))
            case "mixed":
                words = [[20 + n, *longer] for n in range(classes)]
                made.append(Writing(3) if classes == 3 else LabelWords(labels, words))
    return made


def rows(backbone: Backbone, kind: str) -> list[MultiRead]:
    """Two to four rows of each of three tasks, in turn, of lengths of their own."""
    tail = (
        [backbone.frozen.tokenizer.mask_token_id]
        if (kind, backbone.frozen.kind)
        == (
            "words",
            "encoder",
        )
        else []
    )
    found = []
    for number in range(9):
        task = number % 3 if number < 6 else 2
        place = number // 3 if number < 6 else number - 4
        target = [8 + number, 9, 10][: 1 + number % 3]
        read = Read([6 + number, *[7] * (number % 4), *tail], target=target, label=number % 2)
        found.append(MultiRead(read, task, place))
    return found


def learner(
    backbone: Backbone, kind: str, *, teaching: Teaching | None = None, seed: int = 1
) -> MultitaskLearner:
    """Parts that differ from task to task."""
    generator = torch.Generator().manual_seed(seed)
    prompt = SharedPrompt(
        torch.randn(3, backbone.frozen.width, generator=generator), tasks=3, scale=0.5
    )
    with torch.no_grad():
        for part in [*prompt.rows, *prompt.columns]:
            part.add_(0.3 * torch.randn(part.shape, generator=generator))
    return MultitaskLearner(
        backbone, prompt, answers(kind, backbone), rates=RATES, teaching=teaching
    )


def lessons(teacher: MultitaskLearner, given: list[MultiRead], weights: Weights) -> Teaching:
    """What a learner says of each task's rows, in the order of their places."""
    found = []
    for task in range(3):
        own = [row.read for row in given if row.task == task]
        part = Part(teacher.answer(task), own, teacher.prompt.injection(task))
        with torch.no_grad():
            found.append(say(teacher.backbone, [part], features=True)[0].lesson)
    return Teaching(found, weights)


@pytest.mark.parametrize("weights", [None, Weights(0.9, 0.0), Weights(0.9, 0.9)], ids=str)
@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_a_mixed_batch_equals_its_tasks_one_by_one(
    family: str, kind: str, weights: Weights | None
) -> None:
    """Also its rows one by one. Broken by one prompt for all rows, and by the mean of means."""
    backbone = shared(family)
    given = rows(backbone, kind)
    teacher = learner(backbone, kind, seed=2)
    teaching = None if weights is None else lessons(teacher, given, weights)
    student = learner(backbone, kind, teaching=teaching)
    whole = student.loss(given)
    by_task = [[row for row in given if row.task == task] for task in range(3)]
    apart = sum(student.loss(own).item() * len(own) for own in by_task) / len(given)
    assert whole.item() == pytest.approx(apart, abs=2e-5)
    torch.testing.assert_close(student.loss(given[::-1]), whole, atol=2e-5, rtol=0)
    if kind == "head" and weights is None:
        alone = sum(student.loss([row]).item() for row in given) / len(given)
        assert whole.item() == pytest.approx(alone, abs=2e-5)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_what_is_said_is_what_the_answers_gather(family: str, kind: str) -> None:
    """A taught batch has the same task loss as one that is not. Broken by the labels' own scores
    in place of the wanted one's where the model writes."""
    backbone, given = shared(family), rows(shared(family), kind)
    student = learner(backbone, kind)
    parts = [
        Part(
            student.answer(task),
            [row.read for row in given if row.task == task],
            student.prompt.injection(task),
        )
        for task in range(3)
    ]
    for part, said, plain in zip(
        parts, say(backbone, parts, features=True), gathered(backbone, parts), strict=True
    ):
        injections = [part.injection] * len(part.rows)
        wanted = part.answer.gather(backbone, part.rows, injections)
        torch.testing.assert_close(said.gathered, wanted, atol=2e-5, rtol=0)
        torch.testing.assert_close(plain, wanted, atol=2e-5, rtol=0)
        features = backbone.features([row.tokens for row in part.rows], injections)
        assert said.lesson.features is not None
        torch.testing.assert_close(said.lesson.features, features, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_a_student_that_is_its_teacher_is_taught_nothing(family: str, kind: str) -> None:
    """The loss is the task's own; a student elsewhere has more. Broken by another task's lesson,
    and by the lesson of another row."""
    backbone = shared(family)
    given = rows(backbone, kind)
    plain = learner(backbone, kind)
    teaching = lessons(plain, given, Weights(5.0, 5.0))
    same = learner(backbone, kind, teaching=teaching)
    assert same.loss(given).item() == pytest.approx(plain.loss(given).item(), abs=2e-5)
    other = learner(backbone, kind, teaching=teaching, seed=2)
    alone = learner(backbone, kind, seed=2)
    assert other.loss(given).item() > alone.loss(given).item() + 1e-4
    shifted = [
        MultiRead(row.read, row.task, 1 - row.place if row.place < 2 else 2) for row in given
    ]
    assert same.loss(shifted).item() > plain.loss(given).item() + 1e-4


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_gradients_reach_the_batchs_own_tasks_alone(family: str, kind: str) -> None:
    """Broken by reading every task's prompt in every batch."""
    backbone = tiny(family)
    given = rows(backbone, kind)
    student = learner(
        backbone, kind, teaching=lessons(learner(backbone, kind, seed=2), given, Weights(0.9, 0.9))
    )
    student.loss([row for row in given if row.task != 1]).backward()
    reached = {name for name, each in student.named_parameters() if each.grad is not None}
    heads = {f"answers.{task}.head.{part}" for task in (0, 2) for part in ("weight", "bias")}
    parts = {f"prompt.{part}.{task}" for task in (0, 2) for part in ("rows", "columns")}
    assert reached == {"prompt.scaled"} | parts | (heads if kind == "head" else set())
    assert not any(weight.requires_grad for weight in backbone.frozen.model.parameters())


def test_each_group_has_its_rate_and_every_parameter_a_group() -> None:
    student = learner(shared("bert"), "head")
    found = student.groups()
    assert [group.learning_rate for group in found] == [0.1, 0.2, 0.3]
    assert [len(group.parameters) for group in found] == [1, 6, 6]
    grouped = {id(each) for group in found for each in group.parameters}
    assert grouped == {id(each) for each in student.parameters()}
    assert len(learner(shared("gpt2"), "text").groups()) == 2


def test_heads_share_one_pass_and_words_take_one_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken by one pass a task."""
    passes: list[int] = []

    def counting(module: torch.nn.Module, _args: object, _out: object) -> None:
        passes.append(1)

    for family, kind, most in [("bert", "head", 1), ("roberta", "words", 3), ("t5", "text", 1)]:
        backbone = shared(family)
        student = learner(backbone, kind)
        given = rows(backbone, kind)
        trunk = backbone.frozen.model.base_model
        layer = trunk.encoder.block[0] if family == "t5" else trunk.encoder.layer[0]
        handle = layer.register_forward_hook(counting)
        loss: Tensor = student.loss(given)
        handle.remove()
        assert loss.isfinite()
        assert len(passes) == most, family
        passes.clear()
