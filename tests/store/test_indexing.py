"""Folders into the gallery: nothing is lost, nothing is done twice, nothing bad takes anything good down."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from PIL import Image

from ipcir_tools import errors
from ipcir_tools.errors import ModelUnavailableError, NotFoundError, SpaceMismatchError
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.images import scanning
from ipcir_tools.images.file_status import FileStatus
from ipcir_tools.images.files import path_text
from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.images.reading import decode, image_id, load
from ipcir_tools.settings import Settings
from ipcir_tools.store import changed_files
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.index import Gallery
from ipcir_tools.store.indexing import IndexRequest, index_folders
from ipcir_tools.types import IndexReport, Probe


class Bench:
    """A catalog, its gallery and a counting encoder in one folder."""

    def __init__(self, folder: Path, open_catalog: Callable[[Path], Catalog] = Catalog.open, **chosen: object) -> None:
        self.catalog = open_catalog(folder)
        self.gallery = Gallery.open(self.catalog, folder / "index")
        self.encoder = FakeEncoder()
        self.loads = 0
        self.settings = Settings(**{"batch_size": 4, **chosen})

    def load_encoder(self) -> FakeEncoder:
        self.loads += 1
        return self.encoder

    def index(self, *paths: Path, exclude: Sequence[str] = (), force: bool = False, **options: object) -> IndexReport:
        report = index_folders(
            IndexRequest(paths, exclude, force),
            catalog=self.catalog,
            gallery=self.gallery,
            encoder=self.load_encoder,
            settings=self.settings,
            **options,
        )
        assert report.seen == report.added + report.unchanged + report.moved + len(report.skipped)
        return report

    def nearest_to(self, file: Path) -> str:
        """The source of the picture that a search with ``file`` finds first."""
        vector = FakeEncoder().embed_images([load(file, Settings()).pixels])[0]
        (best, _), *_ = self.gallery.nearest(Probe(vector), 1)
        return self.catalog.records([best])[best].source

    def sources(self) -> list[str]:
        return sorted(self.catalog.stamps())

    def close(self) -> None:
        self.gallery.close()
        self.catalog.close()


@pytest.fixture
def bench(open_catalog, tmp_path):
    bench = Bench(tmp_path / "home", open_catalog)
    yield bench
    bench.close()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def drawing(seed: int) -> Image.Image:
    """A picture unlike any other: random blocks."""
    blocks = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((32, 32), Image.Resampling.NEAREST)


def draw(file: Path, seed: int, **options: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    drawing(seed).save(file, **options)
    return file


def counts(report: IndexReport) -> dict[str, int]:
    """What is not zero."""
    numbers = report.model_dump(include={"seen", "added", "unchanged", "moved", "removed"})
    return {name: number for name, number in numbers.items() if number}


# --- the whole folder


def huge_png(side: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def write_good_pictures(folder: Path) -> list[Path]:
    sideways = Image.Exif()
    sideways[0x0112] = 6
    deep = Image.fromarray(np.asarray(drawing(3).convert("L")).astype(np.uint16) * 257)
    frames = [drawing(6), drawing(100), drawing(101)]
    drawn = [
        draw(folder / "plain.jpg", 1),
        draw(folder / "rotated.jpg", 5, exif=sideways),
        draw(folder / "name with spaces.png", 7),
        draw(folder / "deep" / "er" / "🎨 painting.webp", 8, lossless=True),
        draw(folder / "two\nlines.png", 9),
        draw(folder / os.fsdecode(b"not utf-8 \xe9.png"), 10),
    ]
    drawing(2).convert("CMYK").save(folder / "print.jpg")
    deep.save(folder / "sixteen.png")
    drawing(4).convert("P").save(folder / "palette.png", transparency=0)
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    return [*drawn, *(folder / name for name in ("print.jpg", "sixteen.png", "palette.png", "moving.gif"))]


def write_bad_pictures(folder: Path) -> dict[Path, str]:
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)).save(whole, "JPEG")
    (folder / "half.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (folder / "empty.png").touch()
    (folder / "words.png").write_text("This is no picture.")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (folder / "vast.png").write_bytes(huge_png(10_000))
    assert (folder / "vast.png").stat().st_size < 20_000
    os.mkfifo(folder / "pipe.jpg")
    (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
    draw(folder / "locked.png", 50).chmod(0)
    reasons = {
        "half.jpg": "cut off: the file ends early",
        "empty.png": "empty file",
        "words.png": "not a picture in a known format",
        "phone.heic": "cut off: the file ends early",
        "vast.png": "10000 x 10000 pixels, more than the limit of 64 million (IPCIR_MAX_PIXELS)",
        "pipe.jpg": "not a regular file",
        "dangling.jpg": "does not exist",
        "locked.png": "cannot be read (Permission denied)",
    }
    return {folder / name: reason for name, reason in reasons.items()}


@pytest.fixture
def locks_hold(monkeypatch):
    """Files without read permission cannot be opened, even where root runs the tests."""
    really = os.open

    def guarded(path, *args, **kwargs):
        if Path(path).name == "locked.png":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", guarded)


@pytest.mark.usefixtures("locks_hold")
def test_of_a_wild_folder_every_good_picture_is_found_and_every_bad_one_named(bench, photos):
    good, bad = write_good_pictures(photos), write_bad_pictures(photos)
    report = bench.index(photos)

    assert {skip.source: skip.reason for skip in report.skipped} == {str(file): reason for file, reason in bad.items()}
    assert counts(report) == {"seen": len(good) + len(bad), "added": len(good)}
    assert bench.sources() == sorted(path_text(file) for file in good)
    for file in good:
        assert bench.nearest_to(file) == path_text(file)
    assert IndexReport.model_validate_json(report.model_dump_json()) == report

    encoded = bench.encoder.images_encoded
    again = bench.index(photos)
    assert counts(again) == {"seen": report.seen, "unchanged": len(good)}
    assert again.skipped == report.skipped
    assert (bench.encoder.images_encoded, bench.loads) == (encoded, 1)


# --- the second run


def test_files_that_are_as_before_are_not_even_read(bench, photos, monkeypatch):
    for seed in range(6):
        draw(photos / f"{seed}.png", seed)
    bench.index(photos)
    monkeypatch.setattr(changed_files, "read_file", lambda *_: pytest.fail("a file was read"))
    report = bench.index(photos)
    assert counts(report) == {"seen": 6, "unchanged": 6}
    assert report.space == bench.encoder.space


def test_a_touched_file_is_read_once_and_counts_as_unchanged(bench, photos, monkeypatch):
    file = draw(photos / "a.png", 1)
    bench.index(photos)
    os.utime(file, ns=(1, 1))
    assert counts(bench.index(photos)) == {"seen": 1, "unchanged": 1}
    monkeypatch.setattr(changed_files, "read_file", lambda *_: pytest.fail("a file was read"))
    assert counts(bench.index(photos)) == {"seen": 1, "unchanged": 1}
    assert bench.loads == 1


def test_copies_are_one_picture(bench, photos):
    draw(photos / "a.png", 1)
    shutil.copy(photos / "a.png", photos / "b.png")
    assert counts(bench.index(photos)) == {"seen": 2, "added": 1, "unchanged": 1}
    shutil.copy(photos / "a.png", photos / "c.png")
    assert counts(bench.index(photos)) == {"seen": 3, "unchanged": 3}
    assert bench.catalog.size() == bench.encoder.images_encoded == 1
    (photos / "a.png").unlink()
    assert counts(bench.index(photos)) == {"seen": 2, "unchanged": 2}
    assert bench.catalog.size() == 1


def test_a_moved_file_keeps_its_picture(bench, photos):
    file = draw(photos / "old.png", 1)
    bench.index(photos)
    file.rename(photos / "new.png")
    assert counts(bench.index(photos)) == {"seen": 1, "moved": 1}
    assert bench.nearest_to(photos / "new.png") == str(photos / "new.png")
    assert bench.encoder.images_encoded == 1


def test_a_file_moved_in_from_a_folder_indexed_before(bench, photos, tmp_path):
    file = draw(tmp_path / "inbox" / "a.png", 1)
    bench.index(tmp_path / "inbox")
    file.rename(photos / "a.png")
    assert counts(bench.index(photos)) == {"seen": 1, "moved": 1}
    assert bench.sources() == [str(photos / "a.png")]


def test_a_changed_file_brings_its_new_picture_and_loses_the_old_one(bench, photos):
    draw(photos / "a.png", 1)
    bench.index(photos)
    draw(photos / "a.png", 2)
    assert counts(bench.index(photos)) == {"seen": 1, "added": 1, "removed": 1}
    draw(photos / "a.png", 1)
    assert counts(bench.index(photos)) == {"seen": 1, "added": 1, "removed": 1}
    assert bench.encoder.images_encoded == 2, "the first picture came back and its feature was still there"


def test_a_file_that_went_bad_leaves_with_a_reason(bench, photos):
    draw(photos / "a.png", 1)
    draw(photos / "b.png", 2)
    bench.index(photos)
    (photos / "a.png").write_bytes(b"")
    report = bench.index(photos)
    assert counts(report) == {"seen": 2, "unchanged": 1, "removed": 1}
    assert [skip.reason for skip in report.skipped] == ["empty file"]
    assert bench.sources() == [str(photos / "b.png")]


# --- what is gone, and what only seems so


def test_only_what_is_gone_from_the_indexed_folders_is_forgotten(bench, tmp_path):
    trip, trip2 = tmp_path / "trip", tmp_path / "trip2"
    files = [draw(folder / f"{i}.png", seed * 10 + i) for seed, folder in enumerate((trip, trip2)) for i in range(2)]
    bench.index(trip, trip2)
    files[0].unlink()
    files[2].unlink()
    assert counts(bench.index(trip)) == {"seen": 1, "unchanged": 1, "removed": 1}
    assert bench.sources() == [str(file) for file in files[1:]]


def test_a_named_file_does_not_affect_its_neighbours(bench, photos):
    first, second = draw(photos / "1.png", 1), draw(photos / "2.png", 2)
    bench.index(photos)
    second.unlink()
    assert counts(bench.index(first)) == {"seen": 1, "unchanged": 1}
    assert bench.catalog.size() == 2


def test_a_folder_that_does_not_exist_changes_nothing(bench, photos):
    draw(photos / "a.png", 1)
    bench.index(photos)
    draw(photos / "b.png", 2)
    gone = photos.rename(photos.with_name("unmounted"))
    with pytest.raises(NotFoundError, match=r"photos is gone, and the gallery has 1 picture from it.*ipcir remove"):
        bench.index(gone, photos)
    with pytest.raises(NotFoundError, match="nowhere does not exist"):
        bench.index(gone, photos.with_name("nowhere"))
    assert bench.catalog.size() == 1


def test_a_folder_that_cannot_be_listed_keeps_its_pictures(bench, photos, monkeypatch):
    for name in ("a.png", "locked/b.png", "locked/deeper/c.png"):
        draw(photos / name, len(name))
    bench.index(photos)
    listing = os.scandir

    def guarded(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", guarded)
    report = bench.index(photos)
    assert counts(report) == {"seen": 2, "unchanged": 1}
    assert [skip.source for skip in report.skipped] == [str(photos / "locked")]
    assert bench.catalog.size() == 3


def test_files_out_of_reach_keep_their_pictures(bench, photos, monkeypatch):
    draw(photos / "a.png", 1)
    bench.index(photos)
    monkeypatch.setattr(scanning, "file_status", lambda _: None)

    def unreachable(*_):
        raise errors.BadImageError("cannot be read (Input/output error)")

    monkeypatch.setattr(changed_files, "read_file", unreachable)
    report = bench.index(photos)
    assert [skip.source for skip in report.skipped] == [str(photos / "a.png")]
    assert bench.catalog.size() == 1


def test_an_empty_folder_loads_no_encoder(bench, photos):
    report = bench.index(photos)
    assert (counts(report), report.space, bench.loads) == ({}, "", 0)


# --- the encoder


def test_another_encoder_is_refused_before_it_encodes(bench, photos):
    draw(photos / "a.png", 1)
    bench.index(photos)
    draw(photos / "b.png", 2)
    bench.encoder = FakeEncoder("fake:other")
    with pytest.raises(SpaceMismatchError, match="fake:other"):
        bench.index(photos)
    assert (bench.encoder.images_encoded, bench.catalog.size()) == (0, 1)


def test_one_picture_that_the_encoder_chokes_on_does_not_take_its_batch_down(bench, photos, monkeypatch):
    for seed in range(10):
        draw(photos / f"{seed}.png", seed)
    poison = np.asarray(drawing(4)).tobytes()
    embed = bench.encoder._image_batch

    def choke(images):
        if any(image.tobytes() == poison for image in images):
            raise RuntimeError("bad shape")
        return embed(images)

    monkeypatch.setattr(bench.encoder, "_image_batch", choke)
    report = bench.index(photos)
    assert report.added == 9
    assert [(skip.source, skip.reason) for skip in report.skipped] == [
        (str(photos / "4.png"), "cannot be encoded (bad shape)")
    ]


def test_an_encoder_that_fails_on_everything_is_the_encoders_fault(bench, photos, monkeypatch):
    for seed in range(3):
        draw(photos / f"{seed}.png", seed)

    def broken(_):
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(bench.encoder, "_image_batch", broken)
    with pytest.raises(ModelUnavailableError, match="no kernel image"):
        bench.index(photos)
    assert bench.catalog.size() == 0


# --- interruption and bounds


def test_an_interrupted_run_keeps_what_was_committed_and_the_next_one_ends_it(bench, photos):
    for seed in range(12):
        draw(photos / f"{seed:02}.png", seed)

    def interrupt(what, done, _):
        if what == "indexing" and done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.index(photos, progress=interrupt)
    assert bench.catalog.size() == 8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ipcir-decode")]
    assert counts(bench.index(photos)) == {"seen": 12, "added": 4, "unchanged": 8}
    assert bench.encoder.images_encoded == 12


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_indexing import Bench

bench = Bench(Path(sys.argv[1]))
bench.index(Path(sys.argv[2]), progress=lambda what, done, _: os._exit(9) if what == "indexing" and done >= 8 else None)
"""


