"""Downloads from the hub: said before they begin, resumed where they were interrupted, verified when they end."""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ipcir_tools.models import hub_cache
from ipcir_tools.models.download_report import Download, reporting, short_path
from ipcir_tools.models.hub_client import HubClient, HubFile, Listing, TransientHubError
from ipcir_tools.models.hub_environment import HubError, downloads_forbidden
from ipcir_tools.text import byte_size

TRIES = 3
"""Requests in a row without a new byte after which a download is given up."""
PAUSE = 1.0
"""Seconds before the second request, twice that before the third."""


# ---- what a model needs ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Needed:
    """A repository, and which of its files a model needs."""

    repo: str
    choose: Callable[[Sequence[str]], Sequence[str]]
    """From the names of all files those that are needed; raises HubError where there are no weights among them."""


ReadJson = Callable[[str, str], Mapping[str, Any]]
"""Repository and file name to the content of a JSON file of the hub."""
Requirements = Callable[[ReadJson], Sequence[Needed]]
"""What a model needs, which may depend on a small file of its repository. Empty: its weights are not on the hub."""


@dataclass(frozen=True)
class LocalCopy:
    """A model that is on this machine, ready to be loaded without a request."""

    folder: Path
    """The snapshot of its weights."""
    size: int
    """Bytes of all its files."""


def local_copy(requirements: Requirements) -> LocalCopy | None:
    """The copy of a model in the cache; None where something is missing. Sends no request."""

    def read(repo: str, name: str) -> Mapping[str, Any]:
        content: Mapping[str, Any] = json.loads((_snapshot(repo) / name).read_text(encoding="utf-8"))
        return content

    try:
        needed = requirements(read)
        files = [_snapshot(each.repo) / name for each in needed for name in each.choose(_names(each.repo))]
        size = sum(path.stat().st_size for path in set(files))
    except (HubError, OSError, ValueError):
        return None
    return LocalCopy(_snapshot(needed[0].repo), size) if needed else None


def _snapshot(repo: str) -> Path:
    found = hub_cache.snapshot(repo)
    if found is None:
        raise HubError(f"{repo} is not in the cache.")
    return found


def _names(repo: str) -> list[str]:
    return hub_cache.file_names(_snapshot(repo))


# ---- downloading -------------------------------------------------------------------------------------
def download(name: str, requirements: Requirements) -> None:
    """Bring what the model ``name`` needs into the cache, and complete or mend what is there. Raises HubError."""
    if downloads_forbidden():
        raise HubError("the local cache has no usable copy and HF_HUB_OFFLINE forbids the download.")
    with HubClient() as hub, _disk_errors():
        _Downloader(name, hub).run(requirements)


