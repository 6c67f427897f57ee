"""Writing texts, on tiny random decoders and encoder-decoders under every kind of prompt.

Each was seen to fail when the code was broken on purpose; how is said in the test.
"""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from afina.backbones.backbone import Backbone
from afina.backbones.decoder import Decoder
from afina.backbones.encoder_decoder import EncoderDecoder
from afina.backbones.frozen import Frozen, Tokens
from afina.backbones.generation import Generation, Reply
from afina.backbones.injection import Embeddings, Injections, slot
from afina.backbones.writing import drawn, generate, stream
from afina.errors import InputError, ModelError
from tests.backbones.test_identities import TEXTS, rows_for
from tests.backbones.test_key_values import key_values, vectors
from tests.tiny import DECODERS, ENCODER_DECODERS, VOCABULARY, shared, tiny

WRITERS = [*DECODERS, *ENCODER_DECODERS]
EXACT = {"atol": 1e-5, "rtol": 0.0}
SEARCH = Generation(tokens=6, beams=3, returns=2)
DRAWN = Generation(tokens=6, temperature=1.5, returns=3, seed=4)
LONG = Generation(tokens=8)


def writer(family: str) -> Decoder | EncoderDecoder:
    backbone = shared(family)
    assert isinstance(backbone, Decoder | EncoderDecoder)
    return backbone


def mixed(backbone: Backbone) -> tuple[list[list[int]], Injections]:
    """Rows of four lengths: vectors in front, vectors anywhere, keys at some sites, no prompt."""
    rows = rows_for(backbone, TEXTS)
    rows[1] = [slot(1), *rows[1][:2], slot(0), *rows[1][2:]]
    two = key_values(backbone, 2)
    upper = (len(backbone.sites()) - 1,)
    some = replace(two, keys=two.keys[-1:], values=two.values[-1:], sites=upper)
    anywhere = Embeddings(vectors(backbone, 2).vectors, anywhere=True)
    return rows, [vectors(backbone, 3), anywhere, some, None]


def close(left: list[Reply], right: list[Reply]) -> None:
    assert [each.tokens for each in left] == [each.tokens for each in right]
    assert [each.text for each in left] == [each.text for each in right]
    assert [each.score for each in left] == pytest.approx([each.score for each in right], abs=1e-5)


@pytest.mark.parametrize("family", WRITERS)
@pytest.mark.parametrize("settings", [LONG, SEARCH, DRAWN])
def test_a_row_alone_is_answered_as_in_a_mixed_batch(family: str, settings: Generation) -> None:
    """Broken by one generator for the whole batch, by a search that takes beams across rows, or by
    repeating the prompts of all rows in place of each row's own."""
    backbone = writer(family)
    rows, injections = mixed(backbone)
    together = generate(backbone.begin(rows, injections), settings)
    for row, injection, wanted in zip(rows, injections, together, strict=True):
        (alone,) = generate(backbone.begin([row], [injection]), settings)
        assert len(alone) == settings.returns
        close(alone, wanted)


@pytest.mark.parametrize("family", WRITERS)
@pytest.mark.parametrize("tokens", [1, 9])
@pytest.mark.parametrize("ends", [[2], [*range(2, 48, 4)]])
def test_a_search_equals_transformers_own_over_a_prompt_written_out(
    family: str, tokens: int, ends: list[int]
) -> None:
    """Texts and scores of all beams, where few texts end early and where most do.

    Broken by a settled row that takes texts up still, by scores that are not divided by the length,
    by candidates that are no more than the beams, or by texts that go on from another's cache.
    """
    backbone = tiny(family)
    assert isinstance(backbone, Decoder | EncoderDecoder)
    frozen = backbone.frozen
    frozen.model.generation_config.eos_token_id = ends
    words, rows = frozen.encode("it was a very good film"), rows_for(backbone, TEXTS)
    soft = Embeddings(frozen.embed(words))
    settings = Generation(tokens=tokens, beams=4, returns=4)
    for row in rows:
        (got,) = generate(backbone.begin([row], [soft]), settings)
        wanted = transformers_own(frozen, [*words, *row], settings)
        assert [each.tokens for each in got] == [tokens for tokens, _ in wanted]
        assert [each.score for each in got] == pytest.approx([score for _, score in wanted], 1e-4)


