"""Removing and replacing things of a draft."""

from __future__ import annotations

import re
from dataclasses import replace

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.attributes import (
    add_item,
    drop_pattern,
    fitting_length,
    set_adjective,
    set_sleeves,
)
from ipcir_tools.chains.imagination.rules.caption import Phrase, adjective_slot, feature_key, head_noun, parse
from ipcir_tools.chains.imagination.rules.edits import Become, Draft, Edit
from ipcir_tools.chains.imagination.rules.phrases import (
    container,
    places_of_others,
    same_kind,
    same_noun,
    with_feature,
    without_adjective,
    without_feature,
)
from ipcir_tools.chains.imagination.rules.text import (
    contains_words,
    is_gerund,
    is_plural,
    join_list,
    plural,
    simplify,
    singular,
    strip_determiner,
)


def drop_thing(edit: Edit, draft: Draft) -> None:
    """Remove a thing from the features, the adjectives or the tail."""
    item = re.sub(r"^(?:the|a|an|any|its|all|all the|of|other|more) ", "", simplify(edit.text)).strip()
    head = head_noun(item)
    if not item or not head:
        return
    draft.note_removed(item)
    key = feature_key(item)
    phrase = draft.phrase
    if is_gerund(item.split()[0]):
        draft.phrase = replace(phrase, tail=tuple(part for part in phrase.tail if part.split()[0] != item.split()[0]))
        return
    if edit.of and not same_noun(edit.of, phrase.noun):
        _drop_look(item.split(), draft)
        return
    if singular(head) in lexicon.HYPERNYMS and not same_noun(head, phrase.noun):
        _drop_kind(head, draft)
    if lexicon.slot_of(head) == "pattern" and head not in phrase.adjectives:
        return
    if (
        head in ("pattern", "print", "patterns", "prints", "design", "designs")
        or lexicon.slot_of(head) == "pattern"
        or (head in lexicon.PATTERN_NOUNS and phrase.adjective("pattern"))
    ):
        drop_pattern(draft)
    elif key == "sleeves" and strip_determiner(item) in ("sleeves", "sleeve"):
        set_sleeves("sleeveless", draft)
    elif phrase.feature(key) and key != "":
        draft.phrase = without_feature(phrase, key)
    elif any(word in phrase.adjectives for word in (item, head)):
        draft.phrase = without_adjective(without_adjective(phrase, item), head)
    elif same_noun(head, phrase.noun) and not phrase.is_garment:
        _drop_head(draft)
    else:
        _drop_in_tail(head, draft)


def _drop_look(words: list[str], draft: Draft) -> None:
    """Remove adjectives of other things than the main one."""

    def cleaned(text: str) -> str:
        return " ".join(word for word in text.split() if word.strip(",") not in words)

    phrase = draft.phrase
    draft.phrase = replace(
        phrase,
        features=tuple(map(cleaned, phrase.features)),
        tail=tuple(part for part in map(cleaned, phrase.tail) if part),
    )


def _drop_kind(kind: str, draft: Draft) -> None:
    """Remove every feature of a kind: *no animals*."""
    phrase = draft.phrase
    gone = [item for item in phrase.features if same_kind(head_noun(item), kind)]
    draft.note_removed(*(strip_determiner(item) for item in gone))
    draft.phrase = replace(phrase, features=tuple(item for item in phrase.features if item not in gone))


def _drop_head(draft: Draft) -> None:
    """Remove the main thing: the picture then shows what was around it."""
    phrase = draft.phrase
    if phrase.features and singular(head_noun(phrase.features[0])) in lexicon.ANIMALS | lexicon.PEOPLE:
        draft.phrase = parse(" ".join((join_list(phrase.features), *phrase.tail)))
        return
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
    if lexicon.slot_of(head) and any(
        re.search(rf"\b{re.escape(head)} (?:and )?\w", part) for part in draft.phrase.tail
    ):
        _drop_look([head], draft)
        return
    tail, others = draft.phrase.tail, places_of_others(draft.phrase.tail)
    gone = {i for i, part in enumerate(tail) if any(same_noun(w.strip(",.;"), head) for w in part.split())}
    gone |= {i for i in others if i - 1 in gone and i - 1 not in others}
    lists_more = any(tail[i].startswith("with ") for i in gone) and not any(
        part.startswith("with ") for i, part in enumerate(tail) if i not in gone
    )
    kept = tuple(
        re.sub("^and (?=an? )", "with ", part) if lists_more and i > min(gone) else part
        for i, part in enumerate(tail)
        if i not in gone
    )
    verbs = tuple(
        segment
        for segment in kept
        if not (is_gerund(segment) and segment in ("wearing", "holding", "carrying", "eating"))
    )
    if len(verbs) < len(draft.phrase.tail) and verbs and verbs[0].startswith(", ") and " and " not in " ".join(verbs):
        verbs = ("and " + verbs[0].strip(", "), *verbs[1:])
    draft.phrase = replace(draft.phrase, tail=verbs)


