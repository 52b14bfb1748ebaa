"""Edits applied to a caption: the draft of the target, with what was added, removed and kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from ipcir_tools.rules import lexicon as lx
from ipcir_tools.rules.caption import (
    Phrase,
    counted,
    feature_key,
    head_noun,
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
from ipcir_tools.rules.edits import Add, Become, Count, Drop, Edit, Keep, Place, Pose, Scene, Set, Swap, View
from ipcir_tools.rules.text import bare, is_gerund, is_plural, plain, plural, singular, words_of


@dataclass
class Draft:
    """The target as it grows, edit by edit."""

    phrase: Phrase
    original: Phrase
    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    rewritten: bool = False
    """Whether the text described the whole target, so that nothing of the caption need be left."""
    touched: bool = False

    def added(self, *items: str) -> None:
        """Note what is new."""
        self.add += [item for item in items if item and item not in self.add]
        self.touched = True

    def removed(self, *items: str) -> None:
        """Note what is gone."""
        self.remove += [item for item in items if item and item not in self.remove]
        self.touched = True


def apply(edit: Edit, draft: Draft) -> None:
    """Change the draft by one edit."""
    _ACTIONS[type(edit)](edit, draft)


def _set(edit: Edit, draft: Draft) -> None:
    words = [word.strip(",") for word in edit.text.split() if word not in ("all", "in", "color", "colour")]
    words = [word for word in words if word not in ("different", "similar", "identical", "same")]
    units = [unit for unit in units_of(words) if unit]
    if edit.of:
        _set_part(edit.of, units, draft)
        return
    for unit in units:
        _set_unit(unit, draft)


def _set_unit(unit: str, draft: Draft) -> None:
    phrase = draft.phrase
    slot = unit_slot(unit)
    unit = _fitting_length(unit, phrase)
    if slot == "sleeves":
        _set_sleeves(unit, draft)
        return
    if slot == "neck" and phrase.feature("neck"):
        draft.removed(bare(phrase.feature("neck")))
        phrase = without_feature(phrase, "neck")
    old = phrase.unit(slot) if slot not in ("other", "") else ""
    draft.phrase = with_unit(phrase, unit) if unit else phrase
    if slot == "length" and unit == "":
        draft.phrase = without_unit(phrase, old)
    if old and old not in draft.phrase.units:
        draft.removed(old)
    opposite = lx.OPPOSITES.get(unit, "")
    if opposite in draft.phrase.units:
        draft.phrase = without_unit(draft.phrase, opposite)
        draft.removed(opposite)
    if slot == "pattern":
        _drop_pattern_features(draft)
    draft.added(unit)


def _drop_pattern_features(draft: Draft) -> None:
    for item in draft.phrase.features:
        if head_noun(item) in {*lx.PATTERN_NOUNS, "print", "pattern", "design"}:
            draft.removed(bare(item))
            draft.phrase = without_feature(draft.phrase, feature_key(item))


def _fitting_length(unit: str, phrase: Phrase) -> str:
    """Captions call a short top cropped, and a top of medium length nothing at all."""
    if not phrase.is_garment:
        return unit
    top = singular(phrase.noun) in lx.TOPS
    if unit in ("medium-length", "mid-length"):
        return "" if top else "knee-length"
    if top:
        return {"short": "cropped", "knee-length": ""}.get(unit, unit)
    return "short" if unit == "cropped" and phrase.noun in lx.DRESSES | lx.BOTTOMS else unit


def _set_sleeves(unit: str, draft: Draft) -> None:
    sized = re.fullmatch(r"(long|short|half|cap)-sleeved?", unit)
    if sized:
        _add_item(f"{sized.group(1)} sleeves", draft)
        return
    old = draft.phrase.feature("sleeves")
    if unit == "sleeved":
        _add_item(old or "long sleeves", draft)
        return
    if old:
        draft.removed(old)
    draft.phrase = with_unit(without_feature(draft.phrase, "sleeves"), unit)
    draft.added(unit)


def _set_part(part: str, units: list[str], draft: Draft) -> None:
    """An adjective of a part: *make the sleeves longer*."""
    phrase = draft.phrase
    head = head_noun(part)
    key = feature_key(part)
    known = phrase.feature(key)
    if known:
        inner = parse(known)
        for unit in units:
            inner = with_unit(inner, unit)
        _add_item(inner.text(), draft)
        return
    for i, segment in enumerate(phrase.tail):
        if re.search(rf"\b{re.escape(head)}\b", segment):
            changed = _with_units_in(segment, head, units)
            draft.phrase = replace(phrase, tail=(*phrase.tail[:i], changed, *phrase.tail[i + 1 :]))
            draft.added(f"{' '.join(units)} {head}")
            return
    article = "" if is_plural(head) or head in lx.MASS else "a "
    _add_item(f"{article}{' '.join(units)} {bare(part)}", draft)


def _with_units_in(segment: str, noun: str, units: list[str]) -> str:
    """Put adjectives before a noun inside a segment, in place of those of their slots."""
    words = segment.split()
    at = next(i for i, word in enumerate(words) if word.strip(",.;") == noun)
    start = at
    while start and lx.slot_of(words[start - 1]):
        start -= 1
    inner = Phrase(units=units_of(words[start:at]), noun=words[at])
    for unit in units:
        inner = with_unit(inner, unit)
    return " ".join((*words[:start], *inner.units, inner.noun, *words[at + 1 :]))


def _add(edit: Edit, draft: Draft) -> None:
    _add_item(edit.text, draft)


def _add_item(item: str, draft: Draft) -> None:
    item = item.strip(" ,.")
    phrase, head = draft.phrase, head_noun(item)
    inner = parse(item)
    if not item:
        return
    if _as_pattern(item, inner, draft):
        return
    if head in ("length", "hem", "hemline") and inner.units and phrase.is_garment:
        for unit in inner.units:
            _set_unit(unit, draft)
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
    if not old and re.search(rf"\b{re.escape(item)}\b", draft.phrase.text()):
        draft.added(bare(item))
        return
    draft.phrase = with_feature(draft.phrase, item)
    draft.added(bare(item))


def _sleeves(item: str, draft: Draft) -> str:
    """*sleeves* alone are long ones if there were none."""
    if draft.phrase.feature("sleeves") and bare(item) in ("sleeves", "sleeve"):
        return ""
    _drop_slot("sleeves", draft)
    words = bare(item).split()
    return " ".join(["long", "sleeves"] if len(words) == 1 else [*words[:-1], plural(words[-1])]) if words[-1] in ("sleeve", "sleeves") else item


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
        _set_unit(lx.PATTERN_NOUNS[head], draft)
        return True
    if head in ("print", "pattern", "design", "prints", "patterns", "designs"):
        patterns = [unit for unit in inner.units if unit_slot(unit) == "pattern"]
        if patterns and not colours:
            for unit in patterns:
                _set_unit(unit, draft)
            return True
        if not inner.units and not inner.features:
            _set_unit("patterned", draft)
            return True
    if head in {*lx.PATTERN_NOUNS, "print", "pattern", "design"}:
        _drop_slot("pattern", draft)
    return False


def _drop(edit: Edit, draft: Draft) -> None:
    item = re.sub(r"^(?:the|a|an|any|its|all|all the|of|other|more) ", "", plain(edit.text)).strip()
    head = head_noun(item)
    if not item or not head:
        return
    draft.removed(item)
    key = feature_key(item)
    phrase = draft.phrase
    if head in ("pattern", "print", "patterns", "prints", "design", "designs") or lx.slot_of(head) == "pattern" or (head in lx.PATTERN_NOUNS and phrase.unit("pattern")):
        _drop_pattern(draft)
    elif key == "sleeves" and bare(item) in ("sleeves", "sleeve"):
        _set_sleeves("sleeveless", draft)
    elif phrase.feature(key) and key != "":
        draft.phrase = without_feature(phrase, key)
    elif any(word in phrase.units for word in (item, head)):
        draft.phrase = without_unit(without_unit(phrase, item), head)
    elif same_noun(head, phrase.noun) and not phrase.is_garment:
        _drop_head(draft)
    else:
        _drop_in_tail(head, draft)


def _drop_pattern(draft: Draft) -> None:
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


def _drop_head(draft: Draft) -> None:
    """Without its main thing a picture is of what stood around it."""
    left = " ".join(draft.phrase.tail)
    left = re.sub(r"^(?:and|with) ", "", left)
    found = re.search(r"\b(?:on|in|at|near|behind|under|by|with|next to|in front of|of|over|holding|eating) ((?:a|an|the|some|two|three)? ?\S.*)", left)
    rest = left if draft.phrase.tail and draft.phrase.tail[0].startswith("and ") else found.group(1) if found else ""
    if rest:
        draft.phrase = parse(rest)


def _drop_in_tail(head: str, draft: Draft) -> None:
    pattern = re.compile(rf"\b{re.escape(singular(head))}(?:s|es)?\b|\b{re.escape(head)}\b")
    kept = tuple(segment for segment in draft.phrase.tail if not pattern.search(segment))
    verbs = tuple(segment for segment in kept if not (is_gerund(segment) and segment in ("wearing", "holding", "carrying", "eating")))
    draft.phrase = replace(draft.phrase, tail=verbs)


def _become(edit: Edit, draft: Draft) -> None:
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
    if not is_plural(new.noun) and (lead == "" and is_plural(old.noun) or lead in ("two", "three", "some", "several") and lead != new.lead):
        lead = "a"
    draft.phrase = replace(_suited(old, new.noun), lead=lead, noun=new.noun)
    for unit in new.units:
        if unit_slot(unit) or unit not in draft.phrase.units:
            _set_unit(unit, draft)
    for item in new.features:
        _add_item(item, draft)
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
    new = _fitting_length(length, suited) if length else ""
    return replace(suited, units=tuple(new if unit == length else unit for unit in units if unit != length or new))


def _swap(edit: Edit, draft: Draft) -> None:
    old, new = bare(edit.of), edit.text
    head = head_noun(old)
    phrase = draft.phrase
    slot = _common_slot(old, new)
    if slot:
        words = bare(new)
        draft.removed(old)
        _set_unit(lx.PATTERN_NOUNS.get(words, words), draft)
    elif phrase.feature(feature_key(old)):
        draft.removed(bare(phrase.feature(feature_key(old))))
        draft.phrase = replace(phrase, features=tuple(f for f in phrase.features if feature_key(f) != feature_key(old)))
        _add_item(_articled(new), draft)
    elif same_kind(head, phrase.noun):
        _become(Become(new), draft)
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
    _add_item(_articled(new), draft)


def _place(edit: Edit, draft: Draft) -> None:
    text = edit.text.strip(" ,")
    if text.startswith("with ") and text.endswith(" in the background"):
        _add_item(text.removeprefix("with "), draft)
        return
    kept = tuple(segment for segment in draft.phrase.tail if not _is_place(segment))
    draft.phrase = replace(draft.phrase, tail=(*kept, text))
    draft.added(text)


def _is_place(segment: str) -> bool:
    words = segment.split()
    personal = re.search(r"\b(?:its|his|her|their|mouth|hand|hands|arms|head|camera|top of)\b", segment)
    return bool(words) and words[0] in lx.PLACES and not personal


def _pose(edit: Edit, draft: Draft) -> None:
    new = parse("x " + edit.text).tail
    first = edit.text.split()[0] if edit.text else ""
    classes = lx.POSTURES if first in lx.POSTURES else lx.GAZES if first in lx.GAZES else frozenset({first})
    kept = [segment for segment in draft.phrase.tail if segment.split()[0] not in classes]
    if any(_is_place(segment) for segment in new) and first in lx.POSTURES:
        kept = [segment for segment in kept if not _is_place(segment)]
    draft.phrase = replace(draft.phrase, tail=(*new, *kept) if first in lx.POSTURES else (*kept, *new))
    draft.added(edit.text)


def _count(edit: Edit, draft: Draft) -> None:
    phrase = draft.phrase
    number = {"1": "one", "more": "several", "a single": "one", "fewer": "few", "less": "few", "a": "one", "an": "one", "single": "one"}.get(edit.text, edit.text)
    if number.isdigit():
        number = lx.NUMBER_WORDS.get(int(number), number)
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


def _sum(phrase: Phrase, change: int) -> str:
    lead = phrase.lead.split()[-1] if phrase.lead else ""
    known = 1 if lead in ("a", "an", "the") and not is_plural(phrase.noun) else lx.NUMBERS.get(lead, 0)
    total = known + change
    return lx.NUMBER_WORDS.get(total, "several") if known and total > 0 else "several" if change > 0 else "one"


def _view(edit: Edit, draft: Draft) -> None:
    phrase = draft.phrase
    if edit.text == "close-up":
        if "close-up" not in phrase.lead:
            draft.phrase = replace(phrase, lead=f"a close-up of {phrase.lead or ''}".strip())
    else:
        phrase = replace(phrase, lead=re.sub(r"^a close-up of ?", "", phrase.lead)) if "afar" in edit.text else phrase
        other = re.compile(r"\b(?:greyscale|black and white|in colou?r)\b" if re.match("in ", edit.text) else r"^(?:seen|viewed|shot) ")
        kept = tuple(segment for segment in phrase.tail if not other.search(segment))
        draft.phrase = replace(phrase, tail=(*kept, edit.text))
    draft.added(edit.text)


def _keep(edit: Edit, draft: Draft) -> None:
    draft.touched = True
    if edit.text and edit.text not in ("same", "rest", "everything", "else"):
        draft.keep.append(edit.text)


def _scene(edit: Edit, draft: Draft) -> None:
    text = scene_text(edit.text)
    if not text:
        return
    new = parse(text)
    again = re.search(r"\b(?:same|another|similar\w*|other|the)\b", " ".join(edit.text.split()[:5]))
    if draft.rewritten:
        draft.phrase = replace(draft.phrase, tail=(*draft.phrase.tail, ", " + text))
    elif again and same_kind(new.noun, draft.original.noun):
        draft.phrase = _inherited(new, edit.text, draft)
    else:
        draft.phrase = replace(new, lead="a" if new.lead == "the" and not is_plural(new.noun) else new.lead.removeprefix("the"))
    if not same_noun(new.noun, draft.original.noun):
        draft.removed(draft.original.noun)
    draft.rewritten = True
    draft.added(text)


def _inherited(new: Phrase, said: str, draft: Draft) -> Phrase:
    """*another dog of the same breed*: looks that the text does not name stay those of the caption."""
    old = draft.original
    noun = old.noun if singular(new.noun) in ("animal", "person", "one", "vehicle") else new.noun
    lead = new.lead if new.lead not in ("the", "") else old.lead
    if is_plural(noun) and lead in ("a", "an"):
        noun = singular(noun)
    phrase = replace(new, noun=noun, lead=lead)
    different = re.search(r"\b(?:different|other) (?:breed|colou?r|type|kind|species)", said)
    for unit in old.units:
        if not different and not phrase.unit(unit_slot(unit)) and unit_slot(unit) in ("colour", "pattern", "material", ""):
            phrase = with_unit(phrase, unit)
    return phrase


def scene_text(text: str) -> str:
    """A description of the whole target without talk of the reference or of pictures."""
    text = re.sub(r",?\s*(?:and )?(?:that )?(?:is |are |with |has |have |in |of )*(?:exactly )?(?:the|a) (?:same|similar|different) (?:breed|type|kind|colou?r|shape|style|size|species|variety|position|pose|design|location|angle|way|background)s?(?: and (?:colou?r|type|size|shape|breed|kind))?(?: of)?\b", " ", text)
    text = re.sub(r"\banother\b", "a", text)
    text = re.sub(r"\b(?:a )?(?:very |more )?(?:similar|same|different|other|identical)(?:ly)? (?=\w)", _article_kept, text)
    text = re.sub(r"\b(?:the|a) (?=a\b|an\b)", "", text)
    text = re.sub(r"^(?:is|are|has|have|shows?|of|with|on|it is|there is|there are)\s+(?=\w)", "", plain(text).strip(" ,"))
    text = re.sub(r"\b(?:is|are) (?=\w+ing\b)", "", text)
    return " ".join(words for words in text.split()).strip(" ,")


def _article_kept(found: re.Match[str]) -> str:
    return "a " if found.group(0).startswith("a ") else ""


_ACTIONS = {
    Scene: _scene,
    Become: _become,
    Swap: _swap,
    Set: _set,
    Add: _add,
    Drop: _drop,
    Place: _place,
    Pose: _pose,
    Count: _count,
    View: _view,
    Keep: _keep,
}


def content(text: str) -> str:
    """The words of a text that say something, for when nothing else can be made of it."""
    return " ".join(word for word in words_of(text) if word not in lx.STOPS | lx.PREPOSITIONS | lx.DETERMINERS | lx.GENERIC)
