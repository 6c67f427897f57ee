"""P-tuning from a task to a solver, on each family and with each way to answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from afina.backbones.backbone import Backbone, backbone_of
from afina.backbones.frozen import digest_of, freeze
from afina.backbones.injection import Embeddings
from afina.disk import Disk
from afina.errors import ArtefactError, InputError, Interrupted, ModelError
from afina.models import Models
from afina.packed import restore
from afina.soft.answer import HeadAnswer, Writing
from afina.soft.number_answer import NumberAnswer
from afina.soft.p_tuning import PTuning
from afina.soft.soft_solver import SoftSolver, make_solver, unpack
from afina.soft.span_answer import SpanAnswer
from afina.soft.template import Template
from afina.soft.template_reading import TemplateReader
from afina.soft.token_answer import TokenAnswer
from afina.soft.verbalizer import LearnedVerbalizer, Verbalizer
from afina.solver import Packed, Prediction
from afina.task.example import Example
from afina.task.metrics import metric_named
from afina.task.signature import Signature
from afina.task.task import Task
from afina.training.checkpoint import Checkpoints
from afina.training.p_tuning_run import (
    PTuningSettings,
    answer_kind,
    build_p,
    default_template,
)
from afina.training.soft_run import Built, tune_soft
from afina.training.train import Outcome, TrainSettings
from afina.training.watch import Watch
from tests.tiny import ENCODERS, FAMILIES, VOCABULARY, raw_model, shared, tiny, tokenizer_for
from tests.training.tiny_task import (
    entity_task,
    question_task,
    review_task,
    task_from,
    text_task,
    worded_task,
)

LOOP = TrainSettings(epochs=2, batch=4, patience=99, checks=2)
SETTINGS = PTuningSettings(length=3, hidden=8, new_tokens=3, train=LOOP)
CLOZE = "{p:2} {review} {p:1} it was {mask} ."
KINDS: dict[str, type] = {
    "head": HeadAnswer,
    "words": Verbalizer,
    "calibrated": Verbalizer,
    "learned": LearnedVerbalizer,
    "text": Writing,
}
WAYS = [(family, kind) for family in FAMILIES for kind in KINDS]
WAYS = [(family, kind) for family, kind in WAYS if kind != "text" or family not in ENCODERS]
SOME = [("bert", "words"), ("albert", "learned"), ("roberta", "head"), ("llama", "calibrated")]
SOME += [("gpt2", "text"), ("t5", "learned"), ("bart", "words")]
EACH = [*SOME, *((family, list(KINDS)[at % 4]) for at, family in enumerate(FAMILIES))]


def task_for(kind: str) -> Task:
    made = {"head": review_task, "text": text_task}.get(kind, several_words)
    return made(train=16, dev=6)


def several_words(train: int = 16, dev: int = 6) -> Task:
    further = {"positive": ("fine", "bright"), "negative": ("sad",)}
    return replace(worded_task(train, dev), further_words=further)


def tune(
    task: Task,
    backbone: Backbone,
    folder: Path,
    settings: PTuningSettings = SETTINGS,
    *,
    watch: Watch = Watch(),
    other: Packed | None = None,
) -> tuple[SoftSolver, Outcome]:
    folder.mkdir(exist_ok=True)
    keeper = Checkpoints(folder, Disk())
    built = build_p(task, backbone, settings, other)
    return tune_soft(task, built, keeper=keeper, watch=watch)


def said(solver: SoftSolver, task: Task) -> list[tuple[object, Mapping[str, object]]]:
    return [told(prediction) for prediction in solver([each.inputs for each in task.dev])]


def told(prediction: Prediction) -> tuple[object, Mapping[str, object]]:
    return prediction.outputs, prediction.evidence


def same_arrays(one: Packed, other: Packed) -> bool:
    assert one.arrays.keys() == other.arrays.keys()
    return all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)


def headless() -> Backbone:
    """An encoder without a language-model head, as ``builtin:minilm`` is."""
    model = raw_model("bert").base_model
    return backbone_of(
        freeze("tiny:headless", model, tokenizer_for("bert"), kind="encoder", writes=False)
    )


@dataclass(frozen=True)
class Trained:
    """A run that several tests look at."""

    solver: SoftSolver
    outcome: Outcome
    tensors: Mapping[str, torch.Tensor]  # of its last checkpoint
    start: torch.Tensor
    digests: tuple[str, str]  # of the model, before and after


@cache
def trained(family: str, kind: str) -> Trained:
    backbone, task, settings = tiny(family), task_for(kind), replace(SETTINGS, answer=kind)
    before = digest_of(backbone.frozen.model)
    start = vectors_of(build_p(task, backbone, settings))
    with TemporaryDirectory() as folder:
        solver, outcome = tune(task, backbone, Path(folder), settings)
        saved = Checkpoints(Path(folder), Disk()).load()
    assert saved is not None
    digests = before, digest_of(backbone.frozen.model)
    return Trained(solver, outcome, saved.tensors, start, digests)


def vectors_of(built: Built) -> torch.Tensor:
    assert isinstance(built.learner.prompt, PTuning)
    return built.learner.prompt.injection().vectors.detach()


@pytest.mark.parametrize(("family", "kind"), WAYS)
def test_every_family_is_p_tuned_in_every_way_it_answers(family: str, kind: str) -> None:
    """The vectors move, the weights do not, and the answers are of the task's kind."""
    run, task = trained(family, kind), task_for(kind)
    solver = run.solver
    frozen = solver.backbone.frozen
    assert run.digests[0] == run.digests[1]
    assert not any(weight.requires_grad for weight in frozen.model.parameters())
    assert isinstance(solver.answer, KINDS[kind])
    assert isinstance(solver.prompt, Embeddings)
    assert solver.prompt.vectors.shape == run.start.shape == (3, frozen.width)
    assert run.outcome.moment.step == run.outcome.steps == 8
    assert run.tensors["0.now.prompt.change.network.outer.weight"].any()
    name = task.signature.target.name
    values = [values[name] for values, _ in said(solver, task)]
    assert kind == "text" or set(values) <= {"positive", "negative"}
    own = {"head": 2 * frozen.hidden + 2, "learned": 2 * frozen.width}.get(kind, 0)
    assert solver.parameters == 3 * frozen.width + own


