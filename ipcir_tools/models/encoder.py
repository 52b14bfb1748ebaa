"""The encoder's interface: images and texts in, unit vectors of one space out."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ipcir_tools.batches import chunked
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.images.pixels import WHOLE, crop_extreme
from ipcir_tools.models.pseudo_words import PseudoWords
from ipcir_tools.models.text_batches import TextBatches
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch
    from PIL import Image


Item = TypeVar("Item")

Preprocessed = Any
"""One picture as an encoder wants it: its :meth:`Encoder.preprocess` makes it, its ``embed_preprocessed`` takes it."""


class Encoder(ABC):
    """Embeds images and texts. A subclass writes one batch of each; batching, normalisation and checks are here.

    ``space`` identifies everything that decides whether two features compare: the weights, the dimension and the
    preprocessing. The number type is not part of it: bfloat16 features compare with float32 ones. Safe to share
    among threads: one batch runs at a time.

    ``embed_images`` does all of it. Where many pictures are encoded, worker threads ``preprocess`` each of them and one
    thread gives them to ``embed_preprocessed``. A subclass may divide its work so, by ``preprocess`` and
    ``_preprocessed_batch``; one that does not does all of it in ``_image_batch``.
    """

    input_side: int | None = None
    """The longer side in pixels of what the model sees: a large picture is reduced to no shorter side below four times
    that or 1,024 pixels, as ``images.pixels.whole_factor`` says. None: not known, and nothing is reduced."""

    def __init__(
        self,
        *,
        name: str,
        space: str,
        dim: int,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int = 64,
        lock: threading.RLock | None = None,
    ) -> None:
        self.name = name
        self.space = space
        self.dim = dim
        self.device = device
        self.dtype = dtype
        self.batch_size = batch_size
        self._lock = lock or threading.RLock()
        self._text_batches = TextBatches(self._unit_texts, self._lock, lambda: self.batch_size)

    @property
    def picture_side(self) -> int:
        """For which ``side`` the pictures are to be decoded that it is given."""
        return self.input_side or WHOLE

    @abstractmethod
    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        """Features ``[b, dim]`` of 1 to ``batch_size`` RGB images, of any norm."""

    def preprocess(self, image: Image.Image) -> Preprocessed:
        """What the model needs of one picture. Safe to call in many threads at a time, with no lock held."""
        return crop_extreme(image)

    def embed_preprocessed(self, items: Sequence[Preprocessed]) -> FloatArray:
        """Features ``[n, dim]`` float32, unit norm, of what ``preprocess`` gave, as :meth:`embed_images`."""
        return self._in_batches(items, self._preprocessed_batch)

    def _preprocessed_batch(self, items: Sequence[Preprocessed]) -> FloatArray:
        """Features ``[b, dim]`` of 1 to ``batch_size`` preprocessed pictures, of any norm."""
        return self._image_batch(items)

    @abstractmethod
    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        """Features ``[b, dim]`` of 1 to ``batch_size`` texts, of any norm."""

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Features ``[n, dim]`` float32, unit norm, in the order of ``images``; n may be 0.

        Raises ``ModelUnavailableError`` where the model gives zero, infinite or undefined features.
        """
        return self._in_batches(images, lambda batch: self._image_batch([crop_extreme(image) for image in batch]))

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Features ``[n, dim]`` float32, unit norm, in the order of ``texts``; n may be 0.

        Texts beyond the model's context (77 tokens for CLIP) are cut by its tokenizer: :meth:`words_left_out`. Callers
        that wait for each other share batches; an error is raised only to those whose own texts raise it.
        """
        batches = [self._text_batches.features(batch) for batch in chunked(texts, self.batch_size)]
        return np.concatenate([np.zeros((0, self.dim), np.float32), *batches])

    def _unit_texts(self, texts: Sequence[str]) -> FloatArray:
        return self._unit(self._text_batch(texts), len(texts))

    def words_left_out(self, text: str) -> int:
        """How many words at the end of a text are beyond the model's context; 0 for a model without a limit."""
        return 0

    @property
    def pseudo_words(self) -> PseudoWords:
        """The model with vectors in place of words. Raises ``InvalidRequestError`` where the encoder supports none."""
        raise InvalidRequestError(
            f"{self.name} supports no pseudo words: choose an encoder of open_clip (open_clip:MODEL/PRETRAINED)."
        )

    @property
    def token_dim(self) -> int:
        """The width of a word's vector. Raises as :attr:`pseudo_words`."""
        return self.pseudo_words.dim

    def embed_pseudo(self, templates: str | Sequence[str], words: FloatArray) -> FloatArray:
        """Features ``[n, dim]`` float32, unit norm, of sentences in which ``words`` ``[n, token_dim]`` take a place.

        The first ``*`` of a template, such as "a photo of *, in blue", is the word's place; one template is for all, or
        there is one for each. Raises ``InvalidRequestError`` for an encoder that supports no such words, for a template
        without its ``*`` or with it behind the end of the context, and for words of another width or number.
        """
        import torch

        pseudo = self.pseudo_words
        each = [templates] * len(words) if isinstance(templates, str) else list(templates)
        if words.shape != (len(each), pseudo.dim):
            raise InvalidRequestError(f"{len(each)} templates need words {(len(each), pseudo.dim)}, not {words.shape}.")

        def features(batch: Sequence[tuple[str, FloatArray]]) -> FloatArray:
            placed = torch.from_numpy(np.stack([word for _, word in batch])).to(self.device)
            with torch.inference_mode():
                return as_array(pseudo.features([template for template, _ in batch], placed))

        return self._in_batches(list(zip(each, words, strict=True)), features)

    def _in_batches(self, items: Sequence[Item], embed: Callable[[Sequence[Item]], FloatArray]) -> FloatArray:
        parts = [np.zeros((0, self.dim), dtype=np.float32)]
        for start in range(0, len(items), self.batch_size):
            batch = items[start : start + self.batch_size]
            with self._lock:
                features = embed(batch)
            parts.append(self._unit(features, len(batch)))
        return np.concatenate(parts)

    def _unit(self, features: FloatArray, n: int) -> FloatArray:
        try:
            wide = np.asarray(features, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:  # encoders of other packages give anything
            raise ModelUnavailableError(f"{self.name} gave no numbers, but a {type(features).__name__}.") from error
        if wide.shape != (n, self.dim):
            raise ModelUnavailableError(f"{self.name} gave features {wide.shape} in place of {(n, self.dim)}.")
        norms = np.linalg.norm(wide, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            way = "" if self.dtype == "float32" else ": try dtype float32"
            raise ModelUnavailableError(f"{self.name} gave numbers that are no feature in {self.dtype}{way}.")
        return np.asarray(wide / norms, dtype=np.float32)


def as_array(features: torch.Tensor) -> FloatArray:
    """The tensor as a float32 array on the CPU, of the same shape."""
    return np.asarray(features.float().cpu().numpy(), dtype=np.float32)