def test_a_killed_process_loses_a_batch_at_most(photos, tmp_path):
    for seed in range(12):
        draw(photos / f"{seed:02}.png", seed)
    here = str(Path(__file__).parent)
    run = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "home", photos, here], check=False)
    assert run.returncode == 9
    bench = Bench(tmp_path / "home")
    assert counts(bench.index(photos)) == {"seen": 12, "added": 4, "unchanged": 8}
    assert bench.nearest_to(photos / "00.png") == str(photos / "00.png")
    assert bench.nearest_to(photos / "11.png") == str(photos / "11.png")
    bench.close()


def test_decoded_pictures_never_pile_up(bench, photos, monkeypatch):
    for seed in range(40):
        draw(photos / f"{seed:02}.png", seed)
    decode, opened, most = changed_files.decode, [0], [0]

    def counting(*args, **options):
        opened[0] += "side" in options and options["side"] is not None  # once for the encoder
        most[0] = max(most[0], opened[0] - bench.encoder.images_encoded)
        return decode(*args, **options)

    monkeypatch.setattr(changed_files, "decode", counting)
    bench.index(photos)
    assert opened[0] == 40
    assert most[0] <= 2 * bench.settings.batch_size


def test_progress_reaches_its_total(bench, photos):
    for seed in range(6):
        draw(photos / f"{seed}.png", seed)
    (photos / "bad.png").touch()
    reports = []
    bench.index(photos, progress=lambda *args: reports.append(args))
    assert [args for args in reports if args[0] in ("scanning", "indexing")] == [
        ("scanning", 7, 7),
        ("indexing", 4, 7),
        ("indexing", 7, 7),
    ]


