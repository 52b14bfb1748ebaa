"""Splitting a modification text into clauses of one edit each, and lists into items."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.additions import as_addition

_PREAMBLE = re.compile(
    r"^(?:please|now|first|this time|and|but|then|also|so|or|ok|okay|yes|well|hmm|actually|"
    r"i(?: would|'d)? (?:want|like|prefer|need|love)(?: to (?:see|have|find))?|i am looking for|i'm looking for|"
    r"looking for|(?:can|could|would) you|let(?:'s| us)|"
    r"just (?=make|change|remove|add|replace|keep)|unlike [^,]*,|find(?: me)?|"
    r"give me|get me|show me|see|the result|maybe|perhaps|plus|as well as|as well|too|finally|next,|instead(?=,? "
    r"(?!of\b))|"
    r"(?:do|have) you (?:have|got|sell|stock)(?: (?:this|it|one|these|that))?(?: also)?|"
    r"(?:one|ones|something|anything|version)(?: similar| else| like (?:it|this))*(?: but)?(?: that| which)"
    r"(?= (?:is|are|has|have|looks?)\b)|(?:one|ones|something|anything)(?: similar| else| like (?:it|this))*(?: but)?"
    r"(?= (?:with|in|without)\b)|(?:something|anything)(?: similar| else)*(?: but)?(?= (?:more|less|\w+er|in)\b)|"
    r"(?:can|could|may|might) (?:i|we) (?:see|have|get|find|try)|(?:what|how) about|try(?= (?:it|with|in|without)\b)|"
    r"(?:this|that|it|the same)(?: one| thing)?(?= (?:in|with|without) )|"
    r"(?:it )?(?:should|must|needs to|has to|to)(?= (?:show|include|contain|display)\b)|overall)[\s,]+"
)
_PICTURE = re.compile(
    r"^(?:in )?(?:(?:the|a|this|that|your) )?(?:(?:target|desired|new|final|entire|whole|resulting) )*"
    r"(?:image|photo|photograph|picture|pic|target)\b,?(?: (?:should|to|must|will|would|needs to|has to))*,? "
    r"(?=(?:is|are|be|has|have|having|shows?|features?|includes?|contains?|was|with|without|taken|shot|of|there|in)\b)"
)
_TARGET = re.compile(
    r"^(?:in )?(?:the )?(?:target|desired|wanted)(?: image| photo| picture| pic| item)?,? (?:(?:should|to|must|"
    r"needs to) )?"
    r"(?:(?:have|has|shows?|contains?|includes?|features?|having) |"
    r"(?:(?:is|are) )?(?=(?:an?|the|one|two|three|some|several|multiple) ))"
)
_SOME = rf"(?:an?|some|several|many|multiple|various|{'|'.join(lexicon.NUMBERS)})"
_PICTURE_OF = re.compile(
    rf"^(?:an? |the )?(?:[\w-]+ )?(?:photo|photograph|picture|image|pic)s? (?:of|showing|with) (?={_SOME} )"
)
_CLOTHES = re.compile(rf"\b(?:{'|'.join(sorted(lexicon.GARMENTS))})\b")
"""With garments, "a picture of" introduces attributes; the wearer stays."""
_OF_PICTURE = re.compile(rf"^(?:is |shows |are )?of (?=(?:{_SOME}|the) )")
_STRONG = (
    r"change|make|turn|replace|substitute|swap|switch|convert|transform|remove|add|put|place|give|keep|lose|drop|"
    r"delete|zoom|"
    r"include|"
    r"exclude|use|get|take|set|move|paint|show|have it|have them|have the|have him|have her|focus|blur|increase|"
    r"reduce|decrease|must|"
    r"erase|hide|leave|shut|come closer|target|zoom|darken|lighten|brighten|wipe|bring back|go back|let|ditch|"
    r"swap out|display"
)
_WEAK = (
    r"(?:both|all)(?: of them)? (?:is|are|has|have)|different (?:breed|species|colou?r|type|style)|"
    r"(?:different|another|other|new) (?:[\w-]+ )?(?:shape|brand|size|pattern|design|material)s?(?=$|,| and )|"
    r"(?:the |an? |some )?(?:[\w-]+ )?[\w-]+ (?:is|are) (?:also )?(?:added|gone|removed|missing)(?=$|,| and )|"
    r"is|are|has|have|wears|wear|with|without|no|not|(?:much |many |a lot |lots )?more|less|fewer|same|the same|"
    r"it is|it has|it should|they|"
    r"there is|there are|(?:he|she|it) (?:is|are|has)|in a|in an|on a|should|shows|now|only|just|a different|of "
    r"a|the (?:photo|image|picture)|"
    r"the [\w'-]+(?: [\w-]+)? (?:is|are|has|have)\b|the [\w-]+ should|being|having|wearing|longer|shorter|darker|"
    r"lighter|"
    r"brighter|back to|represents|(?:the )?(?:desired|target|wanted) (?:item|product|image|photo|picture)|"
    r"features|depicts|portrays|exposes|(?:stands|sits|lies|lays|sleeps|runs|walks|"
    r"looks|faces|holds) (?:on|in|at|up|down|to|the|a|its)"
)
_GARMENT = rf"an? (?:[\w-]+ ){{0,4}}?(?:{'|'.join(sorted(lexicon.GARMENTS))})\b"
_JOINT = (
    r"(?:\s*[,;.!?:]+\s*(?:(?:and|but|then|also|plus|while|yet|so)\s+)*|\s+(?:(?:and|but|then|plus|while|yet)\s+)"
    r"+(?:also |then |it )?)"
)
_COLOUR_IN = r"in (?:light |dark |bright |pale |deep |navy |solid )?(?:" + "|".join(sorted(lexicon.COLOURS)) + r")\b"
_TO_THEM = rf"(?:{'|'.join(sorted(lexicon.VERBS | lexicon.STATES.keys() | lexicon.COMMANDS))}) (?:it|them|him|her)\b"
"""An imperative about a thing that was named before."""
STRONG_CUT = re.compile(rf"{_JOINT}(?=(?:{_STRONG})\b|{_TO_THEM})|\s*[;!?]+\s*|\s*\.+(?:\s+|$)")
_LOOK = "|".join(sorted(lexicon.PATTERNS | lexicon.LENGTHS | lexicon.SLEEVE_WORDS))
_LONE_LOOK = rf"(?:{_LOOK})(?=$|,| and | but )"
_TRADE = r"(?:an? )?[\w-]+(?: [\w-]+)? instead of\b"
WEAK_CUT = re.compile(
    rf"{_JOINT}(?=(?:{_WEAK})\b|{_COLOUR_IN}|{_LONE_LOOK}|{_TRADE}|{_GARMENT})|(?:(?<=removed)|(?<=missing)|(?<=gone)),\s+|\s+but\s+|\s+(?=without\b)|\s+then\s+"
)


def split_sentences(text: str) -> list[str]:
    """The independent parts of a text: sentences, and clauses that begin with an imperative."""
    return [part for part in (trim(as_addition(piece)) for piece in STRONG_CUT.split(text)) if part]


def split_clauses(sentence: str) -> list[str]:
    """The clauses of a sentence: split where a predicate, "with" or "without", or a comparative begins."""
    parts: list[str] = []
    for part in (trim(piece) for piece in WEAK_CUT.split(sentence)):
        if part in lexicon.COMPARATIVES and parts and re.match(r"(?:make|turn) the ", parts[-1]):
            parts[-1] += " and " + part
        elif part:
            parts.append(part)
    return parts


def trim(clause: str) -> str:
    """A clause without polite and introductory words: *I want the target image to show two dogs* -> *show two dogs*."""
    clause = clause.strip(" ,.;:!?'")
    clause = clause if _CLOTHES.search(clause) else _PICTURE_OF.sub("show ", clause)
    for _ in range(6):
        clause = _TARGET.sub("show ", clause)
        shorter = _OF_PICTURE.sub("", _PICTURE.sub("", _PREAMBLE.sub("", clause + " ", count=1)).strip(" ,"), count=1)
        if shorter == clause:
            break
        clause = shorter
    if re.fullmatch(r"(?:the |this )?(?:image|photo|picture)", clause):
        return ""
    return re.sub(
        r"\s+(?:as well|too|instead|now|please|though|again|at all|with it|for me|this time)$", "", clause
    ).strip(" ,")


_SIDES = ("left", "right", "front", "back", "top", "bottom", "center", "centre", "middle", "upper", "lower")
_AT_SIDE = re.compile(rf"(?:of|on|at|to|in|near|against)(?: {'| '.join(_SIDES)})+$")
"""A place that continues after the comma: *in front of left, back and center wall*."""


def split_list(items: str) -> list[str]:
    """The items of a list: *a belt, buttons and black and white stripes* has three."""
    parts: list[str] = []
    for piece in re.split(r"\s*,\s*(?:and )?|\s+and (?:a |an )?(?:also )?", items):
        words = piece.split()
        if not words:
            continue
        before = parts[-1].split()[-1] if parts else ""
        joins = parts and lexicon.slot_of(before) in ("colour",) and lexicon.slot_of(words[0]) == "colour"
        if joins:
            parts[-1] += " and " + piece
        elif parts and _AT_SIDE.search(parts[-1]):
            parts[-1] += ("" if piece in _SIDES else " and") + " " + piece
        else:
            parts.append(piece)
    return parts
