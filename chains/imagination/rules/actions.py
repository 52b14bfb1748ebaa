"""Applying edits to a draft: places, poses, views and scenes here, the other edits by the modules above."""

from __future__ import annotations

import re
from dataclasses import replace
from operator import and_

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.attributes import add_item, add_thing, set_adjectives
from ipcir_tools.chains.imagination.rules.caption import Phrase, adjective_slot, parse
from ipcir_tools.chains.imagination.rules.counts import set_count
from ipcir_tools.chains.imagination.rules.edits import (
    Add,
    Aside,
    Become,
    Count,
    Draft,
    Drop,
    Edit,
    Keep,
    Place,
    Pose,
    Scene,
    Set,
    Swap,
    View,
)
from ipcir_tools.chains.imagination.rules.nouns import become, drop_thing, swap_thing
from ipcir_tools.chains.imagination.rules.phrases import (
    is_place,
    places_of_others,
    same_kind,
    same_noun,
    with_adjective,
)
from ipcir_tools.chains.imagination.rules.text import is_plural, simplify, singular, strip_determiner
from ipcir_tools.chains.imagination.rules.things import is_adjectival


def apply(edit: Edit, draft: Draft) -> None:
    """Change the draft in place by one edit."""
    _ACTIONS[type(edit)](edit, draft)


def _place(edit: Edit, draft: Draft) -> None:
    text = edit.text.strip(" ,")
    if text.startswith("with ") and text.endswith(" in the background"):
        add_item(text.removeprefix("with "), draft)
        return
    own = bool(re.match(r"on (?:its|his|her|their) (?:back|side|belly|stomach|feet|hind legs|knees)\b", text))
    tail, others = draft.phrase.tail, places_of_others(draft.phrase.tail)
    lost = [i for i, part in enumerate(tail) if not own and i not in others and _excludes(text, part)]
    at = next((i for i, part in enumerate(tail) if own and is_place(part)), min(others, default=len(tail) + 1) - 1)
    at = lost[0] if lost else at
    before, after = ([tail[i] for i in range(*ends) if i not in lost] for ends in ((0, at), (at, len(tail))))
    draft.phrase = replace(draft.phrase, tail=(*before, text, *after))
    draft.note_added(text)


_DAYTIME = r"(?:night|day|midnight|sunset|sunrise|dawn|dusk|noon|evening|morning|afternoon|daylight|daytime)"
_TIMES = tuple(
    re.compile(rf"(?:at|in|during|by) (?:the )?{words}\b|.* light$")
    for words in (_DAYTIME, "(?:winter|summer|spring|autumn|fall)", "(?:rain|fog|storm)")
)
"""Hours, seasons and weathers: each replaces its like, and none a place."""


def _excludes(place: str, segment: str) -> bool:
    """Whether a new place leaves none for the segment: a place takes that of a place, an hour that of an hour."""
    new, old = ([bool(kind.match(text)) for kind in _TIMES] for text in (place, segment))
    return any(map(and_, new, old)) if any(new) or any(old) else is_place(segment)


def _pose(edit: Edit, draft: Draft) -> None:
    new = parse("x " + edit.text).tail or (edit.text,) * (edit.text in lexicon.POSTURES | lexicon.PARTICIPLES)
    if re.search(r"\b(?:opposite|other) (?:direction|way|side)\b", edit.text):
        new = _opposite_direction(draft.phrase.tail)
    draft.touched = True
    if not new:
        return
    first = new[0].split()[0]
    classes = frozenset().union(*(_class_of(segment.split()[0]) for segment in new))
    kept = [segment for segment in draft.phrase.tail if segment.split()[0] not in classes]
    if any(is_place(segment) for segment in new) and first in lexicon.POSTURES:
        kept = [segment for segment in kept if not is_place(segment)]
    again = next((i for i, old in enumerate(draft.phrase.tail) if old.split()[0] == first), len(kept))
    at = 0 if first in lexicon.POSTURES else min(again, len(kept))
    draft.phrase = replace(draft.phrase, tail=(*kept[:at], *new, *kept[at:]))
    draft.note_added(edit.text)


