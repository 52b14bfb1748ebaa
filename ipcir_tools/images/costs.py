"""What decoding a picture takes, told from its header: memory at the peak, and whether it is dear.

The figures were measured with Pillow 13, pillow-heif 1.8 and the JPEG XL plugin 1.3 (resident memory at the peak over
that before, pictures of 9 to 16 million pixels of noise and of flat colour, one at a time), and rounded up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image

from ipcir_tools.images.jpeg import scan_blocks
from ipcir_tools.images.kept import MOST_FOR_PEOPLE, STRIP

if TYPE_CHECKING:
    from ipcir_tools.images.opening import OpenedPicture

MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes that Pillow takes for a pixel; four for all other modes."""

DECODER_BYTES = {
    "webp": 12.5,  # two canvases and the bytes that are copied from them: 12.2 still, 13.9 animated
    "avif": 10,  # planes and RGBA: 5.3 in 4:2:0, 9.3 in 4:4:4 with alpha
    "heif": 12.5,  # 5.4 in 4:2:0, 9.1 in 4:4:4 with alpha, 12.2 with ten bits
    "jxl": 12,  # 7.3 to 9.9 measured; the picture itself is counted besides
    "gif": 3,
    "bmp": 3,  # where it is packed, by lines
}
"""Bytes for each pixel that a decoder takes besides the picture that it makes."""

ROW_BYTES = 24
"""For each row of a picture, however narrow: pointers of the decoded picture and of its copies."""
PNG_ROWS = 4
"""Rows of a PNG that its decoder keeps, of eight bytes a pixel at most."""
KEPT_BYTES = 4
"""For each pixel that is kept."""
STRIP_BYTES = 24
"""For each pixel of the strip in which colours are converted: numbers of deep greys are the most."""
HANDED_OVER = 7
"""For each pixel that is kept and comes out of a decoder process, as bytes and as a picture."""

DEAR_BYTES = 160_000_000
"""A picture that takes more is decoded in a process that can be ended."""
DEAR_BLOCKS = 12_000_000
"""As is a JPEG whose scans pass over so many blocks of 8 x 8 in all: half a second. One of ten scans has 77 million
pixels then, one of a thousand scans 770,000."""
MOST_BLOCKS = 400_000_000
"""A JPEG of more is refused: it takes ten seconds at least."""
DEAR_PACKED = 1_000_000
"""Bytes of a packed BMP, whose every byte is a step of a program."""


def picture_bytes(mode: str, size: tuple[int, int]) -> int:
    """What Pillow takes for a picture."""
    return size[0] * size[1] * MODE_BYTES.get(mode, 4) + ROW_BYTES * size[1]


def decoding_bytes(opened: OpenedPicture, kept: list[tuple[int, int]], size: tuple[int, int]) -> int:
    """Memory that it takes to decode an opened picture and to make those of ``kept`` sizes of it, but for its file.

    ``size`` is the real one of a JPEG that is decoded in another.
    """
    image = opened.image
    pixels, kept_pixels = image.width * image.height, sum(width * height for width, height in kept)
    decoder = DECODER_BYTES.get(opened.format, 0) * pixels
    if opened.scans:  # libjpeg keeps all coefficients, two bytes each
        decoder = 128 * sum(blocks for _, blocks in _sampling(image, size))
    elif opened.format == "tiff":
        decoder = _strip_bytes(image)
    elif opened.format == "png":
        decoder = PNG_ROWS * 8 * image.width
    rows = sum(height for _, height in kept)
    working = STRIP_BYTES * min(pixels, STRIP) + (KEPT_BYTES + HANDED_OVER) * kept_pixels + ROW_BYTES * rows
    return int(picture_bytes(image.mode, image.size) + decoder + working)


def jpeg_xl_bytes(size: tuple[int, int]) -> int:
    """The same of a JPEG XL, which its plugin decodes when it opens it."""
    return int((DECODER_BYTES["jxl"] + 4) * size[0] * size[1]) + HANDED_OVER * MOST_FOR_PEOPLE


def is_dear(opened: OpenedPicture, file_bytes: int, memory: int, blocks: float) -> bool:
    """Whether a picture may take long, or more memory than others; ``memory`` as :func:`decoding_bytes` says, and
    ``blocks`` as :func:`jpeg_scans`."""
    if memory > DEAR_BYTES or blocks > DEAR_BLOCKS or opened.arithmetic:
        return True
    packed = opened.image.info.get("compression")
    if opened.format == "tiff":
        return packed != "raw"  # libtiff has a dozen decoders, and prints what it likes
    return opened.format == "bmp" and bool(packed) and file_bytes > DEAR_PACKED


def jpeg_scans(opened: OpenedPicture) -> tuple[int, float]:
    """The scans of a JPEG and the blocks that they pass over; zeros where it is decoded in one pass."""
    return scan_blocks(opened.scans, _sampling(opened.image, opened.image.size)) if opened.scans else (0, 0.0)


def _sampling(image: Image.Image, size: tuple[int, int]) -> list[tuple[int, float]]:
    """Each component of a JPEG: its number, and its blocks in the whole picture."""
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
    widest, highest = max((each[1] for each in layers), default=1), max((each[2] for each in layers), default=1)
    blocks = size[0] * size[1] / 64
    return [(each[0], blocks * each[1] * each[2] / (widest * highest)) for each in layers]


def _strip_bytes(image: Any) -> int:
    """What is decoded at a time of a TIFF: a strip or a tile."""
    tags = image.tag_v2
    if tags.get(259, 1) == 1:
        return 0
    width, height = tags.get(322, image.width), tags.get(323, min(tags.get(278, image.height), image.height))
    samples = tags.get(277, 1) * (max(tags.get(258, (8,))) + 7) // 8
    return int(width) * int(height) * int(samples)
