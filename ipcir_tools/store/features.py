"""Features and captions, made once: what the catalog has is never made again."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import BadImageError, EmptyGalleryError, NotFoundError
from ipcir_tools.images import files, reading
from ipcir_tools.settings import Settings
from ipcir_tools.store.caption_lookup import CaptionLookup
from ipcir_tools.store.captions import Captioning
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.drawings import Description, Drawings
from ipcir_tools.store.failure_limit import FailureLimit
from ipcir_tools.store.made_once import Claims, HeldFeatures
from ipcir_tools.store.sound_features import sound
from ipcir_tools.text import excerpt, json_digest
from ipcir_tools.types import FloatArray, Lookup

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.models.image_generator import ImageGenerator


T = TypeVar("T")
_BLOCK = 256
"""Pictures opened at a time, so that memory stays bounded."""
_LONG = 40
"""Words and marks of a text that may be beyond an encoder's context; CLIP reads 75 tokens."""
_HELD = 4_096
"""Features held in memory: 8 MB of 512 numbers each."""
_TEXTS = 1_024
"""Texts encoded before they are stored: a run that is killed loses no more."""


_TEXT = "text:"


def text_key(text: str) -> str:
    """The catalog's key of a text's feature."""
    return _TEXT + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_text_key(handle: str) -> bool:
    """Whether a handle can only be that of a text's feature."""
    return handle.startswith(_TEXT)


