"""What tokens cost, from a table that the user writes; Afina ships none, since prices change."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afina.errors import InputError
from afina.lm.tokens import Tokens

MILLION = 1_000_000
FIELDS = ("read", "written", "cached")


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens; of those the server had cached it may take less."""

    read: float
    written: float
    cached: float | None = None  # None: as ``read``

    def of(self, tokens: Tokens) -> float:
        """Dollars for what was read and written."""
        cached = self.read if self.cached is None else self.cached
        fresh = tokens.read - tokens.cached
        total = fresh * self.read + tokens.cached * cached + tokens.written * self.written
        return total / MILLION


def read_prices(path: Path) -> dict[str, Price]:
    """The prices in a TOML file, by the model's name.

    A model is a table ``[models."NAME"]`` with ``read``, ``written`` and, if wanted, ``cached``,
    in dollars per million tokens.

    Raises:
        InputError: the file cannot be read, or an entry is no price.
    """
    try:
        found = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read the prices in {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: expected prices as TOML, came an error: {error}") from error
    models = found.pop("models", {})
    if found or not isinstance(models, dict):
        raise InputError(
            f'{path}: expected tables [models."NAME"], came {", ".join(found) or models!r}'
        )
    return {name: price(path, name, entry) for name, entry in models.items()}


def price(path: Path, name: str, entry: Any) -> Price:  # Any: TOML as it came
    """One model's entry.

    Raises:
        InputError: it is no price.
    """
    known = isinstance(entry, dict) and set(FIELDS[:2]) <= set(entry) <= set(FIELDS)
    if not known or not all(amount(each) for each in entry.values()):
        raise InputError(
            f"{path}: {name}: expected read and written (and perhaps cached) in dollars per "
            f"million tokens, 0 or more, came {entry!r}"
        )
    return Price(**{field: float(each) for field, each in entry.items()})


def amount(value: object) -> bool:
    """Whether a value is dollars."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0  # type: ignore[arg-type, operator]
