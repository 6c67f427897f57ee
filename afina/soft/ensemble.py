"""Ensembles: several soft prompts answer each input in one batch, and vote or are averaged.

Lester, Al-Rfou and Constant 2021, section 6 (https://arxiv.org/abs/2104.08691), vote. We may
average the probabilities instead; of equal votes the more probable answer wins.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injection, Injections
from afina.errors import ArtefactError, InputError, MismatchError
from afina.soft.answer import Answer, Answered, HeadAnswer, LabelWords, Writing, chosen
from afina.soft.packed_arrays import list_of
from afina.soft.reading import Read
from afina.soft.soft_solver import ROWS, SoftSolver, unpack
from afina.soft.verbalizer import LearnedVerbalizer, Verbalizer
from afina.solver import Packed, Prediction, Usage, Values

HOWS = ("mean", "vote")

Numbers = NDArray[np.float32]
Choosing = HeadAnswer | LabelWords | Verbalizer | LearnedVerbalizer  # answers with labels


@dataclass(frozen=True)
class Ensemble:
    """Solvers of one model and signature, asked at once."""

    members: tuple[SoftSolver, ...]
    how: str

    @property
    def parameters(self) -> int:
        return sum(member.parameters for member in self.members)

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row; rows of like length share a batch, each repeated for every member."""
        reads = [[member.reader.read(row) for member in self.members] for row in inputs]
        order = sorted(range(len(reads)), key=lambda at: max(len(r.tokens) for r in reads[at]))
        size = max(ROWS // len(self.members), 1)
        predictions: dict[int, Prediction] = {}
        for start in range(0, len(order), size):
            places = order[start : start + size]
            answered = self._batch([reads[place] for place in places])
            predictions.update(zip(places, answered, strict=True))
        return [predictions[place] for place in range(len(reads))]

    def pack(self) -> Packed:
        """All members, each under its number."""
        packed = [member.pack() for member in self.members]
        settings: dict[str, object] = {
            "model": packed[0].settings["model"],
            "how": self.how,
            "members": [dict(each.settings) for each in packed],
        }
        arrays = {
            f"{at}.{name}": array
            for at, each in enumerate(packed)
            for name, array in each.arrays.items()
        }
        return Packed("ensemble", settings, arrays)

    def _batch(self, reads: Sequence[Sequence[Read]]) -> list[Prediction]:
        start = time.perf_counter()
        with torch.no_grad():
            answered = self._answers([list(column) for column in zip(*reads, strict=True)])
        seconds = (time.perf_counter() - start) / len(reads)
        target = self.members[0].reader.signature.target.name
        return [
            Prediction(
                {target: value},
                {**evidence, **({"tokens_cut": cut} if (cut := max(r.cut for r in row)) else {})},
                Usage(len(row), sum(m.tokens(r) for m, r in zip(self.members, row, strict=True))),
                seconds,
            )
            for row, (value, evidence) in zip(reads, answered, strict=True)
        ]

    def _answers(self, reads: Sequence[list[Read]]) -> list[Answered]:
        """The answer of each row; ``reads`` are each member's rows."""
        first = self.members[0].answer
        if isinstance(first, Writing):
            texts = written(self.members, reads)
            return [elected(row, row) for row in zip(*texts, strict=True)]
        labels = labels_of(first)
        probabilities = torch.stack(
            [scores.softmax(dim=-1) for scores in scores_of(self.members, reads)]
        )  # [M, B, C]
        mean = probabilities.mean(dim=0)
        if self.how == "mean":
            return chosen(mean.log(), labels)
        votes = probabilities.argmax(dim=-1).T.tolist()  # [B, M]
        ranks = mean.argsort(dim=-1, descending=True).tolist()
        return [
            elected([labels[at] for at in row], [labels[at] for at in rank])
            for row, rank in zip(votes, ranks, strict=True)
        ]


def make_ensemble(solvers: Sequence[SoftSolver], how: str = "mean") -> Ensemble:
    """One solver of several finished ones: the mean of their probabilities, or their vote.

    Raises:
        InputError: there are none, their answers cannot be joined, or ``how`` is unknown.
        MismatchError: they belong to different models, precisions or signatures.
    """
    if how not in HOWS:
        raise InputError(f"expected an ensemble by {' or '.join(HOWS)}, got {how!r}")
    if not solvers:
        raise InputError("expected prompts to join, got none; name one run or more")
    for solver in solvers[1:]:
        _check_same(solvers[0], solver)
    for solver in solvers:
        _check_joins(solver.answer, how)
    if len({isinstance(solver.answer, Writing) for solver in solvers}) > 1:
        raise InputError("expected prompts that all choose or all write, got both; join one kind")
    return Ensemble(tuple(solvers), how)


def unpack_ensemble(packed: Packed, backbone: Backbone) -> Ensemble:
    """The ensemble that was packed, on the backbone it belongs to.

    Raises:
        MismatchError: the backbone is another.
        ArtefactError: a member is missing or damaged.
    """
    try:
        members = list_of(packed.settings["members"])
        if not all(isinstance(each, Mapping) for each in members):
            raise TypeError("a member that is no table")
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"the bundle lacks or garbles {error}; join the runs anew") from error
    solvers = [
        unpack(Packed("soft", each, _under(f"{at}.", packed.arrays)), backbone)
        for at, each in enumerate(members)
        if isinstance(each, Mapping)
    ]
    try:
        return make_ensemble(solvers, str(packed.settings.get("how")))
    except InputError as error:
        raise ArtefactError(f"the bundle holds no ensemble: {error}") from error


