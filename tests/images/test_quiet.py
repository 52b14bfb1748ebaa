"""Odd pictures print nothing, and the warnings of the program around stay as they are."""

from __future__ import annotations

import io
import logging
import struct
import subprocess
import sys
import threading
import warnings

import pytest
from picture_files import chunk, encoded, heif, photo, png_with
from PIL import Image

from ipcir_tools.images.quiet import quiet

BAD_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + bytes(range(40))


def odd_tiff() -> bytes:
    """A TIFF with a tag that no library knows, one that is too long and one that points behind the file."""
    data = bytearray(encoded(photo(), "TIFF", compression="tiff_lzw"))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    entries = bytes(data[first + 2 : first + 2 + 12 * count])
    more = struct.pack("<HHII", 50_000, 2, 4, 0) + struct.pack("<HHII", 50_001, 5, 99_999, 2**31)
    more += struct.pack("<HHII", 50_002, 77, 1, 0)
    place = len(data)
    struct.pack_into("<I", data, 4, place)
    return bytes(data) + struct.pack("<H", count + 3) + entries + more + bytes(4)


with quiet():  # Pillow warns when it writes them, too
    ODD = {
        "broken exif.jpg": encoded(photo(), "JPEG", exif=BAD_EXIF),
        "broken exif.png": encoded(photo(), "PNG", exif=BAD_EXIF),
        "broken exif.webp": encoded(photo(), "WEBP", exif=BAD_EXIF),
        "broken exif.avif": encoded(photo(), "AVIF", exif=BAD_EXIF),
        "broken exif.heic": heif(photo(), exif=BAD_EXIF),
        "broken profile.jpg": encoded(photo(), "JPEG", icc_profile=b"no profile at all"),
        "broken profile.png": png_with(chunk(b"iCCP", b"x\0\0nonsense")),
        "no animation.png": png_with(chunk(b"acTL", bytes(8)), chunk(b"acTL", bytes(8))),
        "odd tags.tif": odd_tiff(),
        "cut.jpg": encoded(photo(), "JPEG")[:-40],
        "cut.png": encoded(photo(), "PNG")[:-40],
        "palette.png": encoded(photo().quantize(16), "PNG", transparency=b"\0" * 16),
    }


def test_odd_pictures_are_good_ones_and_print_nothing(tmp_path):
    """In a process of its own, so that what libraries written in C print would be seen, too."""
    files = [tmp_path / name for name in ODD]
    for file in files:
        file.write_bytes(ODD[file.name])
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from ipcir_tools.images.reading import load\nfrom ipcir_tools.settings import Settings\n"
        "for name in sys.argv[1:]: print(load(Path(name), Settings()).pixels.size)"
    )
    ended = subprocess.run([sys.executable, "-W", "always", "-c", program, *files], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(ended.stdout.splitlines()) == len(files)


def pillow_warns() -> None:
    """A warning from Pillow's own code: an EXIF that it cannot read."""
    Image.open(io.BytesIO(ODD["broken exif.png"])).getexif()
    warnings.warn_explicit("odd", UserWarning, "TiffImagePlugin.py", 1, module="PIL.TiffImagePlugin")


def test_only_pillow_and_only_in_this_call_is_quiet():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet():
            warnings.warn("from the program", UserWarning, stacklevel=1)
            pillow_warns()
        assert [str(each.message) for each in seen] == ["from the program"]
        pillow_warns()
        assert len(seen) > 1


def test_other_threads_hear_pillow_meanwhile():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet():
            other = threading.Thread(target=pillow_warns)
            other.start()
            other.join()
    assert seen


def test_afterwards_the_filters_are_what_they_were():
    before = list(warnings.filters)
    with quiet(), quiet():
        assert len(warnings.filters) == len(before) + 1
    assert list(warnings.filters) == before


def test_what_pillow_logs_is_heard_by_others(caplog: pytest.LogCaptureFixture):
    log = logging.getLogger("PIL.TiffImagePlugin")
    with quiet():
        log.error("of no interest")
    log.error("of interest")
    assert caplog.messages == ["of interest"]
