"""A process that swaps a file, or the folder around it, for a link that leads elsewhere, as fast as it can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FILE = """
import os, sys
name, own, secret = sys.argv[1:]
while True:
    for target in (secret, None):
        if target is None:
            with open(name + ".new", "wb") as file:
                file.write(open(own, "rb").read())
        else:
            os.symlink(target, name + ".new")
        os.replace(name + ".new", name)
"""
_FOLDER = """
import os, sys
folder, _, secret = sys.argv[1:]
while True:
    os.rename(folder, folder + ".away")
    os.symlink(os.path.dirname(secret), folder)
    os.unlink(folder)
    os.rename(folder + ".away", folder)
"""


@contextmanager
def swapped(file: Path, secret: Path, *, folder: bool = False) -> Iterator[None]:
    """Within the block, ``file``, or with ``folder`` the folder around it, is a link now and then: to ``secret``, or to
    the folder of it, which has the same name."""
    own = file.with_name("own.bytes")
    own.write_bytes(file.read_bytes())
    what = file.parent if folder else file
    code = _FOLDER if folder else _FILE
    process = subprocess.Popen([sys.executable, "-c", code, str(what), str(own), str(secret)])
    try:
        yield
    finally:
        process.kill()
        process.wait()
