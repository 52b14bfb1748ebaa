"""The captioner's interface: images in, short English captions out."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.text import one_line
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image


WAYS_OUT = (
    "Download it where there is a network (ipcir models --get), or use --captioner transformers:FOLDER; "
    "or use --models demo, which needs no download."
)

MAX_CHARS = 400
EMPTY = "a picture"
"""In place of an empty caption: later steps need some text, and this one is never false."""


class NoCaptionError(ModelUnavailableError):
    """A captioner answered, but not with a caption; it may have one of the next picture."""


VisionFeatures = NDArray[np.floating[Any]]
"""What texts are scored against: ``[l, d]`` for one image, float32 as made, or float16 where it is kept."""

CaptionBatch = list[tuple[int, list[str] | ModelUnavailableError]]
"""Captions that were made together: the index of an image with its captions, or the error in their place."""


class Captioner(ABC):
    """Captions images. Safe to share among threads.

    ``id`` identifies all that decides the captions: the weights and the settings of the generation. ``spent`` counts
    the cost of a chat model, "calls", "input_tokens" and "output_tokens", as :meth:`spend` was told; it stays empty for
    a local model.
    """

    gives_likelihoods: ClassVar[bool] = False
    """Whether it can say how likely a text is, given an image: see :meth:`log_likelihood`."""

    def __init__(self, *, id: str, device: str = "cpu", dtype: str = "float32", batch_size: int = 16) -> None:
        self.id = id
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size
        self.spent: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._tallies = threading.local()

    @contextmanager
    def spending(self) -> Iterator[Counter[str]]:
        """What is spent within the block by this thread alone, as in ``spent``."""
        outer: tuple[Counter[str], ...] = getattr(self._tallies, "open", ())
        tally = Counter[str]()
        self._tallies.open = (*outer, tally)
        try:
            yield tally
        finally:
            self._tallies.open = outer

    def spend(self, what: str, n: int) -> None:
        """Count a cost, in the thread that takes the captions, so that callers at the same time pay for their own."""
        with self._counting:
            self.spent[what] += n
        for tally in getattr(self._tallies, "open", ()):
            tally[what] += n

    @abstractmethod
    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[CaptionBatch]:
        """The captions of :meth:`caption` as soon as they are made, so that a caller can store them at once.

        The ``n`` captions of an image need not come together. A call that failed gives its error in place of its
        caption, and the others go on; when the caller stops iterating, no more are made.
        """

    def caption(self, images: Sequence[Image.Image], n: int = 1) -> list[list[str]]:
        """``n`` clean captions of each image, the best first; they may repeat.

        Clean: one line, no white space around, at most ``MAX_CHARS`` characters, never empty. The same images give
        the same captions, except with chat models.

        Raises ``InvalidRequestError`` for n < 1 and ``ModelUnavailableError``.
        """
        if n < 1:
            raise InvalidRequestError(f"n must be at least 1, not {n}.")
        captions: list[list[str]] = [[] for _ in images]
        for batch in self.captions(images, n):
            for index, made in batch:
                if isinstance(made, ModelUnavailableError):
                    raise made
                captions[index] += made
        return captions

    def encode_images(self, images: Sequence[Image.Image]) -> list[VisionFeatures]:
        """What texts are scored against, ``[l, d]`` float32 for each image: the expensive part, worth keeping.

        Raises InvalidRequestError for a captioner without likelihoods, and so do the two methods below.
        """
        raise no_likelihoods(self.id)

    def pair_log_likelihood(self, features: Sequence[VisionFeatures], texts: Sequence[str]) -> FloatArray:
        """``[p]`` float32, in nats: how likely each text is, given the image whose ``features`` are in its place.

        The sum of the log-probabilities of the text's tokens and of the end that follows them, by teacher forcing. A
        text longer than the model takes loses its last words. Batches and padding change nothing beyond rounding.
        """
        raise no_likelihoods(self.id)

    def log_likelihood(self, images: Sequence[Image.Image], texts: Sequence[str]) -> FloatArray:
        """``[n, m]`` float32, in nats: how likely each text is, given each image; see :meth:`pair_log_likelihood`.

        Images are to be compared under one text, down a column: how likely the text is on its own, P(text), is the
        same for all of them. VisualGPTScore (Lin et al., arXiv 2306.01879) takes it out to compare texts for an image.
        """
        if not self.gives_likelihoods:
            raise no_likelihoods(self.id)
        rows = [np.zeros((0, len(texts)), np.float32)]
        for start in range(0, len(images), self.batch_size):
            features = self.encode_images(images[start : start + self.batch_size])
            pairs = [each for each in features for _ in texts]
            rows.append(self.pair_log_likelihood(pairs, list(texts) * len(features)).reshape(len(features), len(texts)))
        return np.concatenate(rows)


class BatchCaptioner(Captioner):
    """A captioner that takes many images at a time. A subclass writes one batch; one batch runs at a time."""

    def __init__(self, *, lock: threading.Lock | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._lock = lock or threading.Lock()

    @abstractmethod
    def _caption_batch(self, images: Sequence[Image.Image], n: int) -> list[list[str]]:
        """``n`` raw captions for each of 1 to ``batch_size`` RGB images, the best first."""

    def captions(self, images: Sequence[Image.Image], n: int = 1) -> Generator[CaptionBatch]:
        """The captions, one batch after the other."""
        for start in range(0, len(images), self.batch_size):
            batch = [crop_extreme(image) for image in images[start : start + self.batch_size]]
            with self._lock:
                raw = self._caption_batch(batch, n)
            yield [(start + i, [clean(text) for text in texts]) for i, texts in enumerate(raw)]


def no_likelihoods(id: str) -> InvalidRequestError:
    """The error of a captioner without likelihoods."""
    return InvalidRequestError(
        f"The captioner {id} gives no likelihoods, so that hits cannot be verified by it: "
        "use --verify off, or a local captioner such as --captioner transformers:Salesforce/blip-image-captioning-base."
    )


def clean(text: str) -> str:
    """``text`` on one line, cut at ``MAX_CHARS``; ``EMPTY`` where nothing is left."""
    return one_line(text)[:MAX_CHARS].strip() or EMPTY