@pytest.mark.parametrize("network", ["lstm", "mlp", "none"])
@pytest.mark.parametrize("family", ["bert", "llama", "bart"])
def test_the_prompt_alone_learns(family: str, network: str, tmp_path: Path) -> None:
    """Broken by a prompt without gradients."""
    train = replace(LOOP, epochs=10)
    settings = replace(SETTINGS, answer="words", network=network, train=train)
    _, outcome = tune(worded_task(train=16, dev=2), tiny(family), tmp_path, settings)
    losses = outcome.moment.losses
    assert sum(losses[-4:]) < 0.97 * sum(losses[:4])


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_packing_changes_no_answer(family: str, kind: str) -> None:
    """Through JSON and on another copy of the model: bit for bit, the network left behind."""
    task, solver = task_for(kind), trained(family, kind).solver
    packed = solver.pack()
    assert not [name for name in packed.arrays if "network" in name or "start" in name]
    kept = replace(packed, settings=json.loads(json.dumps(packed.settings)))
    again = restore(kept, Models(load=lambda name: tiny(name.removeprefix("tiny:"))))
    assert isinstance(again, SoftSolver)
    assert said(again, task) == said(solver, task)
    assert again.parameters == solver.parameters
    assert again.pack().settings == packed.settings
    assert same_arrays(again.pack(), packed)


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_folding_the_network_changes_no_answer(family: str, kind: str) -> None:
    """The solver's vectors are those the network makes, bit for bit."""
    run = trained(family, kind)
    settings = replace(SETTINGS, answer=kind)
    prompt = build_p(task_for(kind), shared(family), settings).learner.prompt
    front = "0.best.prompt."
    prompt.load_state_dict(
        {name.removeprefix(front): x for name, x in run.tensors.items() if name.startswith(front)}
    )
    assert isinstance(prompt, PTuning)
    assert isinstance(run.solver.prompt, Embeddings)
    found = prompt.injection().vectors
    assert torch.allclose(found, run.solver.prompt.vectors, atol=1e-6)  # torch has two LSTMs
    with torch.no_grad():
        assert torch.equal(prompt.injection().vectors, run.solver.prompt.vectors)


