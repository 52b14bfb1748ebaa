"""Folders on disks of this machine are told from others by the list of mounted drives, and for a minute only."""

from __future__ import annotations

import threading

import pytest

from ipcir_tools.images import own_disks, presence
from ipcir_tools.images.own_disks import is_on_own_disk, learn
from ipcir_tools.images.presence import gone_files

MOUNTS = """\

no drive
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:40 / /net rw,relatime shared:7 - nfs4 server:/photos rw,hard
24 22 0:41 / /net/scratch rw - tmpfs none rw
25 22 0:42 / /media/my\\040stick rw - vfat /dev/sdb1 rw
26 22 0:43 / /auto rw - ext4 /dev/vdb rw
27 26 0:44 / /auto rw - cifs //server/share rw
28 22 0:45 / /media/a\x85b rw - fuse.sshfs host:/ rw
29 22 0:46 / /media/tab\\011new\\012back\\134slash rw - nfs server:/ rw
30 22 0:47 / /shared rw - 9p host rw
"""


@pytest.fixture
def mounts(tmp_path, monkeypatch):
    listed = tmp_path / "mountinfo"
    listed.write_text(MOUNTS)
    monkeypatch.setattr(own_disks, "_MOUNTS", listed)
    monkeypatch.setattr(own_disks, "_mounted", (-own_disks.READ_SECONDS, {}))
    monkeypatch.setattr(own_disks, "_known", {})
    monkeypatch.setattr(own_disks.os.path, "isdir", lambda folder: folder != "/home/gone")
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
        ("/media/a\x85b/c", False),
        ("/media/tab\tnew\nback\\slash/c", False),
        ("/shared/a", False),
        ("/home/gone", False),
        ("/no\0name", False),
    ],
)
def test_the_drive_with_the_longest_place_says_what_a_folder_is_on(mounts, folder, is_own):
    assert not is_on_own_disk(folder), "it has not answered yet"
    learn(folder)
    assert is_on_own_disk(folder) == is_own


def test_what_was_learned_holds_for_a_minute(mounts, monkeypatch):
    now = own_disks.time.monotonic()
    learn("/home/anna")
    learn("/net/a")
    mounts.write_text(MOUNTS + "40 22 0:55 / /home rw - nfs4 server:/home rw\n")
    with monkeypatch.context() as patch:
        patch.setattr(own_disks, "_file_system", lambda folder: pytest.fail("asked again within the minute"))
        learn("/home/anna")
        learn("/net/a")
    assert is_on_own_disk("/home/anna")
    monkeypatch.setattr(own_disks.time, "monotonic", lambda: now + own_disks.KNOWN_SECONDS + 1)
    assert not is_on_own_disk("/home/anna")
    learn("/home/anna")
    assert not is_on_own_disk("/home/anna")


def test_no_more_folders_are_remembered_than_that(mounts, monkeypatch):
    monkeypatch.setattr(own_disks, "MOST_KNOWN", 3)
    for i in range(10):
        learn(f"/home/{i}")
    assert len(own_disks._known) <= 3
    assert is_on_own_disk("/home/9")


def test_a_link_is_judged_by_the_drive_that_its_folder_leads_to(mounts, monkeypatch):
    monkeypatch.setattr(
        own_disks.os.path, "realpath", lambda folder: "/net/photos" if folder == "/home/nas" else folder
    )
    learn("/home/nas")
    assert not is_on_own_disk("/home/nas")


def test_a_link_in_a_folder_of_an_own_disk_is_looked_at_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(own_disks, "_known", {str(tmp_path): (own_disks.time.monotonic(), True)})
    seen = []
    look = presence._is_gone
    monkeypatch.setattr(presence, "_is_gone", lambda path: seen.append(path) or look(path))
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    paths = {name: str(tmp_path / name) for name in ("there", "link", "broken", "gone")}
    assert gone_files(paths.values()) == {paths["broken"], paths["gone"]}
    assert sorted(seen) == [paths["broken"], paths["link"]]


def test_without_a_list_of_drives_no_folder_is_known(mounts):
    mounts.unlink()
    learn("/home/anna")
    assert not is_on_own_disk("/home/anna")


def test_files_of_a_folder_that_has_answered_are_looked_at_in_the_thread_that_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(own_disks, "_known", {})
    seen = []
    look = presence._is_there
    monkeypatch.setattr(presence, "_is_there", lambda path: seen.append(threading.current_thread()) or look(path))
    monkeypatch.setattr(own_disks, "_file_system", lambda folder: "ext4")
    (tmp_path / "there").touch()
    wanted = [str(tmp_path / "there"), str(tmp_path / "gone")]
    assert gone_files(wanted) == {str(tmp_path / "gone")}
    assert not seen
    assert gone_files(wanted) == {str(tmp_path / "gone")}
    assert seen == [threading.current_thread()] * 2


def test_an_object_is_on_no_disk(monkeypatch):
    monkeypatch.setattr(own_disks, "_known", {})
    assert gone_files(["memory://own-disks/none.png"]) == {"memory://own-disks/none.png"}
    assert not own_disks._known
