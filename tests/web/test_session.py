"""Whole sessions of a person in a real browser, at the width of a desk and of a phone."""

from __future__ import annotations

import re

import pytest
from served_page import serious_faults

TURN = re.compile(r"/turn/t[0-9a-f]{11}$")


def ask(page, words):
    """Type and press Enter; the page of the turn."""
    before = page.url
    page.fill("#words", words)
    page.press("#words", "Enter")
    page.wait_for_url(lambda url: url != before)
    page.locator("#hits .card").first.wait_for()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_session(tab, size):
    page = tab(size)
    page.locator("[data-start]").first.click()
    ask(page, "in blue with long sleeves")
    assert TURN.search(page.url)
    assert page.locator("#sought").inner_text()
    assert serious_faults(page) == []

    first = page.url
    page.locator('.card [data-do="like"]').nth(2).click(force=True)
    ask(page, "and shorter")
    assert page.locator(".run .node").count() == 2
    page.reload()
    assert page.locator(".run .node[aria-current]").inner_text().startswith("and shorter")

    page.locator(".run .node").first.click()
    page.wait_for_url(first)
    ask(page, "in green")
    assert page.locator(".branches .node").count() == 2
