"""An OpenAI-compatible chat server on the loopback interface, with the manners of real servers and small models.

A manner answers one request: it is a function from ``Asked`` to a reply's text, or to a whole ``Response``. Manners
that say *how* a server answers wrap those that say *what*::

    server = LLMServer(http, example_copier)                    # whatever is asked, the prompt's own example
    server = LLMServer(http, once(caption_copier, imagining))   # better after the repair request
    server.manner = cut(imagining, 30)                          # another manner from now on
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Condition, Event
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ipcir_tools.chains.imagination.rules import imagine_by_rules


@dataclass(frozen=True)
class Asked:
    """One request to the server."""

    body: dict[str, Any]

    @property
    def texts(self) -> list[str]:
        """The text of each message."""
        return [_text(message.get("content")) for message in self.body["messages"]]

    @property
    def instructions(self) -> str:
        """The text of the first message: the prompt's own words."""
        return self.texts[0]

    @property
    def streams(self) -> bool:
        """Whether the client wants the reply in pieces."""
        return bool(self.body.get("stream"))

    def block(self, name: str) -> str:
        """The data between the last tags of that name: ``caption``, ``modification``, ``history``."""
        found = re.findall(rf"<{name}>\n?(.*?)\n?</{name}>", "\n".join(self.texts), re.DOTALL)
        return found[-1].strip() if found else ""


Manner = Callable[[Asked], str | Response]


class LLMServer:
    """Answers ``/v1/chat/completions`` as its ``manner`` does, in pieces where the client wants that.

    ``asked`` holds every request in order; ``/v1/models`` names one model.
    """

    def __init__(self, http: HTTPServer, manner: Manner) -> None:
        self.http = http
        self.url = http.url_for("/v1")
        self.manner = manner
        self.asked: list[Asked] = []
        http.expect_request("/v1/chat/completions").respond_with_handler(self._respond)
        http.expect_request("/v1/models").respond_with_json({"object": "list", "data": [{"id": "toy"}]})

    def _respond(self, request: Request) -> Response:
        asked = Asked(json.loads(request.data))
        self.asked.append(asked)
        reply = self.manner(asked)
        return reply if isinstance(reply, Response) else completion(asked, reply)


# --- replies as a server sends them


def completion(asked: Asked, text: str, finish: str = "stop") -> Response:
    """A reply of Chat Completions: whole, or as events where the client streams."""
    head = {"id": "1", "created": 0, "model": asked.body.get("model", "toy")}
    if asked.streams:
        return Response(_events(head, text, finish), content_type="text/event-stream")
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 100, "completion_tokens": len(text.split()), "total_tokens": 100 + len(text.split())}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    body = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    return Response(json.dumps(body), content_type="application/json")


def failure(status: int, message: str, **headers: str) -> Response:
    """An error as OpenAI's API words it."""
    body = {"error": {"message": message, "type": "server_error", "param": None, "code": None}}
    return Response(json.dumps(body), status, headers=headers, content_type="application/json")


def _events(head: dict[str, Any], text: str, finish: str) -> Iterator[str]:
    def event(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"

    yield event({"role": "assistant", "content": ""})
    for piece in re.findall(r"\S*\s*", text):
        yield event({"content": piece})
    yield event({}, finish)
    yield "data: [DONE]\n\n"


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content or ())


# --- what a model writes


def imagining(asked: Asked) -> str:
    """A good reply: what the rules would write."""
    previous = re.findall(r"picture: (.*)", asked.block("history"))
    target = imagine_by_rules(previous[-1] if previous else asked.block("caption"), asked.block("modification"))
    return reply(asked, target.description, keep=target.keep, add=target.add, remove=target.remove)


def example_copier(asked: Asked) -> str:
    """The example that stands in the prompt, word by word."""
    at = asked.instructions.rfind('{"')
    return asked.instructions[at:] if at >= 0 else asked.instructions.splitlines()[-1]


def caption_copier(asked: Asked) -> str:
    """The caption of the reference, as if no change had been asked for."""
    return reply(asked, asked.block("caption"), keep=[asked.block("caption")])


def modification_copier(asked: Asked) -> str:
    """The request alone, as if it were a description."""
    return reply(asked, asked.block("modification"))


def schema_echo(asked: Asked) -> str:
    """The JSON schema of the reply in place of the reply."""
    schema = asked.body.get("response_format", {}).get("json_schema", {}).get("schema")
    return json.dumps(schema or {"type": "object", "properties": {"description": {"type": "string"}}})


def placeholders(asked: Asked) -> str:
    """The form of the reply with nothing in it."""
    return reply(asked, "<description of the picture>", keep=["..."], add=["<what is new>"])


def rambling(asked: Asked) -> str:
    """Sentences about something else, in the form that was asked for."""
    return reply(asked, "The weather has been lovely lately and many people enjoy going out for a walk by the river.")


def json_in_prose(asked: Asked) -> str:
    """A good reply with talk around it."""
    return f"Sure! Here is what you wanted:\n```json\n{imagining(asked)}\n```\nLet me know if that {{helps}}!"


def contradictory(asked: Asked) -> str:
    """A reply whose lists say that the same thing is added and taken away."""
    return reply(asked, f"{asked.block('caption')} in blue", add=["blue"], remove=["blue"])


def reply(asked: Asked, description: str, **lists: Any) -> str:
    """A description in the form that the prompt asks for."""
    if "JSON" not in asked.instructions:
        return description
    names = ("keep", "add", "remove", "alternatives")
    return json.dumps({"description": description, **{name: list(lists.get(name, ())) for name in names}})


# --- how a server answers


def cut(manner: Manner, characters: int, finish: str = "length") -> Manner:
    """The first characters of another manner's reply; ``finish="stop"``: the server does not say that it was cut."""
    return lambda asked: completion(asked, _written(manner, asked)[:characters], finish)


def once(first: Manner, then: Manner) -> Manner:
    """One manner for the first request of a conversation, another for the repair request after it."""
    return lambda asked: (first if len(asked.texts) <= 2 else then)(asked)


def fenced(manner: Manner) -> Manner:
    """Another manner's reply in a code fence."""
    return lambda asked: f"```json\n{_written(manner, asked)}\n```"


def loading(manner: Manner, requests: int) -> Manner:
    """The first requests are answered as llama.cpp answers while it loads its model: 503."""
    left = iter(range(requests))
    return lambda asked: manner(asked) if next(left, None) is None else failure(503, "Loading model")


def busy(asked: Asked) -> Response:
    """No room, whatever is asked and however often."""
    return failure(503, "Loading model")


def single_slot(manner: Manner, seconds: float, *, queues: bool = True) -> Manner:
    """One request at a time, each for so long; the others wait in line, or are rejected as 503."""
    line: list[object] = []  # in the order of arrival, as servers queue; a lock may let a later one in first
    changed = Condition()

    def answer(asked: Asked) -> str | Response:
        place = object()
        with changed:
            if line and not queues:
                return failure(503, "no slot is available")
            line.append(place)
            changed.wait_for(lambda: line[0] is place)
        try:
            time.sleep(seconds)
            return manner(asked)
        finally:
            with changed:
                line.remove(place)
                changed.notify_all()

    return answer


def silent(until: Event) -> Manner:
    """No answer before ``until`` is set; a test sets it at its end, so that the server can stop."""

    def answer(asked: Asked) -> Response:
        until.wait(60)
        return failure(500, "too late")

    return answer


def _written(manner: Manner, asked: Asked) -> str:
    text = manner(asked)
    assert isinstance(text, str), "this manner answers more than a text"
    return text
