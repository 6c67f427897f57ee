"""Answers from passages of rag_wiki: with and without retrieval, how faithful, how often cited.

    python -m benchmarks rag                         the table, benchmarks/rag.md
    python -m benchmarks.rag --quick                 a few questions, to see that it works

Test questions, drawn by a seed, over the 1,581 passages. `the sentence` is a rule and no language
model; `tiny-decoder` is ours of 2.8 million weights, `stories260k` the decoder of 0.26 million
in /work/shared/data. No larger decoder is at hand, so what is measured here is the path
(retrieval, prompt, citations, measures), not what a good reader would make of it.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.evaluation.measures import measures
from afina.evaluation.report import Report
from afina.evaluation.without import beside, bought
from afina.hard.faithfulness import FUNCTION, words
from afina.hard.prompt_solver import CallSettings, PromptSolver
from afina.hard.rag import rag_prompt
from afina.hard.rag_solver import RagSolver, Search
from afina.lm.lm import LM
from afina.lm.request import Request
from afina.lm.scripted import ScriptedLM
from afina.models import load_embedding, load_lm
from afina.retrieval.cut import SENTENCE, Cutting, cut
from afina.retrieval.index import Index
from afina.retrieval.indexing import Wish, index_source
from afina.task.example import Example
from afina.task.metrics import METRICS, normalised, text_of, texts_of
from afina.task.signature import Signature
from benchmarks.machine import machine
from benchmarks.retrieval_corpora import DATA, jsonl

TABLE = Path(__file__).with_suffix(".md")
MODEL = "builtin:minilm"
STORIES = DATA / "model_stories260k" / "hf"
SIGNATURE = Signature.parse("question -> answer", "Answer the question in a few words.")
METRIC = METRICS["squad-f1"]
BLOCK = re.compile(r"^\[(\d+)\]\n(`{3,})\n(.*?)\n\2$", re.MULTILINE | re.DOTALL)
HEAD = re.compile(r"\A(?:title: .*\n)?(?:source: .*\n)?")
WORDS = Cutting(30, 8)  # of a passage that the decoders have places for
NOTE = (
    "`the sentence` is a rule, no language model: of the sentences of all passages that it is "
    "shown it says the one that shares most words with the question, and cites its passage; "
    "so it is all faithful by its making, and without passages it says `unknown`. "
    "`tiny-decoder` is ours of 2.8 million weights, which has answered questions about made-up "
    "facts of a few words; `stories260k` has 0.26 million and has learned children's stories; "
    "both are shown one passage of at most 30 words, as they have 512 places. SQuAD's F1 against "
    "the accepted answers; `holds` is the share of answers that hold one of them. Intervals "
    "are of 95 %, that of the difference is paired. No larger decoder is at hand: this "
    "measures the path, not what a good reader makes of it."
)


@dataclass(frozen=True)
class Setting:
    """Who reads what."""

    reader: str
    lm: LM
    index: Index
    mode: str
    k: int


def main(arguments: Sequence[str]) -> None:
    count = 3 if "--quick" in arguments else 100
    rows = Random(0).sample(jsonl(DATA / "rag_wiki" / "queries_test.jsonl"), count)
    examples = [
        Example.of({"question": row["text"]}, {"answer": list(row["answers"])}) for row in rows
    ]
    lines = ["# Answers from passages", "", NOTE, "", *table(examples)]
    lines += ["", machine(["afina", "lancedb", "torch", "transformers"])]
    print("\n".join(lines))
    if "--quick" not in arguments:
        TABLE.write_text("\n".join(lines) + "\n")


def table(examples: Sequence[Example]) -> Iterator[str]:
    """A line a setting."""
    yield (
        "| reader | passages | squad-f1 | without retrieval | difference | holds | faithfulness "
        "| cites | missing | s |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        for setting in settings(Path(folder)):
            yield line(setting, examples)


def settings(folder: Path) -> Iterator[Setting]:
    """The rule in every mode, and the decoder."""
    corpus = jsonl(DATA / "rag_wiki" / "corpus.jsonl")
    whole = indexed(folder / "whole", corpus, MODEL)
    rule = ScriptedLM(likest_sentence, name="the sentence")
    for mode in ("lexical", "dense", "hybrid"):
        yield Setting("the sentence", rule, whole, mode, 5)
    yield Setting("the sentence", rule, whole, "hybrid", 1)
    short = indexed(folder / "short", pieces(corpus), "")
    for name, lm in (("tiny-decoder", "builtin:tiny-decoder"), ("stories260k", str(STORIES))):
        yield Setting(name, load_lm(lm), short, "lexical", 1)


def pieces(corpus: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Passages cut into short ones."""
    return [
        {**row, "_id": f"{row['_id']}.{number}", "text": row["text"][start:end]}
        for row in corpus
        for number, (start, end) in enumerate(cut(row["text"], WORDS))
    ]


def indexed(folder: Path, corpus: Sequence[dict[str, str]], model: str) -> Index:
    path = folder.with_suffix(".jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in corpus))
    return index_source(path, folder, Wish(), load_embedding, usual=model).index


def likest_sentence(request: Request) -> str:
    """The sentence of the passages that shares most words with the question, with its number."""
    asked = request.messages[-1].content
    question = set(words(asked.rpartition("question: ")[2])) - FUNCTION
    found = [
        (len(question & set(words(sentence))), -len(sentence), f"{sentence.strip()} [{block[1]}]")
        for block in BLOCK.finditer(asked)
        for sentence in SENTENCE.split(HEAD.sub("", block[3]))
    ]
    return max(found)[2] if found else "unknown"


def line(setting: Setting, examples: Sequence[Example]) -> str:
    """What a reader makes of the passages, beside the same without them."""
    calls = CallSettings(max_tokens=1000 if setting.reader == "the sentence" else 24)
    asking = PromptSolver(rag_prompt(SIGNATURE), setting.lm, setting.reader, settings=calls)
    retriever = setting.index.retriever(setting.mode)
    solver = RagSolver(asking, Search(retriever, "question", "passages", setting.k))
    began = time.perf_counter()
    report, bare = scored(solver, examples), scored(solver.without_retrieval, examples)
    seconds = time.perf_counter() - began
    gain = bought(report, beside(bare))
    known = {each.name: f"{each.mean:.3f}" for each in measures(report.rows)}
    cells = [
        setting.reader,
        f"{setting.k}, {setting.mode}",
        told(report),
        told(bare),
        "–"
        if gain.difference is None
        else f"{gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
        f"{holding(report):.2f}",
        known.get("faithfulness", "–"),
        known.get("cites", "–"),
        f"{report.missing} of {report.n}",
        f"{seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def scored(solver: RagSolver | PromptSolver, examples: Sequence[Example]) -> Report:
    without_latency = EvaluationSettings(latency_sample=0)
    return evaluate(solver, examples, METRIC, field="answer", settings=without_latency)


def told(report: Report) -> str:
    if report.score is None:
        return "none"
    return f"{report.score:.3f} [{report.low:.3f}, {report.high:.3f}]"


def holding(report: Report) -> float:
    """The share of answers in which an accepted one stands."""
    hits = [
        any(normalised(text) in normalised(text_of(got)) for text in texts_of(row.wanted))
        for row, got in zip(report.rows, report.answers, strict=True)
        if got is not None
    ]
    return sum(hits) / len(hits) if hits else 0.0


if __name__ == "__main__":
    main(sys.argv[1:])
