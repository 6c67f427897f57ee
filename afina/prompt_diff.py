"""Two written prompts beside each other: what differs in their parts, as a unified diff."""

import difflib
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from afina.errors import InputError
from afina.hard.interchange.transcript import transcript_of
from afina.hard.prompt import Prompt
from afina.store.prompts import Version

STYLES = {"+": "green", "-": "red", "@": "cyan"}
SHORT = 12  # digits of a digest that are shown


def parts_of(version: Version) -> dict[str, str]:
    """A prompt's parts as texts; the signature's instruction and form stand in the system part."""
    prompt = Prompt.from_json(version.content)
    shown = "\n".join(f"{each.role}: {each.content}" for each in prompt.shown)
    return {
        "signature": str(prompt.signature),
        "system": system_of(prompt),
        "user": prompt.user.text,
        "demonstrations": shown,
    }


def system_of(prompt: Prompt) -> str:
    """The system part as a template; with its instruction apart where a block is on an input."""
    try:
        lines = transcript_of(prompt).lines
    except InputError:
        return f"instruction: {prompt.signature.instruction}\n{prompt.system.text}"
    return lines[0].template.text if lines[0].role == "system" else ""


def difference(a: Sequence[Version], b: Sequence[Version]) -> dict[str, list[str]]:
    """A unified diff of each part that differs, by ``prompt.part`` where there are several."""
    found: dict[str, list[str]] = {}
    first, second = ({each.name: parts_of(each) for each in side} for side in (a, b))
    for name in dict.fromkeys([*first, *second]):
        old, new = first.get(name, {}), second.get(name, {})
        for part in dict.fromkeys([*old, *new]):
            lines = diff_of(old.get(part, ""), new.get(part, ""), a[0].run, b[0].run)
            if lines:
                found[part if len(first) == len(second) == 1 else f"{name}.{part}"] = lines
    return found


def diff_of(old: str, new: str, a: str, b: str) -> list[str]:
    """The lines of a unified diff."""
    return list(difflib.unified_diff(old.split("\n"), new.split("\n"), a, b, lineterm=""))


def difference_json(a: Sequence[Version], b: Sequence[Version]) -> dict[str, object]:
    """Two runs' prompts and what differs, for machines."""
    return {
        "a": [version_json(each) for each in a],
        "b": [version_json(each) for each in b],
        "difference": difference(a, b),
    }


def difference_text(a: Sequence[Version], b: Sequence[Version]) -> RenderableType:
    """Two runs' prompts and what differs, for a person."""
    lines: list[Text] = [Text(version_line(each)) for each in (*a, *b)]
    found = difference(a, b)
    for part, diff in found.items():
        lines.append(Text(f"\n{part}", style="bold"))
        lines += [Text(line, style=STYLES.get(line[:1], "")) for line in diff[2:]]
    if not found:
        lines.append(Text("they say the same"))
    return Group(*lines)


def version_table(versions: Sequence[Version]) -> RenderableType:
    """A run's written prompts, a line each and the parts below."""
    lines = list[Text]()
    for each in versions:
        lines.append(Text(version_line(each)))
        for part, text in parts_of(each).items():
            if text and part != "signature":
                lines += [Text(f"  {part}", style="bold"), *map(Text, indented(text))]
    return Group(*lines)


def indented(text: str) -> list[str]:
    """The lines of a text, each a little to the right."""
    return [f"    {line}" for line in text.split("\n")]


def version_line(version: Version) -> str:
    """A version in a line."""
    parent = f", made from {version.parent[:SHORT]}" if version.parent else ""
    return f"{version.run} {version.name} {version.digest[:SHORT]}{parent}: {version.message}"


def version_json(version: Version) -> Mapping[str, object]:
    """A version without its content."""
    return {
        "run": version.run,
        "name": version.name,
        "digest": version.digest,
        "parent": version.parent,
        "message": version.message,
        "created": version.created.isoformat(),
    }