# --- from file to feature


class TwoSteps(FakeEncoder):
    """Preprocesses in a step of its own, as open_clip's encoders do; ``sizes`` of what it was given."""

    input_side = 16

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, int]] = []
        self.threads: set[str] = set()

    def preprocess(self, image):
        self.threads.add(threading.current_thread().name.rpartition("_")[0])
        self.sizes.append(image.size)
        if image.getpixel((0, 0)) == (1, 2, 3):
            raise RuntimeError("bad shape")
        return np.asarray(image.resize((16, 16)))

    def _preprocessed_batch(self, items):
        return self._image_batch([Image.fromarray(item) for item in items])


def test_threads_decode_at_the_size_that_is_needed_and_preprocess(bench, photos):
    bench.encoder = TwoSteps()
    for seed in range(9):
        drawing(seed).resize((2400, 2048)).save(photos / f"{seed}.jpg")
    assert bench.index(photos).added == 9
    sizes = bench.encoder.sizes
    assert len(sizes) == bench.encoder.images_encoded == 9
    assert set(sizes) == {(1200, 1024)}, "the first, too, which wait for the encoder"
    assert "ipcir-decode" in bench.encoder.threads
    assert {(each.width, each.height) for each in bench.catalog.records(bench.catalog.gallery_ids()).values()} == {
        (2400, 2048)
    }


