"""The installed command as a process: signals, a full disk, a terminal, what help loads."""

import ast
import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from aiohttp import web

from tests.folders import (
    afina,
    model_folder,
    refused,
    task_folder,
)
from tests.lm.server import Handler, chat, serving


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder with a task called mood."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFINA_HOME", raising=False)
    task_folder(tmp_path)
    return tmp_path


def process(*arguments: str, shell: str = "", **more: Any) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    command = [str(Path(sys.executable).parent / "afina"), *arguments]
    if shell:
        command = ["bash", "-c", f'{shell}; exec "$@"', "bash", *command]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **{**pipes, **more})


def test_a_full_disk_ends_with_4_and_leaves_nothing_half_written(here: Path) -> None:
    arguments = ("tune", "mood", "--name", "r", "--method", "full-fine-tuning")
    arguments = (*arguments, "--model", model_folder(), "--set", "epochs=1")
    limited = process(*arguments, shell="ulimit -f 128")  # kB a file
    out, err = limited.communicate(timeout=60)
    assert (limited.returncode, out) == (4, b"")
    assert err.startswith(b"afina: no space to write ")
    assert b"bytes; free some" in err
    assert err.count(b"\n") == 1
    assert not list(here.rglob("*afina-tmp"))
    assert not list(here.rglob("*.safetensors"))
    assert afina(*arguments).code == 0


def began(popen: "subprocess.Popen[bytes]", home: Path) -> None:
    """Wait until a run has kept its first checkpoint."""
    deadline = time.monotonic() + 60
    while not list(home.glob("runs/*/checkpoints/step-*")):
        assert time.monotonic() < deadline
        assert popen.poll() is None, popen.communicate()
        time.sleep(0.02)


LONG = ("--set", "length=2", "--set", "epochs=40", "--set", "patience=1000")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_state_and_the_printed_command_goes_on(
    here: Path, number: signal.Signals, code: int
) -> None:
    home = here / "kept here"
    arguments = ("tune", "mood", "--model", model_folder(), *LONG)
    popen = process(*arguments, "--name", "r", "--home", str(home), "--json")
    began(popen, home)
    popen.send_signal(number)
    sent = time.monotonic()
    out, err = popen.communicate(timeout=20)
    assert time.monotonic() - sent < 10
    assert (popen.returncode, out) == (code, b"")
    again = f"afina: stopped; what was done is kept, go on with: afina resume r --home '{home}'\n"
    assert err.decode() == again
    assert afina("show", "r", "--home", str(home), "--json").json["status"] == "interrupted"
    if number == signal.SIGTERM:
        return
    resumed = afina("resume", "r", "--home", str(home), "--json").json
    whole = afina(*arguments, "--name", "w", "--json").json
    assert resumed["score"] == whole["score"]
    for file in ("bundle/bundle.json", "bundle/arrays.safetensors", "made.json"):
        kept, other = home / "runs/r" / file, here / ".afina/runs/w" / file
        assert kept.read_bytes() == other.read_bytes(), file


def test_a_second_process_is_told_who_holds_the_run_and_a_second_signal_ends_it_at_once(
    here: Path,
) -> None:
    arguments = ("tune", "mood", "--model", model_folder(), "--name", "r", *LONG)
    popen = process(*arguments)
    try:
        began(popen, here / ".afina")
        popen.send_signal(signal.SIGSTOP)
        refused(afina(*arguments), 1, str(popen.pid))
        assert afina("show", "r", "--json").json["status"] == "running"
        popen.send_signal(signal.SIGINT)
        popen.send_signal(signal.SIGTERM)
        popen.send_signal(signal.SIGCONT)
        assert popen.wait(timeout=10) in (130, 143, -signal.SIGTERM, -signal.SIGINT)
    finally:
        popen.kill()
        popen.communicate()


def test_progress_goes_to_a_terminal_and_the_row_to_standard_output(here: Path) -> None:
    leader, follower = pty.openpty()
    arguments = ("tune", "mood", "--model", model_folder(), "--set", "length=2")
    popen = process(*arguments, "--json", stderr=follower, stdin=subprocess.DEVNULL)
    os.close(follower)
    out, _ = popen.communicate(timeout=60)
    seen = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(leader)
    assert json.loads(out)["method"] == "prompt-tuning"
    for part in (b"step ", b"loss ", b"best on dev ", b" s left"):
        assert part in seen


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom afina.cli import main\n"
        f"sys.argv = ['afina', *{arguments}]\n"
        "try:\n    main()\nfinally:\n    print(sorted(sys.modules), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "Usage: " in found.stdout
    loaded = set(ast.literal_eval(found.stderr))
    assert (
        not {"torch", "transformers", "scipy", "sklearn", "numpy", "afina.tuning", "afina.keeping"}
        & loaded
    )


# a search that is stopped


def judged_slowly(log: list[float]) -> Handler:
    """Says negative, but for words that are good; each answer takes a while."""

    async def answer(request: web.Request, body: Any) -> web.StreamResponse:
        log.append(time.monotonic())
        await asyncio.sleep(0.05)
        text = body["messages"][-1]["content"]
        good = any(word in text for word in ("good", "great", "fine"))
        return web.json_response(chat("positive" if good else "negative"))

    return answer


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_search_that_is_stopped_goes_on_and_pays_nothing_twice(
    here: Path, number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    with serving() as server:
        server.always = judged_slowly(asked)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        model = ("--model", "openai:m", "--set", "calls=150")
        arguments = ("tune", "mood", "--method", "random-search", *model)
        popen = process(*arguments, "--name", "r")
        deadline = time.monotonic() + 60
        while len(asked) < 60:
            assert time.monotonic() < deadline
            assert popen.poll() is None, popen.communicate()
            time.sleep(0.02)
        popen.send_signal(number)
        sent = time.monotonic()
        _, err = popen.communicate(timeout=20)
        assert time.monotonic() - sent < 10
        assert popen.returncode == code, err
        assert err.decode().endswith("go on with: afina resume r\n")
        before = len(asked)
        assert afina("show", "r", "--json").json["status"] == "interrupted"
        resumed = afina("resume", "r", "--json")
        assert resumed.code == 0, resumed.err
        both = len(asked)
        whole = afina(*arguments, "--name", "w", "--home", "other", "--json")
        alone = len(asked) - both
    assert json.loads(resumed.out)["score"] == json.loads(whole.out)["score"]
    assert before < both <= alone + 32  # those in flight when it was stopped are asked again
    kept, other = (
        home / "bundle/bundle.json" for home in (here / ".afina/runs/r", here / "other/runs/w")
    )
    assert kept.read_bytes() == other.read_bytes()
