"""Garments and scenes: their attributes, how they are sampled, and how they are split into parts.

A garment has the attributes that captions name; a scene has those that captions leave out. The train, validation and
test parts share no combination of kind, colour and pattern, so that the test part measures composition, not recall.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, replace
from typing import Any, Literal

Part = Literal["train", "val", "test"]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (206, 42, 48),
    "orange": (240, 134, 38),
    "yellow": (246, 206, 62),
    "green": (52, 144, 74),
    "teal": (28, 158, 164),
    "blue": (46, 92, 196),
    "purple": (124, 66, 168),
    "pink": (242, 132, 172),
    "brown": (122, 78, 48),
    "black": (36, 36, 42),
    "white": (244, 244, 240),
    "grey": (140, 144, 150),
}
PATTERNS = ("plain", "striped", "dotted", "checked", "floral", "zigzag")
SLEEVES = ("sleeveless", "short", "long")
LENGTHS = ("short", "medium", "long")
NECKS = ("round neck", "v-neck", "collar", "turtleneck")
DETAILS = ("buttons", "pocket", "belt")

TOPS = ("t-shirt", "shirt", "sweater", "hoodie", "jacket")
BOTTOMS = ("skirt", "trousers")
KINDS = (*TOPS, "coat", "dress", "jumpsuit", *BOTTOMS)

BACKGROUNDS = {
    "studio": "in a studio",
    "pink": "in front of a pink wall",
    "brick": "in front of a brick wall",
    "wood": "in front of wooden planks",
    "garden": "in a garden",
    "beach": "on a beach",
    "tiles": "in front of teal tiles",
    "night": "in the city at night",
    "curtain": "in front of a lilac curtain",
    "sunset": "at sunset",
}
PRESENTATIONS = {
    "hanger": "on a hanger",
    "mannequin": "on a mannequin",
    "person": "worn by a person",
    "flat": "laid flat",
}
SHADES = {"light": "light", "normal": "", "deep": "dark"}
LIGHTS = {"neutral": "", "warm": "in warm light", "cool": "in cool light", "dim": "in dim light"}
POSITIONS = {"left": "on the left", "centre": "", "right": "on the right"}
SIZES = {"near": "close up", "normal": "", "far": "from afar"}


@dataclass(frozen=True)
class Garment:
    """The attributes that captions name. One that the kind does not have is None (no sleeves on a skirt) or False."""

    kind: str
    colour: str
    pattern: str
    length: str
    sleeve: str | None = None
    neck: str | None = None
    buttons: bool = False
    pocket: bool = False
    belt: bool = False

    def changed(self, **changes: Any) -> Garment:
        """The same garment with some attributes changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Scene:
    """The attributes that captions leave out. ``seed`` shifts the drawing a little, so that two pictures of one scene
    differ."""

    background: str
    presentation: str
    shade: str
    light: str
    position: str
    size: str
    seed: int = 0


def necks_of(kind: str) -> tuple[str, ...]:
    """Necklines that a kind can have."""
    if kind in BOTTOMS or kind == "hoodie":
        return ()
    return NECKS[:3] if kind in ("jacket", "coat", "jumpsuit") else NECKS


def details_of(kind: str) -> tuple[str, ...]:
    """Details that a kind can have."""
    if kind in BOTTOMS:
        return ("pocket", "belt")
    if kind in ("t-shirt", "shirt", "sweater", "hoodie"):
        return ("buttons", "pocket")
    return DETAILS


def slots_of(kind: str) -> tuple[str, ...]:
    """The attributes of a kind that an edit can change, apart from the kind itself."""
    upper = () if kind in BOTTOMS else ("sleeve",)
    neck = ("neck",) if necks_of(kind) else ()
    return ("colour", "pattern", "length", *upper, *neck, *details_of(kind))


def values_of(kind: str, slot: str) -> tuple[Any, ...]:
    """The values that a slot of this kind can take."""
    if slot == "neck":
        return necks_of(kind)
    table = {"colour": tuple(COLOURS), "pattern": PATTERNS, "length": LENGTHS, "sleeve": SLEEVES, "kind": KINDS}
    return table.get(slot, (False, True))


def part_of(garment: Garment) -> Part:
    """The part of a combination of kind, colour and pattern: 70 % train, 10 % val, 20 % test."""
    key = f"{garment.kind}/{garment.colour}/{garment.pattern}".encode()
    share = zlib.crc32(key) % 10
    return "train" if share < 7 else "val" if share < 8 else "test"


def draw_garment(rng: random.Random, part: Part) -> Garment:
    """A random garment whose combination belongs to the part."""
    while True:
        kind = rng.choice(KINDS)
        values = {slot: rng.choice(values_of(kind, slot)) for slot in slots_of(kind)}
        for detail in details_of(kind):
            values[detail] = rng.random() < 0.35
        garment = Garment(kind=kind, **values)
        if part_of(garment) == part:
            return garment


def draw_scene(rng: random.Random) -> Scene:
    """A random scene."""
    return Scene(
        background=rng.choice(list(BACKGROUNDS)),
        presentation=rng.choice(list(PRESENTATIONS)),
        shade=rng.choice(list(SHADES)),
        light=rng.choice(list(LIGHTS)),
        position=rng.choice(list(POSITIONS)),
        size=rng.choice(list(SIZES)),
        seed=rng.randrange(1 << 30),
    )
