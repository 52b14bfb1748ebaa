"""Operations on words: normalising the input, simple forms, articles, lists, singular and gerund."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.rewrites import REWRITES, TYPOS

TEXT_LIMIT = 800
"""Characters of a caption or a modification that are read; the rest is ignored."""
WORD_LIMIT = 60
"""Words of a description: CLIP reads 77 tokens."""


@lru_cache(maxsize=1024)
def normalise(text: str) -> str:
    """Lower case, ASCII quotes and single spaces, no emoji, rewritten, at most ``TEXT_LIMIT`` characters."""
    head = unicodedata.normalize("NFKC", text[: 2 * TEXT_LIMIT])[:TEXT_LIMIT].lower()
    head = re.sub(r"[\u2018\u2019`\u00b4]", "'", head)
    head = re.sub(r"[\u201c\u201d\"()\[\]{}<>*_#|\\]", " ", head)
    head = "".join(" " if unicodedata.category(char) in ("So", "Sk", "Cf") else char for char in head)
    head = re.sub(r"\s*[-\u2013\u2014]{1,2}\s+|\s+[-\u2013\u2014]{1,2}\s*", ", ", head)
    head = re.sub(r"(?<=[a-z]{2})/(?=[a-z]{2})", " and ", head).replace("&", " and ")
    head = re.sub(r"\s+([,.;:!?])", r"\1", " ".join(head.split()))
    head = re.sub(r"[a-z]+", lambda found: TYPOS.get(found.group(), found.group()), head)
    head = re.sub(r"(?<![\w/.'-])\d{1,2}(?= [a-z])(?<!number \d)(?<!number \d\d)", _in_words, head)
    for pattern, new in REWRITES:
        head = pattern.sub(new, head)
    return remove_repetitions(" ".join(head.split()))


def remove_repetitions(text: str) -> str:
    """A text without repeated words and repeated conjunctions."""
    text = re.sub(r"\b([a-z][\w'-]*)(?:,? (?:and )?\1\b(?![\w'-]))+", r"\1", text)
    return re.sub(r"\b(and|with|is|are),? (?:and|but|or)\b,?", r"\1", text)


def _in_words(found: re.Match[str]) -> str:
    return lexicon.NUMBER_WORDS.get(int(found.group()), found.group())


def contains_words(text: str, words: str) -> bool:
    """Whether a text contains the words, complete and in that order."""
    return f" {words} " in f" {re.sub('[,.;]', ' ', text)} "


def words_in(text: str) -> list[str]:
    """The words of a text without punctuation."""
    return re.findall(r"[^\W_]+(?:[-'&][^\W_]+)*", text)


@lru_cache(maxsize=8192)
def singular(noun: str) -> str:
    """The singular of a noun, good enough for comparisons."""
    if noun in lexicon.IRREGULAR_PLURALS:
        return lexicon.IRREGULAR_PLURALS[noun]
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses", "zzes", "oes")):
        return noun[:-2]
    if (
        noun.endswith("s")
        and not noun.endswith(("ss", "us", "is"))
        and (len(noun) > 3 or re.match("[^aeiou]{2}s", noun))
    ):
        return noun[:-1]
    return noun


def plural(noun: str) -> str:
    """The plural of a noun; a plural stays as it is."""
    if singular(noun) != noun or noun in lexicon.PLURAL_ONLY:
        return noun
    for many, one in lexicon.IRREGULAR_PLURALS.items():
        if one == noun:
            return many
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh", "z")) else "s")


def is_plural(noun: str) -> bool:
    """Whether a noun is in the plural."""
    return noun in lexicon.PLURAL_ONLY or (singular(noun) != noun) or noun in ("stairs", "clothes")


def gerund(verb: str) -> str:
    """``sit``, ``sits`` -> ``sitting``."""
    base = base_verb(verb) or verb
    if base in ("lie", "die", "tie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith(("ee", "oe", "ye")):
        return base[:-1] + "ing"
    return base + (base[-1] if base in lexicon.DOUBLING else "") + "ing"


def base_verb(word: str) -> str:
    """The base of a known verb in its base or third-person form; empty for another word."""
    for form in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"):
        if form in lexicon.VERBS:
            return form
    return ""


def is_gerund(word: str) -> bool:
    """Whether a word is a verb in ``-ing``."""
    return word.endswith("ing") and len(word) > 4 and word not in lexicon.NOUNS_IN_ING


def article(phrase: str) -> str:
    """``a`` or ``an``, by the first sound."""
    first = phrase[:1]
    if phrase.startswith(("uni", "use", "euro", "one", "u-", "u ", "usb", "ut")) or phrase == "u":
        return "a"
    return "an" if first in tuple("aeiou") or phrase.startswith(("hour", "honest")) else "a"


def fix_articles(text: str) -> str:
    """``a orange skirt`` -> ``an orange skirt``; one article where there were two."""
    text = re.sub(r"\b(?:a|an|the) (?=(?:a|an|the) )", "", text)
    return re.sub(r"\ban? (?=([a-z][\w-]*))", lambda found: article(found.group(1)) + " ", text)


def join_list(items: Iterable[str]) -> str:
    """An English list: ``a, b and c``."""
    parts = [item for item in items if item]
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def strip_determiner(phrase: str) -> str:
    """A noun phrase without its article or possessive."""
    return re.sub(r"^(?:(?:a|an|the|any|its|his|her|their|this|that|these|those|of|all|some) )+", "", phrase).strip(
        " ,."
    )


_SOFTENERS = re.compile(
    r"\b(?:much|slightly|a bit|a little(?: bit)?|a lot|way|somewhat|even|far|very|really|quite|rather|just a|"
    r"noticeably|"
    r"kind of|sort of|overall|a tad|significantly|bit|relatively|a touch|lot)\s+(?=(?:more|less|too|fewer|\w+er)\b)"
)


@lru_cache(maxsize=1024)
def simplify(text: str) -> str:
    """The text with comparatives in their positive form, and without the part after "than".

    ``more flowy`` -> ``flowy``, ``darker red`` -> ``dark red``, ``less formal`` -> ``casual``.
    """
    text = re.sub(
        r"\b(?:than|compared to|in comparison (?:to|with))\b(?:(?! (?:with|on|posed|in|and) "
        r")[^,.;])*",
        "",
        text,
    )
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
        base = lexicon.COMPARATIVES.get(word, word)
        return token.replace(word, lexicon.OPPOSITES.get(base, "few " + word if is_plural(word) else ""))
    if (
        word in ("more", "most")
        and before
        and before[-1] in lexicon.NUMBERS.keys() | {"several", "many", "some", "few"}
    ):
        return ""
    if word in ("more", "most"):
        many = is_plural(following) and following not in lexicon.PLURAL_ONLY - {"people", "men", "women", "children"}
        return "many" if many else token.replace(word, "")
    if word in ("fewer", "lesser"):
        return "few"
    if word == "less":
        return "less" if following else ""
    return token.replace(word, lexicon.COMPARATIVES[word]) if word in lexicon.COMPARATIVES else token
