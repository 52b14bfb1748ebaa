"""Verification of candidates by the captioner: how likely a description is, given each image.

The vision features of an image cost most, so they stay in memory: the hits of one turn are mostly those of the next.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from ipcir_tools.batches import chunked
from ipcir_tools.engine.verifier_cost import VerifierCost, measure_cost, read_cost
from ipcir_tools.models.captioner import VisionFeatures, no_likelihoods
from ipcir_tools.models.devices import pick_device, pick_dtype
from ipcir_tools.models.loading import captioner_factory, is_local_captioner
from ipcir_tools.once import Once

if TYPE_CHECKING:
    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.presets import ModelNames
    from ipcir_tools.settings import Settings
    from ipcir_tools.store.catalog import Catalog


KEPT_BYTES = 256 * 2**20
"""Vision features that are kept in memory at most: those of about 290 images with BLIP-base, 0.9 MB each."""
BLOCK = 64
"""Images opened at a time."""

Pair = tuple[str, str]
"""The id of an image, and a text."""


class VerifierModels(Protocol):
    """What a verifier needs of the components."""

    @property
    def settings(self) -> Settings:
        """Device and precision."""

    @property
    def catalog(self) -> Catalog:
        """Where the measured cost is kept."""

    @property
    def models(self) -> ModelNames:
        """The captioner's name."""

    @property
    def captioner(self) -> Captioner:
        """The captioner, loaded at the first access. Raises ModelUnavailableError."""

    @property
    def captioner_id(self) -> str:
        """Its identity, known without loading it."""

    @property
    def loaded_captioner(self) -> Captioner | None:
        """The captioner where it is loaded already."""

    def load_image(self, pixels: Mapping[str, Image.Image], id: str) -> Image.Image | str:
        """An image, or the reason why it is not available."""


