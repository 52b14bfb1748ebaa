"""The index may be lost, damaged or behind at any moment: a search gives what exact search gives, and says nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError
from ipcir_tools.evaluation.experiments.index_speed import measure_recall
from ipcir_tools.store import sealed_index
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.chroma import CHOSEN, DATABASE, NeighbourIndex
from ipcir_tools.store.filters import FIELDS
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.sealed_index import SealedIndex
from ipcir_tools.types import FloatArray, ImageRecord, Probe

SPACE = "toy/8d"
MANY = 300
"""More pictures than the candidates of a small query, so that Chroma is asked."""


def unit(rows: np.ndarray) -> FloatArray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def fill(catalog: Catalog, vectors: FloatArray, start: int = 0) -> list[str]:
    ids = [f"{start + n:016x}" for n in range(len(vectors))]
    records = [
        ImageRecord(
            id=id_,
            source=f"/{'even' if n % 2 == 0 else 'odd'}/{n}.png",
            bytes=n,
            width=100 + n % 10,
            height=50,
            format="png" if n % 3 else "jpeg",
        )
        for n, id_ in enumerate(ids, start)
    ]
    stamps = [FileStamp(each.source, each.id, each.bytes, 1) for each in records]
    catalog.add(records, stamps, dict(zip(ids, vectors, strict=True)), SPACE)
    return ids


def drawn(n: int, seed: int = 0) -> FloatArray:
    return unit(np.random.default_rng(seed).normal(size=(n, 8)))


@pytest.fixture
def catalog(tmp_path):
    with Catalog.open(tmp_path) as opened:
        fill(opened, drawn(MANY))
        yield opened


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "index"


def asks_chroma(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a small search is answered without scoring everything."""
    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "exact", lambda *_: [])
        return bool(gallery.nearest(Probe(drawn(1, 5)[0]), 5))


def is_right(gallery: Gallery) -> bool:
    probes = [Probe(vector) for vector in drawn(5, seed=9)]
    return all(gallery.nearest(probe, 10) == gallery.exact(probe, 10) != [] for probe in probes)


# --- searching


def test_the_nearest_come_first_with_their_cosines(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder)
    assert asks_chroma(gallery, monkeypatch)
    ids, matrix = catalog.matrix(SPACE)
    probe = drawn(1, 7)[0]
    cosines = matrix.astype(float) @ probe
    order = np.argsort(-cosines)[:10]
    found = gallery.nearest(Probe(probe), 10)
    assert [id_ for id_, _ in found] == [ids[i] for i in order]
    np.testing.assert_allclose([score for _, score in found], cosines[order], atol=1e-6)
    assert gallery.exact(Probe(probe), 10) == found


def test_a_rule_that_is_not_linear_ranks_the_candidates(catalog, folder):
    gallery = Gallery.open(catalog, folder)
    vector = drawn(1, 7)[0]
    probe = Probe(vector, rescore=lambda features: -np.abs(features @ vector - 0.9))
    found = gallery.nearest(probe, 3)
    assert [id_ for id_, _ in found] == [id_ for id_, _ in gallery.exact(probe, 3)]
    assert found[0][1] == max(score for _, score in found)


def test_more_than_there_are_gives_all(catalog, folder):
    gallery = Gallery.open(catalog, folder)
    assert len(gallery.nearest(Probe(drawn(1)[0]), 10_000)) == MANY


def test_excluded_pictures_do_not_cost_places(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder)
    probe = Probe(drawn(1, 7)[0])
    everything = gallery.nearest(probe, MANY)
    best = {id_ for id_, _ in everything[:120]}
    assert asks_chroma(gallery, monkeypatch)
    assert gallery.nearest(probe, 10, exclude=best) == everything[120:130]


def test_equal_pictures_come_by_id(tmp_path, folder):
    with Catalog.open(tmp_path) as catalog:
        ids = fill(catalog, np.repeat(drawn(1), MANY, axis=0))
        gallery = Gallery.open(catalog, folder)
        assert [id_ for id_, _ in gallery.nearest(Probe(drawn(1)[0]), 20)] == ids[:20]


def test_a_picture_that_came_in_later_is_found_and_left_out(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder)
    new = drawn(10, seed=5)
    for id_, vector in zip(fill(catalog, new, MANY), new, strict=True):
        probe = Probe(vector)
        assert asks_chroma(gallery, monkeypatch)
        assert gallery.nearest(probe, 5) == gallery.exact(probe, 5)
        assert gallery.nearest(probe, 1)[0][0] == id_
        assert gallery.nearest(probe, 5, exclude=[id_]) == gallery.exact(probe, 6)[1:]


