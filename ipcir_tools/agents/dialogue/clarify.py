"""Whether to ask before answering, and what: pure functions over words and features."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ipcir_tools.text import quote
from ipcir_tools.types import FloatArray, Where

Why = Literal["unclear", "no picture", "filter", "no match"]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


ANYTHING = "a photo of something"
"""What a search by words alone is held against: it started from no picture and no words."""

LEAST = 0.0
"""How much nearer some hit must be to the wanted words than to those that the search started from.

At zero no scale has to be known: below it, every hit looks more like what there was than like what was asked for.
Measured with the demo models on wardrobe galleries of 60, 240, 600 and another 240 pictures, 10 hits each. Doubted were

- of edits whose target is there: 0 of 11, 0 of 47, 1 of 118, 1 of 48;
- of edits to a colour that no picture has: 85%, 74%, 45%, 60%;
- of nonsense ("with a submarine in space"): 47%, 20%, 20%, 17%; of nonsense without a reference: 40%, 0%, 3%, 17%.

So a doubt is nearly always right, and many bad answers come without one. The z-score of the best text score against
the whole gallery was tried before and tells nothing there (46 to 68% of pairs in order, against 75 to 98% here): a
request that half of the gallery meets stands out as little as one that nothing meets.
"""

_SAYS_NOTHING = _words(
    """a an the one ones some any it its this that these those them they and or but so just only really very please
    something somewhat anything else other others another different differently alternative alternatives new more again
    better nicer best nice good change changed changes modify vary variation make made do try show find give get search
    look looks looking want wants would could can you i me my we us let lets s d ll be is are to for of not no yes ok
    okay now then instead too also whatever surprise random thing things picture pictures image images photo photos
    option options way bit little lot kind sort"""
)
"""Words that name nothing to be seen. Unknown words, of any language, are taken to mean something."""
_POINTS = re.compile(
    r"\W*(?:(?:please|now|can you|could you)\W+)?(?:"
    r"(?:make|turn|change|give|put|keep|take|dress|colou?r|paint|move)\b.*?\b(?:it|this|these|them)\b"
    r"|(?:(?:something|one|a picture|pictures) )?(?:just )?like (?:it|this|these)\b"
    r"|(?:it|this|these|the same)\b)",
    re.IGNORECASE,
)
_YES = re.compile(r"(?:(?:yes|y|yeah|yep|ok|okay|sure|go on|do so|drop it|drop the filter|without(?: it)?)(?: |$))+")
_KEEP = re.compile(r"(?:(?:no|n|nope|show|me|them|it|those|keep|anyway|never ?mind|yes|ok|okay|go on)(?: |$))*")


@dataclass(frozen=True)
class Clarification:
    """Why an answer is in doubt, what is to be told of it, and one question that would settle it."""

    why: Why
    told: str
    question: str


def of_words(words: str, *, pictured: bool, begun: bool) -> Clarification | None:
    """What is unclear about a request before anything is searched.

    ``pictured``: there is a reference picture; ``begun``: the request goes on from an earlier turn.
    """
    if not _words(words) - _SAYS_NOTHING:
        told = f"{quote(words)} names nothing to be seen, so these pictures are a guess."
        if not (pictured or begun):
            way = "What should the picture show? Say it in a few words, or give a picture to start from."
            return Clarification("unclear", told, way)
        pick = ", or pick a hit: 'more like 2'." if begun else "."
        way = "What should be different? Name what the picture should show, such as 'in blue' or 'without people'"
        return Clarification("unclear", told, way + pick)
    if not pictured and not begun and _POINTS.match(words):
        told = f"{quote(words)} points to a picture and none was given, so only its words were searched for."
        way = "give a picture's id or file, or say in words what the picture should show."
        return Clarification("no picture", told, f"Which picture does {quote(words)} mean? To answer, {way}")
    return None


def of_filter(where: Where | None) -> Clarification | None:
    """What to ask where there are no hits at all: only a filter can leave none."""
    if not where:
        return None
    told = f"No picture passes the filter {quote(json.dumps(where))}."
    return Clarification(
        "filter", told, f"{told} Search without it? Answer 'yes', or say what to search for without it."
    )


def of_hits(hits: FloatArray, wanted: FloatArray, start: FloatArray, words: str) -> Clarification | None:
    """Whether none of the hits shows what was asked for.

    ``hits`` ``[n, d]``, ``wanted`` and ``start`` ``[d]``, all of unit norm: the hits, the text that was searched for,
    and the one that the search started from (the reference's caption or the target before).
    """
    if leaning(hits, wanted, start) >= LEAST:
        return None
    told = f"None of the pictures shows {quote(words)} well."
    return Clarification("no match", told, f"{told} Say it in other words, or answer 'show them' to see the nearest.")


def leaning(hits: FloatArray, wanted: FloatArray, start: FloatArray) -> float:
    """By how much the most willing hit prefers the wanted words: the largest difference of its two cosines."""
    return float(np.max(hits @ (wanted - start)))


def settles(answer: str, why: Why) -> Literal["keep", "lift", "words"]:
    """What an answer to the question means: keep what was found, lift the filter, or other words."""
    said = " ".join(word for word in re.findall(r"\w+", answer.lower()) if word != "please")
    if why == "filter" and _YES.fullmatch(said):
        return "lift"
    if why in ("filter", "no match") and _KEEP.fullmatch(said):
        return "keep"
    return "words"
