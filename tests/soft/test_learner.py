"""What is trained is the prompt and the head, each at its rate; the backbone is beside them."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings, Injections
from afina.soft.answer import HeadAnswer, LabelWords
from afina.soft.heads import ClassificationHead
from afina.soft.learner import ROWS, Learner, joint_losses
from afina.soft.prompt_tuning import PromptTuning
from afina.soft.reading import Read
from tests.tiny import shared


def head_answer() -> HeadAnswer:
    return HeadAnswer(ClassificationHead(torch.ones(2, 32), torch.zeros(2)), ("a", "b"))


def prompt() -> PromptTuning:
    vectors = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    return PromptTuning(vectors, scale=0.5)


def test_a_state_holds_prompt_and_head_and_nothing_of_the_model() -> None:
    """Broken by holding the model as a part: each checkpoint then weighs as much as it."""
    learner = Learner(shared("bert"), prompt(), head_answer(), rates=(0.1, 0.01))
    assert set(learner.state_dict()) == {
        "prompt.scaled",
        "answer.head.weight",
        "answer.head.bias",
    }


def test_prompt_and_head_have_rates_of_their_own() -> None:
    learner = Learner(shared("bert"), prompt(), head_answer(), rates=(0.1, 0.01))
    soft, head = learner.groups()
    assert (soft.learning_rate, head.learning_rate) == (0.1, 0.01)
    assert (len(soft.parameters), len(head.parameters)) == (1, 2)


def test_label_words_have_no_group() -> None:
    words = LabelWords(("a", "b"), [[7], [8]])
    learner = Learner(shared("gpt2"), prompt(), words, rates=(0.1, 0.01))
    assert [group.learning_rate for group in learner.groups()] == [0.1]


def test_the_loss_is_the_answer_s_under_the_prompt() -> None:
    backbone, soft, answer = shared("bert"), prompt(), head_answer()
    rows = [Read([7, 8, 9], label=0), Read([10], label=1)]
    learner = Learner(backbone, soft, answer, rates=(0.1, 0.01))
    fixed = Embeddings(soft.injection().vectors.detach())
    wanted = answer.loss(answer.gather(backbone, rows, [fixed] * 2), rows)
    torch.testing.assert_close(learner.loss(rows), wanted, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_losses_in_one_pass_equal_those_of_one_after_the_other(family: str) -> None:
    """Three prompts of different lengths on rows of their own, and their gradients.

    Broken by the first learner's head, or its prompt, for all rows.
    """
    backbone = shared(family)
    batches = []
    for number in range(3):
        generator = torch.Generator().manual_seed(number)
        soft = PromptTuning(torch.randn(number + 2, 32, generator=generator), scale=0.5)
        head = ClassificationHead(torch.randn(2, 32, generator=generator), torch.zeros(2))
        learner = Learner(backbone, soft, HeadAnswer(head, ("a", "b")), rates=(0.1, 0.01))
        rows = [Read([7 + number + at] * (at + 1), label=at % 2) for at in range(number + 2)]
        batches.append((learner, rows))
    single = torch.stack([learner.loss(rows) for learner, rows in batches])
    wanted = torch.autograd.grad(single.sum(), [learner.prompt.scaled for learner, _ in batches])
    joint = torch.stack(joint_losses(batches))
    torch.testing.assert_close(joint, single, atol=1e-5, rtol=0.0)
    got = torch.autograd.grad(joint.sum(), [learner.prompt.scaled for learner, _ in batches])
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_many_rows_take_several_passes_and_losses_stay_in_order() -> None:
    """Three learners of 20 rows each, the longest first.

    Broken by handing the losses out in the order of the passes, or by a second batch in a full one.
    """
    seen: list[int] = []

    class Counting(HeadAnswer):
        def gather(
            self, backbone: Backbone, rows: Sequence[Read], injections: Injections
        ) -> Tensor:
            seen.append(len(rows))
            return super().gather(backbone, rows, injections)

    batches = []
    for number in range(3):
        head = ClassificationHead(torch.full((2, 32), number + 1.0), torch.tensor([0.0, number]))
        answer = Counting(head, ("a", "b"))
        learner = Learner(shared("bert"), prompt(), answer, rates=(0.1, 0.01))
        batches.append((learner, [Read([7 + at % 3] * (5 - number), label=1) for at in range(20)]))
    joint = torch.stack(joint_losses(batches))
    assert seen == [20, 20, 20]
    assert ROWS == 32
    single = torch.stack([learner.loss(rows) for learner, rows in batches])
    torch.testing.assert_close(joint, single, atol=1e-5, rtol=0.0)
    assert len(set(single.tolist())) == 3
