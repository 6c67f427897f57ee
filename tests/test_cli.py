"""Every command as a user calls it: what it prints for people and for machines."""

import json
import shutil
from pathlib import Path

import pytest

from tests.folders import (
    Called,
    afina,
    leaking,
    lines,
    model_folder,
    refused,
    reviews,
    task_folder,
    tuned,
)

ROW = {
    *("method", "model", "seeds", "score", "low", "high", "n", "missing", "seconds", "calls"),
    *("tokens", "cost", "latency_ms", "parameters", "run"),
}  # DESIGN, section 5
ONE_RUN = ROW | {"seed", "split", "metric", "test_openings"}
RUN = {"run", "task", "method", "model", "seed", "settings", "status", "seconds", "parameters"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with a task called mood."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFINA_HOME", raising=False)
    task_folder(tmp_path)
    return tmp_path


# check


def test_check_counts_rows_and_labels() -> None:
    called = afina("check", "mood")
    assert called.code == 0
    head, train, dev, test, end = called.out.splitlines()
    assert head == "mood: review -> sentiment: positive | negative, scored by accuracy"
    assert train.startswith("  train: 111 rows; ")
    assert dev.startswith("  dev: 17 rows; ")
    assert test.startswith("  test: 32 rows; ")
    assert end == "ready"


def test_check_prints_one_json_object() -> None:
    found = afina("check", "mood", "--json").json
    assert set(found) == {
        *("task", "signature", "metric", "rows", "labels", "dropped", "rejected", "leaks"),
        *("faults", "warnings", "usable"),
    }
    assert found["rows"] == {"train": 111, "dev": 17, "test": 32}
    assert found["usable"] is True


def test_check_lists_leaks_and_says_what_to_do(here: Path) -> None:
    leaking(here, "refuse")
    called = afina("check", "refuse")
    assert called.code == 2
    assert called.out.count("\n  leak: ") >= 2
    assert "not ready: mend " in called.out
    refused(
        afina("tune", "refuse", "--method", "majority"), 2, "afina check refuse", 'leaks = "drop"'
    )
    assert not Path(".afina").exists()


def test_check_names_what_was_dropped(here: Path) -> None:
    leaking(here, "drop")
    called = afina("check", "drop")
    assert called.code == 0
    assert "more dropped because they leak" in called.out
    assert called.out.count("\n  dropped: ") >= 2
    assert called.out.endswith("ready\n")


def test_check_lists_rejected_rows_by_file_and_line(here: Path) -> None:
    rows = [*reviews(), {"review": "so so", "sentiment": "mixed"}]
    task_folder(here, "odd", rows=lines(rows))
    called = afina("check", "odd")
    assert called.code == 2
    assert f"  rejected: odd/rows.jsonl:{len(rows)}: " in called.out
    assert "not ready: mend 1 rejected rows" in called.out


# tune, resume, show


def test_tune_prints_a_row_for_machines() -> None:
    row = tuned("--json").json
    assert set(row) == ONE_RUN
    assert set(row["latency_ms"]) == {"p50", "p95"}
    assert (row["method"], row["split"], row["seed"], row["seeds"]) == (
        "prompt-tuning",
        "dev",
        0,
        1,
    )
    assert row["n"] == 17
    assert row["low"] <= row["score"] <= row["high"]
    assert row["test_openings"] == 0


def test_tune_prints_a_score_with_its_interval_for_people() -> None:
    called = tuned(method="majority")
    assert (called.code, called.err) == (0, "")
    assert called.out.startswith("majority, seed 0: accuracy on dev 0.")
    assert "], n = 17\n" in called.out
    assert called.out.endswith("run r; the sealed test has been opened 0 times\n")


def test_a_run_is_named_where_no_name_is_given() -> None:
    row = afina("tune", "mood", "--method", "majority", "--json").json
    assert row["run"].startswith("mood-majority-")


@pytest.mark.parametrize("task", ["Meu humor", "ünï", "__x__"])
def test_a_task_may_be_called_anything(here: Path, task: str) -> None:
    task_folder(here, task)
    assert afina("tune", task, "--method", "majority").code == 0
    assert afina("compare", task, "--methods", "majority").code == 0


