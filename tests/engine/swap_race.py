"""The race of a link against its check: a swapped file or folder never gets a picture from elsewhere through.

``pytest -n 0 tests/engine/swap_race.py`` tries 50,000 times; ``test_swapped_links.py`` a part of it.
"""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image
from swapping import swapped

from ipcir_tools.engine.references import resolve
from ipcir_tools.errors import IPCIRError
from ipcir_tools.images.reading import LoadedImage, image_id
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.changed_files import PictureReader, ReadFile

TRIES = 12_500


def png(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(data, "PNG")
    return data.getvalue()


SECRET, OWN = image_id(png("black")), image_id(png("white"))


def raced(tmp_path: Path, tries: int, *, folder: bool, indexing: bool) -> Counter[str]:
    """How often which picture came, or why none did."""
    allowed, private = tmp_path / "allowed" / "sub", tmp_path / "private"
    for place, colour in ((allowed, "white"), (private, "black")):
        place.mkdir(parents=True)
        (place / "x.png").write_bytes(png(colour))
    file = allowed / "x.png"
    settings = Settings(home=tmp_path / "home", allow_folders=(tmp_path / "allowed",))
    reader = PictureReader(settings, None, roots={str(tmp_path / "allowed")})
    came: Counter[str] = Counter()
    with Catalog.open(tmp_path / "home") as catalog, swapped(file, private / "x.png", folder=folder):
        while came.total() < tries:
            if indexing:
                read = reader.read(str(file), file, None)
                came[read.stamp.image_id if isinstance(read, ReadFile) else read.skip.reason] += 1
                continue
            try:
                found = resolve(str(file), catalog, settings)
                came[found.record.id if isinstance(found, LoadedImage) else "known"] += 1
            except IPCIRError as error:
                came[type(error).__name__] += 1
    return came


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
@pytest.mark.parametrize("indexing", [False, True], ids=["named by an agent", "indexed"])
def test_nothing_from_elsewhere_comes_through(tmp_path, folder, indexing):
    came = raced(tmp_path, TRIES, folder=folder, indexing=indexing)
    assert came[SECRET] == 0, came
    assert came[OWN] > 0, came
    assert len(came) > 1, "it was never swapped while it was looked at"
