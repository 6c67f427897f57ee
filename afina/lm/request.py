"""A request to a language model: all that decides its answer, and the key that follows from it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from afina.errors import InputError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Request:
    """What a model is asked.

    ``labels`` are the only answers wanted: a model that can score them does, one that cannot
    writes. ``repeat`` tells equal requests apart that shall be answered anew.

    Raises:
        InputError: there is no turn, or a setting is out of range.
    """

    messages: tuple[Message, ...]
    labels: tuple[str, ...] = ()
    schema: str = ""  # a JSON schema that the text must fit, as JSON; "": any text
    tools: str = ""  # tools that the model may call, as JSON; "": none
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 256  # tokens written at most
    stop: tuple[str, ...] = ()
    seed: int | None = None
    repeat: int = 0

    def __post_init__(self) -> None:
        heat, share = self.temperature, self.top_p
        if not self.messages or not (0 <= heat < math.inf and 0 <= share <= 1):
            raise InputError(
                "expected one turn or more, a temperature of 0 or more and a top_p of 0 to 1, got "
                f"{len(self.messages)} turns, {heat!r} and {share!r}"
            )

    def key(self, identity: Mapping[str, str]) -> str:
        """What a journal keeps the answer under: the same for the same content to the same model.

        ``identity`` is that of the model: provider, endpoint, name, digests of what it is made of.
        """
        content = {"model": dict(identity), "request": self.content()}
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()

    def content(self) -> dict[str, object]:
        """All of it as plain JSON; `asdict` would copy each text and take twice as long."""
        return {
            **vars(self),
            "messages": [vars(each) for each in self.messages],
            "temperature": float(self.temperature),  # 0 and 0.0 are one
            "top_p": float(self.top_p),
        }
