"""Names of files that tell them apart: as short as possible, and within a width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ipcir_tools.sources import joined, source_parts

_LEFT_OUT = "…"


def distinct_names(sources: Iterable[str]) -> dict[str, str]:
    """The last part of each path that no other of them ends with: mostly the name alone, else folders before it."""
    parts = {source: source_parts(source) or (source,) for source in sources}
    taken = dict.fromkeys(parts, 1)
    while True:
        names = {source: joined(parts[source][-n:]) for source, n in taken.items()}
        uses = Counter(names.values())
        longer = [source for source, name in names.items() if uses[name] > 1 and taken[source] < len(parts[source])]
        if not longer:
            return names
        for source in longer:
            taken[source] += 1


def fitted_name(name: str, width: int) -> str:
    """The name of a file within ``width`` characters: folders in its middle are left out first, then characters."""
    if len(name) <= width:
        return name
    parts = source_parts(name)
    if len(parts) > 2 and len(short := joined([parts[0], _LEFT_OUT, parts[-1]])) <= width:
        return short
    tail = max(width - 1, 1) * 2 // 3
    head = max(width - 1 - tail, 0)
    return f"{name[:head]}{_LEFT_OUT}{name[-tail:]}"
