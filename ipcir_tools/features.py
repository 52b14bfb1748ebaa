"""Features and captions, made once ever: what the catalog knows is never made again."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools import images
from ipcir_tools.catalog import Catalog, Progress
from ipcir_tools.errors import BadImage, NotFound
from ipcir_tools.schema import chunked
from ipcir_tools.settings import Settings
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.captioner import Captioner
    from ipcir_tools.encoder import Encoder

_BLOCK = 256
"""Pictures opened at a time, so that memory stays bounded."""


def text_key(text: str) -> str:
    """The catalog's key of a text's feature."""
    return "text:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Features:
    """Looks features and captions up in the catalog and makes those that are missing.

    ``encoder`` and ``captioner`` are called for a model only when something is missing. ``made`` counts what was
    really made: "images", "texts" and "captions"; a ``tally`` that is handed in counts the same for one caller. Safe
    for many threads.
    """

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        encoder: Callable[[], Encoder],
        captioner: Callable[[], Captioner],
        captioner_id: Callable[[], str],
    ) -> None:
        self._catalog = catalog
        self._settings = settings
        self._encoder = encoder
        self._captioner = captioner
        self._captioner_id = captioner_id
        self._lock = threading.Lock()
        self._making = {what: threading.Lock() for what in ("texts", "images", "captions")}
        """Each held while something is made, so that two threads never make the same."""
        self.made: Counter[str] = Counter()

    @property
    def space(self) -> str:
        """The gallery's space; the encoder's where the gallery has none yet."""
        return self._catalog.space() or self._encoder().space

    def texts(self, texts: Sequence[str], tally: Counter[str] | None = None) -> FloatArray:
        """Features ``[n, d]`` of texts, unit norm."""
        keys = [text_key(text) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        known = self._catalog.features(wanted, self.space)
        if len(known) < len(wanted):
            with self._making["texts"]:
                known = self._catalog.features(wanted, self.space)
                missing = {key: text for key, text in wanted.items() if key not in known}
                known |= self._made_texts(missing, tally) if missing else {}
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def images(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None = None, tally: Counter[str] | None = None
    ) -> dict[str, FloatArray]:
        """Features ``[d]`` of pictures by id, unit norm. ``pixels`` holds pictures that are open already."""
        known = self._catalog.features(ids, self.space)
        if len(known) < len(set(ids)):
            with self._making["images"]:
                known = self._catalog.features(ids, self.space)
                for block in chunked([id_ for id_ in dict.fromkeys(ids) if id_ not in known], _BLOCK):
                    known |= self._made_images(block, pixels, tally)
        return known

    def captions(
        self,
        ids: Sequence[str],
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[str, str]:
        """One caption a picture, by id."""
        known = self._catalog.captions(ids, self._captioner_id())
        if len(known) < len(set(ids)):
            with self._making["captions"]:
                known = self._catalog.captions(ids, self._captioner_id())
                missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
                for i, block in enumerate(chunked(missing, _BLOCK)):
                    known |= self._made_captions(block, pixels, tally)
                    if progress:
                        progress("captioning", i * _BLOCK + len(block), len(missing))
        return known

    def known_captions(self, ids: Sequence[str]) -> dict[str, str]:
        """The captions that are there already; none is made."""
        return self._catalog.captions(ids, self._captioner_id())

    def _made_texts(self, missing: Mapping[str, str], tally: Counter[str] | None) -> dict[str, FloatArray]:
        made = dict(zip(missing, self._encoder().embed_texts(list(missing.values())), strict=True))
        self._catalog.put_features(made, self.space)
        self._count("texts", len(made), tally)
        return made

    def _made_images(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None, tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        made = dict(zip(ids, self._encoder().embed_images([self._open(id_, pixels) for id_ in ids]), strict=True))
        self._catalog.put_features(made, self.space)
        self._count("images", len(made), tally)
        return made

    def _made_captions(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None, tally: Counter[str] | None
    ) -> dict[str, str]:
        said = self._captioner().caption([self._open(id_, pixels) for id_ in ids])
        made = {id_: several[0] for id_, several in zip(ids, said, strict=True)}
        self._catalog.put_captions(made, self._captioner_id())
        self._count("captions", len(made), tally)
        return made

    def _open(self, id_: str, pixels: Mapping[str, Image.Image] | None) -> Image.Image:
        if pixels and id_ in pixels:
            return pixels[id_]
        record = self._catalog.records([id_]).get(id_)
        if record is None:
            raise NotFound(f"No picture has the id {id_!r}.")
        # an agent may read this: the file's name is enough, its folder is nobody's business
        gone = f"The picture {id_} ({images.shown(PurePath(record.source).name)}) cannot be opened again"
        mend = "put the file back, or run `ipcir index` on its folder and search with another picture"
        try:
            loaded = images.load(images.text_path(record.source), self._settings)
        except (BadImage, NotFound) as error:
            why = error if isinstance(error, BadImage) else "its file is not there any more"
            raise NotFound(f"{gone} ({why}): {mend}.") from error
        if loaded.record.id != id_:  # else another picture's caption would be kept under this id, or shown to an agent
            raise NotFound(f"{gone} (the file holds something else now): {mend}.")
        return loaded.pixels

    def _count(self, what: str, n: int, tally: Counter[str] | None) -> None:
        with self._lock:
            self.made[what] += n
            if tally is not None:
                tally[what] += n
