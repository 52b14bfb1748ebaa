"""True/false checks of the first hits by a vision model: the statements, the reply, and the order that follows.

XR (arXiv 2601.14245) has about three questions written for each query and asked of the best candidates; a candidate
counts by how many it passes. Here the statements come from the lists of the imagination, which cost no further call,
and one call answers them for all hits on one numbered sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipcir_tools.chains.reranking.judgements import Numbered, hits_at, read_numbered, sorted_places
from ipcir_tools.chains.reranking.results import SheetRequest
from ipcir_tools.chains.reranking.sheet_reader import SheetReader
from ipcir_tools.text import sanitize
from ipcir_tools.types import Hit, ImaginedTarget

MOST_CHECKS = 4
"""Statements about one picture at most."""
CHECK_CHARS = 240
"""Characters of one statement."""

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class CheckRequest(SheetRequest):
    """The hits, and the statements to check."""

    checks: tuple[str, ...] = ()


def checks_of(target: ImaginedTarget) -> tuple[str, ...]:
    """The statements that follow from an imagined target: its description, what it adds and removes, what it keeps."""
    statements = [
        f"It can be described as: {target.description}",
        *(f"It shows {thing}." for thing in target.add[:2]),
        *(f"It does not show {thing}." for thing in target.remove[:2]),
        *([f"It shows {', '.join(target.keep)}."] if target.keep else []),
    ]
    return tuple(sanitize(statement, CHECK_CHARS) for statement in statements[:MOST_CHECKS])


class Checker(SheetReader[CheckRequest, float]):
    """Checks hits by the prompt ``checks``; what it reads of each is the share of the statements that are true."""

    kind = "verify"
    answer = "check"

    def values(self, request: CheckRequest) -> dict[str, str]:
        """The numbered statements and the number of pictures."""
        checks = "\n".join(f"{number}. {check}" for number, check in enumerate(request.checks, start=1))
        return {"checks": checks, "count": str(len(request.hits))}

    def parse(self, text: str, numbers: Iterable[int], request: CheckRequest) -> Numbered[float]:
        """The share of true statements by picture; entries with more or fewer values than statements are ignored."""
        return read_numbered(text, numbers, lambda entry: _share(entry.get("holds"), len(request.checks)))

    def ordered(self, hits: Sequence[Hit], by_number: Mapping[int, float]) -> tuple[Hit, ...]:
        """The hits by their share, the best first; equals keep their order."""
        return checked_order(hits, by_number)


def checked_order(hits: Sequence[Hit], shares: Mapping[int, float]) -> tuple[Hit, ...]:
    """The hits by their ``shares``, by the place in ``hits`` from 1, with new ranks and ``verified``; see
    :func:`sorted_places`."""
    return hits_at(hits, sorted_places(len(hits), shares), verified=shares)


def _share(holds: Any, n: int) -> float | None:
    """The share of ``n`` values that are true, also where they are written as words; None for anything else."""
    values = [_TRUTH.get(str(value).strip().lower()) for value in holds] if isinstance(holds, list) else []
    known = [value for value in values if value is not None]
    return sum(known) / n if n and len(known) == len(values) == n else None
