"""What a model says of a batch in which tasks are mixed, each with its prompt and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.encoder import Encoder
from afina.backbones.injection import Injection
from afina.soft.answer import Answer, HeadAnswer, LabelWords, Writing
from afina.soft.lesson import Lesson
from afina.soft.reading import Read


@dataclass(frozen=True)
class Part:
    """The rows of one task in a batch, under its prompt."""

    answer: Answer
    rows: Sequence[Read]
    injection: Injection | None


@dataclass(frozen=True)
class Said:
    """What the answer's loss takes, and what is compared with a teacher's or taught by one."""

    gathered: Tensor
    lesson: Lesson


def say(backbone: Backbone, parts: Sequence[Part], *, features: bool) -> list[Said]:
    """What the model says of each part whose answer is a head, label words or writing.

    Parts that answer alike share a pass of the model. With ``features`` a lesson has them: a head's
    come for nothing, words and writing take a pass more.
    """
    said: dict[int, Said] = {}
    for numbers in alike(parts):
        together = [parts[number] for number in numbers]
        match together[0].answer:
            case HeadAnswer():
                found = by_head(backbone, together)
            case Writing():
                found = by_writing(backbone, together, features=features)
            case LabelWords():
                found = by_words(backbone, together, features=features)
            case other:
                raise AssertionError(other)
        said |= dict(zip(numbers, found, strict=True))
    return [said[number] for number in range(len(parts))]


def alike(parts: Sequence[Part]) -> list[list[int]]:
    """Places of parts that can be asked at once; label words, say, differ from task to task."""
    heads = [at for at, part in enumerate(parts) if isinstance(part.answer, HeadAnswer)]
    written = [at for at, part in enumerate(parts) if isinstance(part.answer, Writing)]
    others = [[at] for at in range(len(parts)) if at not in {*heads, *written}]
    return [each for each in (heads, written, *others) if each]


def by_head(backbone: Backbone, parts: Sequence[Part]) -> list[Said]:
    """Features ``[B, H]`` of all rows in one pass, and each head's probabilities of its own."""
    said = []
    for part, own in zip(parts, features_of(backbone, parts), strict=True):
        assert isinstance(part.answer, HeadAnswer)
        said.append(Said(own, Lesson(part.answer.head(own).log_softmax(dim=-1), own)))
    return said


def by_writing(backbone: Backbone, parts: Sequence[Part], *, features: bool) -> list[Said]:
    """Each target's tokens in one pass; the loss takes their sum ``[B]``."""
    targets = [row.target for part in parts for row in part.rows]
    scores = backbone.token_likelihood(rows_of(parts), targets, injections_of(parts))  # [B, W]
    said = []
    for part, own, states in zip(
        parts, cut(scores, parts), optional_features(backbone, parts, asked=features), strict=True
    ):
        lengths = torch.tensor([len(row.target) for row in part.rows], device=own.device)
        width = int(lengths.max())
        wanted = torch.arange(width, device=own.device) < lengths[:, None]  # [B, W]
        said.append(Said(own.sum(dim=1), Lesson(own[:, :width], states, wanted)))
    return said


def by_words(backbone: Backbone, parts: Sequence[Part], *, features: bool) -> list[Said]:
    """All labels' scores ``[B, C]``; models that write are taught the right label's alone."""
    said = []
    for part, states in zip(parts, optional_features(backbone, parts, asked=features), strict=True):
        assert isinstance(part.answer, LabelWords)
        scores = backbone.choose(rows_of([part]), part.answer.tokens, injections_of([part]))
        labels = torch.tensor([row.label for row in part.rows], device=scores.device)
        own = scores if isinstance(backbone, Encoder) else scores.gather(1, labels[:, None])[:, 0]
        said.append(Said(own, Lesson(scores.log_softmax(dim=-1), states)))
    return said


def gathered(backbone: Backbone, parts: Sequence[Part]) -> list[Tensor]:
    """What each part's loss takes, without a lesson: labels that are not wanted cost nothing."""
    found: dict[int, Tensor] = {}
    for numbers in alike(parts):
        together = [parts[number] for number in numbers]
        answer = together[0].answer
        rows = [row for part in together for row in part.rows]
        whole = answer.gather(backbone, rows, injections_of(together))
        found |= dict(zip(numbers, cut(whole, together), strict=True))
    return [found[number] for number in range(len(parts))]


def features_of(backbone: Backbone, parts: Sequence[Part]) -> list[Tensor]:
    """Each part's features ``[B, H]``, by one pass."""
    return cut(backbone.features(rows_of(parts), injections_of(parts)), parts)


def optional_features(
    backbone: Backbone, parts: Sequence[Part], *, asked: bool
) -> Sequence[Tensor | None]:
    """Each part's features where they are asked for."""
    return features_of(backbone, parts) if asked else [None] * len(parts)


def cut(whole: Tensor, parts: Sequence[Part]) -> list[Tensor]:
    """A batch's rows, part by part."""
    return list(whole.split([len(part.rows) for part in parts]))


def rows_of(parts: Sequence[Part]) -> list[list[int]]:
    """The tokens of all rows."""
    return [row.tokens for part in parts for row in part.rows]


def injections_of(parts: Sequence[Part]) -> list[Injection | None]:
    """The injection of each row."""
    return [part.injection for part in parts for _ in part.rows]
