"""The final cleaning of a description: only visible things stay, without repetitions and dangling words."""

from __future__ import annotations

import re
from functools import lru_cache

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.text import (
    WORD_LIMIT,
    base_verb,
    fix_articles,
    gerund,
    is_plural,
    remove_repetitions,
    simplify,
)

_FORBIDDEN = re.compile(
    r"\b(?:instead(?: of)?|rather(?: than)?|without|not|no|remove[sd]?|replace[sd]?|changed?|changes|make|makes|target|"
    r"photograph|less|than|no longer|unlike|reference|simply|possibly|basically|somewhat|exactly|compared to)\b\s*"
)
_ATTRIBUTE = (
    r"(?:breed|size|position|pose|design|style|shape|colou?r|colou?ring|type|kind|angle|brand|species|way|spot|place|"
    r"direction|manner|length|height|thing|product|item)s?"
)
_ALIKE = r"(?:exact )?(?:same|similar|identical)(?: exact)?"
_BEFORE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\b(?:taking|takes|take) (?:a )?(?:picture|photo|image)s?\b", "photographing"),
        (r"\bpictures?(?= frame)", ""),
        (r"\banother(?=$|[,.;]| and )", "a second one"),
        (r"\b(?:instead of|rather than|without) (?:a |an |the |any )?[\w-]+", ""),
        (r"\b(?:in|of|from|to|into|on|for) (?:the |an? )?(?:target )?(?:image|picture|photo|photograph)\b", ""),
        (r"\b(?:in|of|from|to|into|on) (?:the )?target\b", ""),
        (r"\b(?:picture|photo|image)(s?)\b(?: (?=print))?", r"print\1"),
        # absences
        (r",?\s*\b(?:(?:and|which|that|who|with|whose [\w-]+|others?) )*(?:(?:they|we|it|other|he|she) "
         r")?(?:don't|doesn't|"
         r"do not|does not|didn't|can't|cannot|isn't|aren't)\b[^,.;]*", ""),
        (r",?\s*\b(?:(?:and|with|wearing) )*(?:nothing|nobody|never)\b[^,.;]*", ""),
        (r",?\s*\b(?:(?:and|with|but|or|has|have) )*no (?!longer)[^,.;]*?(?=[,.;]|$| and | with | but )", ""),
        # the writer's wishes
        (r"\b(?:the [\w-]+ )?(?:exactly )?(?:what )?i (?:want|need|like|prefer)\b(?: has)?", ""),
        (r"\b(?:should|must|needs? to|has to) (?:be )?(?=\w+ing\b)|\b(?:should|must) be ", ""),
        (r"\b(?:should|must) have\b", "with"),
        (r"\b(?:and )?zoom(?:ed|ing)?(?: in| out)?(?: close)?(?: (?:on|to))?\b", ""),
        (r"\binclud(?:es?|ing)\b", "with"),
        (r"\bnow (?=\w)", ""),
        # comparisons to the reference
        (rf",? ?\b(?:(?:and|but|with|of|in|at|by|from|to|about|almost|looking|facing|is|are|be|the|an?|various,) )*"
         rf"{_ALIKE},? (?:but )?(?:(?:{'|'.join(sorted(lexicon.PARTS))}) )?{_ATTRIBUTE}\b(?: of\b)?", ""),
        (rf"\b(?:(?:in|of|from|at|with|on|for) )+(?:an? |the )?(?:different|another|other|new) (?:{_ATTRIBUTE}|"
         rf"location|setting|"
         r"background|environment|perspective)\b", ""),
        (rf"\b(?:the )?{_ALIKE},?(?: but)? (?=[\w-]+s\b)", ""),
        (rf"\b(?:the|an?) {_ALIKE},?(?: but)? (?=[\w-])", "a "),
        (rf",? ?\b(?:(?:and|but|with|that|is|are|looking|look|looks|almost|appears|to|be|the|about) "
         rf")*{_ALIKE}(?:ly)?\b,?"
         r"(?: but\b)?", ""),
    )
)  # fmt: skip
_AFTER: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\b(?:an?|the) (?=(?:and|or|of|with|to|is|are)\b)", ""),
        (r"\b(?:and|or|of|with),? (?=(?:and|or|of|with)\b)", ""),
        (r",? but (?=with\b)", " "),
        (r",? (?:and|with)(?=,)", ""),
        (r"^(?:(?:and|with|or|of|to|but|is|are|has|,) )+", ""),
        (r"(?:[\s,]+(?:and|with|but|or|of|in|for|from|by|the|an?|to|at|is|are|as|has|taken|(?:and )?colou?r "
         r"is))+\s*$", ""),
        (r",(?:\s*,)+", ","),
        (r"\s+([,.;])", r"\1"),
    )
)  # fmt: skip


@lru_cache(maxsize=1024)
def clean(text: str, limit: int = WORD_LIMIT) -> str:
    """The description without invisible things, at most ``limit`` words."""
    text = simplify(text)
    for pattern, new in _BEFORE:
        text = pattern.sub(new, text)
    text = re.sub(r"\b(?:should|must) ([a-z]+)\b", lambda found: _gerund_of(found.group(1)), text)
    text = re.sub(r"(?<!one )\banother\b", "a", _FORBIDDEN.sub("", text))
    text = re.sub(r"\b(two|three|four|five|several|many|some|both|few|of|all) different\b", r"\1", text)
    text = _DIFFERENT.sub(_article_kept, text)
    text = re.sub(r"\b(?:is |are )?different(?:ly)?\b,?(?: but\b)?", "", text)
    text = remove_repetitions(" ".join(text.split()))
    for pattern, new in _AFTER:
        text = pattern.sub(new, text)
    return fix_articles(" ".join(text.split()[:limit])).strip(" ,.;:'-&/")


_DIFFERENT = re.compile(r"(^|\b(?:with|and|in|of|on|to|has|wearing) )?\b(?:slightly )?(an? )?different (?=(\S+))")


def _article_kept(found: re.Match[str]) -> str:
    """*a different hat* -> *a hat*, *in different hats* -> *in hats*, *a red different hat* -> *a red hat*."""
    before, single, noun = found.groups()
    needs = not is_plural(noun) and (single or before is not None)
    return f"{before or ''}{'a ' if needs else ''}"


def _gerund_of(verb: str) -> str:
    return gerund(verb) if base_verb(verb) else verb
