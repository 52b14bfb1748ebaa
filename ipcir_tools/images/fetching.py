"""Fetching a picture from a URL without access to the machine's own network.

HTTP clients check a URL's host name at most, and resolve it again when they connect, so that a name server may answer
with a public address first and a private one then (DNS rebinding). Here a name is resolved once, all its addresses are
checked, and the connection goes to the very address that was checked. Redirects are checked alike; bytes and time are
limited.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpcore
import httpx

from ipcir_tools.errors import BadImageError, NotAllowedError, NotFoundError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_REDIRECTS = 3
SECONDS = 20.0
"""For one fetch in all, except that looking up a name has the system's own limit."""

_TRANSLATING = ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
"""IPv6 networks that carry IPv4 addresses: NAT64, 6to4, Teredo, and the old compatible ones."""

_SPECIAL = ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
"""Networks that Python counts as global: protocol assignments and relays, and a cloud's metadata service."""

_REFUSED = [ipaddress.ip_network(network) for network in _TRANSLATING + _SPECIAL]


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet: not private, loopback, link-local, shared, multicast..."""
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not address.is_multicast and not getattr(address, "is_site_local", False)


def fetch(
    url: str, max_bytes: int, *, allowed: Callable[[Address], bool] = is_public, seconds: float = SECONDS
) -> bytes:
    """The bytes at an http or https URL.

    ``allowed`` decides about every address before it is connected to. Raises NotAllowedError for an address or URL
    of the wrong kind, BadImageError for more than ``max_bytes``, NotFoundError for anything that fails on the way.
    """
    transport = _GuardedTransport(allowed, time.monotonic() + seconds)
    headers = {"Accept-Encoding": "identity", "User-Agent": "ipcir-tools"}
    client = httpx.Client(
        transport=transport,
        trust_env=False,  # neither proxies nor passwords of the environment
        headers=headers,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks={"request": [_check_url]},
    )
    try:
        with client, client.stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                raise NotFoundError(f"the server answered {response.status_code}")
            return _read_limited(response.iter_raw(), max_bytes)
    except httpx.TooManyRedirects as error:
        raise NotFoundError(f"more than {MAX_REDIRECTS} redirects") from error
    except _FAILURES as error:
        raise NotFoundError(f"it cannot be fetched ({type(error).__name__})") from error


_FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    ValueError,  # a name that IDNA cannot encode
)


def _check_url(request: httpx.Request) -> None:
    if request.url.scheme not in ("http", "https"):
        raise NotAllowedError("only http and https URLs are fetched")
    if request.url.userinfo:
        raise NotAllowedError("a URL may not carry a user name or password")


def _read_limited(chunks: Iterator[bytes], most: int) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > most:
            raise BadImageError(f"more than {most:,} bytes (IPCIR_MAX_BYTES)")
    return bytes(data)


class _GuardedTransport(httpx.BaseTransport):
    """httpx over a connection pool whose network is ``_GuardedNetwork``."""

    def __init__(self, allowed: Callable[[Address], bool], deadline: float) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=_GuardedNetwork(allowed, deadline)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        inner = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        response = self._pool.handle_request(inner)
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _GuardedNetwork(httpcore.NetworkBackend):
    """Connects to checked addresses only, and lets nothing run past the deadline."""

    def __init__(self, allowed: Callable[[Address], bool], deadline: float) -> None:
        self._allowed = allowed
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _addresses(host, port)
        if not all(self._allowed(address) for address in addresses):
            raise NotAllowedError("its address is private, local or otherwise not on the public internet")
        failure: Exception = httpcore.ConnectError(f"no address for {host}")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(str(address), port, _left(self._deadline))
                return _TimedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    # An IPv6 address may carry a zone (fe80::1%eth0), which has no effect on where it belongs.
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("out of time")
    return left


class _TimedStream(httpcore.NetworkStream):
    """A connection on which every wait ends at the deadline, however slowly the bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