def become(edit: Edit, draft: Draft) -> None:
    """Replace the main thing; attributes that fit the new one are kept."""
    new = parse(edit.text)
    old = draft.phrase
    if not new.noun:
        return
    if same_noun(new.noun, container(old)) and not same_noun(new.noun, old.noun):
        _swap_container(new, draft)
        return
    if not same_noun(new.noun, old.noun):
        draft.note_removed(old.noun)
        old = replace(old, adjectives=tuple(adjective for adjective in old.adjectives if adjective_slot(adjective)))
        draft.note_added(new.noun)
    lead = new.lead if new.lead not in ("", "the", "a", "an", "another", "that") else old.lead
    one = new.lead in ("a", "an") and not is_plural(new.noun) and lead.endswith(" of")
    if one and (container(old) in lexicon.CROWDS or new.adjectives):
        lead = "a"
    if is_plural(new.noun) and lead in ("a", "an", "one"):
        lead = ""
    if lexicon.NUMBERS.get(new.lead, 0) > 1 or new.lead in ("several", "many"):
        new = replace(new, noun=new.noun if new.noun in lexicon.MASS else plural(new.noun))
    if not is_plural(new.noun) and (
        (lead == "" and is_plural(old.noun)) or (lead in ("two", "three", "some", "several") and lead != new.lead)
    ):
        lead = "a"
    compound = [adjective for adjective in old.adjectives if not adjective_slot(adjective)]
    if compound and any(not adjective_slot(adjective) for adjective in new.adjectives):
        old = replace(old, adjectives=tuple(adjective for adjective in old.adjectives if adjective not in compound))
        draft.note_removed(*compound)
    draft.phrase = replace(_suited_to(old, new.noun), lead=lead, noun=new.noun)
    for adjective in new.adjectives:
        if adjective in ("different", "similar", "identical", "same"):
            continue
        if adjective_slot(adjective) or adjective not in draft.phrase.adjectives:
            set_adjective(adjective, draft)
    for item in new.features:
        add_item(item, draft)
    if new.tail:
        draft.phrase = replace(draft.phrase, tail=new.tail)
    draft.touched = True


def _swap_container(new: Phrase, draft: Draft) -> None:
    """Replace the container of the main thing: *two slices*, *a smaller bowl*."""
    lead = draft.phrase.lead
    rest = lead[lead.index(" of") :]
    draft.phrase = replace(draft.phrase, lead=" ".join((new.lead or "a", *new.adjectives, new.noun)) + rest)
    draft.note_added(" ".join((*new.adjectives, new.noun)))


def _suited_to(old: Phrase, noun: str) -> Phrase:
    """The phrase without attributes that another garment cannot have: a skirt has no sleeves."""
    if not old.is_garment or same_noun(noun, old.noun):
        return old
    lost: set[str] = set()
    if singular(noun) in lexicon.BOTTOMS or noun in lexicon.BOTTOMS or singular(noun) in lexicon.WEARABLES:
        lost = {"sleeves", "neck"}
    elif noun == "hoodie":
        lost = {"neck"}
    if singular(noun) in lexicon.TOPS:
        lost |= {"belt"}
    adjectives = tuple(adjective for adjective in old.adjectives if adjective_slot(adjective) not in lost)
    features = tuple(item for item in old.features if feature_key(item) not in lost)
    length = old.adjective("length")
    suited = replace(old, noun=noun, adjectives=adjectives, features=features)
    new = fitting_length(length, suited) if length else ""
    return replace(
        suited,
        adjectives=tuple(
            new if adjective == length else adjective for adjective in adjectives if adjective != length or new
        ),
    )


