"""Words and wordings: tidying what was typed, plain forms, articles, lists, singular and gerund."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from ipcir_tools.rules import lexicon as lx

TEXT_LIMIT = 800
"""Characters of a caption or modification that are read; nobody says more of one picture."""
WORD_LIMIT = 60
"""Words of a description: CLIP reads 77 tokens."""

_LOOKS = "|".join(sorted(lx.COLOURS | lx.PATTERNS | lx.LENGTHS))
_GREY = r"(black and white|greyscale|sepia)"
_SHOT = r"(?:photo|photograph|picture|image|shot)s?"
_SLIPS = {
    "id": "is", "iss": "is", "wit": "with", "wth": "with", "elss": "less", "ligher": "lighter", "bleted": "belted",
    "stripped": "striped", "sleevless": "sleeveless", "sleveless": "sleeveless", "strapts": "straps",
    "colourfull": "colourful", "colorfull": "colorful", "shrot": "short", "lond": "long", "clack": "black",
    "balck": "black", "blak": "black", "whote": "white", "withe": "white", "whit": "white", "patern": "pattern",
    "flroal": "floral", "coffe": "coffee", "backround": "background", "infront": "in front", "srtipes": "stripes",
    "sleves": "sleeves", "sleeeves": "sleeves", "lenght": "length", "darket": "darker", "collered": "collared",
    "streched": "stretched",
}  # fmt: skip
"""Slips of the keys that are no words of their own."""

_WORDINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        # pictures that are a style
        (rf"\b(?:make it |turn it into |as |like |in )?(?:an? |the )?{_GREY} {_SHOT} of (.+)$", r"\2 in \1"),
        (rf"\b(?:make it |turn it into |as |like |in )?(?:an? )?{_GREY} {_SHOT}\b(?! on| of)", r"in \1"),
        # a turn of a dialogue: what was, comes back; a thing more, a thing less
        (r"\b(?:put|bring|add|get|give) ((?:the |a |an |its |his |her )?[\w-]+(?: [\w-]+)?) back(?: (?:on|in))?\b",
         r"add \1"),
        (r"\b(?:(?:let's |let us )?(?:go|going|switch|change|turn|move|come|take|set|make)(?: (?:it|this|that|them))? "
         r"(?:all the way )?back (?:to|into)|(?:revert|return|restore)(?: (?:it|this|that|them))? (?:back )?to|"
         r"back to(?= the [\w-]+ (?:one|version)\b)) "
         r"(?:being )?(?:the )?([\w-]+)(?: (?:one|version))?(?=$|[,.;]| and | but )", r"\1"),
        (r"\btake (?:off|away|out) (?=(?:the|its|his|her|that) )", "remove "),
        (r"\btake ((?:the|its|his|her|that) [\w-]+(?: [\w-]+)?) (?:off|away|out)\b", r"remove \1"),
        (r"^(the [\w-]+) (?:should|must|can|has to) go(?: away)?$", r"remove \1"),
        (r"^(?:and|and also|also|plus) ((?:an?|some|two|three) [\w-]+(?: [\w-]+)?)$", r"add \1"),
        (r"^((?:an?|some|two|three) [\w-]+(?: [\w-]+)?) (?:too|as well|also)$", r"add \1"),
        # what is asked for without saying how
        (r"\b(?:in )?any(?:thing)?(?: (?!other)[\w-]+)? (?:but|besides|other than|except(?: for)?) ", "without "),
        (r"\b(?:similar(?:ly)?|same|different(?:ly)?)[- ](?:sized|colou?red|shaped|looking|styled)"
            r"(?: and (?:sized|colou?red|shaped))*\b",
            "similar",
        ),
        (r"\bthere (?:is|are) an addition of\b", "add"),
        (r"\bmore (?:number|amount)s? of\b", "more"),
        (r"\s+in general\b", ""),
        (r"\bone another\b", "each other"),
        (r",?\s*\b(?:but )?(?:in |with |from )?(?:an? )?(?:different|another|new) (?:pose|position|angle|location|"
         r"setting|scene)(?= (?:on|in|at|with|and|lying|sitting|standing)\b)", ""),
        (r"\bthat (?:has|have) ", "with "),
        # stops left out
        (rf"\b({_LOOKS}) (?=(?:no|has|have|add|make|remove)\b)", r"\1, "),
        (rf"\bits (?=(?:{_LOOKS})(?:$|[,.]| and | has | with ))", "it is "),
        # clothes
        (r"\b(?:more )?(?:body|form|figure)?[- ]?hugging(?=$|,| and )", "form-fitting"),
        (r"\b(one|single)[- ](shoulder|sleev)(?:ed?)?\b(?! (?:is|has|strap))", r"one-\2ed"),
        (r"\b(?:tee|t|tea)[- ]?shirt", "t-shirt"),
        (r"\b(v|crew|scoop|u|boat|cowl)[- ]?neck(?:line)?\b(?!ed)", r"\1-neck"),
        (r"\bturtle[- ]neck", "turtleneck"),
        (r"\bpolka[- ]dot(s|ted)?\b", r"polka-dot\1"),
        (r"\bzig[- ]zag", "zigzag"),
        (r"\b(knee|floor|ankle|mid|calf|thigh|medium)[- ]length\b", r"\1-length"),
        (r"\b(?<!one )(long|short|half|cap)(?:er)?[- ]+sleeved?\b", r"\1-sleeved"),
        (r"\b(long|short|half|cap)-sleeves\b", r"\1 sleeves"),
        (r"\b(?:remove|delete|erase) (?:all|everything)(?: of)?(?: the)?(?: \w+)? (?:but|except(?: for)?|apart "
        r"from) ", "only "),
        (r"\b(?:instead|rather) (?=(?:a|an|the|[a-z]+ing)\b)", "instead of "),
        (r"\bmore of an? ", "more "),
        (r"\b(?:shade|tone|hue|version)s? of (?=\w)", ""),
        (r"\b(round|square) neckline\b", r"\1 neck"),
        (r"\bmore (?:sun|day)?light\b", "bright light"),
        (
            r"^(?:is |are )?not ((?:an? |the )?[\w-]+),? but (?:rather )?((?:an? |the )?[\w-]+)(?=$|[,.;])",
            r"\2 instead of \1",
        ),
        (r"\b(?:the |this )?(?:image|photo|picture) is (?:brighter|lighter)\b", "seen in bright light"),
        (r"\b(?:the |this )?(?:image|photo|picture) is darker\b", "seen in dim light"),
        (r"\bsleeve[- ]less\b", "sleeveless"),
        (r"\bsee[- ]?through\b", "see-through"),
        (r"\boff[- ](?:the[- ])?shoulder", "off-the-shoulder"),
        (r"\b(form|tight|loose)[- ]?fit(?:ting|ted)\b", r"\1-fitting"),
        (r"\b(form|tight|loose)[- ]?(?:er )?fitting\b", r"\1-fitting"),
        (r"\b(leopard|animal|zebra)[- ]print(?:ed)?\b", r"\1-print"),
        (r"\bmulti[- ]?colou?r(?:ed|s)?\b", "multicolored"),
        (r"\btie[- ]dye", "tie-dye"),
        (r"\bhot dog", "hot-dog"),
        (r"\bfit (?:and|n) flare\b", "fit-and-flare"),
        (r"\bclose[- ]?up\b", "close-up"),
        (r"\bgr[ae]y[- ]?scale\b", "greyscale"),
        (
            r"\b(?:doesn't|does not|do not|don't|didn't|shouldn't|should not|must not) (?:have|show|include|contain)\b",
            "without",
        ),
        (r"\b(?:no longer|not) (?:has|have|having|wearing|with|showing)\b", "without"),
        (r"\bno longer\b", "not"),
        (r"\b(?:has|have|having|with|shows|show|showing|contains|wearing) (?:no|not any|zero|neither)\b", "without"),
        (r"\b(?:isn't|aren't|wasn't|ain't)\b", "is not"),
        (r"\b(?:it's|its) (?=(?:a|an|the|now|more|less|not|in|been)\b)", "it is "),
        (r"\bthey're\b", "they are"),
        (r"\b(he|she|it|there|that)'s\b", r"\1 is"),
        (r"\b(?:rather|instead) (?:than|of|then)?\s*(?:just |only |to )?"
         r"(?:making|showing|making it|make|to make)(?: (?:with|it|of|in|on))?\b", "instead of"),
        (r"\brather (?:than|then|of|with|on|in)\b", "instead of"),
        (r"\binstead (?:than|with|on)\b", "instead of"),
        (r"\bin (?:place|lieu) of\b", "instead of"),
        (r"\bas opposed to\b", "instead of"),
        (r"\b(?:excluding|except(?:ing)?|apart from|leaving out|minus|lacking|missing (?=the|a\b|any))\b", "without"),
        (r"\bhave to\b", "must"),
    )
)  # fmt: skip


def tidy(text: str) -> str:
    """Lower case, plain quotes and spaces, no emoji, wordings made one, no longer than ``TEXT_LIMIT``."""
    head = unicodedata.normalize("NFKC", text[: 2 * TEXT_LIMIT])[:TEXT_LIMIT].lower()
    head = re.sub(r"[\u2018\u2019`\u00b4]", "'", head)
    head = re.sub(r"[\u201c\u201d\"()\[\]{}<>*_#|\\]", " ", head)
    head = "".join(" " if unicodedata.category(char) in ("So", "Sk", "Cf") else char for char in head)
    head = re.sub(r"\s*[-\u2013\u2014]{1,2}\s+|\s+[-\u2013\u2014]{1,2}\s*", ", ", head)
    head = re.sub(r"(?<=[a-z])/(?=[a-z])", " and ", head).replace("&", " and ")
    head = re.sub(r"\s+([,.;:!?])", r"\1", " ".join(head.split()))
    head = re.sub(r"[a-z]+", lambda found: _SLIPS.get(found.group(), found.group()), head)
    head = re.sub(r"(?<![\w/.'-])\d{1,2}(?= [a-z])", _in_words, head)
    for pattern, new in _WORDINGS:
        head = pattern.sub(new, head)
    return " ".join(head.split())


def _in_words(found: re.Match[str]) -> str:
    return lx.NUMBER_WORDS.get(int(found.group()), found.group())


def words_of(text: str) -> list[str]:
    """The bare words of a text."""
    return re.findall(r"[^\W_]+(?:[-'&][^\W_]+)*", text)


def singular(noun: str) -> str:
    """The singular of a noun, near enough to compare by."""
    if noun in lx.IRREGULAR_PLURALS:
        return lx.IRREGULAR_PLURALS[noun]
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses", "zzes", "oes")):
        return noun[:-2]
    if noun.endswith("s") and not noun.endswith(("ss", "us", "is")) and len(noun) > 3:
        return noun[:-1]
    return noun


def plural(noun: str) -> str:
    """The plural of a noun; a plural stays as it is."""
    if singular(noun) != noun or noun in lx.PLURAL_ONLY:
        return noun
    for many, one in lx.IRREGULAR_PLURALS.items():
        if one == noun:
            return many
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh", "z")) else "s")


def is_plural(noun: str) -> bool:
    """Whether a noun stands in the plural."""
    return noun in lx.PLURAL_ONLY or (singular(noun) != noun) or noun in ("stairs", "clothes")


def gerund(verb: str) -> str:
    """``sit``, ``sits`` -> ``sitting``."""
    base = base_verb(verb) or verb
    if base in ("lie", "die", "tie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        return base[:-1] + "ing"
    return base + (base[-1] if base in lx.DOUBLING else "") + "ing"


def base_verb(word: str) -> str:
    """The base of a known verb in its base or third-person form; empty for another word."""
    for form in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"):
        if form in lx.VERBS:
            return form
    return ""


def is_gerund(word: str) -> bool:
    """Whether a word is a verb in ``-ing``."""
    return word.endswith("ing") and len(word) > 4 and word not in lx.NOUNS_IN_ING


def article(phrase: str) -> str:
    """``a`` or ``an``, by the first sound."""
    first = phrase[:1]
    if phrase.startswith(("uni", "use", "euro", "one", "u-", "u ", "usb", "ut")) or phrase == "u":
        return "a"
    return "an" if first in tuple("aeiou") or phrase.startswith(("hour", "honest")) else "a"


def mend_articles(text: str) -> str:
    """``a orange skirt`` -> ``an orange skirt``; one article where two met."""
    text = re.sub(r"\b(?:a|an|the) (?=(?:a|an|the) )", "", text)
    return re.sub(r"\ban? (?=([a-z][\w-]*))", lambda found: article(found.group(1)) + " ", text)


def listed(items: Iterable[str]) -> str:
    """An English list: ``a, b and c``."""
    parts = [item for item in items if item]
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def bare(phrase: str) -> str:
    """A noun phrase without its article or possessive."""
    return re.sub(r"^(?:(?:a|an|the|any|its|his|her|their|this|that|these|those|of|all|some) )+", "", phrase).strip(
        " ,."
    )


_SOFTENERS = re.compile(
    r"\b(?:much|slightly|a bit|a little(?: bit)?|a lot|way|somewhat|even|far|very|really|quite|rather|just a|"
    r"noticeably|"
    r"kind of|sort of|overall|a tad|significantly|bit|relatively|a touch|lot)\s+(?=(?:more|less|too|fewer|\w+er)\b)"
)


def plain(text: str) -> str:
    """Comparatives in their plain form: ``more flowy`` -> ``flowy``, ``darker red`` -> ``dark red``, ``less formal`` ->
    ``casual``; what follows "than" goes."""
    text = re.sub(r"\b(?:than|compared to|in comparison (?:to|with))\b[^,.;]*", "", text)
    out: list[str] = []
    words = _SOFTENERS.sub("", text).split()
    for i, token in enumerate(words):
        word = token.strip(",.;")
        following = words[i + 1].strip(",.;") if i + 1 < len(words) else ""
        out.append(_plain_word(token, word, following, out))
    return " ".join(" ".join(out).split())


def _plain_word(token: str, word: str, following: str, before: list[str]) -> str:
    if before and before[-1] == "less" and word:
        before.pop()
        base = lx.COMPARATIVES.get(word, word)
        return token.replace(word, lx.OPPOSITES.get(base, "few " + word if is_plural(word) else ""))
    if word in ("more", "most") and before and before[-1] in lx.NUMBERS:
        return ""
    if word in ("more", "most"):
        many = is_plural(following) and following not in lx.PLURAL_ONLY - {"people", "men", "women", "children"}
        return "many" if many else token.replace(word, "")
    if word in ("fewer", "lesser"):
        return "few"
    if word == "less":
        return "less" if following else ""
    return token.replace(word, lx.COMPARATIVES[word]) if word in lx.COMPARATIVES else token
