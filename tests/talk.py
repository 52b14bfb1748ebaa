"""A conversation as data, and an OpenAI-compatible server on the loopback interface that holds it as a model would.

The conversation knows no id beforehand: each of its rounds reads what the rounds before it found. So one and the same
is held by a language model (``TalkingServer``), through MCP, or by hand::

    seen: list[Outcome] = []
    for step in CONVERSATION:
        for asked in step.rounds:
            seen += [read(call(tool, arguments)) for tool, arguments in asked(seen)]
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world.wardrobe import wardrobe
from ipcir_tools.engine.engine import Engine
from ipcir_tools.settings import Settings

# --- the conversation


@dataclass(frozen=True)
class Outcome:
    """What a tool answered: its words and, where it searched, the turn and the ids of its hits, best first."""

    text: str
    turn: str | None = None
    hits: tuple[str, ...] = ()


Seen = Sequence[Outcome]
"""All outcomes so far, in the order of the calls."""
Call = tuple[str, dict[str, Any] | str]
"""A tool's name and its arguments; a string is sent as it is, which need not be JSON."""
Round = Callable[[Seen], list[Call]]
"""The calls of one message, which run side by side."""


@dataclass(frozen=True)
class Step:
    """What a user says, and the rounds of calls that answer it."""

    words: str
    rounds: tuple[Round, ...]


def read(answer: str | dict[str, Any]) -> Outcome:
    """The outcome of a call, from a tool's text or from the small data that it answers with over MCP."""
    if isinstance(answer, dict):
        return Outcome(json.dumps(answer), answer.get("turn"), tuple(hit["id"] for hit in answer.get("hits", ())))
    turn = re.match(r"turn (\w+)", answer)
    hits = re.findall(r"^\d+\. ([0-9a-f]{16}) ", answer, re.MULTILINE) if turn else ()
    return Outcome(answer, turn[1] if turn else None, tuple(hits))


def _search(seen: Seen) -> list[Call]:
    return [("compose_search", {"reference": seen[0].hits[0], "modification": "make it red"})]


def _feedback(seen: Seen) -> list[Call]:
    judged = {"liked": ["2"], "disliked": [seen[1].hits[2]]}
    return [("refine_search", {"turn": seen[1].turn, "modification": "make it striped", **judged})]


def _too_far(seen: Seen) -> list[Call]:
    return [("refine_search", {"turn": seen[2].turn, "reference": "9", "modification": "make it shorter"})]


def _mended(seen: Seen) -> list[Call]:
    """The last hit that there is, which only the error tells: "it has 5"."""
    count = re.search(r"it has (\d+)", seen[-1].text)
    assert count is not None, f"the error does not say what to do: {seen[-1].text}"
    return [("refine_search", {"turn": seen[2].turn, "reference": count[1], "modification": "make it shorter"})]


def _branch(seen: Seen) -> list[Call]:
    return [("refine_search", {"turn": seen[1].turn, "modification": "make it plain", "k": 4})]


def _both(seen: Seen) -> list[Call]:
    return [("refine_search", {"turn": seen[5].turn, "modification": f"in {colour}"}) for colour in ("green", "black")]


CONVERSATION: list[Step] = [
    Step(
        "Look for coats, and then for ones like the best of them, but in red.",
        (lambda seen: [("find_images", {"text": "a coat", "k": 3})], _search),
    ),
    Step("The second is nice, the third is not. And make it striped.", (_feedback,)),
    Step("Go on from the ninth of those, but shorter.", (_too_far, _mended)),
    Step("No: back to the red ones, and make those plain.", (_branch,)),
    Step("Show me these in green, and in black.", (_both,)),
]
"""Search; refine with feedback; an error that has to be corrected; undo and branch; two calls side by side."""
OUTCOMES = ("found", "red", "striped", "error", "shorter", "plain", "green", "black")
"""What each outcome of the conversation is, in order."""
PARENTS = (None, None, 1, None, 2, 1, 5, 5)
"""On which outcome each one builds."""


def open_wardrobe(home: Path, **chosen: Any) -> Engine:
    """An engine on the demo models; a new home gets a gallery of 49 drawn garments, the same on every machine."""
    engine = Engine.open(Settings(home=home, models="demo", **chosen))
    if not engine.catalog.size():
        folder = home / "pictures"
        folder.mkdir()
        for picture in wardrobe("test", families=60).pictures[::37]:
            render(picture.garment, picture.scene).save(folder / picture.name, "JPEG", quality=92)
        engine.index([folder])
    return engine


# --- the server


@dataclass(frozen=True)
class _Message:
    """One message of a request, of either API."""

    role: str
    text: str
    calls: tuple[str, ...] = ()
    """Ids of the calls that a model made."""
    answers: str = ""
    """The id of the call that a tool answers."""