def test_the_same_order_again_gives_the_same_run_back() -> None:
    first = tuned("--json").json
    assert tuned("--json").json == first
    assert afina("resume", "r", "--json").json == first
    refused(tuned("--seed", "1"), 1, "run 'r' was made with seed 0, not 1", "another run")


def test_settings_arrive_as_they_were_given() -> None:
    tuned("--set", "rate=0.0", "--set", "text=", "--seed", "0", "--set", "weight-decay=0")
    run = afina("show", "r", "--json").json
    assert run["seed"] == 0
    assert run["settings"] == {
        "length": 2,
        "epochs": 1,
        "rate": 0.0,
        "text": "",
        "weight_decay": 0.0,
    }


def test_show_lists_runs_without_cutting_a_name() -> None:
    name = "n" * 100
    tuned(name=name, method="majority")
    tuned(name="b", method="linear-probe")
    out = afina("show").out.splitlines()
    assert out[0].split() == ["run", "task", "method", "model", "seed", "status", "seconds"]
    assert [line.split()[0] for line in out[2:]] == [name, "b"]
    runs = afina("show", "--json").json
    assert [run["run"] for run in runs] == [name, "b"]
    assert all(set(run) == RUN for run in runs)


def test_show_tells_all_of_a_run() -> None:
    tuned()
    out = afina("show", "r").out
    for part in ("length=2, epochs=1", "done after", "loss ", "dev scores", "], n = 17"):
        assert part in out
    run = afina("show", "r", "--json").json
    assert set(run) == RUN | {"reports", "made", "test_openings", "prompt", "written"}
    assert [set(report) for report in run["reports"]] == [ONE_RUN]
    assert len(run["made"]["losses"]) == run["made"]["steps"] == 4


def test_show_names_the_words_near_to_a_soft_prompt_and_that_they_explain_nothing() -> None:
    tuned("--set", "start=text", "--set", "text=good bad film", name="words")
    out = afina("show", "words").out
    for part in ("place", "nearest words", "not what the prompt means"):
        assert part in out
    prompt = afina("show", "words", "--json").json["prompt"]
    assert [place["nearest"][0][0] for place in prompt["places"]] == ["good", "bad"]
    assert (len(prompt["similarity"]), prompt["sites"]) == (2, [])
    assert "not what the prompt means" in prompt["warning"]


def test_show_draws_how_alike_the_places_of_a_prompt_are(here: Path) -> None:
    tuned()
    assert afina("show", "r", "--picture", "p.svg").code == 0
    picture = (here / "p.svg").read_text()
    assert picture.startswith("<svg ")
    assert "Similarity of the places of r<" in picture
    afina("show", "r", "--picture", "again.svg", "--json")
    assert (here / "again.svg").read_text() == picture


def test_show_refuses_to_draw_what_is_not_there(here: Path) -> None:
    tuned()
    tuned(name="m", method="majority")
    refused(afina("show", "--picture", "p.svg"), 2, "expected the run to draw in p.svg")
    refused(afina("show", "m", "--picture", "p.svg"), 2, "soft prompt, got 'm', majority")
    refused(afina("show", "r", "--picture", "p.png"), 2, "ends in .svg, got 'p.png'")
    refused(afina("show", "r", "--picture", "no/p.svg"), 2, "cannot write no/p.svg")
    assert not list(here.glob("p.*"))


def test_show_loads_no_model_where_there_is_no_soft_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned(method="linear-probe")
    tuned(name="m", method="majority")
    monkeypatch.setattr("afina.backbones.backbone.load_frozen", None)
    for name in ("r", "m"):
        assert afina("show", name, "--json").json["prompt"] is None
        assert "place" not in afina("show", name).out


def test_show_tells_the_scores_of_a_run_whose_model_is_gone(here: Path) -> None:
    shutil.copytree(model_folder(), here / "model")
    tuned("--model", "model")
    shutil.rmtree(here / "model")
    out = afina("show", "r").out
    assert "dev scores" in out
    assert "the prompt cannot be shown: no model could be loaded from 'model'" in out
    assert "'model'" in afina("show", "r", "--json").json["prompt"]["error"]
    refused(afina("show", "r", "--picture", "p.svg"), 2, "'model'")


