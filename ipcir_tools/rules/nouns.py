"""Things of a draft that go, change into others, or change in number."""

from __future__ import annotations

import re
from dataclasses import replace

from ipcir_tools.rules import lexicon as lx
from ipcir_tools.rules.attributes import add_item, drop_pattern, fitting_length, set_sleeves, set_unit
from ipcir_tools.rules.caption import (
    Phrase,
    counted,
    feature_key,
    head_noun,
    parse,
    same_kind,
    same_noun,
    unit_slot,
    without_feature,
    without_unit,
)
from ipcir_tools.rules.draft import Draft
from ipcir_tools.rules.edits import Become, Count, Edit
from ipcir_tools.rules.text import bare, is_gerund, is_plural, plain, plural, singular


def drop_thing(edit: Edit, draft: Draft) -> None:
    """A thing that is not there: out of the features, the adjectives, the tail."""
    item = re.sub(r"^(?:the|a|an|any|its|all|all the|of|other|more) ", "", plain(edit.text)).strip()
    head = head_noun(item)
    if not item or not head:
        return
    draft.removed(item)
    key = feature_key(item)
    phrase = draft.phrase
    if lx.slot_of(head) == "pattern" and head not in phrase.units:
        return
    if (
        head in ("pattern", "print", "patterns", "prints", "design", "designs")
        or lx.slot_of(head) == "pattern"
        or (head in lx.PATTERN_NOUNS and phrase.unit("pattern"))
    ):
        drop_pattern(draft)
    elif key == "sleeves" and bare(item) in ("sleeves", "sleeve"):
        set_sleeves("sleeveless", draft)
    elif phrase.feature(key) and key != "":
        draft.phrase = without_feature(phrase, key)
    elif any(word in phrase.units for word in (item, head)):
        draft.phrase = without_unit(without_unit(phrase, item), head)
    elif same_noun(head, phrase.noun) and not phrase.is_garment:
        _drop_head(draft)
    else:
        _drop_in_tail(head, draft)


def _drop_head(draft: Draft) -> None:
    """Without its main thing a picture is of what stood around it."""
    left = " ".join(draft.phrase.tail)
    left = re.sub(r"^(?:and|with) ", "", left)
    found = re.search(
        r"\b(?:on|in|at|near|behind|under|by|with|next to|in front of|of|over|holding|eating) ((?:a|an|the|some|"
        r"two|three)? ?\S.*)",
        left,
    )
    rest = left if draft.phrase.tail and draft.phrase.tail[0].startswith("and ") else found.group(1) if found else ""
    if rest:
        draft.phrase = parse(rest)


def _drop_in_tail(head: str, draft: Draft) -> None:
    pattern = re.compile(rf"\b{re.escape(singular(head))}(?:s|es)?\b|\b{re.escape(head)}\b")
    kept = tuple(segment for segment in draft.phrase.tail if not pattern.search(segment))
    verbs = tuple(
        segment
        for segment in kept
        if not (is_gerund(segment) and segment in ("wearing", "holding", "carrying", "eating"))
    )
    draft.phrase = replace(draft.phrase, tail=verbs)


def become(edit: Edit, draft: Draft) -> None:
    """The main thing becomes another and keeps what it can."""
    new = parse(edit.text)
    old = draft.phrase
    if not new.noun:
        return
    if not same_noun(new.noun, old.noun):
        draft.removed(old.noun)
        draft.added(new.noun)
    lead = new.lead if new.lead not in ("", "the", "a", "an", "another", "that") else old.lead
    if is_plural(new.noun) and lead in ("a", "an", "one"):
        lead = ""
    if not is_plural(new.noun) and (
        (lead == "" and is_plural(old.noun)) or (lead in ("two", "three", "some", "several") and lead != new.lead)
    ):
        lead = "a"
    draft.phrase = replace(_suited(old, new.noun), lead=lead, noun=new.noun)
    for unit in new.units:
        if unit_slot(unit) or unit not in draft.phrase.units:
            set_unit(unit, draft)
    for item in new.features:
        add_item(item, draft)
    if new.tail:
        draft.phrase = replace(draft.phrase, tail=new.tail)
    draft.touched = True


def _suited(old: Phrase, noun: str) -> Phrase:
    """What another kind of garment can keep: a skirt has no sleeves."""
    if not old.is_garment or same_noun(noun, old.noun):
        return old
    lost: set[str] = set()
    if singular(noun) in lx.BOTTOMS or noun in lx.BOTTOMS or singular(noun) in lx.WEARABLES:
        lost = {"sleeves", "neck"}
    elif noun == "hoodie":
        lost = {"neck"}
    if singular(noun) in lx.TOPS:
        lost |= {"belt"}
    units = tuple(unit for unit in old.units if unit_slot(unit) not in lost)
    features = tuple(item for item in old.features if feature_key(item) not in lost)
    length = old.unit("length")
    suited = replace(old, noun=noun, units=units, features=features)
    new = fitting_length(length, suited) if length else ""
    return replace(suited, units=tuple(new if unit == length else unit for unit in units if unit != length or new))


