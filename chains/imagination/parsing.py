"""Parsing a language model's reply: ``parse_reply`` for a complete one, ``description_so_far`` for a growing one.

Both are pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import from_json

from ipcir_tools.chains.imagination.results import ReplyForm
from ipcir_tools.llm.reply_text import JSON, LABEL, THOUGHT_START, is_refusal, json_objects, unwrap
from ipcir_tools.text import one_line, remove_unprintable, shorten, unquote
from ipcir_tools.types import ImaginedTarget

MAX_WORDS = 120
"""Words of a description, cut after a sentence: CLIP reads 77 tokens and does better with short captions."""
MAX_ITEMS = 12
MAX_ITEM_CHARS = 200

_LISTS = ("keep", "add", "remove", "alternatives")
_DEBRIS = re.compile(r"[{}]|\"\s*:|</?[a-z!][^<>]*>|^\s*(?:error|traceback)\b", re.IGNORECASE)
_QUOTES = ('"', "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}")
_ABSENCE = re.compile(
    r",?\s+(?:(?:and|but)\s+)?(?:without|with no)\s+(?:(?:an?|any|the)\s+)?"
    r"((?:[\w-]+\s+){0,2}[\w-]+)(?=\s*(?:[,.;]|$))",
    re.IGNORECASE,
)
_RUNS_ON = re.compile(r"\b(?:and|or|on|in|at|with|of|for|to|from|under|over|behind|near|by|is|are|that|\w+ing)\b", re.I)
_FIELD_END = r"\s*(?:[,}]|\Z|```|\"\w+\"\s*:)"
"""What follows the text of a field: a comma, perhaps forgotten before the next name, or the end."""
_NOTHING = {"", "na", "none", "null", "unknown", "string", "description", "nothing"}


_CALL_KEYS = frozenset(
    {"arguments", "parameters", "properties", "function", "tool_calls", "input_schema", "inputSchema", "$schema"}
)
"""Names that a tool call or a schema has, and no answer."""
_SCHEMA_TYPES = frozenset({"object", "string", "array", "function", "tool_use", "tool_call"})
_CALL = re.compile(
    rf'"(?:{"|".join(map(re.escape, sorted(_CALL_KEYS)))})"\s*:|"type"\s*:\s*"(?:{"|".join(sorted(_SCHEMA_TYPES))})"'
)
"""The same in JSON that is broken."""


class BadReplyError(ValueError):
    """A reply without a usable description; the message says why, for the model and for the user."""


class RefusedReplyError(BadReplyError):
    """A reply in which the model declines, so that a retry is pointless; the message quotes the reply."""


@dataclass(frozen=True)
class Reading:
    """A parsed reply: the imagined target, and the form in which the reply came."""

    target: ImaginedTarget
    form: ReplyForm


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


def parse_reply(text: str, *, plain: bool = False, cut_off: bool = False) -> Reading:
    """Parse ``text``, a model's reply, as an imagined target of origin "llm".

    Reasoning and code fences are dropped, and the rest is searched for a JSON object; of a broken object the complete
    parts are used if the description is complete. With ``plain`` a reply without JSON is taken as the description
    itself if it reads like one. ``cut_off``: the server stopped the reply at its token limit, so the last sentence of
    plain text may be incomplete. Whether the description is of the target is for ``acceptance`` to say.

    Raises:
        RefusedReplyError: The model declines.
        BadReplyError: The reply holds no usable description.
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
    return Reading(_target({"description": _as_description(answer, cut_off)}), "text")


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
        raise BadReplyError("the description is empty")
    visible, absent = _split_absent(description)
    if not re.search(r"\w", visible):
        raise BadReplyError("the description names only what is absent")
    return ImaginedTarget(
        description=visible,
        keep=tuple(reply.keep),
        add=tuple(reply.add),
        remove=tuple(dict.fromkeys([*reply.remove, *absent])),
        alternatives=_alternatives(reply.alternatives, description, visible),
        origin="llm",
    )


def _alternatives(alternatives: list[str], *known: str) -> tuple[str, ...]:
    """The alternatives without their absences, duplicates removed."""
    visible = [_split_absent(text)[0] for text in alternatives if text not in known]
    return tuple(dict.fromkeys(text for text in visible if re.search(r"\w", text) and text not in known))


def _split_absent(description: str) -> tuple[str, list[str]]:
    """The description without its "without a belt", and the belt. Unchanged where the end of the absence is unclear."""
    absent = [m for m in _ABSENCE.finditer(description) if not _RUNS_ON.search(m.group(1))]
    visible = description
    for match in absent:
        visible = visible.replace(match.group(), "", 1)
    return visible, [match.group(1) for match in absent]


def _last_object(text: str) -> dict[str, Any] | None:
    """The last whole JSON object with a description; a model may write a draft before its answer."""
    found = [answer for value in json_objects(text) if (answer := _with_description(value)) is not None]
    return found[-1] if found else None


def _with_description(value: Any) -> dict[str, Any] | None:
    """``value`` or the one object that wraps around its answer, as in ``{"target": {"description": ...}}``, or in the
    arguments of a tool call."""
    if not isinstance(value, dict):
        return None
    if "description" in value and not _is_call(value):
        return value
    inner = [item for item in value.values() if isinstance(item, dict) and "description" in item and not _is_call(item)]
    return inner[0] if len(inner) == 1 else None


