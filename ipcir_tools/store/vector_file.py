"""The features of a gallery in one file, mapped into memory: a cache of the catalog, shared by all processes.

A file is written once under a name of its own and never changed; the catalog's note names the last one. What came in
or left since is read from the catalog. Each block has a checksum that is compared before the block is first used, so
opening reads the names alone. What is damaged before a process first uses it is noticed; a file that is overwritten
while it is mapped is not.
"""

from __future__ import annotations

import logging
import zlib
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ipcir_tools.errors import CatalogError
from ipcir_tools.private import FILE, private_folder, private_opener
from ipcir_tools.store.candidates import BrokenIndexError
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.dots import Rows
from ipcir_tools.store.snapshot import Names, Segment, encoded
from ipcir_tools.store.unstored import storing
from ipcir_tools.types import FloatArray, Value

log = logging.getLogger(__name__)

LOCK_SECONDS = 1.0
"""How long to wait for another process that writes the file."""

BLOCK_BYTES = 1 << 17
"""About as many bytes have one checksum."""


def block_rows(dim: int) -> int:
    """Rows with one checksum."""
    return max(1, BLOCK_BYTES // (4 * dim))


class DamagedVectorsError(BrokenIndexError):
    """A block of the file is not what was written; never shown to a user."""


class FileSeal(Value):
    """What a finished file holds: rows, then names, then a checksum for each block of rows."""

    file: str = Field(pattern=r"^vectors-[0-9a-f]{32}\.f32$")
    revision: int = Field(ge=0)
    """The catalog's revision, or an earlier one, when it was written."""
    space: str
    count: int = Field(ge=0)
    dim: int = Field(ge=1)
    width: int = Field(ge=1)
    """Bytes of a name."""
    checksum: int
    """CRC-32 of names and checksums."""

    @property
    def block(self) -> int:
        """Rows with one checksum."""
        return block_rows(self.dim)

    @property
    def rows_end(self) -> int:
        """Bytes of the rows."""
        return 4 * self.count * self.dim

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.rows_end + self.count * self.width + 4 * -(-self.count // self.block)


class MappedSegment(Segment):
    """The rows of a file; reading them raises DamagedVectorsError where they are not what was written."""

    def __init__(self, path: Path, seal: FileSeal) -> None:
        content = np.asarray(np.memmap(path, np.uint8, "r"))
        if len(content) != seal.size or zlib.crc32(content[seal.rows_end :].data) != seal.checksum:
            raise DamagedVectorsError(f"{path.name} has changed")
        matrix: FloatArray = content[: seal.rows_end].view("<f4").reshape(seal.count, seal.dim)
        names: Names = content[seal.rows_end :][: seal.count * seal.width].view(f"S{seal.width}")
        super().__init__(names, matrix, np.broadcast_to(np.int64(seal.revision), seal.count))
        object.__setattr__(self, "_sums", content[seal.rows_end + seal.count * seal.width :].copy().view("<u4"))
        object.__setattr__(self, "_block", seal.block)
        object.__setattr__(self, "_unseen", np.ones(-(-seal.count // seal.block), bool))

    _sums: NDArray[np.uint32]
    _block: int
    _unseen: NDArray[np.bool_]

    def take(self, rows: Rows) -> FloatArray:
        """A copy of these rows ``[m, d]``."""
        self._check_rows(rows)
        return super().take(rows)

    def dots(self, vector: FloatArray, rows: Rows) -> FloatArray:
        """The dot product of ``vector`` ``[d]`` with each of these rows ``[m]``."""
        self._check_rows(rows)
        return super().dots(vector, rows)

    def whole(self) -> FloatArray:
        """All rows ``[n, d]``, not copied."""
        self._check(np.flatnonzero(self._unseen))
        return self.matrix

    def _check_rows(self, rows: Rows) -> None:
        blocks = rows // self._block
        self._check(np.unique(blocks[self._unseen[blocks]]))

    def _check(self, blocks: Rows) -> None:
        for block in blocks.tolist():
            rows = self.matrix[block * self._block : (block + 1) * self._block]
            if zlib.crc32(rows.data) != self._sums[block]:
                raise DamagedVectorsError(f"block {block} of the vectors has changed")
            self._unseen[block] = False


class VectorFile:
    """The last file of one catalog's features, in ``folder``."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog, self._folder = catalog, folder
        self._note = f"vectors:{folder.name}"

    def seal(self) -> FileSeal | None:
        """What the last file holds; None where there is none, or none that is usable."""
        try:
            seal = FileSeal.model_validate_json(self._catalog.note(self._note) or "")
            whole = (self._folder / seal.file).stat().st_size == seal.size
        except (ValidationError, OSError):
            return None
        return seal if whole and self._catalog.changes_reach(seal.revision) else None

    def open(self) -> tuple[Segment, int] | None:
        """The rows of the last file, and the revision of the gallery that they are; None where there are none."""
        seal = self.seal()
        if seal is None or seal.space != (self._catalog.space() or ""):
            return None
        try:
            return MappedSegment(self._folder / seal.file, seal), seal.revision
        except (DamagedVectorsError, OSError, ValueError) as error:
            self.forget(seal, str(error))
            return None

    def write(self) -> bool:
        """Write the gallery's features as they are now, block by block; whether that was done."""
        try:
            private_folder(self._folder)
            with storing(), FileLock(self._folder / "lock", mode=FILE, timeout=LOCK_SECONDS):
                seal = self._written(self._folder / f"vectors-{uuid4().hex}.f32")
                self._catalog.set_note(self._note, seal.model_dump_json())
                self._remove_others(seal.file)
                return True
        except Timeout:
            log.info("another process is writing in %s", self._folder)
        except (OSError, CatalogError) as error:
            log.info("the vectors cannot be written in %s: %s", self._folder, error)
        return False

    def forget(self, seal: FileSeal | None, reason: str) -> None:
        """Delete the file of this seal: it is damaged. Who has it mapped keeps it."""
        if seal is not None:
            log.info("the file %s cannot be used: %s", seal.file, reason)
            with suppress(OSError):
                (self._folder / seal.file).unlink(missing_ok=True)

    def _written(self, path: Path) -> FileSeal:
        # The revision is read first: what comes in later is read again as a change, never missed.
        state = self._catalog.state()
        try:
            with open(path, "wb", opener=private_opener) as stream:
                names, dim, sums = self._write_rows(stream, state.space)
                tail = names.tobytes() + sums.tobytes()
                stream.write(tail)
        except BaseException:  # an interrupt, too: half a file would stay
            path.unlink(missing_ok=True)
            raise
        return FileSeal(
            file=path.name,
            revision=state.revision,
            space=state.space,
            count=len(names),
            dim=dim,
            width=names.itemsize,
            checksum=zlib.crc32(tail),
        )

    def _write_rows(self, stream: BinaryIO, space: str) -> tuple[Names, int, NDArray[np.uint32]]:
        """Write the rows; their names, their width and the checksums of their blocks."""
        ids: list[str] = []
        sums: list[int] = []
        left = np.zeros((0, 1), "<f4")  # rows that fill no block yet
        for some, rows in self._catalog.feature_blocks(space):
            ids += some
            stream.write(np.ascontiguousarray(rows, "<f4").data)
            rows = np.concatenate([left.reshape(-1, rows.shape[1]), rows])
            size = block_rows(rows.shape[1])
            whole = len(rows) // size * size
            sums += [zlib.crc32(np.ascontiguousarray(rows[i : i + size], "<f4").data) for i in range(0, whole, size)]
            left = rows[whole:]
        if len(left):
            sums.append(zlib.crc32(np.ascontiguousarray(left, "<f4").data))
        names = np.array([encoded(id_) for id_ in ids], np.bytes_)
        if not ids or (names[1:] <= names[:-1]).any():
            raise OSError("there are no pictures" if not ids else "the database sorts ids in another way")
        return names, left.shape[1], np.array(sums, "<u4")

    def _remove_others(self, current: str) -> None:
        for path in self._folder.glob("vectors-*.f32"):
            if path.name != current:
                path.unlink(missing_ok=True)
