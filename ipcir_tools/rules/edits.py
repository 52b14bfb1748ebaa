"""The edit grammar: a modification text becomes typed edits of a caption."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ipcir_tools.rules import lexicon as lx
from ipcir_tools.rules.caption import Phrase, head_noun, parse, same_kind, same_noun
from ipcir_tools.rules.split import clauses, parts_of, sentences
from ipcir_tools.rules.text import bare, base_verb, gerund, is_gerund, is_plural, plain, singular


@dataclass(frozen=True)
class Edit:
    """One change. ``text`` says what, in plain words; ``of`` says of what, empty for the main thing."""

    text: str
    of: str = ""


class Scene(Edit):
    """The whole target in words."""


class Become(Edit):
    """The main thing becomes another, or the same with other attributes: ``a skirt``."""


class Swap(Edit):
    """``of`` gives way to ``text``."""


class Set(Edit):
    """Adjectives: ``dark red``."""


class Add(Edit):
    """A thing that is there now: ``a belt``."""


class Drop(Edit):
    """A thing that is not there."""


class Place(Edit):
    """Where it is: ``on a beach``."""


class Pose(Edit):
    """What it does: ``lying on a couch``."""


class Count(Edit):
    """How many: ``two``, ``several``, ``+1``, ``-1``."""


class View(Edit):
    """How it is seen: ``seen from above``."""


class Keep(Edit):
    """What stays."""


Rule = Callable[[re.Match[str], Phrase], "list[Edit]"]


def read(text: str, caption: Phrase) -> list[Edit]:
    """All edits of a tidied modification text, in order."""
    found: list[Edit] = []
    for sentence in sentences(text):
        whole = _scene(sentence, caption)
        found += whole if whole else [edit for part in clauses(sentence) for edit in _clause(part, caption)]
    return found


# ---- whole scenes -------------------------------------------------------------------------------------------------

_SCENE_LEAD = re.compile(
    r"^(?:(?:display|target|focus|focuses|focused|capture|concentrate)(?: only| more| on| in| to| at|\b)*|show(?! more\b)|there (?:is|are|was|were)(?! (?:more|fewer|less|no)\b)|"
    r"(?:change|changed|turn|go|reduce|move|switch)(?: it| focus| everything| the (?:photo|image|picture|scene))? (?:to|for|into)(?: show| focus on)?|make(?: out| only)? (?:with|of|out)\b|make (?:the )?(?:picture|image|photo|scene) (?:of|with)|"
    r"(?:take|make|get|give|use|have)(?: a| the)? (?:[\w-]+ )?(?:coverage|shot|view|angle view|shoot)(?: shot| view)?(?: of| on| over| for| showing|,)*|"
    r"replace (?:the )?(?:entire|whole|all)(?: the)? (?:contents?|scene|image|picture) (?:with|by)|goes? from .+? to|must be|use|the target (?:shows?|has|is)|contains?|include)\s+"
)


def _scene(sentence: str, caption: Phrase) -> list[Edit]:
    """The edits of a text that describes the whole target; empty if it does not."""
    body, drops = _exclusions(sentence)
    lead = _SCENE_LEAD.match(body)
    rest = body[lead.end() :].strip(" ,") if lead else body
    if not lead and re.match(r"shows? ", body):
        return _shown(body.split(" ", 1)[1], caption, drops)
    if lead and _is_attribute(rest, caption):
        return []
    if lead or _describes(rest, caption):
        return [*(Drop(item) for item in drops), Scene(rest)] if rest else []
    return []


def _shown(rest: str, caption: Phrase, drops: list[str]) -> list[Edit]:
    """*Shows two other dogs playing* is the whole target; *shows the sky in the background* adds to it."""
    head = head_noun(rest)
    small = len(rest.split()) < 5 or rest.startswith(("the ", "no ", "more ", "fewer ", "only ")) or " and no " in rest
    adds = re.search(r"\b(?:next to|behind|with) (?:them|it|him|her)$|\bin the (?:back|fore)ground\b", rest)
    if (small or adds) and not same_kind(head, caption.noun) and not re.match(r"(?:an)?other|similar", rest):
        return []
    if rest.startswith(("no ", "fewer ", "more ", "only one of", "only ")) and len(rest.split()) < 6:
        return []
    return [*(Drop(item) for item in drops), Scene(rest)]


def _exclusions(text: str) -> tuple[str, list[str]]:
    """Cut "instead of X", "without X", "not X" out of a text."""
    drops: list[str] = []

    def take(found: re.Match[str]) -> str:
        drops.append(found.group(1).strip())
        return " "

    pattern = r",?(?: and| but)?\s+(?:instead of|without|but not|and not|not|and no|with no)\s+((?:(?! and (?:has|have|is|with)\b| with\b)[^,.;])+)"
    return " ".join(re.sub(pattern, take, text).split()), drops


def _is_attribute(rest: str, caption: Phrase) -> bool:
    """Whether "change to ..." names only a look: *blue*, *long sleeves*, *a v-neck*, *a skirt*."""
    phrase = parse(plain(rest))
    if all(lx.slot_of(word.strip(",")) or word in ("and", "a", "an", "color", "colour") for word in plain(rest).split()):
        return True
    return caption.is_garment and not phrase.tail


def _describes(text: str, caption: Phrase) -> bool:
    """Whether a text without a lead is a description: a noun phrase with something said of it."""
    phrase = parse(plain(text))
    first = text.split()[0] if text else ""
    if not phrase.noun or first in _NOT_NOUN or base_verb(first) and first not in _NOUN_VERBS or caption.is_garment:
        return False
    if re.search(r"\b(?:changed?|turned|replaced|removed|missing|gone|becomes?|become)\b|^(?:only|just)? ?one of\b", text):
        return False
    if re.match(r"(?:the|his|her|its|their) ", text) and same_kind(phrase.noun, caption.noun):
        return False
    if lx.slot_of(phrase.noun) or phrase.noun in lx.STOPS | {"background", "angle", "color", "colour", "breed", "one", "more"}:
        return False
    if re.match(r"(?:\w+ )?(?:more|less|fewer|additional)\b", text):
        return False
    return bool(phrase.tail or phrase.features) or (phrase.lead != "" and not same_noun(phrase.noun, caption.noun))


_NOUN_VERBS = frozenset("stick show play drink surf watch light ride box".split())
_NOT_NOUN = (
    lx.PREPOSITIONS
    | lx.STOPS
    | frozenset(
        "more less fewer no not only just same change make turn replace swap remove add put place have zoom keep lose closer "
        "it they he she blur close open paint fill hang increase reduce decrease lessen give get leave set move different "
        "bring all pull cut fold brighten darken facing taken shot seen viewed without lie face position enlarge shorten "
        "lengthen raise switch rotate flip must be convert transform hide erase wipe ditch drop delete".split()
    )
)

# ---- single clauses -----------------------------------------------------------------------------------------------


def _clause(text: str, caption: Phrase) -> list[Edit]:
    """The edits of one clause."""
    for pattern, rule in _RULES:
        found = pattern.match(text)
        if found:
            edits = rule(found, caption)
            if edits:
                return edits
    return _complement(text, caption)


def _swap(old: str, new: str, caption: Phrase) -> list[Edit]:
    old, new = bare(old), new.strip(" ,")
    attribute = re.fullmatch(r"(?:(?:main |whole |overall )?colou?rs?|shade|pattern|print|design|size|length|style|fit|material|fabric|type|shape)(?: of (?:the )?(.+))?", old)
    part = re.fullmatch(r"(.+?)(?:'s)? (?:colou?rs?|pattern|print|length|size|material|fabric)", old)
    of = (attribute and attribute.group(1)) or (part and part.group(1)) or ""
    if (attribute or part) and new:
        return _about(of, new, caption)
    if re.fullmatch(r"(?:the )?(?:background|backdrop|setting|scene|location|surroundings?)", old):
        return [_background(new)]
    if re.fullmatch(r"(?:number|amount|quantity|count) of .+", old):
        return [Count(new.split()[0], bare(old.split(" of ", 1)[1]))]
    if old in lx.GENERIC or same_noun(old, caption.noun) and " " not in old:
        return _complement(new, caption)
    return [Swap(plain(new), old)]


def _background(new: str) -> Edit:
    words = bare(plain(new))
    if re.match(r"(?:in|on|at|by|near|inside|outside|under|behind)\b", words):
        return Place(words)
    if words.endswith(("background", "backdrop")):
        return Place(f"on {_with_article(words)}")
    if all(lx.slot_of(word) or word == "and" for word in words.split()):
        return Place(f"on a {words} background")
    return Place(f"with {_with_article(words)} in the background")


def _about(subject: str, words: str, caption: Phrase) -> list[Edit]:
    """Adjectives, a pose or a place said of some thing."""
    subject = bare(subject)
    if not subject or subject in lx.GENERIC or same_noun(head_noun(subject), caption.noun):
        return _complement(words, caption)
    if re.fullmatch(r"(?:colou?rs?|shade|pattern|print|style|fit|size|length|fabric|material|design|look|style)", subject):
        return _complement(words, caption)
    if subject in ("background", "backdrop", "setting", "scene"):
        return [_background(words)]
    if re.match(r"(?:is |are |has |have )?(?:been )?(?:gone|removed|missing|absent|invisible|not visible|not there|off)\b", words):
        return [Drop(subject)]
    plainly = bare(plain(words))
    if _adjectival(plainly):
        return [Set(plainly, subject)]
    if re.match(r"(?:an?|two|three|four|five|six) ", words):
        return [Swap(plain(words), subject)]
    return [Add(f"{_with_article(subject)} {_posed(plainly)}")]


def _adjectival(words: str) -> bool:
    known = [word.strip(",") for word in words.split()]
    return bool(known) and all(lx.slot_of(word) or word in ("and", "all", "in", "color", "colour") for word in known)


def _complement(text: str, caption: Phrase) -> list[Edit]:
    """What follows "is", "make it" or nothing at all: looks, things, poses and places, in one list."""
    text = _plain_complement(text)
    cut = re.search(r"(?<=\w) (with|without|featuring|instead of|on|in|at|from|under|behind|by|next to|near|that|which|showing)(?= )", text)
    first = text.split()[0] if text else ""
    verbal = is_gerund(first) or first in lx.PARTICIPLES | lx.PREPOSITIONS or base_verb(first)
    if cut and not verbal:
        before, after = text[: cut.start()], text[cut.start() :].strip()
        if not re.search(r"\bcolou?r\b|\bsize\b|\blength\b", after.split(" and ")[0]) and _adjectival(bare(before)):
            return [*_parts(before, caption), *_clause(after, caption)]
    return _parts(text, caption)


def _plain_complement(text: str) -> str:
    text = re.sub(r"\b(?:the|a) (?:same|different|similar) (?:\w+ )?(?:but|and|only|except|with)\b", "", plain(text))
    text = re.sub(r"\s+in (?:colou?r|shade|tone|hue|size|length|style|design|nature|appearance|fit|pattern)s?\b", "", text)
    text = re.sub(r"\b(?:all|mostly|completely|entirely|totally|fully|predominantly|mainly|primarily|only|very|too|so|really|quite|just|overall) (?=\w)", "", text)
    text = re.sub(r"\b([\w-]+)[ -]colou?red\b", r"\1", text)
    return re.sub(r"^(?:a|an|the) ((?:[\w-]+ )+)(?:colou?r|shade|tone|hue)$", r"\1", text).strip(" ,")


def _parts(text: str, caption: Phrase) -> list[Edit]:
    words = text.split()
    if words and (is_gerund(words[0]) or words[0] in lx.PARTICIPLES - {"cropped"} or words[0] in lx.PREPOSITIONS):
        return [_doing(text)]
    if words and words[0] not in ("a", "an", "the") and base_verb(words[0]) and base_verb(words[0]) not in _NOUN_VERBS and not lx.slot_of(words[0]):
        return [Pose(_posed(text))]
    return [edit for part in parts_of(text) for edit in _part(part, caption)]


def _part(part: str, caption: Phrase) -> list[Edit]:
    part = part.strip()
    core = bare(part)
    if not core or core in lx.GENERIC | {"same", "different", "similar", "color", "colour", "thing", "other"}:
        return [Keep(core)] if core == "same" else []
    if _adjectival(core):
        return [Set(core)]
    phrase = parse(part)
    head = phrase.noun
    if re.fullmatch(r"(?:one|two|three|four|five|six|seven|eight|nine|ten|\d+)(?: of (?:them|it))?", core):
        return [Count(core.split()[0])]
    words = part.split()
    if is_gerund(words[0]) or words[0] in lx.PARTICIPLES | lx.PREPOSITIONS or lx.FEATURES.get(head) is None and base_verb(words[0]):
        return [_doing(part)]
    if caption.is_garment and (singular(head) in lx.GARMENTS or head in lx.GARMENTS):
        return [Become(part)]
    if lx.FEATURES.get(head) or head in lx.PATTERN_NOUNS or re.fullmatch("prints?|patterns?|designs?|length|fit|fabric|material|style", head):
        return [Add(part)]
    if same_noun(head, caption.noun) or part.startswith(("a ", "an ")) and not caption.is_garment:
        return [Become(part)]
    if caption.is_garment and len(words) == 1 and not is_plural(core):
        return [Set(core)]
    return [Add(part)]


def _doing(text: str) -> Edit:
    """A pose, a place or a view, by its first word."""
    if re.match(r"(?:from|zoomed|seen|viewed|shot|taken|photographed)\b", text) or "greyscale" in text or re.match(r"in colou?r$", text):
        return _view(text)
    if re.match(r"(?:with|featuring|having|wearing|containing|has|have) ", text):
        return Add(text.split(" ", 1)[1])
    if text.split()[0] in lx.PREPOSITIONS:
        words = bare(re.sub(r"^(?:in|of) ", "", text))
        if _adjectival(words):
            return Set(words)
        if re.match(r"(?:of|as|like) ", text):
            return Keep("") if re.search(r"same|different|similar", text) else Add(text.split(" ", 1)[1])
        return Place(text)
    return Pose(_posed(text))


def _posed(text: str) -> str:
    """A verb phrase as a caption says it: *to lie on the bed* -> *lying on the bed*."""
    text = re.sub(r"^(?:to be |to |be |is |are |being |so (?:that )?(?:it|they) (?:is|are) )+", "", text)
    words = text.split()
    if words and words[0] not in lx.PREPOSITIONS and not is_gerund(words[0]) and base_verb(words[0]) and not lx.slot_of(words[0]):
        words[0] = gerund(words[0])
    for i in range(1, len(words)):
        if words[i - 1] == "and" and base_verb(words[i]) and words[i] not in lx.PREPOSITIONS and not lx.slot_of(words[i]):
            words[i] = gerund(words[i])
    return " ".join(words)


def _view(text: str) -> Edit:
    text = re.sub(r"^(?:is|are|be) ", "", text)
    if re.search(r"\bsame\b|\bsimilar\b", text):
        return Keep(bare(re.sub(r".*\b(?:same|similar) ", "", text)))
    if re.search(r"\b(?:different|another|opposite|other)\b", text):
        return View("seen from another angle")
    if "greyscale" in text or "black and white" in text:
        return View("in greyscale")
    if re.search(r"\bin colou?r\b", text):
        return View("in color")
    if re.search(r"zoom(?:ed)? out|further|farther|\bfar\b|distan|away", text):
        return View("seen from afar")
    if re.search(r"zoom|clos", text):
        return View("close-up")
    return View("seen " + re.sub(r"^(?:(?:seen|viewed|shot|taken|photographed|pictured) )+", "", plain(text)))


def _with_article(noun: str) -> str:
    """A noun with its article if it needs one."""
    head = head_noun(noun)
    first = noun.split()[0] if noun else ""
    if not noun or first in lx.DETERMINERS or first.isdigit() or is_plural(head) or head in lx.MASS or lx.slot_of(head):
        return noun
    return "a " + noun


def things(text: str) -> list[str]:
    """The items of a list of things, each with its article."""
    return [_thing(part) for part in parts_of(plain(text))]


def _thing(text: str) -> str:
    text = re.sub(r"^(?:the|that|this|another|other|some other|its|an additional|additional|an extra|extra|any|more|some more|back the|also) ", "", text.strip())
    return _with_article(re.sub(r"\s+(?:back|again|as well|too|to it|to the (?:image|picture|scene|photo)|into (?:the )?(?:scene|image|picture))$", "", text))


def _adds(text: str, caption: Phrase) -> list[Edit]:
    """Things that are there: counted, looked-like, or simply added."""
    text = text.strip(" ,")
    number = re.fullmatch(r"(?:only |just )?(one|two|three|four|five|six|seven|eight|nine|ten|\d+|more|fewer|less|several|many)(?: of (?:them|it|these|those|the same|the [\w-]+)| only)?", text)
    if number:
        return [Count(number.group(1))]
    number = re.fullmatch(r"(?:only |just )(one|two|three|four|five|six|a single|an?) (.+)", text)
    if number and same_kind(head_noun(number.group(2)), caption.noun):
        return [Count(number.group(1), number.group(2))]
    more = re.fullmatch(r"(one|two|three|four|five|a|another|an additional|an extra)(?: more| other| additional)? ([\w-]+)", text)
    if more and ("more" in text or "other" in text or "add" in text or "extra" in text) and same_noun(more.group(2), caption.noun):
        return [Count("+" + str(lx.NUMBERS.get(more.group(1), 1)), more.group(2))]
    more = re.fullmatch(r"(more|fewer|less|several|many|few)(?: of the)? ([\w-]+)", text)
    if more and same_noun(more.group(2), caption.noun):
        return [Count(more.group(1), more.group(2))]
    if re.match(r"(?:the |a )?(?:same|similar|different)\b", text):
        return [Keep(bare(re.sub(r"^(?:the |a )?same ", "", text)))] if "same" in text else [Keep("")]
    if re.search(r"\b(?:background|backdrop)$", text) and not re.search(r"\bin the\b", text):
        return [_background(text)]
    edits: list[Edit] = []
    for part in parts_of(text):
        fewer = re.fullmatch(r"(?:less|fewer) (.+)", part)
        looks = re.fullmatch(r"(?:more |a |an |the |some )*((?:[\w-]+ )*[\w-]+?)(?: (?:colou?rs?|colou?ring|shade|tone|look|appearance|style|feel|length))?(?: (?:to|in|on) it)?", plain(part))
        if fewer:
            edits.append(Drop(fewer.group(1)))
        elif looks and _adjectival(looks.group(1)):
            edits.append(Set(looks.group(1)))
        else:
            edits.append(Add(_thing(plain(part))))
    return edits


def _drops(text: str) -> list[Edit]:
    text = re.sub(r"\s+(?:from|in|of|on) (?:the |it\b|this ).*$", "", text)
    return [Drop(re.sub(r"^(?:no |without |any )+", "", bare(part))) for part in re.split(r"\s*,\s*(?:and |or )?|\s+(?:and|or|nor) ", text) if bare(part)]


def _made(rest: str, caption: Phrase) -> list[Edit]:
    """*make X Y*: finds where X ends."""
    pronoun = re.match(r"(it|them|him|her|this|that|everything) (.+)", rest)
    if pronoun:
        return _complement(_posed(pronoun.group(2)), caption)
    words = plain(rest).split()
    for i in range(1, len(words)):
        word = words[i]
        ready = words[i - 1] not in lx.DETERMINERS and not lx.slot_of(words[i - 1])
        verbal = word in ("to", "be", "so") or base_verb(word) or is_gerund(word) or word in lx.PARTICIPLES | lx.PREPOSITIONS - {"of"}
        if ready and (verbal or word in ("a", "an") or _adjectival(" ".join(words[i:]))):
            return _about(" ".join(words[:i]), _posed(" ".join(words[i:])), caption)
    return []


def _put(found: re.Match[str], caption: Phrase) -> list[Edit]:
    thing, where = found.group(1).strip(), found.group(2).strip()
    if re.search(r"background|backdrop", thing):
        return [_background(re.sub(r"\s+(?:behind|in).*$", "", thing))]
    if bare(thing) in lx.GENERIC or same_noun(head_noun(thing), caption.noun):
        return [Place(plain(where))]
    onto = re.sub(r"^(?:on|in|over|onto|around|to|into|at|for) (?:the |a |its |his |her |their )?", "", where)
    if where in ("back", "on", "in", "there") or re.fullmatch(r"(?:on|onto|around|to|over|in|into) (?:it|them|him|her)", where) or same_noun(onto, caption.noun):
        return [Add(item) for item in things(thing)]
    return [Add(f"{_thing(plain(thing))} {plain(where)}")]


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + r"$")


_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (_compiled(pattern), rule)
    for pattern, rule in (
        # what stays
        (r"(?:is |are |has |have |in |with |of |keep |looks? )*(?:exactly |about )?the same", lambda m, c: [Keep("same")]),
        (r"(?:the )?same (?:thing|one|item|garment|dress|shirt|top|style)?", lambda m, c: [Keep("same")]),
        (r"(?:keep|leave|retain|preserve|maintain)(?: the| only the| only)? (?!only)(.+?)(?: as (?:it is|is|they are)| the same| unchanged)?", lambda m, c: [Keep(bare(p)) for p in parts_of(m[1])]),
        (r"(?:(?:is|are|has|have|of|with|in|from|seen|shot|taken|at) )*(?:an? |the )?(?:same|similar|identical) (.+)", lambda m, c: _same(m[1], c)),
        (r"(?:(?:is|are|has|have|in|with|of|a|an|on|to) )*(?:different|other|another|new) (?:type of |kind of |shade of )?(?:[\w-]+ )?(?:colou?rs?|shape|breed|species|style|type|kind|size|pattern|background|brand|material|fabric|position|setting|room|location|animal|design)s?", lambda m, c: [Keep("")]),
        # not X but Y
        (r"(?:is |are )?not (.+?),? (?:but|rather) (.+)", lambda m, c: [*_drops(m[1]), *_clause(m[2], c)]),
        # X instead of Y
        (r"(?:has|have|is|are|with|shows?|in|be|to be|being|wearing)? ?(.+?) instead of (?:a |an |the |having )*(.+)", lambda m, c: _instead(m[1], m[2], c)),
        (r"instead of (.+?),? (?:(?:has|have|there is|there are|use|show|shows|put|add|make it|is|with)|,) (.+)", lambda m, c: _instead(m[2], m[1], c)),
        # change X to Y
        (r"(?:change|turn|convert|transform|alter|morph|make|modify)(?: the| out)? (?:(.+?) )?(?:from .+ )?(?:to|into)(?: an?| the)? (?:be |have |show )?((?:an? )?.+)", lambda m, c: _changed(m, c)),
        (r"(?:replace|swap|switch|exchange|trade|substitute)(?: out)?(?: the)? (.+?) (?:with|for|by|to|against) (.+)", lambda m, c: _swap(m[1], m[2], c)),
        (r"(.+?)(?: (?:has|have|is|are|was|were|been))* (?:changed|turned|transformed|replaced|converted|become|becomes|became|reduced|decreased|increased|switched)(?: (?:to|into|with|by|in))? (.+)", lambda m, c: _swap(m[1], m[2], c)),
        (r"(?:there was|goes? from|from|was) (.+?),? (?:now|to|and now) (?:it is |there is |there are )?(.+)", lambda m, c: _swap(m[1], m[2], c)),
        (r"(?:change|alter|modify|vary) (?:the )?(.+)", lambda m, c: _drops(m[1]) if not m[1].endswith("background") else [Keep("")]),
        # out
        (r"(?:is |are |has |have |be )?(?:without|not? (?=\w)|no|remove|lose|loses|losing|drop|delete|erase|ditch|discard|take (?:off|away|out)|get rid of|omit|exclude|hide|cut out|wipe(?: out)?|eliminate|strip|lacks|lacking)(?: out)? (.+)", lambda m, c: _dropped(m[1], c)),
        (r"(.+?)(?: (?:is|are|has|have|been|was))* (?:removed|missing|gone|absent|deleted|disappeared|not (?:visible|there|shown))", lambda m, c: _drops(m[1])),
        (r"take (?:the )?(.+?) (?:off|away|out)", lambda m, c: _drops(m[1])),
        # how many
        (r"(?:reduce|decrease|increase|change|lower|raise)(?: the)? (?:number|amount|count) of ([\w -]+?) (?:to|by) (?:only |just )?(\w+)(?: [\w-]+)?(.*)", lambda m, c: [Count(m[2], m[1]), *_then(m[3], c)]),
        (r"(?:increase|more|greater|larger|raise)(?: the)?(?: number| amount| population)? (?:of )?(?:the )?([\w-]+)", lambda m, c: _adds("more " + m[1], c)),
        (r"(?:fewer|less|lesser|lessen|reduce|decrease)(?: the)?(?: number| amount)? (?:of )?(?:the )?([\w-]+)", lambda m, c: _fewer(m[1], c)),
        (r"(?:is |are |there is |there are |shows? |has |have |leave )?(?:only|just) (one|two|three|four|five|six|a|an)(?: of (?:the |them\b)(?:[\w-]+)?|(?: [\w-]+)*)", lambda m, c: _only(m, c)),
        (r"one (?:less|fewer) ([\w-]+)", lambda m, c: [Count("-1", m[1])]),
        (r"remove (one|two|three)(?: of the)? ([\w-]+)", lambda m, c: [Count(f"-{lx.NUMBERS[m[1]]}", m[2])]),
        (r"(?:has |have |with |add |there (?:is|are) )?((?:one|two|three|four|five|a) more [\w-]+|another [\w-]+)", lambda m, c: _adds(m[1], c)),
        # how it is seen
        (r"(?:zoom|get|move|go|come|take)?(?: it| the (?:image|picture|photo|camera))? ?(?:zoom |zoomed )?(?:in|closer|close)(?: (?:up|shot|view|look|on|to|at|of|the|camera|in|more|of the|a|bit|distance|his|her|its|[\w-]+'s))*(?: ([\w-]+))?", lambda m, c: [View("close-up")]),
        (r"(?:a )?(?:closer?|zoomed|near|tight)[- ](?:up|shot|view|look|in)\b.*", lambda m, c: [View("close-up")]),
        (r"(?:zoom|move|get|go|zoomed|step)(?: it| the camera)? ?(?:out|away|back|farther|further)\b.*|(?:is )?(?:farther|further|more distant)(?: away)?", lambda m, c: [View("seen from afar")]),
        (r"(?:is |are |was )?(?:(?:shot|taken|seen|viewed|photographed|pictured) )?(?:from|in|at|with) (?:.*\b(?:angle|perspective|distance|viewpoint|greyscale|point of view)|(?:the )?(?:top|side|back|front|above|below|behind|afar))", lambda m, c: [_view(m[0])]),
        (r"(?:is |are )?(?:shot|taken|seen|viewed|photographed) .+", lambda m, c: [_doing(re.sub(r"^(?:is|are) ", "", m[0]))]),
        (r"(?:is |are )?in (?:greyscale|colou?r|black and white(?: photo)?)", lambda m, c: _grey(m[0], c)),
        (r"(?:change|another|different|new)(?: the)? (?:camera )?(?:angle|perspective|view).*", lambda m, c: [View("seen from another angle")]),
        # where it is
        (r"(?:(?:put|place|set|add|use|with|has|have|give it|make it) )?(?:(?:it|them) )?(?:in|on|against|in front of|with)? ?(an? [\w -]*?(?:background|backdrop))(?: .*)?", lambda m, c: [_background(m[1])]),
        (r"(?:put|place|set|hang|lay|move|position|show|bring|stick|attach)(?: the| up)? (.+?) (back|behind|(?:in|on|at|next to|near|behind|under|beside|over|around|against|inside|into|onto|to|by|in front of|above|below|between|underneath|outside|atop|for)(?: .+)?)", _put),
        (r"(?:make|have|get|let|give|keep|leave) (.+)", lambda m, c: _made(m[1], c)),
        # what it has
        (r"(?:go |goes |change |turn |switch |put it )?back (?:to|in|into) (.+)", lambda m, c: _complement(m[1], c)),
        (r"(?:put|add|bring|get|give|want)(?: it)? (?:back |on )?(.+?)(?: back| on| again)?", lambda m, c: _adds(m[1], c)),
        (r"(?:it |that |which |they |he |she |the [\w-]+ )?(?:is |are )?(?:has|have|having|with|plus|featuring|features|contains?|containing|includes?|including|must include|should have|must have|needs?|wants?|shows?|showing|insert|introduce|attach|use|wearing|wears?)(?: been| got)? (.+)", lambda m, c: _had(m[0], m[1], c)),
        # what it is
        (r"(?:it|that|they|he|she|this|which) (?:(?:should|must|would|will|to|needs to|has to|is|are|be|being|looks?|look|seems?|gets?|now|also) ?)+ (.+)", lambda m, c: _complement(m[1], c)),
        (r"(?:(?:should|must|would|will|to|is|are|be|being|looks?|made|make|now|also|of|it) )+(.+)", lambda m, c: _complement(m[1], c)),
        (r"(?:the |its |his |her |their )?((?:[\w-]+ ){0,2}?[\w-]+) (?:(?:should|must|needs to|is|are|be|being|was|looks?|get|gets|now) )+(.+)", lambda m, c: _said(m[1], m[2], c)),
        (r"in (?:an? )?((?:[\w-]+ )*[\w-]+)", lambda m, c: _in(m[1], c)),
    )
)


def _same(text: str, caption: Phrase) -> list[Edit]:
    cut = re.match(r"(.+?) (?:but|and|with|in|only) (.+)", text)
    if cut:
        again = re.search(r" (with|in) ", text)
        joint = again.group(1) + " " if again and text.startswith(cut.group(1) + again.group(0)) else ""
        return [Keep(bare(cut.group(1))), *_clause(joint + cut.group(2), caption)]
    return [Keep(bare(text))]


def _instead(new: str, old: str, caption: Phrase) -> list[Edit]:
    new = re.sub(r"^(?:in|with|make it|make|has|have|use|be|to) ", "", new.strip(" ,"))
    made = re.match(r"(?:the )?(?:color|colour) of (.+?) with (.+)", new)
    if made:
        return [*_about(made.group(1), made.group(2), caption)]
    old, plainly = bare(old), plain(new)
    if _adjectival(bare(plainly)):
        return [Drop(old), Set(bare(plainly))] if _adjectival(old) else _complement(plainly, caption)
    moved = re.match(r"(?:the )?(.+?) (?:is|are) (.+)", new)
    if moved:
        return [Drop(old), *_said(moved.group(1), moved.group(2), caption)]
    first = plainly.split()[0] if plainly else ""
    if is_gerund(first) or first in lx.PREPOSITIONS:
        return [_doing(plainly)]
    return [Swap(plainly, old)]


def _changed(found: re.Match[str], caption: Phrase) -> list[Edit]:
    old, new = found[1] or "it", found[2]
    verb = new.split()[0]
    if old == "it" or bare(old) in lx.GENERIC:
        return _complement(new, caption)
    if base_verb(verb) and verb not in _NOUN_VERBS and not lx.slot_of(verb) and found[0].startswith("make"):
        return _about(old, _posed(new), caption)
    return _swap(old, new, caption)


def _dropped(text: str, caption: Phrase) -> list[Edit]:
    number = re.fullmatch(r"(one|two|three)(?: of the)? ([\w-]+)", text)
    if number and same_kind(number.group(2), caption.noun):
        return [Count(f"-{lx.NUMBERS[number.group(1)]}", number.group(2))]
    return _drops(text)


def _fewer(noun: str, caption: Phrase) -> list[Edit]:
    if same_noun(noun, caption.noun) or noun in lx.GENERIC:
        return [Count("few", noun)]
    return [Set(lx.OPPOSITES.get(noun, ""))] if lx.slot_of(noun) and noun in lx.OPPOSITES else [Drop(noun)]


def _only(found: re.Match[str], caption: Phrase) -> list[Edit]:
    thing = re.sub(r"^.*?\b(?:only|just) ", "", found[0])
    noun = head_noun(re.sub(r"^\w+ of (?:the )?", "", thing)) if " " in thing else ""
    if noun and noun not in lx.GENERIC | {"them"} and not same_kind(noun, caption.noun):
        return [Add(thing)]
    return [Count(found[1], noun if noun not in lx.GENERIC | {"them"} else "")]


def _then(rest: str, caption: Phrase) -> list[Edit]:
    rest = rest.strip(" ,")
    return _clause(rest, caption) if rest else []


def _grey(text: str, caption: Phrase) -> list[Edit]:
    if caption.is_garment and "black and white" in text:
        return [Set("black and white")]
    return [_view(text)]


def _had(whole: str, rest: str, caption: Phrase) -> list[Edit]:
    """Things; "wears a hat" is a pose that a caption says as "wearing a hat"."""
    if re.match(r"(?:is |are |it |they |he |she )*wear", whole) and not caption.is_garment:
        return [Pose("wearing " + plain(rest))]
    return _adds(rest, caption)


def _said(subject: str, words: str, caption: Phrase) -> list[Edit]:
    if lx.slot_of(subject.split()[-1]):
        return []
    return _about(subject, words, caption)


def _in(text: str, caption: Phrase) -> list[Edit]:
    """*in blue* and *in leather* are looks, *in a field* is a place."""
    core = re.sub(r"\s+(?:colou?r|shade|fabric|material|size)s?$", "", plain(text))
    if _adjectival(core) or lx.slot_of(core.split()[0]) in ("colour", "material") and not re.search(r"\b(?:field|room|grass|water)\b", core):
        return _parts(core, caption)
    return [Place("in " + plain(re.sub(r"^", "", text)))]
