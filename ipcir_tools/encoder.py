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
import hashlib
import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from ipcir_tools import hub
from ipcir_tools.devices import DType, pick_device, pick_dtype, torch_dtype
from ipcir_tools.errors import InvalidRequest, ModelUnavailable
from ipcir_tools.inversion.pseudo import PseudoWords
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch
    from PIL import Image

Item = TypeVar("Item")

GRAMMAR = "open_clip:MODEL/PRETRAINED, open_clip:hf-hub:ORG/NAME or open_clip:local-dir:PATH"
WAYS_OUT = (
    "Download it where there is a network, then use --encoder open_clip:local-dir:FOLDER; "
    "or use --models demo, which needs no download."
)
MAX_ASPECT = 8
"""A picture longer than this many times its width is cut to the middle before a model sees it."""

_PRECISION: dict[DType, str] = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
_THREADS, _THREADS_FROM = 4, 16


class Encoder(ABC):
    """Embeds pictures and texts. A subclass writes one batch of each; batching, norm and checks are here.

    ``space`` names everything that decides whether two features compare: the weights, the dimension and the
    preprocessing. The number type is not part of it: bfloat16 features compare with float32 ones. Safe to share
    among threads: one batch runs at a time.
    """

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

    @abstractmethod
    def _image_batch(self, images: Sequence[Image.Image]) -> FloatArray:
        """Features ``[b, dim]`` of 1 to ``batch_size`` RGB pictures, of any norm."""

    @abstractmethod
    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        """Features ``[b, dim]`` of 1 to ``batch_size`` texts, of any norm."""

    def embed_images(self, images: Sequence[Image.Image]) -> FloatArray:
        """Features ``[n, dim]`` float32, unit norm, in the order of ``images``; n may be 0.

        Raises ``ModelUnavailable`` where the model gives numbers that are no feature.
        """
        return self._in_batches(images, lambda batch: self._image_batch([sane(image) for image in batch]))

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Features ``[n, dim]`` float32, unit norm, in the order of ``texts``; n may be 0.

        What is longer than the model's context (77 tokens for CLIP) is cut by its tokenizer.
        """
        return self._in_batches(texts, self._text_batch)

    @property
    def pseudo_words(self) -> PseudoWords:
        """The door for words that are vectors. Raises ``InvalidRequest`` where the encoder takes none."""
        raise InvalidRequest(f"{self.name} takes no pseudo words: choose an encoder of open_clip ({GRAMMAR}).")

    @property
    def token_dim(self) -> int:
        """The width of a word's vector. Raises as :attr:`pseudo_words`."""
        return self.pseudo_words.dim

    def embed_pseudo(self, templates: str | Sequence[str], words: FloatArray) -> FloatArray:
        """Features ``[n, dim]`` float32, unit norm, of sentences in which ``words`` ``[n, token_dim]`` take a place.

        The first ``*`` of a template, such as "a photo of *, in blue", is the word's place; one template is for all, or
        there is one for each. Raises ``InvalidRequest`` for an encoder that takes no such words, for a template without
        its ``*`` or with it behind the end of the context, and for words of another width or number.
        """
        import torch

        pseudo = self.pseudo_words
        each = [templates] * len(words) if isinstance(templates, str) else list(templates)
        if words.shape != (len(each), pseudo.dim):
            raise InvalidRequest(f"{len(each)} templates need words {(len(each), pseudo.dim)}, not {words.shape}.")

        def features(batch: Sequence[tuple[str, FloatArray]]) -> FloatArray:
            placed = torch.from_numpy(np.stack([word for _, word in batch])).to(self.device)
            with torch.inference_mode():
                return _as_array(pseudo.features([template for template, _ in batch], placed))

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
        if features.shape != (n, self.dim):
            raise ModelUnavailable(f"{self.name} gave features {features.shape} in place of {(n, self.dim)}.")
        wide = features.astype(np.float64)
        norms = np.linalg.norm(wide, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            raise ModelUnavailable(f"{self.name} gave numbers that are no feature in {self.dtype}: try dtype float32.")
        return np.asarray(wide / norms, dtype=np.float32)


def sane(image: Image.Image) -> Image.Image:
    """``image`` in RGB and at most ``MAX_ASPECT`` times as long as wide (its middle part).

    Models scale the shorter side to theirs: a line of 4 x 1,000,000 pixels would become gigabytes.
    """
    image = image if image.mode == "RGB" else image.convert("RGB")
    width, height = image.size
    most = MAX_ASPECT * min(width, height)
    left, top = max(0, (width - most) // 2), max(0, (height - most) // 2)
    return image.crop((left, top, width - left, height - top)) if left or top else image


# ---- names -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Name:
    kind: Literal["tag", "hf-hub", "local-dir"]
    model: str
    """Model, repository or path."""
    tag: str = ""

    @property
    def folder(self) -> Path:
        return Path(self.model).expanduser().resolve()


def _parsed(name: str) -> _Name:
    if match := re.fullmatch(r"open_clip:local-dir:(.+)", name, re.DOTALL):
        return _Name("local-dir", match[1])
    if match := re.fullmatch(r"open_clip:hf-hub:([\w.-]+/[\w.-]+)", name):
        return _Name("hf-hub", match[1])
    if match := re.fullmatch(r"open_clip:([^/:\s]+)/([^/:\s]+)", name):
        return _Name("tag", match[1], match[2])
    raise InvalidRequest(f"{name!r} names no encoder: use {GRAMMAR}.")


def encoder_id(name: str) -> str:
    """Identity of the weights, without loading them: no torch is imported.

    The name itself, but for a folder ``open_clip:FOLDERNAME@DIGEST``: see ``hub.folder_id``. Raises
    ``InvalidRequest`` for a malformed name and ``ModelUnavailable`` for a folder that holds no model.
    """
    parsed = _parsed(name)
    if parsed.kind != "local-dir":
        return name
    return f"open_clip:{hub.folder_id(parsed.folder, 'open_clip_config.json')}"


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


_KEPT: hub.Kept[_Loaded] = hub.Kept()


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


def _as_array(features: torch.Tensor) -> FloatArray:
    return np.asarray(features.float().cpu().numpy(), dtype=np.float32)


def load_encoder(name: str, *, device: str = "auto", dtype: str = "auto", batch_size: int = 64) -> Encoder:
    """The encoder of that name, loaded at most once per process for each device and dtype.

    ``device``: auto (cuda, mps, cpu), or one of them; ``dtype``: auto (float32 on a CPU, half precision elsewhere) or
    one by name. Raises ``InvalidRequest`` for names that can never work and ``ModelUnavailable``, within
    seconds, for weights that cannot be had.
    """
    identity, parsed = encoder_id(name), _parsed(name)
    device = pick_device(device)
    precision = pick_dtype(dtype, device)
    loaded = _KEPT.get((identity, device, precision), lambda: _load(name, identity, parsed, device, precision))
    return OpenClipEncoder(name, loaded, device=device, dtype=precision, batch_size=batch_size)


def _load(name: str, identity: str, parsed: _Name, device: str, dtype: DType) -> _Loaded:
    known = _known_tag(parsed) if parsed.kind == "tag" else {}
    return hub.fetch(
        name,
        lambda: _create(identity, parsed, device, dtype, quick_gelu=bool(known.get("quick_gelu"))),
        ways_out="" if parsed.kind == "local-dir" else WAYS_OUT,
        local=parsed.kind == "local-dir",
    )


def _known_tag(name: _Name) -> dict[str, Any]:
    """open_clip's entry for the tag; unknown models and tags are refused here, before anything is downloaded."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(name.model)
    if not tags:
        models = sorted({model for model, _ in open_clip.list_pretrained()})
        raise ModelUnavailable(f"open_clip has no weights for a model {name.model!r}{_near(name.model, models)}.")
    if name.tag not in tags:
        raise ModelUnavailable(f"open_clip has no weights {name.tag!r} for {name.model}{_near(name.tag, tags)}.")
    entry: dict[str, Any] = open_clip.get_pretrained_cfg(name.model, name.tag)
    return entry


def _near(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=5, cutoff=0.5) or list(choices)[:8]
    return f"; there is {', '.join(close)}"


def _create(identity: str, name: _Name, device: str, dtype: DType, *, quick_gelu: bool) -> _Loaded:
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
        space=f"{identity}/{dim}d-{_settings_digest(settings)}",
        dim=dim,
    )


def _width(model: Any, tokenizer: Callable[[list[str]], torch.Tensor], device: str) -> int:
    """The dimension as one text shows it: open_clip's classes keep it in different places."""
    import torch

    with torch.inference_mode():
        return int(model.encode_text(tokenizer(["a"]).to(device)).shape[-1])


def _settings_digest(settings: dict[str, Any]) -> str:
    """8 hex digits over size, mean, std, interpolation, resize mode and the rest of the preprocessing."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
