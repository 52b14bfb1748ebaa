"""Clauses that state a place, a material, a possession or a sameness."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun, parse
from ipcir_tools.chains.imagination.rules.edits import Add, Become, Drop, Edit, Keep, Place, Pose, Set
from ipcir_tools.chains.imagination.rules.phrases import same_kind, same_noun
from ipcir_tools.chains.imagination.rules.predicates import read_predicate
from ipcir_tools.chains.imagination.rules.text import simplify, strip_determiner
from ipcir_tools.chains.imagination.rules.things import (
    as_thing,
    is_adjectival,
    list_things,
    read_background,
    read_existence,
)
from ipcir_tools.chains.imagination.rules.views import read_action


def read_put(found: re.Match[str], caption: Phrase) -> list[Edit]:
    """The edits of *put X on Y*: a thing, a place or a background."""
    what, where = found.group(1).strip(), found.group(2).strip()
    if re.match(r"(?:it|them|him|her) \w", what):
        return []
    if re.search(r"background|backdrop", what):
        return [read_background(re.sub(r"\s+(?:behind|in).*$", "", what))]
    if strip_determiner(what) in lexicon.GENERIC and where.startswith("in "):
        return read_in(where.removeprefix("in "), caption)
    if strip_determiner(what) in lexicon.GENERIC or same_noun(head_noun(what), caption.noun):
        anew = [Become(simplify(what))] if re.match(r"(?:an?|one|two|three) ", what) else []
        return [*anew, Place(simplify(where))]
    onto = re.sub(r"^(?:on|in|over|onto|around|to|into|at|for) (?:the |a |its |his |her |their )?", "", where)
    if (
        where in ("back", "on", "in", "there")
        or re.fullmatch(r"(?:on|onto|around|to|over|in|into) (?:it|them|him|her)", where)
        or same_noun(onto, caption.noun)
    ):
        return [Add(item) for item in list_things(what)]
    return [Add(f"{as_thing(simplify(what))} {simplify(where)}")]


def read_different(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *a different colour*: any but the reference's."""
    old = caption.adjective("colour")
    return [Drop(old)] if old and re.search(r"different colou?r$", text) else [Keep("")]


def read_material(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *made of X*."""
    words = strip_determiner(text)
    return [Set(words)] if len(words.split()) == 1 else read_predicate("in " + text, caption)


def read_rest_of_count(rest: str, caption: Phrase) -> list[Edit]:
    """The edits of the text after a count."""
    rest = rest.strip(" ,")
    return read_predicate(rest, caption) if rest else []


def read_same(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *the same X but Y*."""
    first, comma, more = text.partition(", ")
    if comma:
        return [*read_same(first, caption), *read_predicate(more, caption)]
    if text.split()[0] in ("in", "with", "on", "at", "from"):
        return [
            Keep("same"),
            *([read_action(text)] if text.startswith(("with ", "from ")) else read_predicate(text, caption)),
        ]
    phrase = parse(text)
    if phrase.tail and same_kind(phrase.noun, caption.noun):
        rest = text[text.index(phrase.noun) + len(phrase.noun) :].strip(" ,")
        return [Keep(phrase.noun), *read_predicate(rest, caption)]
    cut = re.match(r"(.+?) (?:but|and|with|in|only) (.+)", text)
    if cut:
        again = re.search(r" (with|in) ", text)
        joint = again.group(1) + " " if again and text.startswith(cut.group(1) + again.group(0)) else ""
        return [Keep(strip_determiner(cut.group(1))), *read_predicate(joint + cut.group(2), caption)]
    return [Keep(strip_determiner(text))]


def read_possession(whole: str, rest: str, caption: Phrase) -> list[Edit]:
    """The edits of *has X*; "wears a hat" is a pose, as captions have it: "wearing a hat"."""
    if re.match(r"(?:is |are |it |they |he |she )*wear", whole) and not caption.is_garment:
        return [Pose("wearing " + simplify(rest))]
    return read_existence(rest, caption)


def read_in(text: str, caption: Phrase) -> list[Edit]:
    """The edits of *in X*: *in blue* and *in leather* are attributes, *in a field* is a place."""
    core = strip_determiner(re.sub(r"\s+(?:colou?r|shade|fabric|material|size)s?$", "", simplify(text)))
    if not core:
        return []
    if is_adjectival(core) or (
        lexicon.slot_of(core.split()[0]) in ("colour", "material")
        and not re.search(r"\b(?:field|room|grass|water)\b", core)
    ):
        return read_predicate(core, caption)
    return [Place("in " + simplify(text))]
