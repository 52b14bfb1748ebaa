"""Encoders, captioners and image generators by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ipcir_tools.errors import InvalidRequestError, IPCIRError, ModelUnavailableError
from ipcir_tools.models import hub
from ipcir_tools.models.captioner import Captioner, parsed_captioner
from ipcir_tools.models.chat_captioner import CHAT_PIXELS, CHAT_PROMPT, ChatCaptioner, _chat_model
from ipcir_tools.models.devices import pick_device, pick_dtype
from ipcir_tools.models.encoder import Encoder
from ipcir_tools.models.image_generator import WAYS_OUT, ImageGenerator
from ipcir_tools.models.open_clip import KEPT_ENCODERS, OpenClipEncoder, open_model, parsed_encoder
from ipcir_tools.models.transformers_captioner import GENERATION, KEPT_CAPTIONERS, TransformersCaptioner, open_captioner
from ipcir_tools.settings import Settings
from ipcir_tools.text import error_sentence, json_digest

ON_ACCELERATOR = "transformers:Salesforce/blip2-opt-2.7b"
ON_CPU = "transformers:Salesforce/blip-image-captioning-base"


def captioner_id(name: str, device: str = "auto") -> str:
    """Identity of the captioner without loading it, as ``Captioner.id`` gives it: weights and settings.

    A folder becomes ``transformers:FOLDERNAME@DIGEST``. torch is imported for ``auto`` alone, which depends on
    ``device``. Raises ``InvalidRequestError`` for a malformed name and ``ModelUnavailableError`` for a folder
    without a model.
    """
    name = _resolved(name, device)
    parsed = parsed_captioner(name)
    if parsed.kind == "chat":
        return f"{name}/{json_digest([CHAT_PROMPT, CHAT_PIXELS])[:8]}"
    weights = f"transformers:{hub.folder_id(parsed.folder, 'config.json')}" if parsed.folder else name
    return f"{weights}/{json_digest(GENERATION)[:8]}"


def _resolved(name: str, device: str) -> str:
    if name != "auto":
        return name
    return ON_CPU if pick_device(device) == "cpu" else ON_ACCELERATOR


def load_captioner(name: str, *, device: str = "auto", dtype: str = "auto", batch_size: int = 16) -> Captioner:
    """The captioner of that name; weights are loaded at most once per process for each device and dtype.

    Raises ``InvalidRequestError`` for names that can never work and ``ModelUnavailableError``, within seconds, for a
    model that cannot be had.
    """
    name = _resolved(name, device)
    identity, parsed = captioner_id(name), parsed_captioner(name)
    if parsed.kind == "chat":
        return ChatCaptioner(_chat_model(parsed.model), id=identity, batch_size=batch_size)
    device = pick_device(device)
    precision = pick_dtype(dtype, device)
    loaded = KEPT_CAPTIONERS.get((identity, device, precision), lambda: open_captioner(name, parsed, device, precision))
    return TransformersCaptioner(loaded, id=identity, device=device, dtype=precision, batch_size=batch_size)


IMAGE_GENERATOR_GRAMMAR = "openai:MODEL, diffusers:ORG/NAME, diffusers:PATH, python:MODULE:NAME or wardrobe"

WARDROBE = "python:ipcir_tools.demo.image_generator:WardrobeImageGenerator"
IMAGE_GENERATORS = {
    "openai": "ipcir_tools.models.openai_images:OpenAIImageGenerator",
    "diffusers": "ipcir_tools.models.diffusers_images:DiffusersImageGenerator",
}
"""By name, as image generators of the user's own are: the brick knows none of them."""


def load_image_generator(name: str | None, settings: Settings | None = None) -> ImageGenerator:
    """The image generator of that name. No server is asked anything here.

    Raises InvalidRequestError for a name that can never work, and ModelUnavailableError for None, for a package that
    is missing and for a model that cannot be had.
    """
    if name is None:
        raise ModelUnavailableError(
            f"No image generator is chosen: name one in IPCIR_IMAGE_GENERATOR ({IMAGE_GENERATOR_GRAMMAR}), "
            "or use --models demo."
        )
    kind, _, rest = (WARDROBE if name == "wardrobe" else name).partition(":")
    if kind == "python" and all(rest.partition(":")):
        return _own(rest)
    if kind not in IMAGE_GENERATORS or not rest:
        raise InvalidRequestError(f"{name!r} names no image generator: use {IMAGE_GENERATOR_GRAMMAR}.")
    image_generator: ImageGenerator = _found(IMAGE_GENERATORS[kind])(rest, settings or Settings())
    return image_generator


def _own(name: str) -> ImageGenerator:
    try:
        image_generator = _found(name)()
    except IPCIRError:
        raise
    except Exception as error:  # somebody else's module may raise anything; all of it means: no image generator
        raise ModelUnavailableError(
            f"Cannot load the image generator python:{name}: {error_sentence(error)} {WAYS_OUT}"
        ) from error
    if not isinstance(image_generator, ImageGenerator):
        raise ModelUnavailableError(
            f"python:{name} gives a {type(image_generator).__name__}, "
            "not an ImageGenerator of ipcir_tools.models.image_generator."
        )
    return image_generator


def _found(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def encoder_id(name: str) -> str:
    """Identity of the weights, without loading them: no torch is imported.

    The name itself, but for a folder ``open_clip:FOLDERNAME@DIGEST``: see ``hub.folder_id``. Raises
    ``InvalidRequestError`` for a malformed name and ``ModelUnavailableError`` for a folder that holds no model.
    """
    parsed = parsed_encoder(name)
    if parsed.kind != "local-dir":
        return name
    return f"open_clip:{hub.folder_id(parsed.folder, 'open_clip_config.json')}"


def load_encoder(name: str, *, device: str = "auto", dtype: str = "auto", batch_size: int = 64) -> Encoder:
    """The encoder of that name, loaded at most once per process for each device and dtype.

    ``device``: auto (cuda, mps, cpu), or one of them; ``dtype``: auto (float32 on a CPU, half precision elsewhere) or
    one by name. Raises ``InvalidRequestError`` for names that can never work and ``ModelUnavailableError``, within
    seconds, for weights that cannot be had.
    """
    identity, parsed = encoder_id(name), parsed_encoder(name)
    device = pick_device(device)
    precision = pick_dtype(dtype, device)
    loaded = KEPT_ENCODERS.get(
        (identity, device, precision), lambda: open_model(name, identity, parsed, device, precision)
    )
    return OpenClipEncoder(name, loaded, device=device, dtype=precision, batch_size=batch_size)
