"""Indexing on Ray: the same gallery as without, whatever becomes of a worker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import ray_models
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ipcir_tools import Engine, Settings
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.images.file_status import GONE, FileStatus
from ipcir_tools.images.storage import file_status
from ipcir_tools.settings import load_settings
from ipcir_tools.store import ray_cluster, ray_encoding
from ipcir_tools.store.ray_attempts import ALONE, CALLS, CountedAttempts, Places
from ipcir_tools.store.ray_cluster import Encoders, cluster, room_for
from ipcir_tools.store.ray_worker import EncodingWorker, Ids, Job, columns_of, rows_of
from ipcir_tools.types import IndexReport


def draw(file: Path, seed: int, mark: tuple[int, int, int] | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 250, (24, 24, 3), dtype=np.uint8))
    if mark:
        image.putpixel((0, 0), mark)
    image.save(file)
    return file


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for seed in range(21):
        draw(folder / f"{seed:02}.png", seed, ray_models.SLOW)
    draw(folder / "zz" / "once.png", 100, ray_models.ONCE)
    shutil.copy(folder / "03.png", folder / "zz" / "copy.png")
    (folder / "empty.jpg").touch()
    (folder / "words.png").write_text("This is no picture.")
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    return folder


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory) -> Iterator[Path]:
    """A Ray cluster on this machine with room for two, started before any test so that each can use it."""
    folder = tmp_path_factory.mktemp("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ray_models.FOLDER, str(folder))
        patch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
        with cluster(ray_cluster.LOCAL) as nodes:
            assert room_for(nodes) == Encoders(2, 1, 0)
            yield folder


def opened(home: Path, **chosen: object) -> Engine:
    models = {"encoder": ray_models.ENCODER, "captioner": ray_models.CAPTIONER}
    return Engine.open(Settings(home=home, batch_size=4, **models, **chosen))


def told(report: IndexReport) -> dict[str, object]:
    """A report without times."""
    return report.model_dump(exclude={"seconds": True, "captions": {"seconds"}})


def held(engine: Engine) -> tuple[object, ...]:
    """All that an index run stores but features."""
    catalog, ids = engine.catalog, engine.catalog.gallery_ids()
    return ids, catalog.records(ids), catalog.stamps(), catalog.captions(ids, ray_models.CAPTIONER)


def test_a_cluster_that_is_not_there(photos, tmp_path):
    assert not ray.is_initialized(), "a cluster that is connected to would be used"
    with opened(tmp_path / "home") as engine, pytest.raises(ModelUnavailableError, match="No Ray cluster answers at"):
        engine.index([photos], ray="127.0.0.1:1")
    with opened(tmp_path / "home") as engine, pytest.raises(InvalidRequestError, match="is empty"):
        engine.index([photos], ray=" ")


def test_without_ray_the_line_that_installs_it_is_named(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with opened(tmp_path / "home") as engine, pytest.raises(InvalidRequestError, match=r"ipcir-tools\[ray\]"):
        engine.index([photos], ray=True)


@pytest.mark.parametrize(("text", "address"), [("1", "local"), ("off", None), ("", None), ("head:6379", "head:6379")])
def test_the_setting_is_an_address_or_a_switch(text, address, monkeypatch):
    monkeypatch.setenv("IPCIR_RAY", text)
    assert load_settings().ray == address


class FakeRay:
    """What is asked of Ray, and what it would find in the environment meanwhile."""

    def __init__(self) -> None:
        self.asked: dict[str, object] = {}
        self.found: str | None = None

    def is_initialized(self) -> bool:
        return False

    def init(self, **asked: object) -> None:
        self.asked, self.found = asked, os.environ.get("RAY_ADDRESS")

    def nodes(self) -> list[dict[str, object]]:
        return []

    def shutdown(self) -> None:
        """Nothing was started."""


@pytest.mark.parametrize(
    ("address", "asked", "found"),
    [("local", "local", None), ("127.0.0.1:7", "127.0.0.1:7", None), ("auto", "auto", "10.0.0.9:6379")],
)
def test_the_address_of_rays_own_variable_counts_for_auto_alone(address, asked, found, monkeypatch):
    fake = FakeRay()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.9:6379")
    monkeypatch.setattr(ray_cluster, "_imported", lambda: fake)
    monkeypatch.setattr(ray_cluster, "_require_answer", lambda _: None)
    monkeypatch.setattr(ray_cluster, "_forget_token", lambda: None)
    with cluster(address) as nodes:
        assert nodes == []
    assert (fake.asked["address"], fake.found) == (asked, found)
    assert os.environ["RAY_ADDRESS"] == "10.0.0.9:6379"


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(two_workers, photos, tmp_path):
    with opened(tmp_path / "far") as far, opened(tmp_path / "near") as near:
        progress: list[tuple[str, int, int]] = []
        report = far.index([photos], lambda *args: progress.append(args), captions=True, ray=True)
        assert (two_workers / "killed").exists(), "a worker was killed while it encoded"
        (two_workers / "killed").rename(two_workers / "was killed")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(ray_models.FOLDER, str(two_workers))
            (two_workers / "killed").touch()
            assert told(near.index([photos], captions=True)) == told(report)
        assert report.added == 22
        assert [skip.source for skip in report.skipped] == [
            str(photos / name) for name in ("dangling.png", "empty.jpg", "words.png")
        ]
        assert held(far) == held(near)
        done = [args for args in progress if args[0] == "indexing"]
        assert done[-1] == ("indexing", 26, 26)
        space = near.catalog.space()
        assert space == far.catalog.space()
        assert far.catalog.matrix(space)[0] == near.catalog.matrix(space)[0]
        np.testing.assert_allclose(far.catalog.matrix(space)[1], near.catalog.matrix(space)[1], atol=1e-6)
        hits = [[(hit.id, round(hit.score, 5)) for hit in engine.find("red", k=9).hits] for engine in (far, near)]
        assert hits[0] == hits[1]
        (photos / "04.png").rename(photos / "moved.png")
        (photos / "05.png").unlink()
        draw(photos / "00.png", 200)
        assert told(far.index(captions=True, ray=True)) == told(near.index(captions=True))
        assert held(far) == held(near)


def test_nothing_is_started_where_nothing_has_changed(photos, tmp_path, monkeypatch):
    for file in (photos / "zz" / "once.png", photos / "empty.jpg", photos / "words.png", photos / "dangling.png"):
        file.unlink()
    with opened(tmp_path / "home", ray="local") as engine:
        engine.index([photos], ray=False)
        monkeypatch.setattr(ray_encoding, "cluster", lambda *_: pytest.fail("a cluster was asked for"))
        assert engine.index([photos]).unchanged == 22


# --- one worker, in this process


def job(**chosen: object) -> Job:
    return Job(ray_models.ENCODER, Settings(), **{"known": Ids([]), "encoded": Ids([]), **chosen})


def rows(*files: Path) -> list[tuple[str, FileStatus | None]]:
    return [(str(file), file_status(file)) for file in files]


def test_what_is_known_is_neither_decoded_nor_encoded_again(photos):
    files = [photos / "00.png", photos / "01.png", photos / "02.png"]
    first = EncodingWorker(job(), CountedAttempts()).done(rows(*files))
    ids = [each.stamp.image_id for each in first.files]
    again = EncodingWorker(job(known=Ids(ids[:1]), encoded=Ids(ids[:2])), CountedAttempts()).done(rows(*files))
    assert [each.record is None for each in again.files] == [True, False, False]
    assert [each.vector is None for each in again.files] == [True, True, False]
    assert [each.stamp for each in again.files] == [each.stamp for each in first.files]


def test_what_a_worker_does_not_see_is_out_of_reach_and_not_gone(photos):
    there = FileStatus(10, 10, 10)
    done = EncodingWorker(job(), CountedAttempts()).done([("/elsewhere/a.png", there), ("/elsewhere/b.png", GONE)])
    reasons = {each.skip.source: (each.unread, each.skip.reason) for each in done.unusable}
    assert reasons["/elsewhere/a.png"][0]
    assert "must be where all workers can read them" in reasons["/elsewhere/a.png"][1]
    assert reasons["/elsewhere/b.png"] == (False, "does not exist")


def test_a_block_that_ended_a_worker_is_done_file_by_file(photos):
    attempts = CountedAttempts()
    files = [photos / "00.png", photos / "01.png", photos / "words.png"]
    attempts.begin(f"block {files[0]}")
    for _ in range(ALONE):
        attempts.begin(f"file {files[1]}")
    done = EncodingWorker(job(), attempts).done(rows(*files))
    assert [each.stamp.path for each in done.files] == [str(files[0])]
    assert {each.skip.source: each.unread for each in done.unusable} == {str(files[1]): True, str(files[2]): False}
    assert "it ended its worker 3 times" in done.unusable[0].skip.reason
    again = EncodingWorker(job(), attempts).done(rows(files[0], files[2]))
    assert len(again.files) == 1, "what is over is counted no more"


def test_what_cannot_be_done_ends_the_run(photos):
    assert isinstance(
        EncodingWorker(job(version="0"), CountedAttempts()).done(rows(photos / "00.png")).error, ModelUnavailableError
    )
    wrong = Job("python:ray_models:nothing", Settings(), Ids([]), Ids([]))
    error = EncodingWorker(wrong, CountedAttempts()).done(rows(photos / "00.png")).error
    assert isinstance(error, ModelUnavailableError)
    assert "python:ray_models:nothing" in str(error)


def test_a_model_that_ends_its_worker_while_it_loads_is_not_loaded_for_ever(photos):
    attempts = CountedAttempts()
    for _ in range(3):
        attempts.begin(f"{ray_models.ENCODER} of None")
    error = EncodingWorker(job(), attempts).done(rows(photos / "00.png")).error
    assert "ended its worker" in str(error)


def test_a_block_that_is_alone_waits_for_the_others():
    places, seen, inside = Places(), [], threading.Event()

    def alone() -> None:
        with places.taken(alone=True):
            seen.append("alone")

    with places.taken(alone=False):
        thread = threading.Thread(target=alone)
        thread.start()
        inside.wait(0.05)
        seen.append("beside")
    thread.join(10)
    assert seen == ["beside", "alone"]
    assert CALLS == 2


# --- parts


@given(
    st.lists(st.text("0123456789abcdef", min_size=16, max_size=16)),
    st.text("0123456789abcdef", min_size=16, max_size=16),
)
def test_ids_in_eight_bytes_each(ids, other):
    packed = Ids([*ids, "text:0123", "image:00"])
    assert all(id_ in packed for id_ in ids)
    assert (other in packed) == (other in ids)
    assert "text:0123" not in packed
    assert packed.nbytes == 8 * len(ids)


status = st.none() | st.builds(
    FileStatus, st.integers(-1, 2**60), st.integers(-(2**60), 2**60), st.none() | st.integers(0, 2**60)
)


@given(st.lists(st.tuples(st.text(min_size=1), status)))
def test_files_come_out_of_a_block_as_they_went_in(files):
    assert rows_of({name: np.array(each, object) for name, each in columns_of(files).items()}) == files


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([{"CPU": 1.0}], Encoders(1, 1, 0)),
        ([{"CPU": 2.0}], Encoders(2, 1, 0)),
        ([{"CPU": 8.0}], Encoders(2, 4, 0)),
        ([{"CPU": 64.0}, {"CPU": 16.0}], Encoders(20, 4, 0)),
        ([{"memory": 1.0}, {"CPU": 4.0}], Encoders(2, 2, 0)),
        ([{"CPU": 16.0, "GPU": 1.0}], Encoders(1, 16, 1)),
        ([{"CPU": 96.0, "GPU": 8.0}, {"CPU": 16.0, "GPU": 2.0}, {"CPU": 8.0}], Encoders(10, 8, 1)),
        ([{"CPU": 2.0, "GPU": 4.0}], Encoders(4, 0, 1)),
        ([], Encoders(1, 1, 0)),
    ],
)
def test_how_many_encoders_a_cluster_has_room_for(nodes, expected):
    assert room_for(nodes) == expected


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="the system does not tell which processes there are")
def test_what_a_killed_process_left_is_removed_by_the_next_run(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster.tempfile, "gettempdir", lambda: str(place))
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    code = "from ipcir_tools.store import ray_cluster as c; import os, sys, tempfile; tempfile.tempdir = sys.argv[1]; "
    code += "print(c._folder(), flush=True); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert left.is_dir(), killed.stderr
    mine = Path(ray_cluster._folder())
    assert list(place.iterdir()) == [mine]
    assert Path(ray_cluster._folder()) != mine
    assert mine.is_dir(), "that of a process that is there stays"
    shutil.rmtree(place)


def test_accelerators_are_left_alone_where_the_device_is_a_processor():
    assert room_for([{"CPU": 16.0, "GPU": 1.0}], accelerators=False) == Encoders(4, 4, 0)
