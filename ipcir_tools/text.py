"""Text for messages, pages and models: on one line, shortened, quoted, without unprintable characters."""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any
from urllib.parse import quote as percent_encoded

TEXT_LIMIT = 240
"""Characters at most of a caption, a modification or an imagined description that is shown to a model."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


# --- one line


def one_line(text: str) -> str:
    """The text on one line, with single spaces between its words."""
    return " ".join(text.split())


def unquote(text: str) -> str:
    """The text on one line, without the quotes and Markdown marks around it."""
    return one_line(text).strip("\"“”*`' ")


def error_line(error: BaseException, limit: int = 200) -> str:
    """The message of an exception on one line of at most ``limit`` characters; its class where it has no message."""
    return shorten(one_line(str(error)), limit) or type(error).__name__


def error_sentence(error: BaseException, limit: int = 300) -> str:
    """``error_line`` with a full stop."""
    return sentence(error_line(error, limit))


def sentence(line: str) -> str:
    """The line with a full stop, unless it ends like a sentence."""
    return line if line.endswith((".", "!", "?", "…")) else line + "."


# --- secrets

MASK = "***"


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with a mask for each secret in it, also where that is written as Python or a URL writes it."""
    ways: set[str] = set()
    for each in secrets:
        ways |= {each, repr(each)[1:-1], repr(each.encode(errors="backslashreplace"))[2:-1]}
        ways.add(percent_encoded(each, safe="", errors="replace"))
    for way in sorted(filter(None, ways), key=len, reverse=True):
        text = text.replace(way, MASK)
    return text


# --- unprintable characters


def visible(text: str) -> str:
    r"""The text with control characters, line ends and undecodable bytes written as escapes such as ``\x1b``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def remove_unprintable(value: Any) -> Any:
    """A JSON value whose texts have spaces for line ends and tabs, and no other unprintable characters."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " if c.isspace() else "" for c in value)
    if isinstance(value, list):
        return [remove_unprintable(each) for each in value]
    return {key: remove_unprintable(each) for key, each in value.items()} if isinstance(value, dict) else value


def printable_line(text: str) -> str:
    """The text on one line, with spaces for its unprintable characters."""
    return one_line("".join(c if c.isprintable() else " " for c in text))


def visible_line(text: str) -> str:
    """The text on one line, its unprintable characters escaped."""
    return visible(one_line(text))


# --- numbers


def byte_size(n: int) -> str:
    """A number of bytes for people, in powers of 1,000 as disks are sold: ``605 MB``, ``1.2 GB``."""
    size = float(n)
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


# --- digests


def json_digest(value: Any) -> str:
    """SHA-256 of a JSON value in hex: 64 digits, of which a caller may take the first. Other objects count as text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


# --- limits


def shorten(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis: at most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def excerpt(text: str, limit: int = 80) -> str:
    """The text for a message: unprintable characters escaped, at most ``limit`` characters."""
    return shorten(visible(text[: limit + 1]), limit)


def path_excerpt(text: str, limit: int = 80) -> str:
    """The same of a path: a long one loses its middle, for its end says which file it is."""
    shown = visible(text)
    end = 2 * limit // 3
    return shown if len(shown) <= limit else f"{shown[: limit - end - 1]}…{shown[-end:]}"


def sanitize(text: str, limit: int) -> str:
    """Text of several lines that a request can carry: no control characters, no lone surrogates, shortened."""
    clean = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n"))
    return shorten(clean.strip(), limit)


def shorten_json(text: str, limit: int) -> str:
    """The text on one line, spaces for unprintable characters, at most ``limit`` characters when written as JSON."""
    line = printable_line(text)
    sizes = list(accumulate(2 if c in '"\\' else 1 for c in line))
    return line if not line or sizes[-1] <= limit else line[: bisect_right(sizes, limit - 1)] + "…"


def quote(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text as a JSON string of one line with at most ``limit`` characters between its quotes.

    Nothing in the text can end the string, so a prompt can state that what is in quotes is data.
    """
    return json.dumps(shorten_json(text, limit), ensure_ascii=False)