@pytest.mark.parametrize("side", [16, 448, None])
@pytest.mark.parametrize("way", ["captions", "reference", "embed_images", "first"])
def test_a_feature_does_not_depend_on_how_its_picture_was_read(tmp_path, side, way):
    from ipcir_tools.engine.references import resolve
    from ipcir_tools.images.reading import LoadedImage

    file, encoder, settings = tmp_path / "large.jpg", TwoSteps(), Settings()
    encoder.input_side = side
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (2048, 2400, 3), dtype=np.uint8)).save(file)
    status = FileStatus(file.stat().st_size, 0, None)

    def read(**options):
        return changed_files.PictureReader(settings, **options).read(str(file), file, status).picture

    indexed = read(encoder=lambda: encoder).item
    encoder.sizes.clear()
    if way == "captions":
        item = read(encoder=lambda: encoder, keep_pixels=True).item
    elif way == "first":
        item = read(encoder=lambda: None).later(encoder)
    elif way == "reference":
        found = resolve(file, None, settings, side=lambda: encoder.picture_side)
        assert isinstance(found, LoadedImage)
        item = encoder.preprocess(found.pixels)
    else:
        item = encoder.preprocess(load(file, settings, side=encoder.picture_side).pixels)
    assert encoder.sizes == [(1200, 1024) if side == 16 else (2400, 2048)]
    np.testing.assert_array_equal(item, indexed)


