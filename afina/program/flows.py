"""Flows of ours by their names: the plain JSON that a bundle keeps, as a function again."""

from collections.abc import Callable, Mapping

from afina.errors import ArtefactError
from afina.program.comparison import comparing
from afina.program.multi_hop import hopping
from afina.program.predict import once
from afina.program.steps import Flow
from afina.retrieval.retriever import Retriever
from afina.task.signature import Signature

Find = Callable[[Mapping[str, object]], Retriever]  # by what was kept of it


def flow_of(built: Mapping[str, object], signature: Signature, find: Find) -> Flow:
    """The flow that was kept.

    Raises:
        ArtefactError: it is of no kind that this version knows, or garbled.
    """
    match dict(built):
        case {"flow": "predict"}:
            return once
        case {"flow": "multi-chain-comparison", "count": int(count), "temperature": float(heat)}:
            return comparing(signature, count, heat)
        case {
            "flow": "multi-hop",
            "hops": int(hops),
            "k": int(k),
            "query": str(query),
            "into": str(into),
            "origin": dict(origin),
        }:
            return hopping(find(origin), hops=hops, k=k, query=query, into=into)
    raise ArtefactError(
        f"expected a program with a flow of Afina's, came {dict(built)!r}; update afina, or give "
        "the flow to Program.from_json"
    )
