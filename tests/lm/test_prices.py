from pathlib import Path

import pytest

from afina.errors import InputError
from afina.lm.prices import Price, read_prices
from afina.lm.tokens import Tokens


def test_a_price_is_dollars_per_million_tokens() -> None:
    assert Price(2.0, 8.0).of(Tokens(1_000_000, 500_000)) == pytest.approx(6.0)
    assert Price(2.0, 8.0).of(Tokens(1000, 0, cached=400)) == pytest.approx(0.002)
    assert Price(2.0, 8.0, cached=0.5).of(Tokens(1000, 0, cached=400)) == pytest.approx(0.0014)
    assert Price(0.0, 0.0).of(Tokens(1000, 1000)) == 0.0


def test_a_table_is_read_by_the_models_names(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        '[models."org/name-1.5"]\nread = 0.5\nwritten = 2\n'
        "[models.free]\nread = 0\nwritten = 0.0\ncached = 0\n"
    )
    assert read_prices(path) == {"org/name-1.5": Price(0.5, 2.0), "free": Price(0, 0, 0)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("read = 1", "expected tables"),
        ("models = 3", "expected tables"),
        ("[models]\nx = 3", "x: expected read and written"),
        ("[models.x]\nread = 1", "x: expected read and written"),
        ("[models.x]\nread = -1\nwritten = 1", "x: expected read and written"),
        ("[models.x]\nread = nan\nwritten = 1", "x: expected read and written"),
        ("[models.x]\nread = true\nwritten = 1", "x: expected read and written"),
        ("[models.x]\nread = '1'\nwritten = 1", "x: expected read and written"),
        ("[models.x]\nread = 1\nwritten = 1\nwriten = 2", "x: expected read and written"),
        ("[models", "expected prices as TOML"),
        ("\xff", "expected prices as TOML"),
    ],
)
def test_what_is_no_price_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=told):
        read_prices(path)


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: No such file"):
        read_prices(tmp_path / "none.toml")
