"""Chat servers on the loopback interface that misbehave, one manner a line, below HTTP where need be.

``MODES`` is the table: how the server answers, and what comes of it; ``CAPTIONER_MODES`` the same of captioners.
``RawServer`` writes the bytes.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Answer = Callable[["RawServer", socket.socket], None]

JSON = "Content-Type: application/json"
EVENTS = "Content-Type: text/event-stream"
GOOD = "a blue shirt with long sleeves and white dots"
DESCRIBED = json.dumps({"description": GOOD, "keep": ["shirt"], "add": ["blue"], "remove": ["red"], "alternatives": []})


def in_buffers() -> int:
    """Bytes that a server can send although nobody reads them: what Linux lets both buffers of a connection grow to,
    which differs from machine to machine."""
    limits = [Path(f"/proc/sys/net/ipv4/tcp_{name}") for name in ("rmem", "wmem")]
    return sum(int(each.read_text().split()[-1]) if each.exists() else 8_000_000 for each in limits)


class RawServer:
    """Answers each connection by writing bytes, and knows when its client has hung up."""

    def __init__(self, answer: Answer | None = None, scheme: str = "http", *, reads: bool = True) -> None:
        self.answer: Answer = answer or whole
        self._reads = reads
        self.requests: list[bytes] = []
        self.sent = 0
        self.hung_up = threading.Event()
        self.other: RawServer | None = None
        """Where it redirects to."""
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def end(self) -> None:
        """Hang up on everybody."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        self._open.append(connection)
        with connection:
            connection.settimeout(20)
            try:
                self.requests.append(received(connection) if self._reads else b"")
                self.answer(self, connection)
            except OSError:
                self.hung_up.set()

    def write(self, connection: socket.socket, data: bytes) -> None:
        connection.sendall(data)
        self.sent += len(data)

    def wait_for_the_end(self, connection: socket.socket) -> None:
        """Read until the client closes the connection."""
        while connection.recv(4_096):
            pass
        self.hung_up.set()


def received(connection: socket.socket) -> bytes:
    """One request with its body; what comes first where it is no HTTP."""
    data = b""
    while part := connection.recv(65_536):
        data += part
        head, end, body = data.partition(b"\r\n\r\n")
        if not head[:4].isalpha():
            break
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if end and len(body) >= int(lengths[0] if lengths else 0):
            break
    return data


