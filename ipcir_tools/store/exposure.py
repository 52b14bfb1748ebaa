"""Whether other users of this machine can reach a gallery in its home folder, and closing it to them."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from ipcir_tools.models.download_report import short_path
from ipcir_tools.private import close_to_others, exposed
from ipcir_tools.store.working_copy import CATALOG

log = logging.getLogger(__name__)

_OURS = (CATALOG, "index", "machine", "networks", "references")
"""What the names of all that is made in a home folder begin with."""


def exposure(home: Path) -> list[Path]:
    """What of a gallery others can read or change."""
    return exposed(home, _OURS)


def close_gallery(home: Path) -> None:
    """Close a gallery to others. Raises OSError."""
    close_to_others(exposure(home))


@cache
def warn_of_exposure(home: Path) -> None:
    """Say once of each gallery that others can reach it. What is made from now on is for its owner alone."""
    if found := exposure(home):
        log.warning(
            "other users of this machine can reach the gallery in %s (%s): `ipcir verify --repair` closes it to them",
            short_path(home),
            ", ".join(path.name for path in found[:3]),
        )
