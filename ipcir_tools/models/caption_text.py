"""Whether what a chat model answers is a caption: not a refusal, an apology, JSON or nothing."""

from __future__ import annotations

import re

from ipcir_tools.llm.reply_text import THOUGHT_START

_JSON = re.compile(r"\s*(?:```|[\[{]|\"\w+\"\s*:)")
_REFUSAL = re.compile(
    r"\W*(?:(?:i'?m|i am|we'?re|we are)\s+(?:very |so |really |terribly )?(?:sorry|afraid|unable|not able)"
    r"|sorry\b|apologies|my apologies|i apologi[sz]e"
    r"|(?:unfortunately,? )?(?:i|we) (?:can(?:no|'?)t|could(?: no|n'?)t|won'?t|will not|do not|don'?t|am unable|must)\b"
    r"|as an? (?:ai|artificial|language|large language|assistant)\b"
    r"|(?:there is|i see|i received) no (?:image|picture|photo)"
    r"|no (?:image|picture|photo)(?: was| is| has been)? (?:provided|attached|given|available|visible|uploaded|found)"
    r"|(?:please|could you|can you) (?:provide|upload|attach|share|send))",
    re.IGNORECASE,
)
"""At the beginning: a person in a picture may well be sorry, and one who cannot swim."""
_ERROR = re.compile(
    r"\W*(?:error\b\s*[:\d]|internal server error|traceback \(most|<!doctype|<html|http/\d)", re.IGNORECASE
)


MOST_CHARS = 4_000
"""Of an answer that may be a caption: one sentence was asked for, and some models write a few."""


def caption_fault(text: str, instructions: str = "") -> str | None:
    """What an answer is in place of a caption, in a few words; None: it may be one. ``instructions``: what was sent."""
    text = text.replace("\u2019", "'").strip()
    if not any(letter.isalpha() for letter in text):
        return "no words" if text else "nothing"
    if len(text) > MOST_CHARS:
        return f"more than {MOST_CHARS:,} characters"
    if instructions and text[:40].lower() == instructions[:40].lower():
        return "its own instructions"
    if THOUGHT_START.match(text):
        return "thoughts alone"
    if _REFUSAL.match(text):
        return "a refusal"
    if _JSON.match(text):
        return "JSON or code"
    if _ERROR.match(text):
        return "an error's text"
    return None
