"""Parsing a caption into its parts, so that one attribute of it can be changed, and joining them again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.text import (
    article,
    base_verb,
    fix_articles,
    is_gerund,
    join_list,
    singular,
    words_in,
)

_TALK = re.compile(
    r"^(?:arafed\s+|there (?:is|are) |this is |it is |(?:an? |the )?(?:[\w-]+ )?(?:photo|photograph|picture|image|"
    r"view|shot|"
    r"snapshot|rendering) (?:of|showing) )+"
)


@dataclass(frozen=True)
class Phrase:
    """``lead adjectives noun with features tail``: *a | red, striped | t-shirt | with short sleeves | on a hanger*."""

    lead: str = ""
    """Article, number or group: ``a``, ``two``, ``a group of``."""
    adjectives: tuple[str, ...] = ()
    """The words before the noun, one entry an attribute; ``light blue`` and ``black and white`` are one entry."""
    noun: str = ""
    features: tuple[str, ...] = ()
    prefix: str = ""
    """The wearer or the kind of picture: ``a woman wearing``, ``a close-up of``."""
    tail: tuple[str, ...] = ()
    """The rest, split before each verb, place and "and": ``lying``, ``on a couch``."""

    @property
    def is_garment(self) -> bool:
        """Whether the picture shows one piece of clothing."""
        return singular(self.noun) in lexicon.GARMENTS or self.noun in lexicon.GARMENTS

    def adjective(self, slot: str) -> str:
        """The adjective in a slot; empty if there is none."""
        return next((adjective for adjective in self.adjectives if adjective_slot(adjective) == slot), "")

    def feature(self, key: str) -> str:
        """The feature with that key; empty if there is none."""
        return next((item for item in self.features if feature_key(item) == key), "")

    def text(self) -> str:
        """The parts joined to a caption, with correct articles."""
        head = " ".join((*self.adjectives, self.noun)).strip()
        lead = article(head) if self.lead in ("a", "an") else self.lead
        of = self.tail[:1] if self.tail and self.tail[0].startswith("of ") else ()
        parts = [
            f"{self.prefix} {lead} {head}".strip(),
            *of,
            f"with {join_list(self.features)}" if self.features else "",
        ]
        joined = " ".join(part for part in (*parts, *self.tail[len(of) :]) if part)
        return fix_articles(re.sub(r"\s+([,.;])", r"\1", joined)).strip(" ,.;")


@lru_cache(maxsize=4096)
def parse(text: str) -> Phrase:
    """Parse a caption or a noun phrase; words that fit no part stay in the tail."""
    tokens = _TALK.sub("", text.strip(" .,;")).split()
    lead, rest = _lead(tokens)
    stop = _head_end(rest)
    head = [token.strip(",.;") for token in rest[:stop]]
    after = ([","] if stop and rest[stop - 1].endswith(",") else []) + rest[stop:]
    features: tuple[str, ...] = ()
    if after and after[0] in ("with", "featuring") and head:
        features, after = _features(after[1:])
    noun = head[-1] if head else ""
    return Phrase(lead, group_adjectives(head[:-1]), noun, features, tail=_segments(after))


_WORN = re.compile(r"^((?:(?!wearing\b|in\b|dressed\b|with\b)\S+ ){1,6}(?:wearing|dressed in|in)) ((?:an? |the )?.+)$")
_FRAME = re.compile(
    r"^((?:an? |the )?(?:[\w-]+ )?(?:close-up(?: view| shot)?(?: of the (?:head|face|eyes?|paws?|hands?))?|"
    + "|".join(sorted(lexicon.PICTURES))
    + r") of) (.+)$"
)


@lru_cache(maxsize=1024)
def parse_caption(text: str) -> Phrase:
    """As ``parse``, but the main thing is a garment that a person wears, and what a close-up or a painting shows."""
    text = _TALK.sub("", text.strip(" .,;"))
    framed = _FRAME.match(text)
    if framed:
        return replace(parse_caption(framed.group(2)), prefix=framed.group(1))
    worn = _WORN.match(text)
    if worn and singular(head_noun(worn.group(1))) in lexicon.PEOPLE:
        garment = parse(worn.group(2))
        if garment.is_garment:
            return replace(garment, prefix=worn.group(1))
    return parse(text)


def _lead(tokens: list[str]) -> tuple[str, list[str]]:
    """Split off articles, numbers and "a group of"."""
    for i, token in enumerate(tokens[:5]):
        if (
            token == "of"
            and i
            and tokens[i - 1] in lexicon.GROUPS | {"many", "lots", "dozens", "groups", "pairs", "piles"}
        ):
            inner, rest = _lead(tokens[i + 1 :])
            return " ".join((*tokens[: i + 1], inner)).strip(), rest
    stop = 0
    while stop < len(tokens) - 1 and (tokens[stop] in lexicon.DETERMINERS or tokens[stop].isdigit()):
        stop += 1
    return " ".join(tokens[:stop]), tokens[stop:]


def _head_end(tokens: list[str]) -> int:
    """The number of tokens of the noun phrase itself."""
    for i, token in enumerate(tokens):
        word = token.strip(",.;")
        if i and _ends_head(word, tokens, i):
            return i
        if not i and (word in lexicon.PREPOSITIONS or word in lexicon.STOPS):
            return 0
        listing = i + 1 < len(tokens) and lexicon.slot_of(word) and lexicon.slot_of(tokens[i + 1].strip(",.;"))
        if token[-1] in ",.;" and not listing:
            return i + 1
    return len(tokens)


def _ends_head(word: str, tokens: list[str], i: int) -> bool:
    if word == "and":
        following = tokens[i + 1].strip(",.;") if i + 1 < len(tokens) else ""
        return not (lexicon.slot_of(tokens[i - 1].strip(",.;")) and lexicon.slot_of(following))
    noun_before = not lexicon.slot_of(tokens[i - 1]) and tokens[i - 1] not in lexicon.DETERMINERS
    following = tokens[i + 1] if i + 1 < len(tokens) else ""
    if noun_before and base_verb(word) and following in lexicon.DETERMINERS | lexicon.PREPOSITIONS - {"of"}:
        return True
    verbal = is_gerund(word) or word in lexicon.PARTICIPLES or (word in lexicon.POSTURES | lexicon.GAZES)
    last = i + 1 >= len(tokens)
    if word in ("all", "both", "each"):
        return True
    return (
        word in lexicon.PREPOSITIONS
        or word in lexicon.STOPS
        or (verbal and noun_before and (not last or is_gerund(word)))
    )


def group_adjectives(words: list[str]) -> tuple[str, ...]:
    """Group the words before a noun: a shade joins its colour, and colours joined by "and" are one adjective."""
    adjectives: list[str] = []
    joining = False
    for word in words:
        joined_by_and = joining and bool(adjectives)
        shade = (
            bool(adjectives)
            and adjectives[-1].split()[-1] in lexicon.SHADES | lexicon.TINTS
            and word in lexicon.COLOURS | lexicon.SHADES
        )
        if word == "and":
            joining = True
            continue
        both_colours = bool(adjectives) and adjective_slot(adjectives[-1]) == adjective_slot(word) == "colour"
        if shade and not joined_by_and:
            adjectives[-1] += " " + word
        elif both_colours:
            adjectives[-1] += (" and " if joined_by_and else " ") + word
        else:
            adjectives.append(word)
        joining = False
    return tuple(adjectives)


def adjective_slot(adjective: str) -> str:
    """The attribute that an adjective names."""
    return lexicon.slot_of(adjective.split()[-1]) if adjective else ""


def _features(tokens: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The items of the list after "with", and the tokens after the list."""
    items: list[list[str]] = [[]]
    for i, token in enumerate(tokens):
        word = token.strip(",.;")
        item = items[-1]
        if item and (
            word in lexicon.PLACES or is_gerund(word) or word in lexicon.STOPS - {"and"} or word in lexicon.PARTICIPLES
        ):
            break
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if word == "and":
            if item and not (lexicon.slot_of(item[-1]) and lexicon.slot_of(following.strip(",.;"))):
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
        verb = is_gerund(word) or word in lexicon.POSTURES | lexicon.GAZES | {
            "seen",
            "shot",
            "taken",
            "viewed",
            "surrounded",
        }
        cut = (word in lexicon.PLACES - {"by"} or word in ("and", "while", "with") or verb) and before not in (
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
    """The main noun of a phrase: *two big dogs on a couch* -> ``dogs``."""
    noun = parse(phrase).noun
    return noun or next(iter(words_in(phrase)), "")


def feature_key(item: str) -> str:
    """The key that identifies a feature: ``long sleeves`` and ``short sleeves`` have the same."""
    noun = head_noun(item)
    return lexicon.FEATURES.get(noun) or lexicon.FEATURES.get(singular(noun)) or singular(noun)
