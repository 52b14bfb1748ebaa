"""Pictures and texts to unit vectors of one space.

::

    encoder = load_encoder("open_clip:ViT-B-32/laion2b_s34b_b79k")
    encoder.embed_texts(["a red dress"]) @ encoder.embed_images([picture]).T

A name is one of

- ``open_clip:MODEL/PRETRAINED``: a model of open_clip and one of its weight tags;
- ``open_clip:hf-hub:ORG/NAME``: an open_clip repository of the Hugging Face hub;
- ``open_clip:local-dir:PATH``: a folder with ``open_clip_config.json``, weights and, where the configuration names
  ``hf_tokenizer_name``, the tokenizer's files. Safetensors are preferred; a folder with only ``.bin`` or ``.pth``
  is read with torch's ``weights_only``, so that no pickled code runs. ``.pt`` files are not looked at.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.models import hub
from ipcir_tools.models.devices import DType, torch_dtype
from ipcir_tools.models.encoder import GRAMMAR, Encoder, _as_array
from ipcir_tools.models.pseudo_words import PseudoWords
from ipcir_tools.text import json_digest
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch
    from PIL import Image


WAYS_OUT = (
    "Download it where there is a network, then use --encoder open_clip:local-dir:FOLDER; "
    "or use --models demo, which needs no download."
)

_PRECISION: dict[DType, str] = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
_THREADS, _THREADS_FROM = 4, 16


@dataclass(frozen=True)
class EncoderName:
    """An encoder's name, taken apart."""

    kind: Literal["tag", "hf-hub", "local-dir"]
    model: str
    """Model, repository or path."""
    tag: str = ""

    @property
    def folder(self) -> Path:
        """Where a local model lies."""
        return Path(self.model).expanduser().resolve()


def parsed_encoder(name: str) -> EncoderName:
    """The name taken apart. Raises InvalidRequestError."""
    if match := re.fullmatch(r"open_clip:local-dir:(.+)", name, re.DOTALL):
        return EncoderName("local-dir", match[1])
    if match := re.fullmatch(r"open_clip:hf-hub:([\w.-]+/[\w.-]+)", name):
        return EncoderName("hf-hub", match[1])
    if match := re.fullmatch(r"open_clip:([^/:\s]+)/([^/:\s]+)", name):
        return EncoderName("tag", match[1], match[2])
    raise InvalidRequestError(f"{name!r} names no encoder: use {GRAMMAR}.")


# ---- open_clip ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Loaded:
    """What is heavy, shared by all encoders of the same id, device and dtype."""

    model: Any
    preprocess: Callable[[Image.Image], torch.Tensor]
    tokenizer: Callable[[list[str]], torch.Tensor]
    space: str
    dim: int
    lock: threading.RLock = field(default_factory=threading.RLock)


KEPT_ENCODERS: hub.Kept[_Loaded] = hub.Kept()


class OpenClipEncoder(Encoder):
    """Any model of open_clip, in eval and inference mode."""

    def __init__(self, name: str, loaded: _Loaded, *, device: str, dtype: DType, batch_size: int = 64) -> None:
        super().__init__(
            name=name,
            space=loaded.space,
            dim=loaded.dim,
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            lock=loaded.lock,
        )
        self._loaded = loaded
        self._torch_dtype = torch_dtype(dtype)

    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        import torch

        pixels = torch.stack(self._preprocessed(images)).to(self.device, self._torch_dtype)
        with torch.inference_mode():
            return _as_array(self._loaded.model.encode_image(pixels))

    def _preprocessed(self, images: Sequence[Image.Image]) -> list[torch.Tensor]:
        if len(images) < _THREADS_FROM:
            return [self._loaded.preprocess(image) for image in images]
        with ThreadPoolExecutor(_THREADS) as pool:  # Pillow scales outside the interpreter lock
            return list(pool.map(self._loaded.preprocess, images))

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        import torch

        tokens = self._loaded.tokenizer(list(texts)).to(self.device)
        with torch.inference_mode():
            return _as_array(self._loaded.model.encode_text(tokens))

    @cached_property
    def pseudo_words(self) -> PseudoWords:
        """The door for words that are vectors, into the same model."""
        loaded = self._loaded
        with loaded.lock:
            return PseudoWords(loaded.model, loaded.tokenizer, self.device, loaded.lock)


def open_model(name: str, identity: str, parsed: EncoderName, device: str, dtype: DType) -> _Loaded:
    """The model of that name, loaded. Raises ModelUnavailableError."""
    known = _known_tag(parsed) if parsed.kind == "tag" else {}
    return hub.fetch(
        name,
        lambda: _create(identity, parsed, device, dtype, quick_gelu=bool(known.get("quick_gelu"))),
        ways_out="" if parsed.kind == "local-dir" else WAYS_OUT,
        local=parsed.kind == "local-dir",
    )


def _known_tag(name: EncoderName) -> dict[str, Any]:
    """open_clip's entry for the tag; unknown models and tags are refused here, before anything is downloaded."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(name.model)
    if not tags:
        models = sorted({model for model, _ in open_clip.list_pretrained()})
        raise ModelUnavailableError(f"open_clip has no weights for a model {name.model!r}{_near(name.model, models)}.")
    if name.tag not in tags:
        raise ModelUnavailableError(f"open_clip has no weights {name.tag!r} for {name.model}{_near(name.tag, tags)}.")
    entry: dict[str, Any] = open_clip.get_pretrained_cfg(name.model, name.tag)
    return entry


def _near(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=5, cutoff=0.5) or list(choices)[:8]
    return f"; there is {', '.join(close)}"


def _create(identity: str, name: EncoderName, device: str, dtype: DType, *, quick_gelu: bool) -> _Loaded:
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    source = {"tag": name.model, "hf-hub": f"hf-hub:{name.model}", "local-dir": f"local-dir:{name.folder}"}[name.kind]
    model = open_clip.create_model(
        source,
        pretrained=name.tag or None,
        precision=_PRECISION[dtype],
        device=device,
        # The tag knows with which activation it was trained; open_clip only warns where the model says otherwise.
        force_quick_gelu=quick_gelu,
        # Without it a repository without weights is "loaded" at random.
        require_pretrained=True,
        weights_only=True,
    ).eval()
    model.requires_grad_(False)  # nobody trains it: gradients pass through it to pseudo words alone
    tokenizer = open_clip.get_tokenizer(source)
    settings = model.visual.preprocess_cfg
    dim = _width(model, tokenizer, device)
    return _Loaded(
        model=model,
        preprocess=image_transform_v2(PreprocessCfg(**settings), is_train=False),
        tokenizer=tokenizer,
        space=f"{identity}/{dim}d-{json_digest(settings)[:8]}",
        dim=dim,
    )


def _width(model: Any, tokenizer: Callable[[list[str]], torch.Tensor], device: str) -> int:
    """The dimension as one text shows it: open_clip's classes keep it in different places."""
    import torch

    with torch.inference_mode():
        return int(model.encode_text(tokenizer(["a"]).to(device)).shape[-1])
