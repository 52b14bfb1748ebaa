"""The file of features is a cache: damaged, lost, old or torn, a search gives what the catalog gives."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from drawn_gallery import MANY, SPACE, drawn, fill
from filelock import FileLock

from ipcir_tools.store import vector_file
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.held_index import NEVER, IndexPolicy
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.vector_file import DamagedVectorsError, MappedSegment, VectorFile
from ipcir_tools.types import Probe

RARELY = IndexPolicy(least=NEVER.least, changes=50, share=0.1)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(vector_file, "BLOCK_BYTES", 7 * 8 * 4)


@pytest.fixture
def file(catalog, folder):
    """The file of the gallery, written."""
    Gallery.open(catalog, folder, policy=RARELY).sync()
    return file_in(folder)


def file_in(folder: Path) -> Path:
    (found,) = folder.glob("vectors-*")
    return found


def is_right(gallery: Gallery, catalog: Catalog) -> bool:
    ids, matrix = catalog.matrix(SPACE)
    for probe in drawn(5, seed=9):
        scores = (matrix.astype(float) @ probe.astype(float)).astype(np.float32)
        expected = [(id_, -score) for score, id_ in sorted(zip((-scores).tolist(), ids, strict=True))[:10]]
        if gallery.nearest(Probe(probe), 10) != expected:
            return False
    return gallery.snapshot().ids == ids


def is_mapped(gallery: Gallery) -> bool:
    return isinstance(gallery.snapshot().segments[0], MappedSegment)


def test_a_new_process_maps_the_file_and_reads_no_features(catalog, folder, file, monkeypatch):
    monkeypatch.setattr(Catalog, "feature_blocks", lambda *_: pytest.fail("the catalog was read"))
    gallery = Gallery.open(catalog, folder, policy=RARELY)
    gallery.nearest(Probe(drawn(1)[0]), 3)
    assert is_mapped(gallery)


def test_opening_looks_at_no_block(catalog, folder, file, monkeypatch):
    monkeypatch.setattr(MappedSegment, "_check", lambda *_: pytest.fail("a block was read"))
    assert len(Gallery.open(catalog, folder, policy=RARELY).snapshot()) == MANY


def test_only_blocks_that_are_used_are_checked_and_each_once(catalog, folder, file, monkeypatch):
    checked: list[int] = []
    check = MappedSegment._check
    monkeypatch.setattr(MappedSegment, "_check", lambda self, blocks: (checked.extend(blocks), check(self, blocks))[1])
    gallery = Gallery.open(catalog, folder, policy=RARELY)
    ids = catalog.gallery_ids()
    for _ in range(2):
        assert len(gallery.vectors([ids[0], ids[6], ids[7], ids[-1]])) == 4
        assert sorted(checked) == [0, 1, (MANY - 1) // 7]
    gallery.exact(Probe(drawn(1)[0]), 3)
    assert sorted(checked) == list(range(-(-MANY // 7)))


def test_what_changed_since_is_read_from_the_catalog(catalog, folder, file):
    fill(catalog, drawn(20, seed=1), start=MANY)
    catalog.forget(["/even/0.png", "/odd/7.png"])
    gallery = Gallery.open(catalog, folder, policy=RARELY)
    assert is_right(gallery, catalog)
    assert is_mapped(gallery)
    gallery.sync()
    assert file_in(folder) == file  # not enough has changed


def test_it_is_written_again_when_enough_has_changed(catalog, folder, file):
    gallery = Gallery.open(catalog, folder, policy=RARELY)
    before = gallery.snapshot()
    fill(catalog, drawn(60, seed=1), start=MANY)
    gallery.sync()
    assert file_in(folder) != file
    assert is_right(gallery, catalog)
    assert len(gallery.snapshot().segments) == 1
    assert len(before.ids) == len(before.matrix) == MANY  # whoever has the old one keeps it


@pytest.mark.parametrize("at", [0, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("way", ["flip", "cut", "delete", "empty"])
def test_damage_is_noticed_before_it_is_seen(catalog, folder, file, way, at):
    place = int(at * file.stat().st_size)
    if way == "flip":
        data = bytearray(file.read_bytes())
        data[place] ^= 1
        file.write_bytes(data)
    elif way == "delete":
        file.unlink()
    else:
        os.truncate(file, place if way == "cut" else 0)
    gallery = Gallery.open(catalog, folder, policy=RARELY)
    assert is_right(gallery, catalog)
    gallery.sync()
    again = Gallery.open(catalog, folder, policy=RARELY)
    assert is_right(again, catalog)
    assert is_mapped(again)


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"count": -3}, {"width": 0}, {"revision": -1}, {"file": "../other.txt"}])
def test_a_seal_that_can_be_none_is_ignored(catalog, folder, file, wrong):
    (folder.parent / "other.txt").write_text("stays")
    key = f"vectors:{folder.name}"
    catalog.set_note(key, json.dumps(json.loads(catalog.note(key) or "") | wrong))
    assert is_right(Gallery.open(catalog, folder, policy=RARELY), catalog)
    assert (folder.parent / "other.txt").read_text() == "stays"


def test_damage_is_noticed_by_vectors_too(catalog, folder, file):
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    id_ = catalog.gallery_ids()[0]
    found = Gallery.open(catalog, folder, policy=RARELY).vectors([id_])[id_]
    np.testing.assert_array_equal(found, catalog.features([id_], SPACE)[id_])


def test_damage_is_noticed_by_a_filter_that_few_pass(catalog, folder, file):
    ids, matrix = catalog.matrix(SPACE)
    probe = Probe(matrix[0])
    data = bytearray(file.read_bytes())
    data[1] ^= 64  # in the first row
    file.write_bytes(data)
    damaged = Gallery.open(catalog, folder, policy=RARELY)
    rows = damaged.snapshot().rows(ids[:3])
    with pytest.raises(DamagedVectorsError):
        damaged.snapshot().cosines_of(rows, probe.vector)
    assert is_right(damaged, catalog)


def test_a_folder_that_cannot_be_written_is_searched_without(catalog, folder):
    folder.write_text("no folder")
    gallery = Gallery.open(catalog, folder, policy=RARELY)
    gallery.sync()
    assert is_right(gallery, catalog)


def test_a_busy_folder_is_searched_without(catalog, folder, monkeypatch):
    monkeypatch.setattr(vector_file, "LOCK_SECONDS", 0.05)
    folder.mkdir()
    with FileLock(folder / "lock"):
        gallery = Gallery.open(catalog, folder, policy=RARELY)
        gallery.sync()
        assert is_right(gallery, catalog)


def test_many_threads_search_while_files_are_written(catalog, folder, file):
    gallery = Gallery.open(catalog, folder, policy=RARELY)
    other = Gallery.open(catalog, folder, policy=RARELY)
    expected = gallery.exact(Probe(drawn(1, 7)[0]), 10)
    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(VectorFile(catalog, folder).write) for _ in range(3)]
        found = [pool.submit(each.nearest, Probe(drawn(1, 7)[0]), 10) for _ in range(20) for each in (gallery, other)]
    assert all(each.result() for each in written)
    assert all(each.result() == expected for each in found)
