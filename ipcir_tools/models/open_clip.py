"""``open_clip:...``: encoders of images and texts into unit vectors of one space.

::

    encoder = load_encoder("open_clip:ViT-B-32/laion2b_s34b_b79k")
    encoder.embed_texts(["a red dress"]) @ encoder.embed_images([image]).T

A name is one of

- ``open_clip:MODEL/PRETRAINED``: a model of open_clip and one of its weight tags;
- ``open_clip:MODEL/random``: the same architecture with random weights from a fixed seed, for measurements and tests:
  as fast as the real one, nothing is downloaded, and what it finds means nothing;
- ``open_clip:hf-hub:ORG/NAME``: an open_clip repository of the Hugging Face hub;
- ``open_clip:local-dir:PATH``: a folder with ``open_clip_config.json``, weights and, where the configuration names
  ``hf_tokenizer_name``, the tokenizer's files. Safetensors are preferred; a folder with only ``.bin`` or ``.pth``
  is read with torch's ``weights_only``, so that no pickled code runs. ``.pt`` files are not looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.models import hub
from ipcir_tools.models.devices import pick_device, pick_dtype, torch_dtype
from ipcir_tools.models.encoder import Encoder, as_array
from ipcir_tools.models.open_clip_loading import ModelSource, load_model, requirements
from ipcir_tools.models.preprocessing import Pixels
from ipcir_tools.models.pseudo_words import PseudoWords
from ipcir_tools.models.text_features import encode_text
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.downloads import Requirements
    from ipcir_tools.models.open_clip_creation import LoadedEncoder
    from ipcir_tools.settings import Settings


LOADED: hub.ModelCache[LoadedEncoder] = hub.ModelCache()

_THREADS, _THREADS_FROM = 4, 16


class OpenClipEncoder(Encoder):
    """Any model of open_clip, in eval and inference mode."""

    def __init__(self, name: str, settings: Settings) -> None:
        device = pick_device(settings.device)
        # None: a test on this machine chooses
        chosen = None if (settings.dtype, device) == ("auto", "cpu") else pick_dtype(settings.dtype, device)
        identity = self.identify(name, settings)
        self._loaded = LOADED.get(
            (identity, device, chosen), lambda: load_model(name, identity, ModelSource.parse(name), device, chosen)
        )
        super().__init__(
            name=f"open_clip:{name}",
            space=self._loaded.space,
            dim=self._loaded.dim,
            device=device,
            dtype=self._loaded.dtype,
            batch_size=settings.batch_size,
            lock=self._loaded.lock,
        )
        self.input_side = self._loaded.preprocessing.side
        self._torch_dtype = torch_dtype(self._loaded.dtype)

    @staticmethod
    def identify(name: str, settings: Settings) -> str:
        """The name, but for a folder ``open_clip:FOLDERNAME@DIGEST``."""
        source = ModelSource.parse(name)
        folder = source.kind == "local-dir"
        return f"open_clip:{hub.folder_id(source.folder, 'open_clip_config.json') if folder else name}"

    @staticmethod
    def requirements(name: str, settings: Settings) -> Requirements | None:
        """What the model needs of the hub."""
        return requirements(ModelSource.parse(name))

    def preprocess(self, image: Image.Image) -> Pixels:
        """The picture scaled and cut, ``[h, w, 3]``."""
        return self._loaded.preprocessing.pixels(crop_extreme(image))

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        if len(images) < _THREADS_FROM:
            return self._preprocessed_batch([self.preprocess(image) for image in images])
        with ThreadPoolExecutor(_THREADS) as pool:  # Pillow releases the interpreter lock
            return self._preprocessed_batch(list(pool.map(self.preprocess, images)))

    def _preprocessed_batch(self, items: Sequence[Pixels]) -> FloatArray:
        import torch

        with torch.inference_mode():
            numbers = self._loaded.preprocessing.numbers(items, self.device, self._torch_dtype)
            return as_array(self._loaded.model.encode_image(numbers))

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        import torch

        tokens = self._loaded.tokenizer(list(texts)).to(self.device)
        with torch.inference_mode():
            return as_array(encode_text(self._loaded.model, tokens))

    def words_left_out(self, text: str) -> int:
        """As :meth:`Encoder.words_left_out`: the shortest beginning with the same tokens is what the model reads."""
        words = text.split()

        def tokens(text: str) -> list[int]:
            return [int(token) for token in self._loaded.tokenizer([text])[0]]

        with self._lock:
            read = tokens(text)
            if tokens(f"{text} a") != read:
                return 0
            return len(words) - bisect_left(range(len(words)), True, key=lambda n: tokens(" ".join(words[:n])) == read)

    @cached_property
    def pseudo_words(self) -> PseudoWords:
        """The same model with vectors in place of words."""
        loaded = self._loaded
        with loaded.lock:
            return PseudoWords(loaded.model, loaded.tokenizer, self.device, loaded.lock)
