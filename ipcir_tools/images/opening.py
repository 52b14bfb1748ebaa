"""Which decoder opens a file, and what is known of the picture before its pixels are decoded.

Only the formats named here are opened, and no plugin is registered with Pillow for it: a program that imports this
package opens pictures as before.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageFile, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from ipcir_tools.errors import BadImageError
from ipcir_tools.images import gif, jpeg, jpeg_xl, png, tiff
from ipcir_tools.images.exif import Exif, read_exif
from ipcir_tools.images.pixels import UNSIGNED

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JXL")
"""What is opened, by Pillow's names; the camera's MPO comes with JPEG."""

_BY_PILLOW: dict[str, Callable[[bytes], bytes]] = {"WEBP": bytes, "GIF": gif.lean_gif, "BMP": bytes}
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"), "HEIF"
)
"""The formats in an ISO base media file by its brands; the last two stand for either, unless it is AVIF."""
_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')

CheckSize = Callable[[tuple[int, int]], None]
"""Raises BadImageError for too many pixels."""


@dataclass(frozen=True)
class OpenedPicture:
    """A picture whose header was read and of which nothing is decoded yet, except by plugins that know no header."""

    image: ImageFile.ImageFile
    format: str
    """Pillow's name in lower case."""
    exif: Exif
    orientation: int = 1
    """1 to 8: how it is to be turned once it is decoded."""
    ended: bool = True
    """Whether the end of the file is there, where the format has one."""
    share_there: Callable[[Image.Image], float] | None = None
    """For a format that can be shown without its end: how much of the decoded picture is there, 0 to 1."""
    scans: bytes = b""
    """The data of a JPEG over which a decoder passes more than once."""
    arithmetic: bool = False
    """Whether a JPEG is coded by arithmetic."""


def open_picture(data: bytes, check_size: CheckSize) -> OpenedPicture:
    """The picture in a file, its size checked. Raises BadImageError, and whatever Pillow raises on bad bytes."""
    opened = _opened(data, check_size)
    check_size(opened.image.size)
    return opened


def needs_process(data: bytes) -> bool:
    """Whether a file is of a format whose library may run for ever, which only the end of its process ends. Raises
    BadImageError where that library is not installed."""
    if jpeg_xl.is_jpeg_xl(data):
        jpeg_xl.check_installed()
        return True
    return data[4:8] == b"ftyp" and _brand(data) is not None


def _opened(data: bytes, check_size: CheckSize) -> OpenedPicture:
    if data.startswith(jpeg.SIGNATURE):
        return _open_jpeg(data)
    if data.startswith(png.SIGNATURE):
        return _open_png(data)
    if data[4:8] == b"ftyp" and (brand := _brand(data)) is not None:
        return _open_avif(data) if brand == "AVIF" else _open_heif(data)
    if jpeg_xl.is_jpeg_xl(data):
        check_size(jpeg_xl.jpeg_xl_size(data))
        return _open_jpeg_xl(data)
    if (image := _by_pillow("TIFF", data, tiff.lean_tiff)) is not None:
        image.info[UNSIGNED] = tiff.is_unsigned(data)
        return _described(image, data)  # a TIFF is built as EXIF is
    for name, lean in _BY_PILLOW.items():
        if (image := _by_pillow(name, data, lean)) is not None:
            return _described(image)
    raise BadImageError("not a picture in a known format")


def _open_jpeg(data: bytes) -> OpenedPicture:
    parts = jpeg.split_jpeg(data)
    exif = read_exif(parts.exif)
    return OpenedPicture(
        JpegImageFile(io.BytesIO(parts.data), ""),
        "mpo" if parts.several else "jpeg",
        exif,
        _orientation(exif, parts.xmp),
        parts.ended,
        jpeg.share_there,
        parts.data if parts.many_scans else b"",
        parts.arithmetic,
    )


def _open_png(data: bytes) -> OpenedPicture:
    parts = png.split_png(data)
    exif = read_exif(parts.exif)
    return OpenedPicture(
        PngImageFile(io.BytesIO(parts.data), ""),
        "png",
        exif,
        _orientation(exif, parts.xmp),
        parts.ended,
        lambda _: png.share_there(parts.data),
    )


def _open_avif(data: bytes) -> OpenedPicture:
    if not features.check("avif"):
        raise BadImageError("AVIF is not supported by this build of Pillow: pip install --upgrade pillow")
    return _described(AvifImageFile(io.BytesIO(data), ""))


def _open_heif(data: bytes) -> OpenedPicture:
    from pillow_heif import HeifImageFile

    image: ImageFile.ImageFile = HeifImageFile(io.BytesIO(data), "")  # type: ignore[no-untyped-call]
    return _described(image, upright=True)  # the format has a turning of its own, besides EXIF's


def _open_jpeg_xl(data: bytes) -> OpenedPicture:
    image = jpeg_xl.open_jpeg_xl(data)
    stored_as_jpeg = bool(getattr(image, "jpeg", False))  # its pixels come from that, as they are stored
    return _described(image, upright=not stored_as_jpeg)


def _described(image: ImageFile.ImageFile, block: bytes = b"", *, upright: bool = False) -> OpenedPicture:
    """``upright``: the decoder turns the picture as its file says."""
    exif = read_exif(block or _bytes(image.info.get("exif")))
    turned = 1 if upright else _orientation(exif, _bytes(image.info.get("xmp")))
    return OpenedPicture(image, (image.format or "").lower(), exif, turned)


def _orientation(exif: Exif, xmp: bytes) -> int:
    """As EXIF says, else XMP."""
    found = _ORIENTATION.search(xmp) if exif.orientation == 1 else None
    return int(found[1]) if found else exif.orientation


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _by_pillow(name: str, data: bytes, reduced: Callable[[bytes], bytes] = bytes) -> ImageFile.ImageFile | None:
    """The header by one of Pillow's own plugins, if it takes the file, of which it is given what ``reduced`` leaves.

    ``Image.open`` does the same, but warns of many pixels, which have a limit of their own here.
    """
    Image.init()
    factory, accepts = Image.OPEN.get(name, (None, None))
    if factory is None or accepts is None or accepts(data[:16]) is not True:
        return None
    return factory(io.BytesIO(reduced(data)), "")


def _brand(data: bytes) -> str | None:
    """The format that an ISO base media file holds, by its main brand and the others that it is compatible with."""
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, end, 4))]
    known = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    return "AVIF" if "AVIF" in known else known[0] if known else None
