"""What an imagined target changes of the caption that it was imagined from."""

from __future__ import annotations

from ipcir_tools.chains.imagination.rules.imagine import content_words
from ipcir_tools.chains.imagination.rules.text import singular
from ipcir_tools.types import ImaginedTarget


def completed_caption(caption: str, target: ImaginedTarget) -> str:
    """The caption with what the modification removes, where the captioner left that out.

    A user who writes "without the belt" sees a belt; without it in the caption, caption and description would be the
    same and show no change. Empty for an empty caption.
    """
    seen = _words(caption)
    missing = [item for item in target.remove if not _words(item) <= seen]
    return f"{caption.rstrip(' .')} with {' and '.join(missing)}" if caption and missing else caption


def kept_share(caption: str, target: ImaginedTarget) -> float:
    """The share of the caption's content words that the description still has, 0 to 1; 1 without a caption."""
    words = _words(caption)
    return len(words & _words(target.description)) / len(words) if words else 1.0


def _words(text: str) -> set[str]:
    return {singular(word) for word in content_words(text.lower()).split()}
