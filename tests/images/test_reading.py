"""Opening pictures: what comes out of every kind of file, and that nothing but BadImageError comes out of a bad one."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from ipcir_tools.errors import BadImageError, NotFoundError
from ipcir_tools.images import decoding
from ipcir_tools.images.files import path_text, text_path
from ipcir_tools.images.reading import LoadedImage, decode, image_id, load, read_file
from ipcir_tools.images.scanning import find_files
from ipcir_tools.settings import Settings

SETTINGS = Settings()
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(data: bytes, **limits: int) -> LoadedImage:
    return decode(data, "test", Settings(**limits))


def refusal(data: bytes, **limits: int) -> str:
    with pytest.raises(BadImageError) as caught:
        opened(data, **limits)
    return str(caught.value)


def assert_picture_or_bad_image(data: bytes) -> None:
    try:
        outcome = opened(data, max_pixels=1_000_000).pixels.mode
    except BadImageError as error:
        outcome = str(error)
    assert outcome
    assert outcome.isprintable()
    assert len(outcome) < 160


def two_halves(left: tuple[int, ...] = RED, right: tuple[int, ...] = BLUE, mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (40, 20), left)
    image.paste(right, (20, 0, 40, 20))
    return image


def colour_at(loaded: LoadedImage, x: float, y: float) -> tuple[int, ...]:
    """The colour at a place given in parts of the width and height, rounded so that JPEG does not matter."""
    width, height = loaded.pixels.size
    found = loaded.pixels.getpixel((int(x * (width - 1)), int(y * (height - 1))))
    assert isinstance(found, tuple)
    return tuple(round(value / 51) * 51 for value in found)


def huge_png(width: int, height: int) -> bytes:
    """A valid PNG of one colour, tiny as a file."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compressobj(9)
    line = b"\0" * ((width + 7) // 8 + 1)
    packed = b"".join(rows.compress(line) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"] + (["AVIF"] if features.check("avif") else [])


# --- good pictures


@pytest.mark.parametrize("format", FORMATS)
def test_every_named_format_opens(format):
    data = encoded(two_halves(), format)
    loaded = opened(data)
    assert loaded.record.model_dump() == {
        "id": image_id(data),
        "source": "test",
        "bytes": len(data),
        "width": 40,
        "height": 20,
        "format": format.lower(),
        "taken": None,
        "camera": None,
        "latitude": None,
        "longitude": None,
        "damaged": False,
    }
    assert loaded.pixels.mode == "RGB"
    assert colour_at(loaded, 0, 0.5) == RED
    assert colour_at(loaded, 1, 0.5) == BLUE


def test_an_mpo_is_a_jpeg_with_more_pictures_behind_it():
    data = encoded(two_halves(), "MPO", save_all=True, append_images=[two_halves(BLUE, RED)])
    loaded = opened(data)
    assert loaded.record.format == "mpo"
    assert colour_at(loaded, 0, 0.5) == RED


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_and_the_record_has_the_upright_size(format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = opened(encoded(two_halves(), format, exif=exif, quality=95))
    sideways = orientation >= 5
    assert (loaded.record.width, loaded.record.height) == loaded.pixels.size == ((20, 40) if sideways else (40, 20))
    # Where the stored left half stands once the picture is upright.
    red_at = {1: (0, 0.5), 2: (1, 0.5), 3: (1, 0.5), 4: (0, 0.5), 5: (0.5, 0), 6: (0.5, 0), 7: (0.5, 1), 8: (0.5, 1)}
    assert colour_at(loaded, *red_at[orientation]) == RED


def test_a_broken_exif_does_not_spoil_the_picture():
    assert opened(encoded(two_halves(), "PNG", exif=b"Exif\0\0nonsense")).pixels.size == (40, 20)


@pytest.mark.parametrize(
    "image",
    [
        two_halves((255, 0, 0, 255), (9, 9, 9, 0), "RGBA"),
        two_halves((0, 255), (9, 0), "LA"),
    ],
    ids=["RGBA", "LA"],
)
def test_transparency_is_laid_over_white(image):
    assert colour_at(opened(encoded(image, "PNG")), 1, 0.5) == WHITE


def test_half_transparency_is_mixed_with_white():
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 51))
    assert colour_at(opened(encoded(image, "PNG")), 0, 0) == (204, 204, 204)


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_colour_is_laid_over_white(format):
    image = Image.new("P", (40, 20), 1)
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    image.paste(2, (20, 0, 40, 20))
    loaded = opened(encoded(image, format, transparency=2))
    assert colour_at(loaded, 0, 0.5) == RED
    assert colour_at(loaded, 1, 0.5) == WHITE


def test_a_transparent_colour_of_a_truecolour_png_is_laid_over_white():
    assert colour_at(opened(encoded(two_halves(), "PNG", transparency=BLUE)), 1, 0.5) == WHITE


def test_cmyk_becomes_rgb():
    data = encoded(two_halves((0, 255, 255, 0), (255, 255, 0, 0), "CMYK"), "JPEG", quality=95)
    assert colour_at(opened(data), 0, 0.5) == RED


def test_one_bit_becomes_black_and_white():
    loaded = opened(encoded(two_halves(0, 1, "1"), "PNG"))
    assert (colour_at(loaded, 0, 0.5), colour_at(loaded, 1, 0.5)) == ((0, 0, 0), WHITE)


@pytest.mark.parametrize(
    ("dtype", "top", "format"),
    [
        ("uint16", 65_535, "PNG"),
        ("uint16", 65_535, "TIFF"),
        (">u2", 65_535, "TIFF"),
        ("int32", 255, "TIFF"),
        ("int32", 65_535, "TIFF"),
        ("int32", 1_000_000, "TIFF"),
        ("float32", 1.0, "TIFF"),
        ("float32", 255.0, "TIFF"),
        ("float32", 65_535.0, "TIFF"),
        ("float32", 1e6, "TIFF"),
    ],
)
def test_deep_greys_are_scaled_not_clipped(dtype, top, format):
    ramp = np.linspace(0, top, 256).reshape(16, 16).astype(dtype)
    pixels = np.asarray(opened(encoded(Image.fromarray(ramp), format)).pixels)[..., 0]
    assert np.abs(pixels.ravel().astype(int) - np.arange(256)).max() <= 1


def test_floats_that_are_no_numbers_are_black():
    grey = np.array([[np.nan, np.inf], [0.5, 1.0]], dtype=np.float32)
    assert np.asarray(opened(encoded(Image.fromarray(grey), "TIFF")).pixels)[0].max() == 0


def test_sixteen_bit_colour_keeps_its_high_bits():
    rows = b"".join(b"\0" + struct.pack(">3H", 65_535, 0, 32_768) * 4 for _ in range(4))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert opened(data).pixels.getpixel((0, 0)) == (255, 0, 128)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken(format):
    loaded = opened(encoded(two_halves(), format, save_all=True, append_images=[two_halves(BLUE, RED)]))
    assert colour_at(loaded, 0, 0.5) == RED


def test_large_pictures_are_reduced_but_the_record_keeps_their_size():
    image = two_halves().resize((2600, 1300), Image.Resampling.NEAREST)
    for format in ("JPEG", "PNG"):
        loaded = opened(encoded(image, format))
        assert (loaded.record.width, loaded.record.height) == (2600, 1300)
        assert 512 <= loaded.pixels.height < 1024
        assert loaded.pixels.width == pytest.approx(2 * loaded.pixels.height, abs=1)
        assert (colour_at(loaded, 0, 0.5), colour_at(loaded, 1, 0.5)) == (RED, BLUE)


def test_what_is_not_much_larger_than_a_model_looks_at_is_kept_as_it_is():
    assert opened(encoded(Image.new("RGB", (900, 1000)), "JPEG")).pixels.size == (900, 1000)


# --- limits


def test_many_pixels_in_a_tiny_file_are_refused_from_the_header(monkeypatch, recwarn):
    data = huge_png(10_000, 10_000)
    assert len(data) < 20_000
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("it was decoded"))
    assert refusal(data) == "10000 x 10000 pixels, more than the limit of 64 million (IPCIR_MAX_PIXELS)"
    assert not recwarn.list


