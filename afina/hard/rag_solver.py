"""A prompt with retrieved passages on a language model: a search for all rows, a call for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from afina.errors import ArtefactError, CallError, InputError
from afina.evaluation.measures import MEASURES
from afina.hard.citations import Cited, citing, read_citations
from afina.hard.faithfulness import faithfulness
from afina.hard.fence import fenced
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver, unpack_prompt
from afina.hard.selection import Load
from afina.hard.template import plain
from afina.lm.lm import LM, ask
from afina.lm.reply import Missing, Reply
from afina.retrieval.passage import Passage
from afina.retrieval.retriever import Retriever, Together, retrieve, retrieve_all
from afina.solver import Packed, Prediction, Value, Values
from afina.task.signature import Integer, Number, Signature, Spans, Text

Find = Callable[[Mapping[str, object]], Retriever]  # a retriever by its origin

BATCH = 500  # queries that are searched together
# What a retriever raises where it finds nothing for reasons of its own; anything else is a bug.
FAULTS = (InputError, CallError, ArtefactError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Search:
    """Where a row's passages come from, and where they go in the prompt.

    ``origin`` is plain JSON by which the retriever is found again; empty: it cannot be kept.
    """

    retriever: Retriever
    query: str  # the input that is searched for
    into: str  # the prompt's field that takes the passages
    k: int = 5
    origin: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"expected 1 passage or more, got k={self.k}")

    def asked(self, row: Values) -> str:
        """What is searched for; raises InputError where the row lacks it."""
        if self.query not in row:
            raise InputError(f"expected the input {self.query!r}, came {', '.join(row) or 'none'}")
        return plain(row[self.query])


@dataclass(frozen=True)
class Found:
    """A row with its passages in their place."""

    passages: tuple[Passage, ...]
    row: Values


@dataclass(frozen=True)
class RagSolver:
    """Searches and asks for each row; a search that failed is missing, with its reason.

    ``asking`` is the prompt on its language model, with a field for the passages. The evidence has
    the passages, those cited, and measures of the answer.
    """

    asking: PromptSolver
    search: Search

    @property
    def parameters(self) -> int:
        return 0

    @property
    def without_retrieval(self) -> PromptSolver:
        """The same task put to the same model without passages; an extract is then any text."""
        signature = self.asking.prompt.signature
        inputs = tuple(each for each in signature.inputs if each.name != self.search.into)
        outputs = tuple(
            replace(each, type=Text()) if each.type == Spans(()) else each
            for each in signature.outputs
        )
        return replace(
            self.asking, prompt=Prompt.of(replace(signature, inputs=inputs, outputs=outputs))
        )

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row.

        Raises:
            BudgetError: the budget is spent.
        """
        found = self.look_up(inputs)
        worded = self.asking.prompt.in_words(self.asking.words)
        requests = [
            self.asking.request(worded, each.row) for each in found if isinstance(each, Found)
        ]
        replies = iter(ask(self.asking.lm, requests, self.asking.settings.concurrency))
        return [
            each if isinstance(each, Prediction) else self.prediction(worded, each, next(replies))
            for each in found
        ]

    def look_up(self, rows: Sequence[Values]) -> list[Found | Prediction]:
        """Rows with their passages, or why there are none; many queries are one search.

        Raises:
            InputError: a row lacks what is searched for.
            BudgetError: the budget is spent.
        """
        pairs = [(row, self.search.asked(row)) for row in rows]
        if not isinstance(self.search.retriever, Together):
            return [self.searched(row, query) for row, query in pairs]
        starts = range(0, len(pairs), BATCH)
        return [each for start in starts for each in self.batch(pairs[start : start + BATCH])]

    def batch(self, pairs: Sequence[tuple[Values, str]]) -> list[Found | Prediction]:
        """Rows with the passages that are found for their queries at once."""
        assert isinstance(self.search.retriever, Together)
        queries = [query for _, query in pairs]
        try:
            found = retrieve_all(self.search.retriever, queries, self.search.k)
        except FAULTS as error:
            return [nothing(error) for _ in pairs]
        return [self.shown(row, each) for (row, _), each in zip(pairs, found, strict=True)]

    def searched(self, row: Values, query: str) -> Found | Prediction:
        """A row with the passages that one search finds for it."""
        try:
            passages = retrieve(self.search.retriever, query, self.search.k)
        except FAULTS as error:
            return nothing(error)
        return self.shown(row, passages)

    def shown(self, row: Values, passages: Sequence[Passage]) -> Found | Prediction:
        """A row with its passages fenced apart from all else."""
        beside = [plain(value) for name, value in row.items() if name != self.search.into]
        try:
            block = fenced(passages, beside)
        except FAULTS as error:
            return nothing(error)
        return Found(tuple(passages), {**row, self.search.into: block})

    def prediction(self, worded: Prompt, found: Found, reply: Reply | Missing) -> Prediction:
        """What a reply says, what it cites, and how much of it the passages support."""
        shown = [told(at, each) for at, each in enumerate(found.passages, start=1)]
        if isinstance(reply, Missing):
            given = self.asking.prediction(worded, found.row, reply)
            return replace(given, evidence={"passages": shown})
        if not citing(worded.signature):
            given = self.asking.prediction(worded, found.row, reply)
            return replace(given, evidence={**given.evidence, "passages": shown})
        cited = read_citations(reply.text, len(shown))
        given = self.asking.prediction(worded, found.row, replace(reply, text=cited.text))
        evidence = {**given.evidence, "text": reply.text, "passages": shown, **cited_in(cited)}
        if given.outputs is not None:
            answer = given.outputs[worded.signature.target.name]
            evidence[MEASURES] = measured(worded.signature, answer, found.passages, cited)
        return replace(given, evidence=evidence)

    def pack(self) -> Packed:
        """The prompt as plain JSON, and where its passages come from.

        Raises:
            InputError: the retriever is a function that cannot be found again.
        """
        if not self.search.origin:
            raise InputError(
                "expected passages of an index, which can be opened again, got a function; make an "
                "index with: afina index SOURCE --into INDEX"
            )
        settings = {name: getattr(self.search, name) for name in ("query", "into", "k")}
        search = {**settings, "origin": dict(self.search.origin)}
        return Packed("rag", {**self.asking.pack().settings, "search": search})


