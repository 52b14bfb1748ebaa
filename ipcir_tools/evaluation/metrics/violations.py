"""How many of the first hits are known to be wrong: they break the edit, or lose what should stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ipcir_tools.types import Value

Violation = Literal["breaks the edit", "loses what should stay", "wrong"]
"""What is wrong with a picture as the answer to a query; ``wrong`` where no more is known than that."""
BREAKS: Violation = "breaks the edit"
LOSES: Violation = "loses what should stay"
WRONG: Violation = "wrong"
FIRST = 10
"""Hits of each query that are looked at."""


class Violations(Value):
    """One method's wrong pictures among the first :data:`FIRST` hits, in percent of these."""

    composer: str
    """Its label in the report: a verified row is another than an unverified one."""
    queries: int
    """Those whose truth is known, and which were ranked."""
    share: float
    """What is wrong in any way."""
    breaks: float | None
    """What breaks the edit; None where it is only known that a picture is wrong."""
    loses: float | None
    """What loses what should stay; a picture may do both."""


def violations(composer: str, wrong: Sequence[Sequence[Sequence[Violation]]], split: bool) -> Violations | None:
    """From what is wrong with the hits of each query; None where there are no hits.

    ``split`` says whether both kinds are known.
    """
    found = [each for hits in wrong for each in hits[:FIRST]]
    if not found:
        return None

    def percent(kind: Violation) -> float | None:
        return 100.0 * sum(kind in each for each in found) / len(found) if split else None

    share = 100.0 * sum(bool(each) for each in found) / len(found)
    return Violations(composer=composer, queries=len(wrong), share=share, breaks=percent(BREAKS), loses=percent(LOSES))
