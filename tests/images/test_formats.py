"""Pictures as phones and newer programs write them: HEIC, AVIF, JPEG XL; what else a file holds does not matter."""

from __future__ import annotations

import subprocess
import sys
import zlib

import pillow_heif
import pytest
from picture_files import BLUE, RED, WHITE, chunk, encoded, exif_of, heif, photo, png_with, two_halves
from PIL import Image

from ipcir_tools.errors import BadImageError
from ipcir_tools.images import jpeg_xl
from ipcir_tools.images.jpeg_xl import jpeg_xl_size
from ipcir_tools.images.reading import LoadedImage, decode
from ipcir_tools.settings import Settings


def opened(data: bytes, **limits: int) -> LoadedImage:
    return decode(data, "test", Settings(**limits))


def refusal(data: bytes, **limits: int) -> str:
    with pytest.raises(BadImageError) as caught:
        opened(data, **limits)
    return str(caught.value)


def corner(loaded: LoadedImage, x: float, y: float) -> tuple[int, ...]:
    width, height = loaded.pixels.size
    found = loaded.pixels.getpixel((int(x * (width - 1)), int(y * (height - 1))))
    assert isinstance(found, tuple)
    return tuple(round(value / 51) * 51 for value in found)


def jxl(image: Image.Image, **options: object) -> bytes:
    import pillow_jxl  # noqa: F401 - registers it for saving

    return encoded(image, "JXL", **options)


# --- HEIC


def test_a_heic_opens():
    loaded = opened(heif(two_halves(), quality=90))
    assert (loaded.record.format, loaded.record.width, loaded.record.height) == ("heif", 128, 64)
    assert (corner(loaded, 0, 0.5), corner(loaded, 1, 0.5)) == (RED, BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_that_is_turned_is_turned_once(orientation):
    loaded = opened(heif(two_halves(), exif=exif_of({0x0112: orientation}).tobytes()))
    sideways = orientation >= 5
    assert loaded.pixels.size == (loaded.record.width, loaded.record.height) == ((64, 128) if sideways else (128, 64))
    red_at = {1: (0, 0.5), 2: (1, 0.5), 3: (1, 0.5), 4: (0, 0.5), 5: (0.5, 0), 6: (0.5, 0), 7: (0.5, 1), 8: (0.5, 1)}
    assert corner(loaded, *red_at[orientation]) == RED


def test_what_is_transparent_in_a_heic_is_white():
    assert corner(opened(heif(Image.new("RGBA", (64, 64), (255, 0, 0, 0)))), 0, 0) == WHITE


def test_a_large_heic_is_refused_before_it_is_decoded(monkeypatch):
    data = heif(photo((640, 480)))
    monkeypatch.setattr(pillow_heif.HeifImageFile, "load", lambda *_: pytest.fail("it was decoded"))
    assert "640 x 480 pixels, more than the limit of 1,000" in refusal(data, max_pixels=1_000)


@pytest.mark.slow
def test_a_large_heic_keeps_its_size_in_the_record():
    loaded = opened(heif(photo((2400, 1200)), thumbnails=[600]))
    assert (loaded.record.width, loaded.record.height) == (2400, 1200)
    assert 512 <= loaded.pixels.height < 1024


def test_a_heic_that_is_cut_off_is_a_bad_image():
    data = heif(photo())
    for end in range(0, len(data), len(data) // 40):
        assert refusal(data[:end]).isprintable()


def test_pillow_is_left_as_it_was():
    """A program that imports the package opens pictures as before, and the import is as quick."""
    program = (
        "import io, sys, ipcir_tools\n"
        "from ipcir_tools.images import reading\n"
        "assert not {'pillow_heif', 'pillow_jxl'} & set(sys.modules)\n"
        "from ipcir_tools.settings import Settings\n"
        "reading.decode(sys.stdin.buffer.read(), 'a.heic', Settings())\n"
        "from PIL import Image\n"
        "Image.init()\n"
        "print('HEIF' in Image.OPEN)"
    )
    ended = subprocess.run([sys.executable, "-c", program], input=heif(two_halves()), capture_output=True)
    assert (ended.stdout.strip(), ended.stderr) == (b"False", b"")


# --- AVIF


def test_an_avif_that_names_its_container_first_is_still_one():
    data = encoded(two_halves(), "AVIF")
    assert data[4:12] == b"ftypavif"
    assert opened(data.replace(b"ftypavif", b"ftypmif1", 1)).record.format == "avif"


# --- JPEG XL


@pytest.mark.parametrize("boxed", [False, True])
def test_a_jpeg_xl_opens(boxed):
    loaded = opened(jxl(two_halves(), use_container=boxed))
    assert (loaded.record.format, loaded.record.width, loaded.record.height) == ("jxl", 128, 64)
    assert corner(loaded, 0, 0.5) == RED


@pytest.mark.parametrize("size", [(1, 1), (8, 16), (256, 256), (257, 300), (640, 480), (1920, 1080), (3, 9_000)])
def test_the_size_of_a_jpeg_xl_is_read_from_its_header(size):
    for boxed in (False, True):
        assert jpeg_xl_size(jxl(Image.new("L", size), use_container=boxed)) == size


def test_a_jpeg_inside_a_jpeg_xl_is_turned_as_its_exif_says(tmp_path):
    file = tmp_path / "a.jpg"
    two_halves().save(file, exif=exif_of({0x0112: 6}), quality=95)
    with Image.open(file) as image, pytest.warns(UserWarning, match="JPEG reconstruction"):
        loaded = opened(jxl(image))
    assert (loaded.record.width, loaded.record.height) == loaded.pixels.size == (64, 128)
    assert corner(loaded, 0.5, 0) == RED


def test_a_large_jpeg_xl_is_refused_before_it_is_decoded(monkeypatch):
    data = jxl(photo((640, 480)))
    monkeypatch.setattr(jpeg_xl, "open_jpeg_xl", lambda *_: pytest.fail("it was decoded"))
    assert "640 x 480 pixels, more than the limit of 1,000" in refusal(data, max_pixels=1_000)


def test_without_its_plugin_a_jpeg_xl_names_the_extra(monkeypatch):
    data = jxl(two_halves())
    monkeypatch.setattr(jpeg_xl, "find_spec", lambda _: None)
    assert refusal(data) == "JPEG XL needs a plugin: pip install 'ipcir-tools[jxl]'"


def test_a_jpeg_xl_that_is_cut_off_is_a_bad_image():
    data = jxl(photo())
    for end in (3, 20, len(data) // 2, len(data) - 1):
        assert refusal(data[:end])


# --- what else there is in a file


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_png_with_megabytes_of_text_is_a_good_picture(kind):
    text = zlib.compress(b"prompt " * 400_000)
    body = b"prompt\0\0" + text if kind == b"zTXt" else b"prompt\0\1\0\0\0" + text
    loaded = opened(png_with(*[chunk(kind, body)] * 30))
    assert (loaded.record.damaged, corner(loaded, 0, 0.5)) == (False, RED)


def test_a_png_with_broken_extras_is_a_good_picture():
    wrong = b"\0\0\0\4pHYs\1\2\3\4\0\0\0\0"  # short, and its checksum does not fit
    profile = chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000)))
    assert not opened(png_with(wrong, profile, chunk(b"acTL", b""), chunk(b"gAMA", b"\1"))).record.damaged