def _is_call(value: dict[str, Any]) -> bool:
    """Whether an object is a tool call or a schema, whose "description" is not of a picture."""
    kind = value.get("type")
    return not _CALL_KEYS.isdisjoint(value) or (isinstance(kind, str) and kind.lower() in _SCHEMA_TYPES)


def _complete_parts(text: str) -> dict[str, Any]:
    """Description and phrases of a broken JSON object; empty where the description itself is not complete.

    pydantic_core's partial JSON does not serve here: it reads an object that ends early, but refuses one with a stray
    comma or a missing quote, of which the strings before the fault are still good.
    """
    if _CALL.search(text):
        return {}
    try:
        description = next(_strings_after(r'"description"\s*:\s*', text, _FIELD_END), "")
        lists = {name: list(_strings_after(rf'"{name}"\s*:\s*\[\s*', text)) for name in _LISTS}
    except RecursionError:
        return {}
    return {"description": description, **lists} if description else {}


def _strings_after(start: str, text: str, before: str = "") -> Iterator[str]:
    """The complete strings that follow the first match of the pattern ``start``, separated by commas.

    A string that ends elsewhere than ``before`` the match of that pattern was ended by a quote inside of it.
    """
    opening = re.search(start, text)
    at = opening.end() if opening else len(text)
    while text.startswith('"', at):
        try:
            value, end = JSON.raw_decode(text, at)
        except ValueError:
            return
        if not re.match(before, text[end:]):
            return
        yield value
        at = end + len(text[end:]) - len(text[end:].lstrip(", \t\r\n"))


def _as_description(text: str, cut_off: bool) -> str:
    """Plain text as a description. Raises ``BadReplyError`` where it does not read like one."""
    label = LABEL.match(text)
    before, text = (text[: label.end()], text[label.end() :]) if label else ("", text)
    text = text.strip().split("\n\n")[0]
    if _DEBRIS.search(before) or _is_unclosed(before, text):
        raise BadReplyError("the reply ends in the middle of its description")
    if cut_off:
        text = "".join(re.findall(r"[^.!?。]+[.!?。]+", text))
    if not _reads_as_description(text):
        raise BadReplyError("the reply is neither JSON nor a description")
    return text


def _is_unclosed(label: str, text: str) -> bool:
    """Whether a quote is opened before a text and never closed."""
    opened = label.rstrip().endswith(_QUOTES) or text.startswith(_QUOTES)
    return opened and not any(quote in text[1:] for quote in _QUOTES)


def _reads_as_description(text: str) -> bool:
    words = text.split()
    letters = sum(character.isalpha() for character in text)
    enough = 2 <= len(words) <= 3 * MAX_WORDS or (not text.isascii() and len(text) >= 4)
    return enough and letters >= 0.7 * len("".join(words)) and not (_DEBRIS.search(text) or THOUGHT_START.search(text))


def _shortened(text: str) -> str:
    """At most ``MAX_WORDS`` words, cut after a sentence where one ends within them."""
    words = text.split()
    if len(words) <= MAX_WORDS:
        return text
    head = " ".join(words[:MAX_WORDS])
    sentences = re.match(r".*[.!?](?=\s|$)", head)
    return sentences.group() if sentences else head


_DESCRIPTION = re.compile(r'"description"\s*:\s*(?=")')
_CONTROL = re.compile(r"[\x00-\x1f]")
_UNFINISHED_LABEL = re.compile(
    r"\A\W*(?:sure|certainly|okay|here|target|edited|final|new|imagined|changed|description|caption)\b[^:\n]{0,60}\Z",
    re.IGNORECASE,
)
_FEW_WORDS = 4
"""Plain text of fewer words is held back: it may still turn out to be a label or a refusal."""


def description_so_far(text: str, *, plain: bool) -> str:
    """The description in ``text``, the beginning of a reply; empty while there is none.

    Of a JSON object it is the last "description", complete or not. With ``plain`` other text is taken as the
    description itself, unless it begins like a refusal. The complete reply is parsed by ``parse_reply`` alone.
    """
    answer = unwrap(text)
    if THOUGHT_START.search(answer):
        return ""
    if plain and not answer.startswith(("{", "[", "<", "`")):
        return _plain(answer)
    return _in_object(answer)


def _in_object(answer: str) -> str:
    starts = [match.end() for match in _DESCRIPTION.finditer(answer)]
    if not starts:
        return ""
    try:  # pydantic_core refuses raw line breaks inside of a string, which models do write
        begun = _CONTROL.sub(" ", answer[starts[-1] :]).encode("utf-8", "replace")  # half a surrogate pair is no UTF-8
        text = from_json(begun, allow_partial="trailing-strings")
    except ValueError:
        return ""
    return unquote(remove_unprintable(text))


def _plain(answer: str) -> str:
    text = unquote(LABEL.sub("", answer).strip().split("\n\n")[0])
    few = text.isascii() and len(text.split()) < _FEW_WORDS
    return "" if few or is_refusal(text) or _UNFINISHED_LABEL.match(answer) else text
