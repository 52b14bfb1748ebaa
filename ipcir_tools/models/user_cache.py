"""The folder for what was found out about this machine and its models, and may be deleted at any time."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The user's folder for what programs can make again: in ``XDG_CACHE_HOME``, or where the system keeps such."""
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named) / "ipcir"
    usual = {"darwin": "~/Library/Caches", "win32": os.environ.get("LOCALAPPDATA") or "~/AppData/Local"}
    return Path(usual.get(sys.platform, "~/.cache")).expanduser() / "ipcir"
