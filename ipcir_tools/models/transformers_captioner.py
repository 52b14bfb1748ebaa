"""Captions by transformers' BLIP, BLIP-2, GIT and vision-encoder-decoder models."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.models import hub
from ipcir_tools.models.captioner import WAYS_OUT, BatchCaptioner, VisionFeatures
from ipcir_tools.models.devices import DType, pick_device, pick_dtype, torch_dtype
from ipcir_tools.models.downloads import Needed, Requirements
from ipcir_tools.models.hub_files import transformers_files
from ipcir_tools.models.likelihood import TextDecoder, score_pairs, text_decoder, token_ids
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from ipcir_tools.settings import Settings


GENERATION: dict[str, Any] = {"do_sample": False, "num_beams": 3, "max_new_tokens": 30}
"""How transformers captioners generate; part of their id."""
KINDS = ("blip", "blip-2", "git", "vision-encoder-decoder")
"""Model types of transformers that caption an image without a prompt."""
ON_ACCELERATOR = "Salesforce/blip2-opt-2.7b"
ON_CPU = "Salesforce/blip-image-captioning-base"


LARGE, LARGE_BATCH = 50_000_000, 16
"""Parameters of a large model, and the images that it captions at a time: the states of beams over 16 images
take about 2 GB in BLIP-base."""


@dataclass(frozen=True)
class LoadedCaptioner:
    """The model and its processors, shared by all captioners of the same id, device and dtype."""

    model: Any
    image_processor: Any
    tokenizer: Any
    decoder: TextDecoder
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_large(self) -> bool:
        """Whether its batches must be small to fit into memory."""
        return bool(sum(weights.numel() for weights in self.model.parameters()) > LARGE)


LOADED: hub.ModelCache[LoadedCaptioner] = hub.ModelCache()


class TransformersCaptioner(BatchCaptioner):
    """BLIP, BLIP-2, GIT and vision-encoder-decoders, by beam search.

    More than one caption are the best beams: alike, but the same on every run and in every batch.
    """

    gives_likelihoods = True

    def __init__(self, name: str, settings: Settings) -> None:
        device = pick_device(settings.device)
        dtype = pick_dtype(settings.dtype, device)
        id = TransformersCaptioner.identify(name, settings)
        needed = TransformersCaptioner.requirements(name, settings)
        self._loaded = LOADED.get((id, device, dtype), lambda: load_model(name, device, dtype, needed))
        size = min(settings.batch_size, LARGE_BATCH if self._loaded.is_large else settings.batch_size)
        super().__init__(id=id, device=device, dtype=dtype, batch_size=size, lock=self._loaded.lock)
        self._torch_dtype = torch_dtype(dtype)

    @staticmethod
    def identify(name: str, settings: Settings) -> str:
        """``transformers:NAME/DIGEST`` or ``transformers:FOLDERNAME@DIGEST/DIGEST``, the last over ``GENERATION``."""
        folder = _folder(name)
        weights = hub.folder_id(folder, "config.json") if folder else name
        digest = json_digest(GENERATION)[:8]
        return f"transformers:{weights}/{digest}"

    @staticmethod
    def requirements(name: str, settings: Settings) -> Requirements | None:
        """What the model needs of the hub; None for a folder."""
        return None if _folder(name) else lambda read: [Needed(name, transformers_files)]

    def _caption_batch(self, images: Sequence[Image.Image], n: int) -> list[list[str]]:
        import torch

        beams = max(n, GENERATION["num_beams"])
        with torch.inference_mode():
            rows = self._loaded.model.generate(
                pixel_values=self._pixels(images),
                **(GENERATION | {"num_beams": beams, "num_return_sequences": n}),
            )
        texts = self._decoded(rows.tolist())
        return [texts[start : start + n] for start in range(0, len(texts), n)]

    def encode_images(self, images: Sequence[Image.Image]) -> list[VisionFeatures]:
        """The vision model's features ``[l, d]`` float32 of each image; BLIP-base's are 577 patches of 768."""
        import torch

        features: list[VisionFeatures] = []
        for start in range(0, len(images), self.batch_size):
            pixels = self._pixels([crop_extreme(image) for image in images[start : start + self.batch_size]])
            with self._lock, torch.inference_mode():
                features.extend(self._loaded.decoder.image_features(pixels).float().cpu().numpy())
        return features

    def pair_log_likelihood(self, features: Sequence[VisionFeatures], texts: Sequence[str]) -> FloatArray:
        """``[p]`` float32, in nats: how likely each text is, given the features in its place."""
        import torch

        decoder, to = self._loaded.decoder, torch.empty(0, device=self.device, dtype=self._torch_dtype)
        rows = token_ids(decoder, self._loaded.tokenizer, texts)
        with self._lock:
            return score_pairs(decoder, features, rows, self.batch_size, to)

    def _pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """``[n, 3, h, w]`` as the model takes them."""
        pixels: Tensor = self._loaded.image_processor(images=list(images), return_tensors="pt")["pixel_values"]
        return pixels.to(self.device, self._torch_dtype)

    def _decoded(self, rows: list[list[int]]) -> list[str]:
        # BLIP-2 returns the image tokens of its prompt, and the tokenizers of older checkpoints do not know them.
        image_token = getattr(self._loaded.model.config, "image_token_index", None)
        words = [[token for token in row if token != image_token] for row in rows]
        return [str(self._loaded.tokenizer.decode(row, skip_special_tokens=True)) for row in words]


class AutoCaptioner(TransformersCaptioner):
    """BLIP-2 on an accelerator, BLIP-base on a CPU."""

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(_auto_name(settings), settings)

    @staticmethod
    def identify(name: str, settings: Settings) -> str:
        """The identity of the model that is chosen."""
        return TransformersCaptioner.identify(_auto_name(settings), settings)

    @staticmethod
    def requirements(name: str, settings: Settings) -> Requirements | None:
        """Those of the model that is chosen."""
        return TransformersCaptioner.requirements(_auto_name(settings), settings)


def _auto_name(settings: Settings) -> str:
    return ON_CPU if pick_device(settings.device) == "cpu" else ON_ACCELERATOR


def _folder(name: str) -> Path | None:
    """The folder of a saved model; None for the name of a repository, unless a folder of that name exists."""
    folder = Path(name).expanduser()
    return folder.resolve() if folder.is_dir() or not re.fullmatch(r"\w[\w.-]*/[\w.-]+", name) else None


def load_model(name: str, device: str, dtype: DType, needed: Requirements | None = None) -> LoadedCaptioner:
    """The model of that repository or folder. Raises ModelUnavailableError."""
    folder = _folder(name)
    return hub.fetch(
        f"transformers:{name}",
        lambda: _create(str(folder or name), device, dtype),
        ways_out="" if folder else WAYS_OUT,
        requirements=needed,
    )


def _create(source: str, device: str, dtype: DType) -> LoadedCaptioner:
    import transformers

    auto: Any = transformers  # its type hints are incomplete
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    kind = auto.AutoConfig.from_pretrained(source, **options).model_type
    if kind not in KINDS:
        raise ValueError(f"it is a {kind!r}, which captions nothing without a prompt; supported are {', '.join(KINDS)}")
    # The two parts and not AutoProcessor: checkpoints of vision-encoder-decoders have none, and captioning needs no
    # prompt. The backend is explicit because transformers chooses by what is installed, and the two differ a little.
    images = auto.AutoImageProcessor.from_pretrained(source, backend="torchvision", **options)
    tokenizer = auto.AutoTokenizer.from_pretrained(source, **options)
    # Without a dtype transformers takes the checkpoint's: float16 on a CPU, where weights are saved so.
    model, report = auto.AutoModelForImageTextToText.from_pretrained(
        source, dtype=torch_dtype(dtype), output_loading_info=True, **options
    )
    _require_weights(model, report["missing_keys"])
    model = model.to(device).eval()
    return LoadedCaptioner(model, images, tokenizer, text_decoder(model))


def _require_weights(model: Any, missing: Collection[str]) -> None:
    """Refuses a model with weights that transformers initialised at random.

    Poolers may be missing: many checkpoints leave them out on purpose.
    """
    random = [name for name, _ in model.named_parameters() if name in missing and ".pooler." not in name]
    if random:
        raise ValueError(f"the checkpoint lacks {len(random)} weights, {random[0]} among them")
