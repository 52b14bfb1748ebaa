"""Operations on phrases: adding and removing adjectives and features, counting, comparing nouns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, adjective_slot, feature_key
from ipcir_tools.chains.imagination.rules.text import is_plural, plural, singular


def with_adjective(phrase: Phrase, adjective: str) -> Phrase:
    """The phrase with an adjective: in place of the one in its slot, or else in the usual order."""
    slot = adjective_slot(adjective)
    if adjective in phrase.adjectives:
        return phrase
    old = phrase.adjective(slot) if slot not in ("", "other") else ""
    if old and adjective == "solid":
        adjective = "plain"
    if old:
        return replace(
            phrase, adjectives=tuple(_merged(old, adjective) if known == old else known for known in phrase.adjectives)
        )
    rank = 3 if adjective in ("solid", "plain") else lexicon.RANKS[slot]
    at = next(
        (i for i, known in enumerate(phrase.adjectives) if lexicon.RANKS[adjective_slot(known)] > rank),
        len(phrase.adjectives),
    )
    return replace(phrase, adjectives=(*phrase.adjectives[:at], adjective, *phrase.adjectives[at:]))


def _merged(old: str, new: str) -> str:
    """A shade alone keeps the colour: *dark* for *light red* gives *dark red*."""
    if new in lexicon.SHADES:
        colours = " ".join(word for word in old.split() if word not in lexicon.SHADES)
        if (new, colours) in {("dark", "white"), ("deep", "white"), ("light", "black"), ("pale", "black")}:
            return new
        return f"{new} {colours}".strip()
    return new


def without_adjective(phrase: Phrase, adjective: str) -> Phrase:
    """The phrase without an adjective."""
    return replace(phrase, adjectives=tuple(known for known in phrase.adjectives if known != adjective))


def with_feature(phrase: Phrase, item: str) -> Phrase:
    """The phrase with a feature: in place of the one with its key, or else in the usual order."""
    key = feature_key(item)
    if phrase.feature(key):
        return replace(phrase, features=tuple(item if feature_key(f) == key else f for f in phrase.features))
    rank = _feature_rank(item)
    at = next((i for i, known in enumerate(phrase.features) if _feature_rank(known) > rank), len(phrase.features))
    return replace(phrase, features=(*phrase.features[:at], item, *phrase.features[at:]))


def _feature_rank(item: str) -> int:
    key = feature_key(item)
    return lexicon.FEATURE_ORDER.index(key) if key in lexicon.FEATURE_ORDER else len(lexicon.FEATURE_ORDER)


def without_feature(phrase: Phrase, key: str) -> Phrase:
    """The phrase without a feature."""
    return replace(phrase, features=tuple(item for item in phrase.features if feature_key(item) != key))


def container(phrase: Phrase) -> str:
    """The container or the group of the main thing: the *bowl* of "a bowl of soup"; empty if there is none."""
    words = phrase.lead.split()
    return words[words.index("of") - 1] if "of" in words[1:] else ""


def mentions(phrase: Phrase, noun: str) -> bool:
    """Whether a caption mentions a noun in its features or its tail."""
    words = " ".join((*phrase.features, *phrase.tail)).replace(",", " ").split()
    return any(same_noun(word, noun) for word in words)


def same_noun(one: str, other: str) -> bool:
    """Whether two nouns are equal, apart from singular and plural."""
    return bool(one) and singular(one) == singular(other)


def same_kind(one: str, other: str) -> bool:
    """Whether two nouns are equal or of the same kind: a cat and an animal."""
    return same_noun(one, other) or any(
        singular(one) in kind | {one}
        and (singular(one) in kind or one in kind)
        and (singular(other) in kind or other in kind)
        for kind in lexicon.KINDS
    )


def known_number(phrase: Phrase) -> int:
    """The number of main things that a caption states; 0 if it states none."""
    lead = phrase.lead.split()[-1] if phrase.lead else ""
    return 1 if lead in ("a", "an", "the") and not is_plural(phrase.noun) else lexicon.NUMBERS.get(lead, 0)


def with_count(phrase: Phrase, number: str) -> Phrase:
    """The phrase with a number, its noun in the matching form."""
    one = number in ("a", "an", "one", "a single", "only one")
    noun = (singular(phrase.noun) if is_plural(phrase.noun) else phrase.noun) if one else plural(phrase.noun)
    group = re.search(r"(\w+) of$", phrase.lead)
    if one and group and group.group(1) not in lexicon.CROWDS:
        number = f"{number} {singular(group.group(1))} of"
    return replace(phrase, lead=number, noun=noun)


def is_place(segment: str) -> bool:
    """Whether a part of a tail is a place: *on a beach*."""
    words = segment.split()
    personal = re.search(r"\b(?:its|his|her|their|mouth|hand|hands|arms|head|camera|top of)\b", segment)
    return bool(words) and words[0] in lexicon.PLACES and not personal


def places_of_others(tail: Sequence[str]) -> frozenset[int]:
    """Which parts of a tail are places of a thing beside the main one, whose own place stands before.

    *over the sea* in "a boat at the beach with a bird over the sea".
    """
    found: list[int] = []
    own_place = beside = False
    for i, segment in enumerate(tail):
        beside = beside or (own_place and segment.startswith(("with ", "and ")))
        own_place = own_place or is_place(segment)
        if beside and is_place(segment):
            found.append(i)
    return frozenset(found)
