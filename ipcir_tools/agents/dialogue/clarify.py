"""Whether to ask before answering, and what: pure functions over words and features."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ipcir_tools.text import quote
from ipcir_tools.types import FloatArray, Where

Why = Literal["unclear", "no reference", "filter", "no match"]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


ANYTHING = "a photo of something"
"""What the hits of a search by words alone are compared with: it started from no picture and no words."""

MIN_MARGIN = 0.0
"""How much nearer some hit must be to the wanted words than to those that the search started from.

Zero needs no scale: below it, every hit looks more like the start than like the wanted words. Measured with the demo
models on wardrobe galleries of 60, 240, 600 and another 240 pictures, 10 hits each, a clarification is made

- for edits whose target is there: 0 of 11, 0 of 47, 1 of 118, 1 of 48;
- for edits to a colour that no picture has: 85%, 74%, 45%, 60%;
- for nonsense ("with a submarine in space"): 47%, 20%, 20%, 17%; for nonsense without a reference: 40%, 0%, 3%, 17%.

So it is nearly always right, and many bad answers come without one. The z-score of the best text score against the
whole gallery was tried before and does not separate them (46 to 68% of pairs in order, against 75 to 98% here): a
request that half of the gallery meets is as ordinary as one that nothing meets.
"""

_EMPTY_WORDS = _words(
    """a an the one ones some any it its this that these those them they and or but so just only really very please
    something somewhat anything else other others another different differently alternative alternatives new more again
    better nicer best nice good change changed changes modify vary variation make made do try show find give get search
    look looks looking want wants would could can you i me my we us let lets s d ll be is are to for of not no yes ok
    okay now then instead too also whatever surprise random thing things picture pictures image images photo photos
    option options way bit little lot kind sort"""
)
"""Words that describe no picture. Unknown words, of any language, count as a description."""
_POINTING = re.compile(
    r"\W*(?:(?:please|now|can you|could you)\W+)?(?:"
    r"(?:make|turn|change|give|put|keep|take|dress|colou?r|paint|move)\b.*?\b(?:it|this|these|them)\b"
    r"|(?:(?:something|one|a picture|pictures) )?(?:just )?like (?:it|this|these)\b"
    r"|(?:it|this|these|the same)\b)",
    re.IGNORECASE,
)
_YES = re.compile(r"(?:(?:yes|y|yeah|yep|ok|okay|sure|go on|do so|drop it|drop the filter|without(?: it)?)(?: |$))+")
_KEEP = re.compile(r"(?:(?:no|n|nope|show|me|them|it|those|keep|anyway|never ?mind|yes|ok|okay|go on)(?: |$))+")
_NO = re.compile(r"(?:(?:no|n|nope|nah|never ?mind|forget|drop|leave|cancel|it|that|thanks|thank you)(?: |$))+")
_THANKS = re.compile(r"(?:(?:it|that|thanks|thank you)(?: |$))+")


@dataclass(frozen=True)
class Clarification:
    """Why an answer may be wrong: a message for the user, and one question that would settle it."""

    why: Why
    message: str
    question: str


def check_words(words: str, *, has_reference: bool, has_turn: bool) -> Clarification | None:
    """Whether a request is unclear before anything is searched.

    ``has_reference``: it comes with a picture; ``has_turn``: it goes on from an earlier turn.
    """
    if not _words(words) - _EMPTY_WORDS:
        message = f"{quote(words)} describes no picture, so these pictures are a guess."
        if not (has_reference or has_turn):
            question = "What should the picture show? Say it in a few words, or give a picture to start from."
            return Clarification("unclear", message, question)
        pick = ", or pick a hit: 'more like 2'." if has_turn else "."
        question = "What should be different? Name what the picture should show, such as 'in blue' or 'without people'"
        return Clarification("unclear", message, question + pick)
    if not has_reference and not has_turn and _POINTING.match(words):
        message = f"{quote(words)} points to a picture and none was given, so only its words were searched for."
        answer = "give a picture's id or file, or say in words what the picture should show."
        return Clarification("no reference", message, f"Which picture does {quote(words)} mean? To answer, {answer}")
    return None


def check_filter(where: Where | None) -> Clarification | None:
    """What to ask where there are no hits at all: only a filter can leave none."""
    if not where:
        return None
    message = f"No picture passes the filter {quote(json.dumps(where))}."
    return Clarification(
        "filter", message, f"{message} Search without it? Answer 'yes', or say what to search for without it."
    )


def check_hits(hits: FloatArray, wanted: FloatArray, start: FloatArray, words: str) -> Clarification | None:
    """Whether none of the hits shows the wanted words.

    ``hits`` ``[n, d]``, ``wanted`` and ``start`` ``[d]``, all of unit norm: the hits, the text that was searched for,
    and the one that the search started from (the reference's caption or the target before).
    """
    if margin(hits, wanted, start) >= MIN_MARGIN:
        return None
    message = f"None of the pictures shows {quote(words)} well."
    question = f"{message} Say it in other words, or answer 'show them' to see the nearest."
    return Clarification("no match", message, question)


def margin(hits: FloatArray, wanted: FloatArray, start: FloatArray) -> float:
    """The largest difference over the hits of their cosines with ``wanted`` and with ``start``."""
    return float(np.max(hits @ (wanted - start)))


def classify_reply(reply: str, why: Why) -> Literal["keep", "drop filter", "drop edit", "words"]:
    """The meaning of a reply to the question: keep what was found, drop the filter or the edit, or other words."""
    text = " ".join(word for word in re.findall(r"\w+", reply.lower()) if word != "please")
    if why == "filter" and _YES.fullmatch(text):
        return "drop filter"
    if why == "no match" and _NO.fullmatch(text) and not _THANKS.fullmatch(text):
        return "drop edit"
    if why in ("filter", "no match") and _KEEP.fullmatch(text):
        return "keep"
    return "words"
