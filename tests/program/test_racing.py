"""Racing: a kind of change that rests comes back while there are calls."""

from itertools import count

from afina.lm.scripted import ScriptedLM
from afina.program.racing import RacingSettings, racing
from afina.program.search import Means
from tests.worlds.afina_side import WorldLM, program_of, task_of
from tests.worlds.desk import Desk
from tests.worlds.simulated import Simulated

WORLD = Desk(0)
TASK = task_of(WORLD, train=20, dev=30)


def test_a_rest_of_instructions_does_not_end_a_search_without_examples() -> None:
    numbers = count()
    idle = ScriptedLM(
        lambda request: f"Say anything at all, try {next(numbers)}, and take your time with it.",
        name="idle",
    )
    lm = WorldLM(Simulated(WORLD))
    settings = RacingSettings(shots=0, calls=600)
    found = racing(program_of(WORLD), TASK, lm, settings, Means(proposer=idle))
    assert found.best == 0
    assert (found.ended, found.usage.calls) == ("calls", 600)
