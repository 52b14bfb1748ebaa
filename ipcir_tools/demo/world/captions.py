"""Captions of the wardrobe: what the captioner is taught to say, and the looser texts that the CLIP is taught on."""

from __future__ import annotations

import random

from ipcir_tools.demo.world import garments
from ipcir_tools.demo.world.garments import Garment, Scene

PATTERN_NOUNS = {
    "striped": "stripes",
    "dotted": "dots",
    "checked": "checks",
    "floral": "flowers",
    "zigzag": "zigzags",
}


def length_word(garment: Garment) -> str:
    """The word for the length; a top of medium length has none."""
    if garment.kind in garments.TOPS:
        return {"short": "cropped", "medium": "", "long": "long"}[garment.length]
    return {"short": "short", "medium": "knee-length", "long": "long"}[garment.length]


def with_article(words: str) -> str:
    """The noun phrase with its article; trousers have none."""
    if words.endswith("trousers"):
        return words
    return ("an " if words[0] in "aeiou" else "a ") + words


def join(parts: list[str]) -> str:
    """An English list: ``a, b and c``."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def features(garment: Garment) -> list[str]:
    """What follows "with", in the order of the canonical caption."""
    said = []
    if garment.sleeve in ("short", "long"):
        said.append(f"{garment.sleeve} sleeves")
    if garment.neck:
        said.append(f"a {garment.neck}")
    said += ["buttons"] * garment.buttons + ["a pocket"] * garment.pocket + ["a belt"] * garment.belt
    return said


def noun_phrase(garment: Garment, shade: str = "") -> str:
    """The adjectives and the kind, without an article."""
    sleeveless = "sleeveless" if garment.sleeve == "sleeveless" else ""
    words = (length_word(garment), sleeveless, shade, garment.colour, garment.pattern, garment.kind)
    return " ".join(word for word in words if word)


def caption(garment: Garment) -> str:
    """The canonical caption, the one that the captioner is taught: every attribute, nothing of the scene."""
    said = features(garment)
    return with_article(noun_phrase(garment)) + (f" with {join(said)}" if said else "")


def scene_phrases(scene: Scene) -> list[str]:
    """Everything that can be said of a scene, but for the shade, which is an adjective of the colour."""
    said = (
        garments.PRESENTATIONS[scene.presentation],
        garments.BACKGROUNDS[scene.background],
        garments.LIGHTS[scene.light],
        garments.POSITIONS[scene.position],
        garments.SIZES[scene.size],
    )
    return [phrase for phrase in said if phrase]


def loose_caption(rng: random.Random, garment: Garment, scene: Scene, scene_share: float = 0.3) -> str:
    """A caption as the web has them: some attributes left out, the scene mentioned now and then.

    Each phrase of the scene is there with probability ``scene_share``.
    """
    said = features(garment)
    if rng.random() < 0.3:
        said = [phrase for phrase in said if rng.random() < 0.6]
        rng.shuffle(said)
    shade = garments.SHADES[scene.shade] if rng.random() < scene_share else ""
    noun = noun_phrase(garment, shade)
    if garment.pattern == "plain" and rng.random() < 0.3:
        noun = noun.replace("plain ", "")
    elif garment.pattern in PATTERN_NOUNS and rng.random() < 0.1:
        noun = noun.replace(f"{garment.pattern} ", "")
        said = [*said, PATTERN_NOUNS[garment.pattern]]
    text = with_article(noun) + (f" with {join(said)}" if said else "")
    around = [phrase for phrase in scene_phrases(scene) if rng.random() < scene_share]
    rng.shuffle(around)
    opening = rng.choice(("", "", "", "a photo of ", "a picture of "))
    return opening + " ".join([text, *around])
