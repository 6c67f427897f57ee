"""A tuned prompt that writes: by a search, several texts, and piece by piece."""

from dataclasses import replace

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.generation import Generation, Reply
from afina.backbones.injection import Embeddings
from afina.backbones.writing import generate
from afina.errors import InputError, ModelError
from afina.soft.answer import LabelWords, Writing
from afina.soft.reading import Reader
from afina.soft.soft_solver import SoftSolver, make_solver
from afina.soft.speaking import speaking, spoken
from afina.solver import Values
from afina.task.signature import Signature
from afina.yardsticks.majority import most_common
from tests.backbones.test_generation import writer
from tests.tiny import DECODERS, ENCODER_DECODERS, shared
from tests.training.tiny_task import review_task

INPUTS: list[Values] = [
    {"review": "it was so good"},
    {"review": "dull"},
    {"review": "i liked this film , very very nice"},
]
SETTINGS = Generation(beams=3, returns=2)


def solver_on(family: str, tokens: int = 6) -> SoftSolver:
    backbone: Backbone = shared(family)
    reader = Reader(backbone.frozen, Signature.parse("review -> answer"), 30, ())
    vectors = torch.randn(3, 32, generator=torch.Generator().manual_seed(1)) * 0.5
    return make_solver(backbone, reader, prompt=Embeddings(vectors), answer=Writing(tokens))


def replies(solver: SoftSolver, inputs: Values, settings: Generation) -> list[Reply]:
    backbone = writer(solver.backbone.frozen.name.removeprefix("tiny:"))
    read = solver.reader.read(inputs)
    return generate(backbone.begin([read.tokens], [solver.ready]), settings)[0]


@pytest.mark.parametrize("family", [*DECODERS, *ENCODER_DECODERS])
def test_several_texts_are_evidence_and_the_best_is_the_answer(family: str) -> None:
    """As long as the prompt was tuned to write. Broken by the settings' own length."""
    solver = solver_on(family)
    found = speaking(solver, SETTINGS)(INPUTS)
    for inputs, prediction in zip(INPUTS, found, strict=True):
        wanted = replies(solver, inputs, replace(SETTINGS, tokens=6))
        texts = [{"text": each.text.strip(), "score": each.score} for each in wanted]
        assert prediction.outputs == {"answer": wanted[0].text.strip()}
        told = prediction.evidence["texts"]
        assert isinstance(told, list)
        assert [each["text"] for each in told] == [each["text"] for each in texts]
        scores = [each["score"] for each in told]
        assert scores == pytest.approx([each["score"] for each in texts], abs=1e-5)


@pytest.mark.parametrize("family", [*DECODERS, *ENCODER_DECODERS])
def test_the_spoken_pieces_make_the_answer(family: str) -> None:
    """Broken by leaving the space in front, or by settings that are not obeyed."""
    solver = solver_on(family)
    drawn = speaking(solver, Generation(temperature=1.5, seed=1))
    for each in (solver, drawn):
        for inputs, prediction in zip(INPUTS, each(INPUTS), strict=True):
            assert prediction.outputs == {"answer": "".join(spoken(each, inputs))}
    assert [p.outputs for p in drawn(INPUTS)] != [p.outputs for p in solver(INPUTS)]


def test_several_texts_are_not_spoken() -> None:
    with pytest.raises(InputError, match="expected one text to stream"):
        spoken(speaking(solver_on("gpt2"), SETTINGS), INPUTS[0])


def test_a_solver_that_writes_nothing_is_refused() -> None:
    """Broken by answering as it always does."""
    label = replace(solver_on("gpt2"), answer=LabelWords(("a", "b"), [[7], [8]]))
    for solver in (label, most_common(review_task())):
        with pytest.raises(InputError, match="expected a tuned soft prompt that answers by writ"):
            speaking(solver, SETTINGS)
        with pytest.raises(InputError, match="expected a tuned soft prompt"):
            spoken(solver, INPUTS[0])


def test_an_encoder_writes_no_text() -> None:
    with pytest.raises(ModelError, match="is an encoder and fills masks"):
        speaking(solver_on("bert"), SETTINGS)(INPUTS)
