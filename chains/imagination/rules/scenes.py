"""Modification texts that describe the whole target instead of an edit."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun, parse
from ipcir_tools.chains.imagination.rules.edits import Drop, Edit, Scene
from ipcir_tools.chains.imagination.rules.phrases import container, mentions, same_kind, same_noun
from ipcir_tools.chains.imagination.rules.predicates import NOUN_VERBS
from ipcir_tools.chains.imagination.rules.text import base_verb, is_gerund, simplify, singular
from ipcir_tools.chains.imagination.rules.things import is_command
from ipcir_tools.chains.imagination.rules.views import read_style

_SCENE_LEAD = re.compile(
    r"^(?:(?:display|target|focus|focuses|focused|capture|concentrate)(?: only| more| on| in| to| at|\b)*|show(?! "
    r"(?:\w+ )?more\b)|there (?:is|are|was|were)(?! (?:\w+ )?(?:more|fewer|less|no)\b)|(?:the )?main focus (?:is )?on|"
    r"(?:change|changed|turn|go|reduce|move|switch)(?: it| focus| everything| the (?:photo|image|picture|scene))? "
    r"(?:to|for|into|onto|on)(?: show| focus on)?|make(?: out| only)? (?:with|of|out)\b|make (?:the )?(?:picture|image|"
    r"photo|scene) (?:of|with)|"
    r"(?:take|make|get|give|use|have)(?: (?!of\b|on\b|with\b)[\w-]+){0,3} (?:coverage|shot|view|shoot|portrait|"
    r"potrait)(?: shot| view)?(?: of| on| over| for| showing|,)*|"
    r"replace (?:the )?(?:entire|whole|all)(?: the)? (?:contents?|scene|image|picture) (?:with|by|in)|"
    r"must be(?! (?:in|on|at|over|under|near|next|by|inside|outside|behind)\b)|use|the target (?:shows?|has|is)|"
    r"displays?|depicts?)\s+"
)


def read_scene(sentence: str, caption: Phrase) -> list[Edit]:
    """The edits of a text that describes the whole target; empty if it does not."""
    if sentence.startswith(("instead of", "was ", "there was ")):
        return []
    if _is_about_main_thing(sentence, caption):
        return []
    if sentence.endswith(" added"):  # an addition to the reference
        return []
    first, *others = sentence.split() or [""]
    if first in lexicon.PARTICIPLES and others and (others[0] in lexicon.PREPOSITIONS or len(others) == 1):
        return []
    body, drops = _exclusions(sentence)
    lead = _SCENE_LEAD.match(body)
    rest = body[lead.end() :].strip(" ,") if lead else body
    if not lead and re.match(r"shows? ", body):
        return _read_show(body.split(" ", 1)[1], caption, drops)
    whole = lead and re.match(r"target|focus|capture|concentrate|make|take|get", body)
    if (not whole and _is_swap(body, drops, caption)) or (
        lead and len(rest.split()) < 7 and re.search(r" (?:it|them|him|her)$", rest)
    ):
        return []
    if lead and rest.startswith("from "):
        return []
    if lead and re.search(r"\bbackground$", rest) and len(rest.split()) < 4:
        return []
    if lead and (_is_attribute(rest, caption) or re.match(r"(?:its|his|her|their|the [\w-]+'s) ", rest)):
        return []
    if lead or _describes(rest, caption):
        return [*(Drop(item) for item in drops), Scene(rest)] if rest else []
    return []


def _is_about_main_thing(sentence: str, caption: Phrase) -> bool:
    """Whether a text is about the main thing of the caption: *show it from above*, *the rat should face left*."""
    shown = re.match(r"(?:show|display|target|focus on|change|turn)(?: (?:to|on))? (?:it|them|him|her) \w", sentence)
    counted = re.fullmatch(r"there (?:is|are) (\w+) ([\w-]+)", sentence)
    acting = re.match(r"the (?:[\w-]+ )?([\w-]+) ([\w-]+s)\b", sentence)
    if acting and same_noun(acting.group(1), caption.noun) and acting.group(2) not in lexicon.STOPS - {"says", "lies"}:
        return bool(base_verb(acting.group(2)))
    if counted and same_noun(counted.group(2), caption.noun):
        return True
    turned = re.fullmatch(r"(?:\w+ )?(?:in |to )?the (?:opposite|other) (?:direction|way|side)", sentence)
    subject = re.match(r"(?:the )?((?:[\w-]+ )?[\w-]+) (?:should|must|needs to|has to) ", sentence)
    return bool(shown or turned) or bool(subject and same_noun(head_noun(subject.group(1)), caption.noun))


def _is_swap(body: str, drops: list[str], caption: Phrase) -> bool:
    """Whether a text swaps a thing of the caption: *a bed instead of a couch*; with more detail it is a scene."""
    known = {singular(word.strip(",.")) for word in caption.text().split()} | {"one", "ones"}
    return any(singular(head_noun(item)) in known for item in drops) and not parse(body).tail


def _read_show(rest: str, caption: Phrase, drops: list[str]) -> list[Edit]:
    """*shows two other dogs playing* is the whole target; *shows the sky in the background* adds to the reference."""
    head = head_noun(rest)
    if re.match(r"the [\w ]+? of (?:an?|another|one|two|three|some|similar)\b", rest):
        return [*(Drop(item) for item in drops), Scene(rest)]
    small = len(rest.split()) < 5 or rest.startswith(("the ", "no ", "more ", "fewer ", "only ")) or " and no " in rest
    adds = re.search(r"\b(?:next to|behind|with) (?:them|it|him|her)$|\bin the (?:back|fore)ground\b", rest)
    if (small or adds) and not same_kind(head, caption.noun) and not re.match(r"(?:an)?other|similar", rest):
        return []
    if rest.startswith(("no ", "fewer ", "more ", "only one of", "only ")) and len(rest.split()) < 6:
        return []
    return [*(Drop(item) for item in drops), Scene(rest)]


def _exclusions(text: str) -> tuple[str, list[str]]:
    """The text without "instead of X", "without X" and "not X", and these X."""
    drops: list[str] = []

    def take(found: re.Match[str]) -> str:
        drops.append(found.group(1).strip())
        return " "

    traded = " with " in text.partition(" instead of ")[0]
    end = r"is|with)\b" if traded else r"is|with)\b| with\b"
    pattern = (
        rf",?(?: and| but)?\s+(?:instead of|without|but not|and not|not|and no|with no|(?<=, )no)\s+((?:(?! and (?:has|"
        rf"have|{end})"
        r"[^,.;])+)"
    )
    return " ".join(re.sub(pattern, take, text).split()), drops


def _is_attribute(rest: str, caption: Phrase) -> bool:
    """Whether "change to ..." names only an attribute: *blue*, *long sleeves*, *a v-neck*, *a skirt*."""
    phrase = parse(simplify(rest))
    if all(
        lexicon.slot_of(word.strip(",")) or word in ("and", "a", "an", "color", "colour")
        for word in simplify(rest).split()
    ):
        return True
    return phrase.noun in lexicon.PARTS or (caption.is_garment and not phrase.tail)


def _is_subject(text: str) -> bool:
    """Whether a first word that may be an imperative is the subject: *pet in blue shirt pets dog*."""
    found = re.match(r"[\w-]+ (?:in|with|on) (?:[\w-]+ ){1,4}?([\w-]+s) (?=[a-z])", text)
    return bool(found and base_verb(found[1]) and found[1] not in lexicon.VERBS)


_BESIDE = r"(?:next to|beside|behind|near|around|on|under|above|in front of|over|with)"


def _describes(text: str, caption: Phrase) -> bool:
    """Whether a text without an introduction is a description: a noun phrase with a predicate."""
    phrase = parse(simplify(text))
    if _is_edit(text, phrase, caption) or _is_about_known_thing(text, phrase, caption) or read_style(text, caption):
        return False
    if lexicon.slot_of(phrase.noun) or phrase.noun in _NO_SCENE:
        return False
    return bool(phrase.tail or phrase.features) or (phrase.lead != "" and not same_noun(phrase.noun, caption.noun))


_NO_SCENE = lexicon.STOPS | {
    *("shot", "view", "look", "angle", "close-up", "zoom"),
    *("background", "color", "colour", "breed", "one", "more"),
}
"""Words that are not the main noun of a scene."""


def _is_edit(text: str, phrase: Phrase, caption: Phrase) -> bool:
    """Whether a text reads as a change: it begins with a verb or a preposition, or compares."""
    first = text.split()[0] if text else ""
    if (
        not phrase.noun
        or first in lexicon.NO_SUBJECT
        or (base_verb(first) and first not in NOUN_VERBS and not _is_subject(text))
        or (caption.is_garment and not _is_of_creatures(phrase, text))
        or is_gerund(first)
        or is_command(text)
    ):
        return True
    return bool(_CHANGE.search(text)) or bool(re.match(r"(?:\w+ )?(?:more|less|fewer|additional)\b", text))


_CHANGE = re.compile(
    r"\b(?:changed?|turned|reduced|multiplied|increased|replaced|removed|missing|gone|becomes?|become|appears?(?=$))\b|"
    r"^(?:only|just)? ?one of\b|"
    r"^the [\w-]+(?: (?:on|of|in) (?:the |its )?[\w-]+)? (?:is|are|has|have) "
)


def _is_about_known_thing(text: str, phrase: Phrase, caption: Phrase) -> bool:
    """Whether a text adds to a thing of the caption or places something beside it."""
    owner = re.match(r"((?:[\w-]+ )?[\w-]+) (?:has|have|seems?) ", text)
    if owner and same_noun(head_noun(owner[1]), caption.noun):
        return True
    known = {singular(word.strip(",.")) for word in caption.text().split()}
    if re.match(r"(?:the|his|her|its|their) ", text) and (
        same_kind(phrase.noun, caption.noun) or singular(phrase.noun) in known
    ):
        return True
    if re.search(r"\bin the (?:back|fore)ground$", text) and not re.search(r"\b(?:is|are)\b|ing\b", text):
        return True
    if not (phrase.tail or phrase.features) and (
        same_noun(phrase.noun, container(caption))
        or mentions(caption, phrase.noun)
        or same_kind(phrase.noun, caption.noun)
    ):
        return True
    beside = rf"(?:(?:an?|the|two|some|another) )?(?:[\w-]+ ){{1,3}}{_BESIDE} (?:it|them|him|her)"
    return bool(re.fullmatch(beside, text))


def _is_of_creatures(phrase: Phrase, text: str) -> bool:
    """Whether the text is a scene with people, animals or vehicles, not a print on a garment."""
    head = {singular(word) for word in (*phrase.adjectives, phrase.noun)}
    living = bool(head & (lexicon.ANIMALS | lexicon.PEOPLE | lexicon.VEHICLES))
    printed = re.search(
        r"\b(?:on (?:it|(?:the )?(?:front|back|chest|sleeves?|shirt|top|dress)(?! part| seat| of))|printed?|logo)\b",
        text,
    )
    return living and bool(phrase.lead and phrase.tail) and not printed
