"""A language model whose labels are calibrated: each one's probability by what it has for nothing.

Zhao et al. 2021, "Calibrate before use", https://arxiv.org/abs/2102.09690.
"""

from collections.abc import Mapping
from dataclasses import replace

from afina.lm.lm import LM
from afina.lm.reply import Reply
from afina.lm.request import Message, Request
from afina.program.counted import Counted, Purse

EMPTY = "N/A"  # a text without content


class Calibrated:
    """Divides a label's probability by that behind the same turns for a row that says nothing.

    That row is asked once for each beginning, and not counted. What is written is left as it is.
    Equal requests get one reply, as from a journal: quotients that are nearly equal would else
    change places with the rows that a batch is made of.
    """

    def __init__(self, lm: LM) -> None:
        self.lm = lm
        self.known = Counted(lm, Purse(10**9))
        self.identity: Mapping[str, str] = {**lm.identity, "calibrated": EMPTY}

    def most(self, request: Request) -> Reply:
        """The most that a request can take."""
        return self.lm.most(request)

    async def answer(self, request: Request) -> Reply:
        """The label with the largest quotient.

        Raises:
            CallError: the model has no answer.
        """
        reply = await self.known.answer(request)
        if not request.labels:
            return reply
        nothing = await self.known.answer(saying_nothing(request))
        quotients = {label: reply.scores[label] / nothing.scores[label] for label in reply.scores}
        whole = sum(quotients.values())
        scores = {label: each / whole for label, each in quotients.items()}
        return replace(reply, text=max(scores, key=scores.__getitem__), scores=scores)

    async def close(self) -> None:
        """Give back what the model holds."""
        await self.lm.close()


def saying_nothing(request: Request) -> Request:
    """The request with an empty row: the last turn's first and last line, without its text."""
    *before, last = request.messages
    name, end = last.content.partition(":")[0], last.content.rpartition("\n")[2]
    return replace(request, messages=(*before, Message("user", f"{name}: {EMPTY}\n{end}")))