@pytest.mark.parametrize("better", ["left out", "there"])
@pytest.mark.parametrize("later", [False, True])
def test_equal_pictures_come_by_id_beside_others(tmp_path, folder, better, later):
    """Those that are better and are left out, and those that came in later and are worse, say nothing of who ties."""
    probe = Probe(np.eye(8, dtype=np.float32)[0])
    ties, best, worst = (unit(np.array([[x, 1, 0, 0, 0, 0, 0, 0]])) for x in (1, 9, -9))
    with Catalog.open(tmp_path) as catalog:
        ids = fill(catalog, np.concatenate([np.repeat(ties, MANY - 5, axis=0), np.repeat(best, 5, axis=0)])[::-1])
        gallery = Gallery.open(catalog, folder)
        if later:
            fill(catalog, np.repeat(worst, 3, axis=0), MANY)
        left_out = ids[:5] if better == "left out" else []
        found = gallery.nearest(probe, 5 if left_out else 7, exclude=left_out)
        assert [id_ for id_, _ in found] == (ids[5:10] if left_out else ids[:7])


def test_an_empty_gallery_says_what_to_do(tmp_path, folder):
    with Catalog.open(tmp_path) as catalog:
        gallery = Gallery.open(catalog, folder)
        assert not folder.exists()
        with pytest.raises(EmptyGalleryError, match="ipcir index FOLDER"):
            gallery.nearest(Probe(drawn(1)[0]), 3)


def test_k_must_be_positive(catalog, folder):
    with pytest.raises(InvalidRequestError, match="k"):
        Gallery.open(catalog, folder).nearest(Probe(drawn(1)[0]), 0)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 400), seed=st.integers(0, 99), k=st.integers(1, 40), data=st.data(), grid=st.booleans())
def test_nearest_is_exact(n, seed, k, data, grid):
    """On a coarse grid many pictures are equal or equally far."""
    rows = np.random.default_rng(seed).normal(size=(n, 8))
    vectors = unit(np.where(rows > 0, 1.0, -1.0) if grid else rows)
    with TemporaryDirectory() as home, Catalog.open(Path(home)) as catalog:
        ids = fill(catalog, vectors)
        gallery = Gallery.open(catalog, Path(home) / "index")
        exclude = data.draw(st.sets(st.sampled_from([*ids, "unknown"]), max_size=20))
        probe = Probe(unit(np.random.default_rng(seed + 1).normal(size=8)))
        found = gallery.nearest(probe, k, exclude=exclude)
        assert found == gallery.exact(probe, k, exclude=exclude)
        assert len(found) == min(k, len(set(ids) - exclude))
        assert found == sorted(found, key=lambda hit: (-hit[1], hit[0]))
        gallery.close()


def test_recall_can_be_measured():
    figures = measure_recall(400, 16, CHOSEN, queries=10)
    assert figures.recall_rescored > 0.9


# --- filters


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        ({"format": "jpeg"}, lambda n: n % 3 == 0),
        ({"folder": "/odd"}, lambda n: n % 2 == 1),
        ({"name": {"$in": ["7.png", "8.png", "none.png"]}}, lambda n: n in (7, 8)),
        ({"name": {"$nin": ["7.png"]}}, lambda n: n != 7),
        ({"format": {"$ne": "png"}}, lambda n: n % 3 == 0),
        ({"width": {"$gt": 108.5}}, lambda n: n % 10 == 9),
        ({"bytes": {"$lte": 3}}, lambda n: n <= 3),
        (
            {"$and": [{"format": {"$eq": "png"}}, {"$or": [{"bytes": {"$lt": 5}}, {"bytes": {"$gte": 295}}]}]},
            lambda n: n % 3 != 0 and (n < 5 or n >= 295),
        ),
    ],
)
def test_a_filter_keeps_what_passes_and_fills_k(catalog, folder, where, passes: Callable[[int], bool]):
    gallery = Gallery.open(catalog, folder)
    probe = Probe(drawn(1, 7)[0])
    wanted = [hit for hit in gallery.exact(probe, MANY) if passes(int(hit[0], 16))]
    assert wanted
    assert gallery.nearest(probe, 20, where) == wanted[:20]


def test_a_filter_that_nothing_passes(catalog, folder):
    assert Gallery.open(catalog, folder).nearest(Probe(drawn(1)[0]), 3, {"format": "webp"}) == []


