"""An imagined target whose words a person struck out or added; its description follows them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.text import excerpt, one_line
from ipcir_tools.types import ImaginedTarget

MOST_WORDS, MOST_CHARS = 40, 200
"""Entries of one list, and characters of one of them."""

_ARTICLE = r"(?:\b(?:an?|the|some|its|his|her|their)\s+)"
_JOINT = r"(?:and|or|with|in|on|of)"
_TIDY = (
    (re.compile(rf"(?:,\s*)?\b({_JOINT})\s*,\s*", re.IGNORECASE), r" \1 "),  # "with , a belt"
    (re.compile(rf"\b({_JOINT})(?:\s+(?:and|or|with))+\b", re.IGNORECASE), r"\1"),  # "with and a belt"
    (re.compile(r"(?:\s*,)+\s*(?=,)"), ""),
    (re.compile(r"\s+,"), ","),
    (re.compile(rf"(?:[\s,]+{_JOINT})+[\s,.]*$|[\s,]+$", re.IGNORECASE), ""),
    (re.compile(r"^[\s,]*(?:(?:and|or|with)\b[\s,]*)*", re.IGNORECASE), ""),
    (re.compile(r"\b(a)(?=\s+[aeio])"), "an"),
    (re.compile(r"\b(an)(?=\s+[^aeiou\s])"), "a"),
    (re.compile(r"\s{2,}"), " "),
)
"""What striking a word leaves behind, and what is made of it, in order."""


def edited_target(
    target: ImaginedTarget, *, keep: Sequence[str], add: Sequence[str], remove: Sequence[str]
) -> ImaginedTarget:
    """The target with these lists in place of its own. A word that is struck out of ``keep`` or ``add``, or new in
    ``remove``, leaves the description, one that is new in ``keep`` or ``add`` joins its end. What is new in one list
    leaves the other side: a word that is to be gone is not kept.

    Raises InvalidRequestError where a word is new on both sides, and where nothing is left to look for.
    """
    lists = {name: _checked(words, name) for name, words in (("keep", keep), ("add", add), ("remove", remove))}
    before = (*target.keep, *target.add)
    fresh = [word for word in (*lists["keep"], *lists["add"]) if not _is_among(word, before)]
    gone = [word for word in lists["remove"] if not _is_among(word, target.remove)]
    if both := [word for word in fresh if _is_among(word, gone)]:
        raise InvalidRequestError(f"{excerpt(both[0])!r} cannot both be there and be gone: name it once.")
    trimmed = {word.casefold(): _trimmed(word, gone) for word in before}
    for name in ("keep", "add"):
        lists[name] = tuple(dict.fromkeys(filter(None, (trimmed.get(word.casefold(), word) for word in lists[name]))))
    lists["remove"] = tuple(word for word in lists["remove"] if not _is_among(word, fresh))
    wanted = (*lists["keep"], *lists["add"])
    struck = [*(word for word in before if (trimmed[word.casefold()] or word) not in wanted), *gone]
    description = target.description
    for word in sorted(struck, key=len, reverse=True):
        description = without_words(description, word)
    description = ", ".join(filter(None, [description, *(word for word in fresh if not _holds(description, word))]))
    if not re.search(r"\w", re.sub(rf"{_ARTICLE}$|^(?:an?|the)$", "", description, flags=re.IGNORECASE)):
        raise InvalidRequestError("Nothing is left to look for: keep or add a word that the picture should show.")
    alternatives = [each for each in target.alternatives if not any(_holds(each, word) for word in struck)]
    return ImaginedTarget(description=description, alternatives=tuple(alternatives), origin="person", **lists)


def _trimmed(words: str, gone: Sequence[str]) -> str:
    """``words`` without what is to be gone, as "blue" of "a blue shirt"; empty where they are about that itself, as
    "short sleeves" are about "sleeves"."""
    for word in gone:
        if re.search(rf"(?<!\w){re.escape(word)}\W*$", words, re.IGNORECASE):
            return ""
        if _holds(words, word):
            words = without_words(words, word)
    return words


def _is_among(word: str, words: Sequence[str]) -> bool:
    return word.casefold() in (each.casefold() for each in words)


def without_words(text: str, words: str) -> str:
    """``text`` without each place of ``words``, and without the article and the commas that belong to it alone."""
    place = rf"(?<!\w){re.escape(words)}(?!\w)"
    whole = rf"{_ARTICLE}?{place}(?=\s*(?:[,.;]|$|\b{_JOINT}\b))"  # nothing follows that the article could belong to
    left = re.sub(place, " ", re.sub(whole, " ", text, flags=re.IGNORECASE), flags=re.IGNORECASE)
    for pattern, instead in _TIDY:
        left = pattern.sub(instead, left)
    return left.strip()


def _holds(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None


def _checked(words: Sequence[str], name: str) -> tuple[str, ...]:
    """The words of a list, each on one line and once. Raises InvalidRequestError."""
    plain = tuple(dict.fromkeys(filter(None, (one_line(word) for word in words))))
    if len(plain) > MOST_WORDS or any(len(word) > MOST_CHARS for word in plain):
        raise InvalidRequestError(f"`{name}` takes {MOST_WORDS} entries of {MOST_CHARS} characters at most.")
    return plain
