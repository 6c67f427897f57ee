"""The archive, with two stages: a query names a room, and only what stands there can be told.

A question is of one of six kinds. The first prompt writes the query, which finds the note only if
it names the kind's room; the second answers from the note, in a style that is the kind's. So an
answer is right where both are. Both rooms and styles are told by rules, or shown by examples.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tests.worlds.desk import blocks
from tests.worlds.world import (
    Chance,
    Evidence,
    Row,
    Turns,
    drawn,
    instruction_of,
    last_line,
    shown,
)

KINDS = "maker price weight origin colour keeper".split()
ROOMS = "ATTIC CELLAR GALLERY LOFT STABLE TOWER".split()
STYLES = ("-net", "-dry", "-old", "-raw")
WEIGHTS = (28, 22, 18, 14, 10, 8)
THINGS = "zorbel fenwick tarron mulvey brackle ondine persel quist".split()
VALUES = "odense garnet twelve bramble salter corvin hazel ninety lorne umber".split()
NOTHING = "nothing was found"
TOLD, SHOWN, MISLED, UNKNOWN = 0.95, 0.75, 0.08, 0.40


@dataclass(frozen=True)
class Archive:
    """Questions, the rooms where their answers are, and the style in which they are given."""

    seed: int = 0
    name: str = "archive"
    target: str = "answer"

    @property
    def stages(self) -> Mapping[str, tuple[tuple[str, ...], str]]:
        return {"search": (("question",), "query"), "tell": (("question", "notes"), "answer")}

    @property
    def instructions(self) -> Mapping[str, str]:
        return {
            "search": "Write the query that finds what the question needs.",
            "tell": "Answer the question from the notes.",
        }

    @cached_property
    def room(self) -> dict[str, str]:
        """Where a kind's notes are."""
        rooms = drawn(self.seed, "archive rooms").sample(ROOMS, len(ROOMS))
        return dict(zip(KINDS, rooms, strict=True))

    @cached_property
    def style(self) -> dict[str, str]:
        """How a kind's answers end."""
        generator = drawn(self.seed, "archive styles")
        return {kind: generator.choice(STYLES) for kind in KINDS}

    def rows(self, split: str, count: int) -> list[Row]:
        found = []
        for number in range(count):
            generator = drawn(self.seed, "archive", split, number)
            kind = generator.choices(KINDS, WEIGHTS)[0]
            thing, item = generator.choice(THINGS), generator.randrange(10**6)
            question = f"What is the {kind} of the {thing} with number {item}?"
            found.append(Row({"question": question}, {"answer": self.answer(question)}))
        return found

    def answer(self, question: str) -> str:
        """What is wanted."""
        return self.value(question) + self.style[kind_in(question)]

    def value(self, question: str) -> str:
        """What stands in the archive."""
        return drawn(self.seed, "value", question).choice(VALUES)

    def lookup(self, question: str, query: str) -> str:
        """What a query finds: the value, if it names the room, else nothing of use."""
        if re.search(rf"\b{self.room[kind_in(question)]}\b", query):
            return f"the shelf says {self.value(question)}"
        return NOTHING

    def chance(self, stage: str, turns: Turns) -> Chance:
        question = last_line(turns[-1][1], "question")
        kind = kind_in(question)
        if stage == "search":
            right, wrong, share = self.told(stage, kind, turns, self.room[kind], ROOMS)
            return Chance(f"{right} {kind}", tuple(f"{each} {kind}" for each in wrong), share)
        if NOTHING in last_line(turns[-1][1], "notes"):
            return Chance("unknown", ("unknown",), 0.0)
        value = self.value(question)
        style, wrong, share = self.told(stage, kind, turns, self.style[kind], STYLES)
        return Chance(value + style, tuple(value + each for each in wrong), share)

    def told(
        self, stage: str, kind: str, turns: Turns, right: str, among: list[str] | tuple[str, ...]
    ) -> tuple[str, tuple[str, ...], float]:
        """How likely a kind's room or style is taken, by the rules told and the examples shown."""
        inputs, output = self.stages[stage]
        rules = [
            each.says for each in self.rules(stage, instruction_of(turns)) if each.subject == kind
        ]
        examples = [
            said for asked, said in shown(turns, inputs, output) if f"the {kind} of" in asked
        ]
        if rules:
            share = TOLD if set(rules) == {right} else 0.5 if right in rules else MISLED
        elif examples:
            hits = sum(right in said for said in examples)
            share = SHOWN if hits * 2 > len(examples) else MISLED
        else:
            share = UNKNOWN
        return right, tuple(each for each in among if each != right), share

    def rules(self, stage: str, text: str) -> list[Evidence]:
        kinds = "|".join(KINDS)
        if stage == "search":
            found = re.findall(rf"\bFor a ({kinds}) search in ({'|'.join(ROOMS)})\b", text)
        else:
            found = re.findall(rf"\bEnd a ({kinds}) in ({'|'.join(STYLES)})(?!\w)", text)
        return [Evidence(kind, says) for kind, says in found]

    def rule(self, stage: str, known: Evidence) -> str:
        if stage == "search":
            return f"For a {known.subject} search in {known.says}."
        return f"End a {known.subject} in {known.says}."

    def others(self, stage: str, says: str) -> list[str]:
        return [each for each in (ROOMS if stage == "search" else STYLES) if each != says]

    def evidence(self, stage: str, text: str) -> list[Evidence]:
        subject = rf"the ({'|'.join(KINDS)}) of the"
        if stage == "search":
            rooms = "|".join(ROOMS)
            return blocks(text.replace("expected the room ", "expected "), subject, "query", rooms)
        styles = "|".join(STYLES)
        ended = re.sub(rf"\b({'|'.join(VALUES)})({styles})(?!\w)", r"\2", text)
        return blocks(ended.replace("expected the end ", "expected "), subject, "answer", styles)

    def feedback(self, row: Row, steps: Mapping[str, str]) -> str:
        question = row.inputs["question"]
        room = self.room[kind_in(question)]
        if room not in steps.get("search", ""):
            return f"Wrong: nothing was found, expected the room {room}."
        if steps.get("tell", "").strip() != row.outputs["answer"]:
            return f"Wrong: the query was right, expected the end {self.style[kind_in(question)]}."
        return "Right."


def kind_in(question: str) -> str:
    """The kind of a question."""
    return next(kind for kind in KINDS if f"the {kind} of" in question)
