"""A prompt on a language model as a solver: one call a row, read without a second one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from afina.errors import ArtefactError, CallError, MismatchError
from afina.hard.prompt import Prompt
from afina.hard.reader import read_answer
from afina.hard.selection import Load, Selection, read_selection
from afina.lm.lm import LM, ask
from afina.lm.reply import Missing, Reply
from afina.lm.request import Request
from afina.solver import Packed, Prediction, Usage, Value, Values
from afina.task.signature import Choice


@dataclass(frozen=True)
class CallSettings:
    """How a language model is asked."""

    temperature: float = 0.0  # 0: the likeliest answer
    max_tokens: int = 256  # tokens an answer may take
    concurrency: int = 32  # calls under way at once


@dataclass(frozen=True)
class PromptSolver:
    """Asks for each row; a call that failed and a reply that cannot be read are missing.

    ``words`` are the prompt's words for labels that have one of their own. ``model`` is the name
    under which the language model is loaded again. A ``selection`` chooses the examples of each
    row, in place of the prompt's own.
    """

    prompt: Prompt
    lm: LM
    model: str
    words: Mapping[str, str] = field(default_factory=dict)
    settings: CallSettings = CallSettings()
    selection: Selection | None = None

    @property
    def parameters(self) -> int:
        return 0

    def __call__(self, inputs: Sequence[Values]) -> list[Prediction]:
        """Answer each row.

        Raises:
            BudgetError: the budget is spent.
        """
        try:
            prompts = self.prompts(inputs)
        except CallError as error:  # of the endpoint that gives vectors
            return [Prediction(None, reason=f"no examples: {error}") for _ in inputs]
        pairs = list(zip(prompts, inputs, strict=True))
        requests = [self.request(worded, row) for worded, row in pairs]
        replies = ask(self.lm, requests, self.settings.concurrency)
        return [
            self.prediction(worded, row, reply)
            for (worded, row), reply in zip(pairs, replies, strict=True)
        ]

    def prompts(self, inputs: Sequence[Values]) -> list[Prompt]:
        """The prompt of each row in the labels' words, with the examples chosen for it.

        Raises:
            CallError: examples are chosen by vectors, and their endpoint has no answer.
        """
        if self.selection is None:
            return [self.prompt.in_words(self.words)] * len(inputs)
        return [
            replace(self.prompt, demonstrations=shown).in_words(self.words)
            for shown in self.selection(inputs)
        ]

    def request(self, worded: Prompt, row: Values) -> Request:
        """A row as a request; the labels of a single choice may be scored."""
        outputs = worded.signature.outputs
        single = outputs[0].type if len(outputs) == 1 else None
        return Request(
            worded.messages(row),
            labels=single.labels if isinstance(single, Choice) else (),
            temperature=self.settings.temperature,
            max_tokens=self.settings.max_tokens,
        )

    def prediction(self, worded: Prompt, row: Values, reply: Reply | Missing) -> Prediction:
        """What a reply says, with what it took and what it took to read it."""
        if isinstance(reply, Missing):
            return Prediction(None, usage=Usage(calls=reply.attempts), reason=reply.reason)
        labels = {word: label for label, word in self.words.items()}
        usage = Usage(1, reply.read + reply.written, reply.cost or 0.0)
        evidence: dict[str, object] = {"text": reply.text}
        if self.selection is not None:
            evidence["shown"] = [example.id for example in worded.demonstrations]
        if reply.scores:
            scores = {labels.get(word, word): each for word, each in reply.scores.items()}
            best = sorted(scores, key=lambda label: -scores[label])[:3]
            evidence["probabilities"] = {label: round(scores[label], 6) for label in best}
        if reply.replayed:
            evidence["replayed"] = True
        reading = read_answer(reply.text, worded.signature, row)
        if reading.outputs is None:
            return Prediction(None, evidence, usage, reply.seconds, reading.reason)
        if reading.repairs:
            evidence["repairs"] = list(reading.repairs)
        target = worded.signature.target.name
        outputs = dict[str, Value](reading.outputs)
        outputs[target] = (
            labels.get(said, said) if isinstance(said := outputs[target], str) else said
        )
        return Prediction(outputs, evidence, usage, reply.seconds)

    def pack(self) -> Packed:
        """The prompt as plain JSON; what is learned are at most the vectors of examples."""
        settings = {
            "model": self.model,
            "identity": dict(self.lm.identity),
            "prompt": self.prompt.to_json(),
            "words": dict(self.words),
            "calls": vars(self.settings),
        }
        if self.selection is None:
            return Packed("prompt", settings)
        arrays = {} if self.selection.embedding is None else {"vectors": self.selection.vectors}
        return Packed("prompt", {**settings, "selection": self.selection.to_json()}, arrays)


def unpack_prompt(packed: Packed, lm: LM, load: Load) -> PromptSolver:
    """The solver that was packed, on the language model of its name; ``load`` gives vectors.

    Raises:
        MismatchError: the model on this machine has other weights, or that of the vectors.
        ArtefactError: a field is missing or garbled.
    """
    match packed.settings:
        case {
            "model": str(model),
            "identity": dict(identity),
            "prompt": prompt,
            "words": dict(words),
            "calls": dict(calls),
        }:
            if identity.get("digest") != lm.identity.get("digest"):
                raise MismatchError(
                    f"the prompt was measured on {model!r}, but the weights of that name are "
                    "others; load the model it was measured on"
                )
            try:
                settings = TypeAdapter(CallSettings).validate_python(calls)
            except ValidationError as error:
                raise ArtefactError(f"the bundle's settings are garbled: {error}") from error
            read = Prompt.from_json(prompt)
            kept, selection = packed.settings.get("selection"), None
            if kept is not None:
                selection = read_selection(kept, read.signature, packed.arrays, load)
            return PromptSolver(read, lm, model, words, settings, selection)
    raise ArtefactError("expected a bundle with a prompt, came another shape; tune it anew")
