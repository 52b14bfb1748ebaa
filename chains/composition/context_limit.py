"""Texts beyond what the encoder reads: what was changed comes first, and what is left out is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ipcir_tools.composers import Part
from ipcir_tools.types import ImaginedTarget

WordsLeftOut = Callable[[str], int]
"""How many words at the end of a text the encoder does not read."""

_NAMES: tuple[tuple[Part, str], ...] = (
    ("imagined", "the description"),
    ("modification", "your words"),
    ("edits", "the description"),
    ("caption", "the caption"),
    ("captions", "a caption"),
    ("before", "the caption"),
)
"""What a user sees of each part, the most important one first."""


def fitted(text: str, target: ImaginedTarget | None, left_out: WordsLeftOut) -> str:
    """The text to encode: of a description that is too long what was added first; any other text as it is."""
    if target is None or text != target.description or not target.add or not left_out(text):
        return text
    return ", ".join([*target.add, text])


def cut_warnings(texts: Mapping[Part, Sequence[str]], left_out: WordsLeftOut) -> tuple[str, ...]:
    """One warning about the texts of a request that the encoder does not read to their end; none where it does."""
    for part, name in _NAMES:
        if n := max(map(left_out, texts.get(part, ())), default=0):
            are, were = "are" if part == "modification" else "is", "words were" if n > 1 else "word was"
            return (f"{name} {are} longer than the encoder reads: the last {n} {were} left out",)
    return ()