@pytest.mark.parametrize(
    ("family", "kind", "network"), [*((*way, "lstm") for way in SOME), ("bert", "words", "mlp")]
)
def test_stopped_and_resumed_equals_never_stopped(
    family: str, kind: str, network: str, tmp_path: Path
) -> None:
    """All of the last checkpoint's bytes, the network's and its optimizer's among them."""
    task, settings = task_for(kind), replace(SETTINGS, answer=kind, network=network)
    calm, outcome = tune(task, tiny(family), tmp_path / "calm", settings)
    for step in (1, 5):
        stops = iter([None] * step + [Interrupted("stopped", signal_number=15)])
        watch = Watch(stop=lambda stops=stops: next(stops))
        with pytest.raises(Interrupted):
            tune(task, tiny(family), tmp_path / "stopped", settings, watch=watch)
    resumed, again = tune(task, tiny(family), tmp_path / "stopped", settings)
    assert again == outcome
    assert same_arrays(resumed.pack(), calm.pack())
    assert said(resumed, task) == said(calm, task)
    files = [
        sorted(path.name for path in (tmp_path / name).glob("step-00000008-*"))
        for name in ("calm", "stopped")
    ]
    assert files[0] == files[1]
    assert files[0]


@pytest.mark.parametrize(("family", "kind"), EACH)
def test_a_row_alone_equals_the_row_in_a_batch(family: str, kind: str) -> None:
    task, solver = task_for(kind), trained(family, kind).solver
    inputs = [each.inputs for each in task.dev]
    for one, other in zip(solver(inputs), [solver([each])[0] for each in inputs], strict=True):
        assert one.outputs == other.outputs
        first, second = (each.evidence.get("probabilities", {}) for each in (one, other))
        assert first == pytest.approx(second, abs=1e-5)


@pytest.mark.parametrize("value", ["{p:3}", "{{x}}", "{mask}", "[MASK]", "<mask>", "{review}"])
def test_what_looks_like_a_place_is_answered_as_text(value: str, tmp_path: Path) -> None:
    """FAULTS 15. Broken by a second reading of the row: then a vector is missing or doubled."""
    task = several_words()
    solver, _ = tune(task, tiny("bert"), tmp_path, replace(SETTINGS, template=CLOZE))
    assert isinstance(solver.reader, TemplateReader)
    row = solver.reader.read({"review": f"good {value} film"})
    unknown = solver.reader.read({"review": "good zzz film"})
    assert row.tokens.count(VOCABULARY["<mask>"]) == unknown.tokens.count(VOCABULARY["<mask>"]) == 1
    assert [each for each in row.tokens if each < 0] == [-1, -2, -3]
    assert solver([{"review": f"good {value} film"}])[0].outputs is not None


def test_a_prediction_counts_a_vector_once(tmp_path: Path) -> None:
    """Broken by counting the prompt beside the row that holds it."""
    solver, _ = tune(several_words(), tiny("bert"), tmp_path, replace(SETTINGS, template=CLOZE))
    assert solver([{"review": "good film"}])[0].usage.tokens == 3 + 2 + 4 + 2


def test_a_cut_text_says_how_much_was_cut(tmp_path: Path) -> None:
    solver, _ = tune(several_words(), tiny("bert"), tmp_path, replace(SETTINGS, template=CLOZE))
    prediction = solver([{"review": "good film " * 40}])[0]
    assert prediction.evidence["tokens_cut"] == 80 - (64 - 2 - 7)


