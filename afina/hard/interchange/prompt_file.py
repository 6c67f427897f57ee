"""A prompt as a file of another tool's: read for a task's rows, or written and checked."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from afina.disk import Disk, replace_file
from afina.errors import InputError, MismatchError
from afina.hard.interchange.langchain import read_langchain, write_langchain
from afina.hard.interchange.markdown import read_markdown, write_markdown
from afina.hard.interchange.openai import read_openai, write_openai
from afina.hard.interchange.promptfoo import read_promptfoo, write_promptfoo
from afina.hard.interchange.transcript import Transcript, prompt_of, transcript_of
from afina.hard.prompt import Prompt
from afina.solver import Values
from afina.task.pinned import DIGITS, PINNED
from afina.task.signature import (
    Boolean,
    Choice,
    FieldType,
    Integer,
    Number,
    Signature,
    Spans,
    Text,
    TextList,
)

LARGEST = 16 * 2**20  # bytes of a file; prompts take a few thousand
EVERY = (Text, Choice, Integer, Number, Boolean, TextList, Spans)
PYTHON = (Text, Choice, Integer, Number, Boolean)  # written as Python's str writes them


@dataclass(frozen=True)
class WrittenSettings:
    """Which file holds a prompt, and how."""

    prompt: str = ""  # the file
    form: str = "auto"  # langchain, openai, promptfoo or markdown; auto: by the file


@dataclass(frozen=True)
class Format:
    """How a file holds a prompt, and of which types it writes values as we do."""

    read: Callable[[str, str], Transcript]
    write: Callable[[Transcript], str]
    types: tuple[type[FieldType], ...]


FORMATS = {
    "langchain": Format(read_langchain, write_langchain, PYTHON),
    "openai": Format(read_openai, write_openai, EVERY),
    "promptfoo": Format(read_promptfoo, write_promptfoo, (Text, Choice)),
    "markdown": Format(read_markdown, write_markdown, EVERY),
}
ENDINGS = {".md": "markdown", ".markdown": "markdown", ".yaml": "promptfoo", ".yml": "promptfoo"}


def taken(settings: WrittenSettings, signature: Signature, words: Mapping[str, str]) -> Prompt:
    """The prompt of a pinned file, which has the labels' words in the place of labels.

    Raises:
        InputError: with the place in the file of what is not taken over.
        MismatchError: the file is another than when it was pinned.
    """
    found = PINNED.fullmatch(settings.prompt)
    if found is None:
        raise InputError(f"expected prompt=FILE, of a written prompt, got {settings.prompt!r}")
    path = Path(found[1])
    if digest_of(path) != found[2]:
        raise MismatchError(
            f"{path} holds another prompt than when the run was made; set it as it was, or start a "
            "run of another name"
        )
    worded = Prompt.of(signature).in_words(words).signature
    prompt = read_prompt(path, settings.form, worded)
    return prompt.in_words({word: label for label, word in words.items()})


def pinned_prompt(name: str) -> str:
    """A file's whole path with the digest of what it holds.

    Raises:
        InputError: there is none.
    """
    if not name:
        raise InputError("expected prompt=FILE, of a written prompt, got none")
    path = Path(PINNED.sub(r"\1", name)).absolute()
    return f"{path}@{digest_of(path)}"


def digest_of(path: Path) -> str:
    """The beginning of the sha256 of a file's text; raises InputError where there is none."""
    return hashlib.sha256(text_of(path).encode()).hexdigest()[:DIGITS]


def read_prompt(path: Path, form: str, signature: Signature) -> Prompt:
    """The prompt in a file; ``form`` is a format's name, or ``auto``, which looks at the file.

    Raises:
        InputError: with the place in the file of what is not taken over.
    """
    text = text_of(path)
    name = likely(path, text) if form == "auto" else form
    transcript = format_named(name).read(text, str(path))
    check_types(name, transcript, signature)
    return prompt_of(transcript, signature)


def likely(path: Path, text: str) -> str:
    """The format by the file's ending; JSON is LangChain's where it says ``lc``."""
    if path.suffix.lower() in ENDINGS:
        return ENDINGS[path.suffix.lower()]
    if path.suffix.lower() != ".json":
        raise InputError(
            f"expected a file that ends in .json, {', '.join(ENDINGS)}, came {str(path)!r}; name "
            f"its form: {', '.join(FORMATS)}"
        )
    return "langchain" if text.lstrip().startswith("{") and '"lc"' in text else "openai"


def text_of(path: Path) -> str:
    """A file's text; raises InputError where there is none, or one far too large."""
    try:
        if not path.is_file():
            raise InputError(f"no file {str(path)!r}; name a prompt's file")
        size = path.stat().st_size
        if size > LARGEST:
            raise InputError(f"{path}: expected at most {LARGEST:,} bytes, came {size:,}")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected UTF-8, came another encoding at {error.start}"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(path)!r}: {error}") from error


def format_named(name: str) -> Format:
    """The format of this name; raises InputError where there is none."""
    if name not in FORMATS:
        raise InputError(f"expected a format out of {', '.join(FORMATS)}, got {name!r}")
    return FORMATS[name]


def check_types(name: str, transcript: Transcript, signature: Signature) -> None:
    """Refuse fields whose values the format's own tool writes otherwise than we do."""
    types = {each.name: each.type for each in signature.inputs}
    for line in transcript.lines:
        for each in line.template.names:
            kind = types.get(each)
            if kind is not None and not isinstance(kind, format_named(name).types):
                raise InputError(
                    f"{line.place or name}: {name} writes the values of {each!r} otherwise than we "
                    "do; make it a text in the task's signature"
                )


def check_system(transcript: Transcript) -> None:
    """Refuse a system part that may be empty: we leave it out then, and other tools do not."""
    for line in transcript.lines:
        nothing = dict.fromkeys(line.template.names, "")
        if line.role == "system" and not line.template.render(nothing):
            raise InputError(
                "expected a system part that always says something, came one of "
                f"{', '.join(nothing)} alone; give it a word of its own"
            )


def write_prompt(prompt: Prompt, form: str, path: Path, rows: Iterable[Values]) -> int:
    """Write a prompt, and read it again: how many rows it then says the same for, all that came.

    Raises:
        InputError: the format cannot say what the prompt says, or the file cannot be written.
    """
    transcript, chosen = transcript_of(prompt), format_named(form)
    check_types(form, transcript, prompt.signature)
    check_system(transcript)
    text = chosen.write(transcript)
    count = 0
    again = chosen.read(text, str(path))
    for row in rows:
        count += 1
        if again.messages(row) != prompt.messages(row):
            raise InputError(
                f"{form} would not say the same for the row {str(dict(row))[:200]}; nothing is "
                "written, choose another format"
            )
    replace_file(path, text.encode(), Disk())
    assert text_of(path) == text, f"{path} does not hold what was written"
    return count
