"""Work of every day in a process that notes each connection and each question for an address: run by
``test_egress.py``, with a home folder, a folder of pictures and a file for the notes."""

from __future__ import annotations

import sys
from pathlib import Path


def watch(notes: Path) -> None:
    """Note what asks the network for anything, through Python."""

    def hear(event: str, values: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
            with notes.open("a") as stream:
                stream.write(f"{event} {values[1] if event in ('socket.connect', 'socket.sendto') else values[0]}\n")

    sys.addaudithook(hear)


def work(home: Path, pictures: Path) -> None:
    """Index with captions, search, refine, verify, write the index, call tools."""
    from ipcir_tools.agents.tools import TOOLS
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings
    from ipcir_tools.store.sealed_index import SealedIndex

    with Engine.open(Settings(home=home, models="demo", captions=True)) as engine:
        engine.index([pictures])
        first = engine.search(next(iter(pictures.iterdir())), "in blue", verify=2)
        engine.refine(first.turn.id, "with stripes")
        engine.find("a red dress")
        assert SealedIndex(engine.catalog, home / "index").write()
        tool = TOOLS["describe_gallery"]
        tool.call(engine, tool.read({}))


if __name__ == "__main__":
    watch(Path(sys.argv[3]))
    work(Path(sys.argv[1]), Path(sys.argv[2]))
