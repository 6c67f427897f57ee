"""The settings of every method: their defaults, and those given in place of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from afina.errors import InputError
from afina.setting import read_setting, unknown_setting

EXAMPLES = "examples"  # every method's: how many of train are used; 0: all
OPTIMISERS = ("bootstrap", "random-search", "copro", "mipro", "gepa", "racing")
OTHERS = ("proposer", "teacher")  # an optimiser's: models beside the one that is asked
PROGRAM = "program"  # an optimiser's: what it searches for
PREDICT = "predict"  # a prompt alone
PROGRAMS = (PREDICT, "chain-of-thought", "multi-hop")


@dataclass(frozen=True)
class NoSettings:
    """A method without settings."""


def defaults(method: str) -> Any:  # each method has a dataclass of its own
    """A method's settings where none is given."""
    match method:
        case "few-shot":
            from afina.hard.selection import FewShotSettings

            return FewShotSettings()
        case "written":
            from afina.hard.interchange.prompt_file import WrittenSettings

            return WrittenSettings()
        case "rag":
            from afina.hard.rag import RagSettings

            return RagSettings()
        case "multi-hop":
            from afina.program.multi_hop import MultiHopSettings

            return MultiHopSettings()
        case "bootstrap":
            from afina.program.bootstrap import BootstrapSettings

            return BootstrapSettings()
        case "random-search":
            from afina.program.random_search import RandomSearchSettings

            return RandomSearchSettings()
        case "copro":
            from afina.program.copro import CoproSettings

            return CoproSettings()
        case "gepa":
            from afina.program.gepa import GepaSettings

            return GepaSettings()
        case "racing":
            from afina.program.racing import RacingSettings

            return RacingSettings()
        case "knn":
            from afina.program.knn import KnnSettings

            return KnnSettings()
        case "mipro":
            from afina.program.mipro_settings import MiproSettings

            return MiproSettings()
        case "prompt-tuning":
            from afina.training.prompt_run import PromptTuningSettings

            return PromptTuningSettings()
        case "p-tuning":
            from afina.training.p_tuning_run import PTuningSettings

            return PTuningSettings()
        case "prefix-tuning":
            from afina.training.prefix_run import PrefixSettings

            return PrefixSettings()
        case "p-tuning-v2":
            from afina.training.prefix_run import P_TUNING_V2

            return P_TUNING_V2
        case "distill":
            from afina.training.distill_run import DistillSettings

            return DistillSettings()
        case "read-back":
            from afina.training.read_back import ReadBackSettings

            return ReadBackSettings()
        case "imported":
            from afina.training.import_run import ImportSettings

            return ImportSettings()
        case "full-fine-tuning":
            from afina.training.full_run import FullSettings

            return FullSettings()
        case "multitask-prompt-tuning":
            from afina.training.multitask_run import MultitaskSettings

            return MultitaskSettings()
    return NoSettings()


def read_settings(method: str, given: Mapping[str, object], seed: int) -> Any:
    """A method's settings with those given in place of its own.

    Raises:
        InputError: a name is unknown, or a value is of the wrong type.
    """
    default, values = defaults(method), typed_settings(method, given)
    values.pop(EXAMPLES, None)
    own = {each.name for each in fields(default)}
    mine = replace(default, **{name: value for name, value in values.items() if name in own})
    if "seed" in own:
        return replace(mine, seed=seed)
    if "train" not in own:
        return mine
    trained = {name: value for name, value in values.items() if name not in own}
    return replace(mine, train=replace(mine.train, **trained, seed=seed))


def typed_settings(method: str, given: Mapping[str, object]) -> dict[str, object]:
    """What was given, each as its setting's type.

    Raises:
        InputError: a name is unknown, or a value is of the wrong type or no program's name.
    """
    known = known_settings(method)
    for name in given:
        if name not in known:
            raise InputError(unknown_setting(method, name, sorted(known)))
    found = {name: read_setting(name, value, known[name]) for name, value in given.items()}
    if found.get(PROGRAM, PREDICT) not in PROGRAMS:
        raise InputError(
            f"expected the setting {PROGRAM} to be one of {', '.join(PROGRAMS)}, got "
            f"{found[PROGRAM]!r}"
        )
    return found


def known_settings(method: str) -> dict[str, Any]:
    """A method's settings and its training loop's, by name, with their defaults."""
    default = defaults(method)
    found = {each.name: getattr(default, each.name) for each in fields(default)}
    found.pop("seed", None)  # the run's
    train = found.pop("train", None)
    if train is not None:
        found |= {each.name: getattr(train, each.name) for each in fields(train)}
        del found["seed"]  # the run's
    if method in OPTIMISERS:
        found |= {PROGRAM: PREDICT, **dict.fromkeys(OTHERS, ""), **known_settings("multi-hop")}
    return {**found, EXAMPLES: 0}
