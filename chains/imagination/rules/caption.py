"""A caption taken apart, so that one attribute of it can be changed, and put together again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from ipcir_tools.chains.imagination.rules import lexicon as lx
from ipcir_tools.chains.imagination.rules.text import (
    article,
    base_verb,
    is_gerund,
    is_plural,
    listed,
    mend_articles,
    plural,
    singular,
    words_of,
)

_TALK = re.compile(
    r"^(?:arafed\s+|there (?:is|are) |this is |it is |(?:an? |the )?(?:[\w-]+ )?(?:photo|photograph|picture|image|"
    r"view|shot|"
    r"snapshot|rendering) (?:of|showing) )+"
)


@dataclass(frozen=True)
class Phrase:
    """``lead units noun with features tail``: *a | red, striped | t-shirt | with short sleeves | on a hanger*."""

    lead: str = ""
    """Article, number or group: ``a``, ``two``, ``a group of``."""
    units: tuple[str, ...] = ()
    """What stands before the noun, one attribute each; ``light blue`` and ``black and white`` are one."""
    noun: str = ""
    features: tuple[str, ...] = ()
    prefix: str = ""
    """Who wears or frames it: ``a woman wearing``, ``a close-up of``."""
    tail: tuple[str, ...] = ()
    """What follows, cut before each verb, place and "and": ``lying``, ``on a couch``."""

    @property
    def is_garment(self) -> bool:
        """Whether the picture is of one piece of clothing."""
        return singular(self.noun) in lx.GARMENTS or self.noun in lx.GARMENTS

    def unit(self, slot: str) -> str:
        """The unit in a slot; empty if there is none."""
        return next((unit for unit in self.units if unit_slot(unit) == slot), "")

    def feature(self, key: str) -> str:
        """The feature with that key; empty if there is none."""
        return next((item for item in self.features if feature_key(item) == key), "")

    def text(self) -> str:
        """The caption again, with the articles that fit."""
        head = " ".join((*self.units, self.noun)).strip()
        lead = article(head) if self.lead in ("a", "an") else self.lead
        of = self.tail[:1] if self.tail and self.tail[0].startswith("of ") else ()
        parts = [f"{self.prefix} {lead} {head}".strip(), *of, f"with {listed(self.features)}" if self.features else ""]
        joined = " ".join(part for part in (*parts, *self.tail[len(of) :]) if part)
        return mend_articles(re.sub(r"\s+([,.;])", r"\1", joined)).strip(" ,.;")


@lru_cache(maxsize=4096)
def parse(text: str) -> Phrase:
    """Take a caption or a noun phrase apart; whatever is not understood stays in the tail."""
    tokens = _TALK.sub("", text.strip(" .,;")).split()
    lead, rest = _lead(tokens)
    stop = _head_end(rest)
    head = [token.strip(",.;") for token in rest[:stop]]
    after = ([","] if stop and rest[stop - 1].endswith(",") else []) + rest[stop:]
    features: tuple[str, ...] = ()
    if after and after[0] in ("with", "featuring") and head:
        features, after = _features(after[1:])
    noun = head[-1] if head else ""
    return Phrase(lead, units_of(head[:-1]), noun, features, tail=_segments(after))


_WORN = re.compile(r"^((?:(?!wearing\b|in\b|dressed\b|with\b)\S+ ){1,6}(?:wearing|dressed in|in)) ((?:an? |the )?.+)$")
_FRAME = re.compile(
    r"^((?:an? |the )?(?:[\w-]+ )?(?:close-up(?: view| shot)?(?: of the (?:head|face|eyes?|paws?|hands?))?|"
    + "|".join(sorted(lx.PICTURES))
    + r") of) (.+)$"
)


@lru_cache(maxsize=1024)
def parse_caption(text: str) -> Phrase:
    """As ``parse``, but a garment that somebody wears is what the picture is about, as is what a close-up shows."""
    text = _TALK.sub("", text.strip(" .,;"))
    framed = _FRAME.match(text)
    if framed:
        return replace(parse_caption(framed.group(2)), prefix=framed.group(1))
    worn = _WORN.match(text)
    if worn and singular(head_noun(worn.group(1))) in lx.PEOPLE:
        garment = parse(worn.group(2))
        if garment.is_garment:
            return replace(garment, prefix=worn.group(1))
    return parse(text)


def _lead(tokens: list[str]) -> tuple[str, list[str]]:
    """Split off articles, numbers and "a group of"."""
    for i, token in enumerate(tokens[:5]):
        if token == "of" and i and tokens[i - 1] in lx.GROUPS | {"many", "lots", "dozens", "groups", "pairs", "piles"}:
            inner, rest = _lead(tokens[i + 1 :])
            return " ".join((*tokens[: i + 1], inner)).strip(), rest
    stop = 0
    while stop < len(tokens) - 1 and (tokens[stop] in lx.DETERMINERS or tokens[stop].isdigit()):
        stop += 1
    return " ".join(tokens[:stop]), tokens[stop:]


def _head_end(tokens: list[str]) -> int:
    """How many tokens belong to the noun phrase itself."""
    for i, token in enumerate(tokens):
        word = token.strip(",.;")
        if i and _ends_head(word, tokens, i):
            return i
        if not i and (word in lx.PREPOSITIONS or word in lx.STOPS):
            return 0
        listing = i + 1 < len(tokens) and lx.slot_of(word) and lx.slot_of(tokens[i + 1].strip(",.;"))
        if token[-1] in ",.;" and not listing:
            return i + 1
    return len(tokens)


def _ends_head(word: str, tokens: list[str], i: int) -> bool:
    if word == "and":
        following = tokens[i + 1].strip(",.;") if i + 1 < len(tokens) else ""
        return not (lx.slot_of(tokens[i - 1].strip(",.;")) and lx.slot_of(following))
    noun_before = not lx.slot_of(tokens[i - 1]) and tokens[i - 1] not in lx.DETERMINERS
    following = tokens[i + 1] if i + 1 < len(tokens) else ""
    if noun_before and base_verb(word) and following in lx.DETERMINERS | lx.PREPOSITIONS - {"of"}:
        return True
    verbal = is_gerund(word) or word in lx.PARTICIPLES or (word in lx.POSTURES | lx.GAZES)
    last = i + 1 >= len(tokens)
    if word in ("all", "both", "each"):
        return True
    return word in lx.PREPOSITIONS or word in lx.STOPS or (verbal and noun_before and (not last or is_gerund(word)))


def units_of(words: list[str]) -> tuple[str, ...]:
    """Group the words before a noun: a shade joins its colour, colours joined by "and" are one unit."""
    units: list[str] = []
    joining = False
    for word in words:
        joined_by_and = joining and bool(units)
        shade = bool(units) and units[-1].split()[-1] in lx.SHADES | lx.TINTS and word in lx.COLOURS | lx.SHADES
        if word == "and":
            joining = True
            continue
        both_colours = bool(units) and unit_slot(units[-1]) == unit_slot(word) == "colour"
        if shade and not joined_by_and:
            units[-1] += " " + word
        elif both_colours:
            units[-1] += (" and " if joined_by_and else " ") + word
        else:
            units.append(word)
        joining = False
    return tuple(units)


def unit_slot(unit: str) -> str:
    """The attribute that a unit names."""
    return lx.slot_of(unit.split()[-1]) if unit else ""


def _features(tokens: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The list after "with", and what is left when it ends."""
    items: list[list[str]] = [[]]
    for i, token in enumerate(tokens):
        word = token.strip(",.;")
        item = items[-1]
        if item and (word in lx.PLACES or is_gerund(word) or word in lx.STOPS - {"and"} or word in lx.PARTICIPLES):
            break
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if word == "and":
            if item and not (lx.slot_of(item[-1]) and lx.slot_of(following.strip(",.;"))):
                items.append([])
            elif item:
                item.append(word)
            continue
        item.append(word)
        if token[-1] in ",;" and word != token:
            items.append([])
    else:
        i = len(tokens)
    found = tuple(" ".join(item) for item in items if item)
    return found, tokens[i:]


