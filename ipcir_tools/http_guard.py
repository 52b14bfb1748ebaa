"""The guard before every HTTP server of the package: ASGI middleware that lets no stranger in and nothing endless.

It checks names, origins and the token (:class:`~ipcir_tools.http_access.Access`), bounds the size and the time of a
request's body and the number of requests at a time, and adds the headers that keep other pages from using an answer.
How long headers may take, and how many connections there may be, is the server's own part:
:mod:`ipcir_tools.http_serving`.
"""

from __future__ import annotations

from asyncio import get_running_loop, timeout_at
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ipcir_tools.http_access import Access, Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class HttpLimits:
    """What a server bears."""

    body: int = 1_000_000
    """Bytes of a request's body at most."""
    body_seconds: float = 15.0
    """Seconds that a body may take, and a second more for each ``body_rate`` bytes of it that have come."""
    body_rate: int = 65_536
    requests: int = 128
    """Requests at a time that are not mere reading (GET, HEAD)."""
    connections: int = 256
    header_seconds: float = 10.0
    """Seconds from the start of a connection, or the end of an answer, to the whole head of the next request."""
    write_seconds: float = 60.0
    """Seconds that an answer may wait for a client to read it."""


_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HTML = (b"content-type", b"text/html; charset=utf-8")
_SIGN_IN_POLICY = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
)
_CLOSE = ((b"connection", b"close"),)


class HttpGuard:
    """An ASGI application before another one."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        limits: HttpLimits | None = None,
        *,
        token_in_query: bool = False,
        sign_in: Callable[[bool], str] | None = None,
    ) -> None:
        """``token_in_query``: whether a browser may show the token once as ``?token=``; it gets a cookie for it.
        ``sign_in``: makes the HTML with which a person's browser is asked for the token; it is told whether the
        browser has just shown a wrong one."""
        self.app, self.access, self.limits = app, access, limits or HttpLimits()
        self._token_in_query, self._sign_in = token_in_query, sign_in
        self._running = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request, or let the application do it."""
        if scope["type"] == "websocket":
            if self.access.refusal(scope["headers"]) is None:
                await self.app(scope, receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        request = _Request(receive, send, self.limits)
        refusal = self._with_cookie(scope) or self.access.refusal(scope["headers"]) or request.too_large(scope)
        counted = scope["method"] not in ("GET", "HEAD")
        if refusal is None and counted and self._running >= self.limits.requests:
            refusal = Refusal(429, "Too many requests at a time: try again.", ((b"retry-after", b"1"),))
        if refusal is not None:
            await request.refuse(self._asking(refusal, scope))
            return
        self._running += counted
        try:
            await self.app(scope, request.receive, request.send)
        except BodyRefusedError:
            return
        finally:
            self._running -= counted

    def _asking(self, refusal: Refusal, scope: MutableMapping[str, Any]) -> Refusal:
        """The refusal; where a person's browser lacks the token, a page that asks for it."""
        kinds = (value for name, value in scope["headers"] if name.lower() == b"accept")
        if refusal.status != 401 or self._sign_in is None or not any(b"text/html" in kind for kind in kinds):
            return refusal
        is_wrong = self._token_in_query and b"token=" in scope["query_string"]
        page = self._sign_in(is_wrong)
        return Refusal(401, page, (*refusal.headers, _HTML, _SIGN_IN_POLICY, (b"cache-control", b"no-store")))

    def _with_cookie(self, scope: MutableMapping[str, Any]) -> Refusal | None:
        """Send who shows the token in the address to the same address without it, with a cookie."""
        if not self._token_in_query or scope["method"] != "GET" or b"token=" not in scope["query_string"]:
            return None
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "token" and self.access.is_token(value) for name, value in pairs):
            return None
        bearer = [each for each in scope["headers"] if each[0].lower() not in (b"authorization", b"cookie")]
        bearer.append((b"authorization", f"Bearer {self.access.token}".encode()))
        if (foreign := self.access.refusal(bearer)) is not None:
            return foreign
        rest = urlencode([pair for pair in pairs if pair[0] != "token"])
        place = "/" + scope.get("raw_path", scope["path"].encode()).decode("latin-1").lstrip("/\\")
        cookie = f"{self.access.cookie}; Path=/; HttpOnly; SameSite=Strict"
        where = (b"location", (f"{place}?{rest}" if rest else place).encode("latin-1"))
        return Refusal(303, "", (where, (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")))


class BodyRefusedError(Exception):
    """A body is too large or too slow. The client has its answer by then; an application need not know of it."""


class _Request:
    """The two ends of one request: its body is counted and timed, and no answer follows a refusal."""

    def __init__(self, receive: Receive, send: Send, limits: HttpLimits) -> None:
        self._receive, self._send, self._limits = receive, send, limits
        self._began, self._size, self._complete = get_running_loop().time(), 0, False
        self._started = self._refused = False

    def too_large(self, scope: MutableMapping[str, Any]) -> Refusal | None:
        lengths = [value for name, value in scope["headers"] if name.lower() == b"content-length"]
        sizes = [int(each) if each.isdigit() and len(each) < 16 else self._limits.body + 1 for each in lengths]
        return self._oversized() if any(size > self._limits.body for size in sizes) else None

    async def receive(self) -> Message:
        if self._complete or self._refused:
            return await self._receive()
        late = self._began + self._limits.body_seconds + self._size / self._limits.body_rate
        try:
            async with timeout_at(late):
                message = await self._receive()
        except TimeoutError:
            await self._end(Refusal(408, "The body of the request took too long.", _CLOSE))
        self._size += len(message.get("body", b""))
        if self._size > self._limits.body:
            await self._end(self._oversized())
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if self._refused:
            return
        if message["type"] == "http.response.start":
            self._started = True
            names = {name.lower() for name, _ in message.get("headers", ())}
            more = [each for each in _SAFE_HEADERS if each[0] not in names]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer in place of the application; nothing where its own answer has begun."""
        body = refusal.text.encode()
        size = (b"content-length", str(len(body)).encode())
        kind = () if _HTML in refusal.headers else ((b"content-type", b"text/plain; charset=utf-8"),)
        if not self._started:
            headers = [*kind, size, *refusal.headers]
            await self.send({"type": "http.response.start", "status": refusal.status, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})
        self._refused = True

    async def _end(self, refusal: Refusal) -> None:
        await self.refuse(refusal)
        raise BodyRefusedError(refusal.text)

    def _oversized(self) -> Refusal:
        return Refusal(413, f"The body of a request has {self._limits.body:,} bytes at most.", _CLOSE)