def test_show_makes_no_store_where_none_is(here: Path) -> None:
    assert afina("show").out == "no runs yet; make one with: afina tune TASK\n"
    assert afina("show", "--json").json == []
    for command in ("show", "resume", "predict", "test"):
        refused(afina(command, "r"), 2, "no runs are kept in .afina", "--home")
    assert not (here / ".afina").exists()


def test_a_run_is_found_by_an_unambiguous_beginning() -> None:
    for name in ("alpha", "alps"):
        tuned(name=name, method="majority")
    assert afina("show", "alph", "--json").json["run"] == "alpha"
    refused(afina("show", "al"), 2, "alpha, alps", "write more")
    refused(afina("show", "alhpa"), 2, "did you mean 'alpha'?")


def test_runs_are_kept_where_home_or_the_environment_says(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned("--home", "one", method="majority")
    monkeypatch.setenv("AFINA_HOME", "two")
    tuned(name="s", method="majority")
    assert (here / "one" / "runs" / "r").is_dir()
    assert (here / "two" / "runs" / "s").is_dir()
    assert not (here / ".afina").exists()


# compare


def test_compare_prints_one_object_for_machines() -> None:
    methods = "majority,linear-probe,prompt-tuning"
    settings = ("--set", "prompt-tuning.length=2", "--set", "prompt-tuning.epochs=1")
    called = afina(
        *("compare", "mood", "--methods", methods, "--model", model_folder()),
        *("--seeds", "2", "--json", *settings),
    )
    found = called.json
    assert set(found) >= {"task", "metric", "split", "rows", "verdicts", "test_openings"}
    assert (found["task"], found["metric"], found["split"]) == ("mood", "accuracy", "dev")
    assert [row["method"] for row in found["rows"]] == methods.split(",")
    assert all(set(row) >= ROW | {"seed_deviation", "complete", "error"} for row in found["rows"])
    assert [row["seeds"] for row in found["rows"]] == [1, 1, 2]
    assert len(found["rows"][2]["run"]) == 2
    assert len(found["verdicts"]) == 3
    assert all(
        set(each) == {"a", "b", "difference", "low", "high", "p", "verdict"}
        for each in found["verdicts"]
    )


def test_a_method_that_cannot_run_keeps_its_row_with_the_reason_in_full() -> None:
    called = afina("compare", "mood", "--methods", "majority,zero-shot", "--model", model_folder())
    assert called.code == 0
    reason = next(line for line in called.out.splitlines() if "FAILED:" in line)
    assert reason.startswith("zero-shot FAILED: ")
    assert "is an encoder" in reason
    assert reason.endswith("prompt-tuning")


def test_a_comparison_refuses_before_it_tunes() -> None:
    def compare(*more: str, methods: str = "majority,linear-probe") -> Called:
        return afina("compare", "mood", "--methods", methods, *more)

    refused(compare(methods="majority,linear-prob"), 2, "did you mean 'linear-probe'?")
    refused(compare(methods=""), 2, "expected methods")
    refused(compare(methods="majority,majority"), 2, "each named once")
    refused(compare("--seeds", "0"), 2, "expected 1 seed or more, got 0")
    refused(compare("--model", "./nope"), 2, "no model at './nope'")
    refused(compare("--set", "epochs=1"), 2, "method.name=value")
    refused(compare("--set", "majority.epochs=1"), 2, "majority, got 'epochs'; there are examples")
    assert not Path(".afina").exists()


def test_a_comparison_goes_on_where_it_stopped() -> None:
    arguments = ("compare", "mood", "--methods", "majority,linear-probe")
    first = afina(*arguments, "--model", model_folder(), "--json").json
    assert afina(*arguments, "--model", model_folder(), "--json").json == first


# predict


def test_predict_prints_a_line_an_input() -> None:
    tuned()
    rows = [{"review": "a good film", "more": 1}, {"review": "dull\nplot"}]
    out = afina("predict", "r", "--json", given=lines(rows)).out.splitlines()
    assert len(out) == 2
    for line, row in zip(out, rows, strict=True):
        found = json.loads(line)
        assert set(found) == {"inputs", "outputs", "evidence", "tokens", "seconds", "cost"}
        assert found["inputs"] == {"review": row["review"]}
        assert found["outputs"]["sentiment"] in ("positive", "negative")
    Path("in.jsonl").write_text(lines(rows))
    called = afina("predict", "r", "--input", "in.jsonl")
    assert [line.split("\t")[1] for line in called.out.splitlines()] == ["a good film", "dull plot"]
    assert called.err == ""


def test_predict_needs_no_data_of_the_task() -> None:
    tuned(method="majority")
    shutil.rmtree("mood")
    assert afina("predict", "r", given='{"review": "a"}').code == 0
    refused(afina("test", "r"), 2, "'mood'")


def test_predict_refuses_what_is_no_input(here: Path) -> None:
    tuned(method="majority")
    refused(afina("predict", "r", "--input", "nope"), 2, "cannot read nope", "JSONL")
    refused(afina("predict", "r", "--input", "mood"), 2, "cannot read mood")
    refused(afina("predict", "r", given=""), 2, "standard input: expected a JSON object")
    refused(afina("predict", "r", given='{"review": "a"}\n[1]'), 2, "standard input:2: ")
    refused(
        afina("predict", "r", given='{"text": "a"}'), 2, "expected the input 'review'", "'text'"
    )


def test_a_run_that_is_not_finished_predicts_nothing() -> None:
    afina("compare", "mood", "--methods", "zero-shot", "--model", model_folder())
    name = afina("show", "--json").json[0]["run"]
    for command in ("predict", "test"):
        called = afina(command, name, given='{"review": "a"}')
        refused(called, 2, "is failed", f"afina resume {name}")


# the sealed test


def test_each_opening_of_the_test_is_counted_and_shown_from_then_on() -> None:
    tuned(name="a", method="majority")
    tuned(name="b")
    first = afina("test", "a", "--json").json
    assert set(first) == ONE_RUN
    assert (first["split"], first["n"], first["test_openings"]) == ("test", 32, 1)
    assert "the sealed test has been opened 2 times" in afina("test", "b").out
    assert "the sealed test has been opened 2 times" in afina("show", "a").out
    assert afina("show", "b", "--json").json["test_openings"] == 2
    compared = ("compare", "mood", "--methods", "majority")
    assert "the sealed test has been opened 2 times" in afina(*compared).out
    assert afina(*compared, "--json").json["test_openings"] == 2
    assert tuned("--json", name="c", method="linear-probe").json["test_openings"] == 2


def test_the_test_of_changed_data_is_refused_and_not_counted(here: Path) -> None:
    tuned(method="majority")
    (here / "mood" / "rows.jsonl").write_text(lines(reviews(seed=1)))
    refused(afina("test", "r"), 1, "the data of mood changed")
    assert afina("show", "r", "--json").json["test_openings"] == 0


# export and import


def test_a_prompt_goes_to_peft_and_comes_back_as_a_run(here: Path) -> None:
    """The same answers; the imported one has a head of its own, fitted under it."""
    tuned()
    out = here / "adapter"
    assert afina("export", "r", "--to", "peft", "--out", str(out)).out == f"wrote {out}\n"
    model = ("--model", model_folder())
    back = afina("import", "adapter", "--task", "mood", *model, "--name", "back", "--json").json
    assert (back["method"], back["run"]) == ("imported", "back")
    again = here / "again"
    assert afina("export", "back", "--to", "peft", "--out", str(again), "--json").json == {
        "to": "peft",
        "out": str(again),
    }
    numbers = "adapter_model.safetensors"
    assert (again / numbers).read_bytes() == (out / numbers).read_bytes()


def test_what_cannot_be_exported_is_refused(here: Path) -> None:
    tuned()
    tuned(method="linear-probe", name="probe")
    refused(afina("export", "r", "--to", "onnx", "--out", "x"), 2, "peft, prompt-embeds")
    refused(afina("export", "probe", "--to", "peft", "--out", "x"), 2, "has none to export")
    refused(afina("export", "r", "--to", "prompt-embeds", "--out", "x"), 2, "expected a decoder")
    assert not (here / "x").exists()


def test_a_folder_without_an_adapter_is_not_imported() -> None:
    called = afina("import", "nothing", "--task", "mood", "--model", model_folder())
    refused(called, 2, "no adapter in")
