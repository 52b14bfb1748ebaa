"""Captions by transformers' BLIP, BLIP-2, GIT and vision-encoder-decoder models."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipcir_tools.models import hub
from ipcir_tools.models.captioner import WAYS_OUT, BatchCaptioner, CaptionerName
from ipcir_tools.models.devices import DType, torch_dtype

if TYPE_CHECKING:
    from PIL import Image


GENERATION: dict[str, Any] = {"do_sample": False, "num_beams": 3, "max_new_tokens": 30}
"""How transformers captioners generate; part of their id."""
KINDS = ("blip", "blip-2", "git", "vision-encoder-decoder")
"""Model types of transformers that caption a picture without being asked anything."""


# ---- transformers ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Loaded:
    """What is heavy, shared by all captioners of the same id, device and dtype."""

    model: Any
    image_processor: Any
    tokenizer: Any
    lock: threading.Lock = field(default_factory=threading.Lock)


KEPT_CAPTIONERS: hub.Kept[_Loaded] = hub.Kept()


class TransformersCaptioner(BatchCaptioner):
    """BLIP, BLIP-2, GIT and vision-encoder-decoders, by beam search.

    More than one caption are the best beams: alike, but the same on every run and in every batch.
    """

    def __init__(self, loaded: _Loaded, *, id: str, device: str, dtype: DType, batch_size: int = 16) -> None:
        super().__init__(id=id, device=device, dtype=dtype, batch_size=batch_size, lock=loaded.lock)
        self._loaded = loaded
        self._torch_dtype = torch_dtype(dtype)

    def _caption_batch(self, images: Sequence[Image.Image], n: int) -> list[list[str]]:
        import torch

        beams = max(n, GENERATION["num_beams"])
        pixels = self._loaded.image_processor(images=list(images), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            rows = self._loaded.model.generate(
                pixel_values=pixels.to(self.device, self._torch_dtype),
                **(GENERATION | {"num_beams": beams, "num_return_sequences": n}),
            )
        texts = self._decoded(rows.tolist())
        return [texts[start : start + n] for start in range(0, len(texts), n)]

    def _decoded(self, rows: list[list[int]]) -> list[str]:
        # BLIP-2 gives back the places of the picture in its prompt, and older checkpoints' tokenizers have no word
        # for them.
        image_token = getattr(self._loaded.model.config, "image_token_index", None)
        words = [[token for token in row if token != image_token] for row in rows]
        return [str(self._loaded.tokenizer.decode(row, skip_special_tokens=True)) for row in words]


def open_captioner(name: str, parsed: CaptionerName, device: str, dtype: DType) -> _Loaded:
    """The model of that name, loaded. Raises ModelUnavailableError."""
    local = parsed.folder is not None
    source = str(parsed.folder) if local else parsed.model
    return hub.fetch(name, lambda: _create(source, device, dtype), ways_out="" if local else WAYS_OUT, local=local)


def _create(source: str, device: str, dtype: DType) -> _Loaded:
    import transformers

    auto: Any = transformers  # half typed: what it declares and what it takes differ
    kind = auto.AutoConfig.from_pretrained(source, trust_remote_code=False).model_type
    if kind not in KINDS:
        raise ValueError(f"it is a {kind!r}, which captions nothing unasked; known are {', '.join(KINDS)}")
    # The two parts and not AutoProcessor: checkpoints of vision-encoder-decoders have none, and captioning needs no
    # prompt. The backend is named because transformers would choose by what is installed, and the two differ a little.
    images = auto.AutoImageProcessor.from_pretrained(source, backend="torchvision", trust_remote_code=False)
    tokenizer = auto.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    # Without a dtype transformers takes the checkpoint's: float16 on a CPU, where weights are saved so.
    model, report = auto.AutoModelForImageTextToText.from_pretrained(
        source, dtype=torch_dtype(dtype), trust_remote_code=False, output_loading_info=True
    )
    _require_weights(model, report["missing_keys"])
    return _Loaded(model.to(device).eval(), images, tokenizer)


def _require_weights(model: Any, missing: Collection[str]) -> None:
    """Refuses a model that transformers filled up at random. Poolers are left out on purpose by many checkpoints."""
    random = [name for name, _ in model.named_parameters() if name in missing and ".pooler." not in name]
    if random:
        raise ValueError(f"the checkpoint lacks {len(random)} weights, {random[0]} among them")