class TalkingServer:
    """Answers ``/v1/chat/completions`` and ``/v1/responses`` as the model of a conversation.

    It keeps no state: where the conversation stands is read from the messages of each request, so it goes on with one
    that is resumed. What OpenAI refuses it refuses, with status 400. A request without tools is for an imagination.
    """

    def __init__(self, http: HTTPServer, conversation: Sequence[Step] = CONVERSATION) -> None:
        self.conversation = conversation
        self.url = http.url_for("/v1")
        self.bodies: list[dict[str, Any]] = []
        """The requests that brought tools, in order."""
        self.imaginations: list[dict[str, Any]] = []
        """The requests for an imagination."""
        http.expect_request("/v1/chat/completions").respond_with_handler(self._chat)
        http.expect_request("/v1/responses").respond_with_handler(self._responses)

    def _chat(self, request: Request) -> Response:
        body = json.loads(request.data)
        if "tools" not in body:
            self.imaginations.append(body)
            return _sends(_completion(_imagined(_text(body["messages"][-1]["content"]))))
        messages = list(map(_from_message, body["messages"]))
        return self._answer(body, messages, _faults(body["messages"]), _completion)

    def _responses(self, request: Request) -> Response:
        body = json.loads(request.data)
        return self._answer(body, list(map(_from_item, body["input"])), _item_faults(body["input"]), _response)

    def _answer(
        self,
        body: dict[str, Any],
        messages: list[_Message],
        faults: Iterator[str],
        reply: Callable[[str, dict[str, Call]], dict[str, Any]],
    ) -> Response:
        self.bodies.append(body)
        if fault := next(faults, None):
            return _sends({"error": {"message": fault, "type": "invalid_request_error"}}, 400)
        return _sends(reply(*self._next(messages)))

    def _next(self, messages: list[_Message]) -> tuple[str, dict[str, Call]]:
        """The words of the next message, or its calls by their ids."""
        steps = {step.words: step for step in self.conversation}
        at = max(i for i, message in enumerate(messages) if message.role == "user" and message.text in steps)
        outputs = {message.answers: message.text for message in messages if message.answers}
        made = [id_ for message in messages for id_ in message.calls]
        seen = [read(outputs[id_]) for id_ in made]
        done = sum(len(message.calls) for message in messages[:at])
        for asked in steps[messages[at].text].rounds:
            calls = asked(seen[:done])
            if done == len(seen):
                return "", {f"call_{done + i}": call for i, call in enumerate(calls)}
            done += len(calls)
        return f"Done: {', '.join(seen[-1].hits)}", {}


def _from_message(message: dict[str, Any]) -> _Message:
    calls = tuple(call["id"] for call in message.get("tool_calls") or ())
    return _Message(message["role"], _text(message["content"]), calls, message.get("tool_call_id", ""))


def _from_item(item: dict[str, Any]) -> _Message:
    match item.get("type"):
        case "function_call":
            return _Message("assistant", "", (item["call_id"],))
        case "function_call_output":
            return _Message("tool", _text(item["output"]), answers=item["call_id"])
        case _:
            return _Message(item["role"], _text(item["content"]))


def _text(content: str | list[dict[str, Any]] | None) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content or ())


def _faults(messages: list[dict[str, Any]]) -> Iterator[str]:
    """What Chat Completions answers 400 to: pictures outside of the user's messages, calls without their answers."""
    waiting: list[str] = []
    for i, message in enumerate(messages):
        blocks = message["content"] if isinstance(message.get("content"), list) else []
        if message["role"] != "user" and any(block["type"] != "text" for block in blocks):
            yield f"messages[{i}]: images are only allowed for messages with role 'user'."
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                yield f"messages[{i}]: a 'tool' message must follow the 'tool_calls' that it answers."
            waiting = [id_ for id_ in waiting if id_ != message["tool_call_id"]]
        elif waiting:
            yield f"messages[{i}]: the 'tool_calls' {waiting} must be followed by their 'tool' messages."
        waiting += [call["id"] for call in message.get("tool_calls") or ()]


def _item_faults(items: list[dict[str, Any]]) -> Iterator[str]:
    """What the Responses API answers 400 to."""
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    outputs = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    if len(calls) != len(set(calls)) or sorted(calls) != sorted(outputs):
        yield f"the calls {calls} need one output each, not {outputs}."
    for i, item in enumerate(items):
        blocks = item["content"] if isinstance(item.get("content"), list) else []
        if wrong := {block["type"] for block in blocks} - {"input_text", "input_image", "output_text"}:
            yield f"input[{i}]: there is no content of type {wrong}."


def _imagined(request: str) -> str:
    asked = request.rpartition("<modification>")[2].partition("</modification>")[0].strip()
    return json.dumps({"description": f"A coat, {asked}.", "keep": [], "add": [], "remove": [], "alternatives": []})


def _sends(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _arguments(call: Call) -> str:
    return call[1] if isinstance(call[1], str) else json.dumps(call[1])


def _completion(text: str, calls: dict[str, Call] | None = None) -> dict[str, Any]:
    """A reply of Chat Completions."""
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": call[0], "arguments": _arguments(call)}}
            for id_, call in calls.items()
        ]
    choice = {"index": 0, "finish_reason": "tool_calls" if calls else "stop", "message": message}
    return {
        "id": f"chatcmpl-{uuid4().hex}",
        "object": "chat.completion",
        "created": 0,
        "model": "talk",
        "choices": [choice],
    }


def _response(text: str, calls: dict[str, Call]) -> dict[str, Any]:
    """A reply of the Responses API. Its ids are new: a state keeps one message of each id."""
    output: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "id": f"fc_{id_}",
            "call_id": id_,
            "name": call[0],
            "arguments": _arguments(call),
            "status": "completed",
        }
        for id_, call in calls.items()
    ]
    if text:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        output.append(
            {
                "type": "message",
                "id": f"msg_{uuid4().hex}",
                "role": "assistant",
                "status": "completed",
                "content": content,
            }
        )
    return {
        "id": f"resp_{uuid4().hex}",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "model": "talk",
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
