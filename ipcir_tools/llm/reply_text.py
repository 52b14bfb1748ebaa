"""What a language model writes around its answer: code fences, thoughts, labels, refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

MAX_REPLY_CHARS = 20_000
"""The rest is not read: no description is that long, and searching it for JSON costs time."""

JSON = json.JSONDecoder(strict=False)
"""Reads JSON as models write it, with line breaks inside strings."""

LABEL = re.compile(
    r"\A\W*(?:(?:sure|certainly|okay|here is|here's)\b[^:\n]{0,60}"
    r"|(?:(?:target|edited|final|new|imagined|changed)\s+)?(?:description|caption)\W*):\W*",
    re.IGNORECASE,
)
"""What some models write before a description."""

_TAGS = "(?:think|thinking|thought|reasoning|analysis)"
THOUGHT_START = re.compile(rf"<{_TAGS}>", re.IGNORECASE)

_FENCE = re.compile(r"^[^\S\n]*```[\w-]*[^\S\n]*$", re.MULTILINE)
_THOUGHT = re.compile(rf"<{_TAGS}>.*?</{_TAGS}>", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(rf"^.*</{_TAGS}>", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(
    r"\W*(?:(?:i'?m|i am)\s+(?:very |so |really )?(?:sorry|unable|not able|afraid)\b"
    r"|sorry\b|apologies\b|i apologi[sz]e\b|as an ai\b"
    r"|(?:unfortunately,?\s+)?i\s+(?:can't|can\s?not|won't|will not|must decline|do not feel|don't feel)\b)",
    re.IGNORECASE,
)


def unwrap(text: str) -> str:
    """A reply without its thoughts and code fences, in time linear in its length."""
    reply = text[:MAX_REPLY_CHARS]
    last = _THOUGHT_END.match(reply)
    thought = _THOUGHT.sub("", last.group()) if last else ""  # after the last end tag no thought is complete
    return _FENCE.sub("", _THOUGHT_END.sub("", thought + reply[last.end() if last else 0 :])).strip()


def is_refusal(text: str) -> bool:
    """Whether the model declines."""
    return bool(_REFUSAL.match(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


def json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every complete JSON object in a text, whatever is around it."""
    at = text.find("{")
    while at >= 0:
        try:
            value, end = JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)
