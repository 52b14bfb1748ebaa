"""How a line names pictures: by rank (``3``, ``#3``, ``the third one``) or by id."""

from __future__ import annotations

import re

MAX_RANK_DIGITS = 4
"""Digits of a number that is a rank; more of them are an id."""
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

HEX_ID = r"[a-f]*[0-9][0-9a-f]*"  # with a digit, as "facade" and "beaded" are words
ID = rf"(?=[0-9a-f]{{6,16}}(?!\w)){HEX_ID}|[0-9a-f]{{16}}"
RANK = r"(?:(?:number|picture|image|hit) )?(?:[0-9]{1,3}|#[0-9]{1,4})"
NTH = rf"the (?a:{'|'.join(ORDINALS)})(?: (?:one|picture|image|hit))?"
ANY = rf"(?:{ID}|{RANK}|{NTH})"
ONE = rf"(?<![\w#.]){ANY}(?![\w%'\u2019-]|\.[0-9])"
MANY = rf"{ONE}(?:(?:,? (?:and|or|nor) |, ?| ?& ?| ){ONE})*"

LEAD = r"(?:(?:(?:yes|no),|(?:ok|okay|now|and|but|then|also|please),?) )*+"
TAKE = r"(?:i(?:'ll| will) )?(?:take|use|pick|choose|select|go with|go on with|continue with|start from)"
ENDS = r"(?=$|[,;:.!?]| (?:but|and|then|than|please|instead|too|in|with|without)\b)"


def parse_names(many: str | None) -> tuple[str, ...]:
    """The pictures of a list, ranks as plain numbers."""
    return tuple(map(_parse_name, re.findall(ONE, many or "", re.IGNORECASE)))


def _parse_name(one: str) -> str:
    last = one.lower().removesuffix(" one").split()
    nth = [word for word in last if word in ORDINALS]
    if nth:
        return str(ORDINALS.index(nth[0]) + 1)
    rank = last[-1].removeprefix("#")
    return str(int(rank)) if len(rank) <= MAX_RANK_DIGITS else rank
