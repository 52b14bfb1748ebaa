"""What follows "is", "make it" or nothing at all: looks, things, poses, places and views."""

from __future__ import annotations

import re

from ipcir_tools.chains.imagination.rules import lexicon as lx
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun, holder, names, parse, same_kind, same_noun
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
from ipcir_tools.chains.imagination.rules.split import parts_of
from ipcir_tools.chains.imagination.rules.text import bare, base_verb, gerund, is_gerund, is_plural, plain, singular
from ipcir_tools.chains.imagination.rules.things import (
    adds,
    adjectival,
    background,
    commands,
    drops,
    thing,
    with_article,
)

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


def about(subject: str, words: str, caption: Phrase) -> list[Edit]:
    """Adjectives, a pose or a place said of some thing."""
    subject = bare(subject)
    clothes = caption.is_garment and singular(head_noun(subject)) in lx.GARMENTS
    if not subject or subject in lx.GENERIC or clothes:
        return predicate(words, caption)
    if same_noun(head_noun(subject), caption.noun):
        alone = is_plural(caption.noun) and not is_plural(head_noun(subject))
        return [*([Count("the", caption.noun)] if alone else []), *predicate(words, caption)]
    if re.fullmatch(
        r"(?:colou?rs?|shade|pattern|print|style|fit|size|length|fabric|material|design|look|style)", subject
    ):
        return predicate(words, caption)
    if subject in ("background", "backdrop", "setting", "scene"):
        return [background(words)]
    if re.match(
        r"(?:is |are |has |have )?(?:been )?(?:gone|removed|missing|absent|invisible|not visible|not there|off)\b",
        words,
    ):
        return [Drop(subject)]
    if words.startswith("not "):
        return [Drop(words[4:], subject) if adjectival(words[4:]) else Drop(f"{words[4:]} {subject}")]
    plainly = bare(plain(words))
    if adjectival(plainly):
        return [Set(plainly, subject)]
    if re.match(r"(?:an?|two|three|four|five|six) ", words):
        return [Swap(plain(words), subject)]
    thing = f"{with_article(subject)} {posed(plainly)}"
    return [Swap(thing, subject) if f" {subject} " in f" {caption.text()} " else Add(thing)]


def predicate(text: str, caption: Phrase) -> list[Edit]:
    """What follows "is", "make it" or nothing at all: looks, things_of, poses and places, in one list."""
    text = _plain_complement(text)
    looks = re.fullmatch(r"look(?:s|ing)? (.+)", text)
    if looks and adjectival(looks.group(1)):
        text = looks.group(1)
    if set(text.split()) <= _EMPTY_WORDS:
        return []
    if text.startswith("not "):
        return [Drop(text[4:])] if is_gerund(text.split()[1]) else drops(text[4:])
    if text in ("indoors", "outdoors", "inside", "outside"):
        return [Place(text)]
    cut = re.search(
        r"(?<=\w) (with|without|featuring|instead of|on|in|at|from|under|behind|by|next to|near|that|which|"
        r"showing)(?= )",
        text,
    )
    first = text.split()[0] if text else ""
    verbal = is_gerund(first) or first in lx.PARTICIPLES | lx.PREPOSITIONS or base_verb(first)
    if cut and not verbal:
        before, after = text[: cut.start()], text[cut.start() :].strip()
        if not re.search(r"\bcolou?r\b|\bsize\b|\blength\b", after.split(" and ")[0]) and adjectival(bare(before)):
            return [*predicate_parts(before, caption), *_after(after, caption)]
    return predicate_parts(text, caption)


def _after(text: str, caption: Phrase) -> list[Edit]:
    """What follows the adjectives of a complement: *with a belt*, *on the front*."""
    word, rest = text.split(" ", 1)
    if word in ("with", "featuring", "showing"):
        return adds(rest, caption)
    if word in ("without", "instead"):
        return drops(rest.removeprefix("of "))
    return [doing(text)]


