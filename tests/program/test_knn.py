"""Nearest examples: chosen by what they score, never over the calls."""

from pathlib import Path

import pytest

from afina.errors import CallError, InputError
from afina.hard.prompt_solver import PromptSolver
from afina.hard.selection import Selection
from afina.lm.journal import Journal
from afina.lm.journaled import Journaled
from afina.lm.lm import LM
from afina.program.found import Found
from afina.program.knn import KnnSettings, knn
from afina.program.search import Means
from afina.retrieval.embedding import Embedding
from tests.program.optimising import judge_of
from tests.worlds.afina_side import Oracle, WorldLM, program_of, task_of
from tests.worlds.ledger import Ledger
from tests.worlds.simulated import Simulated

WORLD = Ledger(0)


def no_vectors(name: str) -> Embedding:
    raise AssertionError(name)


def chosen(
    lm: LM,
    settings: KnnSettings = KnnSettings(calls=150),  # noqa: B008  a frozen value
) -> tuple[Found, Selection | None]:
    means = Means(judge=judge_of(WORLD))
    return knn(program_of(WORLD), task_of(WORLD), lm, settings, means, load=no_vectors)


def test_nearest_examples_gain_where_examples_matter() -> None:
    lm = WorldLM(Simulated(WORLD))
    found, selection = chosen(lm)
    assert selection is not None
    assert lm.calls == found.usage.calls <= 150
    oracle = Oracle(Simulated(WORLD))
    prompt = program_of(WORLD).prompts["predict"]
    PromptSolver(prompt, oracle, "", selection=selection)(
        [row.inputs for row in WORLD.rows("held out", 100)]
    )
    assert sum(oracle.shares.values()) / len(oracle.shares) > 0.55
    assert found.trials[found.best].how.startswith(f"the {selection.settings.shots} nearest")


def test_a_constant_metric_shows_no_examples() -> None:
    means = Means(judge=lambda example, trace: 0.0)
    lm, settings = WorldLM(Simulated(WORLD)), KnnSettings(calls=100)
    found, selection = knn(program_of(WORLD), task_of(WORLD), lm, settings, means, load=no_vectors)
    assert selection is None
    assert found.best == 0


def test_an_outage_pauses_and_it_goes_on(tmp_path: Path) -> None:
    wanted = chosen(WorldLM(Simulated(WORLD)))
    journal = Journal(tmp_path / "journal.sqlite")
    broken = WorldLM(Simulated(WORLD), fail=lambda number: number >= 50)
    with pytest.raises(CallError, match="run it again"):
        chosen(Journaled(broken, journal))
    again = WorldLM(Simulated(WORLD))
    found = chosen(Journaled(again, journal))
    assert found[1] == wanted[1]
    assert [trial.score for trial in found[0].trials] == [trial.score for trial in wanted[0].trials]
    assert again.calls == wanted[0].usage.calls - 50


def test_an_unknown_selector_is_refused() -> None:
    with pytest.raises(InputError, match="got 'nearby'"):
        chosen(WorldLM(Simulated(WORLD)), KnnSettings(select="nearby", calls=60))
