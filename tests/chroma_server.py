"""A Chroma server for tests: ``chroma run`` on loopback, with its telemetry off."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx


class ChromaServer:
    """A server that can be stopped and started again, with what it has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """As the settings take it."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Any:
        """A client of Chroma's own."""
        import chromadb
        from chromadb.config import Settings

        quiet = Settings(_env_file=None, anonymized_telemetry=False)
        return chromadb.HttpClient("127.0.0.1", self.port, settings=quiet)

    def collections(self) -> set[str]:
        """The names of all collections."""
        return {each.name for each in self.client().list_collections()}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = Path(sys.executable).with_name("chroma")
        place = ["--path", str(self._folder / "data"), "--host", "127.0.0.1", "--port", str(self.port)]
        environment = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([str(command), "run", *place], env=environment, stdout=log, stderr=log)
        for _ in range(600):
            assert self._process.poll() is None, (self._folder / "log").read_text()
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/api/v2/heartbeat", timeout=5).is_success:
                    return
            time.sleep(0.1)
        raise AssertionError("the Chroma server did not start within a minute")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def chroma_server() -> Iterator[ChromaServer]:
    """A running server."""
    folder = Path(tempfile.mkdtemp(prefix="chroma-"))
    server = ChromaServer(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
