"""From a caption and a modification to the imagined target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ipcir_tools.chains.imagination.rules import lexicon
from ipcir_tools.chains.imagination.rules.actions import apply
from ipcir_tools.chains.imagination.rules.caption import Phrase, adjective_slot, parse_caption
from ipcir_tools.chains.imagination.rules.cleaning import clean
from ipcir_tools.chains.imagination.rules.edits import Draft
from ipcir_tools.chains.imagination.rules.grammar import read_edits
from ipcir_tools.chains.imagination.rules.losses import losses
from ipcir_tools.chains.imagination.rules.plain_edit import plain_edit
from ipcir_tools.chains.imagination.rules.pointing import resolve_pointing
from ipcir_tools.chains.imagination.rules.references import as_one_reference
from ipcir_tools.chains.imagination.rules.text import (
    WORD_LIMIT,
    normalise,
    simplify,
    singular,
    strip_determiner,
    words_in,
)
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
    start = previous.description if previous else caption
    if others:
        start, modification = as_one_reference(start, modification, note, others)
    caption_phrase = parse_caption(normalise(start))
    if classify_utterance(modification) != "edit":
        return _as_it_is(modification, caption_phrase, previous)
    plain, original, correction = resolve_pointing(plain_edit(modification), caption_phrase)
    modification_text = normalise(plain_edit(plain))
    draft = Draft(original, original, touched=bool(correction) or not plain.strip(" .,"))
    for edit in read_edits(modification_text, original):
        apply(edit, draft)
    description = _description(draft, modification_text)
    target = ImaginedTarget(
        description=description,
        keep=_keep_list(draft),
        add=_unique([clean(item) for item in draft.add]),
        remove=_remove_list(draft, description, previous),
        alternatives=_alternatives(draft, description),
        origin="rules",
    )
    warnings = [correction] if correction else []
    return RulesResult(target, (*warnings, *losses(draft, description, modification_text, previous)))


def _as_it_is(modification: str, original: Phrase, previous: ImaginedTarget | None) -> RulesResult:
    """The words of what is no edit beside the description as it was."""
    draft = Draft(original, original)
    words = " ".join(modification.split()[:WORD_LIMIT]) if re.search(r"\w", modification) else ""
    description = " ".join(", ".join(part for part in (original.text(), words) if part).split()[:WORD_LIMIT])
    kept = ImaginedTarget(
        description=description or "a picture",
        keep=_keep_list(draft),
        remove=previous.remove if previous else (),
        origin="rules",
    )
    return RulesResult(kept, (f"{quote(modification, SHOWN)} {NO_EDIT}",))


def _description(draft: Draft, modification_text: str) -> str:
    text = clean(draft.phrase.text())
    if not draft.touched or not text:
        text = clean(
            " ".join(part for part in (draft.original.text(), content_words(simplify(modification_text))) if part)
        )
    return text or clean(modification_text) or " ".join(modification_text.split()[:WORD_LIMIT]) or "a picture"


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
