"""What a prompt says by itself, to tell a reply that copies its example or its instructions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ipcir_tools.llm.reply_text import json_objects, unwrap
from ipcir_tools.prompts import Prompt

MIN_WORDS = 4
"""Words of a text that can be a copy: fewer stand in some prompt by chance."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation, hyphens and underscores."""
    return _WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


class PromptText:
    """A prompt's sections without the values of its variables, and the texts of its reply schema.

    Works for every prompt, a user's own too: nothing in a prompt file has to mark its examples.
    """

    def __init__(self, prompt: Prompt) -> None:
        sections = [(role, template.format_map(defaultdict(str))) for role, template in prompt.sections]
        objects = [value for _, text in sections for value in json_objects(text)]
        replies = [text for role, text in sections if role == "assistant"]
        self.examples = tuple(dict.fromkeys([*replies, *(text for value in objects for text in _strings(value))]))
        """The texts in its examples: in its JSON objects, and in what it lets the assistant say."""
        self._entries = [each for value in objects for each in _entries(value)]
        parts = [text for _, text in sections] + list(_strings(prompt.reply_schema))
        self._words = " | ".join(" ".join(words_of(part)) for part in parts)

    def says(self, text: str) -> bool:
        """Whether the words of a text, ``MIN_WORDS`` at least, stand in the prompt in a row."""
        words = words_of(text)
        return len(words) >= MIN_WORDS and f" {' '.join(words)} " in f" {self._words} "

    def lists(self, reply: str) -> bool:
        """Whether the objects in the lists of a reply are those of the prompt's example, and no others."""
        entries = [each for value in json_objects(unwrap(reply)) for each in _entries(value)]
        return bool(entries) and all(each in self._entries for each in entries)


def _strings(value: Any) -> Iterator[str]:
    """The texts in a JSON value, its names left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _entries(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    lists = [each for each in value.values() if isinstance(each, list)]
    yield from (entry for each in lists for entry in each if isinstance(entry, dict))
