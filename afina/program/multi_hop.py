"""Multi-hop retrieval: what was read decides what is searched for next.

Each hop searches, notes what the passages say of the question, and asks what is still missing:
``query_1 = question``, ``note_h = note(question, notes, passages_h)``,
``query_{h+1} = query(question, notes)``. The answer reads the best passages of all hops, and the
notes. After Baleen, Khattab et al. 2021, https://arxiv.org/abs/2101.00436, whose condensed facts
are the notes here; we search the question itself first, which costs no call, and end early where
the model says that nothing is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from threading import Lock

from afina.errors import ArtefactError, CallError, InputError
from afina.hard.fence import fenced
from afina.hard.prompt import Prompt
from afina.hard.rag import PASSAGES, query_field, rag_prompt
from afina.hard.template import plain
from afina.program.chain_of_thought import check_free
from afina.program.program import Program
from afina.program.steps import Flow, Steps
from afina.retrieval.passage import Passage
from afina.retrieval.retriever import Retriever, retrieve
from afina.solver import Value, Values
from afina.task.signature import Field, Signature, Text

NOTES = Field("notes", Text(), "what was found so far")
NOTE = Field("note", Text(), "what the passages say that helps, in one or two sentences")
QUERY = Field("query", Text(), "what to search for next, or: done")
ASK_NOTE = "Note what the passages say that helps with the {query}, and what is not known yet."
ASK_QUERY = (
    "Passages are searched for to help with the {query}. Write the next search: the one thing that "
    "the notes do not tell yet. Write done where nothing is missing."
)
ENDS = ("done", "none", "nothing")
NOTHING_YET = "none yet"
# What a retriever raises where it finds nothing for reasons of its own; anything else is a bug.
FAULTS = (InputError, ArtefactError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class MultiHopSettings:
    """Where passages come from, and how often they are searched for."""

    index: str = ""  # the index's folder
    hops: int = 2  # searches at most
    k: int = 5  # passages a search, and passages that the answer reads
    mode: str = "auto"  # lexical, dense or hybrid; auto: the best the index has
    query: str = ""  # the input that is searched for; empty: question, or the only text
    into: str = ""  # the input whose place the passages take; empty: they are added


def multi_hop(
    signature: Signature,
    retriever: Retriever,
    settings: MultiHopSettings = MultiHopSettings(),
    origin: Mapping[str, object] = {},
) -> Program:
    """A program of three prompts: ``note``, ``query`` and ``answer``.

    Its outputs also have the ids of the passages, the best first, and the queries. ``origin`` is
    plain JSON by which the retriever is found again; empty: the program cannot be kept.

    Raises:
        InputError: no input, or more than one, could be searched for; a field is called notes,
            note, found or queries already; there would be no search.
    """
    check_free(signature, NOTES.name, NOTE.name, "found", "queries")
    if settings.hops < 1 or settings.k < 1:
        raise InputError(
            f"expected 1 hop and 1 passage or more, got hops={settings.hops} and k={settings.k}"
        )
    query = query_field(signature, settings.query, settings.into)
    place = settings.into or PASSAGES
    asked = next(field for field in signature.inputs if field.name == query)
    noting = Signature((asked, NOTES), (NOTE,), ASK_NOTE.format(query=query))
    searching = Signature(
        (asked, NOTES), (replace(QUERY, name=free(query)),), ASK_QUERY.format(query=query)
    )
    answering = replace(signature, inputs=(*signature.inputs, NOTES))
    prompts = {
        "note": rag_prompt(noting),
        "query": Prompt.of(searching),
        "answer": rag_prompt(answering, settings.into),
    }
    built = {"flow": "multi-hop", "hops": settings.hops, "k": settings.k}
    built |= {"query": query, "into": place, "origin": dict(origin)}
    flow = hopping(retriever, hops=settings.hops, k=settings.k, query=query, into=place)
    return Program("multi-hop", signature, prompts, flow, built if origin else {})


def free(query: str) -> str:
    """The name of the output that is the next query."""
    return QUERY.name if query != QUERY.name else f"next_{QUERY.name}"


def hopping(retriever: Retriever, *, hops: int, k: int, query: str, into: str) -> Flow:
    """The flow: search, note, ask for the next query; in the end answer.

    Rows run in threads, and not every retriever may be asked by two at once, so one waits for
    another.
    """
    one_at_a_time = Lock()

    def flow(steps: Steps, values: Values) -> Values:
        asked = plain(values[query])
        queries, found, notes = [asked], list[list[Passage]](), list[str]()
        while True:
            with one_at_a_time:
                found.append(searched(retriever, queries[-1], k))
            if len(found) == hops:
                break
            notes += noted(steps, {query: asked}, new_of(found), notes)
            row: dict[str, Value] = {query: asked, NOTES.name: listed(notes)}
            following = plain(steps("query", **row)[free(query)]).strip()
            if following.casefold().strip(".") in ENDS or following in queries:
                break
            queries.append(following)
        best = interleaved(found)[:k]
        row = {**values, NOTES.name: listed(notes)}
        outputs = steps("answer", **{**row, **block(best, row, into)})
        return {**outputs, "found": [each.id for each in best], "queries": queries}

    return flow


def noted(
    steps: Steps, row: Values, passages: Sequence[Passage], notes: Sequence[str]
) -> list[str]:
    """What new passages add to the notes; no call where there are none."""
    if not passages:
        return []
    whole: dict[str, Value] = {**row, NOTES.name: listed(notes)}
    found = steps("note", **{**whole, **block(passages, whole, PASSAGES)})
    return [plain(found[NOTE.name])]


def block(passages: Sequence[Passage], row: Values, into: str) -> dict[str, Value]:
    """Passages fenced apart from all else that stands in the row."""
    beside = [plain(value) for name, value in row.items() if name != into]
    return {into: fenced(passages, beside)}


def listed(notes: Sequence[str]) -> str:
    """Notes as a value of a prompt."""
    return "\n".join(["", *(f"- {' '.join(note.split())}" for note in notes)]) or NOTHING_YET


def searched(retriever: Retriever, query: str, k: int) -> list[Passage]:
    """The passages of a query.

    Raises:
        CallError: the search failed, so the row is missing.
    """
    try:
        return retrieve(retriever, query, k)
    except FAULTS as error:
        raise CallError(f"no passages: {error or type(error).__name__}") from error


def new_of(found: Sequence[Sequence[Passage]]) -> list[Passage]:
    """The passages of the last search that no search before it had."""
    before = {passage.id for each in found[:-1] for passage in each}
    return [passage for passage in found[-1] if passage.id not in before]


def interleaved(found: Sequence[Sequence[Passage]]) -> list[Passage]:
    """The first of each search, then the second of each, and so on; each passage once."""
    order = [each for rank in zip_longest(*found) for each in rank if each is not None]
    return list({passage.id: passage for passage in order}.values())
