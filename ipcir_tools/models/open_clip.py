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
from ipcir_tools.models import hub, light_text
from ipcir_tools.models.devices import pick_device, pick_dtype
from ipcir_tools.models.encoder import Encoder, as_array
from ipcir_tools.models.open_clip_loading import ModelSource, load_model, requirements
from ipcir_tools.models.preprocessing import Pixels
from ipcir_tools.models.pseudo_words import PseudoWords
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
        self._name, self._settings = name, settings
        self._identity = self.identify(name, settings)
        self._found: LoadedEncoder | None = None
        if settings.device not in ("auto", "cpu"):
            pick_device(settings.device)  # a device that is not there is refused at once
        self._light = light_text.known(self._identity)
        known = self._light or self._loaded
        super().__init__(
            name=f"open_clip:{name}",
            space=known.space,
            dim=known.dim,
            device=self._found_device if self._found else "cpu",
            dtype=self._found.dtype if self._found else "float32",
            batch_size=settings.batch_size,
        )
        self.input_side = self._light.side if self._light else self._loaded.preprocessing.side

    @property
    def _loaded(self) -> LoadedEncoder:
        """The model, loaded when it is first needed: a few texts do without, see ``light_text``."""
        if self._found is None:
            device = self._found_device = pick_device(self._settings.device)
            # None: a test on this machine chooses
            auto = (self._settings.dtype, device) == ("auto", "cpu")
            dtype = None if auto else pick_dtype(self._settings.dtype, device)
            name, identity = self._name, self._identity
            found = LOADED.get(
                (identity, device, dtype), lambda: load_model(name, identity, ModelSource.parse(name), device, dtype)
            )
            self.device, self.dtype, self._found = device, found.dtype, found
        return self._found

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

        loaded = self._loaded
        with loaded.lock, torch.inference_mode():
            return as_array(loaded.picture_features(items))

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        if self._light and self._found is None and self._light.reads(texts):
            return self._light.encode(texts)
        import torch

        loaded = self._loaded
        with loaded.lock, torch.inference_mode():
            return as_array(loaded.text_features(loaded.tokenizer(list(texts))))

    def words_left_out(self, text: str) -> int:
        """As :meth:`Encoder.words_left_out`: the shortest beginning with the same tokens is what the model reads."""
        words = text.split()
        with self._lock:
            read = self._tokens(text)
            if self._tokens(f"{text} a") != read:
                return 0
            left = bisect_left(range(len(words)), True, key=lambda n: self._tokens(" ".join(words[:n])) == read)
            return len(words) - left

    def _tokens(self, text: str) -> list[int]:
        if self._light and self._found is None and self._light.reads([text]):
            return self._light.tokens(text)
        return [int(token) for token in self._loaded.tokenizer([text])[0]]

    @cached_property
    def pseudo_words(self) -> PseudoWords:
        """The same model with vectors in place of words."""
        loaded = self._loaded
        with loaded.lock:
            return PseudoWords(loaded.model, loaded.tokenizer, self.device, loaded.lock)