def swap(edit: Edit, draft: Draft) -> None:
    """One thing or look gives way to another."""
    old, new = bare(edit.of), edit.text
    head = head_noun(old)
    phrase = draft.phrase
    slot = _common_slot(old, new)
    if slot:
        words = bare(new)
        draft.removed(old)
        set_unit(lx.PATTERN_NOUNS.get(words, words), draft)
    elif phrase.feature(feature_key(old)):
        draft.removed(bare(phrase.feature(feature_key(old))))
        draft.phrase = replace(phrase, features=tuple(f for f in phrase.features if feature_key(f) != feature_key(old)))
        add_item(_articled(new), draft)
    elif same_kind(head, phrase.noun) and re.search(rf"\b{re.escape(head_noun(new))}\b", " ".join(phrase.tail)):
        _drop_head(draft)
        draft.removed(old)
    elif same_kind(head, phrase.noun):
        become(Become(new), draft)
        draft.removed(old)
    else:
        _swap_in_tail(old, head, new, draft)


def _common_slot(old: str, new: str) -> str:
    """The slot of two adjectives, or of two pattern nouns."""
    slots = []
    for text in (old, new):
        words = bare(text).split()
        last = words[-1] if words else ""
        slots.append("pattern" if last in lx.PATTERN_NOUNS and len(words) == 1 else lx.slot_of(last))
    return slots[0] if slots[0] == slots[1] and slots[0] not in ("", "other") else ""


def _articled(text: str) -> str:
    head = head_noun(text)
    first = text.split()[0] if text else ""
    needs = first and first not in lx.DETERMINERS and not is_plural(head) and head not in lx.MASS
    text = re.sub(r"^the ", "a " if not is_plural(head) and head not in lx.MASS else "", text)
    return f"a {text}" if needs else text


def _swap_in_tail(old: str, head: str, new: str, draft: Draft) -> None:
    """Replace a noun with all its words inside the tail; where it is not, the new is added."""
    draft.removed(old)
    if any(same_noun(word, head) for word in draft.phrase.prefix.split()):
        worn = draft.phrase.prefix.split()[-1]
        draft.phrase = replace(draft.phrase, prefix=f"{_articled(new)} {worn}")
        draft.added(bare(new))
        return
    for i, segment in enumerate(draft.phrase.tail):
        words = segment.split()
        at = next((j for j, word in enumerate(words) if same_kind(word.strip(",.;"), head)), None)
        if at is None:
            continue
        start = at
        while start and (words[start - 1] in lx.DETERMINERS or lx.slot_of(words[start - 1])):
            start -= 1
        changed = " ".join((*words[:start], _articled(new), *words[at + 1 :]))
        draft.phrase = replace(draft.phrase, tail=(*draft.phrase.tail[:i], changed, *draft.phrase.tail[i + 1 :]))
        draft.added(bare(new))
        return
    add_item(_articled(new), draft)


def set_count(edit: Edit, draft: Draft) -> None:
    """How many there are, of the main thing or of one in the tail."""
    phrase = draft.phrase
    if edit.text in ("fewer", "less", "few") and phrase.lead in ("two", "three"):
        edit = Count("-1", edit.of)
    number = {
        "1": "one",
        "more": "several",
        "a single": "one",
        "fewer": "few",
        "less": "few",
        "a": "one",
        "an": "one",
        "the": "a",
        "single": "one",
    }.get(edit.text, edit.text)
    if number.isdigit():
        number = lx.NUMBER_WORDS.get(int(number), number)
    if number in _TIMES:
        number = _product(phrase, *_TIMES[number])
    if number[:1] in "+-" and number[1:].isdigit():
        number = _sum(phrase, int(number))
    if edit.of and not same_kind(head_noun(edit.of), phrase.noun):
        one = number in ("one", "a")
        noun = singular(bare(edit.of)) if one else plural(bare(edit.of))
        _swap_in_tail(bare(edit.of), head_noun(edit.of), f"{number} {noun}", draft)
        return
    if number == "no":
        draft.removed(phrase.noun)
        return
    if edit.of and same_kind(edit.of, phrase.noun) and singular(edit.of) not in ("animal", "person", "thing"):
        phrase = replace(phrase, noun=head_noun(edit.of))
    draft.phrase = counted(phrase, number)
    draft.added(f"{number} {draft.phrase.noun}")


_TIMES = {"half": (0.5, "few"), "twice": (2, "several"), "double": (2, "several")}
"""Factors, and what is said where nobody knows how many there were."""


def _product(phrase: Phrase, factor: float, unknown: str) -> str:
    known = _known_number(phrase)
    return lx.NUMBER_WORDS.get(round(known * factor), unknown) if known else unknown


def _known_number(phrase: Phrase) -> int:
    """How many a caption says there are; nought if it does not say."""
    lead = phrase.lead.split()[-1] if phrase.lead else ""
    return 1 if lead in ("a", "an", "the") and not is_plural(phrase.noun) else lx.NUMBERS.get(lead, 0)


def _sum(phrase: Phrase, change: int) -> str:
    known = _known_number(phrase)
    total = known + change
    return lx.NUMBER_WORDS.get(total, "several") if known and total > 0 else "several" if change > 0 else "one"
