"""Setting attributes and parts of a draft: adjectives, sleeves, patterns, features."""

from __future__ import annotations

import re
from dataclasses import replace

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import (
    Phrase,
    adjective_slot,
    feature_key,
    group_adjectives,
    head_noun,
    parse,
)
from ipcir_tools.chains.imagination.rules.edits import Draft, Edit
from ipcir_tools.chains.imagination.rules.phrases import (
    container,
    is_place,
    same_kind,
    same_noun,
    with_adjective,
    with_feature,
    without_adjective,
    without_feature,
)
from ipcir_tools.chains.imagination.rules.text import (
    contains_words,
    is_plural,
    plural,
    singular,
    strip_determiner,
)


def set_adjectives(edit: Edit, draft: Draft) -> None:
    """Set adjectives of the main thing or of a part."""
    words = [word.strip(",") for word in edit.text.split() if word not in ("all", "in", "color", "colour")]
    words = [word for word in words if word not in ("different", "similar", "identical", "same")]
    adjectives = [adjective for adjective in group_adjectives(words) if adjective]
    if edit.of and not same_noun(head_noun(edit.of), draft.phrase.noun):
        _set_part(edit.of, adjectives, draft)
        return
    for adjective in adjectives:
        set_adjective(adjective, draft)


def set_adjective(adjective: str, draft: Draft) -> None:
    """Set one adjective of the main thing; it replaces the one of the same attribute."""
    phrase = draft.phrase
    slot = adjective_slot(adjective)
    adjective = fitting_length(adjective, phrase)
    if slot == "sleeves":
        set_sleeves(adjective, draft)
        return
    if slot == "neck" and phrase.feature("neck"):
        draft.note_removed(strip_determiner(phrase.feature("neck")))
        phrase = without_feature(phrase, "neck")
    old = phrase.adjective(slot) if slot not in ("other", "") else ""
    if _is_redundant(adjective, old, draft):
        draft.touched = True
        return
    draft.phrase = with_adjective(phrase, adjective) if adjective else phrase
    if slot == "length" and adjective == "":
        draft.phrase = without_adjective(phrase, old)
    if old and old not in draft.phrase.adjectives:
        draft.note_removed(f"{old} {phrase.noun}" if slot in ("length", "size", "fit") else old)
    opposite = lexicon.OPPOSITES.get(adjective, "")
    opposite = next(
        (word for word in (opposite, lexicon.CONTRARY.get(adjective, "")) if word in draft.phrase.adjectives), opposite
    )
    if opposite in draft.phrase.adjectives:
        draft.phrase = without_adjective(draft.phrase, opposite)
        draft.note_removed(opposite)
    if slot == "pattern":
        _drop_pattern_features(draft)
    draft.note_added(adjective)


def _is_redundant(adjective: str, old: str, draft: Draft) -> bool:
    """Whether the adjective adds nothing: *blue* to *light blue* in the same text, *dark* to *black*."""
    vague = old in draft.add and adjective in old.split()
    return vague or (old, adjective) in {("black", "dark"), ("white", "light")}


def _drop_pattern_features(draft: Draft) -> None:
    for item in draft.phrase.features:
        if head_noun(item) in {*lexicon.PATTERN_NOUNS, "print", "pattern", "design"}:
            draft.note_removed(strip_determiner(item))
            draft.phrase = without_feature(draft.phrase, feature_key(item))


def fitting_length(adjective: str, phrase: Phrase) -> str:
    """The length as captions name it: a short top is *cropped*, a top of medium length has no word for it."""
    if not phrase.is_garment:
        return adjective
    top = singular(phrase.noun) in lexicon.TOPS
    if adjective in ("medium-length", "mid-length"):
        return "" if top else "knee-length"
    if top:
        return {"short": "cropped", "knee-length": ""}.get(adjective, adjective)
    return "short" if adjective == "cropped" and phrase.noun in lexicon.DRESSES | lexicon.BOTTOMS else adjective


def set_sleeves(adjective: str, draft: Draft) -> None:
    """Set the sleeves: captions name them as a feature, but their absence as an adjective."""
    sized = re.fullmatch(r"(long|short|half|cap)-sleeved?", adjective)
    if sized:
        add_item(f"{sized.group(1)} sleeves", draft)
        return
    old = draft.phrase.feature("sleeves")
    if adjective == "sleeved":
        add_item(old or "long sleeves", draft)
        return
    if old:
        draft.note_removed(old)
    draft.phrase = with_adjective(without_feature(draft.phrase, "sleeves"), adjective)
    draft.note_added(adjective)