@pytest.mark.parametrize("kind", ["words", "calibrated", "learned", "text"])
def test_a_long_text_leaves_a_decoder_room_to_answer(kind: str, tmp_path: Path) -> None:
    """Vectors, text and answer fill the model to its last place."""
    task = task_for(kind)
    words = {"positive": "so good film", "negative": "never again"}
    long = Example.of({"review": "good film " * 90}, task.train[0].outputs)
    task = replace(task, words=words, train=(long, *task.train), dev=(long, *task.dev))
    solver, _ = tune(task, tiny("gpt2"), tmp_path, replace(SETTINGS, answer=kind))
    assert solver.reader.room == 64 - {"words": 3, "calibrated": 3, "text": 3, "learned": 0}[kind]


def test_auto_is_the_cloze_where_there_is_one() -> None:
    task = several_words()
    kinds = {family: answer_kind(task, shared(family), SETTINGS) for family in FAMILIES}
    assert set(kinds.values()) == {"words"}
    assert answer_kind(task, headless(), SETTINGS) == "head"
    assert answer_kind(text_task(8, 4), shared("gpt2"), SETTINGS) == "text"
    long = replace(task, words={"positive": "so good", "negative": "bad"})
    assert answer_kind(long, shared("bert"), SETTINGS) == "learned"
    assert answer_kind(long, shared("llama"), SETTINGS) == "words"


@pytest.mark.parametrize("kind", ["auto", "head", "learned"])
def test_an_encoder_without_a_head_is_p_tuned(kind: str, tmp_path: Path) -> None:
    """As ``builtin:minilm``: by a head on its features, or by a vector a label at its mask."""
    task = several_words()
    solver, _ = tune(task, headless(), tmp_path, replace(SETTINGS, answer=kind))
    again = unpack(solver.pack(), headless())
    assert said(again, task) == said(solver, task)


@pytest.mark.parametrize("kind", ["words", "calibrated"])
def test_an_encoder_without_a_head_has_no_words(kind: str) -> None:
    with pytest.raises(ModelError, match=r"tiny:headless has no masked-language head.*answer=head"):
        build_p(several_words(), headless(), replace(SETTINGS, answer=kind))


def test_numbers_are_read_off_the_features(tmp_path: Path) -> None:
    signature = Signature.parse("review -> stars: float")
    rows = [(f"good film {'very ' * (at % 4)}", float(at % 4)) for at in range(25)]
    task = replace(task_from(signature, rows, dev=6), metric=metric_named("pearson"))
    for family in ("bert", "llama", "t5"):
        solver, _ = tune(task, tiny(family), tmp_path / family)
        assert isinstance(solver.answer, NumberAnswer)
        assert all(isinstance(each[0]["stars"], float) for each in said(solver, task))


def test_the_template_of_the_model_has_vectors_on_both_sides() -> None:
    one, two = review_task(8, 4), replace(review_task(8, 4), signature=pair())
    assert default_template(one, shared("bert"), "head", 20) == "{p:10} {review} {p:10}"
    assert default_template(one, shared("bert"), "head", 1) == "{p:1} {review}"
    cloze = "{p:2} {review} {p:1} sentiment: {mask} ."
    assert default_template(one, shared("bert"), "words", 3) == cloze
    assert default_template(one, shared("t5"), "words", 3) == "{p:2} {review} {p:1}\nsentiment:"
    both = "{p:1} first: {first}\nsecond: {second} {p:1}"
    assert default_template(two, shared("bert"), "head", 2) == both


def pair() -> Signature:
    return Signature.parse("first, second -> same: yes | no")