def _plain_complement(text: str) -> str:
    text = re.sub(r"\b(?:the|a) (?:same|different|similar) (?:\w+ )?(?:but|and|only|except|with)\b", "", plain(text))
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


def predicate_parts(text: str, caption: Phrase) -> list[Edit]:
    """A complement read as a pose, a place, or a list of looks and things."""
    words = text.split()
    if len(words) > 1 and words[0] in ("with", "featuring", "having", "without"):
        return _after(text, caption)
    if words[0:1] == ["made"] and text.startswith(("made of ", "made from ", "made out of ")):
        return [Set(bare(re.sub(r"^made (?:of|from|out of) ", "", text)))]
    past = len(words) > 1 and words[0].endswith("ed") and words[1] in lx.PREPOSITIONS | {"out", "up"}
    if words and (past or is_gerund(words[0]) or words[0] in lx.PARTICIPLES or words[0] in lx.PREPOSITIONS):
        return [doing(part) for part in _verb_phrases(text)]
    if (
        words
        and words[0] not in ("a", "an", "the")
        and base_verb(words[0])
        and base_verb(words[0]) not in NOUN_VERBS
        and not lx.slot_of(words[0])
    ):
        return [Pose(posed(text))]
    return [edit for part in parts_of(text) for edit in _part(part, caption)]


def _verb_phrases(text: str) -> list[str]:
    """*wearing a collar and sitting up* is two, *eating and drinking* is one."""
    found = re.match(r"(\S+ .*?\S) and ([a-z]{3,}ing\b.*)", text)
    return (
        [found.group(1), *_verb_phrases(found.group(2))] if found and is_gerund(found.group(2).split()[0]) else [text]
    )


_OTHERWISE = re.compile(
    r"(?:different|another|other|new) (?:[\w-]+ )?(?:colou?r|shape|brand|style|type|size|pattern|design|material)s?"
)
"""What is asked to be otherwise without saying how."""


def _part(part: str, caption: Phrase) -> list[Edit]:
    part = part.strip()
    if commands(part):
        return adds(part.split(" ", 1)[1], caption)
    core = bare(part)
    if (
        not core
        or core in _EMPTY
        or core
        in lx.GENERIC
        | {
            "same",
            "different",
            "similar",
            "color",
            "colour",
            "thing",
            "other",
        }
    ):
        return [Keep(core)] if core == "same" else []
    if core in ("close", "far", "distant", "far away", "close to the camera"):
        return [View("close-up" if core.startswith("close") else "seen from afar")]
    if adjectival(core):
        return [Set(core)]
    if drawn(core, caption):
        return drawn(core, caption)
    if _OTHERWISE.fullmatch(core):
        return [Keep("")]
    named, _, looks = core.partition(" ")
    if same_noun(named, caption.noun) and adjectival(looks):
        return [Set(looks)]
    phrase = parse(part)
    head = phrase.noun
    if head in ("one", "ones") and phrase.units:
        return [Set(" ".join(phrase.units)), *(Add(item) for item in phrase.features)]
    if re.fullmatch(r"(?:one|two|three|four|five|six|seven|eight|nine|ten|\d{1,3})(?: of (?:them|it))?", core):
        return [Count(core.split()[0])]
    words = part.split()
    if (
        is_gerund(words[0])
        or words[0] in lx.PARTICIPLES | lx.PREPOSITIONS
        or (lx.FEATURES.get(head) is None and base_verb(words[0]))
    ):
        return [doing(part)]
    if caption.is_garment and (singular(head) in lx.GARMENTS or head in lx.GARMENTS):
        return [Become(part)]
    if re.search(r" (?:it|them|him|her)$", part):
        return [Add(thing(part))]
    if same_noun(head, holder(caption)):
        return [Become(part)]
    beside = names(caption, head) and not same_noun(head, caption.noun) and not (phrase.tail or phrase.features)
    if beside and phrase.units and phrase.lead in ("", "the") and adjectival(" ".join(phrase.units)):
        return [Set(" ".join(phrase.units), head)]
    if beside and phrase.lead in lx.NUMBERS and not phrase.units:
        return [Count(phrase.lead, head)]
    if beside and not caption.is_garment and phrase.lead:
        return [Swap(part, head)]
    if head in ("background", "backdrop"):
        return [background(part)]
    if part.endswith((" in the background", " in the foreground")):
        return [Add(part)]
    if (
        lx.FEATURES.get(head)
        or head in lx.PATTERN_NOUNS
        or re.fullmatch("prints?|patterns?|designs?|length|fit|fabric|material|style", head)
    ):
        return [Add(part)]
    if same_noun(head, caption.noun) or (part.startswith(("a ", "an ")) and not caption.is_garment):
        return [Become(part)]
    if core == head and is_plural(head) and is_plural(caption.noun) and same_kind(head, caption.noun):
        return [Become(part)]
    if len(words) == 1 and ((caption.is_garment and not is_plural(core)) or core.endswith("ed")):
        return [Set(core)]
    return [Add(part)]


