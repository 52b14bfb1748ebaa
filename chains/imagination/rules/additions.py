"""Additions: what begins with "and", "plus" or "also", or ends with "too", is added to what the turns before said."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import parse
from ipcir_tools.chains.imagination.rules.text import is_plural

_MARK = r"(?:and|plus|also|besides|as well as|along with|together with|in addition|additionally|on top of (?:that|it))"
_POLITE = r"(?:then|now|but|or|ok|okay|oh|yes|so|please|maybe|perhaps|next|finally|instead(?! of))"
_SHOW = (
    r"(?:(?:can|could|would) (?:you|we|i) |i(?: would|'d)? (?:want|like|love|need) (?:to (?:see|have) )?|"
    r"let there be |there (?:is|are|should be|must be) |(?:show|give|get)(?: me)? |have )?"
)
_ADDS = re.compile(rf"(?:{_POLITE}[\s,]+)*(?:{_MARK}|&)[\s,]")
_STATED = re.compile(
    r"(?:the |its |his |her |their )?(?P<thing>.+?) (?:(?:also )?(?:should|must|would|will|can|could|may|might|is|are|"
    r"has to|have to|needs? to)(?: also)?(?: be| have been)?(?= ))+ (?P<state>.+)"
)
_THERE = re.compile(
    r"(?:in|on|at|with|behind|near|beside|next to) (?:it|them|him|her|there)|there|here|visible|shown|seen|added"
)
_LEAD = re.compile(rf"^(?:{_POLITE}[\s,]+)*{_MARK}[\s,]+(?:(?:{_MARK}|{_POLITE}|with)[\s,]+)*{_SHOW}")
_THEN = re.compile(rf"^(?:{_POLITE}[\s,]+)*(?:then|next)[\s,]+{_SHOW}(?=(?:an?|some|two|three|another) )")
_END = re.compile(r"^(?:(?:and|with|plus|also)[\s,]+)*(.+?),? (?:as well|too|also|in addition|besides)$")
_COUNTED = re.compile(
    rf"(?:an?|some|another|several|many|more|the|{'|'.join(sorted(set(lexicon.NUMBERS) - {'no'}))})\b(?! (?:bit|little|"
    r"lot|tad|touch|shade|size|few)\b)"
)
_ASPECTS = frozenset({
    *("view", "shot", "angle", "look", "close-up", "closeup", "background", "backdrop", "colour", "color"),
    *("style", "length", "fit", "size", "pattern", "print", "version"),
})  # fmt: skip
_NO_THING = lexicon.STOPS | lexicon.GENERIC | lexicon.FEATURES.keys() | lexicon.BODY | lexicon.PICTURES | _ASPECTS
_PREDICATE = re.compile(r"\b(?:instead|is|are|was|were|has|have|should|must|gone|removed|missing|same|different)\b")


def as_addition(sentence: str) -> str:
    """*and a bird over the sea* -> *add a bird over the sea*; any other sentence as it is.

    Only for things: *and a bit shorter*, *and the background is white* and *plus a v-neck* are read by the other rules.
    """
    text = sentence.strip(" ,.;:!?'")
    for pattern in (_LEAD, _THEN):
        if found := pattern.match(text):
            rest = text[found.end() :]
            ending = _END.fullmatch(rest)
            return _added(ending[1] if ending else rest) or sentence
    ending = _END.fullmatch(text)
    return (_added(ending[1]) if ending else "") or sentence


def is_addition(text: str) -> bool:
    """Whether a text begins with "and", "plus" or "also", so that nothing of what the turns before said may go."""
    return bool(_ADDS.match(text.strip(" ,.;:!?'")))


def adds_to_dialogue(line: str) -> bool:
    """Whether a line, as it was typed, adds to what was said: *And a hat*, *with stripes, too*."""
    text = line.lower().strip(" ,.;:!?'")
    return is_addition(text) or bool(_END.fullmatch(text))


def stated_thing(text: str) -> str:
    """*the dog should be brown* -> *a brown dog*, *a dog should be in it* -> *a dog*; other texts as they are."""
    found = _STATED.fullmatch(text)
    if not found:
        return text
    thing, state = found["thing"], found["state"]
    if _THERE.fullmatch(state):
        return thing
    if not all(lexicon.slot_of(word) for word in state.split()):
        return f"{thing} {state}"
    lead = re.match(r"(?:an?|some|two|three|four|five|several|many) ", thing)
    article = lead[0] if lead else "" if is_plural(thing) else "a "
    return f"{article}{state} {thing[lead.end() :] if lead else thing}"


def _added(text: str) -> str:
    """The text as an addition; empty where it names no thing."""
    phrase = parse(text)
    first = text.split()[0] if text else ""
    plainly_many = is_plural(phrase.noun) and first not in lexicon.NO_SUBJECT and not lexicon.slot_of(first)
    if not (_COUNTED.match(text) or (plainly_many and phrase.tail)):
        return ""
    if not phrase.noun or phrase.noun in _NO_THING or _PREDICATE.search(text):
        return ""
    other_value = first == "the" or lexicon.slot_of(phrase.noun) or (phrase.is_garment and phrase.adjectives)
    if not phrase.tail and other_value:  # "the sleeves", "a darker blue", "a grey vest"
        return ""
    return f"add {text}"
