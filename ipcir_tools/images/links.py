"""Links among the files of an indexed folder: followed within it, and out of it only where a setting says so."""

from __future__ import annotations

import errno
import os
from collections.abc import Container
from pathlib import Path

from ipcir_tools.errors import BadImageError, UnreadableFileError
from ipcir_tools.images.files import path_text, real_path

LEADS_OUT = "a link that leads out of its folder: it is followed with IPCIR_FOLLOW_LINKS=true"


def led_to(path: Path, roots: Container[str], *, follow: bool = False) -> Path:
    """The file that a listed path leads to: itself, or where a link leads.

    ``roots`` are the folders and files that were named, as ``path_text`` writes them: a link stays below the folder
    that it was found in, unless it was named itself, or ``follow`` says that it may lead anywhere. Raises BadImageError
    for a link that does not, which tells nothing of where it leads.
    """
    if not path.is_symlink():
        return path
    real = real_path(path)
    named = follow or path_text(path) in roots
    if not named and not any(path_text(each) in roots and real.is_relative_to(each) for each in path.parents):
        raise BadImageError(LEADS_OUT)
    if real.is_symlink():  # it leads in a circle
        raise UnreadableFileError(f"cannot be read ({os.strerror(errno.ELOOP)})")
    return real
