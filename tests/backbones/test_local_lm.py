"""Requests answered together, behind a beginning read once, are answered as each alone is."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from afina.backbones.backbone import Backbone
from afina.backbones.decoder import Decoder
from afina.backbones.injection import KeyValues
from afina.backbones.local_lm import ROWS, LocalLM
from afina.errors import ModelError
from afina.lm.lm import LM, ask, gather
from afina.lm.reply import Missing, Reply
from afina.lm.request import Message, Request
from tests.tiny import DECODERS, ENCODER_DECODERS, VOCABULARY, WORDS, shared
from tests.tiny_bytes import CHAT, talker

FRONT = "the plot is dull and bright not very so i liked hated this one again yes no"


def asked(text: str, front: str = FRONT, **settings: object) -> Request:
    whole = Request((Message("system", front), Message("user", text)), max_tokens=6)
    return replace(whole, **settings)  # type: ignore[arg-type]  # a test's keywords


def texts(count: int) -> list[str]:
    chance = random.Random(0)
    return [" ".join(chance.choices(WORDS, k=chance.randint(1, 9))) for _ in range(count)]


def replies(backbone: Backbone, requests: Sequence[Request]) -> list[Reply]:
    found = ask(LocalLM(backbone), requests)
    assert all(isinstance(each, Reply) for each in found), found
    return [each for each in found if isinstance(each, Reply)]


def alone(backbone: Backbone, requests: Sequence[Request]) -> list[Reply]:
    return [replies(backbone, [request])[0] for request in requests]


@pytest.mark.parametrize("family", [*DECODERS, *ENCODER_DECODERS])
def test_texts_are_those_that_transformers_writes_from_scratch(family: str) -> None:
    backbone = shared(family)
    frozen, requests = backbone.frozen, [asked(text) for text in texts(6)]
    for request, reply in zip(requests, replies(backbone, requests), strict=True):
        front, back = (message.content for message in request.messages)
        ids = [*frozen.lead, *frozen.encode(f"{front} {back}"), *frozen.trail]
        with torch.no_grad():
            whole = frozen.model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=6,
                do_sample=False,
            )[0].tolist()
        written = whole[len(ids) :] if frozen.kind == "decoder" else whole[1:]
        assert reply.text == frozen.decode(written).strip()
        assert reply.read == len(ids) - len(frozen.lead) - len(frozen.trail)


@pytest.mark.parametrize("family", [*DECODERS, *ENCODER_DECODERS])
def test_labels_are_scored_together_as_alone(family: str) -> None:
    requests = [asked(text, labels=("good", "very bad")) for text in texts(ROWS + 3)]
    backbone = shared(family)
    for together, single in zip(
        replies(backbone, requests), alone(backbone, requests), strict=True
    ):
        assert together.scores == pytest.approx(single.scores, abs=1e-5)
        assert together.text == max(together.scores, key=together.scores.__getitem__)
        assert sum(together.scores.values()) == pytest.approx(1)


def test_requests_of_all_kinds_share_a_call() -> None:
    lines = texts(12)
    requests = [
        *(asked(text, labels=("good", "bad")) for text in lines),
        *(asked(text) for text in lines),
        *(asked(text, front="a good film", max_tokens=3) for text in lines),
        *(asked(text, temperature=0.8, seed=3, repeat=number) for number, text in enumerate(lines)),
    ]
    random.Random(1).shuffle(requests)
    backbone = shared("llama")
    together, single = replies(backbone, requests), alone(backbone, requests)
    assert [each.text for each in together] == [each.text for each in single]


class Watched(LocalLM):
    """Knows what it read and how many requests came at once."""

    def __init__(self, backbone: Decoder) -> None:
        self.read: list[int] = []
        self.sizes: list[int] = []
        absorb = backbone.absorb

        def noting(prompt: Sequence[int]) -> KeyValues:
            self.read.append(len(prompt))
            return absorb(prompt)

        watched = Decoder(backbone.frozen)
        object.__setattr__(watched, "absorb", noting)
        super().__init__(watched)

    def replies(self, requests: Sequence[Request]) -> list[Reply | Exception]:  # type: ignore[override]  # wider
        self.sizes.append(len(requests))
        return list(super().replies(requests))


def watched() -> Watched:
    backbone = shared("llama")
    assert isinstance(backbone, Decoder)
    return Watched(backbone)


def test_a_beginning_is_read_once_for_all_batches() -> None:
    lm = watched()
    requests = [asked(text) for text in texts(80)]
    ask(lm, requests, concurrency=40)
    ask(lm, requests[:1])
    assert len(lm.read) == 1
    assert lm.read[0] >= len(FRONT.split())
    assert lm.sizes[0] == 40


def test_a_beginning_that_comes_a_second_time_is_read_then() -> None:
    lm = watched()
    for text in texts(3):
        ask(lm, [asked(text)])
    assert len(lm.read) == 1


def test_the_model_is_asked_while_it_works() -> None:
    """Requests that come while a batch is computed make the next one."""

    async def both(lm: LocalLM) -> list[Reply | Missing]:
        first = asyncio.create_task(gather(lm, [asked("good film")]))
        await asyncio.sleep(0.001)
        later = await gather(lm, [asked("bad film")])
        return [*await first, *later]

    found = asyncio.run(both(LocalLM(shared("llama"))))
    assert [each.text for each in found if isinstance(each, Reply)] == [
        each.text for each in alone(shared("llama"), [asked("good film"), asked("bad film")])
    ]


def test_a_request_that_is_too_long_is_missing_and_stops_no_other() -> None:
    long = asked(" ".join(["good"] * 80))
    found = ask(LocalLM(shared("gpt2")), [asked("good"), long])
    assert isinstance(found[0], Reply)
    assert isinstance(found[1], Missing)
    assert "expected a request of 1 to 63 tokens" in found[1].reason
    assert f"got {80 + len(FRONT.split())}" in found[1].reason


def test_a_text_ends_where_the_places_end_or_where_it_is_told_to() -> None:
    lm = LocalLM(shared("gpt2"))
    free = 64 - len(f"{FRONT} good".split())
    (reply,) = replies(lm.backbone, [asked("good", max_tokens=500)])
    assert reply.finish in ("length", "stop")
    assert reply.written <= free
    whole = replies(lm.backbone, [asked("good")])[0].text
    word = whole.split()[2]
    (cut,) = replies(lm.backbone, [asked("good", stop=(word,))])
    assert cut.text == whole.partition(word)[0].strip()


def test_what_is_drawn_depends_on_seed_and_repeat_alone() -> None:
    backbone = shared("llama")

    def drawn(**settings: object) -> str:
        return replies(backbone, [asked("good", temperature=2.0, **settings)])[0].text

    assert drawn(seed=1) == drawn(seed=1)
    assert len({drawn(seed=seed, repeat=repeat) for seed in (0, 1) for repeat in (0, 1)}) > 1


def test_json_fits_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "mood": {"enum": ["good", "bad"]},
            "stars": {"type": "integer", "minimum": 1, "maximum": 5},
        },
        "required": ["mood", "stars"],
        "additionalProperties": False,
    }
    requests = [
        asked(text, schema=json.dumps(schema), max_tokens=60, temperature=heat, seed=0)
        for text in texts(5)
        for heat in (0.0, 1.5)
    ]
    for reply in replies(talker(), requests):
        found = json.loads(reply.text)
        assert found["mood"] in ("good", "bad")
        assert 1 <= found["stars"] <= 5
        assert reply.finish == "stop"


@pytest.mark.parametrize("schema", ['{"type": 3}', '{"type": ', "[]"])
def test_a_schema_that_is_none_is_refused(schema: str) -> None:
    (found,) = ask(LocalLM(talker()), [asked("a", schema=schema)])
    assert isinstance(found, Missing)
    assert "expected a JSON schema" in found.reason


def test_what_the_model_cannot_do_is_refused() -> None:
    with pytest.raises(ModelError, match="encoder"):
        LocalLM(shared("bert"))
    lm = LocalLM(shared("gpt2"))
    assert isinstance(lm, LM)
    (found,) = ask(lm, [asked("good", tools="[]")])
    assert isinstance(found, Missing)
    assert "calls no tools" in found.reason


def test_what_breaks_a_batch_reaches_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = LocalLM(shared("gpt2"))
    monkeypatch.setattr(lm, "_batch", lambda rows: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ask(lm, [asked("good"), asked("bad")])


def test_settings_that_cannot_be_followed_are_missing() -> None:
    (found,) = ask(LocalLM(shared("gpt2")), [asked("good", temperature=1.0, top_p=0.0)])
    assert isinstance(found, Missing)
    assert "top_p above 0" in found.reason


def test_the_most_a_request_can_take_is_no_less_than_what_it_takes() -> None:
    lm = LocalLM(talker(CHAT))
    request = asked("Loved it.", max_tokens=4)
    (reply,) = ask(lm, [request])
    assert isinstance(reply, Reply)
    most = lm.most(request)
    assert (most.read, most.cost) == (reply.read, 0.0)
    assert most.written >= reply.written


def test_the_identity_names_the_weights() -> None:
    one, other = LocalLM(shared("gpt2")), LocalLM(shared("llama"))
    assert one.identity["digest"] != other.identity["digest"]
    assert set(one.identity) == {"provider", "name", "digest", "precision"}


def test_all_words_are_known() -> None:
    """The texts of these tests hold no unknown word."""
    assert set(FRONT.split()) <= set(VOCABULARY)
