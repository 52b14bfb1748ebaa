"""From a caption and a modification to the imagined target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.actions import apply
from ipcir_tools.chains.imagination.rules.caption import Phrase, adjective_slot, parse_caption
from ipcir_tools.chains.imagination.rules.cleaning import clean
from ipcir_tools.chains.imagination.rules.edits import Draft, Edit
from ipcir_tools.chains.imagination.rules.grammar import read_edits
from ipcir_tools.chains.imagination.rules.losses import losses
from ipcir_tools.chains.imagination.rules.plain_edit import plain_edit
from ipcir_tools.chains.imagination.rules.pointing import resolve_pointing
from ipcir_tools.chains.imagination.rules.references import as_one_reference
from ipcir_tools.chains.imagination.rules.text import (
    TEXT_LIMIT,
    WORD_LIMIT,
    normalise,
    simplify,
    singular,
    strip_determiner,
    words_in,
)
from ipcir_tools.chains.imagination.rules.unknown import not_understood, unknown_looks, unknown_words
from ipcir_tools.chains.imagination.rules.utterances import classify_utterance
from ipcir_tools.text import quote
from ipcir_tools.types import ImaginedTarget

NO_EDIT = "does not read as an edit: searched with the words as they are"
SHOWN = 80
"""Characters of a modification in a warning."""


def imagine_by_rules(
    caption: str,
    modification: str,
    previous: ImaginedTarget | None = None,
    *,
    note: str = "",
    others: Sequence[tuple[str, str]] = (),
) -> ImaginedTarget:
    """The target of :func:`imagine_with_warnings` alone."""
    return imagine_with_warnings(caption, modification, previous, note=note, others=others).target


@dataclass(frozen=True)
class RulesResult:
    """An imagined target, and what the user should know of how the rules made it."""

    target: ImaginedTarget
    warnings: tuple[str, ...] = ()
    """What was replaced, dropped or not understood; each once, without a full stop."""


def imagine_with_warnings(
    caption: str,
    modification: str,
    previous: ImaginedTarget | None = None,
    *,
    note: str = "",
    others: Sequence[tuple[str, str]] = (),
) -> RulesResult:
    """The imagined target of a modification, by rules.

    ``caption`` describes the reference. With ``previous``, the imagination of the turn before, its description is
    edited instead, and its ``remove`` stays in force except for things that are added again. ``others`` are (caption,
    note) of further references, and ``note`` what is meant of the first. Absences are in ``remove`` only; the
    description has at most 60 words and is never empty. A pure function that never raises.
    """
    return _imagined(caption, modification, previous, note, tuple((text, noted) for text, noted in others))


@lru_cache(maxsize=256)
def _imagined(
    caption: str, modification: str, previous: ImaginedTarget | None, note: str, others: tuple[tuple[str, str], ...]
) -> RulesResult:
    start = previous.description if previous else caption
    if others:
        start, modification = as_one_reference(start, modification, note, others)
    caption_phrase = parse_caption(normalise(start))
    if classify_utterance(modification) != "edit":
        return _as_it_is(modification, caption_phrase, previous, f"{quote(modification, SHOWN)} {NO_EDIT}")
    unknown = unknown_words(modification)
    if unknown.whole:
        return _as_it_is(modification, caption_phrase, previous, not_understood(modification))
    plain, original, correction = resolve_pointing(plain_edit(modification), caption_phrase)
    modification_text = normalise(plain_edit(plain))
    draft = Draft(original, original, touched=bool(correction) or not plain.strip(" .,"))
    edits = read_edits(modification_text, original)
    for edit in edits:
        apply(edit, draft)
    whole = _description(draft, modification_text)
    described = _shortened(whole, draft.add)
    description = _with_words([word for word in unknown.words if word not in described], described)
    add = _unique([clean(item) for item in draft.add])
    target = ImaginedTarget(
        description=description,
        keep=tuple(item for item in _keep_list(draft) if item not in add),  # the reference need not have shown it
        add=add,
        remove=_remove_list(draft, description, previous),
        alternatives=_alternatives(draft, description),
        origin="rules",
    )
    warnings = [correction] if correction else []
    warnings += _left_out(whole, modification)
    warnings += _not_understood(unknown.words, edits, modification_text, draft)
    return RulesResult(target, (*warnings, *losses(draft, description, modification_text, previous)))


def _as_it_is(modification: str, original: Phrase, previous: ImaginedTarget | None, warning: str) -> RulesResult:
    """The words of a modification beside the description as it was."""
    words = modification.split()[:WORD_LIMIT] if re.search(r"\w", modification) else []
    target = ImaginedTarget(
        description=_with_words(words, original.text()) or "a picture",
        keep=_keep_list(Draft(original, original)),
        remove=previous.remove if previous else (),
        origin="rules",
    )
    return RulesResult(target, (warning,))


def _with_words(words: Sequence[str], description: str) -> str:
    """The description with words after it, all of them; what is too long is cut from the description."""
    start = " ".join(description.split()[: WORD_LIMIT - len(words)]) if words else description
    return ", ".join(part for part in (start, " ".join(words)) if part)


def _not_understood(unknown: Sequence[str], edits: list[Edit], modification_text: str, draft: Draft) -> list[str]:
    """The warning about words that changed nothing, or that no rule knows."""
    nothing = not draft.touched and content_words(simplify(modification_text))
    words = nothing or " ".join(dict.fromkeys([*unknown, *unknown_looks(edits)]))
    return [not_understood(words)] if words else []


def _description(draft: Draft, modification_text: str) -> str:
    """The whole description, of any length."""
    text = clean(draft.phrase.text(), TEXT_LIMIT)
    if not draft.touched or not text:
        words = content_words(simplify(modification_text))
        text = clean(" ".join(part for part in (draft.original.text(), words) if part), TEXT_LIMIT)
    return text or clean(modification_text) or " ".join(modification_text.split()) or "a picture"


def _shortened(description: str, added: Sequence[str]) -> str:
    """At most ``WORD_LIMIT`` words of a description; what was added comes first where it would be left out."""
    start = " ".join(description.split()[:WORD_LIMIT])
    missing = [item for item in map(clean, added) if item and item not in start] if start != description else []
    return " ".join(", ".join([*missing, description]).split()[:WORD_LIMIT]).strip(" ,.;:'-&/")


def _left_out(description: str, modification: str) -> list[str]:
    """The warning about words that are beyond the limits of the rules."""
    unread = len(modification.split()) - len(modification[:TEXT_LIMIT].split())
    n = max(len(description.split()) - WORD_LIMIT, 0) + unread
    return [f"the rules describe a target in {WORD_LIMIT} words at most: {n} were left out"] if n else []


def _keep_list(draft: Draft) -> tuple[str, ...]:
    """What the text asks to keep, or else the parts of the caption that remain."""
    old, new = draft.original, draft.phrase
    if draft.keep or draft.rewritten:
        return _unique(draft.keep)
    same = [adjective for adjective in old.adjectives if adjective in new.adjectives]
    same += [old.noun] if old.noun == new.noun else []
    return _unique([*same, *(strip_determiner(item) for item in old.features if item in new.features)])


def _remove_list(draft: Draft, description: str, previous: ImaginedTarget | None) -> tuple[str, ...]:
    """What must not be visible, of this turn and those before, except for what the description names."""
    before = previous.remove if previous else ()
    shown = {singular(word.strip(",.;")) for word in description.split()}

    def back(item: str) -> bool:
        words = [singular(word) for word in item.split()]
        return (
            bool(words)
            and all(word in shown for word in words)
            and f" {item} " in f" {' '.join(description.replace(',', ' ').split())} "
        )

    return _unique([item for item in (*before, *draft.remove) if not back(item)])


def _alternatives(draft: Draft, description: str) -> tuple[str, ...]:
    """The short form: the main thing with its colour, pattern and material."""
    phrase = draft.phrase
    if not phrase.noun or not (phrase.features or phrase.tail):
        return ()
    adjectives = tuple(
        adjective
        for adjective in phrase.adjectives
        if adjective_slot(adjective) in ("colour", "pattern", "material", "length", "sleeves", "")
    )
    short = clean(Phrase(phrase.lead, adjectives, phrase.noun).text())
    return (short,) if short and short != description else ()


def _unique(items: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip(" ,.;") for item in items if item.strip(" ,.;")))


_FUNCTION_WORDS = lexicon.STOPS | lexicon.PREPOSITIONS | lexicon.DETERMINERS | lexicon.GENERIC


def content_words(text: str) -> str:
    """The content words of a text, for a text that no rule can read."""
    return " ".join(word for word in words_in(text) if word not in _FUNCTION_WORDS)
