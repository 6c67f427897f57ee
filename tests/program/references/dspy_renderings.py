"""Renders the cases by DSPy's own ChatAdapter; run in an interpreter that has dspy 3.4.1.

cd tests/program/references && python dspy_renderings.py > dspy_renderings.json
"""

import json
import runpy
import sys
from pathlib import Path

import dspy
from dspy.signatures.signature import infer_prefix

CASES = runpy.run_path(str(Path(__file__).parent.parent / "dspy_cases.py"))


def signature_of(case):
    found = dspy.Signature(case["signature"], case["instruction"])
    for name, text in case.get("descriptions", {}).items():
        found = found.with_updated_fields(name, desc=text)
    return found


def rendered(case):
    return dspy.ChatAdapter().format(signature_of(case), case["demos"], case["inputs"])


def state(case):
    predict = dspy.Predict(signature_of(case))
    predict.demos = [dspy.Example(**demo) for demo in case["demos"]]
    return {"self": predict.dump_state()}


def instruction(text):
    return dspy.Signature(text).instructions


json.dump(
    {
        "dspy": dspy.__version__,
        "renderings": [rendered(case) for case in CASES["CASES"]],
        "states": [state(case) for case in CASES["CASES"]],
        "prefixes": {name: infer_prefix(name) for name in CASES["NAMES"]},
        "instructions": {text: instruction(text) for text in CASES["STRINGS"]},
    },
    sys.stdout,
    indent=1,
    ensure_ascii=False,
)
