"""Features and captions, made once ever: what the catalog knows is never made again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import BadImageError, InvalidRequestError, ModelUnavailableError, NotFoundError
from ipcir_tools.images import files, reading
from ipcir_tools.settings import Settings
from ipcir_tools.store.captions import Captioning
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.drawings import _DRAWN, _drawn_keys
from ipcir_tools.store.failure_limit import FailureLimit
from ipcir_tools.text import excerpt
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.models.image_generator import ImageGenerator


_T = TypeVar("_T")
_BLOCK = 256
"""Pictures opened at a time, so that memory stays bounded."""
_TEXTS = 4_096
"""Texts encoded before they are kept: a run that is killed loses no more."""


def text_key(text: str) -> str:
    """The catalog's key of a text's feature."""
    return "text:" + _text_digest(text)


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Features:
    """Looks features and captions up in the catalog and makes those that are missing.

    ``encoder`` and ``captioner`` are called for a model only when something is missing. ``made`` counts what was
    really made: "images", "texts", "captions" and "drawings", and where a chat model captions "captioner_calls",
    "captioner_input_tokens" and "captioner_output_tokens"; a ``tally`` that is handed in counts the same for one
    caller. Safe for many threads.

    Captions and drawings are kept one by one, as they are made. One that fails leaves the others made;
    ModelUnavailableError is raised at the end, or after ``OUTAGES`` failures in a row.
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
        self._captioning = Captioning(catalog, captioner, captioner_id, self._count)
        self._lock = threading.Lock()
        self._making = {what: threading.Lock() for what in ("texts", "images", "drawings")}
        """Each held while something is made, so that two threads never make the same."""
        self._patience = {"texts": FailureLimit(), "captions": self._captioning.patience, "drawings": FailureLimit()}
        self.made: Counter[str] = Counter()

    @contextmanager
    def giving_up(self) -> Iterator[None]:
        """While it lasts, a model that failed ``OUTAGES`` times in a row is asked nothing more by anybody.

        What is known already is found as before. Without it every call tries again.
        """
        with ExitStack() as stack:
            for each in self._patience.values():
                stack.enter_context(each.lasting())
            yield

    @property
    def no_captioner(self) -> str:
        """Why the captioner cannot be had; empty while nobody found that."""
        return self._captioning.unavailable

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

    def from_network(
        self,
        source: Sequence[str],
        requests: Sequence[tuple[str, str]],
        make: Callable[[Sequence[int]], FloatArray],
        tally: Counter[str] | None = None,
    ) -> FloatArray:
        """Features ``[n, d]`` that a trained network makes of each (reference's id, modification), kept for good.

        ``source`` names the network and how it is applied; ``make`` gives the features of the requests at some
        positions.
        """
        keys = ["network:" + _text_digest(json.dumps([*source, *each])) for each in requests]
        positions = {key: position for position, key in enumerate(keys)}
        known = self._kept(positions, make, tally)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def drawn(
        self,
        image_generator: ImageGenerator,
        asked: Sequence[tuple[str, str]],
        n: int,
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[tuple[str, str], FloatArray]:
        """Features ``[n, d]`` of ``n`` pictures drawn of each (description, reference's id).

        The reference is looked at by image generators that edit it, and by no other. Raises InvalidRequestError for
        the first description that cannot be drawn, when the others are, and ModelUnavailableError where the image
        generator fails.
        """
        wanted = {each: (each[0], each[1] if image_generator.edits else "") for each in asked}
        keys = {each: _drawn_keys(image_generator, each, n) for each in wanted.values()}
        every = [key for several in keys.values() for key in several]
        known = self._catalog.features(every, self.space)
        if len(known) < len(every):
            with self._making["drawings"], self._patience["drawings"].round() as failures:
                known = self._catalog.features(every, self.space)
                missing = [each for each, several in keys.items() if any(key not in known for key in several)]
                refused: list[InvalidRequestError] = []
                encoder = self._encoder()  # loaded before anything is drawn: what is drawn must not wait for it
                for i, drawn in enumerate(self._drawings(image_generator, missing, n, pixels, failures), start=1):
                    if isinstance(drawn, InvalidRequestError):
                        refused.append(drawn)
                    else:
                        known |= self._kept_drawings(encoder, drawn, tally)
                    if progress:
                        progress("drawing", i, len(missing))
                if refused and not failures:
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
        return self._captioning.several(ids, n, lambda id_: self._open(id_, pixels), progress, tally)

    def known_captions(self, ids: Sequence[str]) -> dict[str, str]:
        """The captions that are there already; none is made."""
        return self._captioning.known(ids)

    def _kept(
        self, wanted: Mapping[str, _T], make: Callable[[list[_T]], FloatArray], tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        """Features of texts by key; those that are missing are made of their items."""
        known = self._catalog.features(wanted, self.space)
        if len(known) < len(wanted):
            with self._making["texts"], self._patience["texts"].round():
                known = self._catalog.features(wanted, self.space)
                for keys in chunked([key for key in wanted if key not in known], _TEXTS):
                    made = dict(zip(keys, make([wanted[key] for key in keys]), strict=True))
                    self._catalog.put_features(made, self.space)
                    self._count("texts", len(made), tally)
                    self._patience["texts"].answered()
                    known |= made
        return known

    def _drawings(
        self,
        image_generator: ImageGenerator,
        missing: Sequence[tuple[str, str]],
        n: int,
        pixels: Mapping[str, Image.Image] | None,
        failures: list[ModelUnavailableError],
    ) -> Iterator[dict[str, Image.Image] | InvalidRequestError]:
        """The pictures of each description by their keys, as they are drawn, until the image generator fails too often.
        The pictures of each description by their keys, as they are drawn, until the image generator fails too often."""
        patience = self._patience["drawings"]
        for block in chunked(missing, _DRAWN):
            shown = [self._open(id_, pixels) for _, id_ in block] if image_generator.edits else None
            with closing(image_generator.drawings([text for text, _ in block], n, shown)) as drawings:
                for place, drawn in drawings:
                    if isinstance(drawn, ModelUnavailableError):
                        failures.append(drawn)
                        patience.failed(drawn)
                        if patience.over:
                            return
                        continue
                    patience.answered()
                    if isinstance(drawn, InvalidRequestError):
                        yield drawn
                    else:
                        yield dict(zip(_drawn_keys(image_generator, block[place], n), drawn, strict=True))

    def _kept_drawings(
        self, encoder: Encoder, pictures: Mapping[str, Image.Image], tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        made = dict(zip(pictures, encoder.embed_images(list(pictures.values())), strict=True))
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

    def _open(self, id_: str, pixels: Mapping[str, Image.Image] | None) -> Image.Image:
        if pixels and id_ in pixels:
            return pixels[id_]
        record = self._catalog.records([id_]).get(id_)
        if record is None:
            raise NotFoundError(f"No picture has the id {id_!r}.")
        # an agent may read this: the file's name is enough, its folder is nobody's business
        gone = f"The picture {id_} ({excerpt(PurePath(record.source).name)}) cannot be opened again"
        mend = "put the file back, or run `ipcir index` on its folder and search with another picture"
        try:
            loaded = reading.load(files.text_path(record.source), self._settings)
        except (BadImageError, NotFoundError) as error:
            why = error if isinstance(error, BadImageError) else "its file is not there any more"
            raise NotFoundError(f"{gone} ({why}): {mend}.") from error
        if loaded.record.id != id_:  # else another picture's caption would be kept under this id, or shown to an agent
            raise NotFoundError(f"{gone} (the file holds something else now): {mend}.")
        return loaded.pixels

    def _count(self, what: str, n: int, tally: Counter[str] | None) -> None:
        with self._lock:
            self.made[what] += n
            if tally is not None:
                tally[what] += n
