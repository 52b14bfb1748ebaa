"""The wardrobe's own image generator: reads a description back into a garment and renders it in random scenes."""

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
_OTHER_WORDS = {
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
"""Words of others by the wardrobe's own."""


def garment_of(description: str) -> Garment | None:
    """The garment that a description names, None where it names none: ``garment_of(words.caption(g)) == g``.

    What is not said is as it is most often: medium length, plain, a round neck where there is a neck, no details.
    """
    text = _ABSENT.sub(" ", description.lower())
    sleeves = _SLEEVES.search(text)
    said = _words(_SLEEVES.sub(" ", text))
    kinds = [word for word in said if word in garments.KINDS]
    if not kinds:
        return None
    kind = kinds[0]
    head = said[: said.index(kind)]
    return Garment(
        kind=kind,
        # What stands before the kind belongs to it: "a red dress with white buttons".
        colour=_last(head, garments.COLOURS) or _first(said, garments.COLOURS) or "white",
        pattern=_last(head, garments.PATTERNS) or _first(said, garments.PATTERNS) or "plain",
        length=_last(head, garments.LENGTHS) or _first(said, garments.LENGTHS) or "medium",
        sleeve=None if kind in BOTTOMS else _sleeve(kind, said, sleeves),
        neck=_neck(kind, text, said),
        **{detail: detail in said for detail in garments.details_of(kind)},
    )


def _words(text: str) -> list[str]:
    plain = text.replace("t shirt", "t-shirt").replace("knee length", "knee-length")
    return [_OTHER_WORDS.get(word, word) for word in re.findall(r"[a-z]+(?:-[a-z]+)*", plain)]


def _first(said: Sequence[str], known: Sequence[str] | Mapping[str, object]) -> str | None:
    return next((word for word in said if word in known), None)


def _last(said: Sequence[str], known: Sequence[str] | Mapping[str, object]) -> str | None:
    return _first(said[::-1], known)


def _sleeve(kind: str, said: Sequence[str], sleeves: re.Match[str] | None) -> str:
    if "sleeveless" in said:
        return "sleeveless"
    usual = "short" if kind in ("t-shirt", "dress", "jumpsuit") else "long"
    return sleeves[1] if sleeves else usual


def _neck(kind: str, text: str, said: Sequence[str]) -> str | None:
    there = garments.necks_of(kind)
    if not there:
        return None
    joined = re.sub(r"\b(v|turtle)[ -]?neck", lambda found: {"v": "v-neck", "turtle": "turtleneck"}[found[1]], text)
    named = [neck for neck in there if neck in joined or neck.partition(" ")[0] in said]
    return named[0] if named else there[0]


def scene_of(description: str, rng: random.Random) -> Scene:
    """A random scene, but for what the description says of it: "worn by a person", "in a garden"."""
    scene = garments.draw_scene(rng)
    tables = {
        "background": garments.BACKGROUNDS,
        "presentation": garments.PRESENTATIONS,
        "light": garments.LIGHTS,
        "position": garments.POSITIONS,
        "size": garments.SIZES,
    }
    text = description.lower()
    said: dict[str, Any] = {
        slot: value for slot, table in tables.items() for value, phrase in table.items() if phrase and phrase in text
    }
    for value, word in garments.SHADES.items():
        if word and re.search(rf"\b{word}\W+(?:{'|'.join(garments.COLOURS)})\b", text):
            said["shade"] = value
    return replace(scene, **said)


class WardrobeImageGenerator(ImageGenerator):
    """Draws garments in random scenes. It sees the description alone, as image generators of IP-CIR do: never the
    reference."""

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