# --- what is written


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def completion(content: Any = DESCRIBED, **changes: Any) -> bytes:
    """A completion with these changes at its top, in the choice or in the message."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    for each in (body, choice, message):
        each |= {name: changes.pop(name) for name in list(changes) if name in each or each is message}
    return json.dumps(body).encode()


def chunk(text: str | None, **changes: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice], **changes}
    return f"data: {json.dumps(event)}\n\n".encode()


def answered(body: bytes, *lines: str, status: str = "200 OK") -> Answer:
    """The body as JSON, or with other header lines."""
    lines = (*(lines or (JSON,)), f"Content-Length: {len(body)}", "Connection: close")
    return lambda server, connection: server.write(connection, head(*lines, status=status) + body)


def content(text: Any, **changes: Any) -> Answer:
    """A completion with this content."""
    return answered(completion(text, **changes))


def usage(value: Any) -> Answer:
    """A good reply with this account of its tokens."""
    return answered(completion(usage=value))


def tokens(value: Any) -> Answer:
    """A good reply with this number of tokens."""
    return usage(dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), value))


COUNTS = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}


def spent_in_a_stream(account: Any) -> Answer:
    """A good reply in pieces, and this account of its tokens behind it."""
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    pieces = [chunk(DESCRIBED[:40]), chunk(DESCRIBED[40:]), chunk(None, choices=[last])]
    return streamed(*pieces, chunk(None, choices=[], usage=account), b"data: [DONE]\n\n")


def failing(status: str, *lines: str, message: str = "no") -> Answer:
    body = json.dumps({"error": {"message": message, "type": "server_error", "param": None, "code": None}}).encode()
    return answered(body, JSON, *lines, status=status)


def whole(server: RawServer, connection: socket.socket) -> None:
    body = completion()
    server.write(connection, head(JSON, f"Content-Length: {len(body)}") + body)


def streamed(*events: bytes, end: Answer | None = None) -> Answer:
    """These events, and then the end of the connection or what ``end`` does."""

    def answer(server: RawServer, connection: socket.socket) -> None:
        server.write(connection, head(EVENTS, "Connection: close") + b"".join(events))
        if end:
            end(server, connection)

    return answer


# --- how it is written


def dripping(start: bytes, drop: bytes) -> Answer:
    """One piece after the other, for ever."""
    return _repeating(start, drop, 0.02)


def pouring(start: bytes, piece: bytes) -> Answer:
    """As fast as the client reads, for ever."""
    return _repeating(start, piece)


def _repeating(start: bytes, piece: bytes, pause: float = 0.0) -> Answer:
    def answer(server: RawServer, connection: socket.socket) -> None:
        server.write(connection, start)
        while True:
            server.write(connection, piece)
            if pause:
                time.sleep(pause)

    return answer


def holding(data: bytes = b"") -> Answer:
    """These bytes, and then silence."""

    def answer(server: RawServer, connection: socket.socket) -> None:
        server.write(connection, data)
        server.wait_for_the_end(connection)

    return answer


@cache
def packed_blanks(encoding: str) -> bytes:
    """100 MB of blanks in a hundred kB, or for ``br`` a stream that nobody unpacks."""
    if encoding == "br":
        return b"\x1b" * 999
    packer = zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(100)) + packer.flush()


def bomb(encoding: str) -> Answer:
    """What unpacks to more than anybody wants."""

    def answer(server: RawServer, connection: socket.socket) -> None:
        packed = packed_blanks(encoding)
        server.write(connection, head(JSON, f"Content-Encoding: {encoding}", f"Content-Length: {len(packed)}") + packed)
        server.wait_for_the_end(connection)

    return answer


def reset(server: RawServer, connection: socket.socket) -> None:
    """The connection is reset in the middle of the body."""
    server.write(connection, head(JSON, "Content-Length: 1000") + b'{"id"')
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def example(server: RawServer, connection: socket.socket) -> None:
    """The example of the prompt, word by word."""
    asked = json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])
    instructions = asked["messages"][0]["content"]
    content(instructions[instructions.rfind('{"') :])(server, connection)


def redirect(status: int, place: str) -> Answer:
    def answer(server: RawServer, connection: socket.socket) -> None:
        where = place.format(port=server.other.port if server.other else 0)
        answered(b"", f"Location: {where}", status=f"{status} Elsewhere")(server, connection)

    return answer


# --- the table


@dataclass(frozen=True)
class Mode:
    """One way to misbehave."""

    answer: Answer
    flagged: str | None
    """A pattern in the warnings of the result; None: the reply is good, and is used."""
    streams: bool = False
    """Whether the client asks for a stream."""
    ends: bool = False
    """Whether the client is to hang up, for the server never would."""
    scheme: str = "http"

    @property
    def seconds(self) -> float:
        """For the whole request: as few as possible where it takes all of them."""
        return 0.5 if self.flagged in (IN_TIME, IN_VAIN) else 10.0


IN_TIME, TOO_LONG, NONE = "in time", "more than 8,000,000 bytes", "no chat completion"
IN_VAIN = "waited for in vain"
UNUSABLE, REACHED, ELSEWHERE = "could not be used", "could not be reached", "which is not followed"

MODES: dict[str, Mode] = {
    # time
    "silent": Mode(holding(), IN_TIME, ends=True),
    "slow headers": Mode(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"a"), IN_TIME, ends=True),
    "silent after headers": Mode(holding(head(JSON, "Content-Length: 99")), IN_TIME, ends=True),
    "dripping body": Mode(dripping(head(JSON), b" "), IN_TIME, ends=True),
    "dripping events": Mode(dripping(head(EVENTS), chunk("a ")), IN_TIME, streams=True, ends=True),
    "dripping comments": Mode(dripping(head(EVENTS), b": ping\n\n"), IN_TIME, streams=True, ends=True),
    "silent in a stream": Mode(streamed(chunk(DESCRIBED), end=holding()), IN_TIME, streams=True, ends=True),
    "silent handshake": Mode(holding(), IN_TIME, ends=True, scheme="https"),
    "endless interim answers": Mode(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), IN_TIME, ends=True),
    # bytes
    "endless body": Mode(pouring(head(JSON), b" " * 65_536), TOO_LONG, ends=True),
    "endless headers": Mode(pouring(b"HTTP/1.1 200 OK\r\n", b"X: " + b"a" * 65_000 + b"\r\n"), REACHED, ends=True),
    "endless events": Mode(pouring(head(EVENTS), chunk("blue " * 10_000)), "2,000,000 char", streams=True, ends=True),
    "one endless event": Mode(pouring(head(EVENTS) + b"data: ", b"a" * 65_536), TOO_LONG, streams=True, ends=True),
    "announced gigabytes": Mode(holding(head(JSON, "Content-Length: 5000000000")), TOO_LONG, ends=True),
    "gzip bomb": Mode(bomb("gzip"), TOO_LONG, ends=True),
    "deflate bomb": Mode(bomb("deflate"), TOO_LONG, ends=True),
    "brotli": Mode(bomb("br"), "compressed as 'br'", ends=True),
    "100,000 tokens": Mode(content("blue " * 100_000), UNUSABLE),
    # connections
    "length too long": Mode(answered(completion(), JSON, "Content-Length: 99999"), REACHED),
    "closed in the body": Mode(streamed(b""), NONE),
    "closed at once": Mode(lambda server, connection: None, REACHED),
    "reset": Mode(reset, REACHED),
    "no TLS": Mode(answered(b""), REACHED, scheme="https"),
    "TLS garbage": Mode(pouring(b"\x16\x03\x03\x40\x00", b"\x00" * 16_384), REACHED, scheme="https"),
    "no HTTP": Mode(holding(b"SSH-2.0-OpenSSH_9.6\r\n"), IN_TIME, ends=True),
    # other addresses
    "301": Mode(redirect(301, "http://localhost:{port}/v1"), ELSEWHERE),
    "307": Mode(redirect(307, "http://localhost:{port}/v1"), ELSEWHERE),
    "308": Mode(redirect(308, "http://localhost:{port}/v1"), ELSEWHERE),
    "redirect to itself": Mode(redirect(307, "/v1/chat/completions"), ELSEWHERE),
    "redirect to nonsense": Mode(redirect(307, "http://[::1/{port}"), ELSEWHERE),
    # errors
    "500": Mode(failing("500 No"), "reported an error"),
    "502 as a page": Mode(answered(b"<html>bad gateway</html>", "Content-Type: text/html", status="502 No"), "error"),
    "503 for ever": Mode(failing("503 No", "Retry-After: 1e9"), IN_VAIN),
    "429 from the past": Mode(failing("429 No", "Retry-After: -5"), IN_VAIN),
    "429 and nonsense": Mode(failing("429 No", "Retry-After: soon"), IN_VAIN),
    "400 of a megabyte": Mode(failing("400 No", message="no " * 350_000), "reported an error"),
    "204": Mode(answered(b"", status="204 Nothing"), NONE),
    # bodies
    "a page": Mode(answered(b"<html>sign in</html>", "Content-Type: text/html"), NONE),
    "nothing": Mode(answered(b""), NONE),
    "null": Mode(answered(b"null"), NONE),
    "a number": Mode(answered(b"7"), NONE),
    "a list": Mode(answered(b"[]"), NONE),
    "half of it": Mode(answered(completion()[:60]), NONE),
    "bytes that are no text": Mode(answered(b'{"choices": "\xff\xfe\x80"}'), NONE),
    "deep JSON": Mode(answered(b'{"choices":' + b"[" * 100_000), NONE),
    "a number of a million digits": Mode(answered(b'{"created":' + b"9" * 1_000_000 + b"}"), "reported an error"),
    "no choices": Mode(answered(completion(choices=[])), NONE),
    "choices null": Mode(answered(completion(choices=None)), NONE),
    "choices of strings": Mode(answered(completion(choices=["a"])), NONE),
    "an error in place of choices": Mode(answered(b'{"error": {"message": "overloaded"}}'), NONE),
    "message null": Mode(answered(completion(message=None)), NONE),
    "no role": Mode(content(DESCRIBED, role=None), NONE),
    "content null": Mode(content(None), UNUSABLE),
    "content empty": Mode(content(""), UNUSABLE),
    "content a number": Mode(content(7), NONE),
    "content an object": Mode(content({"a": 1}), NONE),
    "content nested": Mode(content([[["a"]]]), NONE),
    "a tool call": Mode(
        content(None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]),
        UNUSABLE,
    ),
    "a broken tool call": Mode(content(None, tool_calls=[{"id": 1, "function": "f"}]), NONE),
    "withheld": Mode(content("", finish_reason="content_filter"), "withheld"),
    "a refusal": Mode(content(None, refusal="I cannot help with that."), "declined"),
    "an apology": Mode(content("I'm sorry, but I can't describe this picture."), "declined"),
    "an error as text": Mode(content("Error: model overloaded"), UNUSABLE),
    "the prompt's example": Mode(example, UNUSABLE),
    "the caption again": Mode(content("a red shirt"), UNUSABLE),
    "half a surrogate": Mode(content("\ud800 \ud800 \udfff"), UNUSABLE),
    "a stream without events": Mode(streamed(b""), NONE, streams=True),
    "a stream of nonsense": Mode(streamed(b"data: {]}\n\n"), NONE, streams=True),
    "a stream cut off": Mode(streamed(chunk("{")), UNUSABLE, streams=True),
    "an error in a stream": Mode(streamed(b'data: {"error": {"message": "busy"}}\n\n'), "busy", streams=True),
    # good replies with something odd about them
    "with a mark of the byte order": Mode(answered(b"\xef\xbb\xbf" + completion()), None),
    "of another model": Mode(answered(completion(model="gpt-of-somebody")), None),
    "model null": Mode(answered(completion(model=None)), None),
    "content in blocks": Mode(content([{"type": "text", "text": DESCRIBED}]), None),
    "an unknown finish": Mode(content(DESCRIBED, finish_reason="because"), None),
    "no usage": Mode(usage(None), None),
    "usage 1e30": Mode(tokens(1e30), None),
    "usage 10**40": Mode(tokens(10**40), None),
    "usage NaN": Mode(tokens(float("nan")), None),
    "usage infinite": Mode(tokens(float("inf")), None),
    "usage negative": Mode(tokens(-5), None),
    "usage of strings": Mode(tokens("many"), None),
    "usage of lists": Mode(tokens([1]), None),
    "usage of nulls": Mode(tokens(None), None),
    "usage in parts": Mode(usage({"prompt_tokens": 1}), None),
    "usage a list": Mode(usage([1, 2]), None),
    "usage a string": Mode(usage("many"), None),
    "usage with odd details": Mode(
        usage({"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18, "prompt_tokens_details": "none",
               "completion_tokens_details": {"reasoning_tokens": "x"}}), None
    ),
    "usage of strings in a stream": Mode(spent_in_a_stream({"prompt_tokens": "x"}), None, streams=True),
    "usage a list in a stream": Mode(spent_in_a_stream([1]), None, streams=True),
    "usage 1e30 in a stream": Mode(spent_in_a_stream(COUNTS | {"total_tokens": 1e30}), None, streams=True),
    "usage with odd details in a stream": Mode(
        spent_in_a_stream(COUNTS | {"prompt_tokens_details": "none"}), None, streams=True
    ),
}  # fmt: skip


# --- captioners: what is no caption is none, and why is said

CAPTION = "a blue shirt with long sleeves"
PROMPT_AGAIN = "Describe this picture in one plain English sentence of at most 25 words: what it shows"

CAPTIONER_MODES: dict[str, Mode] = {
    **{
        name: MODES[name]
        for name in (
            *("silent", "slow headers", "dripping body", "endless body", "gzip bomb", "307", "redirect to itself"),
            *("reset", "500", "503 for ever", "nothing", "choices null", "withheld", "a refusal"),
        )
    },
    "a page": Mode(MODES["a page"].answer, "reported an error"),
    "content null": Mode(content(None), "it answered with nothing"),
    "blanks": Mode(content(" \n "), "it answered with nothing"),
    "no words": Mode(content("\u2026 !!! 1234"), "with no words"),
    "an apology": Mode(content("I\u2019m sorry, but I can\u2019t help with identifying people."), "with a refusal"),
    "no picture arrived": Mode(content("Please upload the image you want described."), "with a refusal"),
    "JSON": Mode(content('{"caption": "a shirt"}'), "with JSON"),
    "JSON in a fence": Mode(content('```json\n{"caption": "a shirt"}\n```'), "with JSON"),
    "a tool call": Mode(
        content(None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]),
        "with JSON",
    ),
    "an error as text": Mode(content("Error: 503 upstream overloaded"), "with an error's text"),
    "thoughts without end": Mode(content("<think>The user wants"), "with thoughts alone"),
    "the request again": Mode(content(PROMPT_AGAIN), "with its own instructions"),
    "100,000 tokens": Mode(content("blue " * 100_000), "with more than 4,000 characters"),
    "thoughts before it": Mode(content(f"<think>It shows a shirt.</think>\n{CAPTION}"), None),
    "usage NaN": Mode(content(CAPTION, usage={"prompt_tokens": float("nan"), "completion_tokens": "x"}), None),
    "usage a list": Mode(content(CAPTION, usage=[1e30]), None),
}
