"""Making a model of open_clip: with its weights or random ones, in one number type or in the one that pays here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip
import torch

from ipcir_tools.models.devices import DType, torch_dtype
from ipcir_tools.models.encoder import as_array
from ipcir_tools.models.mapped_weights import MappedWeights
from ipcir_tools.models.mixed_precision import is_plain, mix_precision
from ipcir_tools.models.number_type import chosen_type
from ipcir_tools.models.packed_text import PackedText, can_pack_text
from ipcir_tools.models.packed_vision import PackedVision, can_pack_vision
from ipcir_tools.models.preprocessing import Pixels, Preprocessing
from ipcir_tools.models.text_features import encode_text
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from PIL import Image


Tokenizer = Callable[[list[str]], torch.Tensor]
PictureFeatures = Callable[[Sequence[Pixels]], torch.Tensor]
"""Features ``[b, d]``, of any norm, of pictures as the preprocessing gives them, in inference mode."""
TextFeatures = Callable[[torch.Tensor], torch.Tensor]
"""Features ``[b, d]``, of any norm, of texts as the tokenizer gives them, in inference mode."""

_PRECISION: dict[DType, str] = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
_SEED = 0
_LARGE = 200_000_000
"""Parameters of a model that tests its number type with fewer pictures."""
_TEXTS = ["a photo of a dog", "a red dress with long sleeves and a white belt", "is in blue"]


@dataclass(frozen=True)
class LoadedEncoder:
    """The model and its processors, shared by all encoders of the same id, device and dtype."""

    model: Any
    """Its weights; pictures and texts go through ``picture_features`` and ``text_features``."""
    picture_features: PictureFeatures
    text_features: TextFeatures
    preprocessing: Preprocessing
    tokenizer: Tokenizer
    space: str
    dim: int
    dtype: DType
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True)
class ModelMaker:
    """Makes a model in any number type."""

    location: str
    """As open_clip names a model, a repository or a folder."""
    tag: str | None
    device: str
    quick_gelu: bool
    """Whether its weights were trained with that activation; open_clip only warns where the model has another one."""
    random: bool

    def make(self, dtype: DType) -> Any:
        """The model, ready to encode."""
        mixed = dtype == "bfloat16" and self.device == "cpu"
        model = self._with_weights("float32" if mixed else dtype)
        if mixed and is_plain(model):
            mix_precision(model, torch_dtype(dtype))
        elif mixed:
            model = self._with_weights(dtype)
        model.eval()
        model.to(memory_format=torch.channels_last)  # convolutions on a CPU are a fifth faster so
        model.requires_grad_(False)  # only pseudo words are trained: gradients pass through it
        return model

    def _with_weights(self, dtype: DType) -> Any:
        options: dict[str, Any] = {"precision": _PRECISION[dtype], "device": self.device}
        if self.random:  # the same on every call, drawn on the CPU for every device
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_SEED)
                return open_clip.create_model(self.location, load_weights=False, pretrained_text=False, **options)
        with MappedWeights() if self.device == "cpu" else nullcontext():
            return open_clip.create_model(
                self.location,
                pretrained=self.tag or None,
                force_quick_gelu=self.quick_gelu,
                # Without it a repository without weights gives a model with random weights.
                require_pretrained=True,
                weights_only=True,
                **options,
            )


@dataclass(frozen=True)
class _Towers:
    """A model in one number type, and what encodes with it: packed weights where they are faster, or the model."""

    model: Any
    pictures: PictureFeatures
    texts: TextFeatures

    @classmethod
    def of(cls, model: Any, preprocessing: Preprocessing, device: str, dtype: DType) -> _Towers:
        packs = (device, dtype) == ("cpu", "bfloat16")

        def pictures(items: Sequence[Pixels]) -> torch.Tensor:
            made: torch.Tensor = model.encode_image(preprocessing.numbers(items, device, torch_dtype(dtype)))
            return made

        def texts(tokens: torch.Tensor) -> torch.Tensor:
            return encode_text(model, tokens.to(device))

        return cls(
            model,
            PackedVision(model.visual, preprocessing) if packs and can_pack_vision(model) else pictures,
            PackedText(model) if packs and can_pack_text(model) else texts,
        )


def create(identity: str, maker: ModelMaker, dtype: DType | None) -> LoadedEncoder:
    """The model with its processors; ``dtype`` None: float32, or what a test on this machine chooses."""
    first: DType = dtype or "float32"
    model = maker.make(first)
    tokenizer = open_clip.get_tokenizer(maker.location)
    preprocessing = Preprocessing(model.visual.preprocess_cfg)
    parameters = sum(weights.numel() for weights in model.parameters())
    towers = {first: _Towers.of(model, preprocessing, maker.device, first)}
    sample = _Sample(towers, maker, preprocessing, tokenizer, 1 if parameters > _LARGE else 4)
    dtype = dtype or chosen_type(identity, parameters, lambda: sample)
    chosen = sample.towers_in(dtype)
    dim = _width(chosen.model, tokenizer, maker.device)
    space = f"{identity}/{dim}d-{json_digest(chosen.model.visual.preprocess_cfg)[:8]}"
    return LoadedEncoder(chosen.model, chosen.pictures, chosen.texts, preprocessing, tokenizer, space, dim, dtype)


@dataclass(frozen=True)
class _Sample:
    """A few pictures and texts through what would encode in either type."""

    towers: dict[DType, _Towers]
    maker: ModelMaker
    preprocessing: Preprocessing
    tokenizer: Tokenizer
    n: int

    def towers_in(self, dtype: DType) -> _Towers:
        if dtype not in self.towers:
            self.towers[dtype] = _Towers.of(self.maker.make(dtype), self.preprocessing, self.maker.device, dtype)
        return self.towers[dtype]

    def pictures(self, dtype: DType) -> FloatArray:
        items = [self.preprocessing.pixels(_picture(seed, self.preprocessing.side)) for seed in range(self.n)]
        with torch.inference_mode():
            return as_array(self.towers_in(dtype).pictures(items))

    def texts(self, dtype: DType) -> FloatArray:
        with torch.inference_mode():
            return as_array(self.towers_in(dtype).texts(self.tokenizer(_TEXTS)))


def _picture(seed: int, side: int) -> Image.Image:
    """A picture with edges, colours and textures of many sizes."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    whole = np.zeros((side, side, 3))
    for cells in (2, 7, 32, side):
        layer = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        whole += np.asarray(layer.resize((side, side), Image.Resampling.BICUBIC))
    return Image.fromarray((whole / 4).astype(np.uint8))


def _width(model: Any, tokenizer: Tokenizer, device: str) -> int:
    """The dimension: of the projection, or from one encoded text, where open_clip's classes store it elsewhere."""
    projection = getattr(model, "text_projection", None)
    if isinstance(projection, torch.Tensor):
        return int(projection.shape[1])
    with torch.inference_mode():
        return int(model.encode_text(tokenizer(["a"]).to(device)).shape[-1])
