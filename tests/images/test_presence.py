"""Which files are gone, and what is done where a drive does not answer."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ipcir_tools.images import own_disks, presence
from ipcir_tools.images.presence import gone_files


def test_a_file_that_is_not_there_is_gone_and_one_that_may_not_be_seen_is_not(tmp_path, monkeypatch):
    there, gone, below = tmp_path / "there", tmp_path / "gone", tmp_path / "there" / "below a file"
    there.write_text("")
    assert gone_files(map(str, (there, gone, below))) == {str(gone), str(below)}
    assert gone_files([]) == set()

    def forbidden(path: str) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(presence, "text_path", forbidden)  # in a thread of its own ...
    monkeypatch.setattr(presence.os, "lstat", forbidden)  # ... and on a disk of this machine
    assert gone_files([str(gone)]) == set()
    own_disks._known.clear()
    assert gone_files([str(gone)]) == set()


def test_a_name_that_is_no_utf8_is_found(tmp_path, monkeypatch):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(name)).write_text("")
    there, gone = f"{tmp_path}/caf\\xe9.png", f"{tmp_path}/caf\\xe8.png"
    assert gone_files([there, gone]) == {gone}
    monkeypatch.setattr(presence, "is_on_own_disk", lambda folder: True)  # as once the folder has answered
    assert gone_files([there, gone]) == {gone}


@pytest.fixture
def drive(monkeypatch) -> Any:
    """A drive at /drive that does not answer until its event is set."""
    answers, asked = threading.Event(), []

    def hanging(path: str) -> Path:
        if path.startswith("/drive"):
            asked.append(path)
            answers.wait(30)
        return Path(path)

    monkeypatch.setattr(presence, "text_path", hanging)
    yield answers, asked
    answers.set()


def test_a_drive_that_hangs_is_not_waited_for_and_not_asked_again_until_it_answers(drive, tmp_path):
    answers, asked = drive
    assert gone_files(["/drive/a.png", str(tmp_path / "gone")], seconds=0.2) == {str(tmp_path / "gone")}
    assert gone_files(["/drive/b.png"], seconds=30) == set(), "at once: the one before still hangs"
    assert asked == ["/drive/a.png"]
    answers.set()
    until = time.monotonic() + 30
    while gone_files(["/drive/b.png"]) != {"/drive/b.png"}:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_drive_that_answered_too_late_is_asked_again(drive, monkeypatch):
    """It answers while the caller gives up: whatever comes first, it does not count as one that hangs for ever."""
    answers, _ = drive
    for _ in range(100):
        answers.clear()
        threading.Timer(0.005, answers.set).start()
        gone_files(["/drive/a.png", "/drive/b.png"], seconds=0.005)
        answers.wait(30)
        until = time.monotonic() + 30
        while "/drive" in presence._hanging:
            assert time.monotonic() < until
            time.sleep(0.001)


def test_more_files_than_workers_are_all_looked_at(tmp_path):
    paths = [str(tmp_path / f"{i}") for i in range(500)]
    for path in paths[::2]:
        Path(path).write_text("")
    assert gone_files(paths) == set(paths[1::2])
