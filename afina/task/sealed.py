"""The sealed test split: rows that nothing reads by accident, and every opening is counted."""

from collections.abc import Callable, Iterator
from typing import NoReturn, Protocol, final

from afina.errors import SealedError
from afina.task.example import Example


class Ledger(Protocol):
    """Where the openings of sealed tests are counted."""

    def record(self, task_digest: str, by: str) -> int:
        """Note an opening; the number of openings so far, this one included."""

    def count(self, task_digest: str) -> int:
        """The number of openings so far."""


@final
class SealedSplit:
    """Rows behind a closure: they have a number, and are read only by ``open``.

    Copies share the seal, pickles are refused, and the split that ``for_tuning`` gives holds no
    rows at all.
    """

    __slots__ = ("_digest", "_length", "_unseal")

    def __init__(self, rows: tuple[Example, ...], digest: str) -> None:
        seal(self, digest, len(rows), lambda: rows)

    def open(self, ledger: Ledger, by: str) -> tuple[Example, ...]:
        """The rows, once the opening stands in the ledger; raises SealedError while tuning."""
        unseal: Callable[[], tuple[Example, ...]] = object.__getattribute__(self, "_unseal")
        rows = unseal()
        ledger.record(object.__getattribute__(self, "_digest"), by)
        return rows

    def for_tuning(self) -> "SealedSplit":
        """The same split without its rows: even ``open`` raises SealedError."""
        empty = object.__new__(SealedSplit)
        seal(empty, object.__getattribute__(self, "_digest"), len(self), refuse_tuning)
        return empty

    def __len__(self) -> int:
        length: int = object.__getattribute__(self, "_length")
        return length

    def __repr__(self) -> str:
        raise SealedError(MESSAGE)

    def __iter__(self) -> Iterator[Example]:
        raise SealedError(MESSAGE)

    def __getitem__(self, place: object) -> Example:
        raise SealedError(MESSAGE)

    def __contains__(self, row: object) -> bool:
        raise SealedError(MESSAGE)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise SealedError(MESSAGE)

    def __getattribute__(self, name: str) -> object:
        if name in SealedSplit.__slots__:
            raise SealedError(MESSAGE)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise SealedError(MESSAGE)

    def __copy__(self) -> "SealedSplit":
        return self

    def __deepcopy__(self, memo: object) -> "SealedSplit":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise SealedError(MESSAGE)


MESSAGE = (
    "the test split is sealed: nothing but its length is read while a prompt is made;"
    " 'afina test RUN' opens it once and counts the look"
)


def seal(
    split: SealedSplit, digest: str, length: int, unseal: Callable[[], tuple[Example, ...]]
) -> None:
    """Fill a split, which refuses to be changed afterwards."""
    object.__setattr__(split, "_digest", digest)
    object.__setattr__(split, "_length", length)
    object.__setattr__(split, "_unseal", unseal)


def refuse_tuning() -> tuple[Example, ...]:
    """What stands in place of the rows while tuning."""
    raise SealedError(MESSAGE)
