"""A retriever: any function from a query and a number to passages; some take many queries."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from afina.errors import InputError
from afina.retrieval.passage import Passage

Retriever = Callable[[str, int], Sequence[Passage]]


@runtime_checkable
class Together(Protocol):
    """A retriever that searches for many queries at once, for less than one by one."""

    def __call__(self, query: str, k: int, /) -> Sequence[Passage]: ...

    def together(self, queries: Sequence[str], k: int) -> Sequence[Sequence[Passage]]: ...


class LangChainDocument(Protocol):
    """What a retriever of LangChain's gives."""

    @property
    def page_content(self) -> str: ...

    @property
    def metadata(self) -> Mapping[str, Any]: ...  # whatever its author put there


class LangChainRetriever(Protocol):
    """What LangChain calls a retriever."""

    def invoke(self, input: str) -> Sequence[LangChainDocument]: ...  # noqa: A002  its name


def retrieve(retriever: Retriever, query: str, k: int) -> list[Passage]:
    """The k best passages of any retriever; it may give fewer.

    Raises:
        InputError: it gave something else.
    """
    return checked(retriever(query, k), k)


def retrieve_all(retriever: Together, queries: Sequence[str], k: int) -> list[list[Passage]]:
    """The k best passages for each query of a retriever that takes many at once.

    Raises:
        InputError: it gave something else.
    """
    found = [checked(passages, k) for passages in retriever.together(queries, k)]
    if len(found) != len(queries):
        raise InputError(
            f"expected passages for each of {len(queries)} queries, got {len(found)} lists of them;"
            " give an empty list where there are none"
        )
    return found


def checked(passages: Sequence[Passage], k: int) -> list[Passage]:
    """The first k passages; raises InputError where they are none."""
    found = list(passages)
    for each in found:
        if not isinstance(each, Passage):
            raise InputError(
                f"expected passages of the retriever, got {type(each).__name__}; make them "
                "afina.retrieval.passage.Passage, or wrap a LangChain retriever in from_langchain"
            )
    return found[:k]


def from_langchain(retriever: LangChainRetriever) -> Retriever:
    """A LangChain retriever as one of ours; how many it looks for is its own setting.

    It gives no scores, so the first has 1, the second 1/2, the third 1/3.
    """

    def retrieve_documents(query: str, k: int) -> list[Passage]:
        found = list(retriever.invoke(query))[:k]
        return [passage_of(each, 1 / rank) for rank, each in enumerate(found, start=1)]

    return retrieve_documents


def passage_of(document: LangChainDocument, score: float) -> Passage:
    """A LangChain document as a passage; one without an id gets its text's digest as one."""
    facts = document.metadata
    text = document.page_content
    name = (
        getattr(document, "id", None)
        or facts.get("id")
        or hashlib.sha256(text.encode()).hexdigest()
    )
    title, source = (str(facts.get(key) or "") for key in ("title", "source"))
    return Passage(str(name), text, title, source, score)
