"""The wardrobe's own image generator: parses a description into a garment and draws it in random scenes."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world import garments
from ipcir_tools.demo.world.captions import PATTERN_NOUNS
from ipcir_tools.demo.world.garments import BOTTOMS, Garment, Scene
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.models.image_generator import ImageGenerator
from ipcir_tools.settings import Settings

if TYPE_CHECKING:
    from PIL import Image


_ABSENT = re.compile(r"\b(?:without|no|lacking)\s+(?:(?:a|an|any|the)\s+)?[\w-]+(?:\s+(?:sleeves?|neck))?")
_SLEEVES = re.compile(r"\b(short|long)(?:er)?[ -]sleeve[sd]?\b")
_SYNONYMS = {
    "tee": "t-shirt",
    "tshirt": "t-shirt",
    "blouse": "shirt",
    "jumper": "sweater",
    "pullover": "sweater",
    "gown": "dress",
    "pants": "trousers",
    "gray": "grey",
    "violet": "purple",
    "navy": "blue",
    "stripe": "striped",
    "polka": "dotted",
    "spotted": "dotted",
    "plaid": "checked",
    "checkered": "checked",
    "flowered": "floral",
    "solid": "plain",
    "cropped": "short",
    "mini": "short",
    "knee-length": "medium",
    "midi": "medium",
    "maxi": "long",
    "collared": "collar",
    "crew": "round",
    "buttoned": "buttons",
    "button": "buttons",
    "pockets": "pocket",
    "belted": "belt",
    **{noun: pattern for pattern, noun in PATTERN_NOUNS.items()},
}
"""Other words for the attributes, each with the wardrobe's own."""


def garment_of(description: str) -> Garment | None:
    """The garment that a description names, None where it names none: ``garment_of(captions.caption(g)) == g``.

    What is not named has its most frequent value: medium length, plain, a round neck where there is a neck, no details.
    """
    text = _ABSENT.sub(" ", description.lower())
    sleeves = _SLEEVES.search(text)
    words = _words(_SLEEVES.sub(" ", text))
    kinds = [word for word in words if word in garments.KINDS]
    if not kinds:
        return None
    kind = kinds[0]
    head = words[: words.index(kind)]
    return Garment(
        kind=kind,
        # What is before the kind belongs to it: "a red dress with white buttons".
        colour=_last(head, garments.COLOURS) or _first(words, garments.COLOURS) or "white",
        pattern=_last(head, garments.PATTERNS) or _first(words, garments.PATTERNS) or "plain",
        length=_last(head, garments.LENGTHS) or _first(words, garments.LENGTHS) or "medium",
        sleeve=None if kind in BOTTOMS else _sleeve(kind, words, sleeves),
        neck=_neck(kind, text, words),
        **{detail: detail in words for detail in garments.details_of(kind)},
    )


def _words(text: str) -> list[str]:
    plain = text.replace("t shirt", "t-shirt").replace("knee length", "knee-length")
    return [_SYNONYMS.get(word, word) for word in re.findall(r"[a-z]+(?:-[a-z]+)*", plain)]


def _first(words: Sequence[str], known: Sequence[str] | Mapping[str, object]) -> str | None:
    return next((word for word in words if word in known), None)


def _last(words: Sequence[str], known: Sequence[str] | Mapping[str, object]) -> str | None:
    return _first(words[::-1], known)


def _sleeve(kind: str, words: Sequence[str], sleeves: re.Match[str] | None) -> str:
    if "sleeveless" in words:
        return "sleeveless"
    usual = "short" if kind in ("t-shirt", "dress", "jumpsuit") else "long"
    return sleeves[1] if sleeves else usual


def _neck(kind: str, text: str, words: Sequence[str]) -> str | None:
    necks = garments.necks_of(kind)
    if not necks:
        return None
    joined = re.sub(r"\b(v|turtle)[ -]?neck", lambda found: {"v": "v-neck", "turtle": "turtleneck"}[found[1]], text)
    named = [neck for neck in necks if neck in joined or neck.partition(" ")[0] in words]
    return named[0] if named else necks[0]


def scene_of(description: str, rng: random.Random) -> Scene:
    """A random scene, except where the description names it: "worn by a person", "in a garden"."""
    scene = garments.draw_scene(rng)
    tables = {
        "background": garments.BACKGROUNDS,
        "presentation": garments.PRESENTATIONS,
        "light": garments.LIGHTS,
        "position": garments.POSITIONS,
        "size": garments.SIZES,
    }
    text = description.lower()
    named: dict[str, Any] = {
        slot: value for slot, table in tables.items() for value, phrase in table.items() if phrase and phrase in text
    }
    for value, word in garments.SHADES.items():
        if word and re.search(rf"\b{word}\W+(?:{'|'.join(garments.COLOURS)})\b", text):
            named["shade"] = value
    return replace(scene, **named)


class WardrobeImageGenerator(ImageGenerator):
    """Draws garments in random scenes from the description alone, as the image generators of IP-CIR do: it never uses
    the reference."""

    id = "wardrobe/1"

    def __init__(self, name: str = "", settings: Settings | None = None) -> None:
        """Both arguments are those of every provider in ``models/loading.py``; neither changes anything."""

    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        garment = garment_of(description)
        if garment is None:
            raise InvalidRequestError(
                f"The wardrobe draws garments, and {description[:100]!r} names none: choose another image generator "
                "(IPCIR_IMAGE_GENERATOR), or a composer that draws nothing."
            )
        return [render(garment, scene_of(description, random.Random(seed))) for seed in seeds]
