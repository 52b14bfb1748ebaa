"""Verb phrases and views: what the main thing does, where it is, and how the picture is taken."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase
from ipcir_tools.chains.imagination.rules.edits import Add, Edit, Keep, Place, Pose, Set, View
from ipcir_tools.chains.imagination.rules.text import base_verb, gerund, is_gerund, simplify, strip_determiner
from ipcir_tools.chains.imagination.rules.things import is_adjectival, with_article


def read_action(text: str) -> Edit:
    """The edit of a verb phrase or a prepositional phrase: a pose, a place or a view, by its first word."""
    if (
        re.match(r"(?:from|zoomed|seen|viewed|shot|taken|photographed)\b", text)
        or "greyscale" in text
        or re.match(r"in colou?r$", text)
    ):
        return read_view(text)
    if re.match(r"(?:with|featuring|having|wearing|containing|has|have) ", text):
        return Add(text.split(" ", 1)[1])
    if text.split()[0] in lexicon.PREPOSITIONS:
        words = strip_determiner(re.sub(r"^(?:in|of) ", "", text))
        if is_adjectival(words):
            return Set(words)
        if re.match(r"(?:of|as|like) ", text):
            return Keep("") if re.search(r"same|different|similar", text) else Add(text.split(" ", 1)[1])
        return Place(text)
    return Pose(as_pose(text))


def as_pose(text: str) -> str:
    """A verb phrase in the form that captions use: *to lie on the bed* -> *lying on the bed*."""
    text = re.sub(r"^(?:to be |to |be |is |are |so (?:that )?(?:it|they) (?:is|are) )+", "", text)
    words = text.split()
    if (
        words
        and words[0] not in lexicon.PREPOSITIONS
        and not is_gerund(words[0])
        and base_verb(words[0])
        and not lexicon.slot_of(words[0])
    ):
        words[0] = gerund(words[0])
    for i in range(1, len(words)):
        if (
            words[i - 1] == "and"
            and base_verb(words[i])
            and words[i] not in lexicon.PREPOSITIONS
            and not lexicon.slot_of(words[i])
        ):
            words[i] = gerund(words[i])
    return " ".join(words)


def read_view(text: str) -> Edit:
    """The edit for a view; one that is the same, or only "different", changes nothing."""
    text = re.sub(r"^(?:is|are|be) ", "", text)
    if re.search(r"\bsame\b|\bsimilar\b", text):
        return Keep(strip_determiner(re.sub(r".*\b(?:same|similar) ", "", text)))
    if re.search(r"\b(?:different|another|opposite|other)\b", text):
        return Keep("")
    if "greyscale" in text or "black and white" in text:
        return View("in greyscale" if "greyscale" in text else "in black and white")
    if re.search(r"\bin colou?r\b", text):
        return View("in color")
    where = re.match(
        r"(?:(?:seen|shot|taken) )?((?:in|on|at|next to|near|outdoors?|indoors?|outside|inside|against|under|by)\b.*)",
        text,
    )
    if where:
        return View(simplify(where.group(1))) if text.endswith(" light") else Place(simplify(where.group(1)))
    if re.search(r"zoom(?:ed)? out|further|farther|\bfar\b|away", text) or ("distan" in text and "close" not in text):
        return View("seen from afar")
    if re.search(r"zoom|clos", text):
        return View("close-up")
    return View("seen " + re.sub(r"^(?:(?:seen|viewed|shot|taken|photographed|pictured) )+", "", simplify(text)))


_STYLE = re.compile(
    r"(?:an? )?((?:oil |pencil |charcoal |water ?colou?r |line |abstract |digital |ink )?(?:"
    + "|".join(sorted(lexicon.PICTURES))
    + r"))(?: style| version)?(?: of (?:it|this|that|the same(?: thing)?))?"
)


def read_style(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *a painting*, *cartoon style*: the same content in another kind of picture."""
    style = None if caption.is_garment else _STYLE.fullmatch(text)
    return [View(with_article(style.group(1)) + " of")] if style else []
