"""Favoured: which kinds of prompt the evidence speaks for, by the size of data and model.

The sentences rest on the papers they name, whose models were larger than most that run here: they
say where to begin, and a comparison decides.
"""

from dataclasses import dataclass

FEW, MANY = 64, 1_000  # examples of train
LARGE = 1_000_000_000  # parameters of a model

LESTER = "Lester et al. 2021, https://arxiv.org/abs/2104.08691"
LI = "Li and Liang 2021, https://arxiv.org/abs/2101.00190"
LIU = "Liu et al. 2022, https://arxiv.org/abs/2110.07602"
WANG = "Wang et al. 2023, https://arxiv.org/abs/2303.02861"
KHATTAB = "Khattab et al. 2023, https://arxiv.org/abs/2310.03714"
OPSAHL = "Opsahl-Ong et al. 2024, https://arxiv.org/abs/2406.11695"
AGRAWAL = "Agrawal et al. 2025, https://arxiv.org/abs/2507.19457"


@dataclass(frozen=True)
class Favoured:
    """Methods to begin with, why, and the paper that says so."""

    methods: tuple[str, ...]
    reason: str
    source: str

    def to_json(self) -> dict[str, object]:
        """The advice as plain JSON."""
        return {"methods": list(self.methods), "reason": self.reason, "source": self.source}


def favoured(examples: int, parameters: int | None) -> list[Favoured]:
    """What the evidence favours for so many examples of train, on a model of so many parameters.

    ``parameters`` is None for a model that is only asked: then no soft prompt can be trained.
    """
    found = [written(examples)]
    if parameters is None:
        return [*found, optimised(examples)]
    if examples < FEW:
        found.append(
            Favoured(
                ("multitask-prompt-tuning",),
                f"with {examples} examples a prompt that other tasks have learned starts ahead",
                WANG,
            )
        )
    return [*found, *soft(examples, parameters)]


def written(examples: int) -> Favoured:
    """A prompt in words, whatever the model."""
    return Favoured(
        ("zero-shot", "few-shot"),
        f"examples in the prompt need no training and few of the {examples} there are",
        KHATTAB,
    )


def optimised(examples: int) -> Favoured:
    """A prompt in words that is searched for."""
    if examples < MANY:
        return Favoured(
            ("gepa",),
            "rewriting from failures gained most from few evaluations",
            AGRAWAL,
        )
    return Favoured(
        ("mipro",),
        "instructions and examples chosen together won on most programs",
        OPSAHL,
    )


def soft(examples: int, parameters: int) -> list[Favoured]:
    """Trained vectors, by the model's size."""
    if parameters >= LARGE:
        return [
            Favoured(
                ("prompt-tuning",),
                "at this size vectors at the input come near to tuning the whole model",
                LESTER,
            )
        ]
    deep = Favoured(
        ("p-tuning-v2",),
        f"a model of {parameters:,} parameters is small: prompts in every layer did much better "
        "there than at the input alone",
        LIU,
    )
    prefix = Favoured(
        ("prefix-tuning",),
        "keys and values generated better than vectors at the input, with little data above all",
        LI,
    )
    return [deep] if examples >= MANY else [deep, prefix]
