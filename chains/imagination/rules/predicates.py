"""Predicates, the text after "is" or "make it" or on its own: attributes, things, poses, places and views."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun, parse
from ipcir_tools.chains.imagination.rules.edits import (
    Add,
    Become,
    Count,
    Drop,
    Edit,
    Keep,
    Place,
    Pose,
    Set,
    Swap,
    View,
)
from ipcir_tools.chains.imagination.rules.phrases import container, mentions, same_kind, same_noun
from ipcir_tools.chains.imagination.rules.split import split_list
from ipcir_tools.chains.imagination.rules.text import (
    base_verb,
    is_gerund,
    is_plural,
    simplify,
    singular,
    strip_determiner,
)
from ipcir_tools.chains.imagination.rules.things import (
    as_thing,
    is_adjectival,
    is_command,
    read_additions,
    read_background,
    read_drops,
    with_article,
)
from ipcir_tools.chains.imagination.rules.views import as_pose, read_action, read_style

NOUN_VERBS = frozenset(["stick", "show", "play", "drink", "surf", "watch", "light", "ride", "box"])


_EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "of",
        "to",
        "with",
        "without",
        "make",
        "for",
        "from",
        "by",
        "at",
        "in",
        "on",
        "instead",
        "is",
        "are",
        "it",
    ]
)
_EMPTY = frozenset(["is", "are", "it is", "and"])


def read_about(subject: str, words: str, caption: Phrase) -> list[Edit]:
    """The edits for adjectives, a pose or a place of a named thing."""
    subject = strip_determiner(subject)
    clothes = caption.is_garment and singular(head_noun(subject)) in lexicon.GARMENTS
    if not subject or subject in lexicon.GENERIC or clothes:
        return read_predicate(words, caption)
    if same_noun(head_noun(subject), caption.noun):
        alone = is_plural(caption.noun) and not is_plural(head_noun(subject))
        return [*([Count("the", caption.noun)] if alone else []), *read_predicate(words, caption)]
    if re.fullmatch(
        r"(?:colou?rs?|shade|pattern|print|style|fit|size|length|fabric|material|design|look|style)", subject
    ):
        return read_predicate(words, caption)
    if subject in ("background", "backdrop", "setting", "scene"):
        return [read_background(words)]
    if re.match(
        r"(?:is |are |has |have )?(?:been )?(?:gone|removed|missing|absent|invisible|not visible|not there|off)\b",
        words,
    ):
        return [Drop(subject)]
    if words.startswith("not "):
        return [Drop(words[4:], subject) if is_adjectival(words[4:]) else Drop(f"{words[4:]} {subject}")]
    plainly = strip_determiner(simplify(words))
    if is_adjectival(plainly):
        return [Set(plainly, subject)]
    if re.match(r"(?:an?|two|three|four|five|six) ", words):
        return [Swap(simplify(words), subject)]
    described = f"{with_article(subject)} {as_pose(plainly)}"
    return [Swap(described, subject) if f" {subject} " in f" {caption.text()} " else Add(described)]


def read_predicate(text: str, caption: Phrase) -> list[Edit]:
    """The edits of a predicate: attributes, things, poses and places."""
    text = _simplify_complement(text)
    looks = re.fullmatch(r"look(?:s|ing)? (.+)", text)
    if looks and is_adjectival(looks.group(1)):
        text = looks.group(1)
    if set(text.split()) <= _EMPTY_WORDS:
        return []
    if text.startswith("not "):
        return [Drop(text[4:])] if is_gerund(text.split()[1]) else read_drops(text[4:])
    if text in ("indoors", "outdoors", "inside", "outside"):
        return [Place(text)]
    cut = re.search(
        r"(?<=\w) (with|without|featuring|instead of|on|in|at|from|under|behind|by|next to|near|that|which|"
        r"showing)(?= )",
        text,
    )
    first = text.split()[0] if text else ""
    verbal = is_gerund(first) or first in lexicon.PARTICIPLES | lexicon.PREPOSITIONS or base_verb(first)
    if cut and not verbal:
        before, after = text[: cut.start()], text[cut.start() :].strip()
        if not re.search(r"\bcolou?r\b|\bsize\b|\blength\b", after.split(" and ")[0]) and is_adjectival(
            strip_determiner(before)
        ):
            return [*read_complement(before, caption), *_read_rest(after, caption)]
    return read_complement(text, caption)


def _read_rest(text: str, caption: Phrase) -> list[Edit]:
    """The edits of the text after the adjectives: *with a belt*, *on the front*."""
    word, rest = text.split(" ", 1)
    if word in ("with", "featuring", "showing"):
        return read_additions(rest, caption)
    if word in ("without", "instead"):
        return read_drops(rest.removeprefix("of "))
    return [read_action(text)]


def _simplify_complement(text: str) -> str:
    text = re.sub(r"\b(?:the|a) (?:same|different|similar) (?:\w+ )?(?:but|and|only|except|with)\b", "", simplify(text))
    text = re.sub(
        r"\s+in (?:colou?r|shade|tone|hue|size|length|style|design|nature|appearance|fit|pattern)s?\b", "", text
    )
    text = re.sub(
        r"\b(?:all|mostly|completely|entirely|totally|fully|predominantly|mainly|primarily|only|very|too|so|"
        r"really|quite|just|overall|still|also|already|now) (?=\w)",
        "",
        text,
    )
    text = re.sub(r"\b([\w-]+)[ -]colou?red\b", r"\1", text)
    return re.sub(r"^(?:a|an|the) ((?:[\w-]+ )+)(?:colou?r|shade|tone|hue)$", r"\1", text).strip(" ,")


def read_complement(text: str, caption: Phrase) -> list[Edit]:
    """The edits of a predicate read as a pose, a place, or a list of attributes and things."""
    words = text.split()
    if len(words) > 1 and words[0] in ("with", "featuring", "having", "without"):
        return _read_rest(text, caption)
    if words[0:1] == ["made"] and text.startswith(("made of ", "made from ", "made out of ")):
        return [Set(strip_determiner(re.sub(r"^made (?:of|from|out of) ", "", text)))]
    past = len(words) > 1 and words[0].endswith("ed") and words[1] in lexicon.PREPOSITIONS | {"out", "up"}
    if words and (past or is_gerund(words[0]) or words[0] in lexicon.PARTICIPLES or words[0] in lexicon.PREPOSITIONS):
        return [read_action(part) for part in _verb_phrases(text)]
    if (
        words
        and words[0] not in ("a", "an", "the")
        and base_verb(words[0])
        and base_verb(words[0]) not in NOUN_VERBS
        and not lexicon.slot_of(words[0])
    ):
        return [Pose(as_pose(text))]
    return [edit for part in split_list(text) for edit in _read_part(part, caption)]


def _verb_phrases(text: str) -> list[str]:
    """*wearing a collar and sitting up* is two, *eating and drinking* is one."""
    found = re.match(r"(\S+ .*?\S) and ([a-z]{3,}ing\b.*)", text)
    return (
        [found.group(1), *_verb_phrases(found.group(2))] if found and is_gerund(found.group(2).split()[0]) else [text]
    )


_UNSPECIFIED = re.compile(
    r"(?:different|another|other|new) (?:[\w-]+ )?(?:colou?r|shape|brand|style|type|size|pattern|design|material)s?"
)
"""A change without a new value."""


_NO_VALUE = lexicon.GENERIC | {"same", "different", "similar", "color", "colour", "thing", "other"}


def _read_part(part: str, caption: Phrase) -> list[Edit]:
    """The edits of one item of a predicate: an attribute, a view, or else what ``_read_noun_phrase`` makes of it."""
    part = part.strip()
    if is_command(part):
        return read_additions(part.split(" ", 1)[1], caption)
    core = strip_determiner(part)
    if not core or core in _EMPTY or core in _NO_VALUE:
        return [Keep(core)] if core == "same" else []
    if core in ("close", "far", "distant", "far away", "close to the camera"):
        return [View("close-up" if core.startswith("close") else "seen from afar")]
    if is_adjectival(core):
        return [Set(core)]
    if style := read_style(core, caption):
        return style
    if _UNSPECIFIED.fullmatch(core):
        return [Keep("")]
    noun, _, adjectives = core.partition(" ")
    if same_noun(noun, caption.noun) and is_adjectival(adjectives):
        return [Set(adjectives)]
    return _read_noun_phrase(part, core, caption)


def _read_noun_phrase(part: str, core: str, caption: Phrase) -> list[Edit]:
    """The edits of a noun phrase or a verb phrase; ``core`` is ``part`` without its determiner."""
    phrase = parse(part)
    head = phrase.noun
    if head in ("one", "ones") and phrase.adjectives:
        return [Set(" ".join(phrase.adjectives)), *(Add(item) for item in phrase.features)]
    if re.fullmatch(r"(?:one|two|three|four|five|six|seven|eight|nine|ten|\d{1,3})(?: of (?:them|it))?", core):
        return [Count(core.split()[0])]
    words = part.split()
    if (
        is_gerund(words[0])
        or words[0] in lexicon.PARTICIPLES | lexicon.PREPOSITIONS
        or (lexicon.FEATURES.get(head) is None and base_verb(words[0]))
    ):
        return [read_action(part)]
    if caption.is_garment and (singular(head) in lexicon.GARMENTS or head in lexicon.GARMENTS):
        return [Become(part)]
    if re.search(r" (?:it|them|him|her)$", part):
        return [Add(as_thing(part))]
    if same_noun(head, container(caption)):
        return [Become(part)]
    if other := _read_other_thing(part, phrase, caption):
        return [other]
    if head in ("background", "backdrop"):
        return [read_background(part)]
    if part.endswith((" in the background", " in the foreground")):
        return [Add(part)]
    return [_read_thing(part, core, head, caption)]


def _read_other_thing(part: str, phrase: Phrase, caption: Phrase) -> Edit | None:
    """The edit of a thing that the caption mentions beside the main one; None for any other thing."""
    head = phrase.noun
    if not mentions(caption, head) or same_noun(head, caption.noun) or phrase.tail or phrase.features:
        return None
    adjectives = " ".join(phrase.adjectives)
    if adjectives and phrase.lead in ("", "the") and is_adjectival(adjectives):
        return Set(adjectives, head)
    if phrase.lead in lexicon.NUMBERS and not adjectives:
        return Count(phrase.lead, head)
    return Swap(part, head) if not caption.is_garment and phrase.lead else None


def _read_thing(part: str, core: str, head: str, caption: Phrase) -> Edit:
    """The edit of a thing: a part to add, a new main thing, or an unknown adjective."""
    if (
        lexicon.FEATURES.get(head)
        or head in lexicon.PATTERN_NOUNS
        or re.fullmatch("prints?|patterns?|designs?|length|fit|fabric|material|style", head)
    ):
        return Add(part)
    if same_noun(head, caption.noun) or (part.startswith(("a ", "an ")) and not caption.is_garment):
        return Become(part)
    if core == head and is_plural(head) and is_plural(caption.noun) and same_kind(head, caption.noun):
        return Become(part)
    if " " not in part and ((caption.is_garment and not is_plural(core)) or core.endswith("ed")):
        return Set(core)
    return Add(part)


def read_statement(subject: str, words: str, caption: Phrase) -> list[Edit]:
    """The edits of *the X is Y*; none where X is an adjective."""
    if lexicon.slot_of(subject.split()[-1]):
        return []
    return read_about(subject, words, caption)