def swap_thing(edit: Edit, draft: Draft) -> None:
    """Replace one thing or attribute by another."""
    old, new = strip_determiner(edit.of), edit.text
    head = head_noun(old)
    phrase = draft.phrase
    slot = _common_slot(old, new)
    if container(phrase) and same_noun(head, container(phrase)) and not same_noun(head, phrase.noun):
        draft.note_removed(head)
        _swap_container(parse(_with_article(new)), draft)
    elif old in phrase.adjectives and len(strip_determiner(new).split()) == 1 and not slot:
        draft.note_removed(old)
        draft.phrase = replace(
            phrase,
            adjectives=tuple(
                strip_determiner(new) if adjective == old else adjective for adjective in phrase.adjectives
            ),
        )
        draft.note_added(strip_determiner(new))
    elif slot:
        words = strip_determiner(new)
        draft.note_removed(old)
        set_adjective(lexicon.PATTERN_NOUNS.get(words, words), draft)
    elif phrase.feature(feature_key(old)):
        draft.note_removed(strip_determiner(phrase.feature(feature_key(old))))
        if feature_key(old) == feature_key(new) and not phrase.is_garment:
            draft.phrase = with_feature(phrase, _with_article(new))
            draft.note_added(strip_determiner(new))
            return
        draft.phrase = replace(phrase, features=tuple(f for f in phrase.features if feature_key(f) != feature_key(old)))
        add_item(_with_article(new), draft)
    elif not same_noun(head, phrase.noun) and any(
        same_noun(w.strip(",.;"), head) for p in phrase.tail for w in p.split()
    ):
        swap_in_tail(old, head, new, draft)
    elif same_kind(head, phrase.noun) and contains_words(" ".join(phrase.tail), head_noun(new)):
        _drop_head(draft)
        draft.note_removed(old)
    elif same_kind(head, phrase.noun):
        become(Become(new), draft)
        draft.note_removed(old)
    else:
        swap_in_tail(old, head, new, draft)


def _common_slot(old: str, new: str) -> str:
    """The slot of two adjectives, or of two pattern nouns."""
    slots = []
    for text in (old, new):
        words = strip_determiner(text).split()
        last = words[-1] if words else ""
        slots.append("pattern" if last in lexicon.PATTERN_NOUNS and len(words) == 1 else lexicon.slot_of(last))
    return slots[0] if slots[0] == slots[1] and slots[0] not in ("", "other") else ""


def _with_article(text: str) -> str:
    head = head_noun(text)
    first = text.split()[0] if text else ""
    needs = first and first not in lexicon.DETERMINERS and not is_plural(head) and head not in lexicon.MASS
    text = re.sub(r"^the ", "a " if not is_plural(head) and head not in lexicon.MASS else "", text)
    return f"a {text}" if needs else text


def swap_in_tail(old: str, head: str, new: str, draft: Draft) -> None:
    """Replace a noun and its words in the tail; where it is not there, the new thing is added."""
    draft.note_removed(old)
    if any(same_noun(word, head) for word in draft.phrase.prefix.split()):
        worn = draft.phrase.prefix.split()[-1]
        draft.phrase = replace(draft.phrase, prefix=f"{_with_article(new)} {worn}")
        draft.note_added(strip_determiner(new))
        return
    there = any(same_noun(word.strip(",.;"), head) for part in draft.phrase.tail for word in part.split())
    alike = same_noun if there else same_kind
    for i, segment in enumerate(draft.phrase.tail):
        words = segment.split()
        at = next((j for j, word in enumerate(words) if alike(word.strip(",.;"), head)), None)
        if at is None:
            continue
        start = at
        while start and (words[start - 1] in lexicon.DETERMINERS or lexicon.slot_of(words[start - 1])):
            start -= 1
        kept = new if words[start : start + 1] == ["the"] and new.startswith("the ") else _with_article(new)
        changed = " ".join((*words[:start], kept, *words[at + 1 :]))
        draft.phrase = replace(draft.phrase, tail=(*draft.phrase.tail[:i], changed, *draft.phrase.tail[i + 1 :]))
        draft.note_added(strip_determiner(new))
        return
    add_item(_with_article(new), draft)
