"""A query writer that follows a rule: no model, no gold, only what its prompt shows it.

Asked for a note, it takes the sentence of each new passage that shares most words with the question
and names the passage. Asked for the next query, it names what the notes speak of and the question
does not, and repeats the words of the question that no note has. It stands where a language
model would, so what is measured is the searching in hops and not a model's wit.
"""

import re

from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM

PASSAGE = re.compile(r"^\[\d+\]\n(`{3,})\n(.*?)\n\1$", re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r"(?<=[.!?])\s+")
NAME = re.compile(r"(?:[A-Z][\w'’.-]*\w)(?:\s+(?:of|the|de|and|[A-Z][\w'’.-]*\w))*")
WORD = re.compile(r"\w+")
COMMON = frozenset(
    "a an and are as at be been by did do does for from had has have he her his how in into is it "
    "its of on one or she that the their this to was were what when where which who whom whose why "
    "will with name year many much also there than".split()
)
READ = 2  # passages that a note is taken from
NAMES = 3  # of a query, at most


def rule(blind: bool = False) -> ScriptedLM:
    """The writer as a language model; a blind one notes nothing of what was found."""

    def written(request: Request) -> str:
        said = request.messages[-1].content
        if said.endswith("\nnote:"):
            return "nothing" if blind else note(said)
        return query(said) if said.endswith("\nquery:") else "unknown"

    return ScriptedLM(written, name="blind rule" if blind else "rule")


def note(said: str) -> str:
    """Of the first passages the sentence nearest to the question, behind the passage's title."""
    asked = words(field(said, "question"))
    notes = []
    for found in list(PASSAGE.finditer(said))[:READ]:
        head, _, text = found[2].partition("\n")
        sentences = SENTENCE.split(text)
        best = max(sentences, key=lambda each: len(asked & words(each)))
        notes.append(f"{head.removeprefix('title: ')}: {best}")
    return " ".join(notes) or "nothing"


def query(said: str) -> str:
    """Names that are new in the notes, and what the notes leave open of the question."""
    question, notes = (
        field(said, "question"),
        said.partition("\nnotes:")[2].removesuffix("\nquery:"),
    )
    asked, known = words(question), words(notes)
    names = [each for each in dict.fromkeys(NAME.findall(notes)) if not words(each) <= asked]
    missing = [each for each in WORD.findall(question) if each.casefold() in asked - known]
    return " ".join([*names[:NAMES], *missing]) or "done"


def field(said: str, name: str) -> str:
    """The line of a field."""
    found = re.search(rf"^{name}: (.*)$", said, re.MULTILINE)
    return found[1] if found else ""


def words(text: str) -> set[str]:
    """The words of a text that say something."""
    return {each for each in map(str.casefold, WORD.findall(text)) if each not in COMMON}