def test_a_search_of_many_rows_equals_transformers_own_of_each() -> None:
    """Where texts end early and apart. Broken by a row that takes texts up when it is settled, or
    ends one that is not among its best."""
    backbone = tiny("gpt2")
    assert isinstance(backbone, Decoder)
    backbone.frozen.model.generation_config.eos_token_id = [*range(2, 48, 2)]
    generator = torch.Generator().manual_seed(1)
    rows = torch.randint(5, 48, (24, 5), generator=generator).tolist()
    settings = Generation(tokens=6, beams=2, returns=2)
    found = generate(backbone.begin(rows, [None] * len(rows)), settings)
    for row, got in zip(rows, found, strict=True):
        wanted = transformers_own(backbone.frozen, row, settings)
        assert [each.tokens for each in got] == [tokens for tokens, _ in wanted]
        assert [each.score for each in got] == pytest.approx([score for _, score in wanted], 1e-4)


def transformers_own(
    frozen: Frozen, row: Tokens, settings: Generation
) -> list[tuple[tuple[int, ...], float]]:
    """The tokens and scores of transformers' beam search, without its cache."""
    ids = torch.tensor([[*frozen.lead, *row, *frozen.trail]])
    model = copy.deepcopy(frozen.model)
    model.set_attn_implementation("sdpa")
    found = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=settings.tokens,
        num_beams=settings.beams,
        num_return_sequences=settings.returns,
        do_sample=False,
        use_cache=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    start = 1 if frozen.kind == "encoder-decoder" else ids.shape[1]
    return [
        (until_the_end(tokens, model.generation_config.eos_token_id), score)
        for tokens, score in zip(
            found.sequences[:, start:].tolist(), found.sequences_scores.tolist(), strict=True
        )
    ]


def until_the_end(tokens: list[int], ends: list[int]) -> tuple[int, ...]:
    return tuple(itertools.takewhile(lambda token: token not in ends, tokens))


@dataclass(frozen=True)
class Anew:
    """A turn whose every step reads the rows and what was written from the beginning."""

    backbone: Backbone
    rows: list[list[int]]
    injections: Injections

    @property
    def frozen(self) -> Frozen:
        return self.backbone.frozen

    def speak(self, *, tokens: int) -> "AnewSpeech":
        return AnewSpeech(self)


class AnewSpeech:
    def __init__(self, turn: Anew) -> None:
        self.turn = turn
        self.places = list(range(len(turn.rows)))
        self.written: list[list[int]] = [[] for _ in turn.rows]

    @property
    def logits(self) -> Tensor:
        """Of each text by itself, from the score of every word as its next one."""
        return torch.stack([self.of(*each) for each in zip(self.places, self.written, strict=True)])

    def of(self, place: int, written: list[int]) -> Tensor:
        backbone = self.turn.backbone
        size = backbone.frozen.model.config.vocab_size
        row, injection = self.turn.rows[place], self.turn.injections[place]
        with torch.no_grad():
            if isinstance(backbone, Decoder):
                words = [[word] for word in range(size)]
                return backbone.choose([[*row, *written]], words, [injection])[0]
            targets = [[*written, word] for word in range(size)]
            return backbone.likelihood([row] * size, targets, [injection] * size)

    def advance(self, ids: Tensor) -> None:
        self.written = [
            [*text, int(word)] for text, word in zip(self.written, ids.tolist(), strict=True)
        ]

    def take(self, texts: Tensor) -> None:
        self.places = [self.places[number] for number in texts.tolist()]
        self.written = [self.written[number] for number in texts.tolist()]


@pytest.mark.parametrize("family", WRITERS)
@pytest.mark.parametrize("settings", [LONG, SEARCH, DRAWN])
def test_with_and_without_a_cache_the_texts_are_equal(family: str, settings: Generation) -> None:
    """Under every kind of prompt. Broken by a cache that is not reordered with its texts, or a mask
    or positions that stay behind."""
    backbone = writer(family)
    rows, injections = mixed(backbone)
    cached = generate(backbone.begin(rows, injections), replace(settings, tokens=4))
    anew = generate(Anew(backbone, rows, injections), replace(settings, tokens=4))
    for left, right in zip(cached, anew, strict=True):
        close(left, right)