@pytest.mark.parametrize(("side", "times"), [(16, 1), (256, 1), (448, 2)])
@pytest.mark.parametrize("size", [(2048, 2400), (3000, 4000), (700, 900), (511, 8000)])
def test_a_jpeg_is_decoded_once_for_encoder_and_captioner(tmp_path, monkeypatch, side, times, size):
    file, encoder, settings = tmp_path / "large.jpg", TwoSteps(), Settings()
    encoder.input_side = side
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)).save(file, quality=30)
    decoded = []
    monkeypatch.setattr(changed_files, "decode", lambda *a, **k: decoded.append(a) or decode(*a, **k))
    reader = changed_files.PictureReader(settings, lambda: encoder, keep_pixels=True)
    pixels = reader.read(str(file), file, FileStatus(file.stat().st_size, 0, None)).picture.pixels
    assert len(decoded) == (1 if size[0] < 1024 * 2 else times)
    np.testing.assert_array_equal(np.asarray(pixels), np.asarray(crop_extreme(load(file, settings).pixels)))


def test_a_picture_that_cannot_be_preprocessed_is_skipped_in_its_place(bench, photos):
    bench.encoder = TwoSteps()
    for seed in range(6):
        draw(photos / f"{seed}.png", seed)
    Image.new("RGB", (20, 20), (1, 2, 3)).save(photos / "2.png")
    (photos / "4.png").write_bytes(b"")
    report = bench.index(photos)
    assert [(Path(skip.source).name, skip.reason) for skip in report.skipped] == [
        ("2.png", "cannot be encoded (bad shape)"),
        ("4.png", "empty file"),
    ]
    assert (report.added, bench.encoder.images_encoded) == (4, 4)


