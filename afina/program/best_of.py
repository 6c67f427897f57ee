"""Best of: a program is run until a reward is high enough, and the best of its answers stands."""

from collections.abc import Callable

from afina.errors import UnreadableError
from afina.program.feedback import Feedback, feedback_of
from afina.program.majority import check_count
from afina.program.program import Program, joined
from afina.program.steps import Steps
from afina.solver import Values

Reward = Callable[[Values, Values], float | Feedback]  # of a row's inputs and its outputs


def best_of(
    program: Program,
    reward: Reward,
    count: int = 3,
    *,
    enough: float = 1.0,
    temperature: float = 0.7,
) -> Program:
    """The program that runs another up to ``count`` times, and ends where the reward is enough.

    A check is a reward of true or false. The first run asks as the settings say, the others by
    chance at the temperature. A run whose reply cannot be read has no reward; of equal rewards the
    first stands.

    Raises:
        InputError: there would be no run.
    """
    check_count(count)

    def flow(steps: Steps, values: Values) -> Values:
        best: tuple[float, Values] | None = None
        for draw in range(count):
            drawn = steps.drawn(draw, temperature if draw else None)
            try:
                outputs = drawn("run", **values)
            except UnreadableError as error:
                last = error
                continue
            score = rewarded(reward, values, outputs).score
            if best is None or score > best[0]:
                best = (score, outputs)
            if score >= enough:
                break
        if best is None:
            raise last
        return best[1]

    return joined(f"best of {program.name}", program.signature, {"run": program}, flow)


def rewarded(reward: Reward, inputs: Values, outputs: Values) -> Feedback:
    """What a reward says of an answer; raises InputError where it is no score."""
    name = getattr(reward, "__name__", repr(reward))
    return feedback_of(reward(dict(inputs), dict(outputs)), name)
