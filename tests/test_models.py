"""Models by name: backbones, endpoints and scripts, and a journal in front of what is asked."""

import json
from pathlib import Path

import pytest

from afina.backbones.local_lm import LocalLM
from afina.errors import BudgetError, InputError, ModelError
from afina.lm.budget import Budget, read_budget
from afina.lm.journal import Journal
from afina.lm.lm import ask
from afina.lm.remote import RemoteLM
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from afina.lm.scripted import ScriptedLM
from afina.models import Models, load_embedding, load_lm
from tests.folders import model_folder

HELLO = Request((Message("user", "Hello"),), max_tokens=2)


def test_a_folder_with_a_decoder_is_a_language_model() -> None:
    assert isinstance(load_lm(model_folder("gpt2")), LocalLM)
    with pytest.raises(ModelError, match="encoder"):
        load_lm(model_folder("bert"))


def test_a_model_at_an_endpoint_needs_an_address_that_may_be_asked() -> None:
    lm = load_lm("openai:some-model", base_url="http://localhost:1/v1")
    assert isinstance(lm, RemoteLM)
    assert lm.identity["endpoint"] == "http://localhost:1/v1"
    with pytest.raises(InputError, match="expected a key"):
        load_lm("openai:some-model")
    with pytest.raises(ModelError, match="expected a model such as openai:NAME"):
        load_lm("openai:", key="secret-secret")


def test_vectors_are_of_a_backbone_here_or_of_an_endpoint() -> None:
    here = load_embedding(model_folder("bert"))
    assert here.embed(["a good film", "bad"]).shape == (2, 32)
    assert Models().embedding(model_folder("bert")).digest == here.digest
    remote = load_embedding("openai:tiny", base_url="http://localhost:1/v1")
    again = load_embedding("openai:tiny", base_url="http://localhost:1/v1")
    assert remote.digest == again.digest
    for name, url in (
        ("openai:tiny", "http://localhost:2/v1"),
        ("openai:x", "http://localhost:1/v1"),
    ):
        assert load_embedding(name, base_url=url).digest != remote.digest
    with pytest.raises(InputError, match="expected a key"):
        Models().embedding("openai:tiny")
    with pytest.raises(ModelError, match="a model such as openai:NAME, got 'openai:'"):
        load_embedding("openai:", key="secret-secret")


def test_a_price_of_the_table_is_the_model_s(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text('[models."some-model"]\nread = 1.0\nwritten = 2.0\n')
    lm = load_lm(
        "openai:some-model", base_url="http://localhost:1/v1", prices=tmp_path / "prices.toml"
    )
    assert lm.most(HELLO).cost is not None


def test_a_script_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"Hello": "Hi!"}))
    (reply,) = ask(load_lm(f"scripted:{path}"), [HELLO])
    assert isinstance(reply, Reply)
    assert reply.text == "Hi!"
    path.write_text("[]")
    with pytest.raises(ModelError, match="JSON object of texts"):
        load_lm(f"scripted:{path}")


def test_calls_go_through_the_journal_under_the_run_s_name(tmp_path: Path) -> None:
    lm = ScriptedLM({"Hello": "Hi!"}, name="m")
    journal = Journal(tmp_path / "journal.sqlite")
    models = Models(given={"scripted:m": lm}, journal=journal, budget=Budget(calls=1))
    for replayed in (False, True):
        (reply,) = ask(models.lm("scripted:m", "first"), [HELLO])
        assert isinstance(reply, Reply)
        assert reply.replayed is replayed
    assert lm.calls == 1
    with pytest.raises(BudgetError):
        ask(models.lm("scripted:m", "first"), [Request((Message("user", "Else"),))])
    assert [line.run for line in journal.account()] == ["first"]
    journal.close()


def test_models_are_loaded_once() -> None:
    loaded: list[str] = []

    def speaker(name: str) -> ScriptedLM:
        loaded.append(name)
        return ScriptedLM({}, name=name)

    models = Models(speaker=speaker).once()
    models.check("openai:a")
    models.lm("openai:a")
    models.lm("openai:b")
    assert loaded == ["openai:a", "openai:b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected caps such as"),
        ("dollars=1", "got 'dollars=1'"),
        ("calls=1,calls=2", "each once"),
        ("calls=1.5", "expected a number as the budget's calls, got '1.5'"),
        ("money=-1", "at least 0"),
        ("money=nan", "finite"),
    ],
)
def test_a_budget_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_budget(text)


def test_a_budget_is_read() -> None:
    found = read_budget("calls=2, tokens=30,money=0.5,seconds=9")
    assert found == Budget(calls=2, tokens=30, money=0.5, seconds=9.0)
