"""Commands over documents: index them, and search the index."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afina.commands.arguments import HOME, Home, Json, Spend
from afina.commands.home import models_at
from afina.commands.printing import command_line, show
from afina.errors import InputError

if TYPE_CHECKING:
    from afina.retrieval.embedding import Embedding


def index_documents(
    source: Annotated[
        Path, typer.Argument(help="A folder, a document, or JSONL with _id, title and text.")
    ],
    into: Annotated[Path, typer.Option("--into", help="The folder of the index.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Makes the vectors: builtin:minilm if left out, or openai:NAME."
        ),
    ] = None,
    lexical_only: Annotated[bool, typer.Option("--lexical-only", help="No vectors.")] = False,
    language: Annotated[
        str | None, typer.Option("--language", help="Of the texts: english, portuguese, … or any.")
    ] = None,
    words: Annotated[int, typer.Option("--words", help="The most words of a passage.")] = 200,
    overlap: Annotated[int, typer.Option("--overlap", help="Words passages share.")] = 40,
    remove: Annotated[bool, typer.Option("--remove", help="Drop the source's documents.")] = False,
    budget: Spend = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Make passages of documents searchable; again, to take over what changed in them."""
    from afina.passage_table import index_json, index_text, passages_written
    from afina.retrieval.needed import need_rag

    need_rag()
    from afina.console import stoppable
    from afina.methods import READER
    from afina.retrieval.indexing import index_source, remove_from, wish_of

    load = embeddings(home, into, budget)
    wish = wish_of(model, language, words, overlap, lexical_only=lexical_only)
    with stoppable(command_line), passages_written() as written:
        if remove:
            done = remove_from(into, source)
        else:
            done = index_source(source, into, wish, load, usual=READER, show=written)
    show(index_json(done) if as_json else index_text(done))


def search(
    index: Annotated[Path, typer.Argument(help="The folder of an index.")],
    query: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many passages.")] = 5,
    mode: Annotated[
        str | None, typer.Option("--mode", help="lexical, dense or hybrid; the best if left out.")
    ] = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="JSONL with _id and text; ids out, as JSON.")
    ] = None,
    home: Home = HOME,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Find the passages of an index that fit a query best."""
    from afina.retrieval.needed import need_rag

    need_rag()
    from afina.passage_table import passage_json, passage_table
    from afina.retrieval.indexing import answers, to_search
    from afina.retrieval.query_file import read_queries

    if (query is None) == (queries is None):
        raise InputError("expected a query or --queries FILE, got both or neither; give one")
    many = read_queries(queries) if queries else []
    found = to_search(index, mode, embeddings(home, index))
    for line in answers(found, many, k, mode=mode):
        show(line)
    if query is not None:
        passages = found.search(query, k, mode=mode)
        if not as_json:
            show(passage_table(passages))
        for each in passages if as_json else ():
            show(passage_json(each))


def embeddings(home: Path, folder: Path, budget: str | None = None) -> "Callable[[str], Embedding]":
    """Models of vectors for an index: local ones, or an endpoint's through the home's journal."""
    models = models_at(home, budget)
    return lambda name: models.embedding(name, str(folder.absolute()))
