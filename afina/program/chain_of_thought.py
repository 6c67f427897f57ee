"""A chain of thought: the model reasons in words before it answers.

Wei et al. 2022, https://arxiv.org/abs/2201.11903, and Kojima et al. 2022,
https://arxiv.org/abs/2205.11916; here the reasoning is an output of its own in front of the others,
so that it is asked for by name and examples may show it.
"""

from dataclasses import replace

from afina.errors import InputError
from afina.hard.prompt import Prompt
from afina.program.predict import ONCE, once
from afina.program.program import Program
from afina.task.signature import Field, Signature, Text

REASONING = Field("reasoning", Text(), "the steps that lead to the answer")


def chain_of_thought(signature: Signature) -> Program:
    """A program that asks for the reasoning, then for the signature's outputs.

    >>> program = chain_of_thought(Signature.parse("question -> answer: int"))
    >>> str(program.prompts["answer"].signature)
    'question -> reasoning, answer: int'

    Raises:
        InputError: a field is called reasoning already.
    """
    prompt = Prompt.of(reasoned(signature))
    return Program("chain of thought", signature, {"answer": prompt}, once, ONCE)


def reasoned(signature: Signature) -> Signature:
    """The signature with its reasoning as the first output; raises InputError if it has one."""
    check_free(signature, REASONING.name)
    return replace(signature, outputs=(REASONING, *signature.outputs))


def check_free(signature: Signature, *names: str) -> None:
    """Refuse a signature that has a field of a name that a step adds; raises InputError."""
    for field in (*signature.inputs, *signature.outputs):
        if field.name in names:
            raise InputError(
                f"expected a signature without a field {field.name!r}, which this step adds, got "
                f"{signature}; rename it"
            )
