"""Text for people and for models: capped, quoted, on one line, without control characters."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate
from typing import Any


def printable(value: Any) -> Any:
    """The value with control characters and broken halves of characters taken out of its texts."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in value)
    if isinstance(value, list):
        return [printable(each) for each in value]
    return {key: printable(each) for key, each in value.items()} if isinstance(value, dict) else value


def one_line(description: str) -> str:
    """A description on one line, without the quotes and marks around it."""
    return " ".join(description.split()).strip("\"“”*`' ")


def visible(text: str) -> str:
    """A text of a file or a model on one line; what cannot be seen, or turns the reading order, is spelt out."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


_TEXT_CAP = 80


def shown(text: str, cap: int = _TEXT_CAP) -> str:
    """``text`` for a message: control characters and undecodable bytes escaped, at most ``cap`` characters."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: cap + 1])
    return plain if len(plain) <= cap else plain[: cap - 3] + "..."


SAID_CAP = 240
"""Characters at most of a caption, a file name, and what a user or an imagination says."""


def quoted(text: str, cap: int = SAID_CAP) -> str:
    """Text as a JSON string of one line with at most ``cap`` characters between its quotes: no way out of them."""
    return json.dumps(capped(text, cap), ensure_ascii=False)


def capped(text: str, cap: int) -> str:
    """Text on one line that takes at most ``cap`` characters in JSON. What cannot be printed becomes a space."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    sizes = list(accumulate(2 if c in '"\\' else 1 for c in flat))
    return flat if not flat or sizes[-1] <= cap else flat[: bisect_right(sizes, cap - 1)] + "…"
