"""What a check of a gallery found, and what was mended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipcir_tools.types import Value

Part = Literal["catalog", "features", "index", "files"]
MOST_EXAMPLES = 10


class Finding(Value):
    """Things of one kind that are wrong in the same way."""

    part: Part
    what: str
    """Such as ``features that do not match their checksum``."""
    count: int
    examples: tuple[str, ...] = ()
    """Up to ``MOST_EXAMPLES`` ids, paths or reasons."""
    mended: int = 0
    """How many of them are right again."""
    way_out: str = ""
    """What was done, or is to be done about the others."""


class CheckReport(Value):
    """A check of a gallery: how much was looked at, and what was wrong."""

    place: str
    """The home folder, or the server and its database."""
    looked_at: dict[str, int]
    """How many things of each kind: ``pictures``, ``features``, ``captions``, ``turns``, ``files`` ..."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    """What could not be looked at, and what was done besides."""
    seconds: float

    @property
    def wrong(self) -> int:
        """How many things are wrong still."""
        return sum(each.count - each.mended for each in self.findings)


def finding(part: Part, what: str, examples: Iterable[object], way_out: str = "", *, mended: int = 0) -> Finding:
    """A finding of as many things as there are examples; the first of them are kept."""
    named = [str(each) for each in examples]
    return Finding(
        part=part,
        what=what,
        count=len(named),
        examples=tuple(named[:MOST_EXAMPLES]),
        way_out=way_out,
        mended=mended,
    )