def doing(text: str) -> Edit:
    """A pose, a place or a view, by its first word."""
    if (
        re.match(r"(?:from|zoomed|seen|viewed|shot|taken|photographed)\b", text)
        or "greyscale" in text
        or re.match(r"in colou?r$", text)
    ):
        return view(text)
    if re.match(r"(?:with|featuring|having|wearing|containing|has|have) ", text):
        return Add(text.split(" ", 1)[1])
    if text.split()[0] in lx.PREPOSITIONS:
        words = bare(re.sub(r"^(?:in|of) ", "", text))
        if adjectival(words):
            return Set(words)
        if re.match(r"(?:of|as|like) ", text):
            return Keep("") if re.search(r"same|different|similar", text) else Add(text.split(" ", 1)[1])
        return Place(text)
    return Pose(posed(text))


def posed(text: str) -> str:
    """A verb phrase as a caption says it: *to lie on the bed* -> *lying on the bed*."""
    text = re.sub(r"^(?:to be |to |be |is |are |so (?:that )?(?:it|they) (?:is|are) )+", "", text)
    words = text.split()
    if (
        words
        and words[0] not in lx.PREPOSITIONS
        and not is_gerund(words[0])
        and base_verb(words[0])
        and not lx.slot_of(words[0])
    ):
        words[0] = gerund(words[0])
    for i in range(1, len(words)):
        if (
            words[i - 1] == "and"
            and base_verb(words[i])
            and words[i] not in lx.PREPOSITIONS
            and not lx.slot_of(words[i])
        ):
            words[i] = gerund(words[i])
    return " ".join(words)


def view(text: str) -> Edit:
    """How the picture is seen; a view that is the same, or merely different, says nothing."""
    text = re.sub(r"^(?:is|are|be) ", "", text)
    if re.search(r"\bsame\b|\bsimilar\b", text):
        return Keep(bare(re.sub(r".*\b(?:same|similar) ", "", text)))
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
        return View(plain(where.group(1))) if text.endswith(" light") else Place(plain(where.group(1)))
    if re.search(r"zoom(?:ed)? out|further|farther|\bfar\b|away", text) or ("distan" in text and "close" not in text):
        return View("seen from afar")
    if re.search(r"zoom|clos", text):
        return View("close-up")
    return View("seen " + re.sub(r"^(?:(?:seen|viewed|shot|taken|photographed|pictured) )+", "", plain(text)))


_STYLE = re.compile(
    r"(?:an? )?((?:oil |pencil |charcoal |water ?colou?r |line |abstract |digital |ink )?(?:"
    + "|".join(sorted(lx.PICTURES))
    + r"))(?: style| version)?(?: of (?:it|this|that|the same(?: thing)?))?"
)


def drawn(text: str, caption: Phrase) -> list[Edit]:
    """*a painting*, *cartoon style*: the same, in another kind of picture."""
    style = None if caption.is_garment else _STYLE.fullmatch(text)
    return [View(with_article(style.group(1)) + " of")] if style else []
