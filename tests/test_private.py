"""What the package makes is for its owner alone, whatever the umask is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.upkeep import check_gallery
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.files import write_bytes
from ipcir_tools.models.loading import encoder_id
from ipcir_tools.private import private_file, private_folder
from ipcir_tools.settings import Settings
from ipcir_tools.store.backups import back_up
from ipcir_tools.store.exposure import warn_of_exposure
from ipcir_tools.store.sealed_index import SealedIndex
from ipcir_tools.store.working_copy import working_copy

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
ENCODER = "open_clip:fake/colours"


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_ones(folder: Path) -> list[str]:
    """What is there for others, of a folder and all that is in it."""
    every = [folder, *folder.rglob("*")]
    return [str(path.relative_to(folder)) for path in every if mode(path) != (0o700 if path.is_dir() else 0o600)]


def gallery(home: Path, pictures: Path) -> Engine:
    pictures.mkdir(exist_ok=True)
    for n in range(4):
        pixels = np.random.default_rng(n).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(pictures / f"{n}.png")
    engine = Engine.open(Settings(home=home, encoder=ENCODER))
    engine.components.encoder = FakeEncoder(encoder_id(ENCODER))
    engine.index([pictures])
    return engine


def test_folders_and_files_are_for_their_owner_alone(umask, tmp_path):
    folder = private_folder(tmp_path / "a" / "b" / "c")
    file = private_file(folder / "d")
    write_bytes(folder / "e" / "f", b"text")
    assert mode(file) == 0o600
    assert open_ones(tmp_path / "a") == []


def test_what_was_there_keeps_its_permissions(umask, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "report.html").touch()
    (tmp_path / "report.html").chmod(0o644)
    write_bytes(tmp_path / "report.html", b"text")
    private_file(tmp_path / "report.html")
    private_folder(tmp_path)
    assert (mode(tmp_path), mode(tmp_path / "report.html")) == (0o755, 0o644)


def test_a_part_of_a_file_is_for_its_owner_alone_from_its_first_byte(tmp_path):
    from ipcir_tools.files import replaced

    with replaced(tmp_path / "report.html") as part:
        assert mode(part) == 0o600


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_a_gallery_is_for_its_owner_alone(mask, tmp_path):
    before = os.umask(mask)
    try:
        home = tmp_path / "new" / "home"
        with gallery(home, tmp_path / "pictures") as engine:
            engine.find("red")
            assert SealedIndex(engine.catalog, home / "index").write()
            assert (home / "catalog.sqlite-wal").exists()
            assert open_ones(tmp_path / "new") == []
            back_up(engine.settings, tmp_path / "new" / "backup.sqlite")
        assert open_ones(tmp_path / "new") == []
    finally:
        os.umask(before)


def test_a_copy_of_a_gallery_in_the_cache_folder_is_too(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new" / "cache"))
    with gallery(tmp_path / "home", tmp_path / "pictures"):
        pass
    before = os.umask(0)
    try:
        working_copy(tmp_path / "home")
    finally:
        os.umask(before)
    assert open_ones(tmp_path / "new") == []


def test_a_gallery_that_others_can_reach_is_said_once_and_closed_by_repair(tmp_path, caplog):
    home = tmp_path / "home"
    with gallery(home, tmp_path / "pictures") as engine:
        settings = engine.settings
    assert [record.message for record in caplog.records if "other users" in record.message] == []
    home.chmod(0o755)
    (home / "catalog.sqlite").chmod(0o644)
    warn_of_exposure.cache_clear()
    for _ in range(2):
        Engine.open(settings).close()
    [line] = [record.message for record in caplog.records if "other users" in record.message]
    assert "(catalog.sqlite): `ipcir verify --repair` closes it" in line
    [found] = check_gallery(settings).findings
    assert (found.part, found.mended) == ("files", 0)
    assert str(home / "catalog.sqlite") in found.examples
    assert mode(home / "catalog.sqlite") == 0o644  # nothing without consent
    report = check_gallery(settings, repair=True)
    assert [each.count - each.mended for each in report.findings] == [0]
    assert mode(home / "catalog.sqlite") == 0o600


def test_a_folder_in_which_others_may_write_is_closed_too(tmp_path):
    home = tmp_path / "home"
    with gallery(home, tmp_path / "pictures") as engine:
        settings = engine.settings
    home.chmod(0o777)
    assert check_gallery(settings, repair=True).findings[0].examples == (str(home),)
    assert mode(home) == 0o700


def test_a_closed_gallery_in_a_folder_that_others_may_read_is_well(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    with gallery(home, tmp_path / "pictures") as engine:
        settings = engine.settings
    assert check_gallery(settings).findings == ()


def test_the_command_line_says_it_in_one_line(tmp_path):
    home = tmp_path / "home"
    with gallery(home, tmp_path / "pictures"):
        pass
    home.chmod(0o777)
    command = [sys.executable, "-m", "ipcir_tools.cli.main", "folders", "--home", str(home)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert said.count("\n") == 1
    assert said.startswith("other users of this machine can reach the gallery")
