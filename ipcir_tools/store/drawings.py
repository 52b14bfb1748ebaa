"""Features of generated pictures, stored like those of real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.store.captions import Count, OpenImage
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.failure_limit import Attempts, FailureLimit
from ipcir_tools.store.made_once import Claims
from ipcir_tools.store.sound_features import sound
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.encoder import Encoder
    from ipcir_tools.models.image_generator import ImageGenerator


_BLOCK = 8
"""Descriptions whose references are opened at a time, for image generators that edit them."""

Description = tuple[str, str]
"""A description, and the id of the reference that it is drawn from."""


class Drawings:
    """Looks the features of generated pictures up in the catalog and makes those that are missing.

    Safe for many threads: what one of them draws is drawn by no other, and no lock is held meanwhile.
    """

    def __init__(
        self, catalog: Catalog, encoder: Callable[[], Encoder], space: Callable[[], str], count: Count
    ) -> None:
        self._catalog = catalog
        self._encoder = encoder
        self._space = space
        self._count = count
        self._claims = Claims()
        self.failures = FailureLimit()

    def features(
        self,
        image_generator: ImageGenerator,
        descriptions: Sequence[Description],
        n: int,
        open_image: OpenImage,
        progress: Progress | None,
        tally: Counter[str] | None,
    ) -> dict[Description, FloatArray]:
        """Features ``[n, d]`` of ``n`` pictures drawn of each description.

        Raises InvalidRequestError for the first description that cannot be drawn, after the others are stored, and
        ModelUnavailableError where the image generator fails.
        """
        wanted = {each: (each[0], each[1] if image_generator.edits else "") for each in descriptions}
        keys = {each: _keys(image_generator, each, n) for each in wanted.values()}
        every = [key for several in keys.values() for key in several]
        known = self._catalog.features(every, self._space())
        if len(known) < len(every):
            with self.failures.attempts() as attempts:
                refused: list[InvalidRequestError] = []
                wanting = [each for each, several in keys.items() if any(key not in known for key in several)]
                job = (image_generator, wanting, n, open_image, progress, tally)
                for made in self._made_once(*job, attempts, refused):
                    known |= made
                if refused and not attempts.failures:
                    raise refused[0]
        return {each: np.stack([known[key] for key in keys[drawn_as]]) for each, drawn_as in wanted.items()}

    def _made_once(
        self,
        image_generator: ImageGenerator,
        wanting: Sequence[Description],
        n: int,
        open_image: OpenImage,
        progress: Progress | None,
        tally: Counter[str] | None,
        attempts: Attempts,
        refused: list[InvalidRequestError],
    ) -> Iterator[dict[str, FloatArray]]:
        """The features of drawings by key, as they are made by this thread or others; ``refused`` collects what cannot
        be drawn."""
        encoder = self._encoder()  # loaded first: pictures must not be drawn for an encoder that fails to load
        left, total, done = {_claim_key(image_generator, each, n): each for each in wanting}, len(wanting), 0
        while left and not attempts.reached:
            with self._claims.of(left) as claimed:
                own = {key: left.pop(key) for key in claimed.own}
                known = self._catalog.features(
                    [key for each in own.values() for key in _keys(image_generator, each, n)], self._space()
                )
                yield known  # drawn since it was looked for
                missing = [
                    each for each in own.values() if any(key not in known for key in _keys(image_generator, each, n))
                ]
                for each, drawn in self._draw(image_generator, missing, n, open_image, attempts):
                    error = drawn if isinstance(drawn, InvalidRequestError) else None
                    if not isinstance(drawn, InvalidRequestError):
                        yield self._store(encoder, drawn, tally)
                    else:
                        refused.append(drawn)
                    claimed.settle([_claim_key(image_generator, each, n)], error)
                    done += 1
                    if progress:
                        progress("drawing", done, total)
                if attempts.failures:  # each was tried, or no further call is made
                    claimed.settle(claimed.own, attempts.failures[-1])
            for key, reason in claimed.waited():
                if isinstance(reason, ModelUnavailableError):
                    attempts.failed(reason, counts=False)
                elif isinstance(reason, InvalidRequestError):
                    refused.append(reason)
                if reason is not None:
                    del left[key]

    def _draw(
        self,
        image_generator: ImageGenerator,
        missing: Sequence[Description],
        n: int,
        open_image: OpenImage,
        attempts: Attempts,
    ) -> Iterator[tuple[Description, dict[str, Image.Image] | InvalidRequestError]]:
        """The pictures of each description by their keys, until the image generator fails too often."""
        for block in chunked(missing, _BLOCK):
            references = [open_image(id_) for _, id_ in block] if image_generator.edits else None
            with closing(image_generator.drawings([text for text, _ in block], n, references)) as drawings:
                for place, drawn in drawings:
                    if isinstance(drawn, ModelUnavailableError):
                        attempts.failed(drawn)
                        if attempts.reached:
                            return
                        continue
                    attempts.succeeded()
                    if isinstance(drawn, InvalidRequestError):
                        yield block[place], drawn
                    else:
                        yield block[place], dict(zip(_keys(image_generator, block[place], n), drawn, strict=True))

    def _store(
        self, encoder: Encoder, pictures: Mapping[str, Image.Image], tally: Counter[str] | None
    ) -> dict[str, FloatArray]:
        features = sound(encoder.embed_images(list(pictures.values())), len(pictures), f"The encoder {encoder.name}")
        made = dict(zip(pictures, features, strict=True))
        self._catalog.put_features(made, self._space())
        self._count("drawings", len(made), tally)
        return made


def _claim_key(image_generator: ImageGenerator, described: Description, n: int) -> str:
    return _keys(image_generator, described, n)[0]


def _keys(image_generator: ImageGenerator, described: Description, n: int) -> list[str]:
    description, reference = described
    return [drawing_key(image_generator.id, description, i, reference=reference) for i in range(n)]


def drawing_key(image_generator: str, description: str, picture: int = 0, *, seed: int = 0, reference: str = "") -> str:
    """The catalog's key of one generated picture's feature.

    ``image_generator`` is the image generator's id, ``picture`` the place among the ``n`` of a description, so that
    more of them can be added later. ``reference`` is the reference's id where the image generator edits it.
    """
    return "drawn:" + json_digest([image_generator, description, picture, seed, reference])[:16]
