"""Dates as people write them, each as the interval that it names: ``2024-05`` is that month."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

HOW = 'write a date as "2024", "2024-05", "2024-05-31" or "2024-05-31T18:30"'

_PARTS = re.compile(
    r"(?P<year>\d{4})(?:[-/.:](?P<month>\d{1,2})(?:[-/.:](?P<day>\d{1,2})"
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?)?)?"
)
_STEPS = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}
_AGO = re.compile(r"(\d{1,4})([dwmy])")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_NEVER = "9999-12-31T24"
"""Behind every time, as texts compare."""


def interval(value: object) -> tuple[str, str]:
    """The first moment of a date and the first one after it, as ``taken`` is stored: local time, ISO 8601.

    A year may be a number; a time with a zone is converted to this machine's. Raises ValueError for what is no date.
    """
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError(HOW)
    named = {name: int(part) for name, part in found.groupdict().items() if part is not None and name != "zone"}
    try:
        start = datetime(**{"month": 1, "day": 1, **named})  # type: ignore[arg-type]
        if zone := found["zone"]:
            start = datetime.fromisoformat(start.isoformat() + zone).astimezone().replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text} is in no calendar: {HOW}") from error
    return _written(start), _after(start, list(named)[-1])


def absolute(text: str, today: date | None = None) -> str:
    """A date that a person typed, as one that stays the same tomorrow: ``yesterday``, ``7d`` (days ago; ``w`` weeks,
    ``m`` of 30, ``y`` of 365 days) as ``2024-05-31``; others as they are. Raises ValueError for what is no date."""
    typed, today = text.strip().lower(), today or date.today()
    if typed in ("today", "yesterday"):
        return (today - timedelta(days=typed == "yesterday")).isoformat()
    try:
        if (ago := _AGO.fullmatch(typed)) is not None:
            return (today - timedelta(days=int(ago[1]) * _DAYS[ago[2]])).isoformat()
        interval(typed.upper())
    except (ValueError, OverflowError):
        raise ValueError(f"{HOW}, or as today, yesterday, 7d, 2w, 6m or 1y") from None
    return typed.upper()


def _after(start: datetime, unit: str) -> str:
    try:
        if unit == "year":
            return _written(start.replace(year=start.year + 1))
        if unit == "month":
            return _written((start + timedelta(days=32)).replace(day=1))
        return _written(start + _STEPS[unit])
    except (ValueError, OverflowError):
        return _NEVER


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
