"""Reading a reply that a model has not finished: the description as far as it goes."""

from __future__ import annotations

import json
import re

from ipcir_tools.chains.wrapping import LABEL, THOUGHT_START, one_line, printable, refuses, unwrapped

_OPENING = re.compile(r'"description"\s*:\s*"')
_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{0,3}\Z")
_LABEL_BEGUN = re.compile(
    r"\A\W*(?:sure|certainly|okay|here|target|edited|final|new|imagined|changed|description|caption)\b[^:\n]{0,60}\Z",
    re.IGNORECASE,
)
_FEW_WORDS = 4
"""So many words of plain text are waited for: only then it is clear whether they are a label or an excuse."""


def description_so_far(text: str, *, plain: bool) -> str:
    """The description that ``text``, the beginning of a reply, holds already; empty while it holds none.

    Of a JSON object it is the last "description", which need not have ended. With ``plain`` other text is taken as the
    description itself, unless it begins like an excuse. What comes of the whole reply ``parse_reply`` alone decides.
    """
    answer = unwrapped(text)
    if THOUGHT_START.search(answer):
        return ""
    if plain and not answer.startswith(("{", "[", "<", "`")):
        return _plain(answer)
    return _in_object(answer)


def _in_object(answer: str) -> str:
    openings = list(_OPENING.finditer(answer))
    said = _STRING.match(answer, openings[-1].end()) if openings else None
    try:
        text = json.loads(f'"{_HALF_ESCAPE.sub("", said.group())}"', strict=False) if said else ""
    except ValueError:
        return ""
    return one_line(printable(text))


def _plain(answer: str) -> str:
    said = one_line(LABEL.sub("", answer).strip().split("\n\n")[0])
    few = said.isascii() and len(said.split()) < _FEW_WORDS
    return "" if few or refuses(said) or _LABEL_BEGUN.match(answer) else said
