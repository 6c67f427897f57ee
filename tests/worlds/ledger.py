"""The ledger, where examples matter: entries are marked by a habit that no sentence can tell.

An entry whose cluster is among the examples shown is answered right in 90 of 100, one of a
neighbour's cluster in 50, else in 25. Of the examples to learn from, 15 in 100 bear a wrong mark,
and such an example misleads. What a prompt says changes little.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tests.worlds.desk import judged
from tests.worlds.world import Chance, Evidence, Row, Turns, drawn, last_line, shown

MARKS = ("ash", "birch", "cedar", "elder", "fir", "holly")
CLUSTERS = (
    "lantern wick globe",
    "candle taper snuffer",
    "rope hawser cleat",
    "sail boom gaffer",
    "kettle spout trivet",
    "ladle skillet colander",
    "saddle girth stirrup",
    "bridle snaffle halter",
    "ledgerbook inkwell blotter",
    "quill sealwax parchment",
    "spade mattock dibber",
    "scythe whetstone sickle",
)
WEIGHTS = (16, 14, 12, 11, 10, 9, 8, 6, 5, 4, 3, 2)
FILLING = "seen under old gate beside tall wall after rain near inn".split()
SAME, NEAR, MISLED, UNKNOWN = 0.90, 0.50, 0.10, 0.25
WRONG_MARKS = 0.15  # of the train split


@dataclass(frozen=True)
class Ledger:
    """Entries and their marks."""

    seed: int = 0
    name: str = "ledger"
    target: str = "mark"

    @property
    def stages(self) -> Mapping[str, tuple[tuple[str, ...], str]]:
        return {"predict": (("entry",), "mark")}

    @property
    def instructions(self) -> Mapping[str, str]:
        return {"predict": "Give the mark of the entry."}

    @cached_property
    def marks(self) -> list[str]:
        """The hidden mark of each cluster."""
        generator = drawn(self.seed, "ledger marks")
        return [generator.choice(MARKS) for _ in CLUSTERS]

    def rows(self, split: str, count: int) -> list[Row]:
        found = []
        for number in range(count):
            generator = drawn(self.seed, "ledger", split, number)
            cluster = generator.choices(range(len(CLUSTERS)), WEIGHTS)[0]
            words = generator.sample(CLUSTERS[cluster].split(), 2)
            filling = generator.sample(FILLING, 4)
            entry = (
                f"Entry {generator.randrange(10**6)}: {words[0]} {filling[0]} {filling[1]} "
                f"{words[1]} {filling[2]} {filling[3]}"
            )
            mark = self.marks[cluster]
            if split == "train" and generator.random() < WRONG_MARKS:
                mark = generator.choice([each for each in MARKS if each != mark])
            found.append(Row({"entry": entry}, {"mark": mark}))
        return found

    def chance(self, stage: str, turns: Turns) -> Chance:
        cluster = cluster_in(last_line(turns[-1][1], "entry"))
        right = self.marks[cluster]
        known = [(cluster_in(entry), said) for entry, said in shown(turns, ("entry",), "mark")]
        same = Counter(said == right for other, said in known if other == cluster)
        near = any(
            other // 2 == cluster // 2 and said == self.marks[other]
            for other, said in known
            if other != cluster
        )
        if same:
            share = SAME if same[True] > same[False] else MISLED
        else:
            share = NEAR if near else UNKNOWN
        crowd = max(0, len(known) - 8)
        wrong = tuple(mark for mark in MARKS if mark != right)
        return Chance(right, wrong, max(UNKNOWN, share - 0.01 * crowd) if same[True] else share)

    def rules(self, stage: str, text: str) -> list[Evidence]:
        return []

    def rule(self, stage: str, known: Evidence) -> str:
        return ""

    def others(self, stage: str, says: str) -> list[str]:
        return [mark for mark in MARKS if mark != says]

    def evidence(self, stage: str, text: str) -> list[Evidence]:
        return []

    def feedback(self, row: Row, steps: Mapping[str, str]) -> str:
        return judged(row.outputs["mark"], steps.get("predict", ""))


def cluster_in(entry: str) -> int:
    """The cluster that an entry's words are of."""
    words = set(entry.split())
    return max(range(len(CLUSTERS)), key=lambda place: len(words & set(CLUSTERS[place].split())))
