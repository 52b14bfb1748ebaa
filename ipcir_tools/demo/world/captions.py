"""Captions of the wardrobe: those that the captioner is trained on, and the looser ones that the CLIP is trained on."""

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
    """The phrases after "with", in the order of the canonical caption."""
    phrases = []
    if garment.sleeve in ("short", "long"):
        phrases.append(f"{garment.sleeve} sleeves")
    if garment.neck:
        phrases.append(f"a {garment.neck}")
    phrases += ["buttons"] * garment.buttons + ["a pocket"] * garment.pocket + ["a belt"] * garment.belt
    return phrases


def noun_phrase(garment: Garment, shade: str = "") -> str:
    """The adjectives and the kind, without an article."""
    sleeveless = "sleeveless" if garment.sleeve == "sleeveless" else ""
    words = (length_word(garment), sleeveless, shade, garment.colour, garment.pattern, garment.kind)
    return " ".join(word for word in words if word)


def caption(garment: Garment) -> str:
    """The canonical caption, which the captioner is trained on: every attribute, nothing of the scene."""
    details = features(garment)
    return with_article(noun_phrase(garment)) + (f" with {join(details)}" if details else "")


def scene_phrases(scene: Scene) -> list[str]:
    """The phrases for a scene, without the shade, which is an adjective of the colour."""
    phrases = (
        garments.PRESENTATIONS[scene.presentation],
        garments.BACKGROUNDS[scene.background],
        garments.LIGHTS[scene.light],
        garments.POSITIONS[scene.position],
        garments.SIZES[scene.size],
    )
    return [phrase for phrase in phrases if phrase]


def loose_caption(rng: random.Random, garment: Garment, scene: Scene, scene_share: float = 0.3) -> str:
    """A caption as on web pages: some attributes are left out, the scene is sometimes mentioned.

    Each phrase of the scene is included with probability ``scene_share``.
    """
    details = features(garment)
    if rng.random() < 0.3:
        details = [phrase for phrase in details if rng.random() < 0.6]
        rng.shuffle(details)
    shade = garments.SHADES[scene.shade] if rng.random() < scene_share else ""
    noun = noun_phrase(garment, shade)
    if garment.pattern == "plain" and rng.random() < 0.3:
        noun = noun.replace("plain ", "")
    elif garment.pattern in PATTERN_NOUNS and rng.random() < 0.1:
        noun = noun.replace(f"{garment.pattern} ", "")
        details = [*details, PATTERN_NOUNS[garment.pattern]]
    text = with_article(noun) + (f" with {join(details)}" if details else "")
    around = [phrase for phrase in scene_phrases(scene) if rng.random() < scene_share]
    rng.shuffle(around)
    opening = rng.choice(("", "", "", "a photo of ", "a picture of "))
    return opening + " ".join([text, *around])
