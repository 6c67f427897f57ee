"""Recall at 5 of searching in hops beside one search, on HotpotQA and MuSiQue.

    python -m benchmarks.multi_hop

The queries are written by the rule of benchmarks/multi_hop_writer.py, for no language model on this
machine holds five passages. The control is the same rule kept from seeing what was found. To reach:
one search not below the floor of /work/shared/data/INDEX.md, hops above it.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from afina.evaluation.statistics import interval
from afina.lm.scripted import ScriptedLM
from afina.program.multi_hop import MultiHopSettings, multi_hop
from afina.program.running import traces_of
from afina.retrieval.indexing import Wish, index_source
from afina.retrieval.retriever import Retriever
from afina.solver import Value
from afina.task.metrics import mean_of
from afina.task.signature import Signature
from afina.training.embedding import load_embedding
from benchmarks.machine import machine
from benchmarks.multi_hop_writer import rule

DATA = Path("/work/shared/data/multihop")
TABLE = Path(__file__).with_suffix(".md")
SIGNATURE = Signature.parse("question -> answer")
DEPTH = 5
ROWS = (
    ("one search", 1, False),
    ("2 hops", 2, False),
    ("3 hops", 3, False),
    ("2 hops, blind writer", 2, True),
)
HEAD = """# Multi-hop retrieval

Recall at 5: the share of a question's gold passages among the first five, its mean over all
questions, with 95 % bootstrap intervals over questions; the difference to one search is paired. One
search is BM25 of the store for the question itself; hops search it first too. Queries of further
hops are written by a rule that reads what its prompt shows and no gold
(`benchmarks/multi_hop_writer.py`); the blind writer is the same rule kept from what was found. The
rule's two numbers were set before anything was measured and left so; with 1 to 3 passages and 2 or
4 names, 2 and 3 hops reached 86.4 to 88.9 on HotpotQA and 61.1 to 64.3 on MuSiQue. No local model
was measured: those here hold at most 512 tokens of a few letters each, less than five passages.

| data | n | how | recall at 5 | to one search | calls a question | seconds a question |
| --- | --- | --- | --- | --- | --- | --- |"""
FOOT = """
Floors of the INDEX (BM25): HotpotQA 77.8, MuSiQue 53.6. That BM25 cuts and stems words otherwise:
one search of ours is above it on HotpotQA, and 0.9 below it on MuSiQue.
"""


@dataclass(frozen=True)
class Questions:
    """Passages in the layout of BEIR, questions, and the ids of each one's passages."""

    name: str
    passages: list[dict[str, str]]
    asked: list[str]
    gold: list[set[str]]


def main() -> None:
    lines = [HEAD]
    for questions in (hotpot(), musique()):
        with tempfile.TemporaryDirectory() as folder:
            lines += rows_of(questions, index(questions, Path(folder)))
    lines += [FOOT, machine(["afina", "lancedb"])]
    text = "\n".join(lines) + "\n"
    print(text)
    TABLE.write_text(text)


def rows_of(questions: Questions, retriever: Retriever) -> Iterator[str]:
    """A line of the table for each way to search."""
    first: list[float] = []
    for how, hops, blind in ROWS:
        start = time.perf_counter()
        recalls, calls = measured(questions, retriever, hops, rule(blind))
        seconds = (time.perf_counter() - start) / len(recalls)
        first = first or recalls
        gains = [each - one for each, one in zip(recalls, first, strict=True)]
        yield (
            f"| {questions.name} | {len(recalls)} | {how} | {shown(recalls)} | "
            f"{shown(gains, '+') if hops > 1 else ''} | {calls:.1f} | {seconds:.3f} |"
        )


def measured(
    questions: Questions, retriever: Retriever, hops: int, writer: ScriptedLM
) -> tuple[list[float], float]:
    """The recall of each question, and the calls for one."""
    program = multi_hop(SIGNATURE, retriever, MultiHopSettings(hops=hops, k=DEPTH))
    traces = traces_of(program, [{"question": each} for each in questions.asked], writer)
    recalls = []
    for trace, gold in zip(traces, questions.gold, strict=True):
        assert trace.outputs is not None, trace.reason
        found = trace.outputs["found"]
        assert isinstance(found, list)
        recalls.append(len(gold & set(map(str, found))) / len(gold))
    return recalls, writer.calls / len(recalls)


def own(score: Value, wanted: Value) -> float:
    """A score as its own metric."""
    assert isinstance(score, float)
    return score


def shown(scores: Sequence[float], sign: str = "") -> str:
    """A mean in percent with its interval."""
    low, high = (100 * each for each in interval(mean_of(own), list(scores), list(scores)))
    return f"{100 * fmean(scores):{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def index(questions: Questions, folder: Path) -> Retriever:
    """A lexical index of the passages."""
    source = folder / "passages.jsonl"
    source.write_text("".join(json.dumps(each) + "\n" for each in questions.passages))
    made = index_source(source, folder / "index", Wish(model=""), load_embedding, usual="")
    return made.index.retriever("lexical")


def hotpot() -> Questions:
    """Questions over two pages of Wikipedia."""
    rows = jsonl("hotpotqa_100.jsonl")
    passages = [
        {"_id": each["_id"], "title": each["title"], "text": "".join(each["sentences"])}
        for each in jsonl("hotpotqa_corpus.jsonl")
    ]
    gold = [{title for title, _ in each["supporting_facts"]} for each in rows]
    return Questions("HotpotQA", passages, [each["question"] for each in rows], gold)


def musique() -> Questions:
    """Questions put together of two to four."""
    rows = jsonl("musique_100.jsonl")
    passages = [
        {name: each[name] for name in ("_id", "title", "text")}
        for each in jsonl("musique_corpus.jsonl")
    ]
    gold = [set(each["gold_ids"]) for each in rows]
    return Questions("MuSiQue", passages, [each["question"] for each in rows], gold)


def jsonl(name: str) -> list[dict[str, str]]:
    """The rows of a file."""
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


if __name__ == "__main__":
    main()
