"""Refine: an answer that a check finds wanting is written anew, with what was found in view.

Self-Refine, Madaan et al. 2023, https://arxiv.org/abs/2303.17651; here the feedback comes from a
reward or a check in Python and not from the model itself.
"""

from dataclasses import replace

from afina.hard.fence import fence_for
from afina.hard.form import answer
from afina.hard.prompt import Prompt
from afina.hard.template import plain
from afina.program.best_of import Reward, rewarded
from afina.program.chain_of_thought import check_free
from afina.program.feedback import Feedback
from afina.program.program import Program, joined
from afina.program.steps import Steps
from afina.solver import Values
from afina.task.signature import Field, Signature, Text

DRAFT = Field("draft", Text(), "the answer so far")
REMARK = Field("remark", Text(), "what was found wanting in it")
MEND = "Mend the draft: keep what is right in it, and change what the remark finds wanting."


def refine(program: Program, reward: Reward, rounds: int = 2, *, enough: float = 1.0) -> Program:
    """The program whose answer is mended up to ``rounds`` times, until the reward is enough.

    A ``Feedback`` of the reward is the remark; a bare score is told as a number. The best answer
    stands, of equal ones the first.

    Raises:
        InputError: a field is called draft or remark already.
    """
    signature = mending(program.signature)

    def flow(steps: Steps, values: Values) -> Values:
        best = outputs = steps("run", **values)
        found = highest = rewarded(reward, values, outputs)
        for draw in range(rounds):
            if found.score >= enough:
                break
            shown = {"draft": draft(program.signature, outputs), "remark": remark(found)}
            outputs = steps.drawn(draw, None)("mend", **values, **shown)
            found = rewarded(reward, values, outputs)
            if found.score > highest.score:
                best, highest = outputs, found
        return best

    parts: dict[str, Program | Prompt] = {"run": program, "mend": Prompt.of(signature)}
    return joined(f"refined {program.name}", program.signature, parts, flow)


def mending(signature: Signature) -> Signature:
    """What is asked where an answer is to be mended."""
    check_free(signature, DRAFT.name, REMARK.name)
    instruction = "\n\n".join(filter(None, [signature.instruction, MEND]))
    return replace(signature, inputs=(*signature.inputs, DRAFT, REMARK), instruction=instruction)


def draft(signature: Signature, outputs: Values) -> str:
    """An answer between lines of backticks, apart from all else."""
    text = answer(signature, outputs)
    fence = fence_for([text])
    return f"\n{fence}\n{text}\n{fence}"


def remark(found: Feedback) -> str:
    """What was found, in words."""
    return found.text or f"it scores {plain(found.score)}"