@pytest.mark.parametrize("family", WRITERS)
def test_a_long_write_is_the_greedy_text(family: str) -> None:
    """Broken by counting the end token, or by drawing at temperature 0."""
    backbone = writer(family)
    rows, injections = mixed(backbone)
    wanted = backbone.write(rows, injections, tokens=8)
    got = generate(backbone.begin(rows, injections), LONG)
    assert [list(text.tokens) for (text,) in got] == wanted
    assert any(wanted)
    for row, injection, (text,) in zip(rows, injections, got, strict=True):
        tokens = [*text.tokens, *([VOCABULARY["</s>"]] if len(text.tokens) < 8 else [])]
        with torch.no_grad():
            score = backbone.likelihood([row], [tokens], [injection])
        assert text.score == pytest.approx(float(score) / len(tokens), abs=1e-5)
        assert text.text == backbone.frozen.decode(text.tokens)


@pytest.mark.parametrize("family", WRITERS)
def test_a_seed_repeats_its_texts_and_another_draws_others(family: str) -> None:
    """Broken by a seed left out of what the draws come from. Torch's own state stays as it was."""
    backbone = writer(family)
    turn = backbone.begin(*mixed(backbone))
    before = torch.get_rng_state()
    first, again = generate(turn, DRAWN), generate(turn, DRAWN)
    other = generate(turn, replace(DRAWN, seed=5))
    assert torch.equal(torch.get_rng_state(), before)
    assert first == again
    assert first != other
    assert all(len({text.tokens for text in each}) > 1 for each in first), "returns are alike"


def shares(settings: Generation) -> Tensor:
    """How often each of five words is drawn by numbers that lie evenly between 0 and 1."""
    logits = torch.tensor([[1.0, 3.0, 0.0, 2.0, -1.0]])
    count = 20_000
    even = (torch.arange(count) + 0.5) / count
    words = drawn(logits.expand(count, -1), even, settings)
    return torch.bincount(words, minlength=5) / count


@pytest.mark.parametrize(
    ("settings", "warped"),
    [
        (Generation(temperature=1.0), [1.0, 3.0, 0.0, 2.0, -1.0]),
        (Generation(temperature=0.5), [2.0, 6.0, 0.0, 4.0, -2.0]),
        (Generation(temperature=1.0, top_k=2), [None, 3.0, None, 2.0, None]),
        (Generation(temperature=1.0, top_p=0.87), [None, 3.0, None, 2.0, None]),
        (Generation(temperature=1.0, top_p=0.88), [1.0, 3.0, None, 2.0, None]),
        (Generation(temperature=1.0, top_p=0.01), [None, 3.0, None, None, None]),
        (Generation(temperature=1.0, top_k=99, top_p=0.9), [1.0, 3.0, None, 2.0, None]),
    ],
)
def test_words_are_drawn_as_often_as_they_are_likely(
    settings: Generation, warped: list[float | None]
) -> None:
    """By hand: the two best have 0.8706 of the probability, the three best 0.9883 of what is 1.
    Broken by a sum that leaves the word itself out, or by temperature after the filters."""
    scores = torch.tensor([-torch.inf if each is None else each for each in warped])
    torch.testing.assert_close(shares(settings), scores.softmax(-1), atol=1e-3, rtol=0)


