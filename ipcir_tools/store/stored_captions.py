"""The captions in a catalog: by picture and captioner, each with a checksum that is compared when it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from ipcir_tools.store.changes import StoredChanges, raise_facts
from ipcir_tools.store.checksums import caption_checksum
from ipcir_tools.store.database import VALUES, put
from ipcir_tools.store.schema import captions as caption_rows
from ipcir_tools.store.schema import files
from ipcir_tools.store.unstored import wanted_later

_CAPTIONS = select(caption_rows).where(
    caption_rows.c.captioner == bindparam("captioner"), caption_rows.c.image_id.in_(VALUES)
)
_CAPTIONED = (
    select(caption_rows)
    .where(caption_rows.c.captioner == bindparam("captioner"), caption_rows.c.image_id.in_(select(files.c.image_id)))
    .order_by(caption_rows.c.image_id)
    .limit(bindparam("n"))
)
"""Made once, as making a statement takes longer than what a search reads by it."""


class StoredCaptions(StoredChanges):
    """The captions in a catalog."""

    def captions(self, ids: Iterable[str], captioner: str) -> dict[str, str]:
        """The stored captions by ``captioner``, by picture. Damaged ones are left out, and noted."""
        return self._by_picture(self._rows(_CAPTIONS, ids, captioner=captioner))

    def _by_picture(self, rows: Iterable[Row[Any]]) -> dict[str, str]:
        return {row.image_id: text for row in rows if (text := self._caption(row)) is not None}

    def first_captions(self, n: int, captioner: str) -> dict[str, str]:
        """The captions by ``captioner`` of the first ``n`` pictures of the gallery, by id, that have one."""
        with self._glance() as connection:
            rows = connection.execute(_CAPTIONED, {"captioner": captioner, "n": n}).all()
        return self._by_picture(rows)

    def captions_of(self, id: str) -> dict[str, str]:
        """Every stored caption of one picture, by captioner."""
        wanted = select(caption_rows).where(caption_rows.c.image_id == id).order_by(caption_rows.c.captioner)
        with self._read() as connection:
            rows = connection.execute(wanted).all()
        return {row.captioner: text for row in rows if (text := self._caption(row)) is not None}

    def count_captioned(self, captioner: str) -> int:
        """How many pictures of the gallery have a caption by ``captioner``."""
        rows = caption_rows.c
        chosen = rows.captioner == captioner, rows.image_id.in_(select(files.c.image_id))

        def count() -> int:
            with self._glance() as connection:
                return connection.scalar(select(func.count()).select_from(caption_rows).where(*chosen)) or 0

        return self.while_unchanged(("captioned", captioner), count)

    @wanted_later
    def put_captions(self, captions: Mapping[str, str], captioner: str) -> None:
        """Store captions by picture; one that is stored already stays, unless it was found damaged."""
        rows = [{"image_id": id_, "captioner": captioner, "caption": text} for id_, text in captions.items()]
        damaged = self.damage.of("captions", [(id_, captioner) for id_ in captions])
        with self._write() as connection:
            put(connection, caption_rows, [row for row in rows if (row["image_id"], captioner) not in damaged])
            put(
                connection, caption_rows, [row for row in rows if (row["image_id"], captioner) in damaged], replace=True
            )
            raise_facts(connection)
        self.damage.mended("captions", damaged)

    def _caption(self, row: Row[Any]) -> str | None:
        """The caption that a row ends with; None where there is none, or a damaged one, which is noted."""
        image_id, captioner, text, checksum = tuple(row)[-4:]
        if text is None or caption_checksum(image_id, captioner, text) == checksum:
            return text  # type: ignore[no-any-return]
        self.damage.add("captions", (str(image_id), str(captioner)), "it does not match its checksum")
        return None
