"""A program on a language model as a solver: each answer has its trace as evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from afina.errors import ArtefactError, InputError, MismatchError
from afina.hard.prompt import Prompt
from afina.hard.prompt_solver import CallSettings
from afina.lm.lm import LM
from afina.program.flows import Find, flow_of
from afina.program.program import Program
from afina.program.running import traces_of
from afina.program.trace import Trace
from afina.solver import Packed, Prediction, Values
from afina.task.signature import Signature


@dataclass(frozen=True)
class ProgramSolver:
    """Runs a program for each row; ``words`` and ``model`` are as a prompt's solver has them."""

    program: Program
    lm: LM
    model: str
    words: Mapping[str, str] = field(default_factory=dict)
    settings: CallSettings = field(default_factory=CallSettings)

    @property
    def parameters(self) -> int:
        return 0

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row.

        Raises:
            BudgetError: the budget is spent.
            InputError: a row lacks an input, or the flow asks or returns what is not there.
        """
        traces = traces_of(self.program, inputs, self.lm, self.settings, words=self.words)
        return [prediction(trace, self.program.signature) for trace in traces]

    def pack(self) -> Packed:
        """Prompts and the flow's name and settings as plain JSON.

        Raises:
            InputError: the flow is its author's function, which cannot be found again.
        """
        if not self.program.built:
            raise InputError(
                f"expected a program with a flow of Afina's, which can be made again, got "
                f"{self.program.name!r} with one of its own; keep its prompts with to_json, and "
                "give the flow to Program.from_json"
            )
        return Packed(
            "program",
            {
                "model": self.model,
                "identity": dict(self.lm.identity),
                "program": self.program.to_json(),
                "words": dict(self.words),
                "calls": vars(self.settings),
            },
        )


def prediction(trace: Trace, signature: Signature) -> Prediction:
    """A trace as an answer of the whole program."""
    evidence: dict[str, object] = {"trace": trace.to_json()}
    if trace.turns and all(turn.replayed for turn in trace.turns):
        evidence["replayed"] = True
    if trace.outputs is None:
        return Prediction(None, evidence, trace.usage, trace.seconds, trace.reason)
    outputs = {field.name: trace.outputs[field.name] for field in signature.outputs}
    return Prediction(outputs, evidence, trace.usage, trace.seconds)


def unpack_program(packed: Packed, lm: LM, find: Find) -> ProgramSolver:
    """The solver that was packed, on the language model of its name; ``find`` gives retrievers.

    Raises:
        MismatchError: the model on this machine has other weights.
        ArtefactError: a field is missing or garbled, or the flow is none of Afina's.
    """
    match packed.settings:
        case {
            "model": str(model),
            "identity": dict(identity),
            "program": {"built": dict(built), "signature": whole} as program,
            "words": dict(words),
            "calls": dict(calls),
        }:
            if identity.get("digest") != lm.identity.get("digest"):
                raise MismatchError(
                    f"the program was measured on {model!r}, but the weights of that name are "
                    "others; load the model it was measured on"
                )
            try:
                settings = TypeAdapter(CallSettings).validate_python(calls)
            except ValidationError as error:
                raise ArtefactError(f"the bundle's settings are garbled: {error}") from error
            flow = flow_of(built, Prompt.from_json(whole).signature, find)
            return ProgramSolver(Program.from_json(program, flow), lm, model, words, settings)
    raise ArtefactError("expected a bundle with a program, came another shape; tune it anew")