@pytest.mark.parametrize("family", WRITERS)
def test_a_text_ends_exactly_before_a_stop_string(family: str) -> None:
    """Broken by cutting behind it, or at the word in which it begins."""
    backbone = writer(family)
    row, injection = some_text(backbone)
    whole = whole_text(backbone, row, injection)
    for start in range(1, len(whole) - 2, 4):
        stop = whole[start : start + 3]
        for settings in (replace(LONG, stop=(stop, "never said")), replace(SEARCH, stop=(stop,))):
            turn = backbone.begin([row], [injection])
            for text in generate(turn, settings)[0]:
                assert stop not in text.text
                assert backbone.frozen.decode(text.tokens).startswith(text.text)
        (text,) = generate(turn, replace(LONG, stop=(stop, "never said")))[0]
        assert text.text == whole[: whole.index(stop)]
        (both,) = generate(turn, replace(LONG, stop=(stop, stop[1:])))[0]
        assert both.text == whole[: min(whole.index(stop), whole.index(stop[1:]))]
        assert len(backbone.frozen.decode(text.tokens[:-1])) < max(len(text.text), 1)


def some_text(backbone: Backbone) -> tuple[list[int], Embeddings]:
    """A row and a prompt behind which the model writes several words."""
    found = [
        (row, Embeddings(vectors(backbone, 3).vectors * scale))
        for scale in (1.0, 2.0, 4.0)
        for row in rows_for(backbone, TEXTS)
    ]
    return max(found, key=lambda each: len(set(whole_text(backbone, *each))))


def whole_text(backbone: Backbone, row: list[int], injection: Embeddings) -> str:
    return backbone.frozen.decode(backbone.write([row], [injection], tokens=8)[0])


@pytest.mark.parametrize("family", WRITERS)
def test_the_pieces_of_a_stream_make_the_whole_text(family: str) -> None:
    """With a stop string that is nearly said, too. Broken by saying what a stop string may cut."""
    backbone = writer(family)
    row, injection = some_text(backbone)
    whole = whole_text(backbone, row, injection)
    stops = [(), (whole[4:7],), (whole[5:9] + "~",), (whole[-3:] + "~", whole[-5:-2])]
    for stop in stops:
        for settings in (replace(LONG, stop=stop), replace(DRAWN, returns=1, stop=stop)):
            turn = backbone.begin([row], [injection])
            pieces = list(stream(turn, settings))
            assert "".join(pieces) == generate(turn, settings)[0][0].text
            assert "" not in pieces
    assert len(list(stream(turn, LONG))) > 2


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte, as the tokenizers of GPT-2 and its kin fall back to."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({byte: number for number, byte in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


class Recited:
    """A speech that says given tokens, whatever it reads."""

    def __init__(self, tokens: list[int]) -> None:
        self.left = tokens

    @property
    def logits(self) -> Tensor:
        return torch.nn.functional.one_hot(torch.tensor(self.left[:1]), 256).float()

    def advance(self, ids: Tensor) -> None:
        self.left = self.left[1:]

    def take(self, texts: Tensor) -> None:
        """There is one."""


@dataclass(frozen=True)
class Reciting:
    """A turn that answers with given tokens."""

    frozen: Frozen
    tokens: list[int]
    rows: tuple[tuple[int, ...]] = ((0,),)

    def speak(self, *, tokens: int) -> Recited:
        return Recited(self.tokens[:tokens])


def test_a_character_is_streamed_when_its_last_byte_has_come() -> None:
    """Broken by saying the sign that stands for bytes without an end."""
    frozen = replace(shared("gpt2").frozen, tokenizer=byte_tokenizer())
    tokens = frozen.encode("a\u00e9 \u20ac\u00e9")
    assert len(tokens) == 9
    pieces = list(stream(Reciting(frozen, tokens), Generation(tokens=8)))
    assert pieces == ["a", "\u00e9", " ", "\u20ac", "\ufffd"]


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("settings", [LONG, SEARCH, DRAWN])
def test_a_second_turn_equals_reading_everything_anew(family: str, settings: Generation) -> None:
    """A left-padded batch of all kinds of prompts, and a third turn. Broken by positions that count
    the padding, or a cache that the first turn's replies have grown."""
    backbone = writer(family)
    assert isinstance(backbone, Decoder)
    rows, injections = mixed(backbone)
    turn = backbone.begin(rows, injections)
    for text in ("not so bad", "liked it , very very nice"):
        replies = generate(turn, settings)
        said = [
            [*each[0].tokens, *backbone.frozen.encode(more)]
            for each, more in zip(replies, [text, "fine", "a b", "this one is"], strict=True)
        ]
        first, turn = turn, turn.then(said)
        assert generate(first, settings) == replies
        rows = [[*row, *more] for row, more in zip(rows, said, strict=True)]
        anew = backbone.begin(rows, injections)
        assert list(turn.rows) == rows
        torch.testing.assert_close(turn.logits, anew.logits, **EXACT)
        for left, right in zip(generate(turn, settings), generate(anew, settings), strict=True):
            close(left, right)


