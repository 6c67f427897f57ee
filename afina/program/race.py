"""A race: candidates on the same examples, more of them as long as it is not clear who leads."""

import math
from collections.abc import Sequence

from afina.program.scored import differences
from afina.program.search import Candidate, Search
from afina.task.example import Example

AHEAD = 1.0  # standard errors by which a longer prompt must lead to take over
BEHIND = -0.3  # standard errors at which a challenger is let go
SURE = 2.0  # standard errors at which no more examples are needed


def race(
    search: Search,
    leader: Candidate,
    challengers: Sequence[Candidate],
    dev: Sequence[Example],
    *,
    first: int,
    calls: int,
) -> Candidate:
    """Who leads after a race on the first examples of dev, then twice as many, and so on.

    Bounds are of the mean paired difference to the leader. A challenger that is behind is let go
    early; one that is ahead takes over; a tie goes to the shorter prompts. It ends when all is
    clear, at the end of dev, or where ``calls`` are spent. Successive halving on pairs: Jamieson
    and Talwalkar 2016, https://proceedings.mlr.press/v51/jamieson16.html; Maron and Moore 1994,
    "Hoeffding races", whose bounds we replace by the normal ones of the differences.
    """
    running = [each for each in challengers if each.number != leader.number]
    ends_at = search.purse.usage.calls + calls
    count = min(first, len(dev))
    while running:
        for candidate in (leader, *running):
            search.score(candidate, dev[:count])
        leads = {each.number: lead(search, each, leader, dev[:count]) for each in running}
        running = [each for each in running if leads[each.number] > BEHIND]
        more = min(count, len(dev) - count)
        cost = search.cost(leader, more * (1 + len(running)))
        clear = all(leads[each.number] >= SURE for each in running)
        if clear or more == 0 or search.purse.usage.calls + cost > ends_at:
            break
        count += more
    return winner(search, leader, running, dev[:count])


def winner(
    search: Search, leader: Candidate, running: Sequence[Candidate], dev: Sequence[Example]
) -> Candidate:
    """The best of those that are far enough ahead of the leader, or the leader."""
    ahead = [each for each in running if takes_over(search, each, leader, dev)]
    scores = {each.number: search.run_on(each, dev).mean or 0.0 for each in ahead}
    return max(ahead, key=lambda each: (scores[each.number], -each.size), default=leader)


def takes_over(search: Search, one: Candidate, leader: Candidate, dev: Sequence[Example]) -> bool:
    """Whether a candidate is clearly ahead, or as good as the leader and shorter."""
    ahead = lead(search, one, leader, dev)
    return ahead >= (AHEAD if one.size >= leader.size else 0.0)


def lead(search: Search, one: Candidate, other: Candidate, dev: Sequence[Example]) -> float:
    """How far one is ahead of another in standard errors of the mean paired difference.

    One more difference, of 1 and counted neither way, keeps a few equal ones from seeming sure. One
    without a score, since too many of its calls failed, is behind whatever the others say.
    """
    scored = search.run_on(one, dev)
    if scored.mean is None:
        return -math.inf
    apart = differences(scored, search.run_on(other, dev))
    if not apart:
        return 0.0
    n, mean = len(apart), sum(apart) / len(apart)
    spread = (sum(each**2 for each in apart) + 1.0) / (n + 1) - (mean * n / (n + 1)) ** 2
    return mean / math.sqrt(max(spread, 1e-9) / n)