def test_orientation_is_found_where_programs_put_it_in_a_png():
    exif = exif_of({0x0112: 6}).tobytes()
    by_image_magick = b"\nexif\n      " + str(len(exif)).encode() + b"\n" + exif.hex().encode()
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for each in (
        chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(by_image_magick)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
    ):
        assert corner(opened(png_with(each)), 0.5, 0) == RED


def test_what_programs_write_into_a_jpeg_does_not_matter():
    data = encoded(two_halves(), "JPEG", quality=95)
    broken = [
        b"\xff\xe1\x00\x20Exif\0\0II*\0\xff\xff\xff\xff" + bytes(16),
        b"\xff\xe2\x00\x10ICC_PROFILE\0\x09\x09",
        b"\xff\xe2\x00\x08MPF\0\x07\x07",
        b"\xff\xed\x00\x10Photoshop 3.0\0",
        b"\xff\xfe\x00\x04hi",
        b"rubbish",
    ]
    loaded = opened(data[:20] + b"".join(broken) + data[20:] + b"SEFT a phone's own trailer")
    assert (loaded.record.damaged, corner(loaded, 0, 0.5)) == (False, RED)


def test_orientation_in_the_xmp_of_a_jpeg():
    data = encoded(two_halves(), "JPEG", quality=95)
    body = b'http://ns.adobe.com/xap/1.0/\0<rdf tiff:Orientation="6"/>'
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    assert corner(opened(data[:2] + segment + data[2:]), 0.5, 0) == RED


def test_files_that_are_all_structure_are_refused_soon():
    """Megabytes of empty segments, chunks or boxes, which a reader would otherwise follow one by one."""
    assert "segments" in refusal(b"\xff\xd8" + b"\xff\xe0\0\2" * 2_000_000)
    assert "segments" in refusal(b"\xff\xd8" + b"\xff" * 8_000_000)
    assert "chunks" in refusal(png_with(chunk(b"tEXt", b"") * 1_000_000))
    assert refusal(b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x08jxlz" * 1_000_000) == "cut off: the file ends early"