def test_a_turn_s_prompt_is_not_read_again() -> None:
    """Broken by a pass over the prompt or the first turn's rows at a later token."""
    backbone = writer("gpt2")
    assert isinstance(backbone, Decoder)
    seen: list[int] = []
    row, soft = some_text(backbone)
    hook = backbone.frozen.model.transformer.h[0].register_forward_hook(
        lambda _module, inputs, _output: seen.append(inputs[0].shape[1])
    )
    try:
        with torch.no_grad():
            ready = backbone.absorb(soft)
        turn = backbone.begin([row], [ready])
        ((reply,),) = generate(turn, Generation(tokens=3))
        turn.then([[*reply.tokens, 7, 8]])
    finally:
        hook.remove()
    assert seen == [soft.length, len(row), 1, 1, 5]


@pytest.mark.parametrize("family", WRITERS)
def test_every_end_token_of_the_model_s_own_settings_ends_a_text(family: str) -> None:
    """Broken by asking the tokenizer alone: chat models name more than one."""
    backbone = writer(family)
    row, injection = some_text(backbone)
    tokens = backbone.write([row], [injection], tokens=8)[0]
    own = backbone.frozen.model.generation_config
    before = own.eos_token_id
    try:
        own.eos_token_id = [VOCABULARY["</s>"], tokens[2]]
        assert backbone.write([row], [injection], tokens=8)[0] == tokens[: tokens.index(tokens[2])]
    finally:
        own.eos_token_id = before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Generation(tokens=0), "expected tokens of 1 or more, got 0"),
        (lambda: Generation(beams=0), "expected beams of 1 or more, got 0"),
        (lambda: Generation(returns=0), "expected returns of 1 or more, got 0"),
        (lambda: Generation(temperature=-1.0), "temperature and top_k of 0 or more"),
        (lambda: Generation(temperature=1.0, top_p=0.0), "top_p above 0 and up to 1"),
        (lambda: Generation(temperature=1.0, top_p=1.1), "top_p above 0 and up to 1"),
        (lambda: Generation(temperature=1.0, top_k=-1), "top_k of 0 or more"),
        (lambda: Generation(temperature=float("nan")), "temperature"),
        (lambda: Generation(temperature=float("inf")), "temperature"),
        (lambda: Generation(stop=("a", "")), "got an empty one"),
        (lambda: Generation(beams=2, temperature=1.0), "a beam search or a temperature"),
        (lambda: Generation(top_k=3), "expected a temperature beside top_k"),
        (lambda: Generation(returns=2), "2 texts a row from as many beams"),
        (lambda: Generation(beams=2, returns=3), "got 2 beams"),
    ],
)
def test_settings_that_cannot_be_are_refused(make: Callable[[], Generation], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_several_texts_are_not_streamed() -> None:
    backbone = writer("gpt2")
    for rows, settings in (([[7], [8]], LONG), ([[7]], SEARCH), ([[7]], DRAWN)):
        with pytest.raises(InputError, match="expected one text to stream"):
            stream(backbone.begin(rows, [None] * len(rows)), settings)


@pytest.mark.parametrize("family", ["gpt2", "bart"])
def test_a_text_longer_than_the_position_table_is_refused(family: str) -> None:
    backbone = writer(family)
    turn = backbone.begin([[7, 8]], [key_values(backbone, 3)])
    with pytest.raises(ModelError, match="has 64"):
        generate(turn, Generation(tokens=65))


def test_a_next_turn_needs_words() -> None:
    backbone = writer("gpt2")
    assert isinstance(backbone, Decoder)
    with pytest.raises(ModelError, match="a row is empty"):
        backbone.begin([[7]], [None]).then([[]])
