"""Settings: what task.toml says, checked."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from afina.errors import TaskError
from afina.task.sources import Column

Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Files = str | Annotated[list[str], Field(min_length=1)]
Leaks = Literal["refuse", "drop", "allow"]


class Table(BaseModel):
    """A table of task.toml: no key but those named, nothing converted, nothing changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(Table):
    """Where the rows are and how their columns are called."""

    train: Files | None = None
    dev: Files | None = None
    test: Files | None = None
    all: Files | None = None
    header: bool = True
    columns: dict[str, Column] = {}
    group: Column | None = None
    id: Column | None = None
    token_column: int = 0
    tag_column: int = -1
    merge: bool = False

    @model_validator(mode="after")
    def one_pool(self) -> "Data":
        """Rows come from ``all``, or from ``train`` and what is beside it."""
        if self.all is not None and (self.train or self.dev or self.test):
            raise ValueError("expected 'all' or 'train', 'dev' and 'test', came both")
        if self.all is None and self.train is None:
            raise ValueError("expected 'train' or 'all', came neither: a task learns from rows")
        return self

    def files(self, split: str) -> tuple[str, ...]:
        """The names of a split's files; none where it is to be cut."""
        names: Files | None = {
            "train": self.all or self.train,
            "dev": self.dev,
            "test": self.test,
        }[split]
        return (names,) if isinstance(names, str) else tuple(names or ())


class Split(Table):
    """How splits are cut, and what is done about leaks."""

    dev: Share = 0.1
    test: Share = 0.2
    seed: int = 0
    leaks: Leaks = "refuse"

    @model_validator(mode="after")
    def something_left(self) -> "Split":
        """The shares leave rows to train on."""
        if self.dev + self.test >= 1:
            raise ValueError(f"expected dev + test under 1, came {self.dev + self.test}")
        return self


class Prompt(Table):
    """Words for prompts: one a label, or several of which the first is the one that is written."""

    words: dict[str, Files] = {}

    @property
    def first(self) -> dict[str, str]:
        """The word of each label."""
        return {
            label: each if isinstance(each, str) else each[0] for label, each in self.words.items()
        }

    @property
    def further(self) -> dict[str, tuple[str, ...]]:
        """The words behind the first, of labels that have several."""
        return {
            label: tuple(each[1:])
            for label, each in self.words.items()
            if not isinstance(each, str)
        }


class Settings(Table):
    """The whole of task.toml."""

    signature: str
    instruction: str = ""
    metric: str | None = None
    labels_file: str | None = None
    data: Data
    labels: dict[str, str] = {}
    split: Split = Split()
    prompt: Prompt = Prompt()


def read_settings(path: Path) -> Settings:
    """Read task.toml; raises TaskError with a line for each fault."""
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: expected UTF-8, came other bytes: save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TaskError(f"{path}: expected TOML, came an error: {error}") from error
    return checked(path, data)


def checked(path: Path, data: dict[str, Any]) -> Settings:  # Any: TOML as it came
    """Check what was read; raises TaskError with a line for each fault."""
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        faults: dict[str, list[str]] = {}
        for detail in error.errors():
            faults.setdefault(dotted(detail, data), []).append(fault(detail))
        lines = [f"{path}: {key}: {', or '.join(reasons)}" for key, reasons in faults.items()]
        raise TaskError("\n".join(lines)) from error


def fault(detail: ErrorDetails) -> str:
    """What is wrong with a key; of a union, with one of its members."""
    if detail["type"] == "extra_forbidden":
        return f"an unknown key{hint(detail)}"
    if detail["type"] == "missing":
        return "expected this key, came none"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return message + ("" if "came" in message else f", came {detail['input']!r}")


def dotted(detail: ErrorDetails, data: Any) -> str:  # Any: TOML as it came
    """The path of a key, without the names that pydantic adds for the members of a union."""
    keys = []
    for part in detail["loc"]:
        inside = isinstance(data, dict) and part in data
        listed = isinstance(data, list) and isinstance(part, int)
        if not inside and not listed and detail["type"] != "missing":
            break
        keys.append(str(part))
        data = data[part] if inside or listed else None
    return ".".join(keys) or "task.toml"


def hint(detail: ErrorDetails) -> str:
    """The nearest known key."""
    tables: dict[str, type[Table]] = {"data": Data, "split": Split, "prompt": Prompt}
    *above, key = detail["loc"]
    known = tables[str(above[0])] if above else Settings
    near = difflib.get_close_matches(str(key), known.model_fields, 1, 0.5)
    return (
        f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known.model_fields)}"
    )
