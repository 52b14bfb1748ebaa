"""A part of the race in ``swap_race.py``, and files that are hard to open."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from swap_race import OWN, SECRET, png, raced

from ipcir_tools.errors import BadImageError, NotFoundError, UnreadableFileError
from ipcir_tools.images import handles
from ipcir_tools.images.handles import opened_file
from ipcir_tools.images.reading import image_id, read_file
from ipcir_tools.settings import Settings

SETTINGS = Settings(max_bytes=100_000)


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("indexing", [False, True], ids=["named by an agent", "indexed"])
def test_nothing_from_elsewhere_comes_through(tmp_path, folder, indexing):
    came = raced(tmp_path, 750, folder=folder, indexing=indexing)
    assert came[SECRET] == 0, came
    assert came[OWN] > 0, came


@pytest.fixture(params=["walked", "compared"])
def way(request, monkeypatch) -> str:
    """Both ways to open a file exactly: by the handles of its folders, and where there is no such thing."""
    monkeypatch.setattr(handles, "_WALKS", request.param == "walked")
    return request.param


def test_a_path_with_a_link_in_any_part_is_not_opened_exactly(tmp_path, way):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "deep" / "a.png").write_bytes(png("white"))
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "deep" / "link.png").symlink_to("a.png")
    assert image_id(read_file(tmp_path / "real" / "deep" / "a.png", SETTINGS, exact=True)) == OWN
    for linked in (tmp_path / "folder" / "deep" / "a.png", tmp_path / "real" / "deep" / "link.png"):
        assert read_file(linked, SETTINGS) == png("white")
        with pytest.raises(BadImageError, match="a link came into its place"):
            read_file(linked, SETTINGS, exact=True)
    with pytest.raises(NotFoundError):
        read_file(tmp_path / "real" / "none.png", SETTINGS, exact=True)
    with pytest.raises(NotFoundError):
        read_file(tmp_path / "real" / "deep" / "a.png" / "b.png", SETTINGS, exact=True)


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_no_regular_file_is_never_opened_nor_waited_for(tmp_path, monkeypatch, exact, way):
    os.mkfifo(tmp_path / "pipe.png")
    opened: list[object] = []
    real = os.open
    listener = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)
    listener.bind("s.png")  # a path of a socket has 108 characters at most

    def noted(path: object, *args: object, **more: object) -> int:
        opened.append(path)
        return real(path, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", noted)
    with listener:
        for file in (tmp_path / "pipe.png", tmp_path / "s.png", Path("/dev/zero"), Path("/dev/tty")):
            if not file.exists():
                continue
            with pytest.raises(BadImageError, match="not a regular file"):
                read_file(file, SETTINGS, exact=exact)
            assert file.name not in opened
            assert file not in opened


def test_a_link_to_a_device_or_in_a_circle_is_named(tmp_path):
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    with pytest.raises(BadImageError, match="not a regular file"):
        read_file(tmp_path / "zero.png", SETTINGS)
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_file(tmp_path / "a.png", SETTINGS)
    with pytest.raises(BadImageError):
        read_file(tmp_path / "a.png", SETTINGS, exact=True)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc here")
def test_files_of_the_system_end(tmp_path):
    for name in ("/proc/self/environ", "/proc/self/maps", "/proc/self/mem", "/proc/kmsg"):
        try:
            data = read_file(Path(name), SETTINGS)
        except (BadImageError, NotFoundError):
            continue
        assert len(data) <= SETTINGS.max_bytes


def test_a_huge_sparse_file_is_refused_by_its_size_and_one_that_grows_by_what_was_read(tmp_path):
    with (tmp_path / "sparse.png").open("wb") as file:
        file.truncate(2**42)
    with pytest.raises(BadImageError, match="more than the limit"):
        read_file(tmp_path / "sparse.png", SETTINGS)
    growing = tmp_path / "growing.png"
    growing.write_bytes(b"x")
    done = threading.Event()

    def grow() -> None:
        with growing.open("ab") as file:
            while not done.is_set() and file.tell() < 50_000_000:
                file.write(b"x" * 10_000)
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(200):
            with suppress(BadImageError):  # more than the limit by now
                assert len(read_file(growing, SETTINGS)) <= SETTINGS.max_bytes
    finally:
        done.set()
        writer.join()


def test_no_handle_is_left_open(tmp_path, way):
    (tmp_path / "a.png").write_bytes(png("white"))
    (tmp_path / "b.png").symlink_to("a.png")
    handles_of_process = Path("/proc/self/fd")
    before = len(list(handles_of_process.iterdir())) if handles_of_process.exists() else None
    for name in ("a.png", "b.png", "none.png", "a.png/x"):
        for exact in (False, True):
            with suppress(OSError, BadImageError), opened_file(tmp_path / name, exact=exact):
                pass
    if before is not None:
        assert len(list(handles_of_process.iterdir())) == before
