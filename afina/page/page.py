"""The report as one HTML file: the template with the data in it, and nothing from elsewhere."""

import json
from importlib.resources import files
from typing import Any

SLOT = "__DATA__"


def html_page(facts: Any) -> str:
    """The page; facts are plain JSON."""
    template = files("afina.page").joinpath("report.html").read_text("utf-8")
    before, _, after = template.partition(SLOT)
    return before + inert(facts) + after


def inert(facts: Any) -> str:
    """JSON that stays data inside a script element, whatever its texts hold.

    >>> inert("</script><!--")
    '"\\\\u003c/script\\\\u003e\\\\u003c!--"'
    """
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