def _segments(tokens: list[str]) -> tuple[str, ...]:
    segments: list[list[str]] = []
    for i, token in enumerate(tokens):
        word = token.strip(",.;")
        before = tokens[i - 1].strip(",.;") if i else ""
        at_camera = before in (
            "looking",
            "next",
            "staring",
            "close",
            "front",
            "talking",
            "seen",
            "shot",
            "taken",
            "viewed",
        )
        verb = is_gerund(word) or word in lx.POSTURES | lx.GAZES | {"seen", "shot", "taken", "viewed", "surrounded"}
        cut = (word in lx.PLACES - {"by"} or word in ("and", "while", "with") or verb) and before not in (
            "and",
            "a",
            "the",
            ",",
        )
        if not segments or (cut and not at_camera):
            segments.append([])
        segments[-1].append(token)
    return tuple(" ".join(segment) for segment in segments)


def head_noun(phrase: str) -> str:
    """The noun that a phrase is about: *two big dogs on a couch* -> ``dogs``."""
    noun = parse(phrase).noun
    return noun or next(iter(words_of(phrase)), "")


def feature_key(item: str) -> str:
    """By what features are told apart: ``long sleeves`` and ``short sleeves`` share theirs."""
    noun = head_noun(item)
    return lx.FEATURES.get(noun) or lx.FEATURES.get(singular(noun)) or singular(noun)


