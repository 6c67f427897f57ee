"""What a server understands of OpenAI's shapes, where servers differ."""

import json
from dataclasses import dataclass
from typing import Literal

from afina.errors import InputError

OURS = {"model", "messages", "prompt", "stream", "stream_options", "n"}


@dataclass(frozen=True)
class Dialect:
    """How to speak to a server."""

    labels: Literal["write", "schema", "score"] = "write"  # how one of the labels is got
    limit: str = "max_tokens"  # the field for it; of newer models max_completion_tokens
    omit: tuple[str, ...] = ()  # fields that the server refuses, such as temperature
    extra: str = "{}"  # further fields, as JSON: '{"reasoning_effort": "low"}'

    def __post_init__(self) -> None:
        """Check the further fields.

        Raises:
            InputError: they are no JSON object, or they are Afina's own.
        """
        try:
            fields = json.loads(self.extra)
        except ValueError:
            fields = None
        if not isinstance(fields, dict) or OURS & set(fields):
            raise InputError(
                f"expected further fields as a JSON object without {', '.join(sorted(OURS))}, "
                f"came {self.extra!r}"
            )

    def apply(self, body: dict[str, object]) -> dict[str, object]:
        """The body as this server takes it."""
        kept = {name: value for name, value in body.items() if name not in self.omit}
        return {**kept, **json.loads(self.extra)}