def _class_of(verb: str) -> frozenset[str]:
    """The verbs that exclude this one, itself included: *sitting* replaces *standing*."""
    return next((kind for kind in (lexicon.POSTURES, lexicon.GAZES) if verb in kind), frozenset({verb}))


_TURNS = (("left", "right"), ("right", "left"), ("away from the camera", "the camera"), ("the camera", "away"),
          ("away", "the camera"))  # fmt: skip


def _opposite_direction(tail: tuple[str, ...]) -> tuple[str, ...]:
    """*facing left* -> *facing right*; empty where the caption states no direction."""
    gaze = next((segment for segment in tail if segment.split()[0] in lexicon.GAZES), "")
    return next((("facing " + new,) for old, new in _TURNS if re.search(rf"\b{old}\b", gaze)), ())


def _view(edit: Edit, draft: Draft) -> None:
    phrase = draft.phrase
    if edit.text == "a photo of":
        draft.phrase = replace(phrase, prefix="") if phrase.prefix.endswith(" of") else phrase
        draft.note_removed(strip_determiner(phrase.prefix.removesuffix(" of")))
        return
    if edit.text.endswith(" of"):
        framed = not phrase.prefix or phrase.prefix.endswith(" of")
        draft.phrase = replace(phrase, prefix=edit.text if framed else f"{edit.text} {phrase.prefix}")
    elif edit.text.startswith("close-up"):
        part = edit.text.removeprefix("close-up of ") if " of " in edit.text else ""
        draft.phrase = phrase if phrase.prefix else replace(phrase, prefix="a close-up of" + f" {part} of" * bool(part))
    else:
        phrase = replace(phrase, prefix="") if "afar" in edit.text and "close-up" in phrase.prefix else phrase
        other = re.compile(
            r"\b(?:greyscale|black and white|in colou?r|light)$"
            if re.match("in ", edit.text)
            else r"^(?:seen|viewed|shot) "
        )
        kept = tuple(segment for segment in phrase.tail if not other.search(segment))
        draft.phrase = replace(phrase, tail=(*kept, edit.text))
    draft.note_added(edit.text)


def _aside(edit: Edit, draft: Draft) -> None:
    draft.phrase = replace(draft.phrase, tail=(*draft.phrase.tail, ", " + edit.text))
    draft.note_added(edit.text)


def _keep(edit: Edit, draft: Draft) -> None:
    draft.touched = True
    if edit.text and edit.text not in ("same", "rest", "everything", "else"):
        draft.keep.append(edit.text)


def _scene(edit: Edit, draft: Draft) -> None:
    text = scene_text(edit.text)
    if not text:
        return
    new = parse(text)
    again = re.search(r"^the\b|\b(?:same|another|similar\w*|other)\b", " ".join(edit.text.split()[:5]))
    if draft.rewritten:
        draft.phrase = replace(draft.phrase, tail=(*draft.phrase.tail, ", " + text))
    elif again and same_kind(new.noun, draft.original.noun):
        draft.phrase = _with_old_looks(new, edit.text, draft)
    else:
        draft.phrase = replace(
            new, lead="a" if new.lead == "the" and not is_plural(new.noun) else new.lead.removeprefix("the")
        )
    if not same_noun(new.noun, draft.original.noun):
        draft.note_removed(draft.original.noun)
    draft.rewritten = True
    draft.note_added(text)