@dataclass
class _Downloader:
    name: str
    hub: HubClient
    listings: dict[str, Listing] = field(default_factory=dict)

    def run(self, requirements: Requirements) -> None:
        needed: dict[str, set[str]] = {}
        for each in requirements(self._read):
            needed.setdefault(each.repo, set()).update(each.choose(sorted(self._listing(each.repo).files)))
        files = [
            (listing, listing.files[name])
            for listing, names in ((self._listing(repo), names) for repo, names in needed.items())
            for name in sorted(names)
        ]
        missing = [(listing, file) for listing, file in files if not hub_cache.is_here(listing.repo, file)]
        self._fetch_all(missing or list(_damaged(files)))
        for listing, file in files:
            hub_cache.show(listing, file)
        for repo in needed:
            hub_cache.complete(self.listings[repo])

    def _listing(self, repo: str) -> Listing:
        if repo not in self.listings:
            self.listings[repo] = _again(lambda: self.hub.listing(repo))
        return self.listings[repo]

    def _read(self, repo: str, name: str) -> Mapping[str, Any]:
        """A small file, which is read to know what else is needed."""
        listing = self._listing(repo)
        if name not in listing.files:
            raise HubError(f"{repo} on {self.hub.host} has no {name}: it holds no model of this kind.")
        file = listing.files[name]
        self._fetch(listing, file, lambda arrived: None)
        try:
            content: Mapping[str, Any] = json.loads(hub_cache.blob(repo, file).read_text(encoding="utf-8"))
        except ValueError as error:
            raise HubError(f"{name} of {repo} on {self.hub.host} is no JSON.") from error
        return content

    def _fetch_all(self, missing: Sequence[tuple[Listing, HubFile]]) -> None:
        """The small files first, so that what is refused is refused at once."""
        if not missing:
            return
        size = sum(file.size or 0 for _, file in missing)
        here = sum(_size(hub_cache.incomplete(listing.repo, file)) for listing, file in missing)
        folder = hub_cache.cache_folder()
        folder.mkdir(parents=True, exist_ok=True)  # what cannot be written has no room, either
        free = hub_cache.free_bytes()
        if free < size - here:
            raise HubError(_no_room(f"{byte_size(size - here)} are needed and {byte_size(free)} are free"))
        done = 0
        with reporting(Download(self.name, self.hub.host, size, here, folder)) as report:
            for listing, file in sorted(missing, key=lambda each: each[1].size or 0):
                self._fetch(listing, file, lambda arrived, done=done: report(done + arrived))  # type: ignore[misc]
                done += file.size or 0

    def _fetch(self, listing: Listing, file: HubFile, report: Callable[[int], None]) -> None:
        """One file, unless another process brought it in the meantime."""
        repo = listing.repo
        lock = hub_cache.lock(repo, file)
        lock.parent.mkdir(parents=True, exist_ok=True)
        part = hub_cache.incomplete(repo, file)
        part.parent.mkdir(parents=True, exist_ok=True)
        with _held(lock, f"{file.name} of {repo}"):
            if hub_cache.is_here(repo, file):
                return
            resumed = _size(part) > 0
            self._receive(listing, file, part, report)
            if resumed and not hub_cache.matches(part, file.digest):  # what was here may be of another file
                part.unlink()
                self._receive(listing, file, part, report)
            if not hub_cache.matches(part, file.digest):
                part.unlink()
                raise HubError(
                    f"{file.name} of {repo} came damaged from {self.hub.host} (its checksum is not "
                    f"{file.digest[:12]}…) and was deleted: try again, or another mirror (HF_ENDPOINT)."
                )
            part.replace(hub_cache.blob(repo, file))
        hub_cache.show(listing, file)

    def _receive(self, listing: Listing, file: HubFile, part: Path, report: Callable[[int], None]) -> None:
        """All bytes into ``part``, after those that it has, in as many requests as it takes."""
        tries = 0
        while True:
            before = _size(part)
            try:
                self._receive_once(listing, file, part, report)
                return
            except TransientHubError as error:
                tries = 1 if _size(part) > before else tries + 1
                if tries >= TRIES:
                    raise HubError(f"{str(error).rstrip('.')}; {_kept(part, file)}") from error
                time.sleep(PAUSE * tries)

    def _receive_once(self, listing: Listing, file: HubFile, part: Path, report: Callable[[int], None]) -> None:
        here = _size(part)
        if file.size is not None and here > file.size:
            part.unlink()
            here = 0
        if here and here == file.size:
            return
        with self.hub.stream(listing, file.name, here) as (start, size, blocks), part.open("ab") as out:
            if file.size is not None and size is not None and size != file.size:
                raise HubError(
                    f"{self.hub.host} sends {size:,} bytes of {file.name} where {file.size:,} are listed: try again, "
                    "or another mirror (HF_ENDPOINT)."
                )
            out.truncate(start)
            arrived = start
            report(arrived)
            for block in blocks:
                out.write(block)
                arrived += len(block)
                report(arrived)
        if file.size is not None and arrived < file.size:
            raise TransientHubError(f"{self.hub.host} broke off the connection.")


@contextmanager
def _held(lock: Path, what: str) -> Iterator[None]:
    """The lock, said where another process holds it: that may take as long as its download."""
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        logging.getLogger("ipcir_tools.models").warning("another process downloads %s: waiting for it", what)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def _damaged(files: Sequence[tuple[Listing, HubFile]]) -> Iterator[tuple[Listing, HubFile]]:
    """The files whose bytes are not those of the hub, deleted."""
    for listing, file in files:
        here = hub_cache.blob(listing.repo, file)
        if not hub_cache.matches(here, file.digest):
            here.unlink()
            yield listing, file


def _again(ask: Callable[[], Listing]) -> Listing:
    """The answer, asked for once more after a server's error."""
    try:
        return ask()
    except TransientHubError as error:
        if "status" not in str(error):
            raise
    time.sleep(PAUSE)
    return ask()


def _kept(part: Path, file: HubFile) -> str:
    of = f" of {byte_size(file.size)}" if file.size else ""
    return f"{byte_size(_size(part))}{of} are kept: run it again to go on." if _size(part) else "try again later."


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Errors of the cache's disk as a HubError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HubError(_no_room("the disk is full")) from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise HubError(
            f"the cache {short_path(hub_cache.cache_folder())} cannot be written ({reason}): set HF_HOME to a folder "
            "of yours."
        ) from error


def _no_room(why: str) -> str:
    return (
        f"there is no room in {short_path(hub_cache.cache_folder())} ({why}): free some, or set HF_HOME to a folder on "
        "a larger disk."
    )