def with_unit(phrase: Phrase, unit: str) -> Phrase:
    """Put an adjective in: in place of the one in its slot, else where its kind stands."""
    slot = unit_slot(unit)
    if unit in phrase.units:
        return phrase
    old = phrase.unit(slot) if slot not in ("", "other") else ""
    if old and unit == "solid":
        unit = "plain"
    if old:
        return replace(phrase, units=tuple(_merged(old, unit) if known == old else known for known in phrase.units))
    rank = 3 if unit in ("solid", "plain") else lx.RANKS[slot]
    at = next((i for i, known in enumerate(phrase.units) if lx.RANKS[unit_slot(known)] > rank), len(phrase.units))
    return replace(phrase, units=(*phrase.units[:at], unit, *phrase.units[at:]))


def _merged(old: str, new: str) -> str:
    """A lone shade keeps the colour it is said of: *darker* of *light red* is *dark red*."""
    if new in lx.SHADES:
        colours = " ".join(word for word in old.split() if word not in lx.SHADES)
        if (new, colours) in {("dark", "white"), ("deep", "white"), ("light", "black"), ("pale", "black")}:
            return new
        return f"{new} {colours}".strip()
    return new


def without_unit(phrase: Phrase, unit: str) -> Phrase:
    """Take a unit out."""
    return replace(phrase, units=tuple(known for known in phrase.units if known != unit))


def with_feature(phrase: Phrase, item: str) -> Phrase:
    """Put a feature in: in place of the one of its key, else where its kind stands in the list."""
    key = feature_key(item)
    if phrase.feature(key):
        return replace(phrase, features=tuple(item if feature_key(f) == key else f for f in phrase.features))
    rank = _feature_rank(item)
    at = next((i for i, known in enumerate(phrase.features) if _feature_rank(known) > rank), len(phrase.features))
    return replace(phrase, features=(*phrase.features[:at], item, *phrase.features[at:]))


def _feature_rank(item: str) -> int:
    key = feature_key(item)
    return lx.FEATURE_ORDER.index(key) if key in lx.FEATURE_ORDER else len(lx.FEATURE_ORDER)


def without_feature(phrase: Phrase, key: str) -> Phrase:
    """Take a feature out."""
    return replace(phrase, features=tuple(item for item in phrase.features if feature_key(item) != key))


def holder(phrase: Phrase) -> str:
    """What holds the main thing or gathers it: the *bowl* of "a bowl of soup"; empty if nothing does."""
    words = phrase.lead.split()
    return words[words.index("of") - 1] if "of" in words[1:] else ""


def names(phrase: Phrase, noun: str) -> bool:
    """Whether a noun stands in a caption beside its main thing: in a feature or in the tail."""
    said = " ".join((*phrase.features, *phrase.tail)).replace(",", " ").split()
    return any(same_noun(word, noun) for word in said)


def same_noun(one: str, other: str) -> bool:
    """Whether two nouns are one, number aside."""
    return bool(one) and singular(one) == singular(other)


def same_kind(one: str, other: str) -> bool:
    """Whether two nouns are one, or things of one kind: a cat and an animal."""
    return same_noun(one, other) or any(
        singular(one) in kind | {one}
        and (singular(one) in kind or one in kind)
        and (singular(other) in kind or other in kind)
        for kind in lx.KINDS
    )


def known_number(phrase: Phrase) -> int:
    """How many a caption says there are; nought if it does not say."""
    lead = phrase.lead.split()[-1] if phrase.lead else ""
    return 1 if lead in ("a", "an", "the") and not is_plural(phrase.noun) else lx.NUMBERS.get(lead, 0)


def counted(phrase: Phrase, number: str) -> Phrase:
    """Set how many there are, and the noun to match."""
    one = number in ("a", "an", "one", "a single", "only one")
    noun = (singular(phrase.noun) if is_plural(phrase.noun) else phrase.noun) if one else plural(phrase.noun)
    group = re.search(r"(\w+) of$", phrase.lead)
    if one and group and group.group(1) not in lx.CROWDS:
        number = f"{number} {singular(group.group(1))} of"
    return replace(phrase, lead=number, noun=noun)
