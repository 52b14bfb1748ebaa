"""Opening a file in the program that the system opens it with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ipcir_tools.errors import NotFoundError

_SECONDS = 3.0
"""How long a program may take to say that it cannot open the file."""


def open_file(path: Path) -> None:
    """Open a file in the system's viewer, which is left running. Raises NotFoundError where there is none."""
    start = getattr(os, "startfile", None)
    if start is not None:  # Windows
        try:
            start(path)
        except OSError as error:
            raise NotFoundError(f"{path} cannot be opened ({error.strerror}): open it by hand.") from error
        return
    name = "open" if sys.platform == "darwin" else "xdg-open"
    program = shutil.which(name)
    if program is None:
        raise NotFoundError(f"There is no viewer ({name}) to open pictures with: open {path} by hand.")
    quiet = subprocess.DEVNULL
    viewer = subprocess.Popen([program, str(path)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        failed = viewer.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        return  # it is the viewer itself
    if failed:
        raise NotFoundError(f"{name} cannot open {path} (exit status {failed}): open it by hand.")