def scores_of(
    members: Sequence[SoftSolver], reads: Sequence[list[Read]]
) -> list[Float[Tensor, "B C"]]:
    """Each member's scores; members that ask the model the same ask it in one batch."""
    found: dict[int, Tensor] = {}
    for group in groups(members):
        answer, backbone = members[group[0]].answer, members[0].backbone
        rows, injections = together(members, reads, group)
        parts = heard(answer, backbone, rows, injections).split(len(reads[0]))
        for at, part in zip(group, parts, strict=True):
            found[at] = scored(members[at].answer, part)
    return [found[at] for at in range(len(members))]


def groups(members: Sequence[SoftSolver]) -> list[list[int]]:
    """Members that ask the model the same."""
    found: dict[str, list[int]] = {}
    for at, member in enumerate(members):
        found.setdefault(asks(member.answer), []).append(at)
    return list(found.values())


def asks(answer: Answer) -> str:
    """What an answer asks the model, without what it has learned itself."""
    match answer:
        case LabelWords(tokens=tokens):
            return f"words {tokens}"
        case Verbalizer(words=words, empty=empty):
            return f"verbalizer {words} {empty}"
        case Writing(tokens=tokens):
            return f"text {tokens}"
    return type(answer).__name__


def heard(
    answer: Answer, backbone: Backbone, rows: Sequence[Read], injections: Injections
) -> Tensor:
    """What the model says to it, of all labels."""
    if isinstance(answer, LabelWords):
        return backbone.choose([row.tokens for row in rows], answer.tokens, injections)
    return answer.gather(backbone, rows, injections)


def scored(answer: Answer, said: Tensor) -> Float[Tensor, "B C"]:
    """The scores of the labels."""
    match answer:
        case HeadAnswer(head=head):
            scores: Tensor = head(said)
            return scores
        case LearnedVerbalizer():
            return answer.scores(said)
    return said


def written(members: Sequence[SoftSolver], reads: Sequence[list[Read]]) -> list[list[str]]:
    """Each member's texts; members that write alike write in one batch."""
    found: dict[int, list[str]] = {}
    for group in groups(members):
        rows, injections = together(members, reads, group)
        answered = members[group[0]].answer.answer(members[0].backbone, rows, injections)
        texts = iter(str(value) for value, _ in answered)
        found |= {at: [next(texts) for _ in reads[at]] for at in group}
    return [found[at] for at in range(len(members))]


def together(
    members: Sequence[SoftSolver], reads: Sequence[list[Read]], group: Sequence[int]
) -> tuple[list[Read], list[Injection | None]]:
    """The rows of some members one after the other, each with its member's prompt."""
    rows = [read for at in group for read in reads[at]]
    return rows, [members[at].ready for at in group for _ in reads[at]]


def elected(votes: Sequence[str], ranked: Sequence[str]) -> Answered:
    """The value with the most votes; of equal ones the first in ``ranked``."""
    counts = Counter(votes)
    best = max(counts, key=lambda value: (counts[value], -ranked.index(value)))
    return best, {"votes": dict(counts.most_common())}


def labels_of(answer: Answer) -> tuple[str, ...]:
    """The labels an answer chooses among."""
    assert isinstance(answer, Choosing)
    return answer.labels


def _check_same(one: SoftSolver, other: SoftSolver) -> None:
    first, second = one.backbone.frozen, other.backbone.frozen
    if first.digest != second.digest:
        raise MismatchError(
            f"expected prompts of one model, got {first.name} ({first.digest[:12]}…) and "
            f"{second.name} ({second.digest[:12]}…); join those of one"
        )
    for what, wanted, got in (
        ("signature", str(one.reader.signature), str(other.reader.signature)),
        ("precision", str(first.precision), str(second.precision)),
    ):
        if wanted != got:
            raise MismatchError(
                f"expected prompts of one {what}, got {wanted!r} and {got!r}; join those of one"
            )


def _check_joins(answer: Answer, how: str) -> None:
    if isinstance(answer, Writing) and how == "mean":
        raise InputError("expected a vote of prompts that write, got mean; use how=vote")
    if not isinstance(answer, Choosing | Writing):
        raise InputError(
            f"expected prompts that choose a label or write a text, got {type(answer).__name__}; "
            "use them one by one"
        )


def _under(front: str, arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
    return {
        name.removeprefix(front): part for name, part in arrays.items() if name.startswith(front)
    }
