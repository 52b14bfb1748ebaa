"""A folder of 2,000 files that is shuffled 50 times: the gallery equals the folder after every run, at least cost.

What the gallery should hold is worked out here by itself: from the files that are there, by the suffix, and by Python's
own ``fnmatch`` for the patterns.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import struct
import zlib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ipcir_tools.engine.engine import Engine
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.settings import Settings

FILES, SHUFFLES, CHANGES = 2_000, 50, 40


def tiny_png(number: int) -> bytes:
    """A picture of 4 x 4 pixels unlike any other, all of them of the same size in bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = hashlib.sha256(str(number).encode()).digest() + hashlib.sha256(b"%d" % -number).digest()[:16]
    rows = b"".join(b"\0" + pixels[12 * y : 12 * y + 12] for y in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    body = zlib.compress(rows, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


class Shuffled:
    """A folder, what happens to it, and what a gallery of it should hold."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.bin = folder.parent / "bin"
        self.pictures = 0
        self.listed: list[Path] = []  # the files before the changes of one shuffle
        self.exclude: list[str] = []  # names and folders that patterns leave out
        self.ever: set[str] = set()  # ids of all pictures that any run should have seen
        self.bin.mkdir()
        for number in range(FILES):
            self.write(folder / f"{number % 20:02}" / f"{number}.png")

    def write(self, file: Path) -> None:
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(tiny_png(self.pictures))
        self.pictures += 1

    def files(self) -> list[Path]:
        return sorted(Path(folder, name) for folder, _, names in os.walk(self.folder) for name in names)

    def new_place(self) -> Path:
        return self.folder / f"{self.random.randrange(25):02}" / f"new {self.random.randrange(10**9)}.png"

    def move(self, file: Path) -> None:
        target = self.new_place()
        target.parent.mkdir(exist_ok=True)
        file.rename(target)

    def swap(self, file: Path) -> None:
        """Two files change places: of the same size, and perhaps of the same second."""
        other, place = self.random.choice(self.listed), self.folder.parent / "swapped"
        if other.exists():
            for source, target in ((file, place), (other, file), (place, other)):
                source.rename(target) if source.exists() else None

    def overwrite(self, file: Path) -> None:
        """Another picture takes its place, with its time."""
        other = self.random.choice(self.listed)
        if other.exists() and other != file:
            shutil.copy2(other, file)

    def edit(self, file: Path) -> None:
        """A new picture of the same size, which keeps the file's time as some editors do."""
        before = file.stat()
        self.write(file)
        if self.random.random() < 0.5:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def delete(self, file: Path) -> None:
        file.rename(self.bin / f"{self.random.randrange(10**9)} {file.name}")

    def restore(self, _: Path) -> None:
        if deleted := sorted(self.bin.iterdir()):
            place = self.new_place()
            place.parent.mkdir(exist_ok=True)
            self.random.choice(deleted).rename(place)

    def duplicate(self, file: Path) -> None:
        place = self.new_place()
        place.parent.mkdir(exist_ok=True)
        self.random.choice((shutil.copy, shutil.copy2))(file, place)

    def spoil(self, file: Path) -> None:
        file.write_bytes(b"no picture")

    def move_folder(self, file: Path) -> None:
        target = self.folder / f"moved {self.random.randrange(10**9)}"
        file.parent.rename(target)

    def shuffle(self) -> list[str]:
        """Change some files; the patterns to index with."""
        kinds = (self.move, self.swap, self.overwrite, self.edit, self.delete, self.restore, self.duplicate)
        self.listed = self.files()
        for file in self.random.sample(self.listed, CHANGES):
            if file.exists():  # it may have been moved on the way
                self.random.choice(kinds)(file)
        for change in (self.spoil, self.move_folder):
            if self.random.random() < 0.3:
                change(self.random.choice(self.files()))
        if self.random.random() < 0.3:
            self.exclude = self.random.choice(([], [f"{self.random.randrange(20):02}"], ["*7.png"], ["new *"]))
            return ["", *self.exclude]
        return []

    def expected(self) -> dict[str, str]:
        """The files that the gallery should hold, with the ids of their pictures."""
        held = {}
        for file in self.files():
            parts = file.relative_to(self.folder).parts
            data = file.read_bytes()
            if data != b"no picture" and not any(fnmatch(part, each) for part in parts for each in self.exclude):
                held[str(file)] = hashlib.sha256(data).hexdigest()[:16]
        self.ever |= set(held.values())
        return held


@pytest.mark.slow
@pytest.mark.parametrize("seed", [12])
def test_after_every_shuffle_the_gallery_is_the_folder_and_nothing_is_encoded_twice(tmp_path, seed):
    (tmp_path / "photos").mkdir()
    shuffled = Shuffled(tmp_path / "photos", seed)
    encoder = FakeEncoder("open_clip:fake/colours")
    with Engine.open(Settings(home=tmp_path / "home", encoder=encoder.name)) as engine:
        engine.components.encoder = encoder
        exclude: list[str] = []
        for _ in range(SHUFFLES + 1):
            report = engine.index([shuffled.folder], exclude=exclude)
            expected = shuffled.expected()
            assert {path: stamp.image_id for path, stamp in engine.catalog.stamps().items()} == expected
            assert encoder.images_encoded == len(shuffled.ever)
            assert report.seen == report.added + report.unchanged + report.moved + len(report.skipped)
            records = engine.catalog.records(set(expected.values()))
            assert all(expected[record.source] == id_ for id_, record in records.items())
            exclude = shuffled.shuffle()
