"""Edits of garments, and the many ways in which people phrase them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from ipcir_tools.demo.world import garments
from ipcir_tools.demo.world.captions import PATTERN_NOUNS, length_word, with_article
from ipcir_tools.demo.world.garments import Garment

_INTERCHANGEABLE = (("t-shirt", "shirt", "sweater"), ("dress", "jumpsuit"), ("skirt", "trousers"))
"""Kinds that can replace each other with every other attribute kept."""
_NOUNS = {"buttons": ("buttons", "the buttons"), "pocket": ("a pocket", "the pocket"), "belt": ("a belt", "the belt")}


@dataclass(frozen=True)
class Edit:
    """One attribute set to a new value."""

    slot: str
    value: Any

    def apply(self, garment: Garment) -> Garment:
        """The garment after the edit."""
        return garment.changed(**{self.slot: self.value})


@dataclass(frozen=True)
class Phrases:
    """Phrases for one edit by grammatical form, so that two edits can be joined into good English."""

    bare: tuple[str, ...]
    """Following the reference: "in blue", "with a belt"."""
    states: tuple[str, ...]
    """As FashionIQ's annotators write: "is blue", "has a belt"."""
    orders: tuple[str, ...]
    """As people ask: "make it blue", "add a belt"."""


def possible_edits(garment: Garment) -> list[Edit]:
    """Every single edit of a garment."""
    found = [
        Edit(slot, value)
        for slot in garments.slots_of(garment.kind)
        for value in garments.values_of(garment.kind, slot)
        if value != getattr(garment, slot) and (slot != "length" or length_word(garment.changed(length=value)))
    ]
    kin = next((group for group in _INTERCHANGEABLE if garment.kind in group), ())
    return found + [
        Edit("kind", kind) for kind in kin if kind != garment.kind and garment.neck in (None, *garments.necks_of(kind))
    ]


def phrases(garment: Garment, edit: Edit) -> Phrases:
    """The phrases for one edit of this garment."""
    if edit.slot in _NOUNS:
        return _detail(edit)
    return _PHRASES[edit.slot](garment, edit.value)


def write_modification(rng: random.Random, garment: Garment, edits: list[Edit]) -> str:
    """A modification that asks for one edit, or for several."""
    form = rng.choice(("bare", "states", "orders"))
    texts: list[str] = [rng.choice(getattr(phrases(garment, edit), form)) for edit in edits]
    if len(texts) == 1:
        return rng.choice(("", "", "the same but ")) + texts[0] if form == "bare" else texts[0]
    return ", ".join(texts[:-1]) + rng.choice((" and ", ", ")) + texts[-1] if form == "bare" else " and ".join(texts)


def _detail(edit: Edit) -> Phrases:
    some, the = _NOUNS[edit.slot]
    if edit.value:
        return Phrases((f"with {some}",), (f"has {some}",), (f"add {some}", f"give it {some}"))
    name = the.removeprefix("the ")
    return Phrases(
        (f"without {the}", f"with no {name}"), (f"has no {name}",), (f"remove {the}", f"lose {the}", f"take off {the}")
    )


def _colour(garment: Garment, value: str) -> Phrases:
    old = garment.colour
    return Phrases(
        (f"in {value}", f"{value} instead of {old}"),
        (f"is {value}", f"is {value} instead of {old}"),
        (f"make it {value}", f"change the colour to {value}", f"turn it {value}"),
    )


def _pattern(garment: Garment, value: str) -> Phrases:
    old = PATTERN_NOUNS.get(garment.pattern)
    if value == "plain":
        return Phrases(
            (f"without the {old}", "plain"), ("is plain", f"has no {old}"), ("make it plain", f"remove the {old}")
        )
    noun = PATTERN_NOUNS[value]
    if old is None:
        return Phrases(
            (f"with {noun}", value),
            (f"is {value}", f"has {noun}"),
            (f"make it {value}", f"add {noun}"),
        )
    return Phrases(
        (f"with {noun} instead of {old}", value),
        (f"is {value}", f"is {value} instead of {garment.pattern}"),
        (f"make it {value}", f"swap the {old} for {noun}", f"change the {old} to {noun}"),
    )


def _sleeve(garment: Garment, value: str) -> Phrases:
    if value == "sleeveless":
        return Phrases(
            ("sleeveless", "without sleeves"),
            ("is sleeveless", "has no sleeves"),
            ("make it sleeveless", "remove the sleeves"),
        )
    longer = "longer" if value == "long" else "shorter"
    compared = (f"has {longer} sleeves",) if garment.sleeve != "sleeveless" else ()
    return Phrases((f"with {value} sleeves",), (f"has {value} sleeves", *compared), (f"give it {value} sleeves",))


def _length(garment: Garment, value: str) -> Phrases:
    word = length_word(garment.changed(length=value))
    compared = {("medium", "long"): ("is longer",), ("medium", "short"): ("is shorter",)}.get(
        (garment.length, value), ()
    )
    return Phrases((word,), (f"is {word}", *compared), (f"make it {word}",))


def _neck(garment: Garment, value: str) -> Phrases:
    new = with_article(value)
    old = garment.neck or ""
    return Phrases(
        (f"with {new}", f"with {new} instead of {with_article(old)}"),
        (f"has {new}",),
        (f"give it {new}", f"change the {old} to {new}"),
    )


def _kind(garment: Garment, value: str) -> Phrases:
    new, old = with_article(value), garment.kind
    return Phrases(
        (f"as {new}", f"{new} instead of {with_article(old)}"),
        (f"is {new}", f"is {new} instead of {with_article(old)}"),
        (f"make it {new}", f"change the {old} to {new}"),
    )


_PHRASES = {"colour": _colour, "pattern": _pattern, "sleeve": _sleeve, "length": _length, "neck": _neck, "kind": _kind}