def test_the_pixel_limit_is_ours_to_the_pixel():
    data = encoded(Image.new("RGB", (10, 10)), "PNG")
    assert opened(data, max_pixels=100).record.width == 10
    assert refusal(data, max_pixels=99) == "10 x 10 pixels, more than the limit of 99 (IPCIR_MAX_PIXELS)"


def test_a_tiff_whose_pages_form_a_ring_ends():
    data = bytearray(encoded(Image.new("L", (4, 4)), "TIFF"))
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    assert opened(bytes(data)).record.width == 4


def test_a_progressive_jpeg_of_endless_scans_is_refused():
    data = encoded(two_halves(), "JPEG", progressive=True)
    assert opened(data).record.width == 40
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert "scans" in refusal(data[:-2] + scan * decoding.MAX_SCANS + data[-2:])


def test_too_many_bytes_are_not_read(tmp_path):
    file = tmp_path / "big.jpg"
    file.write_bytes(bytes(101))
    limited = Settings(max_bytes=100)
    with pytest.raises(BadImageError, match=r"101 bytes, more than the limit of 100 \(IPCIR_MAX_BYTES\)"):
        read_file(file, limited)
    with pytest.raises(BadImageError, match="more than the limit"):
        decode(bytes(101), "test", limited)


# --- bad pictures


