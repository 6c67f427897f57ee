"""A program's prompts to and from the JSON in which DSPy keeps the state of a module.

DSPy keeps fields by their place, and reordered fields swap their descriptions without a word; here
each is found by the prefix that its name gives, and a file of another program is refused. Nothing
that the file names is imported, and its pickled twin is never opened. Format: ``Module.save`` of
DSPy 3.4.1, https://github.com/stanfordnlp/dspy.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from afina.errors import ArtefactError, InputError, MismatchError
from afina.hard.prompt import Prompt
from afina.program.program import Program
from afina.solver import Value, Values
from afina.task.example import Example
from afina.task.signature import Field, Signature
from afina.task.value import read_value

KNOWN = {"traces", "train", "demos", "signature", "lm"}
BARE = ""  # the predictor that is the module itself
INNER = ".predict"  # what a chain of thought calls the predictor within it


def read_state(data: bytes, program: Program, source: str = "the file") -> Program:
    """The program with the instructions, descriptions and examples of a file of DSPy's.

    Predictors are found by the prompts' names; the only one is the only prompt's, whatever its
    name. The prompts then say the same as DSPy's chat, byte for byte.

    Raises:
        MismatchError: it is of a program with other predictors or other fields.
        ArtefactError: it is no such file, or damaged.
    """
    found = predictors(data, source)
    for name, state in paired(found, program, source).items():
        place = f"{source}, {name}"
        prompt = prompt_of(state, program.prompts[name].signature, place)
        program = program.with_prompt(name, prompt)
    return program


def predictors(data: bytes, source: str) -> dict[str, object]:
    """The states of a file by their names; raises ArtefactError."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtefactError(
            f"{source}: expected the JSON that DSPy's module.save('x.json') writes, came "
            f"{data[:40]!r}; a pickle is never opened"
        ) from error
    if not isinstance(found, dict) or not isinstance(found.pop("metadata", None), dict):
        raise ArtefactError(f"{source}: expected a JSON object with metadata, as DSPy writes it")
    return {BARE: found} if {"demos", "signature"} <= set(found) else found


def paired(
    found: Mapping[str, object], program: Program, source: str
) -> dict[str, Mapping[str, object]]:
    """The state of each prompt; raises MismatchError where they do not fit one to one."""
    names = {each.removesuffix(INNER): each for each in found}
    if len(found) == len(program.prompts) == 1:
        names = dict(zip(program.prompts, found, strict=True))
    if set(names) != set(program.prompts) or len(names) != len(found):
        raise MismatchError(
            f"{source}: expected predictors called {', '.join(program.prompts)}, came "
            f"{', '.join(found) or 'none'}; it is of another program"
        )
    states: dict[str, Mapping[str, object]] = {}
    for name in program.prompts:
        state = found[names[name]]
        keys = set(state) if isinstance(state, dict) else set()
        if not isinstance(state, dict) or not {"demos", "signature"} <= keys <= KNOWN:
            raise ArtefactError(
                f"{source}, {name}: expected demos and a signature, and of other keys none but "
                f"{', '.join(sorted(KNOWN))}, came {', '.join(sorted(keys)) or 'none'}"
            )
        states[name] = state
    return states


def prompt_of(state: Mapping[str, object], signature: Signature, place: str) -> Prompt:
    """A predictor's state as a prompt of DSPy's layout.

    Raises:
        MismatchError: its fields are others.
        ArtefactError: it is damaged.
    """
    match state:
        case {
            "signature": {"instructions": str(said), "fields": list(fields)},
            "demos": list(demos),
        }:
            whole = replace(described(signature, fields, place), instruction=said)
            try:
                shown = tuple(example_of(each, whole) for each in demos)
                return replace(Prompt.of(whole, shown), layout="marked")
            except (ValueError, InputError) as error:
                raise ArtefactError(f"{place}: {error}") from error
    raise ArtefactError(f"{place}: expected instructions, fields and demos, came another shape")