class Features:
    """Looks features and captions up in the catalog and makes those that are missing.

    ``encoder`` and ``captioner`` are called for a model only when something is missing. ``made`` counts what was
    made: "images", "texts", "captions" and "drawings", and for a chat model that captions "captioner_calls",
    "captioner_input_tokens" and "captioner_output_tokens"; the ``tally`` of a call counts the same for its caller.
    Safe for many threads.

    Captions and drawings are stored one by one, as they are made. One that fails leaves the others stored;
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
        self._captioner_id = captioner_id
        self._caption_lookup = CaptionLookup(self.known_captions, self.texts)
        self._captioning = Captioning(catalog, captioner, captioner_id, self._count)
        self._drawings = Drawings(catalog, encoder, lambda: self.space, self._count)
        self._failures = FailureLimit()
        self._lock = threading.Lock()
        self._claims, self._held = Claims(), HeldFeatures(_HELD)
        self.made: Counter[str] = Counter()

    @contextmanager
    def shared_failures(self) -> Iterator[None]:
        """Within the block, a model that failed ``OUTAGES`` times in a row is not called again.

        What is stored already is found as before. Outside of such a block every call tries again.
        """
        with ExitStack() as stack:
            for limit in (self._failures, self._captioning.failures, self._drawings.failures):
                stack.enter_context(limit.shared())
            yield

    @property
    def captioner_error(self) -> str:
        """Why the captioner is not available; empty until it failed to load."""
        return self._captioning.error

    @property
    def space(self) -> str:
        """The gallery's space; the encoder's where the gallery has none yet."""
        return self._catalog.space() or self._encoder().space

    def sample(self, n: int) -> list[str]:
        """Ids of up to ``n`` pictures of the gallery, the same until it changes."""
        return self._catalog.sample_ids(n)

    def revision(self) -> str:
        """What the gallery holds, as a text that changes with it."""
        return str(self._catalog.revision())

    def texts(self, texts: Sequence[str], tally: Counter[str] | None = None) -> FloatArray:
        """Features ``[n, d]`` of texts, unit norm."""
        keys = [text_key(text) for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        known = self._stored(wanted, lambda missing: self._encoder().embed_texts(missing), tally)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def stored(self, items: Sequence[str]) -> dict[str, FloatArray]:
        """The features ``[d]`` that are stored of pictures' ids and texts' keys, by item; none is made."""
        known = self._held.get(items)
        read = self._catalog.features([item for item in items if item not in known], self.space)
        self._held.put(read)
        return known | read

    def words_left_out(self, text: str) -> int:
        """How many words at the end of a text the encoder does not read. It is asked only about long texts."""
        if text.isascii() and len(text) < _LONG:
            return 0
        rare = 0 if text.isascii() else sum(not char.isascii() for char in text)
        pieces = len(re.findall(r"\w+|[^\w\s]", text)) + rare
        return self._encoder().words_left_out(text) if pieces >= _LONG or len(text) >= 8 * _LONG else 0

    def from_network(
        self,
        source: Sequence[str],
        requests: Sequence[tuple[str, str]],
        make: Callable[[Sequence[int]], FloatArray],
        tally: Counter[str] | None = None,
    ) -> FloatArray:
        """Features ``[n, d]`` that a trained network makes of each (reference's id, modification).

        ``source`` names the network and how it is applied; ``make`` gives the features of the requests at some
        positions.
        """
        keys = ["network:" + json_digest([*source, *each])[:16] for each in requests]
        positions = {key: position for position, key in enumerate(keys)}
        known = self._stored(positions, make, tally)
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def drawn(
        self,
        image_generator: ImageGenerator,
        descriptions: Sequence[Description],
        n: int,
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[Description, FloatArray]:
        """Features ``[n, d]`` of ``n`` pictures drawn of each (description, reference's id).

        Only an image generator that edits opens the reference. Raises InvalidRequestError for the first description
        that cannot be drawn, after the others are stored, and ModelUnavailableError where the image generator fails.
        """
        open_image = partial(self._open, pixels=pixels)
        return self._drawings.features(image_generator, descriptions, n, open_image, progress, tally)

    def images(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None = None, tally: Counter[str] | None = None
    ) -> dict[str, FloatArray]:
        """Features ``[d]`` of pictures by id, unit norm. ``pixels`` holds pictures that are already open."""

        return self._made_once(ids, lambda some: self._encode_images(some, pixels, tally), "images", _BLOCK, tally)

    def _encode_images(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image] | None, tally: Counter[str] | None
    ) -> FloatArray:
        """The features ``[n, d]`` of pictures that have none; what is made besides is counted in ``tally``."""
        encoder = self._encoder()
        return encoder.embed_images([self._open(id_, pixels, encoder.picture_side) for id_ in ids])

    def captions(
        self,
        ids: Sequence[str],
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[str, str]:
        """One caption a picture, by id."""
        return {id_: texts[0] for id_, texts in self.several_captions(ids, 1, pixels, progress, tally).items()}

    def several_captions(
        self,
        ids: Sequence[str],
        n: int,
        pixels: Mapping[str, Image.Image] | None = None,
        progress: Progress | None = None,
        tally: Counter[str] | None = None,
    ) -> dict[str, tuple[str, ...]]:
        """``n`` captions a picture, by id, the best first; they may repeat. Each ``n`` is stored apart."""
        return self._captioning.several(ids, n, partial(self._open, pixels=pixels), progress, tally)

    def caption_each(self, ids: Sequence[str], tally: Counter[str] | None = None) -> dict[str, str]:
        """Caption the pictures that have no caption; by id, why some have none still. See :class:`CaptionRun`."""
        with self.captioning.run(Counter() if tally is None else tally) as run:
            known = self.known_captions(ids)
            for block in chunked([id_ for id_ in dict.fromkeys(ids) if id_ not in known], _BLOCK):
                run.open_and_caption(block, self.open_image)
            return run.failed

    @property
    def captioning(self) -> Captioning:
        """How captions are made."""
        return self._captioning

    def open_image(self, id: str) -> Image.Image:
        """A picture of the catalog. Raises NotFoundError where its file is not there or holds another one."""
        return self._open(id, None)

    @property
    def gallery_captions(self) -> Lookup:
        """The features of the captions of pictures, by id; only of captions that are stored."""
        return self._caption_lookup

    def require_gallery_captions(self, composer: str) -> None:
        """Raises EmptyGalleryError where fewer than half of the gallery's pictures have captions."""
        pictures, captioned = self._catalog.size(), self._catalog.count_captioned(self._captioner_id())
        if 2 * captioned < pictures:
            raise EmptyGalleryError(
                f"{composer} scores pictures by their captions, and {captioned:,} of the gallery's {pictures:,} "
                "pictures have one: run `ipcir index --captions FOLDER`, or set IPCIR_CAPTIONS=1 for an evaluation."
            )

    def first_captions(self, n: int) -> dict[str, str]:
        """The captions of the first ``n`` pictures of the gallery, by id, that have one, in the order of their ids."""
        return self._catalog.first_captions(n, self._captioner_id())

    def known_captions(self, ids: Sequence[str]) -> dict[str, str]:
        """The stored captions; none is made."""
        return self._captioning.known(ids)

    def _stored(
        self, wanted: Mapping[str, T], make: Callable[[list[T]], FloatArray], tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        """Features by key, those that are missing made of the wanted items."""

        def make_and_count(keys: list[str]) -> FloatArray:
            with self._failures.attempts() as attempts:
                features = make([wanted[key] for key in keys])
                attempts.succeeded()
                return features

        return self._made_once(list(wanted), make_and_count, "texts", _TEXTS, tally)

    def _made_once(
        self,
        keys: Sequence[str],
        make: Callable[[list[str]], FloatArray],
        what: str,
        block: int,
        tally: Counter[str] | None,
    ) -> dict[str, FloatArray]:
        """Features by key: held in memory, stored, or made ``block`` by block and stored.

        What another thread is making just now is waited for. Where that fails it is made here, so that an error is
        raised only to whom it concerns.
        """
        known = self.stored(keys)
        while missing := [key for key in dict.fromkeys(keys) if key not in known]:
            with self._claims.of(missing) as claimed:
                known |= self._held.get(claimed.own)  # it may have been made since it was looked for
                for some in chunked([key for key in claimed.own if key not in known], block):
                    made = dict(zip(some, sound(make(some), len(some), "The model"), strict=True))
                    self._catalog.put_features(made, self.space)
                    self._held.put(made)
                    self._count(what, len(made), tally)
                    known |= made
                    claimed.settle(made)
            for _ in claimed.waited():
                pass
            known |= self._held.get([key for key in missing if key not in known])
        return known

    def _open(self, id_: str, pixels: Mapping[str, Image.Image] | None, side: int | None = None) -> Image.Image:
        if pixels and id_ in pixels:
            return pixels[id_]
        record = self._catalog.records([id_]).get(id_)
        if record is None:
            raise NotFoundError(f"No picture has the id {id_!r}.")
        # an agent may read this, so the file's folder is left out
        gone = f"The picture {id_} ({excerpt(PurePath(record.source).name)}) cannot be opened again"
        fix = "put the file back, or run `ipcir index` on its folder and search with another picture"
        try:
            loaded = reading.load(files.text_path(record.source), self._settings, side=side)
        except (BadImageError, NotFoundError) as error:
            why = error if isinstance(error, BadImageError) else "its file is not there any more"
            raise NotFoundError(f"{gone} ({why}): {fix}.") from error
        if (
            loaded.record.id != id_
        ):  # else another picture's caption would be stored under this id, or shown to an agent
            raise NotFoundError(f"{gone} (the file has changed): {fix}.")
        return loaded.pixels

    def _count(self, what: str, n: int, tally: Counter[str] | None) -> None:
        with self._lock:
            self.made[what] += n
            if tally is not None:
                tally[what] += n
