"""Extractive question answering: where in the context the answer starts and where it ends.

Start and end are chosen by a linear head among the pieces of the context and a place that stands
for no answer, the mean over the row: ``P(start = i) = softmax_i(w_start · state_i)``, as in
Devlin, Chang, Lee and Toutanova 2018, https://arxiv.org/abs/1810.04805, sections 4.2 and 4.3. We
differ in the mean, where they have [CLS] (a decoder's first token has read nothing), and where an
answer's text stands at several places: the loss then asks for any of them, ``-log sum P``, for a
file's text does not say which is meant (Clark and Gardner 2018, https://arxiv.org/abs/1710.10723).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Injections
from afina.soft.answer import Answered
from afina.soft.reading import Passage, Read
from afina.soft.windows import by_row, states_of, windows_of

STEPS = 60  # of the optimiser that fits a head


class SpanHead(nn.Module):
    """Logits of start and end ``[W, 1+T, 2]``; place 0 is no answer and has weights of its own."""

    def __init__(
        self,
        weight: Float[Tensor, "2 H"],
        null_weight: Float[Tensor, "2 H"],
        null_bias: Float[Tensor, "2"],
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.null_weight = nn.Parameter(null_weight.clone())
        self.null_bias = nn.Parameter(null_bias.clone())

    def forward(self, gathered: Float[Tensor, "W N H"]) -> Float[Tensor, "W N 2"]:
        return _logits(gathered, self.weight, self.null_weight, self.null_bias)


@dataclass(frozen=True)
class Limits:
    """What an answer may be: its pieces at most, and whether there may be none."""

    pieces: int
    unanswerable: bool


def limits_of(rows: Sequence[Read]) -> Limits:
    """Those of training rows, a window a row."""
    wanted = [pair for row in rows for pair in _passage(row).wanted]
    longest = max(last - first + 1 for first, last in wanted)
    return Limits(longest, any(_passage(row).unanswerable for row in rows))


class SpanAnswer(nn.Module):
    """A trained head on the states of a question and its context; answers are the context's own."""

    def __init__(self, head: SpanHead, limits: Limits) -> None:
        super().__init__()
        self.head = head
        self.limits = limits

    def gather(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> Float[Tensor, "W N H"]:
        """The mean over each window's tokens, then their states; a window a row."""
        states = states_of(backbone, rows, injections)
        lengths = torch.tensor(
            [len(each.tokens) for each in windows_of(rows)], device=states.device
        )
        mean = states.sum(dim=1) / lengths.clamp(min=1)[:, None]
        return torch.cat([mean[:, None], states], dim=1)  # [W, 1+T, H]

    def loss(self, gathered: Float[Tensor, "B N H"], rows: Sequence[Read]) -> Tensor:
        """Mean of start's and end's cross entropy; a window without the answer wants none."""
        found = _log_probabilities(self.head(gathered), rows)  # [B, 1+T, 2]
        right = found.masked_fill(~_wanted(rows, found), -torch.inf)
        return -right.logsumexp(dim=1).mean()

    def answer(
        self, backbone: Backbone, rows: Sequence[Read], injections: Injections
    ) -> list[Answered]:
        return self.decide(self.gather(backbone, rows, injections), rows)

    def decide(self, gathered: Float[Tensor, "W N H"], rows: Sequence[Read]) -> list[Answered]:
        """The likeliest span over all windows of a row, or no answer where that is likelier."""
        windows = windows_of(rows)
        found = _log_probabilities(self.head(gathered), windows)
        scores, starts, ends = _best(found[:, 1:], self.limits.pieces)
        told = zip(
            windows,
            scores.tolist(),
            starts.tolist(),
            ends.tolist(),
            found[:, 0].sum(dim=-1).tolist(),
            strict=True,
        )
        return [self._of_row(each) for each in by_row(rows, told)]

    def _of_row(self, windows: Sequence[tuple[Read, float, int, int, float]]) -> Answered:
        evidence: dict[str, object]
        null = min(each[4] for each in windows)
        window, score, first, last, _ = max(windows, key=lambda each: each[1])
        if score == -torch.inf or (self.limits.unanswerable and null > score):
            evidence = {"probability": _rounded(null)}
            return "", evidence
        passage = _passage(window)
        start = passage.pieces[first - passage.start][0]
        end = passage.pieces[last - passage.start][1]
        text = passage.text[start:end]
        start += len(text) - len(text.lstrip())  # some tokenizers count the space before a word
        evidence = {
            "probability": _rounded(score),
            "start": start,
            "end": start + len(text.strip()),
        }
        return text.strip(), evidence


def mean_and_states(
    backbone: Backbone, rows: Sequence[Read], injections: Injections
) -> Float[Tensor, "W N H"]:
    """The mean over each window's tokens, then their states; a window a row."""
    states = states_of(backbone, rows, injections)
    lengths = torch.tensor([len(each.tokens) for each in windows_of(rows)], device=states.device)
    mean = states.sum(dim=1) / lengths.clamp(min=1)[:, None]
    return torch.cat([mean[:, None], states], dim=1)  # [W, 1+T, H]


def _rounded(log_probability: float) -> float:
    return round(float(torch.tensor(log_probability).exp()), 6)


def _passage(window: Read) -> Passage:
    assert isinstance(window.marks, Passage)
    return window.marks


def _logits(
    gathered: Float[Tensor, "W N H"],
    weight: Float[Tensor, "2 H"],
    null_weight: Float[Tensor, "2 H"],
    null_bias: Float[Tensor, "2"],
) -> Float[Tensor, "W N 2"]:
    null = gathered[:, :1] @ null_weight.T + null_bias
    return torch.cat([null, gathered[:, 1:] @ weight.T], dim=1)


def _log_probabilities(
    logits: Float[Tensor, "W N 2"], windows: Sequence[Read]
) -> Float[Tensor, "W N 2"]:
    """Of start and end, among the context's pieces and no answer."""
    passages = [_passage(window) for window in windows]
    step = torch.arange(logits.shape[1], device=logits.device)
    starts = torch.tensor([1 + each.start for each in passages], device=logits.device)
    counts = torch.tensor([len(each.pieces) for each in passages], device=logits.device)
    inside = (step >= starts[:, None]) & (step < (starts + counts)[:, None])  # [W, 1+T]
    allowed = (inside | (step == 0))[:, :, None]
    return logits.masked_fill(~allowed, -torch.inf).log_softmax(dim=1)


def _wanted(rows: Sequence[Read], like: Float[Tensor, "B N 2"]) -> Bool[Tensor, "B N 2"]:
    """The places that are right."""
    places = [
        (row, place, side)
        for row, passage in enumerate(map(_passage, rows))
        for pair in [(1 + passage.start + a, 1 + passage.start + b) for a, b in passage.wanted]
        or [(0, 0)]
        for side, place in enumerate(pair)
    ]
    mask = torch.zeros(like.shape, dtype=torch.bool, device=like.device)
    mask[tuple(torch.tensor(places, device=like.device).T)] = True
    return mask


def _best(found: Float[Tensor, "W T 2"], longest: int) -> tuple[Float[Tensor, "W"], Tensor, Tensor]:
    """Score, first and last token of the likeliest span of ``longest`` tokens at most."""
    width = found.shape[1]
    pairs = found[:, :, None, 0] + found[:, None, :, 1]  # [W, T, T]
    band = torch.ones(width, width, dtype=torch.bool, device=found.device).triu().tril(longest - 1)
    best = pairs.masked_fill(~band, -torch.inf).flatten(1).max(dim=1)
    return best.values, best.indices // width, best.indices % width


def fit_spans(
    seen: Sequence[tuple[Float[Tensor, "_ _ H"], Sequence[Read]]], *, strength: float
) -> SpanHead:
    """A head fitted to what was gathered of windows, by L-BFGS from nothing.

    ``strength`` weighs the windows against the squares of the weights (of features of deviation
    1), as in logistic regression; larger follows the windows more closely.
    """
    scale, count = _spread(seen), sum(len(rows) for _, rows in seen)
    weights = torch.zeros(4, len(scale), requires_grad=True)
    bias = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = weights.square().sum() / (2 * strength * count)
        for part, rows in seen:
            span, null = (weights / scale).split(2)
            found = _log_probabilities(_logits(part, span, null, bias), rows)
            right = found.masked_fill(~_wanted(rows, found), -torch.inf).logsumexp(dim=1)
            loss = loss - right.mean() * len(rows) / count
        loss.backward()
        return loss.detach()

    optimizer.step(objective)
    folded = (weights / scale).detach()
    return SpanHead(folded[:2], folded[2:], bias.detach())


def _spread(seen: Sequence[tuple[Float[Tensor, "_ _ H"], Sequence[Read]]]) -> Float[Tensor, "H"]:
    """Standard deviation of each feature over the windows' tokens; what is padded is 0."""
    tokens = sum(len(row.tokens) for _, rows in seen for row in rows)
    mean = torch.stack([part[:, 1:].sum(dim=(0, 1)) for part, _ in seen]).sum(dim=0) / tokens
    square = torch.stack([part[:, 1:].square().sum(dim=(0, 1)) for part, _ in seen]).sum(dim=0)
    return (square / tokens - mean.square()).clamp(min=1e-12).sqrt()
