"""The guard before an application, as ASGI: no server, no clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ipcir_tools.http_access import Access
from ipcir_tools.http_guard import HttpGuard, HttpLimits

TOKEN = "a-token-of-many-characters"
OWN = (b"host", b"127.0.0.1:8765")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]})
    await send({"type": "http.response.body", "body": str(size).encode()})


class Exchange:
    """One request and what is answered."""

    def __init__(self, *body: bytes, headers: Any = (OWN,), method: str = "POST", query: bytes = b"") -> None:
        self.scope = {"type": "http", "method": method, "path": "/a", "query_string": query, "headers": list(headers)}
        self._parts = list(body) or [b""]
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        if not self._parts:
            await asyncio.Event().wait()
        part = self._parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts) or part == b"..."}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def through(self, guard: Any) -> int:
        await guard(self.scope, self.receive, self.send)
        starts = [each for each in self.sent if each["type"] == "http.response.start"]
        assert len(starts) == 1
        self.headers = dict(starts[0]["headers"])
        return starts[0]["status"]


def guard(app: Any = echo, token: str | None = None, **limits: Any) -> HttpGuard:
    return HttpGuard(app, Access(port=8765, token=token), HttpLimits(**limits), token_in_query=True)


async def test_what_is_allowed_reaches_the_application_and_its_answer_the_client():
    exchange = Exchange(b"abc", b"de")
    assert await exchange.through(guard()) == 200
    assert exchange.sent[-1]["body"] == b"5"
    assert exchange.headers[b"x-content-type-options"] == b"nosniff"
    assert exchange.headers[b"x-frame-options"] == b"SAMEORIGIN"  # the application's own


@pytest.mark.parametrize(
    ("headers", "expected"),
    [([], 421), ([(b"host", b"evil.example")], 421), ([OWN, (b"origin", b"http://evil.example")], 403), ([OWN], 401)],
)
async def test_who_is_refused_does_not_reach_the_application(headers, expected):
    async def never(*_: Any) -> None:
        raise AssertionError

    exchange = Exchange(headers=headers)
    assert await exchange.through(guard(never, TOKEN)) == expected


@pytest.mark.parametrize("parts", [(b"x" * 11,), (b"x" * 6, b"x" * 6)])
@pytest.mark.parametrize("said", [None, b"3", b"11", b"9" * 5_000, b"-1", b"x"])
async def test_a_large_body_is_refused_whatever_its_header_says(parts, said):
    read = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await echo(scope, lambda: _noted(receive, read), send)
        except Exception:  # as frameworks do
            await send({"type": "http.response.start", "status": 500, "headers": []})
            raise

    exchange = Exchange(*parts, headers=[OWN, *([(b"content-length", said)] if said else [])])
    assert await exchange.through(guard(app, body=10)) == 413
    assert b"10 bytes at most" in exchange.sent[-1]["body"]
    assert sum(read) <= 10


async def _noted(receive: Any, read: list[int]) -> Any:
    message = await receive()
    read.append(len(message["body"]))
    return message


async def test_a_body_that_never_ends_is_given_up():
    exchange = Exchange(b"ab", b"...")
    assert await exchange.through(guard(body_seconds=0.01)) == 408


async def test_the_time_of_a_body_grows_with_what_has_come():
    loop, late = asyncio.get_running_loop(), []

    class Clock:
        def __call__(self, when: float) -> Any:
            late.append(when)
            return asyncio.timeout_at(None)

    request = Exchange(b"x" * 100, b"x" * 100, b"")
    before = loop.time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipcir_tools.http_guard.timeout_at", Clock())
        await request.through(guard(body_seconds=5.0, body_rate=100))
    first, second, third = (when - late[0] for when in late)
    assert (first, second, third) == (0.0, pytest.approx(1.0), pytest.approx(2.0))
    assert late[0] >= before + 5.0


async def test_too_many_requests_are_told_to_come_again():
    go = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            await go.wait()
        await echo(scope, receive, send)

    bounded = guard(waits, requests=2)
    running = [asyncio.create_task(Exchange().through(bounded)) for _ in range(2)]
    await asyncio.sleep(0)
    refused, reads = Exchange(), Exchange(method="GET")
    assert await refused.through(bounded) == 429
    assert refused.headers[b"retry-after"] == b"1"
    assert await reads.through(bounded) == 200
    go.set()
    assert await asyncio.gather(*running) == [200, 200]
    assert await Exchange().through(bounded) == 200


async def test_a_request_that_fails_gives_its_place_back():
    async def fails(*_: Any) -> None:
        raise ValueError

    bounded = guard(fails, requests=1)
    for _ in range(3):
        with pytest.raises(ValueError, match=r"^$"):
            await Exchange().through(bounded)


# --- the token in a browser


async def test_a_browser_shows_the_token_once():
    first = Exchange(method="GET", query=f"turn=t1&token={TOKEN}&x=".encode())
    closed = guard(token=TOKEN)
    assert await first.through(closed) == 303
    assert first.headers[b"location"] == b"/a?turn=t1&x="
    name, *attributes = first.headers[b"set-cookie"].decode().split("; ")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert TOKEN not in name
    assert await Exchange(headers=[OWN, (b"cookie", name.encode())]).through(closed) == 200


@pytest.mark.parametrize(
    ("query", "method", "headers", "expected"),
    [(b"token=wrong", "GET", [OWN], 401), (f"token={TOKEN}".encode(), "POST", [OWN], 401),
     (f"token={TOKEN}".encode(), "GET", [(b"host", b"evil.example")], 421)],
)  # fmt: skip
async def test_no_cookie_without_the_token_or_under_another_name(query, method, headers, expected):
    exchange = Exchange(method=method, query=query, headers=headers)
    assert await exchange.through(guard(token=TOKEN)) == expected
    assert b"set-cookie" not in exchange.headers


async def test_nobody_is_sent_to_another_server():
    exchange = Exchange(method="GET", query=f"token={TOKEN}".encode())
    exchange.scope["raw_path"] = b"//evil.example/x"
    await exchange.through(guard(token=TOKEN))
    assert exchange.headers[b"location"] == b"/evil.example/x"


# --- web sockets


@pytest.mark.parametrize(
    ("headers", "opened"),
    [([OWN], True), ([OWN, (b"origin", b"http://evil.example")], False), ([(b"host", b"evil.example")], False)],
)
async def test_a_web_socket_is_guarded_as_a_request_is(headers, opened):
    sent: list[Any] = []

    async def accepts(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await guard(accepts)({"type": "websocket", "headers": headers}, receive, send)
    assert sent == ["websocket.accept" if opened else "websocket.close"]


async def test_a_browser_without_the_token_is_asked_for_it():
    asking = HttpGuard(
        echo,
        Access(port=8765, token=TOKEN),
        token_in_query=True,
        sign_in=lambda is_wrong: f"<form>{'wrong' if is_wrong else 'token'}</form>",
    )
    browser = Exchange(headers=(OWN, (b"accept", b"text/html,*/*")), method="GET")
    assert await browser.through(asking) == 401
    assert browser.headers[b"content-type"] == b"text/html; charset=utf-8"
    assert browser.sent[-1]["body"] == b"<form>token</form>"
    guessing = Exchange(headers=(OWN, (b"accept", b"text/html")), method="GET", query=b"token=another")
    assert await guessing.through(asking) == 401
    assert guessing.sent[-1]["body"] == b"<form>wrong</form>"
    program = Exchange(method="GET")
    assert await program.through(asking) == 401
    assert program.headers[b"content-type"] == b"text/plain; charset=utf-8"
    stranger = Exchange(headers=((b"host", b"evil.example"), (b"accept", b"text/html")), method="GET")
    assert await stranger.through(asking) == 421
    assert b"form" not in stranger.sent[-1]["body"]
