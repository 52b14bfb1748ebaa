"""The folder for what was found out about this machine and its models, and may be deleted at any time."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """``ipcir`` in the user's cache folder: of ``XDG_CACHE_HOME``, or where the system keeps such things."""
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "ipcir"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "ipcir" / "cache"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ipcir"
