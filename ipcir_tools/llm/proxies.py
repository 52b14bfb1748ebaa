"""Proxies that the environment names: which one a request to a server goes through; servers on this machine need none.

``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are read as HTTP clients of Python read them.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def is_loopback(url: str) -> bool:
    """Whether a URL is that of a server on this machine: ``localhost``, 127.0.0.0/8 or ``[::1]``."""
    host = _host(url)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_note(url: str) -> str:
    """`` through the proxy http://host:port, set by HTTPS_PROXY``, or nothing where requests to ``url`` use none.

    Without the proxy's user and password.
    """
    host, scheme = _host(url), urlsplit(url).scheme
    if not host or is_loopback(url) or proxy_bypass(host):
        return ""
    known = getproxies()
    kind = next((kind for kind in (scheme, "all") if known.get(kind)), None)
    if kind is None:
        return ""
    address = known[kind] if "://" in known[kind] else f"http://{known[kind]}"
    place = urlsplit(address).netloc.rpartition("@")[2]
    name = next((name for name in (f"{kind}_proxy", f"{kind}_PROXY".upper()) if os.environ.get(name)), None)
    return f" through the proxy {urlsplit(address).scheme}://{place}, set by {name or 'the system'}"


def direct_routes(url: str | None) -> dict[str, Any]:
    """``{"mounts": ...}`` for an HTTP client, where a server on this machine would be reached through a proxy. Else
    nothing."""
    if url is None or not is_loopback(url) or not getproxies():
        return {}
    host = _host(url)
    return {"mounts": {f"all://[{host}]" if ":" in host else f"all://{host}": None}}


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
