"""Tasks: a folder is loaded, or refused with one line that names the key or the row."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import DataError, InputError, LeakError, SealedError, SignatureError, TaskError
from afina.task.check import inspect_task
from afina.task.signature import Choice
from afina.task.task import Task, load_task
from tests.task.ledger import MemoryLedger

TOML = """
signature = "review -> sentiment: good | bad"
instruction = "Judge it."
[data]
all = "rows.csv"
"""
WORDS = (
    "amber birch cedar delta ember fjord grove heron inlet joker karst lemon mango nylon".split()
)


def sentence(n: int) -> str:
    return " ".join(WORDS[(n * k + n // k) % len(WORDS)] + str(n * k) for k in range(1, 9))


def table(numbers: range) -> str:
    rows = [f"{sentence(n)},{'good' if n % 2 else 'bad'}" for n in numbers]
    return "\n".join(["review,sentiment", *rows, ""])


def folder(path: Path, toml: str = TOML, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "task.toml").write_text(toml)
    for name, text in (files or {"rows": table(range(100))}).items():
        (path / f"{name}.csv").write_text(text)
    return path


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return folder(tmp_path / "reviews")


THREE = TOML.replace('all = "rows.csv"', 'train = "train.csv"\ndev = "dev.csv"\ntest = "test.csv"')


def test_a_folder_is_a_task(made: Path) -> None:
    task = load_task(made)
    assert task.name == "reviews"
    assert str(task.signature) == "review -> sentiment: good | bad"
    assert task.signature.instruction == "Judge it."
    assert task.metric.name == "accuracy"
    assert (len(task.train), len(task.dev), len(task.test)) == (70, 10, 20)
    assert task.manifest.shares == {"test": 0.2, "dev": 0.1}
    assert len(task.manifest.splits["test"]) == 20
    assert load_task(str(made)).digest == task.digest


def test_the_digest_knows_the_data_and_not_the_instruction(made: Path, tmp_path: Path) -> None:
    digest = load_task(made).digest
    other = TOML.replace("Judge it.", "Say it.")
    assert load_task(folder(tmp_path / "b", other)).digest == digest
    assert load_task(folder(tmp_path / "c", rows=table(range(101)))).digest != digest
    macro = 'metric = "macro-f1"' + TOML
    assert load_task(folder(tmp_path / "d", macro)).digest != digest


def test_given_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    files = {"train": table(range(50)), "dev": table(range(50, 60)), "test": table(range(60, 80))}
    task = load_task(folder(tmp_path / "t", THREE, **files))
    assert (len(task.train), len(task.dev), len(task.test)) == (50, 10, 20)
    assert task.manifest.shares == {}


def test_a_missing_split_is_cut_from_train(tmp_path: Path) -> None:
    toml = THREE.replace('dev = "dev.csv"\n', "")
    task = load_task(
        folder(tmp_path / "t", toml, train=table(range(50)), test=table(range(60, 80)))
    )
    assert len(task.train) + len(task.dev) == 50
    assert 4 <= len(task.dev) <= 6
    assert len(task.test) == 20


def test_several_files_make_a_split(tmp_path: Path) -> None:
    toml = TOML.replace('"rows.csv"', '["a.csv", "b.csv"]')
    task = load_task(folder(tmp_path / "t", toml, a=table(range(50)), b=table(range(50, 100))))
    assert len(task.train) + len(task.dev) + len(task.test) == 100


def test_labels_may_come_from_train(tmp_path: Path) -> None:
    task = load_task(folder(tmp_path / "t", TOML.replace("good | bad", "choice")))
    assert task.signature.target.type == Choice(("bad", "good"))


def test_labels_may_come_from_a_file(tmp_path: Path) -> None:
    toml = 'labels_file = "labels.csv"' + TOML.replace("good | bad", "choice")
    made = folder(tmp_path / "t", toml, rows=table(range(100)), labels='["good", "bad"]')
    assert load_task(made).signature.target.type == Choice(("good", "bad"))
    for text in ("5", "[1]", "{", "\xff"):
        (made / "labels.csv").write_text(text, encoding="latin-1")
        with pytest.raises(TaskError, match="labels_file: expected a JSON list"):
            load_task(made)


def test_labels_outside_train_are_refused_by_line(tmp_path: Path) -> None:
    files = {"train": table(range(50)), "dev": table(range(50, 60)), "test": table(range(60, 80))}
    files["dev"] = files["dev"].replace(",good", ",fine", 1)
    made = folder(tmp_path / "t", THREE.replace("good | bad", "choice"), **files)
    with pytest.raises(DataError, match=r"dev\.csv:3: sentiment: expected 'bad' or 'good'"):
        load_task(made)


def test_raw_labels_and_words_are_mapped(tmp_path: Path) -> None:
    rows = table(range(100)).replace(",good", ",1").replace(",bad", ",0")
    labels = '[labels]\n"1" = "good"\n"0" = "bad"\n[prompt]\nwords = { good = "great" }\n'
    task = load_task(folder(tmp_path / "t", TOML + labels, rows=rows))
    assert {example.outputs["sentiment"] for example in task.train} == {"good", "bad"}
    assert task.words == {"good": "great"}
    assert task.further_words == {}


def test_a_label_may_have_several_words(tmp_path: Path) -> None:
    """The first is the word that prompts write. Broken by taking the last for it."""
    words = '[prompt]\nwords = { good = ["great", "fine", "so good"], bad = "awful" }\n'
    task = load_task(folder(tmp_path / "t", TOML + words, rows=table(range(100))))
    assert task.words == {"good": "great", "bad": "awful"}
    assert task.further_words == {"good": ("fine", "so good")}


def test_versions_of_an_answer_are_merged_in_dev_and_test(tmp_path: Path) -> None:
    toml = 'signature = "review -> sentiment"\n[data]\nall = "rows.csv"\nmerge = true\n'
    rows = table(range(100))
    again = "".join(f"{sentence(n)},other\n" for n in range(100))
    task = load_task(folder(tmp_path / "t", toml, rows=rows + again))
    assert (len(task.train), len(task.dev), len(task.test)) == (140, 10, 20)
    assert all(len(example.outputs["sentiment"]) == 2 for example in task.dev)


BROKEN = [
    ("", "signature: expected this key", "data: expected this key"),
    ("x", "expected TOML"),
    ("signature = 5\n" + "[data]\nall = 'rows.csv'", "signature: input should be a valid string"),
    (TOML.replace("review ->", "review"), "no arrow"),
    (TOML.replace("good | bad", "good | good"), "'good' stands twice"),
    (TOML + 'tets = "x"', "data.tets: an unknown key; did you mean 'test'?"),
    ('metrik = "x"' + TOML, "metrik: an unknown key; did you mean 'metric'?"),
    ('metric = "acuracy"' + TOML, "did you mean 'accuracy'?"),
    ('metric = "pearson"' + TOML, "'sentiment: good | bad', came 'pearson'; take 'accuracy'"),
    (TOML + "header = 1", "data.header: input should be a valid boolean, came 1"),
    (TOML + 'train = "rows.csv"', "data: expected 'all' or 'train'"),
    (TOML.replace("all", "dev"), "data: expected 'train' or 'all', came neither"),
    (TOML.replace('"rows.csv"', "[]"), "data.all: "),
    (TOML.replace('"rows.csv"', "3"), "data.all: "),
    (TOML + "columns = { revue = 0 }", "data.columns.revue: expected a field of the signature"),
    (TOML + "columns = { review = 1.5 }", "data.columns.review: "),
    (TOML + "[split]\ndev = 1.0", "split.dev: input should be less than 1, came 1.0"),
    (TOML + "[split]\ndev = 0.5\ntest = 0.5", "split: expected dev + test under 1, came 1.0"),
    (TOML + '[split]\nleaks = "ignore"', "split.leaks: "),
    (TOML + "[split]\nseed = 0.5", "split.seed: input should be a valid integer"),
    (TOML + "[splits]\nseed = 0", "splits: an unknown key; did you mean 'split'?"),
    (TOML + '[labels]\n"1" = "fine"', "labels.1: expected a label of the signature, came 'fine'"),
    (TOML + "[labels]\n1 = 1", "labels.1: input should be a valid string"),
    (TOML + '[prompt.words]\nfine = "x"', "prompt.words.fine: expected a label"),
    (TOML + "[prompt.words]\ngood = []", "prompt.words.good: "),
    (TOML + "[prompt.words]\ngood = [1]", "prompt.words.good"),
    ('labels_file = "x.json"' + TOML, "labels_file: expected 'choice' as the target's type"),
    (TOML.replace("rows.csv", "/etc/passwd"), "relative to the folder of task.toml"),
    (TOML.replace("rows.csv", "http://x/rows.csv"), "it is a URL"),
    (TOML.replace("rows.csv", "%2e%2e/rows.csv"), "percent-encoded"),
    (TOML.replace("rows.csv", "gone.csv"), "no data file 'gone.csv'"),
    (TOML.replace("rows.csv", "task.toml"), "expected a data file that ends in"),
    (TOML.replace("rows.csv", "."), "expected a regular file, came '.'"),
]


@pytest.mark.parametrize(("toml", "reasons"), [(case[0], case[1:]) for case in BROKEN])
def test_a_broken_task_file_is_refused_by_key(
    tmp_path: Path, toml: str, reasons: tuple[str, ...]
) -> None:
    made = folder(tmp_path / "t", toml)
    with pytest.raises(InputError) as caught:
        load_task(made)
    message = str(caught.value)
    assert isinstance(caught.value, TaskError | SignatureError | InputError)
    assert all(reason in message for reason in reasons)
    assert all(line.startswith(str(made / "task.toml")) for line in message.split("\n"))
    assert len(message.split("\n")) == len(reasons)


def test_a_task_file_of_other_bytes_is_refused(made: Path) -> None:
    (made / "task.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(TaskError, match="expected UTF-8"):
        load_task(made)


def test_what_is_no_task_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match="'tasks/typo', which is neither"):
        load_task("tasks/typo")
    with pytest.raises(TaskError, match=r"without task\.toml"):
        load_task(tmp_path)
    with pytest.raises(TaskError, match="which is neither"):
        load_task(tmp_path / "gone")
    with pytest.raises(TaskError, match="which is neither"):
        load_task("no such thing")


def test_rows_that_were_rejected_refuse_the_task(tmp_path: Path) -> None:
    made = folder(tmp_path / "t", rows=table(range(100)) + "a,ugly\nb\n")
    with pytest.raises(DataError) as caught:
        load_task(made)
    assert [line.split(": ")[0][-12:] for line in str(caught.value).split("\n")] == [
        "rows.csv:102",
        "rows.csv:103",
    ]


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="each split, came none in dev and test"):
        load_task(folder(tmp_path / "t", rows=table(range(2))))


def test_a_class_without_a_training_example_is_named(tmp_path: Path) -> None:
    made = folder(tmp_path / "t", TOML.replace("good | bad", "good | bad | ugly"))
    with pytest.raises(TaskError, match="no example in train for 1 of the labels: 'ugly'"):
        load_task(made)


def leaking(path: Path, rule: str) -> Path:
    files = {
        "train": table(range(50)),
        "dev": table(range(45, 60)),
        "test": table(range(55, 80)) + f"{sentence(3).upper()} !,good\n",
    }
    return folder(path, f'{THREE}[split]\nleaks = "{rule}"\n', **files)


def test_splits_that_leak_are_refused_by_default(tmp_path: Path) -> None:
    made = leaking(tmp_path / "t", "refuse")
    with pytest.raises(LeakError) as caught:
        load_task(made)
    message = str(caught.value)
    assert "came 11 exact" in message
    assert f"afina check {made}" in message
    assert 'leaks = "drop"' in message
    assert message.count("~") == 3
    assert caught.value.exit_code == 2


def test_dropping_leaks_keeps_test_whole(tmp_path: Path) -> None:
    task = load_task(leaking(tmp_path / "t", "drop"))
    assert (len(task.train), len(task.dev), len(task.test)) == (44, 10, 26)
    assert task.dropped == {"train": 6, "dev": 5, "test": 0}


def test_leaks_may_be_allowed(tmp_path: Path) -> None:
    task = load_task(leaking(tmp_path / "t", "allow"))
    assert (len(task.train), len(task.dev), len(task.test)) == (50, 15, 26)


def test_a_shared_group_is_a_leak(tmp_path: Path) -> None:
    def grouped(numbers: range) -> str:
        head, *rows = table(numbers).splitlines()
        return "\n".join(
            [f"{head},user", *(f"{row},{n % 40}" for n, row in zip(numbers, rows, strict=True))]
        )

    files = {"train": range(30), "dev": range(30, 36), "test": range(39, 71)}
    made = folder(
        tmp_path / "t", THREE + 'group = "user"', **{k: grouped(v) for k, v in files.items()}
    )
    with pytest.raises(LeakError, match="came 31 group"):
        load_task(made)


def test_looking_at_a_task_raises_for_nothing_in_its_rows(tmp_path: Path) -> None:
    made = leaking(tmp_path / "t", "refuse")
    (made / "dev.csv").write_text(table(range(45, 60)) + "x,ugly\n")
    toml = (made / "task.toml").read_text().replace("good | bad", "good | bad | ugly")
    (made / "task.toml").write_text(toml)
    check = inspect_task(made)
    assert check.rows == {"train": 50, "dev": 16, "test": 26}
    assert check.labels["train"] == {"bad": 25, "good": 25}
    assert [leak.kind for leak in check.leaks] == ["exact"] * 11
    assert "no example in train for 1 of the labels: 'ugly'" in check.faults[0]
    assert any("1 labels without an example in test: ugly" in line for line in check.warnings)
    assert not check.usable
    (made / "dev.csv").write_text(table(range(45, 60)) + "x,awful\n")
    assert [rejection.line for rejection in inspect_task(made).rejected] == [17]


def test_looking_counts_what_is_let_through(tmp_path: Path) -> None:
    check = inspect_task(leaking(tmp_path / "t", "allow"))
    assert check.usable
    assert len(check.leaks) == 11
    assert "11 leaks are let through" in check.warnings[-1]


def test_an_input_with_two_answers_is_a_warning(tmp_path: Path) -> None:
    row = table(range(8, 9)).splitlines()[1]
    made = folder(tmp_path / "t", rows=table(range(100)) + row.replace("bad", "good") + "\n")
    toml = TOML + "[split]\ntest = 0.1\n"
    (made / "task.toml").write_text(toml)
    check = inspect_task(made)
    assert check.usable == (not check.leaks)
    assert any("different outputs" in line for line in check.warnings) or check.leaks


def test_the_test_split_opens_only_with_a_ledger(made: Path) -> None:
    task, ledger = load_task(made), MemoryLedger()
    rows = task.test.open(ledger, "run")
    assert [example.id for example in rows] == list(task.manifest.splits["test"])
    assert ledger.count(task.digest) == 1


def test_code_that_tunes_cannot_open_the_test(made: Path) -> None:
    task, ledger = load_task(made).for_tuning(), MemoryLedger()
    with pytest.raises(SealedError):
        task.test.open(ledger, "run")
    assert ledger.count(task.digest) == 0
    assert len(task.test) == 20


def reachable(task: Task) -> str:
    shown = [repr(task), repr(vars(task) | {"test": None}), repr(copy.copy(task))]
    shown += [repr(copy.deepcopy(task)), repr(replace(task)), repr(task.__dict__.keys())]
    return " ".join(shown)


def test_copies_and_texts_of_a_task_show_no_test_row(made: Path) -> None:
    task = load_task(made)
    rows = task.test.open(MemoryLedger(), "run")
    assert not any(str(example.inputs["review"]) in reachable(task) for example in rows)
    with pytest.raises(SealedError):
        pickle.dumps(task)
    with pytest.raises(SealedError):
        repr(vars(task))