def described(signature: Signature, fields: list[object], place: str) -> Signature:
    """The signature with the descriptions of a file, each by its field's prefix."""
    texts: dict[str, str] = {}
    for each in fields:
        match each:
            case {"prefix": str(prefix), "description": str(text)}:
                texts[prefix] = text
            case _:
                raise ArtefactError(f"{place}: expected fields with prefix and description")
    own = {prefix_of(each.name): each.name for each in (*signature.inputs, *signature.outputs)}
    if set(texts) != set(own) or len(fields) != len(own):
        raise MismatchError(
            f"{place}: expected the fields {', '.join(own)} of {signature}, came "
            f"{', '.join(texts) or 'none'}; it is of another program"
        )

    def mine(field: Field) -> Field:
        text = texts[prefix_of(field.name)]
        return replace(field, description="" if text == unsaid(field.name) else text)

    return replace(
        signature,
        inputs=tuple(map(mine, signature.inputs)),
        outputs=tuple(map(mine, signature.outputs)),
    )


def example_of(demo: object, signature: Signature) -> Example:
    """An example; keys that are no fields are DSPy's own notes. Raises ValueError."""
    if not isinstance(demo, dict):
        raise ValueError(f"expected an example as an object, came {demo!r}")

    def side(fields: tuple[Field, ...]) -> Values:
        return {
            field.name: kept(field, demo[field.name])
            for field in fields
            if demo.get(field.name) is not None
        }

    return Example.of(side(signature.inputs), side(signature.outputs))


def kept(field: Field, raw: object) -> Value:
    """A value of a field's type, written as it was: 3 stays 3 where any number may stand."""
    try:
        value = read_value(field.type, raw)
    except ValueError as error:
        raise ValueError(f"{field.name}: {error}") from error
    return raw if isinstance(raw, int) and value == raw else value


def write_state(program: Program, names: Mapping[str, str] = {}) -> bytes:
    """The file that DSPy's ``module.load('x.json')`` reads.

    ``names`` are the predictors' by the prompts' names, where they differ: ``answer.predict`` for a
    chain of thought called ``answer``, ``predict`` for one that is the module, and nothing (``""``)
    for a ``Predict`` that is.
    """
    states: dict[str, object] = {"metadata": {"dependency_versions": {}}}
    for name, prompt in program.prompts.items():
        own, state = names.get(name, name), state_of(prompt)
        states |= state if own == BARE else {own: state}
    return json.dumps(states, indent=2, ensure_ascii=False).encode()


def state_of(prompt: Prompt) -> dict[str, object]:
    """A prompt as a predictor's state."""
    fields = (*prompt.signature.inputs, *prompt.signature.outputs)
    return {
        "traces": [],
        "train": [],
        "demos": [{**each.inputs, **each.outputs} for each in prompt.demonstrations],
        "signature": {
            "instructions": prompt.signature.instruction,
            "fields": [
                {
                    "prefix": prefix_of(each.name),
                    "description": each.description or unsaid(each.name),
                }
                for each in fields
            ],
        },
        "lm": None,
    }


def unsaid(name: str) -> str:
    """The description of a field that has none."""
    return f"${{{name}}}"


def prefix_of(name: str) -> str:
    """The prefix that DSPy gives a field by its name.

    >>> prefix_of("snake_case2Text"), prefix_of("HTMLParser")
    ('Snake Case 2 Text:', 'HTML Parser:')
    """
    for before, after in (
        (".", "[A-Z][a-z]+"),
        ("[a-z0-9]", "[A-Z]"),
        ("[a-zA-Z]", r"\d"),
        (r"\d", "[a-zA-Z]"),
    ):
        name = re.sub(f"({before})({after})", r"\1_\2", name)
    words = [word if word.isupper() else word.capitalize() for word in name.split("_")]
    return " ".join(words) + ":"
