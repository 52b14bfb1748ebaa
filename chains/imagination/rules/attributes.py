"""Setting looks and parts of a draft: adjectives, sleeves, patterns, features."""

from __future__ import annotations

import re
from dataclasses import replace

from ipcir_tools.chains.imagination.rules import lexicon as lx
from ipcir_tools.chains.imagination.rules.caption import (
    Phrase,
    feature_key,
    head_noun,
    holder,
    parse,
    same_kind,
    same_noun,
    unit_slot,
    units_of,
    with_feature,
    with_unit,
    without_feature,
    without_unit,
)
from ipcir_tools.chains.imagination.rules.edits import Draft, Edit
from ipcir_tools.chains.imagination.rules.text import bare, is_plural, plural, says, singular


def set_looks(edit: Edit, draft: Draft) -> None:
    """Adjectives of the main thing or of a part."""
    words = [word.strip(",") for word in edit.text.split() if word not in ("all", "in", "color", "colour")]
    words = [word for word in words if word not in ("different", "similar", "identical", "same")]
    units = [unit for unit in units_of(words) if unit]
    if edit.of and not same_noun(head_noun(edit.of), draft.phrase.noun):
        _set_part(edit.of, units, draft)
        return
    for unit in units:
        set_unit(unit, draft)


def set_unit(unit: str, draft: Draft) -> None:
    """One adjective of the main thing, in place of the one that says the same attribute."""
    phrase = draft.phrase
    slot = unit_slot(unit)
    unit = fitting_length(unit, phrase)
    if slot == "sleeves":
        set_sleeves(unit, draft)
        return
    if slot == "neck" and phrase.feature("neck"):
        draft.removed(bare(phrase.feature("neck")))
        phrase = without_feature(phrase, "neck")
    old = phrase.unit(slot) if slot not in ("other", "") else ""
    if _is_said_already(unit, old, draft):
        draft.touched = True
        return
    draft.phrase = with_unit(phrase, unit) if unit else phrase
    if slot == "length" and unit == "":
        draft.phrase = without_unit(phrase, old)
    if old and old not in draft.phrase.units:
        draft.removed(f"{old} {phrase.noun}" if slot in ("length", "size", "fit") else old)
    opposite = lx.OPPOSITES.get(unit, "")
    opposite = next((word for word in (opposite, lx.CONTRARY.get(unit, "")) if word in draft.phrase.units), opposite)
    if opposite in draft.phrase.units:
        draft.phrase = without_unit(draft.phrase, opposite)
        draft.removed(opposite)
    if slot == "pattern":
        _drop_pattern_features(draft)
    draft.added(unit)


def _is_said_already(unit: str, old: str, draft: Draft) -> bool:
    """*is light blue and has more blue* stays light blue, and a dark black is black."""
    vague = old in draft.add and unit in old.split()
    return vague or (old, unit) in {("black", "dark"), ("white", "light")}


def _drop_pattern_features(draft: Draft) -> None:
    for item in draft.phrase.features:
        if head_noun(item) in {*lx.PATTERN_NOUNS, "print", "pattern", "design"}:
            draft.removed(bare(item))
            draft.phrase = without_feature(draft.phrase, feature_key(item))


def fitting_length(unit: str, phrase: Phrase) -> str:
    """Captions call a short top cropped, and a top of medium length nothing at all."""
    if not phrase.is_garment:
        return unit
    top = singular(phrase.noun) in lx.TOPS
    if unit in ("medium-length", "mid-length"):
        return "" if top else "knee-length"
    if top:
        return {"short": "cropped", "knee-length": ""}.get(unit, unit)
    return "short" if unit == "cropped" and phrase.noun in lx.DRESSES | lx.BOTTOMS else unit


def set_sleeves(unit: str, draft: Draft) -> None:
    """Captions say sleeves as a feature, their absence as an adjective."""
    sized = re.fullmatch(r"(long|short|half|cap)-sleeved?", unit)
    if sized:
        add_item(f"{sized.group(1)} sleeves", draft)
        return
    old = draft.phrase.feature("sleeves")
    if unit == "sleeved":
        add_item(old or "long sleeves", draft)
        return
    if old:
        draft.removed(old)
    draft.phrase = with_unit(without_feature(draft.phrase, "sleeves"), unit)
    draft.added(unit)


def _set_part(part: str, units: list[str], draft: Draft) -> None:
    """An adjective of a part: *make the sleeves longer*."""
    part = re.sub(r"^(?:the )?[\w-]+'s ", "", part)
    phrase = draft.phrase
    head = head_noun(part)
    key = feature_key(part)
    known = phrase.feature(key)
    if not known and same_noun(head, holder(phrase)):
        _set_holder(units, draft)
        return
    if known:
        inner = parse(known)
        if key == "neck":
            inner = replace(inner, lead="a", units=(), noun="neck")
        for unit in units:
            gone = inner.unit(unit_slot(unit)) if unit_slot(unit) not in ("", "other") else lx.CONTRARY.get(unit, "")
            if gone in inner.units:
                inner = with_unit(inner if gone == inner.unit(unit_slot(unit)) else without_unit(inner, gone), unit)
                draft.removed(gone)
            inner = with_unit(inner, unit)
        add_item(inner.text(), draft)
        return
    for i, segment in enumerate(phrase.tail):
        if says(segment, head):
            changed = _with_units_in(segment, head, units)
            draft.phrase = replace(phrase, tail=(*phrase.tail[:i], changed, *phrase.tail[i + 1 :]))
            draft.added(f"{' '.join(units)} {head}")
            return
    article = "" if is_plural(head) or head in lx.MASS else "a "
    add_item(f"{article}{' '.join(units)} {bare(part)}", draft)


