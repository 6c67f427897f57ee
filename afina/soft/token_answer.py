"""Token classification: a tag for each word, read off the state of its first piece.

``logits = states at first pieces @ weight.T + bias``, as in Devlin, Chang, Lee and Toutanova 2018,
https://arxiv.org/abs/1810.04805, section 5.3; tags are BIO (Ramshaw and Marcus 1995,
https://arxiv.org/abs/cmp-lg/9505040).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injections
from afina.backbones.layout import padded
from afina.soft.answer import Answered
from afina.soft.heads import ClassificationHead
from afina.soft.reading import Read, Words
from afina.soft.token_reading import tags_of
from afina.soft.windows import by_row, states_of, windows_of
from afina.task.value import spans_of


class TokenAnswer(nn.Module):
    """A trained head on the words' first pieces; its tags are decoded to spans."""

    def __init__(self, head: ClassificationHead, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.head = head
        self.labels = labels

    def gather(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> Float[Tensor, "W F H"]:
        return first_states(backbone, rows, injections)

    def loss(self, gathered: Float[Tensor, "B F H"], rows: Sequence[Read]) -> Tensor:
        """Mean cross entropy over all words; pieces that begin none are left out."""
        wanted = tags_in(rows).to(gathered.device)
        return F.cross_entropy(self.head(words_in(gathered, rows)), wanted)

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        return self.decide(self.gather(backbone, rows, injections), rows)

    def decide(self, gathered: Float[Tensor, "W F H"], rows: Sequence[Read]) -> list[Answered]:
        """The likeliest tag of each word; an inside tag without a beginning begins a span."""
        windows = windows_of(rows)
        best = self.head(words_in(gathered, windows)).softmax(dim=-1).max(dim=-1)
        counts = [len(_words(window).places) for window in windows]
        places, sure = best.indices.split(counts), best.values.split(counts)
        tags = tags_of(self.labels)
        return [
            _decoded([tags[place] for place in torch.cat(which).tolist()], torch.cat(how), self)
            for which, how in zip(by_row(rows, places), by_row(rows, sure), strict=True)
        ]


def _decoded(tags: Sequence[str], sure: Float[Tensor, "N"], answer: TokenAnswer) -> Answered:
    """Spans, each with the mean probability of its words' tags as evidence."""
    spans = spans_of(tags, answer.labels)
    means = [round(sure[span.start : span.end].mean().item(), 6) for span in spans]
    return spans, {"span_probabilities": means}


def tags_in(rows: Sequence[Read]) -> Int[Tensor, "N"]:
    """The tags wanted of all words, one after the other."""
    return torch.tensor([tag for row in rows for tag in _words(row).tags], dtype=torch.long)


def _words(row: Read) -> Words:
    assert isinstance(row.marks, Words)
    return row.marks


def first_states(
    backbone: Backbone, rows: Sequence[Read], injections: Injections
) -> Float[Tensor, "W F H"]:
    """States of the words' first pieces, a window a row, right-padded with zeros."""
    states = states_of(backbone, rows, injections)
    firsts = [_words(window).places for window in windows_of(rows)]
    places, real = padded(firsts, 0, device=states.device)  # [W, F]
    index = places[:, :, None].expand(-1, -1, states.shape[2])
    return states.gather(1, index) * real[:, :, None]


def words_in(gathered: Float[Tensor, "W F H"], windows: Sequence[Read]) -> Float[Tensor, "N H"]:
    """The words of all windows, one after the other, without what is padded."""
    counts = torch.tensor([len(_words(each).places) for each in windows], device=gathered.device)
    real = torch.arange(gathered.shape[1], device=gathered.device) < counts[:, None]  # [W, F]
    return gathered[real]
