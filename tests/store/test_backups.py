"""A backup is the catalog of one moment, whoever writes meanwhile, and replaces nothing without a word."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from drawn_gallery import drawn, fill
from whole_gallery import hits, opened, settings

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.settings import Settings
from ipcir_tools.store.backups import back_up, restore
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.working_copy import CATALOG


def test_what_is_restored_is_what_was_backed_up(home: Path, whole: Path, tmp_path: Path) -> None:
    with opened(settings(home)) as engine:
        before = hits(engine)
        engine.find("a last turn")
        made = back_up(settings(home), tmp_path / "backup")  # while it is open, and its log is not empty
        turns = engine.turns(99)
    assert (made.pictures, made.turns) == (18, len(turns))
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    restore(settings(tmp_path / "new"), tmp_path / "backup")
    with opened(settings(tmp_path / "new")) as engine:
        assert engine.turns(99) == turns
        assert hits(engine) == before


def test_nothing_is_replaced_without_being_asked(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    back_up(settings(home), file)
    with pytest.raises(InvalidRequestError, match="--replace"):
        back_up(settings(home), file)
    with opened(settings(home)) as engine:
        later = engine.find("after the backup").turn
    with pytest.raises(InvalidRequestError, match="--replace"):
        restore(settings(home), file)
    kept = restore(settings(home), file, replace=True).kept
    assert kept is not None
    with opened(settings(home)) as engine, pytest.raises(NotFoundError):
        engine.turn(later.id)
    (tmp_path / "old").mkdir()
    shutil.copyfile(kept, tmp_path / "old" / CATALOG)
    with opened(settings(tmp_path / "old")) as engine:
        assert engine.turn(later.id) == later


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_no_part_of_the_catalog_is_replaced_by_its_backup(home: Path, end: str) -> None:
    with opened(settings(home)) as engine:
        before = engine.catalog.size()
        with pytest.raises(InvalidRequestError, match="the catalog itself"):
            back_up(engine.settings, home / f"catalog.sqlite{end}", replace=True)
        assert engine.catalog.size() == before


def test_a_gallery_in_use_is_not_replaced(home: Path, tmp_path: Path) -> None:
    back_up(settings(home), tmp_path / "backup")
    with opened(settings(home)) as engine:
        engine.find("a red shirt")
        with pytest.raises(CatalogError, match="in use"):
            restore(settings(home), tmp_path / "backup", replace=True)
        assert engine.find("a red shirt").hits


@pytest.mark.parametrize("content", [b"", b"no database" * 99, None])
def test_what_is_no_backup_is_refused(home: Path, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "file"
    if content is None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE other (x)")
    else:
        file.write_bytes(content)
    with pytest.raises(CatalogError, match="no backup"):
        restore(settings(tmp_path / "new"), file)
    assert not (tmp_path / "new" / CATALOG).exists()
    with pytest.raises(NotFoundError):
        restore(settings(tmp_path / "new"), tmp_path / "none")


def test_a_damaged_backup_is_refused(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    back_up(settings(home), file)
    content = bytearray(file.read_bytes())
    content[-16_384:] = b"\xff" * 16_384
    file.write_bytes(content)
    with pytest.raises(CatalogError, match="damaged"):
        restore(settings(tmp_path / "new"), file)


def test_a_catalog_on_a_server_has_its_own_way(tmp_path: Path) -> None:
    shared = Settings(home=tmp_path, catalog_url="postgresql://user:secret@host/name")
    for call in (back_up, restore):
        with pytest.raises(InvalidRequestError, match="pg_dump") as error:
            call(shared, tmp_path / "file")
        assert "secret" not in str(error.value)


def test_a_backup_while_another_thread_writes_is_of_one_moment(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "home") as catalog:
        fill(catalog, drawn(40))
        ended = threading.Event()

        def write() -> None:
            for n in range(40, 4_000, 4):
                if ended.is_set():
                    return
                fill(catalog, drawn(4, seed=n), start=n)

        writer = threading.Thread(target=write)
        writer.start()
        made = [back_up(Settings(home=tmp_path / "home"), tmp_path / f"backup {i}") for i in range(5)]
        ended.set()
        writer.join()
    assert made[0].pictures < made[-1].pictures or made[-1].pictures > 3_900
    for i, each in enumerate(made):
        restore(Settings(home=tmp_path / f"home {i}"), tmp_path / f"backup {i}")
        with Catalog.open(tmp_path / f"home {i}") as catalog:
            ids, rows = catalog.matrix("toy/8d")
            assert len(ids) == len(rows) == catalog.size() == each.pictures
            assert catalog.lacking_features("toy/8d") == []
