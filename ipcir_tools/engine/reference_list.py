"""One reference or a few, each with an optional note on what is meant of it: "the pattern of A on the cut of B".

A program writes ``[photo, (other, "its collar")]``; what comes as JSON, ``[ID, {"reference": ID, "note": "its
collar"}]``. Both are understood everywhere, and a single reference needs no list.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipcir_tools.bounds import MAX_REFERENCES
from ipcir_tools.engine.reference_words import Reference
from ipcir_tools.engine.validation import checked_note
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import NotedReference

Item = Reference | tuple[Reference, str] | Mapping[str, Any] | NotedReference
"""A reference, with a note where it is written as ``(reference, note)`` or ``{"reference": ..., "note": ...}``, or as
an earlier turn has it."""

References = Reference | Mapping[str, Any] | Sequence[Item]
"""A reference, or a list of up to :data:`MAX_REFERENCES`."""

_FIELDS = {"reference", "note"}
_OWNER = re.compile(r"^(?:its|the|their|his|her)\s+", re.IGNORECASE)
_ORDINALS = ("first", "second", "third", "fourth")


@dataclass(frozen=True)
class NamedReference:
    """A reference as a caller names it, and what is meant of it; an empty note: the picture as a whole."""

    picture: Reference
    note: str = ""


def named_references(references: References) -> tuple[NamedReference, ...]:
    """The references one by one, in order, with their notes.

    Raises InvalidRequestError for none or too many of them, and for a note that is too long or no text.
    """
    if not isinstance(references, Sequence) or isinstance(references, str | bytes):
        references = [references]
    if not references:
        raise InvalidRequestError(f"The list of references is empty: name 1 to {MAX_REFERENCES} pictures.")
    if len(references) > MAX_REFERENCES:
        raise InvalidRequestError(
            f"A search starts from {MAX_REFERENCES} references at most, not {len(references)}: name fewer."
        )
    return tuple(map(_named, references))


def _named(item: Item) -> NamedReference:
    if isinstance(item, NotedReference):
        return NamedReference(item.id, item.note)
    if isinstance(item, Mapping):
        if "reference" not in item or set(item) - _FIELDS:
            raise InvalidRequestError(
                'A reference with a note is {"reference": ..., "note": ...}, not an object with other fields.'
            )
        return NamedReference(item["reference"], checked_note(item.get("note") or ""))
    if isinstance(item, tuple | list):
        if len(item) != 2:
            raise InvalidRequestError(
                f"A reference with a note is a pair (reference, note), not a {type(item).__name__} of {len(item)}."
            )
        return NamedReference(item[0], checked_note(item[1]))
    return NamedReference(item)  # of a wrong type: refused where it is opened, as a single one is


def check_different(references: Sequence[NotedReference]) -> None:
    """Raises InvalidRequestError where one picture is there twice."""
    ids = [each.id for each in references]
    if twice := [id_ for id_ in ids if ids.count(id_) > 1]:
        raise InvalidRequestError(
            f"{twice[0]} is named twice among the references: name it once, with one note for all that is meant of it."
        )


def plain_note(note: str) -> str:
    """The note as it is said beside the name of the picture: "the collar" of "its collar"."""
    return _OWNER.sub("the ", note, count=1)


def words_of_notes(references: Sequence[NotedReference], before: Collection[NotedReference] = ()) -> str:
    """The notes as a modification, where no other is given: ``with the collar of the second picture``.

    Those of the references ``before`` were heard already. Empty where no other reference has a note.
    """
    names = [f"the {nth} picture" for nth in _ORDINALS] if len(references) > 1 else ["the picture"]
    parts = [
        f"{plain_note(each.note)} of {name}"
        for each, name in zip(references, names, strict=False)
        if each.note and each not in before
    ]
    return f"with {' and '.join(parts)}" if parts else ""