class KeptFeatures:
    """Vision features by image in half precision, the last used ones up to a number of bytes. Safe for many threads."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self._most, self._size, self._lock = most, 0, threading.Lock()
        self._kept: OrderedDict[str, VisionFeatures] = OrderedDict()

    def get(self, ids: Sequence[str]) -> dict[str, VisionFeatures]:
        """The features that are kept of ``ids``."""
        with self._lock:
            found = {id_: self._kept[id_] for id_ in ids if id_ in self._kept}
            for id_ in found:
                self._kept.move_to_end(id_)
            return found

    def put(self, features: Mapping[str, VisionFeatures]) -> None:
        """Keep more; what was not used for longest is dropped."""
        with self._lock:
            for id_, each in features.items():
                self._size += each.nbytes - (self._kept.pop(id_).nbytes if id_ in self._kept else 0)
                self._kept[id_] = each
            while self._size > self._most:
                self._size -= self._kept.popitem(last=False)[1].nbytes

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._size


class Verifier:
    """Scores texts under images by the captioner's likelihood. Safe for many threads.

    ``images_encoded`` counts the images whose vision features were made.
    """

    def __init__(self, models: VerifierModels, kept: KeptFeatures | None = None) -> None:
        self._models, self._kept = models, kept or KeptFeatures()
        self._measuring = Once[VerifierCost]()
        self._unavailable = False
        self._cost: VerifierCost | None = None
        self.images_encoded = 0

    def require(self) -> None:
        """Raises InvalidRequestError where the captioner gives no likelihoods, without loading it if possible."""
        if not self._gives_likelihoods():
            raise no_likelihoods(self._models.captioner_id)

    def log_likelihoods(
        self, pairs: Sequence[Pair], pixels: Mapping[str, Image.Image] | None = None
    ) -> list[float | None]:
        """How likely each text is, given the image beside it, in nats; None where the image cannot be opened, or the
        captioner gives no number.

        Every image is encoded once, for all pairs that it is in, and all pairs of a block of images are scored
        together. ``pixels`` holds images that are open already, by id. Raises ModelUnavailableError, and
        InvalidRequestError for a captioner without likelihoods.
        """
        self.require()
        scores: list[float | None] = [None] * len(pairs)
        places: dict[str, list[int]] = {}
        for place, (id_, _) in enumerate(pairs):
            places.setdefault(id_, []).append(place)
        for ids, features in self._feature_blocks(list(places), pixels or {}):
            block = [(place, features[id_]) for id_ in ids if id_ in features for place in places[id_]]
            given, texts = [each for _, each in block], [pairs[place][1] for place, _ in block]
            found = self._models.captioner.pair_log_likelihood(given, texts) if block else np.zeros(0, np.float32)
            for (place, _), score in zip(block, found.tolist(), strict=True):
                scores[place] = score if math.isfinite(score) else None
        return scores

    def _feature_blocks(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image]
    ) -> Iterator[tuple[Sequence[str], dict[str, VisionFeatures]]]:
        """Vision features block by block; those of images that cannot be opened are missing.

        The images of the next block are opened while one is encoded.
        """
        blocks = list(chunked(ids, BLOCK))
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(self._open, blocks[0], pixels) if blocks else None
            for block, later in zip_longest(blocks, blocks[1:]):
                assert opening is not None
                known, images = opening.result()
                opening = pool.submit(self._open, later, pixels) if later else None
                yield block, known | self._encoded(images)

    def _open(
        self, ids: Sequence[str], pixels: Mapping[str, Image.Image]
    ) -> tuple[dict[str, VisionFeatures], dict[str, Image.Image]]:
        """The features that are kept, and the images of the others, by id."""
        known = self._kept.get(ids)
        opened = {id_: self._models.load_image(pixels, id_) for id_ in ids if id_ not in known}
        return known, {id_: image for id_, image in opened.items() if not isinstance(image, str)}

    def _encoded(self, images: Mapping[str, Image.Image]) -> dict[str, VisionFeatures]:
        """The features of images by id, made and kept."""
        made = self._models.captioner.encode_images(list(images.values())) if images else []
        halves = {id_: _halved(each) for id_, each in zip(images, made, strict=True)}
        self.images_encoded += len(halves)
        self._kept.put(halves)
        return halves

    # --- what it costs

    def auto_amount(self) -> int:
        """How many hits ``verify=auto`` verifies; 0 where that is too slow, or no captioner is at hand.

        The first time it measures, if the captioner is loaded or its files are on this machine: nothing is downloaded
        for it. Nothing that the captioner raises is raised here, and a captioner that failed is tried no second time.
        """
        if self._unavailable:
            return 0
        try:
            if not self._gives_likelihoods(load=False):
                return 0
            measurable = self._models.loaded_captioner is not None or is_local_captioner(self._models.models.captioner)
            cost = self._known_cost() or (self.cost() if measurable and self._gives_likelihoods() else None)
        except Exception:  # noqa: BLE001 - a captioner may raise anything, and auto must not fail a search
            self.set_unavailable()
            return 0
        return cost.amount if cost else 0

    def set_unavailable(self) -> None:
        """``auto`` is off from now on: the captioner is not available."""
        self._unavailable = True

    def cost(self, *, again: bool = False) -> VerifierCost:
        """The measured cost, kept in the catalog for each captioner, device and precision; ``again`` measures anew.

        Raises ModelUnavailableError, and InvalidRequestError for a captioner without likelihoods.
        """
        self.require()
        return self._measuring.get(again, lambda: self._measured(again=again))

    def _measured(self, *, again: bool) -> VerifierCost:
        known = None if again else self._known_cost()
        if known is None:
            known = self._cost = measure_cost(self._models.captioner, self._sample)
            self._models.catalog.set_note(self._note, known.dump())
        return known

    def _known_cost(self) -> VerifierCost | None:
        if self._cost is None:
            self._cost = read_cost(self._models.catalog.note(self._note))
        return self._cost

    @property
    def _note(self) -> str:
        settings = self._models.settings
        device = pick_device(settings.device)
        return f"verifier-cost {self._models.captioner_id} {device} {pick_dtype(settings.dtype, device)}"

    def _sample(self, n: int) -> list[Image.Image]:
        """A few images of the gallery, opened; drawn ones where it has none."""
        ids = self._models.catalog.sample_ids(n)
        images = [image for id_ in ids if not isinstance(image := self._models.load_image({}, id_), str)]
        return images or [Image.new("RGB", (640, 480), "grey")] * n

    def _gives_likelihoods(self, *, load: bool = True) -> bool:
        """Whether the captioner gives likelihoods; without ``load``, as far as is known without loading it."""
        known = self._models.loaded_captioner or captioner_factory(self._models.models.captioner)
        gives: bool | None = getattr(known, "gives_likelihoods", None)
        if gives is None and load:
            return self._models.captioner.gives_likelihoods
        return gives is not False


def _halved(features: VisionFeatures) -> VisionFeatures:
    """The features in half precision, where their values allow it."""
    return features.astype(np.float16) if np.abs(features).max(initial=0) < np.finfo(np.float16).max else features
