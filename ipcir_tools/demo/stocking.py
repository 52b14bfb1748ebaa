"""Drawn pictures put into a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ipcir_tools.demo import benchmark
from ipcir_tools.demo.benchmark import Drawn
from ipcir_tools.images import located
from ipcir_tools.indexing import IndexReport

if TYPE_CHECKING:
    from ipcir_tools.catalog import Progress
    from ipcir_tools.engine import Engine


def stocked(
    engine: Engine, drawn: Sequence[Drawn], folder: Path, progress: Progress
) -> tuple[IndexReport, dict[str, str]]:
    """Draw into ``folder`` what it lacks and index it: what indexing did, and the pictures' ids by file name."""
    for done in benchmark.draw(list(drawn), folder):
        progress("drawing", done, len(drawn))
    report = engine.index([folder], progress)
    stamps = {Path(path): stamp for path, stamp in engine.catalog.stamps().items()}
    place = located(folder)
    return report, {path.name: stamp.image_id for path, stamp in stamps.items() if path.parent == place}
