"""What calls of language models may take at most, and what a call takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from afina.errors import BudgetError, InputError
from afina.lm.reply import Reply

PICO = 10**12  # dollars are counted in whole picodollars: sums of floats drift


@dataclass(frozen=True)
class Amount:
    """What was taken, or may be."""

    calls: int = 0
    tokens: int = 0
    picodollars: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.picodollars + other.picodollars,
        )

    def __sub__(self, other: "Amount") -> "Amount":
        return self + Amount(-other.calls, -other.tokens, -other.picodollars)

    @property
    def dollars(self) -> float:
        """Its money."""
        return self.picodollars / PICO


NOTHING = Amount()
CAPS: dict[str, Callable[[str], float]] = {
    "calls": int,
    "tokens": int,
    "money": float,
    "seconds": float,
}


@dataclass(frozen=True)
class Budget:
    """Caps on all that is ever spent under one run's label; None: no cap.

    ``seconds`` are of the wall clock, from the first reservation under the label.

    Raises:
        InputError: a cap is negative, or no finite number.
    """

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None  # dollars
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, whole in (
            ("calls", True),
            ("tokens", True),
            ("money", False),
            ("seconds", False),
        ):
            cap = getattr(self, name)
            if cap is not None and not is_cap(cap, whole=whole):
                wanted = "a whole number" if whole else "a finite number"
                raise InputError(
                    f"expected {wanted} of at least 0 as the budget's {name}, got {cap!r}"
                )

    def admits(self, most: Amount, settled: Amount, reserved: Amount) -> bool:
        """Whether a call fits now; False: it may fit when calls that are under way have ended.

        Raises:
            BudgetError: it would not fit even if those took nothing.
        """
        fits = True
        for name, cap, need, spent, held in (
            ("calls", self.calls, most.calls, settled.calls, reserved.calls),
            ("tokens", self.tokens, most.tokens, settled.tokens, reserved.tokens),
            (
                "dollars",
                self.picodollars,
                most.picodollars,
                settled.picodollars,
                reserved.picodollars,
            ),
        ):
            if cap is None:
                continue
            if spent + need > cap:
                raise spent_error(name, cap, spent, need)
            fits = fits and spent + held + need <= cap
        return fits

    @property
    def picodollars(self) -> int | None:
        """The cap on money."""
        return None if self.money is None else picodollars(self.money)


UNLIMITED = Budget()


def is_cap(cap: object, *, whole: bool) -> bool:
    """Whether a number can be a cap."""
    kinds = int if whole else (int, float)
    return isinstance(cap, kinds) and not isinstance(cap, bool) and math.isfinite(cap) and cap >= 0


def picodollars(dollars: float) -> int:
    """Dollars as a whole number of picodollars."""
    return round(dollars * PICO)


def amount_of(reply: Reply) -> Amount:
    """What one reply took; a cost that is not known counts as nothing."""
    return Amount(1, reply.read + reply.written, picodollars(reply.cost or 0.0))


def spent_error(name: str, cap: int, spent: int, need: int) -> BudgetError:
    """The error for a call that would go over one cap."""
    unit = PICO if name == "dollars" else 1
    return BudgetError(
        f"expected at most {cap / unit:g} {name}: {spent / unit:g} are spent and this call may"
        f" take {need / unit:g}; nothing was sent; raise the budget and run again, calls that were"
        " answered are not paid for twice"
    )


def read_budget(text: str) -> Budget:
    """Caps as a command line gives them.

    >>> read_budget("calls=200,money=1.50")
    Budget(calls=200, tokens=None, money=1.5, seconds=None)

    Raises:
        InputError: a cap is unknown, comes twice, or is no number.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in CAPS or name in found:
            raise InputError(
                f"expected caps such as calls=200,money=1.50 out of {', '.join(CAPS)}, each once, "
                f"got {part.strip()!r}"
            )
        try:
            found[name] = CAPS[name](value)
        except ValueError as error:
            raise InputError(f"expected a number as the budget's {name}, got {value!r}") from error
    return Budget(**found)  # type: ignore[arg-type]  # CAPS has each cap's own type