def test_a_prompt_starts_from_labels_text_or_another_prompt(tmp_path: Path) -> None:
    """The vectors before the first step are the words themselves."""
    task, backbone = several_words(), tiny("bert")

    def start(**given: str) -> torch.Tensor:
        settings = replace(SETTINGS, length=2, **given)
        return vectors_of(build_p(task, backbone, settings))

    def embedded(text: str) -> torch.Tensor:
        return backbone.frozen.embed(backbone.frozen.encode(text))

    assert torch.equal(start(start="labels"), embedded("positive negative"))
    assert torch.equal(start(start="text", text="good film"), embedded("good film"))
    solver, _ = tune(task, backbone, tmp_path)
    again = vectors_of(build_p(task, backbone, SETTINGS, solver.pack()))
    assert isinstance(solver.prompt, Embeddings)
    assert torch.equal(again, solver.prompt.vectors)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"template": "{p:2} {revue} {mask}"}, r"expected the task's inputs \{review\}"),
        ({"template": "{p:2} it was {mask}"}, "expected an input of the task"),
        ({"template": "{review} it was {mask}"}, r"expected vectors to train .* put \{p:10\}"),
        ({"template": "{p:0} {review} {mask}"}, r"expected \{p:3\} for three vectors"),
        ({"template": "{p:2} {review}"}, r"expected \{mask\} in the template"),
        ({"template": "{p:2} {review} {mask}", "answer": "head"}, r"expected no \{mask\}"),
        ({"template": "{p:61} {review} {mask}"}, "leaves no room for the text"),
        ({"template": "{p:9999} {review} {mask}"}, "leaves no room for the text"),
        ({"length": 0}, "expected 1 vector or more, got length 0"),
        ({"network": "gru"}, "expected network lstm, mlp, none, got 'gru'"),
        ({"hidden": 0}, "expected a network 1 wide or more, got hidden 0"),
        ({"start": "noise"}, "expected start labels, text, vocabulary or a run, got 'noise'"),
        ({"answer": "guess"}, "expected answer auto, head, words, .* got 'guess'"),
        ({"answer": "text"}, "tiny:bert is an encoder and writes no text"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_p(worded_task(8, 4), shared("bert"), replace(SETTINGS, **given))


@pytest.mark.parametrize("family", ["gpt2", "t5"])
def test_a_mask_that_is_not_last_is_refused_where_the_answer_is(family: str) -> None:
    settings = replace(SETTINGS, template="{p:2} {review} {mask} .")
    with pytest.raises(InputError, match=r"expected \{mask\} last in the template"):
        build_p(worded_task(8, 4), shared(family), settings)


def test_words_of_several_tokens_are_refused_at_a_mask() -> None:
    task = replace(worded_task(8, 4), words={"positive": "so good", "negative": "bad"})
    message = "expected words of one token for the mask of tiny:bert, got 'so good' of 2"
    with pytest.raises(InputError, match=message):
        build_p(task, shared("bert"), replace(SETTINGS, answer="words"))


@pytest.mark.parametrize("further", [{"positive": ("awful",)}, {"positive": ("great",)}])
def test_a_word_that_is_there_twice_is_refused(further: dict[str, tuple[str, ...]]) -> None:
    task = replace(worded_task(8, 4), further_words=further)
    with pytest.raises(InputError, match=r"expected words that differ, got '(great|awful)' twice"):
        build_p(task, shared("bert"), replace(SETTINGS, answer="words"))


@pytest.mark.parametrize("kind", ["words", "calibrated", "learned"])
def test_words_need_a_choice(kind: str) -> None:
    with pytest.raises(InputError, match="expected a target that is a choice of labels"):
        answer_kind(text_task(8, 4), shared("gpt2"), replace(SETTINGS, answer=kind))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("template", "{p:2} {revue} {mask}"),
        ("template", "{p:0}"),
        ("template", None),
        ("words", [[[5]]]),
        ("words", [[], []]),
        ("words", [[[]], [[]]]),
        ("words", [["good"], ["bad"]]),
        ("empty", "x"),
        ("room", 3),
        ("reading", "palm"),
    ],
)
def test_a_garbled_bundle_is_refused(field: str, value: object) -> None:
    packed = trained("bert", "calibrated").solver.pack()
    with pytest.raises(ArtefactError, match="the bundle lacks or garbles"):
        unpack(replace(packed, settings={**packed.settings, field: value}), tiny("bert"))


