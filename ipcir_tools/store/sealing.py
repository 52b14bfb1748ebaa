"""Writing the index in a process of its own: building a graph takes memory that grows with the gallery, this one's not.

It is also what a broken file of Chroma's could end, and what can be ended with the program that wants it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, PIPE

from ipcir_tools.batches import Progress
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.sealed_index import SealedIndex

PROGRAM = "from ipcir_tools.store.sealing import main; main()"


class ApartIndex(SealedIndex):
    """The index folders of a catalog, written by another process; by this one where there can be none."""

    def __init__(self, catalog: Catalog, folder: Path, captioner: Callable[[], str] | None = None) -> None:
        super().__init__(catalog, folder, captioner)
        self._process: subprocess.Popen[str] | None = None

    def write(self, progress: Progress | None = None, *, described: bool = False) -> bool:
        """See :meth:`SealedIndex.write`."""
        wanted = {
            "url": self._catalog.url,
            "folder": str(self._folder),
            "captioner": self._captioner() if self._captioner else None,
            "described": described,
        }
        # -P: what lies in the working directory is not imported.
        command = [sys.executable, "-P", "-c", PROGRAM]
        try:
            with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as process:
                self._process = process
                last = _followed(process, json.dumps(wanted), progress)
        except OSError:
            return super().write(progress, described=described)
        finally:
            self._process = None
        if process.returncode < 0 or last in ("True", "False"):
            return last == "True"  # it was ended, or has said why not
        return super().write(progress, described=described)

    def interrupt(self) -> None:
        """End a process that is writing: the last finished index stays."""
        process = self._process
        if process is not None:
            process.terminate()


def _followed(process: subprocess.Popen[str], wanted: str, progress: Progress | None) -> str:
    """Give the process its order and read what it says; the last line."""
    assert process.stdin is not None
    assert process.stdout is not None
    line = ""
    try:
        process.stdin.write(wanted)
        process.stdin.close()
        for said in process.stdout:
            line = said.strip()
            if progress is not None and line[:1].isdigit():
                done, total = map(int, line.split())
                progress("search index", done, total)
    except BaseException:  # an interrupt, too: the process would go on alone
        process.terminate()
        raise
    return line


def main() -> None:
    """Write the index that standard input describes; say on standard output how far it is, and whether it was done."""
    wanted = json.loads(sys.stdin.read())

    def tell(_what: str, done: int, total: int) -> None:
        sys.stdout.write(f"{done} {total}\n")
        sys.stdout.flush()

    with Catalog(wanted["url"]) as catalog:
        captioner = wanted["captioner"]
        index = SealedIndex(catalog, Path(wanted["folder"]), (lambda: captioner) if captioner else None)
        done = index.write(tell, described=wanted["described"])
        sys.stdout.write(f"{done}\n")
