"""Text that is shortened, quoted and freed of unprintable characters."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcir_tools.text import (
    error_line,
    error_sentence,
    excerpt,
    quote,
    remove_unprintable,
    sanitize,
    shorten,
    shorten_json,
    unquote,
    visible_line,
)

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\u2028\u202e'), min_size=1, max_size=50
)


@given(st.text(), st.integers(1, 40))
def test_shortened_text_keeps_its_beginning_and_its_limit(text, limit):
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text if len(text) <= limit else text.startswith(short[:-1]) and short[-1] == "…"


def test_an_exception_on_one_line():
    assert error_line(ValueError("two\n lines ")) == "two lines"
    assert error_line(KeyError()) == "KeyError"
    assert error_line(ValueError("word " * 10), 12) == "word word w…"
    assert error_sentence(ValueError("no\nfile")) == "no file."
    assert error_sentence(ValueError("Try again!")) == "Try again!"


def test_quotes_marks_and_unprintable_characters():
    assert unquote(' **"A red\n dress"** ') == "A red dress"
    assert visible_line("a\n\x1b[31mb\u202e") == r"a \x1b[31mb\u202e"
    assert remove_unprintable({"a": ["x\ny\u200bz", 1]}) == {"a": ["x yz", 1]}


@given(text=st.text())
def test_what_is_shown_is_one_short_printable_line(text):
    assert excerpt(text).isprintable()
    assert len(excerpt(text)) <= 80


@given(TEXTS, st.integers(2, 60))
def test_capped_text_takes_at_most_its_cap_in_json_and_prints_on_one_line(text, cap):
    short = shorten_json(text, cap)
    assert len(quote(text, cap)) <= cap + 2
    assert json.loads(quote(text, cap)) == short
    assert short.isprintable()
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert short == plain or (short[-1] == "…" and plain.startswith(short[:-1]))


@pytest.mark.parametrize(
    ("text", "cap", "short"),
    [
        ("word " * 10, 12, "word word w…"),
        ("a dress", 7, "a dress"),
        ('""""""', 6, '""…'),
        ("a\n\t b\x00c", 20, "a b c"),
        ("read \u202eback\u202c", 20, "read back"),
        ("猫" * 5, 3, "猫猫…"),
        ("\udce9", 5, ""),
    ],
)
def test_how_text_is_capped(text, cap, short):
    assert shorten_json(text, cap) == short


def test_capping_drops_what_no_request_can_carry():
    assert sanitize("a\x00b\udce9c\r\nd", 50) == "a b?c\nd"
    assert sanitize("word " * 10, 12) == "word word w…"


@given(st.text(), st.integers(1, 40))
def test_capped_text_is_short_and_can_always_be_sent(text: str, limit: int):
    short = sanitize(text, limit)
    assert len(short) <= limit
    short.encode("utf-8")