def test_an_empty_file_says_so():
    assert refusal(b"") == "empty file"


@pytest.mark.parametrize(
    "data", [b"only words", b"%PDF-1.7", b"<svg/>", b"8BPS" + bytes(60), b"%!PS-Adobe-3.0 EPSF-3.0"]
)
def test_what_is_no_picture_of_a_named_format_says_so(data):
    assert refusal(data) == "not a picture in a known format"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF"])
def test_a_picture_that_is_cut_off_says_so(format):
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format)
    assert refusal(data[: len(data) // 2]) == "cut off: the file ends early"


@pytest.mark.parametrize("format", FORMATS)
def test_a_picture_cut_off_anywhere_opens_or_is_a_bad_image(format):
    data = encoded(two_halves(), format)
    for end in range(0, len(data), max(1, len(data) // 100)):
        assert_picture_or_bad_image(data[:end])


SMALL = {format: encoded(two_halves(), format) for format in FORMATS}
SMALL["animation"] = encoded(two_halves(), "GIF", save_all=True, append_images=[two_halves(BLUE, RED)])
SMALL["palette"] = encoded(two_halves().convert("P"), "PNG", transparency=0)
SMALL["progressive"] = encoded(two_halves(), "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
SMALL["lzw"] = encoded(two_halves(), "TIFF", compression="tiff_lzw")


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(SMALL)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    insert=st.tuples(st.floats(0, 1), st.binary(max_size=8)),
    keep=st.floats(0, 1) | st.just(1.0),
)
def test_hostile_bytes_give_a_picture_or_a_bad_image(name, flips, insert, keep):
    data = bytearray(SMALL[name])
    for place, value in flips:
        data[int(place * len(data))] = value
    at = int(insert[0] * len(data))
    data[at:at] = insert[1]
    assert_picture_or_bad_image(bytes(data[: int(keep * len(data))]))


@pytest.mark.parametrize(
    "error", [MemoryError(), ZeroDivisionError("x"), struct.error("x"), SyntaxError("x"), OSError()]
)
def test_whatever_pillow_raises_is_a_bad_image(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert refusal(SMALL["PNG"])


# --- files


def test_only_regular_files_are_read(tmp_path):
    fifo = tmp_path / "pipe.jpg"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero")):
        with pytest.raises(BadImageError, match="not a regular file"):
            read_file(path, SETTINGS)
    with pytest.raises(BadImageError, match="it is a folder: name a picture in it"):
        read_file(tmp_path, SETTINGS)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError):
        load(tmp_path / "none.jpg", SETTINGS)


def test_load_names_the_file_as_source(tmp_path):
    file = tmp_path / "a b.png"
    file.write_bytes(SMALL["PNG"])
    assert load(file, SETTINGS).record.source == str(file)


def test_files_are_found_recursively_in_a_fixed_order(tmp_path):
    for name in ["b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "sub/z.webp", "sub/.git/x.png", "raw/i.heic", "k.jfif"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.png").symlink_to(tmp_path / "b.PNG")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "folder.png").mkdir()
    found = [str(file.relative_to(tmp_path)) for file in find_files([tmp_path])]
    assert found == ["a.jpeg", "b.PNG", "dangling.png", "k.jfif", "link.png", "self.png", "raw/i.heic", "sub/z.webp"]


def test_named_files_always_count_and_nothing_comes_twice(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "a.png").touch()
    paths = [tmp_path / "notes.txt", tmp_path, tmp_path / "a.png", tmp_path / ".." / tmp_path.name]
    assert list(find_files(paths)) == [tmp_path / "notes.txt", tmp_path / "a.png"]


def test_a_path_that_does_not_exist_is_refused_before_anything_is_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"none does not exist"):
        find_files([tmp_path, tmp_path / "none"])


def test_a_folder_that_cannot_be_listed_is_not_passed_over_in_silence(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    listing = os.scandir

    def guarded(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert list(find_files([tmp_path])) == [tmp_path / "locked"]


@given(
    name=st.binary(min_size=1, max_size=30).filter(lambda raw: not set(raw) & set(b"/\0") and raw not in (b".", b".."))
)
def test_any_file_name_becomes_text_and_back(tmp_path_factory, name):
    file = Path(os.fsdecode(os.fsencode(tmp_path_factory.getbasetemp()) + b"/" + name))
    file.touch()
    try:
        text = path_text(file)
        assert text.encode("utf-8").decode("utf-8") == text
        assert text_path(text) == file
    finally:
        file.unlink()


def test_bytes_that_are_no_text_are_shown_as_escapes():
    assert path_text(Path(os.fsdecode(b"caf\xe9.jpg"))) == r"caf\xe9.jpg"
