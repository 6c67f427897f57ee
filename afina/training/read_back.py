"""Reading back: a soft prompt as an instruction in words, scored as any other is.

The candidates are the words nearest to its vectors (Lester, Al-Rfou and Constant 2021, section 7,
https://arxiv.org/abs/2104.08691) and what a language model writes that is shown these words, and
rows with the answers given under the soft prompt. The best on dev is kept, the shorter of equals.
Words that are near need not mean what the prompt does (Khashabi et al. 2022,
https://arxiv.org/abs/2112.08348), which is why they are scored.
"""

from dataclasses import dataclass, replace

from afina.errors import InputError
from afina.evaluation.evaluate import EvaluationSettings, evaluate
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import PromptSolver
from afina.hard.template import plain
from afina.lm.lm import LM, ask
from afina.lm.reply import Reply
from afina.soft.portrait import portrait
from afina.soft.soft_solver import SoftSolver
from afina.task.signature import Signature
from afina.task.task import Task

DRAFTING = Signature.parse(
    "words, answers -> instruction",
    "A model was trained to answer, and now its behaviour is to be put into words. You are given "
    "words that lie near to what it was trained to, which may say nothing, and rows with the "
    "answers it gave. Write the instruction that would make somebody answer in this way.",
)
NO_WORDS = "(none)"
WARMTH = 0.7  # temperature at which drafts after the first are drawn


@dataclass(frozen=True)
class ReadBackSettings:
    """Which soft prompt is read back, and how often an instruction is drafted."""

    start: str = ""  # the folder of a run with a soft prompt
    drafts: int = 4  # instructions that the language model writes
    rows: int = 8  # rows of train, with the soft prompt's answers, that it is shown
    tokens: int = 128  # an instruction may take


@dataclass(frozen=True)
class Candidate:
    """An instruction, where it comes from, and its score on dev; None where no row has one."""

    origin: str  # nearest words | draft
    text: str
    score: float | None


def read_back(
    task: Task, solver: SoftSolver, lm: LM, settings: ReadBackSettings, *, model: str
) -> tuple[PromptSolver, tuple[Candidate, ...]]:
    """The written prompt that says best what a soft one does, and all that were tried.

    Raises:
        InputError: there is no soft prompt, or no candidate could be scored.
        BudgetError: the budget is spent.
    """
    words = nearest_words(solver)
    texts = [("nearest words", words)] if words else []
    shown = answered_rows(task, solver, settings.rows)
    texts += [("draft", text) for text in drafts(lm, words, shown, settings)]
    tried = [
        Candidate(origin, text, score_of(instructed(task, text, lm, model), task))
        for text, origin in {text: origin for origin, text in texts}.items()
    ]
    scored = [each for each in tried if each.score is not None]
    if not scored:
        raise InputError(
            f"expected an instruction that gets answers, got none of {len(tried)}; ask a model "
            "that follows instructions"
        )
    best = max(scored, key=lambda each: (each.score or 0.0, -len(each.text)))
    return instructed(task, best.text, lm, model), tuple(tried)


def nearest_words(solver: SoftSolver) -> str:
    """The word nearest to each of a soft prompt's vectors, in order; none for keys and values.

    Raises:
        InputError: there is no soft prompt.
    """
    if solver.prompt is None:
        raise InputError("expected a run with a soft prompt to read back; this one has none")
    places = portrait(solver.prompt, solver.backbone.frozen).places
    near = [place.near[0].word.strip() for place in places if place.near]
    return " ".join(word for word in near if word)


def answered_rows(task: Task, solver: SoftSolver, count: int) -> str:
    """Rows of train as lines, with the answers given under the soft prompt."""
    rows = [each.inputs for each in task.train[:count]]
    name = task.signature.target.name
    blocks = []
    for row, prediction in zip(rows, solver(rows), strict=True):
        assert prediction.outputs is not None, "a local model answers every row"
        lines = [f"{field.name}: {plain(row[field.name])}" for field in task.signature.inputs]
        blocks.append("\n".join([*lines, f"{name}: {plain(prediction.outputs[name])}"]))
    return "\n\n".join(blocks)


def drafts(lm: LM, words: str, answers: str, settings: ReadBackSettings) -> list[str]:
    """Instructions that the language model writes; replies that fail or are empty are left out."""
    prompt = Prompt.of(DRAFTING)
    asking = PromptSolver(prompt, lm, "")
    request = asking.request(prompt, {"words": words or NO_WORDS, "answers": answers})
    requests = [
        replace(
            request, repeat=number, temperature=0.7 if number else 0.0, max_tokens=settings.tokens
        )
        for number in range(settings.drafts)
    ]
    texts = [each.text.strip() for each in ask(lm, requests) if isinstance(each, Reply)]
    return [text for text in texts if text]


def instructed(task: Task, text: str, lm: LM, model: str) -> PromptSolver:
    """The task's prompt with another instruction."""
    signature = replace(task.signature, instruction=text)
    return PromptSolver(Prompt.of(signature), lm, model, task.words)


def score_of(solver: PromptSolver, task: Task) -> float | None:
    """The task's metric on dev."""
    settings = EvaluationSettings(latency_sample=0)
    name = task.signature.target.name
    return evaluate(solver, task.dev, task.metric, field=name, settings=settings).score
