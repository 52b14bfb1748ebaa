"""The account of tokens in a server's reply, mended where it is none: a good reply is not lost for it."""

from __future__ import annotations

import json
from typing import Any

from ipcir_tools.types import token_count

_PAIRS = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))
"""Read and written, as Chat Completions and Responses name them."""


def with_sound_usage(body: bytes) -> bytes:
    """A completion as JSON, without what is no number of tokens in its ``usage``; anything else as it is.

    Clients add these numbers up, or refuse the whole reply for a wrong one.
    """
    if b'"usage"' not in body:
        return body
    try:
        reply: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body  # no completion: for the client to say
    if not isinstance(reply, dict) or (reported := reply.get("usage")) is None:
        return body
    sound = _sound(reported) if isinstance(reported, dict) else None
    if sound == reported:
        return body
    reply["usage"] = sound
    try:
        return json.dumps(reply).encode()
    except (ValueError, RecursionError):
        return body


def _sound(usage: dict[str, Any]) -> dict[str, Any] | None:
    """The account with nothing but numbers of tokens where these belong; None where what was read or written is not
    known: half an account would look like a whole one."""
    pair = next((names for names in _PAIRS if any(name in usage for name in names)), None)
    counts = [token_count(usage.get(name)) for name in pair or ()]
    read_and_written = [count for count in counts if count is not None]
    if len(read_and_written) < 2:
        return None
    kept: dict[str, Any] = {}
    for name, value in usage.items():
        if not name.endswith("_details"):
            kept[name] = value
        elif isinstance(value, dict):
            kept[name] = {each: n for each, n in value.items() if n is None or token_count(n) is not None}
    if token_count(usage.get("total_tokens")) is None:
        kept["total_tokens"] = sum(read_and_written)
    return kept
