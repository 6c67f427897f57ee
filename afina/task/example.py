"""An example: inputs and the outputs wanted."""

import hashlib
import json
from dataclasses import dataclass

from afina.solver import Values


@dataclass(frozen=True)
class Example:
    """Inputs, the outputs wanted, an id, and the group it must not be parted from."""

    inputs: Values
    outputs: Values
    id: str
    group: str = ""

    @classmethod
    def of(cls, inputs: Values, outputs: Values, id: str = "", group: str = "") -> "Example":  # noqa: A002
        """Make an example; without an id its content gives one."""
        return cls(inputs, outputs, id or content_id(inputs, outputs), group)

    @property
    def content(self) -> str:
        """The hash of inputs and outputs, whatever the id is."""
        return content_id(self.inputs, self.outputs)


def content_id(inputs: Values, outputs: Values) -> str:
    """The first 16 hexadecimal digits of the sha256 of the content as canonical JSON."""
    content = [dict(inputs), dict(outputs)]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
