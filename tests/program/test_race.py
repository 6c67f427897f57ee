"""A race: the better one leads, ties go to the shorter, the worse cost little."""

import pytest

from afina.program.judge import Feedback
from afina.program.proposing import instructed
from afina.program.race import lead, race
from afina.program.search import Candidate, Means, Search
from tests.worlds.afina_side import WorldLM, program_of, task_of
from tests.worlds.desk import Desk
from tests.worlds.simulated import Simulated
from tests.worlds.world import Evidence

WORLD = Desk(0)
TASK = task_of(WORLD, train=5, dev=100)


def field(*texts: str, means: Means | None = None) -> tuple[Search, list[Candidate], WorldLM]:
    """The given candidate, and others with these instructions."""
    lm = WorldLM(Simulated(WORLD))
    search = Search(program_of(WORLD), TASK, lm, means or Means(), calls=10_000)
    given = search.candidates[0].program
    for text in texts:
        search.add(instructed(given, "predict", text), 0, "written")
    return search, search.candidates, lm


def rules(count: int) -> str:
    own = list(WORLD.queue.items())[:count]
    return " ".join(WORLD.rule("predict", Evidence(*each)) for each in own)


def test_a_much_better_challenger_leads_after_few_rows() -> None:
    search, (given, better), lm = field(rules(8))
    found = race(search, given, [better], TASK.dev, first=10, calls=1000)
    assert found == better
    assert lm.calls < 60


def test_a_worse_challenger_is_let_go_early() -> None:
    search, (_, leader, worse), lm = field(rules(8), "Say anything at all about this.")
    assert race(search, leader, [worse], TASK.dev, first=10, calls=1000) == leader
    assert lm.calls < 60


def test_an_equal_challenger_leads_only_if_it_is_shorter() -> None:
    means = Means(judge=lambda example, trace: Feedback(0.0))
    long = "Tell which queue the note belongs to, and nothing else."
    search, (given, longer, shorter), _ = field(long, "Tell the queue.", means=means)
    assert race(search, given, [longer], TASK.dev, first=10, calls=1000) == given
    assert race(search, given, [longer, shorter], TASK.dev, first=10, calls=1000) == shorter


def test_a_race_keeps_to_its_calls() -> None:
    search, (given, a, b), lm = field(rules(1), rules(2))
    race(search, given, [a, b], TASK.dev, first=10, calls=90)
    assert lm.calls <= 90


def test_the_lead_is_the_mean_paired_difference_in_standard_errors() -> None:
    search, (given, better), _ = field(rules(10))
    rows = TASK.dev[:40]
    own = [search.run_on(each, rows).marks for each in (better, given)]
    differences = [(a.score or 0) - (b.score or 0) for a, b in zip(*own, strict=True)]
    mean = sum(differences) / 40
    spread = (sum(each**2 for each in differences) + 1) / 41 - (mean * 40 / 41) ** 2
    assert lead(search, better, given, rows) == pytest.approx(mean / (spread / 40) ** 0.5)
    assert lead(search, given, given, rows) == 0


def test_a_shorter_challenger_whose_calls_fail_does_not_lead() -> None:
    search, (given, refused), lm = field("Tell the queue.")
    lm.fail = lambda number: any("Tell the queue." in m.content for m in lm.asked[number].messages)
    assert refused.size < given.size
    assert race(search, given, [refused], TASK.dev, first=10, calls=1000) == given


def test_a_challenger_with_too_many_missing_does_not_lead_by_the_others() -> None:
    search, (given, better), lm = field(rules(8))
    rows = [str(value) for row in TASK.dev[:5] for value in row.inputs.values()]
    lm.fail = lambda number: (
        WORLD.rule("predict", Evidence(*next(iter(WORLD.queue.items()))))
        in lm.asked[number].messages[0].content
        and any(row in lm.asked[number].messages[-1].content for row in rows)
    )
    assert race(search, given, [better], TASK.dev[:40], first=40, calls=1000) == given
