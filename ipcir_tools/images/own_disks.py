"""Folders on disks of this machine: files there can be looked at in the thread that asks, as no other machine has to
answer.

Handing a file to another thread and waiting for it takes longer than looking at a hundred of them. A folder is known to
be on such a disk after it has answered once, in another thread, and for a minute: another drive may come into its
place. Only Linux tells; elsewhere no folder is known.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

KNOWN_SECONDS = 60.0
MOST_KNOWN = 10_000
READ_SECONDS = 5.0
"""For so long the list of mounted drives is not read again."""

_MOUNTS = Path("/proc/self/mountinfo")
_KINDS = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""File systems on disks that are built in, or in memory; not of sticks and cards, which may sleep or be pulled."""

_known: dict[str, float] = {}
"""When folders were found to be on such disks."""
_mounted: tuple[float, dict[str, str]] = (-READ_SECONDS, {})
"""When the mounted drives were read, and the file system of each by its place."""


def is_on_own_disk(folder: str) -> bool:
    """Whether a folder is known to be on a disk of this machine; it is not looked at."""
    found = _known.get(folder)
    return found is not None and time.monotonic() - found < KNOWN_SECONDS


def learn(folder: str) -> None:
    """Find out whether a folder, which has just answered, is on a disk of this machine."""
    if is_on_own_disk(folder):
        return
    try:
        kind = _file_system(os.path.realpath(folder))
    except (OSError, ValueError):
        kind = None
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    if kind in _KINDS:
        _known[folder] = time.monotonic()
    else:
        _known.pop(folder, None)


def _file_system(folder: str) -> str | None:
    """The file system that a folder is on: of the drive whose place is the longest beginning of its path."""
    global _mounted
    if time.monotonic() - _mounted[0] >= READ_SECONDS:
        _mounted = time.monotonic(), _read_mounts()
    place = folder
    while place not in _mounted[1]:
        above = os.path.dirname(place)  # noqa: PTH120 - of a text, once a folder
        if above == place:
            return None
        place = above
    return _mounted[1][place]


def _read_mounts() -> dict[str, str]:
    """The file systems by their places, the one on top where several are at one place; see ``man 5 proc``."""
    found = {}
    for line in _MOUNTS.read_text("utf-8", "surrogateescape").splitlines():
        drive, _, system = line.partition(" - ")
        place = drive.split(" ")[4].encode("utf-8", "surrogateescape")
        for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
            place = place.replace(code, byte)
        found[os.fsdecode(place)] = system.split(" ")[0]
    return found
