"""A module of DSPy's asks a language model of ours; what it asks is ours to journal."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from afina.errors import CallError, InputError
from afina.lm.reply import Missing, Reply
from afina.lm.scripted import ScriptedLM
from afina.program.dspy_lm import completion, dspy_lm, requests_of

ROOT = Path(__file__).parent.parent.parent
TURNS = [{"role": "system", "content": "Tell."}, {"role": "user", "content": "So?"}]


class BaseLM:
    """As much of dspy.BaseLM as the bridge uses; the interpreter with dspy has the real one."""

    def __init__(self, model: str, cache: bool = True, **settings: Any) -> None:
        self.model, self.cache, self.kwargs = model, cache, settings


DSPY: Any = SimpleNamespace(BaseLM=BaseLM)


def test_a_request_of_dspys_becomes_one_of_ours() -> None:
    lm = ScriptedLM(lambda request: f"said {request.repeat}", name="demo")
    bridge = dspy_lm(DSPY, lm, temperature=0.0, max_tokens=9)
    assert (bridge.model, bridge.cache) == ("scripted/demo", False)
    found = bridge.forward(messages=TURNS, n=2, temperature=0.7, rollout_id=3, stop="\n")
    assert [each.message.content for each in found.choices] == ["said 6", "said 7"]
    first = lm.asked[0]
    assert (first.temperature, first.max_tokens, first.stop) == (0.7, 9, ("\n",))
    assert [each.role for each in first.messages] == ["system", "user"]
    assert found.usage["total_tokens"] == found.usage["prompt_tokens"] + 4
    assert bridge.forward("Hi").choices[0].message.content == "said 0"
    assert lm.asked[-1].messages[0].content == "Hi"


def test_nothing_is_not_taken_for_left_out() -> None:
    (request,) = requests_of(TURNS, {"temperature": 0.0, "seed": 0, "top_p": None})
    assert (request.temperature, request.seed, request.top_p) == (0.0, 0, 1.0)


def test_what_cannot_be_handed_on_is_refused() -> None:
    with pytest.raises(InputError, match="got tools"):
        requests_of(TURNS, {"tools": []})
    with pytest.raises(InputError, match="tools and images are not handed on"):
        requests_of([{"role": "user", "content": [{"type": "image_url"}]}], {})
    with pytest.raises(InputError, match="expected a turn of system, user, assistant"):
        requests_of([{"role": "tool", "content": "x"}], {})
    with pytest.raises(CallError, match="down"):
        completion([Reply("x"), Missing("down", 3)], "m")


def test_a_module_of_dspys_runs_and_its_state_goes_there_and_back() -> None:
    peer = os.environ.get("AFINA_PEERS", "")
    if not peer:
        pytest.skip("AFINA_PEERS names no interpreter with dspy 3.4.1")
    code = Path(__file__).parent / "dspy_module.py"
    found = subprocess.run(
        [peer, str(code), sysconfig.get_path("purelib")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == {
        "theirs": ["good", "bad"],
        "ours": ["good", "bad"],
        "same requests": True,
        "state": True,
        "score": 1.0,
        "calls": 2,
    }
