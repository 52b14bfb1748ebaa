"""Words that point at the reference: *like this, in blue*, *this dress, in blue*.

Who points and names what is seen is believed: *this dress* of "a red shirt" is a dress, and the caption was wrong.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase
from ipcir_tools.chains.imagination.rules.edits import Become, Draft
from ipcir_tools.chains.imagination.rules.nouns import become
from ipcir_tools.chains.imagination.rules.phrases import same_noun
from ipcir_tools.chains.imagination.rules.text import is_plural, singular
from ipcir_tools.text import quote

_THIS = r"(?:this|that|it|these|those|them|the same|same)"
_EXACT = r"(?:(?:exact|very|same|whole) )*"
_PICTURE = (
    r"(?: (?:one|ones|thing|item|picture|image|photo|photograph|pic|garment|piece|object|product|look|place|scene|view|"
    r"spot|setting|location))?"
)
_WISH = (
    r"(?:(?:please|can|could|may|would|do|i|we|you|show|give|get|find|see|have|want|need|like|love|to|me|us|search|"
    r"for|"
    r"'d)[ ,]+)*?"
)
_LIKE = re.compile(
    rf"^{_WISH}(?:(?:something|anything|one|ones|exactly|just|more|much|very|a bit|the same|similar|close|"
    rf"almost)[ ,]+)*"
    rf"(?:like|similar to|same as|close to|based on|as in|as) {_EXACT}(?:this|that|it|these|those|them){_PICTURE}"
    rf"(?=$|[,;:.]| (?:but|in|with|without|as|on|at|only|just|and|except|that)\b)[\s,;:.]*(?:(?:but|only|just|"
    rf"and)[ ,]+)*"
)
_THIS_FIRST = re.compile(
    rf"^{_WISH}(?:(?:exactly|just)[ ,]+)?{_THIS}{_PICTURE}(?:[,;:.]+ *(?:(?:but|only|just|and)[ ,]+)*| (?:but|only|"
    rf"just)"
    rf"[ ,]+|(?= (?:in|with|without|as|on|at|from) )) *"
)
_LIKE_AFTER = re.compile(
    rf"(?<=\w),? (?:just |exactly |more )?(?:like|similar to) (?:this|that|it|these){_PICTURE}(?=$|,| (?:but|in|with|"
    r"without)\b)"
)
_NOUN = r"(?P<noun>[a-z][a-z-]+)"
_LOOKS = "|".join(sorted(lexicon.COLOURS | lexicon.PATTERNS | lexicon.LENGTHS))
_NAMED = re.compile(
    rf"(?:\b(?:like )?(?:this|these|those)|^{_WISH}(?:like )?(?P<that>that|the same|same)) {_EXACT}"
    rf"(?P<looks>(?:(?:{_LOOKS}) )*(?:[a-z-]+ )??){_NOUN}(?=$|[ ,.;:?!])"
)
_ENDS = re.compile(r"$|[,.;:?!]| (?:in|with|without|but|as|on|at|from)\b")
_QUALITIES = frozenset({
    *("colour", "color", "pattern", "print", "style", "design", "material", "fabric", "length", "size", "shape", "cut"),
    *("pose", "position", "angle", "view", "scene", "place", "location", "setting", "time", "way", "kind", "type"),
    *("breed", "species", "background", "shade", "direction", "look", "one", "ones", "thing", "fit", "same"),
})  # fmt: skip
_ASPECTS = _QUALITIES | lexicon.PARTS | lexicon.BODY | lexicon.FEATURES.keys() | lexicon.PATTERN_NOUNS.keys()
"""Nouns for a part or a quality of what is seen."""
_KNOWN = frozenset().union(*lexicon.KINDS, lexicon.WEARABLES)
_DOGS = frozenset("dog puppy pup pug poodle labrador husky doberman terrier retriever".split())  # noqa: SIM905
_TOP = frozenset({"top", "garment"})
"""Words for many garments: *this top* of a shirt corrects nothing."""


def resolve_pointing(text: str, caption: Phrase) -> tuple[str, Phrase, str]:
    """The text without the words that point, the caption with the noun that they name, and a warning where that is new.

    *this dress, in blue* of "a red shirt" -> *it, in blue*, "a red dress", and that the noun was replaced.
    """
    warning = ""
    if named := _named_thing(text, caption):
        noun = named["noun"]
        if _corrects(noun, caption):
            warning = f"took your word {quote(noun)} for the caption's {quote(caption.noun)}"
            caption = _with_noun(noun, caption)
        elif not named.start() and _is_another(noun, caption):
            warning = f"kept the caption's {quote(caption.noun)}, as your {quote(noun)} is of another kind"
        rest = text[named.end() :]
        said = {lexicon.slot_of(word.strip(",.;:!?")) for word in rest.split()}
        looks = [look for look in named["looks"].split() if lexicon.slot_of(look) and lexicon.slot_of(look) not in said]
        text = ", ".join([f"{text[: named.start()]}it{rest}", *looks])
    for pattern in (_LIKE, _THIS_FIRST):
        if found := pattern.match(text):
            text = text[found.end() :]
    return _LIKE_AFTER.sub("", text), caption, warning


def _named_thing(text: str, caption: Phrase) -> re.Match[str] | None:
    """*this dress*: a pointing word with the noun of a thing."""
    for found in _NAMED.finditer(text):
        noun, looks = found["noun"], found["looks"].strip()
        if noun in _ASPECTS or noun in lexicon.STOPS | lexicon.PREPOSITIONS or lexicon.slot_of(noun):
            continue
        if not all(map(lexicon.slot_of, looks.split())):
            continue
        ends = _ENDS.match(text, found.end())
        known = _is_known(noun) or same_noun(noun, caption.noun)
        if ends if found["that"] and known else not found["that"] and (known or (ends and not found.start())):
            return found
    return None


def _is_known(noun: str) -> bool:
    return noun in _KNOWN or singular(noun) in _KNOWN


def _corrects(noun: str, caption: Phrase) -> bool:
    """Whether a noun is another than the caption's, and not of something else that the caption shows."""
    if not _is_another(noun, caption) or _is_known(noun) != _is_known(caption.noun):
        return False
    return not (caption.is_garment and singular(noun) in lexicon.PEOPLE)


def _is_another(noun: str, caption: Phrase) -> bool:
    """Whether the caption shows no such thing."""
    if not caption.noun or same_noun(noun, caption.noun) or noun in _TOP | lexicon.HYPERNYMS | lexicon.GENERIC:
        return False
    if any(same_noun(word.strip(",.;"), noun) for word in caption.text().split()):
        return False
    return not (singular(noun) in _DOGS and singular(caption.noun) in _DOGS)


def _with_noun(noun: str, caption: Phrase) -> Phrase:
    draft = Draft(caption, caption)
    become(Become(noun if is_plural(noun) else f"a {noun}"), draft)
    return replace(draft.phrase, lead=draft.phrase.lead or ("" if is_plural(noun) else "a"))
