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
"""File systems of this machine's own disks and memory; those of sticks and cards are mostly others."""

_known: dict[str, tuple[float, bool]] = {}
"""When it was found out whether folders are on such disks."""
_mounted: tuple[float, dict[str, str]] = (-READ_SECONDS, {})
"""When the mounted drives were read, and the file system of each by its place."""


def is_on_own_disk(folder: str) -> bool:
    """Whether a folder is known to be on a disk of this machine; it is not looked at."""
    return _lately_found(folder) is True


def learn(folder: str) -> None:
    """Find out whether a folder, in which a file was just looked at, is on a disk of this machine. Never raises."""
    if _lately_found(folder) is not None:
        return
    try:
        is_own = os.path.isdir(folder) and _file_system(os.path.realpath(folder)) in _KINDS  # noqa: PTH112 - of a text
    except (OSError, ValueError):
        is_own = False
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[folder] = time.monotonic(), is_own


def _lately_found(folder: str) -> bool | None:
    """What was found out about a folder within the last minute; None where nothing was."""
    when, is_own = _known.get(folder, (-KNOWN_SECONDS, None))
    return is_own if time.monotonic() - when < KNOWN_SECONDS else None


def _file_system(folder: str) -> str | None:
    """The file system that a folder is on: of the drive whose place is the longest beginning of its path."""
    global _mounted
    read, mounts = _mounted
    if time.monotonic() - read >= READ_SECONDS:
        mounts = _read_mounts()
        _mounted = time.monotonic(), mounts
    place = folder
    while place not in mounts:
        above = os.path.dirname(place)  # noqa: PTH120 - of a text, once a folder
        if above == place:
            return None
        place = above
    return mounts[place]


def _read_mounts() -> dict[str, str]:
    """The file systems by their places, the one on top where several are at one place; see ``man 5 proc``."""
    found = {}
    for line in _MOUNTS.read_bytes().split(b"\n"):
        drive, _, system = line.partition(b" - ")
        fields = drive.split(b" ")
        if len(fields) < 5:
            continue
        place = fields[4]
        for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
            place = place.replace(code, byte)
        found[os.fsdecode(place)] = os.fsdecode(system.split(b" ")[0])
    return found
