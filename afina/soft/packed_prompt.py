"""A soft prompt as arrays and settings, and back."""

from collections.abc import Mapping

from torch import Tensor

from afina.backbones.backbone import Backbone
from afina.backbones.injection import Embeddings, Injection, KeyValues
from afina.backbones.sites import check_sites
from afina.soft.packed_arrays import array_of, integer, integers
from afina.solver import Packed


def pack_prompt(prompt: Injection | None) -> Packed:
    """The numbers of a prompt, and what else it needs."""
    match prompt:
        case None:
            return Packed("none", {"prompt": "none"})
        case Embeddings(vectors=vectors):
            settings = {
                "prompt": "vectors",
                "length": prompt.length,
                "anywhere": prompt.anywhere,
                "before_lead": prompt.before_lead,
            }
            return Packed("vectors", settings, {"prompt": vectors.detach().cpu().numpy()})
        case KeyValues(keys=keys, values=values, sites=sites):
            facts: dict[str, object] = {
                "prompt": "keys-and-values",
                "shape": list(keys.shape),
                "sites": None if sites is None else list(sites),
                "start": prompt.start,
                "lead": prompt.lead,
            }
            arrays = {"keys": keys.detach().cpu().numpy(), "values": values.detach().cpu().numpy()}
            return Packed("keys-and-values", facts, arrays)


def unpack_prompt(
    facts: Mapping[str, object], arrays: Mapping[str, Tensor], backbone: Backbone
) -> Injection | None:
    """The prompt that was packed.

    Raises:
        MismatchError: it does not fit the backbone.
        KeyError, TypeError, ValueError: something is missing or of the wrong shape.
    """
    match facts["prompt"]:
        case "none":
            return None
        case "vectors":
            wanted = (integer(facts["length"]), backbone.frozen.width)
            vectors = array_of(arrays, "prompt", wanted)
            anywhere, first = bool(facts["anywhere"]), bool(facts["before_lead"])
            if anywhere and first:
                raise ValueError("vectors that stand in two places")
            return Embeddings(vectors, anywhere=anywhere, before_lead=first)
        case "keys-and-values":
            shape = integers(facts["shape"])
            prompt = KeyValues(
                array_of(arrays, "keys", shape),
                array_of(arrays, "values", shape),
                sites=None if facts["sites"] is None else integers(facts["sites"]),
                start=integer(facts["start"]),
                lead=bool(facts["lead"]),
            )
            check_sites(backbone.sites(), prompt)
            return prompt
    raise ValueError(f"prompt {facts['prompt']!r}")


def unpack_shared(arrays: Mapping[str, Tensor], width: int) -> Tensor | None:
    """The vectors ``[P, H]`` that other tasks may start from; None where none were packed.

    Raises:
        ValueError: they are of the wrong shape.
    """
    if "shared" not in arrays:
        return None
    return array_of(arrays, "shared", (len(arrays["shared"]), width))
