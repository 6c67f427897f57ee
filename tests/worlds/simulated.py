"""A simulated language model: it solves a world's task as well as its prompt lets it, and proposes.

Deterministic in its seed and the request. It knows a request of the task by its form; anything
else is a request to write something, which it does from the evidence that stands in it.
"""

import json
import re
from dataclasses import dataclass

from tests.worlds.world import Chance, Evidence, Turns, World, drawn, instruction_of, last_line

HELPFUL = {
    "Answer with the code alone and nothing around it.": "form",
    "Look first at what it is about before anything else.": "care",
    "Compare all of the possible answers with one another.": "care",
}
DISTRACTORS = (
    "Take a deep breath.",
    "You are a renowned expert with decades of practice.",
    "This matters a great deal to my career.",
    "Be thorough, friendly and professional at all times.",
    "Think about what a champion would do.",
    "Always strive for excellence.",
)
CARE_GAIN = 0.04  # of each phrase of care, where nothing better is known
DISTRACTOR_LOSS = 0.01
MALFORMED = 0.05
MALFORMED_IN_FORM = 0.01  # once the prompt asks for the form


@dataclass(frozen=True)
class Temper:
    """How good the proposer is, and how much chance there is."""

    skill: float = 0.7  # chance to see a rule in one example of it
    grasp: int = 3  # rules it finds in one request at most
    slip: float = 0.1  # chance that a rule it finds is wrong
    keep: float = 0.97  # chance that a rule told to it is in what it writes
    chatter: float = 0.5  # chance of a distractor
    tips: float = 0.15  # chance of each phrase that helps
    luck: float = 0.5  # share of requests whose draw is the example's own, whatever the prompt


@dataclass(frozen=True)
class Simulated:
    """A world's language model."""

    world: World
    seed: int = 0
    temper: Temper = Temper()

    def says(self, turns: Turns, salt: str = "") -> str:
        """The text for a request; ``salt`` is all that tells equal texts apart."""
        stage = self.stage_of(turns)
        if stage is None:
            return dressed(turns, self.proposal(turns, salt))
        chance = self.world.chance(stage, turns)
        generator = drawn(self.seed, "task", turns, salt)
        if generator.random() < malformed_share(turns):
            return "I would rather not say." if chatty(turns) else "?? !!"
        luck = drawn(self.seed, "row", stage, turns[-1][1][:400]).random()
        own = generator.random()
        at = luck if generator.random() < self.temper.luck else own
        share = with_manner(chance, turns)
        said = chance.right if at < share else generator.choice(chance.wrong)
        return dressed(turns, said)

    def oracle(self, turns: Turns) -> tuple[str, float]:
        """The right answer of a task's request, and how likely it is to come."""
        stage = self.stage_of(turns)
        assert stage is not None, turns
        chance = self.world.chance(stage, turns)
        share = with_manner(chance, turns) * (1 - malformed_share(turns))
        return dressed(turns, chance.right), share

    def stage_of(self, turns: Turns) -> str | None:
        """The prompt that a request is of; None where it is none of the task's."""
        asked = outputs_wanted(turns)
        text = turns[-1][1]
        for stage, (inputs, output) in self.world.stages.items():
            whole = all(last_line(text, field) for field in inputs)
            plain = text.rstrip().endswith(f"{output}:") and text.startswith(f"{inputs[0]}: ")
            if whole and (asked == [output] or (not asked and plain)):
                return stage
        return None

    def proposal(self, turns: Turns, salt: str) -> str:
        """An instruction made of the rules told, those seen in examples, and chatter."""
        text = "\n".join(each for _, each in turns)
        generator = drawn(self.seed, "propose", turns, salt)
        stage = self.stage_meant(text)
        parts = [self.world.instructions[stage]]
        for known in self.known(stage, text, generator.random()):
            parts.append(self.world.rule(stage, known))
        told = [phrase for phrase in HELPFUL if phrase in text]
        for phrase in HELPFUL:
            if phrase in told or generator.random() < self.temper.tips:
                parts.append(phrase)
        if generator.random() < self.temper.chatter:
            parts.append(generator.choice(DISTRACTORS))
        return " ".join(parts)

    def known(self, stage: str, text: str, draw: float) -> list[Evidence]:
        """The rules that a proposer writes down: kept from the text, or seen in its examples."""
        generator = drawn(self.seed, "known", text, draw)
        told = {each.subject: each for each in self.world.rules(stage, text)}
        seen: dict[str, list[Evidence]] = {}
        for each in self.world.evidence(stage, text):
            seen.setdefault(each.subject, []).append(each)
        kept = [
            each
            for each in told.values()
            if generator.random() < self.temper.keep and not contradicted(each, seen)
        ]
        subjects = [name for name in seen if name not in {each.subject for each in kept}]
        generator.shuffle(subjects)
        found = []
        for name in subjects:
            if generator.random() < 1 - (1 - self.temper.skill) ** len(seen[name]):
                right = commonest([each.says for each in seen[name]])
                slipped = generator.random() < self.temper.slip
                says = generator.choice(self.world.others(stage, right)) if slipped else right
                found.append(Evidence(name, says))
        return kept + found[: self.temper.grasp]

    def stage_meant(self, text: str) -> str:
        """The prompt that a proposal is for: the one whose output is named last as such."""
        places = {
            stage: max(text.rfind(self.world.instructions[stage]), text.rfind(f"`{output}`"))
            for stage, (_, output) in self.world.stages.items()
        }
        return max(places, key=lambda stage: places[stage])


def contradicted(rule: Evidence, seen: dict[str, list[Evidence]]) -> bool:
    """Whether examples shown tell against a rule."""
    about = [each.says for each in seen.get(rule.subject, ())]
    return bool(about) and commonest(about) != rule.says


def commonest(texts: list[str]) -> str:
    """The text that stands most often; of equals the first."""
    return max(texts, key=texts.count)


def with_manner(chance: Chance, turns: Turns) -> float:
    """The chance, moved a little by how the prompt is worded."""
    told = instruction_of(turns)
    care = sum(phrase in told for phrase, kind in HELPFUL.items() if kind == "care")
    noise = sum(phrase in told for phrase in DISTRACTORS)
    gained = CARE_GAIN * care if chance.share < 0.5 else 0.0
    return min(0.97, max(0.0, chance.share + gained - DISTRACTOR_LOSS * noise))


def malformed_share(turns: Turns) -> float:
    """How often what comes cannot be read."""
    told = instruction_of(turns)
    formed = any(phrase in told for phrase, kind in HELPFUL.items() if kind == "form")
    return MALFORMED_IN_FORM if formed else MALFORMED


def chatty(turns: Turns) -> bool:
    """Whether a request is in DSPy's form, whose answers have marks."""
    return any("[[ ## " in text for _, text in turns)


def outputs_wanted(turns: Turns) -> list[str]:
    """The outputs that a request in DSPy's form asks for."""
    rest = instruction_of(turns).partition("Your output fields are:")[2]
    return re.findall(r"^\d+\. `(\w+)`", rest.partition("All interactions")[0], re.MULTILINE)


def dressed(turns: Turns, text: str) -> str:
    """A text in the form that the request asks for."""
    if outputs := outputs_wanted(turns):
        if "Respond with a JSON object" in turns[-1][1]:
            return json.dumps(dict.fromkeys(outputs, text))
        parts = [f"[[ ## {name} ## ]]\n{text}" for name in outputs]
        return "\n\n".join([*parts, "[[ ## completed ## ]]"])
    return f"```\n{text}\n```" if "```" in turns[-1][1] else text
