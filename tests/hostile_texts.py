"""Texts between good and nonsense, for parsers of replies, prompts and annotations: Hypothesis strategies."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

ODD_VALUES = st.sampled_from(
    [None, True, -1, 0, 10**30, 10**400, 1e308, float("nan"), float("inf"), "", " ", "\0", "\ud800", "a" * 5_000]
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    ODD_VALUES | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MARKS = ("{", "}", "[", "]", '"', ":", ",", "\\", "\\u", "\n", "\r", "\0", "\ufeff", "\u2028", "---", "```", "```json")
PIECES = st.sampled_from(
    [
        *MARKS,
        *("<think>", "</think>", "&a", "*a", "!!python/object:os.system", "%", "{{", "}}", "{a!r}", "[" * 3_000),
        *('{"a":' * 3_000, "9" * 5_000, "1e999", "NaN", "-", "null", "\u202e", "\x1b[31m", "\udfff"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn, good: str) -> str:
    """A good text with pieces cut out, doubled, or put in."""
    text = good
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 30)))
        kind = draw(st.sampled_from(["cut", "double", "put", "end"]))
        if kind == "cut":
            text = text[:at] + text[end:]
        elif kind == "double":
            text = text[:end] + text[at:]
        elif kind == "put":
            text = text[:at] + draw(PIECES) + text[at:]
        else:
            text = text[:at]
    return text


@st.composite
def altered(draw: st.DrawFn, good: dict[str, Any]) -> str:
    """A good JSON object with odd values in some of its fields, as JSON."""
    content = dict(good)
    for name in draw(st.lists(st.sampled_from(sorted(good)), max_size=3, unique=True)):
        content[name] = draw(JSON_VALUES)
    if draw(st.booleans()):
        content[draw(st.text(max_size=10))] = draw(JSON_VALUES)
    return json.dumps(content, ensure_ascii=draw(st.booleans()))


def hostile(good: dict[str, Any]) -> st.SearchStrategy[str]:
    """A JSON object that is good, altered or damaged."""
    return altered(good) | altered(good).flatmap(mutated) | mutated(json.dumps(good))
