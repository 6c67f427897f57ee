"""Faithfulness: how much of an answer the passages support that it was given.

The share of the answer's content words that stand in the passages, a sentence at a time in the one
passage that holds most of them: ``sum_s max_p |words(s) in p| / sum_s |words(s)|``. It follows the
K-Precision of Adlakha et al. 2023, https://arxiv.org/abs/2307.16877, which counts all tokens in all
that was given; we leave function words out, and words scattered over passages support no sentence.
An answer that stands in a passage, word for word, has 1. It asks no model and gives the same number
each time. It sees words alone: what is said of them may still be wrong.
"""

import re
import unicodedata
from collections.abc import Sequence

WORD = re.compile(r"\w+")
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
FUNCTION = frozenset(
    """a an the this that these those of in on at by for from to into with without about over under
    between through during before after and or but nor so than then as if because while when where
    which who whom whose what how why is are was were be been being am do does did has have had
    will would shall should can could may might must not it its he him his she her hers they them
    their theirs we us our ours you your yours i me my mine there here also only very""".split()
)
VERDICTS = frozenset(("yes", "no"))  # no passage says them for an answer


def faithfulness(answer: str, passages: Sequence[str]) -> float | None:
    """The supported share of an answer, from 0 to 1; None where it says nothing to be supported.

    >>> faithfulness("It was in 1835.", ["Fringe was first used in 1835."])
    1.0
    >>> faithfulness("Blue fringe, in 1835.", ["Fringe was first used in 1835.", "Blue whales."])
    0.6666666666666666
    >>> faithfulness("No.", ["Fringe was first used in 1835."]) is None
    True
    """
    known = [set(words(each)) for each in passages]
    sentences = [words(each) for each in SENTENCE.split(answer)]
    told = [each for sentence in sentences for each in sentence]
    left_out = VERDICTS if VERDICTS.union(FUNCTION).issuperset(told) else VERDICTS | FUNCTION
    supported = said = 0
    for sentence in sentences:
        content = [each for each in sentence if each not in left_out]
        said += len(content)
        supported += max((sum(each in held for each in content) for held in known), default=0)
    return supported / said if said else None


def words(text: str) -> list[str]:
    """The words of a text as they are compared, whatever their case or form of characters."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())
