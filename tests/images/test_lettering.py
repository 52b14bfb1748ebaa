"""Lines of text on sheets fit their width, lose no letter, and are drawn in a font that has their letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from ipcir_tools.images import lettering
from ipcir_tools.images.lettering import draw_line, font, line_width, wrapped

LETTERS = st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=200)


@given(LETTERS, st.integers(60, 300))
def test_lines_fit_and_hold_all_letters_in_their_order(text, width):
    lines = wrapped(text, 13, width, 1_000)
    assert all(line_width(line, 13) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(LETTERS, st.integers(1, 4))
def test_what_is_left_out_is_told(text, most):
    whole, lines = wrapped(text, 13, 120, 1_000), wrapped(text, 13, 120, most)
    assert len(lines) <= most
    assert lines == whole if len(whole) <= most else lines[-1].endswith("...")
    assert all(line_width(line, 13) <= 120 for line in lines)


def test_sentences_without_spaces_break_anywhere():
    assert len(wrapped("x" * 100, 13, 120, 10)) > 3


def drawn(text: str) -> bytes:
    image = Image.new("RGB", (200, 40))
    draw_line(ImageDraw.Draw(image), (4, 4), text, 19, (255, 255, 255))
    return image.tobytes()


def test_plain_words_take_no_font_of_the_system(monkeypatch):
    monkeypatch.setattr(lettering, "_system_fonts", lambda: pytest.fail("it was looked for"))
    assert drawn("in blue, à la mode") != drawn("")


@pytest.mark.parametrize("text", ["синий", "蓝色的裙子", "أزرق", "นํ้าเงิน", "नीला"])
def test_other_letters_are_drawn_in_a_font_that_has_them(text):
    letter = text[0]
    if lettering._font_with(letter, 19) is font(19) and not lettering._has(font(19), letter):
        pytest.skip("no font on this machine has it")
    boxes = drawn("\U0010ffff" * len(text))
    assert drawn(text) not in (boxes, drawn(""))


def test_without_any_font_a_letter_is_a_box_and_no_error(monkeypatch):
    monkeypatch.setattr(lettering, "_system_fonts", lambda: ())
    lettering._font_with.cache_clear()
    try:
        assert drawn("\u5f71") == drawn("\U0010ffff")
    finally:
        lettering._font_with.cache_clear()
