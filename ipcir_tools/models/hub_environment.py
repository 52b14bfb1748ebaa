"""The environment's variables for the hub: proxies, certificates, a token, an address; which of them is wrong."""

from __future__ import annotations

import os
import urllib.parse
from types import ModuleType

import httpx

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.text import error_line, excerpt

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_NUMBERS = ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT")


class HubError(Exception):
    """Why something is not available from the hub: one sentence that names the host, or a variable."""


def hub_constants() -> ModuleType:
    """``huggingface_hub.constants``, which reads the environment. Raises ModelUnavailableError where it cannot."""
    try:
        from huggingface_hub import constants
    except ValueError as error:
        wrong = [name for name in _NUMBERS if not os.environ.get(name, "0").strip().isdecimal()]
        names = ", ".join(_shown(name) for name in wrong) or f"a variable HF_... ({error_line(error)})"
        raise ModelUnavailableError(f"{names} is no whole number: correct it, or unset it.") from error
    return constants


CHOSEN_OFFLINE: list[bool] = []
"""What ``HF_HUB_OFFLINE`` was, outermost first, before this package set it for a while to load something."""


def downloads_forbidden() -> bool:
    """Whether the user wants no downloads (``HF_HUB_OFFLINE``), whatever another thread is loading just now."""
    chosen = CHOSEN_OFFLINE[:1]
    return bool(chosen[0] if chosen else hub_constants().HF_HUB_OFFLINE)


def checked_endpoint(endpoint: str) -> str:
    """The hub's address without a slash at its end. Raises HubError for what is none."""
    try:
        parts = urllib.parse.urlsplit(endpoint)
        good = parts.scheme in ("http", "https") and parts.hostname and " " not in endpoint
        _ = parts.port  # raises for what is no port
    except ValueError:
        good = None
    if not good:
        raise HubError(f"HF_ENDPOINT={excerpt(endpoint, 60)} is no address: write it as https://HOST, or unset it.")
    return endpoint.rstrip("/")


def wrong_variable(error: Exception) -> str:
    """The sentence for an error of a client that could not be made from the environment."""
    if isinstance(error, UnicodeError):
        return "HF_TOKEN (or the token's file) holds signs that no token has: set it again, or unset it."
    if isinstance(error, OSError):
        named = [_shown(name) for name in _CERTIFICATES if os.environ.get(name)]
        return f"the certificates of {' and '.join(named) or 'this machine'} cannot be read ({error_line(error)})."
    for name, value in os.environ.items():
        if name.lower().endswith("_proxy") and name.lower() != "no_proxy" and value and not _is_proxy(value):
            kinds = "an http:// or https:// proxy, or install httpx[socks] for a SOCKS one"
            return f"the proxy of {_shown(name)} cannot be used ({error_line(error)}): name {kinds}."
    return f"no connection can be made with the environment's settings ({error_line(error)})."


def _is_proxy(value: str) -> bool:
    try:
        httpx.Client(proxy=value if "://" in value else f"http://{value}", trust_env=False).close()
    except (ImportError, ValueError, OSError, httpx.InvalidURL):
        return False
    return True


def _shown(name: str) -> str:
    """A variable and its value, without a password."""
    value = os.environ[name]
    scheme, separator, rest = value.rpartition("//")
    return f"{name}={excerpt(scheme + separator + rest.rpartition('@')[2], 60)}"
