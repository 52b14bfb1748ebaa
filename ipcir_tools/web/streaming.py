"""Answers that come line by line while they are made."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any


async def json_lines(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    """Each event as a line of JSON. Where the client goes, ``events`` is closed at once."""
    async with aclosing(events) as open_events:  # type: ignore[type-var]
        async for event in open_events:
            yield json.dumps(event).encode() + b"\n"
