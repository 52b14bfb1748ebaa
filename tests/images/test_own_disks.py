"""Folders on disks of this machine are told from others by the list of mounted drives, and for a minute only."""

from __future__ import annotations

import threading

import pytest

from ipcir_tools.images import own_disks, presence
from ipcir_tools.images.own_disks import is_on_own_disk, learn
from ipcir_tools.images.presence import gone_files

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:40 / /net rw,relatime shared:7 - nfs4 server:/photos rw,hard
24 22 0:41 / /net/scratch rw - tmpfs none rw
25 22 0:42 / /media/my\\040stick rw - vfat /dev/sdb1 rw
26 22 0:43 / /auto rw - ext4 /dev/vdb rw
27 26 0:44 / /auto rw - cifs //server/share rw
"""


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    listed = tmp_path / "mountinfo"
    listed.write_text(MOUNTS)
    monkeypatch.setattr(own_disks, "_MOUNTS", listed)
    monkeypatch.setattr(own_disks, "_mounted", (-own_disks.READ_SECONDS, {}))
    monkeypatch.setattr(own_disks, "_known", {})
    return listed


@pytest.mark.parametrize(
    ("folder", "is_own"),
    [
        ("/home/anna/photos", True),
        ("/net", False),
        ("/net/2024/05", False),
        ("/network", True),
        ("/net/scratch/a", True),
        ("/media/my stick/a", False),
        ("/auto/a", False),
    ],
)
def test_the_drive_with_the_longest_place_says_what_a_folder_is_on(mounts, folder, is_own):
    assert not is_on_own_disk(folder), "it has not answered yet"
    learn(folder)
    assert is_on_own_disk(folder) == is_own


def test_what_was_learned_holds_for_a_minute(mounts, monkeypatch):
    now = own_disks.time.monotonic()
    learn("/home/anna")
    mounts.write_text(MOUNTS + "28 22 0:45 / /home rw - nfs4 server:/home rw\n")
    monkeypatch.setattr(own_disks.time, "monotonic", lambda: now + own_disks.KNOWN_SECONDS + 1)
    assert not is_on_own_disk("/home/anna")
    learn("/home/anna")
    assert not is_on_own_disk("/home/anna")


def test_without_a_list_of_drives_no_folder_is_known(mounts):
    mounts.unlink()
    learn("/home/anna")
    assert not is_on_own_disk("/home/anna")


def test_files_of_a_folder_that_has_answered_are_looked_at_in_the_thread_that_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(own_disks, "_known", {})
    seen = []
    look = presence._is_gone
    monkeypatch.setattr(presence, "_is_gone", lambda path: seen.append(threading.current_thread()) or look(path))
    monkeypatch.setattr(own_disks, "_file_system", lambda folder: "ext4")
    (tmp_path / "there").touch()
    wanted = [str(tmp_path / "there"), str(tmp_path / "gone")]
    for _ in range(2):
        assert gone_files(wanted) == {str(tmp_path / "gone")}
    assert [thread is threading.current_thread() for thread in seen] == [False, False, True, True]


def test_an_object_is_on_no_disk(monkeypatch):
    monkeypatch.setattr(own_disks, "_known", {})
    assert gone_files(["memory://own-disks/none.png"]) == {"memory://own-disks/none.png"}
    assert not own_disks._known
