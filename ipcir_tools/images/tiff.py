"""What a decoder needs of a TIFF (TIFF 6.0): its first picture, without the tags that only describe it.

Cameras, scanners and maps add tags by the dozen. Pillow warns of those that it cannot read, and libtiff prints a line
for each that it does not know, where no program can catch it.
"""

from __future__ import annotations

import struct

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.exif import read_directory

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_NEEDED = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 338, 339, 347}
    | {512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 50674}
)
"""Tags that say how pixels are stored: sizes, strips, tiles, colours, compressions, JPEG tables. Not orientation."""
MAX_VALUES = 100_000
"""Of one tag: places of strips or tiles, and bytes of tables; a file has one strip for every few rows."""
_BITS, _SAMPLE_FORMAT = 258, 339


def is_unsigned(data: bytes) -> bool:
    """Whether its greys are numbers of 32 bits without a sign. Pillow has none such, and reads them, in one of the two
    orders of bytes, as if they had one: the decoder is told that they do, and whoever scales them that they do not."""
    tags = read_directory(data)
    return tags.get(_BITS) == [32] and tags.get(_SAMPLE_FORMAT, [1]) == [1]


def lean_tiff(data: bytes) -> bytes:
    """The file with a directory of the needed tags alone, of its first picture. A file of another kind is returned as
    it is, so that the decoder says what is wrong with it. Raises BadImageError for one of very many strips."""
    order = _ORDERS.get(data[:4])
    if order is None:
        return data
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        entries = [data[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
        kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in _NEEDED]
        values = [struct.unpack_from(f"{order}I", entry, 4)[0] for entry in kept]
    except struct.error:
        return data
    if max(values, default=0) > MAX_VALUES:
        raise BadImageError(f"a TIFF of more than {MAX_VALUES:,} strips, tiles or other parts")
    if is_unsigned(data):
        others = [entry for entry in kept if struct.unpack_from(f"{order}H", entry)[0] != _SAMPLE_FORMAT]
        signed = struct.pack(f"{order}HHIHH", _SAMPLE_FORMAT, 3, 1, 2, 0)
        kept = sorted([*others, signed], key=lambda entry: struct.unpack_from(f"{order}H", entry))
    end = len(data) + len(data) % 2  # a directory begins at an even place
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)
    return data[:4] + struct.pack(f"{order}I", end) + data[8:].ljust(end - 8, b"\0") + directory
