"""The desk, where rules matter: notes go to queues by a rule a topic, which is told or not.

A note of a topic whose rule stands in the instruction is answered right in 95 of 100, with an
example of its topic shown in 70, else in 25. A wrong rule or a wrong example misleads.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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

TOPICS = "vellum quartz saffron bellows anvil lacquer tallow gimlet pewter osier".split()
QUEUES = ("K3", "M7", "P2", "R9", "T4", "W1")
WEIGHTS = (18, 15, 13, 11, 10, 9, 8, 6, 5, 5)  # of 100 notes
PLACES = "harbour mill chapel depot ferry orchard arcade quarry".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday".split()
TOLD, SHOWN, MISLED, UNKNOWN = 0.95, 0.70, 0.08, 0.25


@dataclass(frozen=True)
class Desk:
    """Notes and their queues."""

    seed: int = 0
    name: str = "desk"
    target: str = "queue"

    @property
    def stages(self) -> Mapping[str, tuple[tuple[str, ...], str]]:
        return {"predict": (("note",), "queue")}

    @property
    def instructions(self) -> Mapping[str, str]:
        return {"predict": "Tell which queue the note belongs to."}

    @cached_property
    def queue(self) -> dict[str, str]:
        """The hidden rules."""
        generator = drawn(self.seed, "desk rules")
        return {topic: generator.choice(QUEUES) for topic in TOPICS}

    def rows(self, split: str, count: int) -> list[Row]:
        found = []
        for number in range(count):
            generator = drawn(self.seed, "desk", split, number)
            topic = generator.choices(TOPICS, WEIGHTS)[0]
            case, place, day = (
                generator.randrange(10**6),
                generator.choice(PLACES),
                generator.choice(DAYS),
            )
            note = f"Case {case}: a caller at the {place} asks about {topic} and waits on {day}."
            found.append(Row({"note": note}, {"queue": self.queue[topic]}))
        return found

    def chance(self, stage: str, turns: Turns) -> Chance:
        topic = topic_in(last_line(turns[-1][1], "note"))
        right = self.queue[topic]
        wrong = tuple(queue for queue in QUEUES if queue != right)
        rules = [
            each.says for each in self.rules(stage, instruction_of(turns)) if each.subject == topic
        ]
        examples = [says for note, says in shown(turns, ("note",), "queue") if topic in note]
        if rules:
            share = TOLD if set(rules) == {right} else 0.5 if right in rules else MISLED
        elif examples:
            share = SHOWN if examples.count(right) * 2 > len(examples) else MISLED
        else:
            share = UNKNOWN
        return Chance(right, wrong, share)

    def rules(self, stage: str, text: str) -> list[Evidence]:
        pattern = rf"\b[Nn]otes about ({'|'.join(TOPICS)}) go to ({'|'.join(QUEUES)})\b"
        return [Evidence(topic, queue) for topic, queue in re.findall(pattern, text)]

    def rule(self, stage: str, known: Evidence) -> str:
        return f"Notes about {known.subject} go to {known.says}."

    def others(self, stage: str, says: str) -> list[str]:
        return [queue for queue in QUEUES if queue != says]

    def evidence(self, stage: str, text: str) -> list[Evidence]:
        return blocks(text, rf"asks about ({'|'.join(TOPICS)})", "queue", "|".join(QUEUES))

    def feedback(self, row: Row, steps: Mapping[str, str]) -> str:
        return judged(row.outputs["queue"], steps.get("predict", ""))


def topic_in(note: str) -> str:
    """The topic of a note."""
    return next(topic for topic in TOPICS if topic in note)


def judged(wanted: str, came: str) -> str:
    """A metric's words on an answer."""
    return "Right." if came.strip() == wanted else f"Wrong, expected {wanted}."


def blocks(text: str, subject: str, field: str, values: str) -> list[Evidence]:
    """Subjects with the value shown for each: what was expected, or an output not called wrong."""
    marks = list(re.finditer(subject, text))
    found = []
    for place, mark in enumerate(marks):
        end = marks[place + 1].start() if place + 1 < len(marks) else len(text)
        block = text[mark.end() : end]
        wanted = re.search(rf"(?:[Ee]xpected|[Ww]anted|should be)\W{{1,4}}({values})\b", block)
        said = re.search(rf"\b{field}\b\W{{1,14}}({values})\b", block)
        if wanted:
            found.append(Evidence(mark[1], wanted[1]))
        elif said and not re.search(r"\b[Ww]rong\b", block):
            found.append(Evidence(mark[1], said[1]))
    return found
