"""Setting the number of things in a draft."""

from __future__ import annotations

from dataclasses import replace

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.caption import Phrase, head_noun
from ipcir_tools.chains.imagination.rules.edits import Count, Draft, Edit
from ipcir_tools.chains.imagination.rules.nouns import swap_in_tail
from ipcir_tools.chains.imagination.rules.phrases import known_number, mentions, same_kind, same_noun, with_count
from ipcir_tools.chains.imagination.rules.text import is_gerund, plural, singular, strip_determiner


def set_count(edit: Edit, draft: Draft) -> None:
    """Set the number of the main thing or of another thing in the caption."""
    phrase = draft.phrase
    if edit.text in ("fewer", "less", "few") and phrase.lead in ("two", "three"):
        edit = Count("-1", edit.of)
    number = {
        "1": "one",
        "more": "several",
        "a single": "one",
        "fewer": "few",
        "less": "few",
        "a": "one",
        "an": "one",
        "the": "a",
        "single": "one",
    }.get(edit.text, edit.text)
    if number.isdigit():
        number = lexicon.NUMBER_WORDS.get(int(number), number)
    noun = head_noun(edit.of) if edit.of else ""
    if noun and number != "no" and not same_noun(noun, phrase.noun) and mentions(phrase, noun):
        _count_beside(number, noun, draft)
        return
    if number in _TIMES:
        number = _product(phrase, *_TIMES[number])
    if number[:1] in "+-" and number[1:].isdigit():
        number = _sum(phrase, int(number))
    if edit.of and not same_kind(head_noun(edit.of), phrase.noun):
        one = number in ("one", "a")
        noun = singular(strip_determiner(edit.of)) if one else plural(strip_determiner(edit.of))
        swap_in_tail(strip_determiner(edit.of), head_noun(edit.of), f"{number} {noun}", draft)
        return
    if number == "no":
        draft.note_removed(phrase.noun)
        return
    if edit.of and same_kind(edit.of, phrase.noun) and singular(edit.of) not in ("animal", "person", "thing"):
        phrase = replace(phrase, noun=head_noun(edit.of))
    draft.phrase = with_count(phrase, number)
    draft.note_added(f"{number} {draft.phrase.noun}")


def _count_beside(number: str, noun: str, draft: Draft) -> None:
    """Set the number of another thing: *two chairs* for "a table with a chair"."""
    phrase = draft.phrase
    for i, item in enumerate((*phrase.features, *phrase.tail)):
        words = item.split()
        at = next((j for j, word in enumerate(words) if same_noun(word.strip(",.;"), noun)), None)
        if at is None:
            continue
        start = at
        while (
            start
            and words[start - 1] not in lexicon.DETERMINERS | lexicon.PREPOSITIONS
            and not is_gerund(words[start - 1])
        ):
            start -= 1
        begin = start - (start > 0 and words[start - 1] in lexicon.DETERMINERS)
        inner = Phrase(lead=" ".join(words[begin:start]), noun=words[at])
        total = _sum(inner, int(number)) if number[:1] in "+-" else "a few" if number == "few" else number
        one = total in ("one", "a")
        new = " ".join((*words[:begin], total, *words[start:at], singular(words[at]) if one else plural(words[at])))
        new = " ".join((new, *words[at + 1 :]))
        n = len(phrase.features)
        everything = [*phrase.features, *phrase.tail]
        everything[i] = new
        draft.phrase = replace(phrase, features=tuple(everything[:n]), tail=tuple(everything[n:]))
        draft.note_added(f"{total} {noun}")
        return


_TIMES = {"half": (0.5, "few"), "twice": (2, "several"), "double": (2, "several")}
"""Factors, and the word to use where the number before is not known."""


def _product(phrase: Phrase, factor: float, unknown: str) -> str:
    known = known_number(phrase)
    return lexicon.NUMBER_WORDS.get(round(known * factor), unknown) if known else unknown


def _sum(phrase: Phrase, change: int) -> str:
    known = known_number(phrase)
    total = known + change
    if known and total <= 0:  # the caption names fewer than there are
        return "" if known > 1 else "one"
    return lexicon.NUMBER_WORDS.get(total, "several") if known else "several" if change > 0 else "one"
