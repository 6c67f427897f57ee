"""Writes messages.jsonl: what guests write to a hotel's front desk, and which desk must act.

The label is the one desk that has something to do once the message is read:

    housekeeping   beds, towels, cleaning, laundry
    kitchen        meals, drinks, diets
    billing        invoices, payments, refunds
    transport      shuttles, taxis, cars, bicycles

The grammar is in grammar.toml. A message is drawn in four steps: a label, in turn; a kind, by its
share; a frame of that kind; the frame's slots, from the left, until none remains; perhaps an
opening and a closing. All comes from one seeded generator, so running this file writes
messages.jsonl again, byte for byte.

What makes it hard: more than four messages in ten also speak of another desk's matter, which needs
nobody: it is settled, denied, misunderstood, praised, or can wait ("My sister has sorted out the
deposit, and the cold soup is left for you"). The same phrases serve both roles and stand in either
order, so the words say which two desks are spoken of, and only their order says which must act.

A message too much like an earlier one (over LIMIT of their words or five-character pieces in
common) is thrown away and drawn anew.
"""

import json
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROWS = 1000
SEED = 7
LIMIT = 0.55
LABELS = ["housekeeping", "kitchen", "billing", "transport"]
SLOT = re.compile(r"\{([a-z_.]+)\}")

Phrases = Mapping[str, Sequence[str]]


def main() -> None:
    (HERE / "messages.jsonl").write_text(rows_as_text(), encoding="utf-8")


def rows_as_text() -> str:
    """The whole data file: one JSON object a line, in the order drawn."""
    grammar = tomllib.loads((HERE / "grammar.toml").read_text(encoding="utf-8"))
    generator = random.Random(SEED)
    kept: list[tuple[set[str], set[str]]] = []
    lines = []
    while len(lines) < ROWS:
        label = LABELS[len(lines) % len(LABELS)]
        message = draw_message(label, grammar, generator)
        traces = words(message), pieces(message)
        if any(alike(traces, other) for other in kept):
            continue
        kept.append(traces)
        lines.append(json.dumps({"message": message, "desk": label}))
    return "\n".join(lines) + "\n"


def draw_message(label: str, grammar: Mapping[str, Phrases], generator: random.Random) -> str:
    """One message that ``label`` must act on."""
    kind = generator.choices(list(grammar["shares"]), weights=list(grammar["shares"].values()))[0]
    frame = generator.choice(grammar["frames"][kind])
    if generator.random() < 0.3:
        frame = "{opening} " + frame
    if generator.random() < 0.3:
        frame = frame + " {closing}"
    other = generator.choice([desk for desk in LABELS if desk != label])
    phrases = dict(grammar["lists"])
    for slot in ("room", "name"):  # a writer has one of each
        phrases[slot] = [generator.choice(phrases[slot])]
    for role, desk in (("act", label), ("rest", other)):
        phrases |= {f"{role}.{part}": choices for part, choices in grammar[desk].items()}
    return with_capitals(fill(frame, phrases, generator))


def fill(text: str, phrases: Phrases, generator: random.Random) -> str:
    """``text`` with each slot replaced by one of its phrases, from the left, until none is left."""
    while match := SLOT.search(text):
        text = text[: match.start()] + generator.choice(phrases[match[1]]) + text[match.end() :]
    return text


def with_capitals(text: str) -> str:
    """``text`` with a capital at the beginning of each sentence."""
    return re.sub(r"(^|[.?!] )([a-z])", lambda match: match[1] + match[2].upper(), text)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def pieces(text: str) -> set[str]:
    folded = text.lower()
    return {folded[start : start + 5] for start in range(len(folded) - 4)}


def alike(first: Sequence[set[str]], second: Sequence[set[str]]) -> bool:
    """Whether two messages have over LIMIT of their words, or of their pieces, in common."""
    for one, two in zip(first, second, strict=True):
        shared = len(one & two)
        if shared > LIMIT * (len(one) + len(two) - shared):
            return True
    return False


if __name__ == "__main__":
    main()