def _set_part(part: str, adjectives: list[str], draft: Draft) -> None:
    """Set adjectives of a part: *make the sleeves longer*."""
    part = re.sub(r"^(?:the )?[\w-]+'s ", "", part)
    phrase = draft.phrase
    head = head_noun(part)
    key = feature_key(part)
    known = phrase.feature(key)
    if not known and same_noun(head, container(phrase)):
        _set_holder(adjectives, draft)
        return
    if known:
        inner = parse(known)
        if key == "neck":
            inner = replace(inner, lead="a", adjectives=(), noun="neck")
        for adjective in adjectives:
            gone = (
                inner.adjective(adjective_slot(adjective))
                if adjective_slot(adjective) not in ("", "other")
                else lexicon.CONTRARY.get(adjective, "")
            )
            if gone in inner.adjectives:
                inner = with_adjective(
                    inner if gone == inner.adjective(adjective_slot(adjective)) else without_adjective(inner, gone),
                    adjective,
                )
                draft.note_removed(gone)
            inner = with_adjective(inner, adjective)
        add_item(inner.text(), draft)
        return
    for i, segment in enumerate(phrase.tail):
        if contains_words(segment, head):
            changed = _with_adjectives_in(segment, head, adjectives)
            draft.phrase = replace(phrase, tail=(*phrase.tail[:i], changed, *phrase.tail[i + 1 :]))
            draft.note_added(f"{' '.join(adjectives)} {head}")
            return
    article = "" if is_plural(head) or head in lexicon.MASS else "a "
    add_item(f"{article}{' '.join(adjectives)} {strip_determiner(part)}", draft)


def _set_holder(adjectives: list[str], draft: Draft) -> None:
    """Set adjectives of the container: *the bowl is white* for "a bowl of soup"; *empty* removes the content."""
    phrase, name = draft.phrase, container(draft.phrase)
    before, after = phrase.lead.rsplit(f"{name} of", 1)
    inner = with_adjectives(parse(f"{before}{name}"), adjectives)
    if "empty" in adjectives:
        draft.note_removed(phrase.noun)
        draft.phrase = replace(inner, tail=phrase.tail)
    else:
        draft.phrase = replace(phrase, lead=f"{inner.text()} of{after}")
    draft.note_added(f"{' '.join(adjectives)} {name}")


def with_adjectives(phrase: Phrase, adjectives: list[str]) -> Phrase:
    """The phrase with several adjectives added."""
    for adjective in adjectives:
        phrase = with_adjective(phrase, adjective)
    return phrase


def _with_adjectives_in(segment: str, noun: str, adjectives: list[str]) -> str:
    """The segment with adjectives before the noun; each replaces the one of its slot."""
    words = segment.split()
    at = next(i for i, word in enumerate(words) if word.strip(",.;") == noun)
    start = at
    while start and lexicon.slot_of(words[start - 1]):
        start -= 1
    inner = with_adjectives(Phrase(adjectives=group_adjectives(words[start:at]), noun=words[at]), adjectives)
    return " ".join((*words[:start], *inner.adjectives, inner.noun, *words[at + 1 :]))


def add_thing(edit: Edit, draft: Draft) -> None:
    """Add a thing."""
    add_item(edit.text, draft)


def add_item(item: str, draft: Draft) -> None:
    """Add a feature, or what a caption has in place of it: a pattern, a length."""
    item = re.sub(r"^(?:(?:and|or|with|but) )+|(?: (?:and|or|with|but))+$", "", item.strip(" ,."))
    phrase, head = draft.phrase, head_noun(item)
    inner = parse(item)
    if not item:
        return
    if _add_pattern(item, inner, draft):
        return
    if head in ("length", "hem", "hemline") and inner.adjectives and phrase.is_garment:
        for adjective in inner.adjectives:
            set_adjective(adjective, draft)
        return
    key = feature_key(item)
    if key == "sleeves":
        item = _sleeves_to_add(item, draft)
        if not item:
            return
    if key == "neck":
        _drop_slot("neck", draft)
    old = draft.phrase.feature(key)
    if (
        old
        and strip_determiner(old) != strip_determiner(item)
        and (key in lexicon.FEATURES.values() or draft.phrase.is_garment)
    ):
        inner_old = parse(old)
        if not inner.adjectives and key not in ("neck", "sleeves") and is_plural(head) == is_plural(inner_old.noun):
            draft.note_added(strip_determiner(item))
            return
        draft.note_removed(strip_determiner(old))
    if not old and contains_words(draft.phrase.text(), item):
        draft.note_added(strip_determiner(item))
        return
    draft.phrase = _with_thing(item, head, draft.phrase)
    draft.note_added(strip_determiner(item))


