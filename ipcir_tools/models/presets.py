"""Presets: the encoder, captioner and image generator that are used together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ipcir_tools.settings import Settings

DEMO_FOLDER = Path(__file__).parents[1] / "demo" / "models"
"""The small trained models that ship with the package."""

DEFAULT, DEMO = "default", "demo"


@dataclass(frozen=True)
class ModelNames:
    """The names that ``load_encoder``, ``load_captioner`` and ``load_image_generator`` take, and the set they come
    from."""

    models: str
    encoder: str
    captioner: str
    image_generator: str | None = None
    """From the settings or the preset alone: a gallery holds no drawn images, so none is noted."""
    networks: Path | None = None
    """Folder of the set's trained networks, each in a folder of its composer's name."""


SETS = {
    DEFAULT: ModelNames(DEFAULT, "open_clip:ViT-B-32/laion2b_s34b_b79k", "auto"),
    DEMO: ModelNames(
        DEMO,
        f"open_clip:local-dir:{DEMO_FOLDER / 'clip'}",
        f"transformers:{DEMO_FOLDER / 'blip'}",
        image_generator="wardrobe",
        networks=DEMO_FOLDER,
    ),
}


def chosen_models(settings: Settings, noted: Mapping[str, str]) -> ModelNames:
    """The models of the settings, else those that made the gallery (``noted``), else the default ones.

    ``noted`` holds "models", "encoder" and "captioner" as :func:`noted_models` wrote them. A named set overrides
    what was noted as a whole; a single named model overrides that model.
    """
    is_known = noted.get("models", DEFAULT) in SETS  # else the note is damaged, or of a later version
    known = {} if settings.models or not is_known else noted
    names = SETS[settings.models or known.get("models", DEFAULT)]
    return ModelNames(
        names.models,
        settings.encoder or known.get("encoder") or names.encoder,
        settings.captioner or known.get("captioner") or names.captioner,
        settings.image_generator or names.image_generator,
        names.networks,
    )


def noted_models(names: ModelNames) -> dict[str, str]:
    """What a gallery records of its models: the preset, and the names that differ from the preset's, else "".

    The path of the demo models differs from one installation to the next, so it is not written down.
    """
    own = SETS[names.models]
    return {
        "models": names.models,
        "encoder": "" if names.encoder == own.encoder else names.encoder,
        "captioner": "" if names.captioner == own.captioner else names.captioner,
    }
