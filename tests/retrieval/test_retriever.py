"""Any callable retrieves, and a LangChain retriever by an adapter."""

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from afina.errors import InputError
from afina.retrieval.passage import Passage
from afina.retrieval.retriever import from_langchain, retrieve


class Fixed(BaseRetriever):
    """Gives its documents to any query."""

    found: list[Document]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.found


def test_any_function_retrieves_at_most_as_many_as_wanted() -> None:
    passages = [Passage(str(at), "text") for at in range(5)]
    assert retrieve(lambda query, k: passages, "x", 2) == passages[:2]
    assert retrieve(lambda query, k: tuple(passages[:k]), "x", 9) == passages


def test_what_is_no_passage_is_refused() -> None:
    with pytest.raises(InputError, match="expected passages of the retriever, got str"):
        retrieve(lambda query, k: ["text"], "x", 2)  # type: ignore[list-item]


def test_documents_of_langchain_become_passages() -> None:
    found = [
        Document("one", id="a", metadata={"title": "T", "source": "s.pdf"}),
        Document("two", metadata={"id": 7}),
        Document("three"),
        Document("three"),
        Document("four"),
    ]
    passages = from_langchain(Fixed(found=found))("query", 4)
    assert passages[:2] == [Passage("a", "one", "T", "s.pdf", 1.0), Passage("7", "two", score=0.5)]
    assert passages[2].id == passages[3].id
    assert len(passages[2].id) == 64
    assert [each.score for each in passages] == [1, 1 / 2, 1 / 3, 1 / 4]
