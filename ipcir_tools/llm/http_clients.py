"""HTTP clients for model servers in OpenAI's protocols: bounded replies, no redirects, and calls that can be ended.

OpenAI's client takes an HTTP client of its own. This one differs from the default in three points: a reply is read up
to a number of bytes, compressed or not; a redirect is an error, for the request holds the prompt and the pictures, and
the user named one server; and a call that is given up closes its connection, so that nothing more is received for it.
For that each call has a connection of its own: one more handshake, of a call that takes a second. Servers on this
machine are reached without a proxy.
"""

from __future__ import annotations

import importlib
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from ipcir_tools.llm.call_scope import CallScope, current_call
from ipcir_tools.llm.errors import OversizedReplyError
from ipcir_tools.llm.proxies import direct_routes

REPLY_BYTES = 8_000_000
"""Bytes of a chat model's reply at most. 2,048 tokens as a stream have about half a million."""

_ZLIB = frozenset(("gzip", "x-gzip", "deflate"))
_ANY_HEADER = zlib.MAX_WBITS | 32


Mend = Callable[[bytes], bytes]
"""What makes of the whole body of a JSON reply one that clients read."""


def bounded_client(base_url: str | None, limit: int = REPLY_BYTES, mend: Mend | None = None) -> Any:
    """The HTTP client for ``openai.OpenAI(http_client=...)`` and ``ChatOpenAI(http_client=...)``."""
    import openai

    hooks: dict[str, Any] = {"request": [_prepare], "response": [partial(_bound, limit=limit, mend=mend)]}
    return openai.DefaultHttpxClient(event_hooks=hooks, **_options(base_url))


def bounded_async_client(base_url: str | None, limit: int = REPLY_BYTES, mend: Mend | None = None) -> Any:
    """The same for ``ChatOpenAI(http_async_client=...)``. A task that is cancelled closes its connection by itself."""
    import openai

    async def prepare(request: Any) -> None:
        request.headers["accept-encoding"] = "identity"

    async def bound(response: Any) -> None:
        _bound(response, limit, mend)

    hooks: dict[str, Any] = {"request": [prepare], "response": [bound]}
    return openai.DefaultAsyncHttpxClient(event_hooks=hooks, **_options(base_url))


def _options(base_url: str | None) -> dict[str, Any]:
    import openai

    library = _library(openai.DefaultHttpxClient.__mro__)
    limits = library.Limits(max_connections=1_000, max_keepalive_connections=0)
    return {"follow_redirects": False, "limits": limits, **direct_routes(base_url)}


def _prepare(request: Any) -> None:
    """Ask for a reply that is not compressed, and bind the request's connection to the call's scope."""
    request.headers["accept-encoding"] = "identity"
    scope = current_call.get()
    if scope is not None:

        def trace(event: str, info: dict[str, Any]) -> None:
            if event == "connection.connect_tcp.complete":
                _end_with(scope, info["return_value"])

        timeouts = dict(request.extensions.get("timeout") or {})
        left = max(0.001, scope.left())
        # a connection that is being made cannot be ended from another thread
        timeouts |= {name: min(timeouts.get(name) or left, left) for name in ("connect", "pool", "write")}
        request.extensions = {**request.extensions, "timeout": timeouts, "trace": trace}


def _bound(response: Any, limit: int, mend: Mend | None) -> None:
    """Let the reply be read up to ``limit`` bytes, and JSON be mended."""
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise OversizedReplyError(f"more than {limit:,} bytes")
    encoding = response.headers.pop("content-encoding", "identity").strip().lower()
    library = _library(type(response).__mro__)
    sync, asynchronous = _stream_types(library)
    kind = sync if isinstance(response.stream, library.SyncByteStream) else asynchronous
    is_json = response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    response.stream = kind(response.stream, _Reader(limit, encoding), mend if is_json else None)


def _library(classes: Sequence[type]) -> Any:
    """The HTTP library of OpenAI's client: httpx, or in later versions one of the same interface."""
    modules = (importlib.import_module(each.__module__.partition(".")[0]) for each in classes)
    return next(module for module in modules if hasattr(module, "SyncByteStream"))


def _end_with(scope: CallScope, stream: Any) -> None:
    """Shut the connection down at the end of the scope, from another thread: a read that waits on it ends at once.

    By a second handle of the same connection, for TLS puts a socket of its own in the place of the first.
    """
    connection = stream.get_extra_info("socket")
    if connection is None:
        return
    try:
        handle = connection.dup()
    except OSError:
        return  # it is closed already

    def end() -> None:
        with handle, suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    scope.on_close(end)


class _Reader:
    """Counts the bytes of a reply as they are unpacked."""

    def __init__(self, limit: int, encoding: str) -> None:
        if encoding not in _ZLIB and encoding not in ("identity", ""):
            raise OversizedReplyError(f"compressed as {encoding[:20]!r}, which was not asked for")
        self._limit, self._left = limit, limit
        self._unpacker = zlib.decompressobj(_ANY_HEADER) if encoding in _ZLIB else None

    def read(self, chunk: bytes) -> bytes:
        """The bytes in a chunk. Raises OversizedReplyError as soon as there are too many."""
        if self._unpacker is not None:
            try:
                chunk = self._unpacker.decompress(chunk, self._left + 1)
            except zlib.error as error:
                raise OversizedReplyError(f"damaged compression ({error})") from error
        self._left -= len(chunk)
        if self._left < 0:
            raise OversizedReplyError(f"more than {self._limit:,} bytes")
        return chunk


@cache
def _stream_types(http: Any) -> tuple[type[Any], type[Any]]:
    """Streams for the responses of that HTTP library."""

    class SyncStream(http.SyncByteStream):  # type: ignore[misc]
        def __init__(self, inner: Any, reader: _Reader, mend: Mend | None) -> None:
            self._inner, self._reader, self._mend = inner, reader, mend

        def __iter__(self) -> Iterator[bytes]:
            chunks = (self._reader.read(chunk) for chunk in self._inner)
            return chunks if self._mend is None else iter([self._mend(b"".join(chunks))])

        def close(self) -> None:
            self._inner.close()

    class AsyncStream(http.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, inner: Any, reader: _Reader, mend: Mend | None) -> None:
            self._inner, self._reader, self._mend = inner, reader, mend

        async def __aiter__(self) -> AsyncIterator[bytes]:
            whole = bytearray()
            async for chunk in self._inner:
                data = self._reader.read(chunk)
                if self._mend is None:
                    yield data
                else:
                    whole += data
            if self._mend is not None:
                yield self._mend(bytes(whole))

        async def aclose(self) -> None:
            await self._inner.aclose()

    return SyncStream, AsyncStream
