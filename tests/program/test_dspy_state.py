"""DSPy's state is found by prefix, never by place; a file of another program is refused."""

import json
import pickle
from typing import Any

import pytest

from afina.errors import ArtefactError, MismatchError
from afina.hard.prompt import Prompt
from afina.program.dspy_state import prefix_of, read_state, write_state
from afina.program.predict import predict
from afina.program.program import Program
from afina.program.steps import Steps
from afina.solver import Values
from afina.task.signature import Signature
from tests.program.test_dspy_signature import REFERENCE

FIND = Signature.parse("question -> reasoning, query")
TELL = Signature.parse("question, query -> answer: yes | no")


def flow(steps: Steps, values: Values) -> Values:
    raise AssertionError


PROGRAM = Program(
    "two",
    Signature.parse("question -> answer"),
    {"find": Prompt.of(FIND), "tell": Prompt.of(TELL)},
    flow,
)


def state(signature: Signature, **more: Any) -> dict[str, Any]:
    fields = [
        {"prefix": prefix_of(each.name), "description": f"the {each.name}"}
        for each in (*signature.inputs, *signature.outputs)
    ]
    return {
        "traces": [],
        "train": [],
        "demos": [],
        "signature": {"instructions": "Do it.", "fields": fields},
        "lm": None,
        **more,
    }


def file(**states: object) -> bytes:
    named = {name.replace("__", "."): each for name, each in states.items()}
    return json.dumps({**named, "metadata": {"dependency_versions": {"dspy": "3.4.1"}}}).encode()


def test_prefixes_are_dspys() -> None:
    for name, prefix in REFERENCE["prefixes"].items():
        assert prefix_of(name) == prefix + ":"


def test_predictors_are_found_by_name_and_that_of_a_chain_of_thought_too() -> None:
    demo = {"question": "q", "query": "w", "answer": "yes", "augmented": True}
    found = read_state(file(find__predict=state(FIND), tell=state(TELL, demos=[demo])), PROGRAM)
    first, second = found.prompts["find"], found.prompts["tell"]
    assert first.signature.instruction == second.signature.instruction == "Do it."
    assert first.signature.outputs[1].description == "the query"
    assert second.demonstrations[0].outputs == {"answer": "yes"}
    assert first.layout == second.layout == "marked"


def test_reordered_fields_keep_their_own_descriptions() -> None:
    turned = state(TELL)
    turned["signature"]["fields"].reverse()
    found = read_state(file(find=state(FIND), tell=turned), PROGRAM)
    assert found == read_state(file(find=state(FIND), tell=state(TELL)), PROGRAM)
    for field in (*TELL.inputs, *TELL.outputs):
        kept = found.prompts["tell"].signature
        assert f"the {field.name}" in [each.description for each in (*kept.inputs, *kept.outputs)]
    assert found.prompts["tell"].signature.inputs[0].description == "the question"


def test_writing_and_reading_change_nothing() -> None:
    demo = {"question": "q", "query": "é", "answer": "no"}
    found = read_state(file(find=state(FIND), tell=state(TELL, demos=[demo])), PROGRAM)
    assert read_state(write_state(found), PROGRAM) == found
    renamed = write_state(found, {"find": "find.predict"})
    assert read_state(renamed, PROGRAM) == found
    assert set(json.loads(renamed)) == {"find.predict", "tell", "metadata"}


@pytest.mark.parametrize("name", ["self", "predict", "generate.predict"])
def test_the_only_predictor_is_the_only_prompts(name: str) -> None:
    data = json.dumps({name: state(TELL), "metadata": {}}).encode()
    found = read_state(data, predict(TELL))
    assert found.prompts["answer"].signature.instruction == "Do it."


def test_a_predictor_that_is_the_module_itself_stands_bare() -> None:
    program = predict(TELL)
    data = json.dumps({**state(TELL), "metadata": {}}).encode()
    found = read_state(data, program)
    assert found.prompts["answer"].signature.instruction == "Do it."
    written = json.loads(write_state(found, {"answer": ""}))
    assert written["signature"]["instructions"] == "Do it."
    assert read_state(write_state(found, {"answer": ""}), program) == found


def test_a_whole_number_stays_one_where_any_may_stand() -> None:
    signature = Signature.parse("question -> share: float")
    for written in (3, 3.0, 0.5):
        demo = {"question": "q", "share": written}
        data = json.dumps({**state(signature, demos=[demo]), "metadata": {}}).encode()
        (shown,) = read_state(data, predict(signature)).prompts["answer"].demonstrations
        assert repr(shown.outputs["share"]) == repr(written)


OTHER = Signature.parse("question, text -> answer: yes | no")
GOOD = {"find": state(FIND), "tell": state(TELL)}


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ({"find": state(FIND)}, "predictors called find, tell, came find; it is of another"),
        ({**GOOD, "more": state(TELL)}, "came find, tell, more"),
        ({**GOOD, "find__predict": state(FIND)}, "came find, tell, find.predict"),
        ({**GOOD, "tell": state(OTHER)}, "x.json, tell: expected the fields Question:, Query:"),
        ({"find": state(TELL), "tell": state(FIND)}, "it is of another program"),
    ],
)
def test_a_file_of_another_program_is_refused(states: dict[str, object], reason: str) -> None:
    with pytest.raises(MismatchError, match=reason) as caught:
        read_state(file(**states), PROGRAM, "x.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tell", "reason"),
    [
        (None, "tell: expected demos and a signature.* came none"),
        (state(TELL, fields={"answer": {}}), "came demos, fields, lm"),
        (state(TELL, extended_signature={}), "came demos, extended_signature"),
        ({"demos": [], "signature": {"instructions": "x"}}, "came another shape"),
        ({"demos": [], "signature": {"instructions": "x", "fields": ["a"]}}, "with prefix and"),
        (state(TELL, demos=["a"]), "an example as an object, came 'a'"),
        (state(TELL, demos=[{"question": "q", "query": "w"}]), "lacks 'answer'"),
        (state(TELL, demos=[{"question": "q", "answer": "yes"}]), "lacks 'query'"),
        (state(TELL, demos=[{"question": "q", "query": "w", "answer": "maybe"}]), "answer: "),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(tell: object, reason: str) -> None:
    with pytest.raises(ArtefactError, match=reason) as caught:
        read_state(file(find=state(FIND), tell=tell), PROGRAM, "x.json")
    assert "x.json, tell" in str(caught.value)


def test_a_pickle_is_never_opened() -> None:
    with pytest.raises(
        ArtefactError, match=r"x.pkl: expected the JSON .* a pickle is never opened"
    ):
        read_state(pickle.dumps(state(TELL)), PROGRAM, "x.pkl")
    for data in (b"[]", b"{}", b'{"metadata": 3}', b"[" * 100_000):
        with pytest.raises(ArtefactError):
            read_state(data, PROGRAM)
