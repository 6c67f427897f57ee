"""Multi-chain comparison: several chains of thought are drawn, and one reading of all answers.

The idea of reading several chains at once is Yoran et al. 2023, https://arxiv.org/abs/2304.13007,
and the step is named as in DSPy (Khattab et al. 2023, https://arxiv.org/abs/2310.03714). Here
the chains stand in one input, each between lines of backticks.
"""

from collections.abc import Sequence
from dataclasses import replace

from afina.hard.fence import fence_for
from afina.hard.form import answer
from afina.hard.prompt import Prompt
from afina.program.chain_of_thought import check_free, reasoned
from afina.program.majority import check_count
from afina.program.program import Program
from afina.program.steps import Flow, Steps
from afina.solver import Values
from afina.task.signature import Field, Signature, Text

ATTEMPTS = Field("attempts", Text(), "answers that were tried, each with its reasoning")
JUDGE = (
    "Several attempts at an answer stand in the user's turn. Some may be wrong: weigh their "
    "reasoning, and give the answer that is right."
)


def multi_chain_comparison(
    signature: Signature, count: int = 3, temperature: float = 0.7
) -> Program:
    """A program that draws ``count`` chains of thought and answers with all of them in view.

    Raises:
        InputError: a field is called reasoning or attempts already, or nothing would be drawn.
    """
    check_count(count)
    whole = reasoned(signature)
    check_free(whole, ATTEMPTS.name)
    instruction = "\n\n".join(filter(None, [signature.instruction, JUDGE]))
    judging = replace(whole, inputs=(*whole.inputs, ATTEMPTS), instruction=instruction)
    prompts = {"attempt": Prompt.of(whole), "compare": Prompt.of(judging)}
    built = {"flow": "multi-chain-comparison", "count": count, "temperature": float(temperature)}
    flow = comparing(signature, count, temperature)
    return Program("multi-chain comparison", signature, prompts, flow, built)


def comparing(signature: Signature, count: int, temperature: float) -> Flow:
    """The flow: draw attempts at once, then ask with those that can be read."""
    whole = reasoned(signature)

    def flow(steps: Steps, values: Values) -> Values:
        drawn = steps.sample("attempt", values, count=count, temperature=temperature)
        return steps("compare", **values, attempts=told(whole, drawn))

    return flow


def told(signature: Signature, drawn: Sequence[Values]) -> str:
    """Attempts, numbered, each fenced."""
    texts = [answer(signature, each) for each in drawn]
    fence = fence_for(texts)
    return "".join(f"\n[{at}]\n{fence}\n{text}\n{fence}" for at, text in enumerate(texts, 1))
