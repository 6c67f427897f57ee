"""A plan tells before anything runs, asks no model in words, and rests on what is kept."""

from pathlib import Path

import pytest

from afina.comparing import compare
from afina.errors import InputError
from afina.lineup import Lineup
from afina.lm.journal import Journal
from afina.lm.scripted import ScriptedLM
from afina.models import Models
from afina.plan import Plan, plan
from afina.store.store import Store
from tests.folders import afina, model_folder, refused, task_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return task_folder(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def speaking(tmp_path: Path, lm: ScriptedLM) -> Models:
    return Models(given={"m": lm}, journal=Journal(tmp_path / "journal.sqlite"))


def planned(store: Store, folder: Path, *methods: str, model: str = "") -> Plan:
    return plan(store, Lineup(str(folder), methods, (model or model_folder(),), 3))


def test_nothing_is_asked_and_nothing_is_kept(folder: Path, store: Store, tmp_path: Path) -> None:
    lm = ScriptedLM({}, name="m")
    found = plan(
        store,
        Lineup(str(folder), ("zero-shot", "few-shot"), ("m",), 3),
        models=speaking(tmp_path, lm),
    )
    assert lm.calls == 0
    assert not store.home.exists()
    zero, few = found.costs
    assert (zero.calls, few.calls) == (17, 3 * 17)
    assert zero.tokens is not None
    assert few.tokens is not None
    assert few.tokens > 9 * zero.tokens
    assert zero.seconds is None


def test_what_dev_settles_is_assumed_until_runs_are_kept(folder: Path, store: Store) -> None:
    before = planned(store, folder, "majority").settles
    assert (before.n, before.measured) == (17, False)
    assert before.needed == {0.01: 16_000, 0.03: 1_800, 0.05: 630}
    compare(store, str(folder), ["majority", "linear-probe"], model=model_folder())
    after = planned(store, folder, "majority").settles
    assert after.measured
    assert after.deviation != before.deviation


def test_a_kept_run_tells_what_it_took(folder: Path, store: Store) -> None:
    (before,) = planned(store, folder, "linear-probe").costs
    assert before.seconds is not None
    assert "measured" in before.basis
    compare(store, str(folder), ["linear-probe"], model=model_folder())
    (after,) = planned(store, folder, "linear-probe").costs
    (run,) = store.runs()
    assert after.basis == f"as run {run.name} took"
    assert after.seconds == pytest.approx(run.seconds + store.report(run.name, "dev").seconds)


def test_a_run_with_other_settings_tells_nothing_of_what_these_take(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    models = speaking(tmp_path, ScriptedLM(lambda _: "positive", name="m"))
    compare(store, str(folder), ["few-shot"], model="m", models=models)

    def basis(**settings: object) -> str:
        lineup = Lineup(str(folder), ("few-shot",), ("m",), settings={"few-shot": settings})
        return plan(store, lineup, models=models).costs[0].basis

    assert basis().startswith("as run ")
    assert "letters a call" in basis(shots=3)


def test_a_search_asks_its_calls_and_scores_the_winner_and_two_yardsticks(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    models = speaking(tmp_path, ScriptedLM({}, name="m"))
    lineup = Lineup(str(folder), ("copro",), ("m",), 2, settings={"copro": {"calls": 70}})
    (found,) = plan(store, lineup, models=models).costs
    assert (found.seeds, found.calls) == (2, 2 * (70 + 3 * 17))


def test_training_takes_three_passes_a_row_and_one_a_row_of_each_check(
    folder: Path, store: Store
) -> None:
    given = {"prompt-tuning": {"epochs": 5, "checks": 4}}
    lineup = Lineup(str(folder), ("prompt-tuning",), (model_folder(),), settings=given)
    found = plan(store, lineup, models=Steady())
    rows = 3 * 5 * found.train + (4 + 1) * found.settles.n
    assert found.costs[0].seconds == pytest.approx(0.001 * rows)
    assert found.costs[0].basis == f"{rows:,} rows at a measured 1.00 ms"


def test_more_rows_and_epochs_take_longer(folder: Path, store: Store) -> None:
    def seconds(**settings: object) -> float:
        given = {"prompt-tuning": settings}
        lineup = Lineup(str(folder), ("prompt-tuning",), (model_folder(),), settings=given)
        (found,) = plan(store, lineup, models=Steady()).costs
        assert found.seconds is not None
        return found.seconds

    assert seconds(epochs=20) > 5 * seconds(epochs=2)


class Steady(Models):
    """A model whose pace is always the same."""

    def once(self) -> "Steady":
        return self

    def row_seconds(self, name: str, task: object) -> float:
        return 0.001


def test_a_model_s_pace_is_the_clock_s() -> None:
    from afina.task.task import load_task
    from afina.training.pace import row_seconds
    from tests.tiny import shared

    ticks = iter([0.0, 9.0, 10.0, 13.2])
    task = load_task("examples/front_desk")
    assert row_seconds(shared("bert"), task, lambda: next(ticks)) == pytest.approx(0.1)


def test_an_encoder_s_plan_leaves_out_what_it_cannot_write(folder: Path, store: Store) -> None:
    found = planned(store, folder)
    assert "majority" in [cost.method for cost in found.costs]
    assert {"zero-shot", "few-shot"} <= {each.method for each in found.unfit}


def test_where_to_begin_goes_by_the_model(folder: Path, store: Store, tmp_path: Path) -> None:
    here = {name for each in planned(store, folder, "majority").favoured for name in each.methods}
    lineup = Lineup(str(folder), ("majority",), ("m",))
    asked = plan(store, lineup, models=speaking(tmp_path, ScriptedLM({}, name="m"))).favoured
    assert "p-tuning-v2" in here
    assert {name for each in asked for name in each.methods} == {"zero-shot", "few-shot", "gepa"}
    assert all("https://arxiv.org/abs/" in each.source for each in asked)


def test_the_command_prints_a_plan(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    called = afina("plan", "mood", "--methods", "majority,linear-probe", "--model", model_folder())
    assert called.code == 0, called.err
    assert "dev shows a difference of 30.4 points or more" in called.out
    assert "linear-probe" in called.out
    found = afina("plan", "mood", "--methods", "majority", "--json").json
    assert set(found) == {
        *("task", "train", "dev", "test", "settles", "costs", "unfit", "favoured"),
    }
    assert found["settles"]["needed"]["0.03"] == 1800
    refused(afina("plan", "mood", "--methods", "majorit"), 2, "did you mean 'majority'?")


def test_an_unknown_method_is_refused(folder: Path, store: Store) -> None:
    with pytest.raises(InputError, match="did you mean 'few-shot'"):
        planned(store, folder, "few-shots")
