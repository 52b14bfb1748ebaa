"""What a gallery was made from, also where an earlier version did not write it down."""

from __future__ import annotations

import numpy as np
import pytest

from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.folder_list import MOST_GROUPS, list_folders
from ipcir_tools.store.folders import FolderRow
from ipcir_tools.store.removing import remove
from ipcir_tools.types import ImageRecord


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(tmp_path) as catalog:
        yield catalog


def hold(catalog: Catalog, *paths: str) -> None:
    for path in paths:
        id_ = f"{abs(hash(path)):016x}"[:16]
        record = ImageRecord(id=id_, source=path, bytes=1, width=1, height=1, format="png")
        catalog.add([record], [FileStamp(path, id_, 1, 1)], {id_: np.ones(4, np.float32)}, "s")


def test_a_file_counts_for_the_innermost_known_folder(catalog):
    hold(catalog, "/a/1.png", "/a/b/2.png", "/a/b/c/3.png")
    catalog.put_folders([FolderRow("/a", ("*.gif",), "2024-01-01"), FolderRow("/a/b", (), "2024-01-02")])
    found = [(each.path, each.exclude, each.files, each.seen, each.gone) for each in list_folders(catalog)]
    assert found == [("/a", ("*.gif",), 1, "2024-01-01", True), ("/a/b", (), 2, "2024-01-02", True)]


def test_files_of_an_earlier_version_are_put_together(catalog):
    hold(catalog, "/home/u/Pictures/1.png", "/home/u/Pictures/2020/may/2.png", "/mnt/usb/DCIM/3.png")
    found = [(each.path, each.files, each.seen) for each in list_folders(catalog)]
    assert found == [("/home/u/Pictures", 2, None), ("/mnt/usb/DCIM", 1, None)]


def test_many_folders_of_an_earlier_version_become_few(catalog):
    hold(catalog, *(f"/home/u/Pictures/{year}/{month:02}/1.png" for year in (2020, 2021) for month in range(1, 13)))
    found = list_folders(catalog)
    assert len(found) <= MOST_GROUPS
    assert sum(each.files for each in found) == 24
    assert all(each.path.startswith("/home/u/Pictures") for each in found)


def test_what_is_gone_needs_no_pattern_to_stay_out(catalog):
    hold(catalog, "/nowhere/1.png", "/nowhere/sub/2.png")
    catalog.put_folders([FolderRow("/nowhere", (), "2024-01-01")])
    report = remove(["/nowhere/sub"], catalog)
    assert (report.files, report.pictures, report.kept_out) == (1, 1, ())
    assert catalog.folders()["/nowhere"].exclude == ()
