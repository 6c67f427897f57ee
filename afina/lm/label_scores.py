"""Probabilities of labels, from the log-probabilities that a server gives of tokens."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Step(NamedTuple):
    """A token that was written, its log-probability, and those of the likeliest at its place."""

    token: str
    logprob: float
    others: Sequence[tuple[str, float]]


def written_scores(steps: Iterable[Step], labels: Sequence[str]) -> dict[str, float]:
    """Each label's share of the probability that was seen to go to labels; none: no label seen.

    Along the written text w₁w₂…, an alternative t at step i has p(w₁)…p(wᵢ₋₁)·p(t). It goes to
    the labels that w₁…wᵢ₋₁t can still become, in equal parts where they are several. What the
    written text itself has goes to its own label. Case and blanks around do not count. A label
    that no alternative leads to gets 0.
    """
    mass = dict.fromkeys(labels, 0.0)
    path, logprob = "", 0.0
    for step in steps:
        for token, other in step.others:
            if token != step.token:
                share(mass, reached(path + token, labels), math.exp(logprob + other))
        path, logprob = path + step.token, logprob + step.logprob
        if path.strip() and len(reached(path, labels)) <= 1:
            break
    own = [label for label in labels if folded(label) == folded(path)]
    share(mass, own or reached(path, labels), math.exp(logprob))
    total = sum(mass.values())
    return {label: each / total for label, each in mass.items()} if total else {}


def share(mass: dict[str, float], labels: Sequence[str], probability: float) -> None:
    """Give labels a probability, in equal parts."""
    for label in labels:
        mass[label] += probability / len(labels)


def reached(text: str, labels: Sequence[str]) -> list[str]:
    """The labels that a text begins, or that it is already, with something behind it."""
    begun = folded(text)
    if not begun:
        return []
    return [label for label in labels if folded(label).startswith(begun) or ends(begun, label)]


def ends(text: str, label: str) -> bool:
    """Whether a text is a label and more, which is no part of the word."""
    word = folded(label)
    return text.startswith(word) and not text[len(word) : len(word) + 1].isalnum()


def folded(text: str) -> str:
    """A text without blanks around it and case."""
    return text.strip().casefold()


def likely_scores(logprobs: Mapping[str, float]) -> dict[str, float]:
    """Each label's share, from the log-probability of its whole text: a softmax."""
    best = max(logprobs.values())
    if best == -math.inf:
        return {}
    weights = {label: math.exp(each - best) for label, each in logprobs.items()}
    total = sum(weights.values())
    return {label: each / total for label, each in weights.items()}
