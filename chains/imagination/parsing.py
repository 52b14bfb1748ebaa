"""Reading a language model's reply: one pure function, ``parse_reply``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError

from ipcir_tools.chains.imagination.results import Form
from ipcir_tools.llm.reply_text import JSON, LABEL, THOUGHT_START, is_refusal, json_objects, unwrap
from ipcir_tools.text import one_line, remove_unprintable, shorten, unquote
from ipcir_tools.types import ImaginedTarget

MAX_WORDS = 120
"""A longer description is cut at a sentence: CLIP reads 77 tokens, and short captions serve it better."""
MAX_ITEMS = 12
MAX_ITEM_CHARS = 200

_LISTS = ("keep", "add", "remove", "alternatives")
_DEBRIS = re.compile(r"[{}]|\"\s*:|</?[a-z!][^<>]*>|^\s*(?:error|traceback)\b", re.IGNORECASE)
_ABSENCE = re.compile(
    r",?\s+(?:(?:and|but)\s+)?(?:without|with no)\s+(?:(?:an?|any|the)\s+)?"
    r"((?:[\w-]+\s+){0,2}[\w-]+)(?=\s*(?:[,.;]|$))",
    re.IGNORECASE,
)
_RUNS_ON = re.compile(r"\b(?:and|or|on|in|at|with|of|for|to|from|under|over|behind|near|by|is|are|that|\w+ing)\b", re.I)
_NOTHING = {"", "na", "none", "null", "unknown", "string", "description", "nothing"}


class BadReplyError(ValueError):
    """A reply that no description can be taken from; the text says why, for the model and for the user."""


class RefusedReplyError(BadReplyError):
    """A reply in which the model declines: asking it again is pointless. Its text is what the model said."""


@dataclass(frozen=True)
class Reading:
    """What a reply was read as. ``form``: a whole JSON object, the complete parts of a broken one, or plain text."""

    target: ImaginedTarget
    form: Form


def _phrases(value: Any) -> list[str]:
    items = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    texts = [one_line(item)[:MAX_ITEM_CHARS] for item in items if isinstance(item, str)]
    return list(dict.fromkeys(text for text in texts if text))[:MAX_ITEMS]


Phrases = Annotated[list[str], BeforeValidator(_phrases)]


class _Reply(BaseModel):
    description: str
    keep: Phrases = []
    add: Phrases = []
    remove: Phrases = []
    alternatives: Phrases = []


def parse_reply(text: str, *, plain: bool = False, cut_off: bool = False, about: str = "") -> Reading:
    """Reads ``text``, a model's reply, as an imagined target of origin "llm".

    Thoughts and code fences are dropped, a JSON object is looked for anywhere in what is left, and of a broken one the
    complete parts are used if its description is complete. With ``plain`` a reply without JSON is taken as the
    description itself if it reads like one and shares a word with ``about`` (caption and request; empty: not checked).
    ``cut_off``: the server stopped the reply at its token limit, so the last sentence of plain text may be half.
    Raises ``RefusedReplyError`` where the model declines, ``BadReplyError`` where nothing can be used.
    """
    answer = unwrap(text)
    if is_refusal(answer):
        raise RefusedReplyError(shorten(one_line(answer), 120))
    if (whole := _last_object(answer)) is not None:
        return Reading(_target(whole), "json")
    if parts := _complete_parts(answer):
        return Reading(_target(parts), "parts")
    if not answer:
        raise BadReplyError("the reply is empty")
    if not plain:
        raise BadReplyError("the reply holds no JSON object with a complete description")
    return Reading(_target({"description": _as_description(answer, cut_off, about)}), "text")


def _target(fields: dict[str, Any]) -> ImaginedTarget:
    try:
        reply = _Reply.model_validate(remove_unprintable(fields))
    except ValidationError as error:
        fault = error.errors()[0]
        raise BadReplyError(f"the field {'.'.join(map(str, fault['loc']))} is wrong: {fault['msg']}") from error
    description = _shortened(unquote(reply.description))
    if is_refusal(description):
        raise RefusedReplyError(shorten(description, 120))
    if re.sub(r"\W", "", description).lower() in _NOTHING:
        raise BadReplyError("the description says nothing")
    seen, absent = _seen_and_absent(description)
    if not re.search(r"\w", seen):
        raise BadReplyError("the description says only what is absent")
    return ImaginedTarget(
        description=seen,
        keep=tuple(reply.keep),
        add=tuple(reply.add),
        remove=tuple(dict.fromkeys([*reply.remove, *absent])),
        alternatives=_others(reply.alternatives, description, seen),
        origin="llm",
    )


def _others(alternatives: list[str], *known: str) -> tuple[str, ...]:
    """What is to be seen in each of the alternatives, each once."""
    seen = [_seen_and_absent(text)[0] for text in alternatives if text not in known]
    return tuple(dict.fromkeys(text for text in seen if re.search(r"\w", text) and text not in known))


def _seen_and_absent(description: str) -> tuple[str, list[str]]:
    """The description without its "without a belt", and the belt. Left alone where it is unclear how far that goes."""
    absent = [m for m in _ABSENCE.finditer(description) if not _RUNS_ON.search(m.group(1))]
    seen = description
    for match in absent:
        seen = seen.replace(match.group(), "", 1)
    return seen, [match.group(1) for match in absent]


def _last_object(text: str) -> dict[str, Any] | None:
    """The last whole JSON object with a description: models may show a form or a draft before the answer."""
    found = [answer for value in json_objects(text) if (answer := _with_description(value)) is not None]
    return found[-1] if found else None


def _with_description(value: Any) -> dict[str, Any] | None:
    """``value`` or the one object that wraps around its answer, as in ``{"target": {"description": ...}}``."""
    if not isinstance(value, dict) or "description" in value:
        return value if isinstance(value, dict) else None
    inner = [item for item in value.values() if isinstance(item, dict) and "description" in item]
    return inner[0] if len(inner) == 1 else None


def _complete_parts(text: str) -> dict[str, Any]:
    """Description and phrases of a broken JSON object; empty where the description itself is not complete."""
    try:
        description = next(_strings_after(r'"description"\s*:\s*', text), "")
        lists = {name: list(_strings_after(rf'"{name}"\s*:\s*\[\s*', text)) for name in _LISTS}
    except RecursionError:
        return {}
    return {"description": description, **lists} if description else {}


def _strings_after(start: str, text: str) -> Iterator[str]:
    opening = re.search(start, text)
    at = opening.end() if opening else len(text)
    while text.startswith('"', at):
        try:
            value, end = JSON.raw_decode(text, at)
        except ValueError:
            return
        yield value
        at = end + len(text[end:]) - len(text[end:].lstrip(", \t\r\n"))


def _as_description(text: str, cut_off: bool, about: str) -> str:
    text = LABEL.sub("", text).strip().split("\n\n")[0]
    if cut_off:
        text = "".join(re.findall(r"[^.!?。]+[.!?。]+", text))
    if not _reads_as_description(text):
        raise BadReplyError("the reply is neither JSON nor a description")
    if about and text.isascii() and not _stems(text) & _stems(about):
        raise BadReplyError("the reply is not JSON and speaks of something else than what was asked for")
    return text


def _reads_as_description(text: str) -> bool:
    words = text.split()
    letters = sum(character.isalpha() for character in text)
    enough = 2 <= len(words) <= 3 * MAX_WORDS or (not text.isascii() and len(text) >= 4)
    return enough and letters >= 0.7 * len("".join(words)) and not (_DEBRIS.search(text) or THOUGHT_START.search(text))


def _stems(text: str) -> set[str]:
    """Beginnings of the words: enough to see whether two texts speak of one thing."""
    return {word[:4] for word in re.findall(r"[^\W\d_]{3,}", text.lower())} - {"the", "and", "with", "this", "that"}


def _shortened(text: str) -> str:
    """At most ``MAX_WORDS`` words, whole sentences where one ends in time."""
    words = text.split()
    if len(words) <= MAX_WORDS:
        return text
    head = " ".join(words[:MAX_WORDS])
    sentences = re.match(r".*[.!?](?=\s|$)", head)
    return sentences.group() if sentences else head


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
    answer = unwrap(text)
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
    return unquote(remove_unprintable(text))


def _plain(answer: str) -> str:
    said = unquote(LABEL.sub("", answer).strip().split("\n\n")[0])
    few = said.isascii() and len(said.split()) < _FEW_WORDS
    return "" if few or is_refusal(said) or _LABEL_BEGUN.match(answer) else said