def _with_thing(item: str, head: str, phrase: Phrase) -> Phrase:
    """The phrase with a thing in its usual place: an animal after the first, a background last, a part in the list."""
    placed = not phrase.is_garment and any(map(is_place, phrase.tail)) and _has_place(item, phrase)
    behind = re.search(r"\bin the (?:back|fore)ground$|\bbehind\b|\bin front\b", item)
    if head in ("light", "lighting") or behind or placed:
        joint = "and " if any(part.startswith("with ") for part in phrase.tail) else "with "
        return replace(phrase, tail=(*phrase.tail, joint + item))
    if singular(phrase.noun) in ("animal", "vehicle", "drink", "fruit", "food") and same_kind(head, phrase.noun):
        new = parse(item)
        return replace(phrase, lead=new.lead, adjectives=new.adjectives, noun=new.noun, tail=(*new.tail, *phrase.tail))
    living = lexicon.ANIMALS | lexicon.PEOPLE
    if singular(head) in living and singular(phrase.noun) in living and not phrase.features:
        return replace(phrase, tail=(f"and {item}", *phrase.tail))
    return with_feature(phrase, item)


def _has_place(item: str, phrase: Phrase) -> bool:
    """Whether a thing has a place of its own: *a bird over the sea*, but not *a ball next to the dog*."""
    places = [part.split() for part in parse(item).tail if is_place(part) and " " in part]
    return any(
        not (same_noun(words[-1], phrase.noun) or lexicon.slot_of(words[-1]) or words[-1] in lexicon.GENERIC)
        for words in places
    )


def _sleeves_to_add(item: str, draft: Draft) -> str:
    """The sleeves to add; plain *sleeves* means long ones, and nothing where there are sleeves already."""
    if draft.phrase.feature("sleeves") and strip_determiner(item) in ("sleeves", "sleeve"):
        return ""
    _drop_slot("sleeves", draft)
    words = strip_determiner(item).split()
    return (
        " ".join(["long", "sleeves"] if len(words) == 1 else [*words[:-1], plural(words[-1])])
        if words[-1] in ("sleeve", "sleeves") and words[0] != "one"
        else item
    )


def _drop_slot(slot: str, draft: Draft) -> None:
    adjective = draft.phrase.adjective(slot)
    if adjective:
        draft.phrase = without_adjective(draft.phrase, adjective)
        draft.note_removed(adjective)


def _add_pattern(item: str, inner: Phrase, draft: Draft) -> bool:
    """Set *stripes* or *a floral print* of a garment as the adjective of its pattern; whether it was one."""
    phrase, head = draft.phrase, inner.noun
    if not (phrase.is_garment or phrase.adjective("pattern")) or inner.tail:
        return False
    colours = [adjective for adjective in inner.adjectives if adjective_slot(adjective) == "colour"]
    if head in lexicon.PATTERN_NOUNS and not colours:
        set_adjective(lexicon.PATTERN_NOUNS[head], draft)
        return True
    if head in ("print", "pattern", "design", "prints", "patterns", "designs"):
        patterns = [adjective for adjective in inner.adjectives if adjective_slot(adjective) == "pattern"]
        if patterns and not colours:
            for adjective in patterns:
                set_adjective(adjective, draft)
            return True
        if not inner.adjectives and not inner.features:
            set_adjective("patterned", draft)
            return True
    if head in {*lexicon.PATTERN_NOUNS, "print", "pattern", "design"}:
        _drop_slot("pattern", draft)
    return False


def drop_pattern(draft: Draft) -> None:
    """Remove the pattern; captions of garments then say *plain*."""
    old = draft.phrase.adjective("pattern")
    if old == "plain":
        return
    _drop_pattern_features(draft)
    if old:
        draft.note_removed(old)
    if draft.phrase.is_garment or old:
        draft.phrase = with_adjective(draft.phrase, "plain")
        draft.note_added("plain")
