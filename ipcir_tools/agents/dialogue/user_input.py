"""The user's input in a dialogue: the last message, and the request that its line makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage

from ipcir_tools.agents.dialogue.commands import (
    Combination,
    Command,
    Find,
    Goto,
    New,
    ParsedLine,
    Refine,
    Remark,
    Show,
    Undo,
)
from ipcir_tools.agents.dialogue.line_parser import parse_line
from ipcir_tools.bounds import MAX_JUDGED, check_value
from ipcir_tools.errors import InvalidRequestError


@dataclass(frozen=True)
class UserInput:
    """A message in parts."""

    text: str
    reference: str | list[str] | None
    """The picture in the message, or the pictures, as references: ``data:`` URIs or URLs."""
    message: HumanMessage
    """The message as the dialogue keeps it: a picture in it is replaced by a mention."""


@dataclass(frozen=True)
class DialogueRequest:
    """A request. ``show``: only to look at ``turn`` again, nothing is searched."""

    turn: str | None
    """The turn to go on from; None: a new dialogue."""
    modification: str = ""
    reference: str | None = None
    liked: tuple[str, ...] = ()
    disliked: tuple[str, ...] = ()
    combination: Combination | None = None
    """Several references, in the place of ``reference``; where ``turn`` has no such hits its words are an edit."""
    back: int = 0
    """How many turns before ``turn`` is meant."""
    show: bool = False
    remark: Remark | None = None
    """What is answered without a search."""
    new_dialogue: bool = False
    """Whether the line itself starts over: pictures and judgements from before it do not count then."""


INPUT = ("reference", "liked", "disliked", "k", "where", "turn")
"""The fields of a round's input, beside the message."""


def check_input(fields: Mapping[str, Any], names: Iterable[str] = INPUT) -> None:
    """Raises InvalidRequestError, with the field's name, for what goes beyond the bounds of an agent's input."""
    try:
        for name in names:
            check_value(name, fields.get(name))
    except ValueError as error:
        raise InvalidRequestError(f"{error}.") from None


def last_input(messages: Sequence[AnyMessage]) -> UserInput:
    """The words and the pictures of the last message. Raises InvalidRequestError where it is no user's message."""
    last = messages[-1] if messages else None
    if not isinstance(last, HumanMessage):
        raise InvalidRequestError(
            "There is nothing to answer: send a user message that says what the picture should show."
        )
    if isinstance(last.content, list) and len(last.content) > MAX_JUDGED:
        raise InvalidRequestError(f"messages: the last one has {len(last.content):,} parts: send {MAX_JUDGED} at most.")
    check_input({"message": last.text}, ["message"])
    pictures = [block for block in last.content_blocks if block["type"] == "image"]
    text = last.text
    if not pictures:
        return UserInput(text, None, last)
    mention = "\n".join(filter(None, [text.strip(), *["[picture]"] * len(pictures)]))
    references = [_uri(each) for each in pictures]
    message = last.model_copy(update={"content": mention})
    return UserInput(text, references if references[1:] else references[0], message)


def _uri(block: Mapping[str, Any]) -> str:
    """An image block as a reference: a ``data:`` URI or a URL."""
    if data := block.get("base64"):
        return f"data:{block.get('mime_type') or 'image/png'};base64,{data}"
    if url := block.get("url"):
        return str(url)
    raise InvalidRequestError("The picture in the message has neither bytes nor a URL: send it as base64.")


def read_request(text: str, turn: str | None, last: str | None) -> DialogueRequest:
    """The request of a line while the dialogue is at ``turn``. Raises InvalidRequestError for what is no request.

    ``last`` is the turn that was found last: another one where a question about it is open.
    """
    return _request(parse_line(text), turn, last)


def _request(line: ParsedLine, turn: str | None, last: str | None) -> DialogueRequest:
    match line:
        case Refine(_, reference, liked, disliked) if turn is None and (liked or disliked or _is_rank(reference)):
            raise InvalidRequestError("There are no hits to pick from: search first, say what the picture should show.")
        case Refine(modification, reference, liked, disliked, combination):
            return DialogueRequest(turn, modification, reference, liked, disliked, combination)
        case Find(text):
            return DialogueRequest(None, text, new_dialogue=True)
        case New(reference, modification):
            return DialogueRequest(None, modification, reference, new_dialogue=True)
        case Goto(goal, None):
            return DialogueRequest(goal, show=True)
        case Goto(goal, then):
            return _request(then or Refine(), goal, goal)
        case Undo(steps) if last is not None:
            return DialogueRequest(last, back=steps, show=True)
        case Show() if last is not None:
            return DialogueRequest(last, show=True)
        case Undo() | Show():
            raise InvalidRequestError("Nothing was searched yet: say what the picture should show.")
        case Remark():
            return DialogueRequest(turn, remark=line)
        case Command("help"):
            return DialogueRequest(turn, remark=Remark("help"))
        case Command("quit"):
            return DialogueRequest(turn, remark=Remark("farewell"))
        case Command("nothing"):
            return DialogueRequest(turn)
        case _:
            raise InvalidRequestError(
                "Only `ipcir chat` has that command: say what should be different, pick a hit ('3', 'more like 2'), "
                "go back ('undo'), or start over ('find a red dress')."
            )


def _is_rank(reference: str | None) -> bool:
    return reference is not None and reference.isdecimal() and len(reference) <= 4


def read_reply(reply: Any) -> tuple[str, str | list[str] | None] | None:
    """The words and the picture of a value that resumes a question; None for what is no answer.

    A text or a number answers, and ``{"text": ..., "reference": ...}`` with either or both.
    """
    fields = reply if isinstance(reply, dict) else {"text": reply}
    text, reference = fields.get("text"), fields.get("reference")
    check_input({"message": text, "reference": reference}, ["message", "reference"])
    if text is None or (isinstance(text, int) and not isinstance(text, bool)):
        text = "" if text is None else str(text)
    if not isinstance(text, str) or not isinstance(reference, str | list | None) or not (text.strip() or reference):
        return None
    return text.strip(), reference or None


def read_remark(text: str) -> Remark | None:
    """The remark that a line is, where it leaves a dialogue where it is: starting over does not."""
    line = parse_line(text)
    if isinstance(line, Remark) and line.kind != "restart":
        return line
    return Remark("help") if line == Command("help") else None


def named_reference(text: str) -> str | None:
    """The picture that a text names and nothing else: an id, a file or a URL."""
    line = parse_line(f"new {text.strip()}")
    return line.reference if isinstance(line, New) and not line.modification else None
