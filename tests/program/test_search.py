"""A search: what is asked once, counted, missing, and how it ends."""

from dataclasses import replace

import pytest

from afina.errors import CallError, InputError
from afina.lm.budget import Budget
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.reply import Reply
from afina.lm.request import Request
from afina.program.judge import Feedback
from afina.program.proposing import instructed
from afina.program.scored import Scored
from afina.program.search import BY_ITSELF, Candidate, Means, Search
from tests.worlds.afina_side import WorldLM, program_of, task_of
from tests.worlds.desk import Desk
from tests.worlds.simulated import Simulated

WORLD = Desk(0)
TASK = task_of(WORLD, train=20, dev=30)


def search(lm: WorldLM | None = None, means: Means = BY_ITSELF, calls: int = 200) -> Search:
    return Search(program_of(WORLD), TASK, lm or WorldLM(Simulated(WORLD)), means, calls=calls)


def other(found: Search) -> Candidate:
    program = instructed(found.candidates[0].program, "predict", "Say which queue it is.")
    return found.add(program, 0, "worded otherwise")


def score_given(inside: Search) -> None:
    inside.score(inside.candidates[0], TASK.dev)


def test_no_pair_of_a_prompt_and_an_example_is_asked_twice() -> None:
    lm = WorldLM(Simulated(WORLD))
    found = search(lm)
    given = found.candidates[0]
    first = found.score(given, TASK.dev[:10])
    again = found.score(given, TASK.dev[:15])
    assert lm.calls == found.purse.usage.calls == 15
    assert again.marks[:10] == first.marks
    found.score(other(found), TASK.dev[:15])
    assert lm.calls == 30
    keys = [request.key(lm.identity) for request in lm.asked]
    assert len(set(keys)) == len(keys)


def test_the_same_program_is_one_candidate() -> None:
    found = search()
    assert other(found).number == other(found).number == 1
    assert len(found.candidates) == 2


def test_calls_end_the_search_with_the_best_so_far() -> None:
    lm = WorldLM(Simulated(WORLD))
    found = search(lm, calls=45)

    def work(inside: Search) -> None:
        inside.score(inside.candidates[0], TASK.dev)
        inside.score(other(inside), TASK.dev)

    result = found.run(work)
    assert lm.calls == 45
    assert (result.ended, result.best, result.usage.calls) == ("calls", 0, 45)
    assert [trial.n for trial in result.trials] == [30, 0]
    assert result.trials[1].score is None


def test_a_journals_budget_ends_it_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    lm = WorldLM(Simulated(WORLD))
    kept = Journaled(lm, Journal(tmp_path / "journal.sqlite"), Budget(calls=40))
    found = Search(program_of(WORLD), TASK, kept, BY_ITSELF, calls=200)

    def work(inside: Search) -> None:
        inside.score(inside.candidates[0], TASK.dev)
        inside.score(other(inside), TASK.dev)

    result = found.run(work)
    assert (result.ended, result.best, lm.calls) == ("budget", 0, 40)


def test_a_few_failed_calls_are_missing_and_no_score_of_0() -> None:
    lm = WorldLM(Simulated(WORLD), fail=lambda number: number in (3, 4))
    found = search(lm)
    scored = found.score(found.candidates[0], TASK.dev)
    calm = search().score(search().candidates[0], TASK.dev)
    assert (scored.missing, len(scored.scores)) == (2, 28)
    there = [b.score for a, b in zip(scored.marks, calm.marks, strict=True) if a.score is not None]
    assert scored.mean == pytest.approx(sum(filter(None, there)) / 28)


def test_an_outage_pauses_the_search_and_is_no_score() -> None:
    lm = WorldLM(Simulated(WORLD), fail=lambda number: number >= 20)
    found = search(lm)
    with pytest.raises(CallError, match=r"paused: .* run it again to go on"):
        found.run(score_given)
    assert not found.dev[0]