def _with_old_looks(new: Phrase, text: str, draft: Draft) -> Phrase:
    """*another dog of the same breed*: attributes that the text does not name are taken from the caption."""
    old = draft.original
    noun = old.noun if singular(new.noun) in ("animal", "person", "one", "vehicle") else new.noun
    lead = new.lead if new.lead not in ("the", "") else old.lead
    if is_plural(noun) and lead in ("a", "an", "one"):
        noun = singular(noun)
    phrase = replace(new, noun=noun, lead=lead)
    different = re.search(r"\b(?:different|other) (?:breed|colou?r|type|kind|species)", text)
    for adjective in old.adjectives:
        if (
            not different
            and not phrase.adjective(adjective_slot(adjective))
            and adjective_slot(adjective) in ("colour", "pattern", "material", "")
        ):
            phrase = with_adjective(phrase, adjective)
    return phrase


def scene_text(text: str) -> str:
    """A description of the whole target, without comparisons to the reference and mentions of pictures."""
    text = re.sub(
        r",?\s*(?:and )?(?:that )?(?:is |are |with |has |have |in |of )*(?:exactly )?(?:(?:the|a) (?:same|"
        r"similar|different)|(?:various,? (?:but )?)?(?:same|similar|identical)) (?:(?:fur|coat|skin|hair|eye) )?"
        r"(?:breed|type|kind|colou?r|shape|style|size|species|variety|position|pose|design|location|"
        r"angle|way|background)s?(?: and (?:[\w-]+ )?(?:colou?r|type|size|shape|breed|kind))?(?: of)?\b",
        " ",
        text,
    )
    text = re.sub(r"\b(?:is|are)(?=,|$)", "", re.sub(r"\banother(?= (?!and\b)\w)", "a", text))
    text = re.sub(
        r"\b(?<!each )(?:a )?(?:very |more )?(?:similar|same|different|other|identical)(?:ly)?(?: but)? (?=\w)",
        _article_kept,
        text,
    )
    text = re.sub(r"\b(?:the|a) (?=a\b|an\b)", "", text)
    text = re.sub(
        r"^(?:is|are|has|have|shows?|of|with|on|it is|there is|there are)\s+(?=\w)", "", simplify(text).strip(" ,")
    )
    text = re.sub(r"\b(?:is|are|must be|should be|must|should) (?=\w+ing\b)|\b(?:must|should) be ", "", text)
    text = re.sub(r"^(?:twice|double) as many\b", "many", re.sub(r"^(?:only|just|now) ", "", text))
    text = re.sub(r",? and (?:it|they|he|she) (?:is |are )?(?=\w+ing\b)", " ", text)
    text = _relative_clause_first(text)
    return re.sub(r"^((?:(?!and\b|\w+ing\b)[\w-]+ )+)and (?=\w{3,}ing\b)", r"\1", " ".join(text.split())).strip(" ,")


_RELATIVE = re.compile(r"((?:an?|the|one|two|three|some) )?((?:[\w-]+ ){1,4})(?:that|which|who) (?:is|are|looks?) (.+)")


def _relative_clause_first(text: str) -> str:
    """*a dog that is red* -> *a red dog*."""
    found = _RELATIVE.match(text)
    if not found or lexicon.PREPOSITIONS & set(found.group(2).split()):
        return text
    words, rest = found.group(3), ""
    cut = re.search(r" and (?:has|have) | (?=(?:with|in|on) )|(?=,)", words)
    if cut:
        words, rest = words[: cut.start()], words[cut.end() :]
        rest = f" with {rest}" if cut.group().startswith(" and") else cut.group() + rest
    return f"{found.group(1) or ''}{words} {found.group(2).strip()}{rest}" if is_adjectival(words) else text


def _article_kept(found: re.Match[str]) -> str:
    return "a " if found.group(0).startswith("a ") else ""


_ACTIONS = {
    Scene: _scene,
    Become: become,
    Swap: swap_thing,
    Set: set_adjectives,
    Add: add_thing,
    Aside: _aside,
    Drop: drop_thing,
    Place: _place,
    Pose: _pose,
    Count: set_count,
    View: _view,
    Keep: _keep,
}
