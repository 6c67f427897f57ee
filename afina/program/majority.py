"""Majority: a program is run several times by chance, and the commonest answer stands.

Self-consistency, Wang et al. 2022, https://arxiv.org/abs/2203.11171: the answer is
``argmax_a Σ_i 1(a_i = a)`` over runs drawn at a temperature. Of answers that come equally often the
one that came first stands.
"""

from collections import Counter

from afina.errors import InputError, UnreadableError
from afina.program.program import Program, joined
from afina.program.steps import Steps
from afina.solver import Values


def majority(program: Program, count: int = 5, temperature: float = 0.7) -> Program:
    """The program that runs another ``count`` times and returns a run with the commonest target.

    A run whose reply cannot be read has no vote.

    Raises:
        InputError: there would be no run.
    """
    check_count(count)
    target = program.signature.target.name

    def flow(steps: Steps, values: Values) -> Values:
        found = readable(steps, values, count, temperature)
        votes = Counter(str(each[target]) for each in found)
        best = max(votes.values())
        return next(each for each in found if votes[str(each[target])] == best)

    return joined(f"majority of {program.name}", program.signature, {"run": program}, flow)


def readable(steps: Steps, values: Values, count: int, temperature: float) -> list[Values]:
    """The outputs of several draws of the part ``run``; raises UnreadableError if none has any."""
    found: list[Values] = []
    for draw in range(count):
        try:
            found.append(steps.drawn(draw, temperature)("run", **values))
        except UnreadableError as error:
            last = error
    if not found:
        raise last
    return found


def check_count(count: int) -> None:
    """Refuse to run nothing; raises InputError."""
    if count < 1:
        raise InputError(f"expected to run 1 time or more, got {count}")