def test_a_picture_whose_feature_is_still_there_loads_no_encoder(bench, photos, tmp_path):
    draw(photos / "a.png", 1)
    draw(photos / "stays.png", 2)
    bench.index(photos)
    (photos / "a.png").rename(tmp_path / "a.png")
    assert bench.index(photos).removed == 1
    (tmp_path / "a.png").rename(photos / "b.png")
    assert (bench.index(photos).added, bench.loads) == (1, 1)


def test_each_file_is_looked_at_and_held_once(bench, photos, monkeypatch):
    """Nothing new: one statement for what the gallery has, none for each picture."""
    for seed in range(12):
        draw(photos / f"{seed}.png", seed)
    bench.index(photos)
    calls, stamps = [], Catalog.stamps
    monkeypatch.setattr(Catalog, "stamps", lambda *call: calls.append("stamps") or stamps(*call))
    monkeypatch.setattr(Catalog, "paths_of", lambda *_: pytest.fail("files were looked up"))
    monkeypatch.setattr(Catalog, "features", lambda *_: pytest.fail("features were looked up"))
    assert counts(bench.index(photos)) == {"seen": 12, "unchanged": 12}
    assert calls == ["stamps"]


# --- any history


class Histories(RuleBasedStateMachine):
    """Whatever is done to the files, after indexing the gallery holds exactly their contents."""

    names = st.sampled_from(["a.png", "b.png", "sub/c.png", "d.jpg"])

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.photos = Path(self.folder.name).resolve() / "photos"
        (self.photos / "sub").mkdir(parents=True)
        self.bench = Bench(Path(self.folder.name) / "home")
        self.clock = 0
        drawing(4).save(self.photos / "stays.png")  # a folder without any picture would be kept as it was

    def _write(self, name, data):
        file = self.photos / name
        file.write_bytes(data)
        self.clock += 1
        os.utime(file, ns=(self.clock, self.clock))  # two writes within one tick of the clock would look the same

    @rule(name=names, seed=st.integers(0, 3))
    def write(self, name, seed):
        buffer = io.BytesIO()
        drawing(seed).save(buffer, "PNG")
        self._write(name, buffer.getvalue())

    @rule(name=names)
    def spoil(self, name):
        if (self.photos / name).exists():
            self._write(name, b"spoiled")

    @rule(name=names)
    def delete(self, name):
        (self.photos / name).unlink(missing_ok=True)

    @rule(name=names, other=names)
    def move(self, name, other):
        if (self.photos / name).exists():
            (self.photos / name).rename(self.photos / other)

    @invariant()
    def the_gallery_is_the_folder(self):
        size = self.bench.catalog.size()
        report = self.bench.index(self.photos)
        files = [file for file in self.photos.rglob("*.*") if file.read_bytes() != b"spoiled"]
        ids = sorted({image_id(file.read_bytes()) for file in files})
        assert self.bench.catalog.gallery_ids() == ids
        assert self.bench.sources() == sorted(map(str, files))
        assert self.bench.catalog.size() == size + report.added - report.removed
        assert self.bench.encoder.images_encoded <= 5

    def teardown(self):
        self.bench.close()
        self.folder.cleanup()


def test_any_history_of_a_folder():
    run_state_machine_as_test(
        Histories, settings=profile(max_examples=8, stateful_step_count=8, deadline=None, database=None)
    )