def test_a_row_that_the_model_refuses_pauses_no_search_that_has_enough_others() -> None:
    lm = WorldLM(Simulated(WORLD))
    refused = str(TASK.dev[20].inputs["note"])
    lm.fail = lambda number: refused in lm.asked[number].messages[-1].content
    found = search(lm)
    found.score(found.candidates[0], TASK.dev[:20])
    assert found.score(found.candidates[0], TASK.dev[20:23]).missing == 1
    with pytest.raises(CallError, match="paused: 1 of 3 examples"):
        search(lm).score(search().candidates[0], TASK.dev[20:23])


def test_a_reply_that_cannot_be_read_counts_as_wrong() -> None:
    found = search()
    scored = found.score(found.candidates[0], TASK.dev)
    unread = [mark for mark in scored.marks if mark.trace.outputs is None]
    assert unread
    assert all(mark.score == 0 and "no answer came" in mark.feedback for mark in unread)


def test_a_tie_goes_to_the_shorter_prompt() -> None:
    found = search(means=Means(judge=lambda example, trace: 1.0))
    given = found.candidates[0]
    longer = instructed(given.program, "predict", "Tell which queue the note belongs to, please.")
    shorter = instructed(given.program, "predict", "Tell the queue.")
    for program in (longer, shorter):
        found.add(program, 0, "worded")
    rows = [row for row in TASK.dev if found.run_on(given, [row]).marks[0].trace.outputs][:5]
    whole = [
        row
        for row in rows
        if all(found.run_on(each, [row]).marks[0].trace.outputs for each in found.candidates)
    ]
    for each in found.candidates:
        found.score(each, whole)
    assert found.best().program.prompts == shorter.prompts


def test_a_metric_that_raises_names_its_example() -> None:
    def judge(example, trace):  # type: ignore[no-untyped-def]
        raise ValueError("no such thing")

    found = search(means=Means(judge=judge))
    with pytest.raises(InputError, match=rf"{TASK.dev[0].id}.*ValueError: no such thing; mend it"):
        found.score(found.candidates[0], TASK.dev[:1])


def test_a_metric_that_gives_no_number_is_refused() -> None:
    found = search(means=Means(judge=lambda example, trace: Feedback(float("nan"))))
    with pytest.raises(InputError, match="gave nan"):
        found.score(found.candidates[0], TASK.dev[:3])


def test_who_watches_may_end_it() -> None:
    wanted = CallError("that will do")
    with pytest.raises(CallError, match="that will do"):
        search(means=Means(stop=lambda: wanted)).score(search().candidates[0], TASK.dev)


class ShortLM(WorldLM):
    """A model that refuses what is long."""

    async def answer(self, request: Request) -> Reply:
        if sum(len(each.content) for each in request.messages) > 600:
            self.asked.append(request)
            raise CallError("expected a shorter request")
        return await super().answer(request)


def test_a_prompt_that_the_model_refuses_is_not_scored_and_stops_nothing() -> None:
    found = search(ShortLM(Simulated(WORLD)))
    given = found.candidates[0]
    long = found.add(instructed(given.program, "predict", "Tell the queue. " * 60), 0, "long")
    scored = found.score(long, TASK.dev[:10])
    assert scored.mean is None
    assert scored.missing == 10
    assert found.score(given, TASK.dev[:10]).mean is not None
    assert found.best() == given
    assert found.trial(long).score is None


def test_an_outage_while_another_candidate_is_asked_pauses_too() -> None:
    found = search(WorldLM(Simulated(WORLD), fail=lambda number: number >= 15))
    found.score(found.candidates[0], TASK.dev[:10])
    with pytest.raises(CallError, match="paused"):
        found.score(other(found), TASK.dev[:10])


def test_a_trial_with_too_many_missing_has_no_score() -> None:
    found = search()
    marks = found.score(found.candidates[0], TASK.dev[:10]).marks

    def without(count: int) -> Scored:
        return Scored(tuple(replace(m, score=None) for m in marks[:count]) + marks[count:])

    assert without(1).mean is not None
    assert without(1).bounds is not None
    assert without(2).mean is None
    assert without(2).bounds is None
