"""``diffusers:ORG/NAME`` and ``diffusers:PATH``: images from a text-to-image pipeline on this machine."""

from __future__ import annotations

import hashlib
import importlib
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.models import hub
from ipcir_tools.models.devices import DType, pick_device, pick_dtype, torch_dtype
from ipcir_tools.models.downloads import Needed, ReadJson, Requirements
from ipcir_tools.models.hub_files import diffusers_files
from ipcir_tools.models.image_generator import WAYS_OUT, ImageGenerator
from ipcir_tools.settings import Settings
from ipcir_tools.text import error_sentence, excerpt

if TYPE_CHECKING:
    from PIL import Image


INDEX = "model_index.json"
LOADED: hub.ModelCache[Any] = hub.ModelCache(1)


class DiffusersImageGenerator(ImageGenerator):
    """A pipeline with its own settings. The same seed gives the same image on one machine."""

    def __init__(self, model: str, settings: Settings) -> None:
        folder = Path(model).expanduser()
        local = _is_local(model)
        name = _folder_id(folder) if local else model
        device = pick_device(settings.device)
        dtype = pick_dtype(settings.dtype, device)
        self._pipeline = LOADED.get(
            (name, device, dtype), lambda: _load(str(folder) if local else model, device, dtype, local)
        )
        self._size = _sides(settings.image_generator_size)
        self._lock = threading.Lock()
        self.id = f"diffusers:{name}/{settings.image_generator_size or 'own size'}"

    @staticmethod
    def requirements(name: str, settings: Settings) -> Requirements | None:
        """What the pipeline needs of the hub; None for a folder."""
        return None if _is_local(name) else lambda read: _needed(name, read)

    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        import torch

        # CPU generators, because those of accelerators give other numbers on other cards.
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        try:
            with self._lock:
                made = self._pipeline([description] * len(seeds), generator=generators, **self._size)
        except Exception as error:  # pipelines raise whatever their parts raise, device memory errors included
            raise ModelUnavailableError(
                f"The image generator {self.id} failed: {error_sentence(error)} {WAYS_OUT}"
            ) from error
        if any(getattr(made, "nsfw_content_detected", None) or ()):  # such an image is blackened
            raise InvalidRequestError(
                f"The image generator {self.id} withheld an image of {excerpt(description)!r} "
                "(its safety checker): word the request differently."
            )
        return list(made.images)


def _is_local(name: str) -> bool:
    return Path(name).expanduser().is_dir() or not re.fullmatch(r"\w[\w.-]*/[\w.-]+", name)


def _sides(size: str | None) -> dict[str, int]:
    return dict(zip(("width", "height"), map(int, size.split("x")), strict=True)) if size else {}


def _folder_id(folder: Path) -> str:
    """``FOLDERNAME@DIGEST``, over the index and every part that has weights."""
    index = folder / INDEX
    if not index.is_file():
        raise ModelUnavailableError(
            f"{folder} holds no {INDEX}: name a folder that a pipeline of diffusers was saved to."
        )
    parts = sorted(path.parent for path in folder.glob("*/config.json") if any(path.parent.glob("*.safetensors")))
    whole = [index.read_text(encoding="utf-8"), *(hub.folder_id(part, "config.json") for part in parts)]
    return f"{folder.resolve().name}@{hashlib.sha256(''.join(whole).encode()).hexdigest()[:12]}"


def _load(source: str, device: str, dtype: DType, local: bool) -> Any:
    try:
        diffusers: Any = importlib.import_module("diffusers")  # an extra
    except ImportError as error:
        raise ModelUnavailableError(
            f'The image generator diffusers:{source} needs a package: pip install "ipcir-tools[diffusers]". {WAYS_OUT}'
        ) from error

    def load() -> Any:
        pipeline = diffusers.AutoPipelineForText2Image.from_pretrained(
            source,
            torch_dtype=torch_dtype(dtype),
            use_safetensors=True,  # a pickle could run code
            local_files_only=True,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline.to(device)

    return hub.fetch(
        f"diffusers:{source}",
        load,
        ways_out=WAYS_OUT,
        requirements=None if local else lambda read: _needed(source, read),
    )


def _needed(repo: str, read: ReadJson) -> list[Needed]:
    """The parts that the pipeline's index names with a class."""
    parts = [part for part, kind in read(repo, INDEX).items() if isinstance(kind, list) and all(kind)]
    return [Needed(repo, diffusers_files(parts))]