@pytest.mark.parametrize(
    "where",
    [
        {},
        [],
        {"colour": "blue"},
        {"id": "a1"},
        {"width": 1, "height": 2},
        {"width": {"$gt": 1, "$lt": 2}},
        {"width": {}},
        {"width": {"$like": 1}},
        {"width": "wide"},
        {"width": True},
        {"width": float("nan")},
        {"width": 2**70},
        {"name": 3},
        {"name": {"$gt": "a"}},
        {"name": "half \ud83d"},
        {"name": None},
        {"name": {"$in": []}},
        {"name": {"$in": "abc"}},
        {"name": {"$in": ["x"] * 1000}},
        {"$and": [{"width": 1}]},
        {"$and": {"width": 1}},
        {"$not": [{"width": 1}, {"width": 2}]},
        {1: 2},
    ],
)  # fmt: skip
def test_a_wrong_filter_is_refused_with_the_grammar(catalog, folder, where):
    with pytest.raises(InvalidRequestError) as error:
        Gallery.open(catalog, folder).nearest(Probe(drawn(1)[0]), 3, where)
    assert all(word in str(error.value) for word in [*FIELDS, "$gte", "$nin", "$or"])


@pytest.mark.parametrize(("depth", "words"), [(100, "nested"), (5000, "values")])
def test_a_filter_that_is_nested_without_end(catalog, depth, words):
    where = {"width": 1}
    for _ in range(depth):
        where = {"$and": [where, {"height": 2}]}
    with pytest.raises(InvalidRequestError, match=words):
        catalog.matching(where)


# --- keeping up


def test_sync_follows_the_catalog(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder)
    reports = []
    fill(catalog, drawn(40, seed=1), start=MANY)
    catalog.forget([f"/even/{n}.png" for n in range(0, 60, 2)])
    assert asks_chroma(gallery, monkeypatch)  # behind: what is new is scored beside its candidates
    assert is_right(gallery)
    gallery.sync(lambda what, done, total: reports.append((done, total)))
    assert reports == [(40, 40)]
    assert asks_chroma(gallery, monkeypatch)
    assert is_right(gallery)


def test_opening_a_current_index_writes_nothing(catalog, folder):
    Gallery.open(catalog, folder).close()
    before = sorted(path.name for path in folder.iterdir())
    Gallery.open(catalog, folder, lambda *_: pytest.fail("nothing was to be done")).close()
    assert sorted(path.name for path in folder.iterdir()) == before


def test_the_catalog_changed_while_the_index_was_closed(catalog, folder, monkeypatch):
    Gallery.open(catalog, folder).close()
    fill(catalog, drawn(40, seed=1), start=MANY)
    reports = []
    gallery = Gallery.open(catalog, folder, lambda what, done, total: reports.append(total))
    assert reports == [40]
    assert asks_chroma(gallery, monkeypatch)
    assert is_right(gallery)


def test_another_gallery_on_the_same_home_takes_over_the_new_index(catalog, folder, monkeypatch):
    reader, writer = Gallery.open(catalog, folder), Gallery.open(catalog, folder)
    fill(catalog, drawn(40, seed=1), start=MANY)
    writer.sync()
    assert asks_chroma(reader, monkeypatch)
    assert is_right(reader)


def rewrite(gallery: Gallery) -> None:
    gallery.discard()
    gallery.sync()


def test_searches_go_on_while_the_index_is_written(catalog, folder):
    gallery = Gallery.open(catalog, folder)
    expected = gallery.exact(Probe(drawn(1, 7)[0]), 10)
    with ThreadPoolExecutor(4) as pool:
        rebuilt = [pool.submit(rewrite, gallery) for _ in range(2)]
        found = [pool.submit(gallery.nearest, Probe(drawn(1, 7)[0]), 10) for _ in range(40)]
    assert [each.result() for each in rebuilt] == [None, None]
    assert all(each.result() == expected for each in found)


def test_a_busy_home_is_searched_without_an_index(catalog, folder, monkeypatch):
    monkeypatch.setattr(sealed_index, "LOCK_SECONDS", 0.05)
    folder.mkdir()
    with FileLock(folder / "lock"):
        gallery = Gallery.open(catalog, folder)
        assert not asks_chroma(gallery, monkeypatch)
        assert is_right(gallery)
    gallery.sync()
    assert asks_chroma(gallery, monkeypatch)


def test_a_file_in_the_place_of_the_index_is_searched_without(catalog, folder, monkeypatch):
    folder.write_text("no folder")
    gallery = Gallery.open(catalog, folder)
    assert not asks_chroma(gallery, monkeypatch)
    assert is_right(gallery)


# --- damage


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


