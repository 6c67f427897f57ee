"""JSON by a schema: which tokens may come next, so that what is written always fits."""

from collections.abc import Collection

import numpy as np
import torch
from jaxtyping import Bool
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from torch import Tensor

from afina.backbones.frozen import Frozen
from afina.backbones.generation import ends_of
from afina.errors import InputError


class SchemaRule:
    """Follows one text token by token; where its JSON is whole, only an end may come."""

    def __init__(self, tokenizer: LLTokenizer, ends: Collection[int], schema: str) -> None:
        """Raises InputError where the schema cannot be followed."""
        try:
            grammar = LLMatcher.grammar_from_json_schema(
                schema,
                overrides={"whitespace_flexible": False},  # a small model may write spaces only
            )
        except ValueError as error:
            raise InputError(f"expected a JSON schema, got {schema[:80]!r}: {error}") from error
        self._matcher = LLMatcher(tokenizer, grammar, log_level=0)
        self._ends = sorted(ends)
        if self._matcher.is_error():
            fault = self._matcher.get_error()
            raise InputError(f"expected a JSON schema that can be followed, but: {fault}")

    def allowed(self, vocabulary: int) -> Bool[Tensor, "V"]:
        """The tokens that may come next."""
        found = torch.zeros(vocabulary, dtype=torch.bool)
        if self._matcher.is_stopped():
            found[self._ends] = True
            return found
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        mask = torch.from_numpy(np.unpackbits(bits, bitorder="little").astype(bool))[:vocabulary]
        found[: len(mask)] = mask
        return found

    def take(self, token: int) -> None:
        """The token that came."""
        if not self._matcher.is_stopped():
            self._matcher.consume_token(token)


def tokenizer_for_rules(frozen: Frozen) -> LLTokenizer:
    """A model's tokenizer as rules read it; made once a model, for it takes a while.

    Raises:
        InputError: the model has no token that ends a text.
    """
    ends = sorted(ends_of(frozen))
    if not ends:
        raise InputError(
            f"{frozen.name} has no token that ends a text; ask it without a schema, or use another"
        )
    return from_tokenizer(frozen.tokenizer, eos_token=ends)