def _set_holder(units: list[str], draft: Draft) -> None:
    """*the bowl is white* of "a bowl of soup"; an empty bowl holds nothing."""
    phrase, name = draft.phrase, holder(draft.phrase)
    before, after = phrase.lead.rsplit(f"{name} of", 1)
    inner = with_units(parse(f"{before}{name}"), units)
    if "empty" in units:
        draft.removed(phrase.noun)
        draft.phrase = replace(inner, tail=phrase.tail)
    else:
        draft.phrase = replace(phrase, lead=f"{inner.text()} of{after}")
    draft.added(f"{' '.join(units)} {name}")


def with_units(phrase: Phrase, units: list[str]) -> Phrase:
    """Put several adjectives in."""
    for unit in units:
        phrase = with_unit(phrase, unit)
    return phrase


def _with_units_in(segment: str, noun: str, units: list[str]) -> str:
    """Put adjectives before a noun inside a segment, in place of those of their slots."""
    words = segment.split()
    at = next(i for i, word in enumerate(words) if word.strip(",.;") == noun)
    start = at
    while start and lx.slot_of(words[start - 1]):
        start -= 1
    inner = with_units(Phrase(units=units_of(words[start:at]), noun=words[at]), units)
    return " ".join((*words[:start], *inner.units, inner.noun, *words[at + 1 :]))


def add_thing(edit: Edit, draft: Draft) -> None:
    """A thing that is there now."""
    add_item(edit.text, draft)


def add_item(item: str, draft: Draft) -> None:
    """A feature, or what a caption would say instead of it: a pattern, a length."""
    item = re.sub(r"^(?:(?:and|or|with|but) )+|(?: (?:and|or|with|but))+$", "", item.strip(" ,."))
    phrase, head = draft.phrase, head_noun(item)
    inner = parse(item)
    if not item:
        return
    if _as_pattern(item, inner, draft):
        return
    if head in ("length", "hem", "hemline") and inner.units and phrase.is_garment:
        for unit in inner.units:
            set_unit(unit, draft)
        return
    key = feature_key(item)
    if key == "sleeves":
        item = _sleeves(item, draft)
        if not item:
            return
    if key == "neck":
        _drop_slot("neck", draft)
    old = draft.phrase.feature(key)
    if old and bare(old) != bare(item) and (key in lx.FEATURES.values() or draft.phrase.is_garment):
        inner_old = parse(old)
        if not inner.units and key not in ("neck", "sleeves") and is_plural(head) == is_plural(inner_old.noun):
            draft.added(bare(item))
            return
        draft.removed(bare(old))
    if not old and says(draft.phrase.text(), item):
        draft.added(bare(item))
        return
    draft.phrase = _joined(item, head, draft.phrase)
    draft.added(bare(item))


def _joined(item: str, head: str, phrase: Phrase) -> Phrase:
    """A thing put where English has it: a creature beside the first, a background at the end, a part with the rest."""
    if head in ("light", "lighting") or re.search(r"\bin the (?:back|fore)ground$|\bbehind\b|\bin front\b", item):
        joint = "and " if phrase.tail and phrase.tail[-1].startswith("with ") else "with "
        return replace(phrase, tail=(*phrase.tail, joint + item))
    if singular(phrase.noun) in ("animal", "vehicle", "drink", "fruit", "food") and same_kind(head, phrase.noun):
        new = parse(item)
        return replace(phrase, lead=new.lead, units=new.units, noun=new.noun, tail=(*new.tail, *phrase.tail))
    living = lx.ANIMALS | lx.PEOPLE
    if singular(head) in living and singular(phrase.noun) in living and not phrase.features:
        return replace(phrase, tail=(f"and {item}", *phrase.tail))
    return with_feature(phrase, item)


def _sleeves(item: str, draft: Draft) -> str:
    """*sleeves* alone are long ones if there were none."""
    if draft.phrase.feature("sleeves") and bare(item) in ("sleeves", "sleeve"):
        return ""
    _drop_slot("sleeves", draft)
    words = bare(item).split()
    return (
        " ".join(["long", "sleeves"] if len(words) == 1 else [*words[:-1], plural(words[-1])])
        if words[-1] in ("sleeve", "sleeves") and words[0] != "one"
        else item
    )


def _drop_slot(slot: str, draft: Draft) -> None:
    unit = draft.phrase.unit(slot)
    if unit:
        draft.phrase = without_unit(draft.phrase, unit)
        draft.removed(unit)


def _as_pattern(item: str, inner: Phrase, draft: Draft) -> bool:
    """*stripes* and *a floral print* of a garment are the adjectives of its pattern."""
    phrase, head = draft.phrase, inner.noun
    if not (phrase.is_garment or phrase.unit("pattern")) or inner.tail:
        return False
    colours = [unit for unit in inner.units if unit_slot(unit) == "colour"]
    if head in lx.PATTERN_NOUNS and not colours:
        set_unit(lx.PATTERN_NOUNS[head], draft)
        return True
    if head in ("print", "pattern", "design", "prints", "patterns", "designs"):
        patterns = [unit for unit in inner.units if unit_slot(unit) == "pattern"]
        if patterns and not colours:
            for unit in patterns:
                set_unit(unit, draft)
            return True
        if not inner.units and not inner.features:
            set_unit("patterned", draft)
            return True
    if head in {*lx.PATTERN_NOUNS, "print", "pattern", "design"}:
        _drop_slot("pattern", draft)
    return False


def drop_pattern(draft: Draft) -> None:
    """Captions say that there is none: plain."""
    old = draft.phrase.unit("pattern")
    if old == "plain":
        return
    _drop_pattern_features(draft)
    if old:
        draft.removed(old)
    if draft.phrase.is_garment or old:
        draft.phrase = with_unit(draft.phrase, "plain")
        draft.added("plain")
