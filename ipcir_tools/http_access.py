"""Who may call an HTTP server of the package: under which names, from which pages, with which token."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ipcir_tools.errors import InvalidRequestError

LOOPBACK = "127.0.0.1"
TOKEN_LENGTH = 16
"""Characters of a token at least: too many to be guessed."""

Headers = Iterable[tuple[bytes, bytes]]
"""Headers as ASGI gives them: lower-case names and values."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """An answer of HTTP in place of the server's own."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class Access:
    """The address of a server and who may call it."""

    host: str = LOOPBACK
    """The address that is listened on, or a name of it."""
    port: int = 80
    token: str | None = None
    """What each call must bring, in ``Authorization: Bearer`` or in a cookie. None, on loopback alone: nothing."""
    names: tuple[str, ...] = ()
    """Further names of the server, such as ``photos.example`` or ``photos.example:443``, where a proxy is before it."""

    def refusal(self, headers: Headers) -> Refusal | None:
        """Why a request with these headers is refused; None where it is not.

        A page of another site reaches this machine through the browser of a person: under a name of its own, which
        the ``Host`` header shows (DNS rebinding), or from its own place, which ``Origin`` or ``Sec-Fetch-Site`` shows.
        """
        named = list(headers)
        hosts, origins = _values(named, b"host"), _values(named, b"origin")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return Refusal(421, "This server does not answer under that name.")
        if not all(self._is_own_page(origin, hosts[0]) for origin in origins):
            return Refusal(403, "This server answers no page of another origin.")
        if _is_foreign_fetch(named):
            return Refusal(403, "This server answers no page of another site.")
        if not self._has_token(named):
            scheme = (b"www-authenticate", b'Bearer realm="ipcir"')
            return Refusal(401, "This server needs its token, in the header Authorization: Bearer TOKEN.", (scheme,))
        return None

    @property
    def url(self) -> str:
        """Where the server is, as it is typed into a client."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def is_token(self, text: str) -> bool:
        """Whether a text is the token; how long that takes does not depend on the text."""
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    @property
    def cookie(self) -> str:
        """The cookie of who has shown the token, as ``NAME=VALUE``; the token itself is not in it."""
        return f"{self._cookie_name}={self._cookie_value}"

    @property
    def _cookie_name(self) -> str:
        return f"ipcir-{self.port}"  # cookies know no ports

    @cached_property
    def _cookie_value(self) -> str:
        return hmac.new((self.token or "").encode(), b"ipcir cookie", hashlib.sha256).hexdigest()

    def _has_token(self, headers: Headers) -> bool:
        if self.token is None:
            return True
        for value in _values(headers, b"authorization"):
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer" and self.is_token(token.strip()):
                return True
        pairs = (each.strip().partition("=") for value in _values(headers, b"cookie") for each in value.split(";"))
        return any(
            name == self._cookie_name and hmac.compare_digest(value.encode(), self._cookie_value.encode())
            for name, _, value in pairs
        )

    @cached_property
    def _own(self) -> frozenset[str]:
        """The names of the server as they are in ``Host``."""
        names = {LOOPBACK, "localhost", "[::1]", f"[{self.host}]" if ":" in self.host else self.host}
        if not is_loopback(self.host):
            names |= {socket.gethostname(), f"{socket.gethostname()}.local"}
        own = {f"{name}:{self.port}" for name in names} | set(self.names)
        own |= {f"{name}:{self.port}" for name in self.names if ":" not in name}
        return frozenset(name.lower() for name in (own | names if self.port == 80 else own))

    def _is_own(self, host: str) -> bool:
        """Whether ``Host`` is one of the server's names. Where it listens on other addresses than loopback, each of
        them is: an address cannot be made to point elsewhere, as a name can."""
        if host.lower() in self._own:
            return True
        parts = _HOST.fullmatch(host)
        if parts is None or is_loopback(self.host) or int(parts[2] or 80) != self.port:
            return False
        return _address(parts[1]) is not None

    def _is_own_page(self, origin: str, host: str) -> bool:
        scheme, _, place = origin.lower().partition("://")
        return scheme in ("http", "https") and (place == host.lower() or place in self._own)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own, which no other machine reaches."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def check_access(host: str, token: str | None) -> None:
    """Check that a server may listen on an address. Raises InvalidRequestError, which says what is missing."""
    if token is not None and (len(token) < TOKEN_LENGTH or not all("!" <= each <= "~" for each in token)):
        raise InvalidRequestError(
            f"A token has {TOKEN_LENGTH} or more characters of ASCII and no space: take what "
            "`python -c 'import secrets; print(secrets.token_urlsafe())'` prints."
        )
    if token is None and not is_loopback(host):
        raise InvalidRequestError(
            f"Other machines reach {host or 'every address'}, so callers must show a token: set IPCIR_MCP_TOKEN, or "
            f"serve on {LOOPBACK}."
        )


def _is_foreign_fetch(headers: Headers) -> bool:
    """Whether a browser fetches this for a page of another site. A link that a person follows is none."""
    if not {"cross-site", "same-site"} & set(_values(headers, b"sec-fetch-site")):
        return False
    return _values(headers, b"sec-fetch-mode") != ["navigate"] or _values(headers, b"sec-fetch-dest") != ["document"]


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
