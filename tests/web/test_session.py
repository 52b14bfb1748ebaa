"""Whole sessions of a person in a real browser, at the width of a desk and of a phone."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from served_page import ask, nodes, serious_faults, served

from ipcir_tools import Engine, Settings

TURN = re.compile(r"/turn/t[0-9a-f]{11}$")


def card_alt(page, n: int) -> str | None:
    return page.locator(".card .tile img").nth(n).get_attribute("alt")


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_session(tab, size, gallery, tmp_path):
    page = tab(size)
    assert serious_faults(page) == []

    # a reference from a file, and words
    page.set_input_files("#file", sorted((gallery / "pictures").iterdir())[3])
    page.locator("#tray img").wait_for()
    ask(page, "in blue with long sleeves")
    page.locator("#hits .card").first.wait_for()
    assert TURN.search(page.url)
    assert "blue" in page.locator("#sought").inner_text()
    assert serious_faults(page) == []

    # refine with words and a liked hit; the turn survives a reload
    first = page.url
    place = page.locator(".card").nth(2).bounding_box()
    page.locator('.card [data-do="like"]').nth(2).click()
    page.locator('.card [data-do="select"]').nth(2).click()
    assert page.locator("#tray [data-liked]").count() == 1
    assert page.locator("#tray [data-liked] img").get_attribute("alt") == card_alt(page, 2)
    if size == "desktop":
        assert page.locator(".card").nth(2).bounding_box() == place  # what is marked moves no hit from the pointer
    for covered in ("#replay", "#export", "#tray [data-liked] button", "#selection button"):
        page.locator(covered).first.click(trial=True)  # nothing lies over it
    page.click("#selection >> text=Clear")
    ask(page, "and shorter")
    assert nodes(page).count() == 2
    page.reload()
    assert nodes(page).nth(1).get_attribute("aria-current") == "step"
    assert page.locator("#tray li").count() == 0

    # strike a word out, add one, search again
    page.locator('.chip:has-text("long sleeves") button').first.click()
    page.click("#add-word")
    page.keyboard.type("belt")
    page.keyboard.press("Enter")
    page.click("#again")
    page.locator(".by:has-text('edited by you')").wait_for()
    assert "long sleeves" not in page.locator("#sought").inner_text()
    assert "belt" in page.locator("#sought").inner_text()

    # undo twice, and another way from there: a branch
    page.click("text=Undo")
    page.click("text=Undo")
    page.wait_for_url(first)
    ask(page, "in green")
    assert page.locator(".branches > .run").count() == 2

    # only some pictures, and all again
    page.click("#options-button")
    page.select_option("[name=folder]", index=1)
    page.fill("[name=k]", "4")
    page.click("#again-options")
    page.locator(".filtering").wait_for()
    assert page.locator(".card").count() == 4
    assert serious_faults(page) == []

    # take two along
    for n in range(2):
        page.locator('.card [data-do="select"]').nth(n).click()
    page.click("#selection >> text=Export")
    with page.expect_download() as waiting:
        page.click("text=A page that stands alone")
    waiting.value.save_as(tmp_path / "hits.html")
    assert (tmp_path / "hits.html").read_text().count("data:image/jpeg") == 3  # two hits and the reference
    page.fill("#export-to", str(tmp_path / "copies"))
    page.press("#export-to", "Enter")
    page.locator(".toast:has-text('2 copied to')").wait_for()
    page.click("#selection >> text=Export")
    page.fill("#export-to", str(tmp_path / "copies"))
    page.press("#export-to", "Enter")
    page.locator(".toast:has-text('2 are in')").wait_for()
    page.locator("#selection button").first.click(trial=True)  # what is said does not lie over it

    # an unclear request is asked about
    page.click(".mark")
    ask(page, "something nice")
    assert page.locator(".bubble p").inner_text().startswith("What should the picture show?")
    ask(page, "a red dress")
    assert TURN.search(page.url)
    assert page.locator(".card").count() == 10


def test_copies_are_taken_out_when_that_was_said_twice_and_escape_ends_typing(tab, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "red"), ("c.png", "blue"), ("d.png", "green")):
        Image.new("RGB", (64, 64), colour).save(folder / name, compress_level=1 + ord(name[0]) % 9)
    with Engine.open(Settings(home=tmp_path / "home", models="demo")) as engine:
        engine.index([folder])
        assert engine.catalog.size() == 4
    with served(tmp_path / "home") as url:
        page = tab("desktop", url)
        page.focus("#words")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") != "words"
        page.goto(f"{url}/gallery")
        page.click("#find-copies")
        page.locator("#copies .copies button").first.click()
        assert page.locator("#copies .copies").count() == 1
        page.click("text=Take it out")
        page.locator("text=the files stay.").last.wait_for()
        page.wait_for_function("document.querySelector('#size').textContent === '3'")
    assert len(list(folder.iterdir())) == 4