def truncate(folder: Path, name: str) -> None:
    for path in folder.rglob(name):
        os.truncate(path, path.stat().st_size // 2)


def garble(folder: Path, name: str) -> None:
    for path in folder.rglob(name):
        path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


def delete(folder: Path, name: str) -> None:
    for path in folder.rglob(name):
        path.unlink()


NAMES = [DATABASE, "data_level0.bin", "header.bin", "length.bin", "link_lists.bin", "index_metadata.pickle"]


def is_repaired(catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    gallery = Gallery.open(catalog, folder)
    right = asks_chroma(gallery, monkeypatch) and is_right(gallery)
    gallery.close()
    return right


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", [truncate, garble, delete])
def test_a_damaged_file_is_repaired_at_opening(catalog, folder, monkeypatch, damage, name):
    Gallery.open(catalog, folder).close()
    assert any(path.name == name for path in files_of(folder))
    damage(folder, name)
    assert is_repaired(catalog, folder, monkeypatch)


@pytest.mark.parametrize("damage", [truncate, garble, delete])
def test_a_damaged_index_that_is_also_behind(catalog, folder, monkeypatch, damage):
    Gallery.open(catalog, folder).close()
    fill(catalog, drawn(40, seed=1), start=MANY)
    for name in NAMES:
        damage(folder, name)
    assert is_repaired(catalog, folder, monkeypatch)


def test_a_deleted_index(catalog, folder, monkeypatch):
    Gallery.open(catalog, folder).close()
    shutil.rmtree(folder)
    assert is_repaired(catalog, folder, monkeypatch)


def test_rows_that_were_deleted_behind_our_back(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder)
    gallery.close()
    (made,) = (path for path in folder.iterdir() if path.is_dir())
    index = NeighbourIndex.open(made)
    index.drop(catalog.gallery_ids()[:7])
    index.close()
    assert is_repaired(catalog, folder, monkeypatch)


def test_damage_while_it_is_open(catalog, folder, monkeypatch):
    gallery = Gallery.open(catalog, folder)
    monkeypatch.setattr(NeighbourIndex, "nearest", lambda self, vector, n: ["unknown"] * n)
    assert is_right(gallery)
    monkeypatch.undo()
    assert not asks_chroma(gallery, monkeypatch)
    gallery.close()
    assert is_repaired(catalog, folder, monkeypatch)


WRITER = """
import sys
from pathlib import Path
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.sealed_index import SealedIndex

home = Path(sys.argv[1])
gallery = Gallery(Catalog.open(home), home / "index")
print("ready", flush=True)
while True:
    gallery.discard()
    gallery.sync()
"""


def test_a_kill_at_any_moment(catalog, folder, monkeypatch):
    Gallery.open(catalog, folder).close()
    for pause in (0.5, 0.6, 0.7):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder.parent)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert is_repaired(catalog, folder, monkeypatch)


# --- manners


def test_a_stray_dotenv_and_an_empty_gallery_load_nothing(tmp_path):
    """Chroma reads .env of the working directory at its import; this one would stop it."""
    (tmp_path / ".env").write_bytes(b"IS_PERSISTENT=perhaps\nALLOW_RESET=\xff\xfe\n")
    program = """
import sys
from pathlib import Path
import numpy as np
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.sealed_index import SealedIndex
from ipcir_tools.types import ImageRecord

home = Path("home")
catalog = Catalog.open(home)
Gallery.open(catalog, home / "index").close()
assert "chromadb" not in sys.modules
record = ImageRecord(id="a1", source="/a.png", bytes=1, width=1, height=1, format="png")
catalog.add([record], [FileStamp("/a.png", "a1", 1, 1)], {"a1": np.ones(3, np.float32)}, "toy/3d")
gallery = Gallery.open(catalog, home / "index")
assert gallery._index.opened is not None
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- the collection as others read it


def rows_of(folder: Path) -> dict[str, tuple[str, dict]]:
    index = NeighbourIndex.open(folder)
    rows = index.described(sorted(index.ids()))
    index.close()
    return rows


def test_the_collection_has_captions_and_places(catalog, folder):
    gallery = Gallery(catalog, folder)
    ids = catalog.gallery_ids()
    catalog.put_captions({ids[0]: "a red shirt"}, "toy")
    sealed = SealedIndex(catalog, folder, lambda: "toy")
    rows = rows_of(sealed.collection_folder())
    assert sorted(rows) == ids
    assert rows[ids[0]][0] == "a red shirt"
    assert rows[ids[1]] == ("1.png", {"source": "/odd/1.png", "name": "1.png", "folder": "/odd", "format": "png"})
    catalog.put_captions({ids[1]: "a blue shirt"}, "toy")
    fill(catalog, drawn(3, seed=1), start=MANY)
    rows = rows_of(sealed.collection_folder())
    assert (len(rows), rows[ids[1]][0]) == (MANY + 3, "a blue shirt")
    before = sorted(path.name for path in folder.iterdir())
    sealed.collection_folder()
    assert sorted(path.name for path in folder.iterdir()) == before
    assert is_right(gallery)