@pytest.mark.parametrize("shape", [(2, 31), (3, 32), (64,)])
def test_a_learned_verbalizer_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    packed = trained("bert", "learned").solver.pack()
    arrays = {**packed.arrays, "verbalizer": np.zeros(shape, np.float32)}
    with pytest.raises(ArtefactError, match=r"verbalizer, torch\.float32 of"):
        unpack(replace(packed, arrays=arrays), tiny("bert"))


def test_a_template_in_a_bundle_is_the_one_that_was_given(tmp_path: Path) -> None:
    text = "{p:2} {{review}} {review} {p:1} it was {mask} ."
    solver, _ = tune(several_words(), tiny("bert"), tmp_path, replace(SETTINGS, template=text))
    again = unpack(solver.pack(), tiny("bert"))
    assert isinstance(again.reader, TemplateReader)
    assert again.reader.template == Template.parse(text)


def test_rates_of_0_leave_the_start_as_it_is(tmp_path: Path) -> None:
    """FAULTS 13: broken by ``rate or 0.1``."""
    settings = replace(SETTINGS, rate=0.0, head_rate=0.0, answer="learned")
    tune(several_words(), tiny("bert"), tmp_path, settings)
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    for name in [name for name in saved.tensors if name.startswith("0.now.")]:
        assert torch.equal(saved.tensors[name], saved.tensors[name.replace("0.now.", "0.best.", 1)])


def test_a_seed_gives_one_prompt_and_another_seed_another(tmp_path: Path) -> None:
    def packed(name: str, seed: int) -> Packed:
        settings = replace(SETTINGS, train=replace(LOOP, seed=seed))
        return tune(worded_task(8, 4), tiny("bert"), tmp_path / name, settings)[0].pack()

    zero = packed("zero", 0)
    assert same_arrays(zero, packed("again", 0))
    assert not same_arrays(zero, packed("one", 1))


@pytest.mark.parametrize(
    ("family", "network"),
    [("bert", "lstm"), ("deberta-v2", "mlp"), ("llama", "none"), ("t5", "lstm")],
)
@pytest.mark.parametrize("kind", ["tags", "spans"])
def test_tags_and_spans_are_read_behind_the_vectors(
    family: str, network: str, kind: str, tmp_path: Path
) -> None:
    """They answer as the same vectors of prompt tuning do, and all that makes them moves.

    Broken by vectors whose places no row names: they have no part in any answer.
    """
    task = entity_task(12, 4) if kind == "tags" else question_task(12, 4)
    settings = replace(SETTINGS, network=network, answer="head")
    solver, _ = tune(task, tiny(family), tmp_path, settings)
    assert isinstance(solver.answer, TokenAnswer if kind == "tags" else SpanAnswer)
    assert isinstance(solver.prompt, Embeddings)
    again = unpack(solver.pack(), tiny(family))
    plain = make_solver(
        solver.backbone,
        solver.reader,
        prompt=Embeddings(solver.prompt.vectors),
        answer=again.answer,
    )
    bare = make_solver(solver.backbone, solver.reader, prompt=None, answer=solver.answer)
    assert said(again, task) == said(solver, task) == said(plain, task) != said(bare, task)
    saved = Checkpoints(tmp_path, Disk()).load()
    assert saved is not None
    start = build_p(task, tiny(family), settings).learner.state_dict()
    names = [name for name in start if name.startswith("prompt.change")]
    assert names
    assert not any(torch.equal(saved.tensors[f"0.now.{name}"], start[name]) for name in names)


def test_auto_finds_spans_by_a_head_where_the_model_cannot_write() -> None:
    assert answer_kind(question_task(8, 4), shared("bert"), SETTINGS) == "head"
    assert answer_kind(question_task(8, 4), shared("gpt2"), SETTINGS) == "text"
    assert answer_kind(entity_task(8, 4), shared("gpt2"), SETTINGS) == "head"


def test_a_template_is_refused_where_words_are_tagged() -> None:
    settings = replace(SETTINGS, template="{p:2} {tokens}")
    with pytest.raises(InputError, match=r"expected no template for .* got '{p:2} {tokens}'"):
        build_p(entity_task(8, 4), shared("bert"), settings)
