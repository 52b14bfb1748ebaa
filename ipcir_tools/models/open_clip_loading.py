"""Loading a model of open_clip: known tags, weights, preprocessing, tokenizer."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models import hub
from ipcir_tools.models.devices import DType
from ipcir_tools.models.downloads import Needed, Requirements
from ipcir_tools.models.hub_files import open_clip_files, small_files
from ipcir_tools.models.preprocessing import Preprocessing
from ipcir_tools.text import json_digest

if TYPE_CHECKING:
    import torch


WAYS_OUT = (
    "Download it where there is a network (ipcir models --get), or use --encoder open_clip:local-dir:FOLDER; "
    "or use --models demo, which needs no download."
)
REPOS = {"ViT-B-32/laion2b_s34b_b79k": "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"}
"""The default model's repository, as in open_clip's own list, which takes seconds to import."""

RANDOM, _SEED = "random", 0

_PRECISION: dict[DType, str] = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True)
class ModelSource:
    """The source of the weights: the part of an encoder's name after ``open_clip:``."""

    kind: Literal["tag", "hf-hub", "local-dir", "random"]
    model: str
    """Model, repository or path."""
    tag: str = ""

    @classmethod
    def parse(cls, name: str) -> ModelSource:
        """``MODEL/PRETRAINED``, ``MODEL/random``, ``hf-hub:ORG/NAME`` or ``local-dir:PATH``; the registry checks the
        form.
        """
        if name.startswith("local-dir:"):
            return cls("local-dir", name.removeprefix("local-dir:"))
        if name.startswith("hf-hub:"):
            return cls("hf-hub", name.removeprefix("hf-hub:"))
        model, _, tag = name.partition("/")
        return cls("random" if tag == RANDOM else "tag", model, tag)

    @property
    def folder(self) -> Path:
        """The folder of a local model."""
        return Path(self.model).expanduser().resolve()


@dataclass(frozen=True)
class LoadedEncoder:
    """The model and its processors, shared by all encoders of the same id, device and dtype."""

    model: Any
    preprocessing: Preprocessing
    tokenizer: Callable[[list[str]], torch.Tensor]
    space: str
    dim: int
    lock: threading.RLock = field(default_factory=threading.RLock)


def load_model(name: str, identity: str, source: ModelSource, device: str, dtype: DType) -> LoadedEncoder:
    """The model of that source. Raises ModelUnavailableError."""
    known = _known_tag(source) if source.kind == "tag" else {}
    if source.kind == "random":
        _require_architecture(source.model)
    return hub.fetch(
        f"open_clip:{name}",
        lambda: _create(identity, source, device, dtype, quick_gelu=bool(known.get("quick_gelu"))),
        ways_out=WAYS_OUT if source.kind in ("tag", "hf-hub") else "",
        requirements=requirements(source),
    )


def requirements(source: ModelSource) -> Requirements | None:
    """What the model needs of the hub: weights, configuration, tokenizer; None for a folder and for random weights.

    Raises ModelUnavailableError for a tag that is unknown.
    """
    if source.kind in ("local-dir", "random"):
        return None
    if source.kind == "hf-hub":
        return lambda read: [
            Needed(source.model, open_clip_files("", "open_clip_config.json")),
            *_text_needed(read(source.model, "open_clip_config.json").get("model_cfg", {}).get("text_cfg", {})),
        ]
    place = REPOS.get(f"{source.model}/{source.tag}", "") + "/"
    text: dict[str, Any] = {}
    if place == "/":
        import open_clip

        place = _known_tag(source).get("hf_hub", "")
        text = open_clip.get_model_config(source.model)["text_cfg"]
    repo, _, file = place.rpartition("/")
    if not repo:
        raise ModelUnavailableError(f"The weights {source.tag!r} of {source.model} are not on the Hugging Face hub.")
    return lambda read: [Needed(repo, open_clip_files(file)), *_text_needed(text)]


def _text_needed(text: Mapping[str, Any]) -> list[Needed]:
    """The repositories of a tokenizer and of a text model that are not open_clip's own."""
    tokenizer, model = text.get("hf_tokenizer_name"), text.get("hf_model_name")
    return [
        *([Needed(tokenizer, small_files)] if tokenizer else []),
        *([Needed(model, lambda names: ["config.json"])] if model else []),
    ]


def _known_tag(source: ModelSource) -> dict[str, Any]:
    """open_clip's entry for the tag; unknown models and tags are refused before any download."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(source.model)
    if not tags:
        models = sorted({model for model, _ in open_clip.list_pretrained()})
        raise ModelUnavailableError(
            f"open_clip has no weights for a model {source.model!r}{_near(source.model, models)}."
        )
    if source.tag not in tags:
        raise ModelUnavailableError(
            f"open_clip has no weights {source.tag!r} for {source.model}{_near(source.tag, tags)}."
        )
    entry: dict[str, Any] = open_clip.get_pretrained_cfg(source.model, source.tag)
    return entry


def _require_architecture(model: str) -> None:
    import open_clip

    if model not in (models := open_clip.list_models()):
        raise ModelUnavailableError(f"open_clip has no model {model!r}{_near(model, models)}.")


def _near(word: str, choices: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, choices, n=5, cutoff=0.5) or list(choices)[:8]
    return f"; there is {', '.join(close)}"


def _create(identity: str, source: ModelSource, device: str, dtype: DType, *, quick_gelu: bool) -> LoadedEncoder:
    import open_clip
    import torch

    location = {"hf-hub": f"hf-hub:{source.model}", "local-dir": f"local-dir:{source.folder}"}.get(
        source.kind, source.model
    )
    options: dict[str, Any] = {"precision": _PRECISION[dtype], "device": device}
    if source.kind == "random":
        model = _random_model(location, options)
    else:
        model = open_clip.create_model(
            location,
            pretrained=source.tag or None,
            # The tag names the activation of its training; open_clip only warns where the model has another one.
            force_quick_gelu=quick_gelu,
            # Without it a repository without weights gives a model with random weights.
            require_pretrained=True,
            weights_only=True,
            **options,
        )
    model.eval()
    model.to(memory_format=torch.channels_last)  # convolutions on a CPU are a fifth faster so
    model.requires_grad_(False)  # only pseudo words are trained: gradients pass through it
    tokenizer = open_clip.get_tokenizer(location)
    settings = model.visual.preprocess_cfg
    dim = _width(model, tokenizer, device)
    return LoadedEncoder(
        model=model,
        preprocessing=Preprocessing(settings),
        tokenizer=tokenizer,
        space=f"{identity}/{dim}d-{json_digest(settings)[:8]}",
        dim=dim,
    )


def _random_model(name: str, options: Mapping[str, Any]) -> Any:
    """open_clip's architecture with the same random weights on every call, drawn on the CPU for every device."""
    import open_clip
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return open_clip.create_model(name, load_weights=False, pretrained_text=False, **options)


def _width(model: Any, tokenizer: Callable[[list[str]], torch.Tensor], device: str) -> int:
    """The dimension, from one encoded text: open_clip's classes store it in different places."""
    import torch

    with torch.inference_mode():
        return int(model.encode_text(tokenizer(["a"]).to(device)).shape[-1])