def nothing(error: Exception) -> Prediction:
    """What is missing for want of passages."""
    return Prediction(None, reason=f"no passages: {error or type(error).__name__}")


def told(number: int, passage: Passage) -> dict[str, object]:
    """A passage as evidence: what leads to it, without its text."""
    return {
        "number": number,
        "id": passage.id,
        "title": passage.title,
        "source": passage.source,
        "score": passage.score,
    }


def cited_in(cited: Cited) -> dict[str, object]:
    """Citations as evidence; those of passages that were not shown only where there are some."""
    unknown = {"cited_but_not_shown": list(cited.unknown)} if cited.unknown else {}
    return {"cited": list(cited.shown), **unknown}


def measured(
    signature: Signature, answer: Value, passages: Sequence[Passage], cited: Cited
) -> dict[str, float]:
    """Faithfulness to all passages, whether any is cited, and faithfulness to those cited."""
    found = {"cites": float(bool(cited.shown))}
    kind = signature.target.type
    if kind not in (Text(), Integer(), Number(), Spans(())):
        return found
    texts = [f"{each.title}\n{each.text}" for each in passages]
    supports = {
        "faithfulness": faithfulness(plain(answer), texts),
        "faithfulness to citations": faithfulness(
            plain(answer), [texts[each - 1] for each in cited.shown]
        )
        if cited.shown
        else None,
    }
    return found | {name: each for name, each in supports.items() if each is not None}


def unpack_rag(packed: Packed, lm: LM, find: Find, load: Load) -> RagSolver:
    """The solver that was packed, on the language model of its name and what it searched.

    Raises:
        MismatchError: the model on this machine has other weights.
        ArtefactError: a field is missing or garbled.
    """
    match packed.settings.get("search"):
        case {"query": str(query), "into": str(into), "k": int(k), "origin": dict(origin)}:
            asking = unpack_prompt(packed, lm, load)
            return RagSolver(asking, Search(find(origin), query, into, k, origin))
    raise ArtefactError("expected a bundle with a search, came another shape; tune it anew")
