"""What a server's error says of when to ask again."""

from __future__ import annotations


def asked_pause(error: Exception) -> float:
    """Seconds that the server asked to be left alone for (its Retry-After header), else zero."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return max(0.0, float(headers.get("retry-after", 0)))
    except ValueError:
        return 0.0
