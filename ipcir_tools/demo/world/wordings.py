"""Other wordings of a query's edits, and the kinds of these edits.

The wordings are in a fixed order, so that the first of every query is built alike and so on: what is left out of an
exact copy of the reference, an order, a wish, a change of the part, and a contrast with what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ipcir_tools.demo.world.captions import PATTERN_NOUNS, length_word, with_article
from ipcir_tools.demo.world.edits import Edit
from ipcir_tools.demo.world.garments import Garment

Kind = Literal["add", "remove", "replace", "compare"]

_DETAILS = {"buttons": "buttons", "pocket": "a pocket", "belt": "a belt"}


def kind_of(garment: Garment, edit: Edit) -> Kind:
    """The kind of an edit of this garment: sleeves and lengths are compared where there is one before and after."""
    if edit.slot == "length":
        return "compare"
    nothing = {"pattern": "plain", "sleeve": "sleeveless"}.get(edit.slot, False)
    before = getattr(garment, edit.slot)
    if edit.slot in _DETAILS or nothing in (before, edit.value):
        return "remove" if edit.value == nothing else "add"
    return "compare" if edit.slot == "sleeve" else "replace"


def wordings(garment: Garment, edits: Sequence[Edit], modification: str) -> tuple[str, ...]:
    """Five wordings of the edits of this garment, none of which is the ``modification`` itself."""
    bare, orders, changes, contrasts = zip(*(_forms(garment, edit) for edit in edits), strict=True)
    made = [
        f"the same one but {' and '.join(bare)}",
        " and ".join(orders),
        f"I want it {' and '.join(bare)}",
        ", and ".join(changes),
        " and ".join(contrasts),
    ]
    return tuple(f"{text}, please" if text == modification else text for text in made)


def _forms(garment: Garment, edit: Edit) -> tuple[str, str, str, str]:
    """One edit after "the same but", as an order, as a change of what it concerns, and as a contrast."""
    if edit.slot in _DETAILS:
        return _detail(edit)
    return _FORMS[edit.slot](garment, edit.value)


def _detail(edit: Edit) -> tuple[str, str, str, str]:
    some = _DETAILS[edit.slot]
    the = some.removeprefix("a ")
    if edit.value:
        return f"with {some}", f"add {some}", f"put {some} on it", f"it should have {some}"
    return f"without the {the}", f"remove the {the}", f"take the {the} off", f"no {the} any more"


def _colour(garment: Garment, value: str) -> tuple[str, str, str, str]:
    return f"in {value}", f"make it {value}", f"change the colour to {value}", f"{value} instead of {garment.colour}"


def _pattern(garment: Garment, value: str) -> tuple[str, str, str, str]:
    old = PATTERN_NOUNS.get(garment.pattern, "")
    if value == "plain":
        return "plain", "make it plain", f"take the {old} away", f"plain instead of {garment.pattern}"
    new = PATTERN_NOUNS[value]
    change = f"swap the {old} for {new}" if old else f"change the pattern to {new}"
    return f"with {new}", f"make it {value}", change, f"{value} instead of {garment.pattern}"


def _sleeve(garment: Garment, value: str) -> tuple[str, str, str, str]:
    if value == "sleeveless":
        return "without sleeves", "make it sleeveless", "take the sleeves off", "sleeveless instead of with sleeves"
    if garment.sleeve == "sleeveless":
        return f"with {value} sleeves", f"give it {value} sleeves", f"add {value} sleeves", f"it needs {value} sleeves"
    contrast = f"{value} sleeves instead of {garment.sleeve} ones"
    return f"with {value} sleeves", f"give it {value} sleeves", f"change the sleeves to {value} ones", contrast


def _length(garment: Garment, value: str) -> tuple[str, str, str, str]:
    new, old = length_word(garment.changed(length=value)), length_word(garment)
    longer = "longer" if value == "long" else "shorter"
    contrast = f"{new} instead of {old}" if old else f"{longer} than this one"
    return new, f"make it {new}", f"change the length to {new}", contrast


def _neck(garment: Garment, value: str) -> tuple[str, str, str, str]:
    new, old = with_article(value), garment.neck or ""
    return f"with {new}", f"give it {new}", f"swap the {old} for {new}", f"{new} instead of {with_article(old)}"


def _kind(garment: Garment, value: str) -> tuple[str, str, str, str]:
    new, old = with_article(value), garment.kind
    return f"as {new}", f"make it {new}", f"turn the {old} into {new}", f"{new} instead of {with_article(old)}"


_FORMS = {"colour": _colour, "pattern": _pattern, "sleeve": _sleeve, "length": _length, "neck": _neck, "kind": _kind}
