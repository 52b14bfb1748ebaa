"""A hub of models on the loopback interface, with the manners that a hub can have.

It answers what the hub's clients ask: ``/api/models/REPO/revision/REV`` (the files with sizes and checksums),
``/REPO/resolve/REV/FILE`` by HEAD and GET, with ranges, large files by a redirect as the real hub does it. It offers no
xet. Every request is counted, and every byte that is sent.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 4096
"""Files of this size and more are "large": a SHA-256 for an ETag, served by a redirect."""


@dataclass
class Manners:
    """How the hub behaves; each may be changed while it runs."""

    drop_after: int | None = None
    """Ends the connection after so many bytes of a large file ..."""
    drops: int = 10**6
    """... so many times."""
    pace: int | None = None
    """Bytes a second of large files."""
    silent: bool = False
    """Never answers anything."""
    silent_after: int | None = None
    """Sends nothing behind this byte of a large file, and holds the line."""
    status: int | None = None
    """Answers everything with this status ..."""
    failures: int = 10**6
    """... so many times."""
    gated: bool = False
    """Shows the files' names, but gives none away."""
    corrupt: bool = False
    """Sends large files with a byte changed."""
    ranges: bool = True
    """Answers a request for a part with the part."""


@dataclass
class Request:
    """A request that was answered."""

    method: str
    path: str
    begin: int = 0
    sent: int = 0


@dataclass
class HubServer:
    """The repositories, by name a folder of files, and what was asked of them."""

    repos: Mapping[str, Path]
    manners: Manners = field(default_factory=Manners)
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def sent(self) -> int:
        """Bytes of large files that were sent."""
        return sum(request.sent for request in self.requests)

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Variables of a process that uses this hub with a fresh home."""
        return {"HF_ENDPOINT": self.url, "HOME": str(home), "HF_HUB_DOWNLOAD_TIMEOUT": "2"} | more


@contextmanager
def serving(repos: Mapping[str, Path]) -> Iterator[HubServer]:
    """A hub with those repositories, until the block ends."""
    hub = HubServer(repos)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    server.block_on_close = False
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def digest(path: Path) -> str:
    """The ETag of a file: SHA-256 of a large one, git's blob id of a small one."""
    return _digest(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """Hashed once while size and time are the same: a hub knows its checksums."""
    if size >= LARGE:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        path = urlsplit(unquote(self.path)).path  # of a request to a proxy, too
        self.request_noted = Request(self.command, path)
        self.hub.requests.append(self.request_noted)
        manners = self.hub.manners
        if manners.silent:
            self.hub.ended.wait(30)
            self.close_connection = True
        elif manners.status and manners.failures > 0:
            manners.failures -= 1
            self._plain(manners.status, b"the hub has no time")
        elif listed := re.fullmatch(r"/api/models/(.+?)/revision/[^/]+", path):
            self._listing(listed[1])
        elif found := re.fullmatch(r"/(.+?)/resolve/[^/]+/(.+)", path):
            self._resolve(found[1], found[2])
        elif stored := re.fullmatch(r"/cdn/(.+)", path):
            self._stored(stored[1])
        else:
            self._plain(404 if path != "/" else 200, b"")

    def _listing(self, repo: str) -> None:
        if repo not in self.hub.repos:
            self._plain(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        folder = self.hub.repos[repo]
        files = []
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            size, etag = path.stat().st_size, digest(path)
            large = {"lfs": {"sha256": etag, "size": size, "pointerSize": 134}} if size >= LARGE else {}
            files.append({"rfilename": path.relative_to(folder).as_posix(), "size": size, "blobId": etag[:40], **large})
        answer = {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": files}
        self._plain(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _resolve(self, repo: str, name: str) -> None:
        head = {"X-Repo-Commit": COMMIT}
        if repo not in self.hub.repos:
            self._plain(404, b"", {"X-Error-Code": "RepoNotFound"})
            return
        file = self.hub.repos[repo] / name
        if self.hub.manners.gated:
            self._plain(403, b"", {"X-Error-Code": "GatedRepo"})
        elif not file.is_file():
            self._plain(404, b"", head | {"X-Error-Code": "EntryNotFound"})
        elif file.stat().st_size >= LARGE:
            linked = {"X-Linked-Size": str(file.stat().st_size), "X-Linked-Etag": f'"{digest(file)}"'}
            place = {"Location": f"{self.hub.url}/cdn/{repo}/{name}"}
            self._plain(302, b"", head | linked | place)
        else:
            self._plain(200, file.read_bytes(), head | {"ETag": f'"{digest(file)}"'})

    def _stored(self, place: str) -> None:
        repo = next(repo for repo in self.hub.repos if place.startswith(f"{repo}/"))
        file = self.hub.repos[repo] / place.removeprefix(f"{repo}/")
        size = file.stat().st_size
        part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if self.hub.manners.ranges else None
        begin = int(part[1]) if part else 0
        if begin >= size:
            self._plain(416, b"")
            return
        self.request_noted.begin = begin
        self.send_response(206 if part else 200)
        self.send_header("Content-Length", str(size - begin))
        if part:
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        self.end_headers()
        if self.command == "GET":
            self._send(file, begin)

    def _send(self, file: Path, begin: int) -> None:
        """The bytes from ``begin`` on, as the manners have it."""
        manners, sent = self.hub.manners, 0
        limit = manners.drop_after if manners.drops > 0 else None
        if manners.silent_after is not None:
            limit = manners.silent_after - begin
        step = max(1, manners.pace // 20) if manners.pace else 1 << 20
        with file.open("rb") as content:
            content.seek(begin)
            while limit is None or sent < limit:
                block = content.read(step if limit is None else min(step, limit - sent))
                if not block:
                    return
                sent += len(block)
                self.request_noted.sent = sent  # before a client that has all of it can ask
                try:
                    self.wfile.write(bytes([block[0] ^ 1]) + block[1:] if manners.corrupt else block)
                except OSError:
                    self.request_noted.sent -= len(block)
                    return
                if manners.pace:
                    time.sleep(1 / 20)
        self.close_connection = True
        if manners.silent_after is None:
            manners.drops -= 1
        else:
            self.hub.ended.wait(30)

    def _plain(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        with suppress(OSError):  # a client may be gone
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)
