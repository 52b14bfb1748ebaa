"""Features and captions, made once ever: what the catalog knows is never made again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ipcir_tools import images
from ipcir_tools.catalog import Catalog, Progress
from ipcir_tools.drawer import drawn_key
from ipcir_tools.errors import BadImage, InvalidRequest, NotFound
from ipcir_tools.schema import chunked
from ipcir_tools.settings import Settings
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.captioner import Captioner
    from ipcir_tools.drawer import Drawer
    from ipcir_tools.encoder import Encoder
    from ipcir_tools.networks import Inverter

_T = TypeVar("_T")
_BLOCK = 256
"""Pictures opened at a time, so that memory stays bounded."""
_TEXTS = 4_096
"""Texts encoded before they are kept: a run that is killed loses no more."""
_DRAWN = 8
"""Descriptions drawn before their pictures' features are kept."""


def text_key(text: str) -> str:
    """The catalog's key of a text's feature."""
    return "text:" + _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Features:
    """Looks features and captions up in the catalog and makes those that are missing.

    ``encoder`` and ``captioner`` are called for a model only when something is missing. ``made`` counts what was
    really made: "images", "texts", "captions" and "drawings"; a ``tally`` that is handed in counts the same for one
    caller. Safe for many threads.
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
        self._making = {what: threading.Lock() for what in ("texts", "images", "captions", "drawings")}
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
        known = self._kept(wanted, lambda missing: self._encoder().embed_texts(missing), tally)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def inverted(
        self,
        inverter: Inverter,
        asked: Sequence[tuple[str, str]],
        references: Mapping[str, FloatArray],
        tally: Counter[str] | None = None,
    ) -> FloatArray:
        """Features ``[n, d]`` of sentences with a picture for a word: (reference's id, modification) each.

        ``references`` holds the pictures' features ``[d]`` by id.
        """
        keys = ["inverted:" + _digest(json.dumps([inverter.id, *each])) for each in asked]

        def made(missing: Sequence[tuple[str, str]]) -> FloatArray:
            return inverter.queries(np.stack([references[id_] for id_, _ in missing]), [text for _, text in missing])

        known = self._kept(dict(zip(keys, asked, strict=True)), made, tally)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def drawn(
        self,
        drawer: Drawer,
        asked: Sequence[tuple[str, str]],
        n: int,
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[tuple[str, str], FloatArray]:
        """Features ``[n, d]`` of ``n`` pictures drawn of each (description, reference's id).

        The reference is looked at by drawers that edit it, and by no other. Raises InvalidRequest for the first
        description that cannot be drawn, when the others are.
        """
        wanted = {each: (each[0], each[1] if drawer.edits else "") for each in asked}
        keys = {each: _drawn_keys(drawer, each, n) for each in wanted.values()}
        every = [key for several in keys.values() for key in several]
        known = self._catalog.features(every, self.space)
        if len(known) < len(every):
            with self._making["drawings"]:
                known = self._catalog.features(every, self.space)
                missing = [each for each, several in keys.items() if any(key not in known for key in several)]
                refused: list[InvalidRequest] = []
                for i, block in enumerate(chunked(missing, _DRAWN)):
                    known |= self._made_drawings(drawer, block, n, pixels, refused, tally)
                    if progress:
                        progress("drawing", i * _DRAWN + len(block), len(missing))
                if refused:
                    raise refused[0]
        return {each: np.stack([known[key] for key in keys[shown]]) for each, shown in wanted.items()}

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
        return {id_: said[0] for id_, said in self.several_captions(ids, 1, pixels, progress, tally).items()}

    def several_captions(
        self,
        ids: Sequence[str],
        n: int,
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[str, tuple[str, ...]]:
        """``n`` captions a picture, by id, the best first; they may repeat. Kept apart for every ``n``."""
        kept_as = _several(self._captioner_id(), n)
        known = self._catalog.captions(ids, kept_as)
        if len(known) < len(set(ids)):
            with self._making["captions"]:
                known = self._catalog.captions(ids, kept_as)
                missing = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
                for i, block in enumerate(chunked(missing, _BLOCK)):
                    known |= self._made_captions(block, n, pixels, tally)
                    if progress:
                        progress("captioning", i * _BLOCK + len(block), len(missing))
        return {id_: (text,) if n == 1 else tuple(json.loads(text)) for id_, text in known.items()}

    def known_captions(self, ids: Sequence[str]) -> dict[str, str]:
        """The captions that are there already; none is made."""
        return self._catalog.captions(ids, self._captioner_id())

    def _kept(
        self, wanted: Mapping[str, _T], make: Callable[[list[_T]], FloatArray], tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        """Features of texts by key; those that are missing are made of their items."""
        known = self._catalog.features(wanted, self.space)
        if len(known) < len(wanted):
            with self._making["texts"]:
                known = self._catalog.features(wanted, self.space)
                for keys in chunked([key for key in wanted if key not in known], _TEXTS):
                    made = dict(zip(keys, make([wanted[key] for key in keys]), strict=True))
                    self._catalog.put_features(made, self.space)
                    self._count("texts", len(made), tally)
                    known |= made
        return known

    def _made_drawings(
        self,
        drawer: Drawer,
        block: Sequence[tuple[str, str]],
        n: int,
        pixels: Mapping[str, Image.Image] | None,
        refused: list[InvalidRequest],
        tally: Counter[str] | None,
    ) -> dict[str, FloatArray]:
        shown = [self._open(id_, pixels) for _, id_ in block] if drawer.edits else None
        pictures: dict[str, Image.Image] = {}
        for each, drawn in zip(block, drawer.drawings([text for text, _ in block], n, shown), strict=True):
            if isinstance(drawn, InvalidRequest):
                refused.append(drawn)
            else:
                pictures |= dict(zip(_drawn_keys(drawer, each, n), drawn, strict=True))
        made = dict(zip(pictures, self._encoder().embed_images(list(pictures.values())), strict=True))
        self._catalog.put_features(made, self.space)
        self._count("drawings", len(made), tally)
        return made

    def _made_images(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None, tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        made = dict(zip(ids, self._encoder().embed_images([self._open(id_, pixels) for id_ in ids]), strict=True))
        self._catalog.put_features(made, self.space)
        self._count("images", len(made), tally)
        return made

    def _made_captions(
        self, ids: Sequence[str], n: int, pixels: Mapping[str, Image.Image] | None, tally: Counter[str] | None
    ) -> dict[str, str]:
        said = self._captioner().caption([self._open(id_, pixels) for id_ in ids], n)
        made = {id_: texts[0] if n == 1 else json.dumps(texts) for id_, texts in zip(ids, said, strict=True)}
        self._catalog.put_captions(made, _several(self._captioner_id(), n))
        self._count("captions", n * len(made), tally)
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


def _several(captioner: str, n: int) -> str:
    """Under which ``n`` captions are kept: what is said in several ways is no part of what is said in one."""
    return captioner if n == 1 else f"{captioner}*{n}"


def _drawn_keys(drawer: Drawer, asked: tuple[str, str], n: int) -> list[str]:
    description, reference = asked
    return [drawn_key(drawer.id, description, i, reference=reference) for i in range(n)]
