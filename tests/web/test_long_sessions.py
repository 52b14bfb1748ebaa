"""Longer sessions in a real browser: an empty gallery, the keyboard alone, two people, 2,000 hits, and what fails."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from llm_server import LLMServer, failure, imagining
from PIL import Image
from served_page import ask, nodes, serious_faults, served

from ipcir_tools import Engine, Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def empty(tmp_path):
    """The page over a home without a gallery, and a folder of pictures beside it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(60):
        Image.effect_noise((64, 48), 30 + n).convert("RGB").save(folder / f"{n}.jpg")
    with served(tmp_path / "home", batch_size=4) as url:
        yield url, folder


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_an_empty_gallery_is_filled_and_the_run_goes_on_when_the_page_is_closed(tab, empty, size):
    url, folder = empty
    page = tab(size, url)
    assert page.locator("h1").inner_text() == "No pictures yet"
    assert serious_faults(page) == []
    page.fill("#folder", f"{folder.parent}/ph")
    page.locator(f'#folders option[value="{folder}"]').wait_for(state="attached")
    page.fill("#folder", str(folder))
    page.press("#folder", "Enter")
    page.locator("#indexing").wait_for()
    page.goto("about:blank")
    page.goto(url)
    page.locator("#ask").or_(page.locator("#indexing")).first.wait_for()
    page.goto(f"{url}/gallery")
    page.locator('#size:text-is("60")').wait_for(timeout=60_000)  # the page follows the run and shows its end
    page.fill("#folder", str(folder / "none"))
    page.press("#folder", "Enter")
    page.locator("#indexing .warn").wait_for()


def test_what_a_first_run_skipped_is_said_on_the_page_that_it_leads_to(tab, empty):
    url, folder = empty
    (folder / "broken.jpg").write_bytes(b"no picture")
    page = tab("phone", url)
    page.fill("#folder", str(folder))
    page.press("#folder", "Enter")
    page.locator(".toast:has-text('60 added, 1 skipped.')").wait_for(timeout=60_000)
    page.click(".toast >> text=What was skipped")
    page.click("#indexing summary")
    page.locator("#indexing li:has-text('broken.jpg')").wait_for()


def test_a_run_that_ends_while_the_page_is_on_its_way_is_shown(tab, site):
    page = tab()
    size = page.locator(".count").inner_text()
    asked = []

    def once_more(route):
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(json={"running": False, "size": int(size) + 1})
        else:
            route.continue_()

    page.route("**/api/index", once_more)
    page.goto(f"{site}/gallery")
    page.locator("#groups li").first.wait_for()
    page.wait_for_load_state("networkidle")
    assert len(asked) == 2  # it was loaded again, once


def test_the_keyboard_alone_is_enough(tab, site):
    page = tab()
    press = page.keyboard.press
    page.locator("#words:focus").wait_for()  # the line has the focus from the beginning
    page.keyboard.type("a red dress")
    press("Enter")
    page.locator("#hits .card").first.wait_for()
    page.locator("#words:focus").wait_for()
    for _ in range(12):  # to the first hit
        press("Tab")
        if page.evaluate("document.activeElement.className") == "tile":
            break
    press("ArrowRight")
    press("ArrowDown")
    press("ArrowUp")
    press("l")
    assert page.locator('.card[data-rank="2"] [data-do="like"]').get_attribute("aria-pressed") == "true"
    press("x")
    assert page.locator("#selection span").inner_text() == "1 selected"
    press("Enter")
    page.locator("dialog[open] .shot").wait_for()
    press("ArrowRight")
    page.locator('.shot h2:has-text("3")').wait_for()
    press("Escape")
    page.locator('.card[data-rank="3"] .tile:focus').wait_for()
    press("s")
    assert page.locator("#tray [data-reference]").count() == 1
    page.keyboard.type("in blue")
    press("Enter")
    nodes(page).nth(1).wait_for()
    press("Escape")
    page.evaluate("document.activeElement.blur()")
    press("u")
    page.locator('.run .node[aria-current="step"]:has-text("a red dress")').wait_for()
    page.evaluate("document.activeElement.blur()")
    press("?")
    page.locator("dialog[open] kbd").first.wait_for()
    press("Escape")
    press("/")
    assert page.evaluate("document.activeElement.id") == "words"


def test_two_people_do_not_mix_their_dialogues(tab):
    ann, ben = tab(), tab("phone")
    ask(ann, "a red dress")
    ask(ben, "a blue jacket")
    ask(ann, "something else")
    ask(ben, "in green")
    assert ann.locator(".bubble").count() == 1
    assert [each.inner_text() for each in nodes(ben).all()] == ["a blue jacket", "in green"]
    ask(ann, "with stripes")
    labels = [each.inner_text() for each in nodes(ann).all()]
    assert labels == ["a red dress", "with stripes"]
    ben.reload()
    assert [each.inner_text() for each in nodes(ben).all()] == ["a blue jacket", "in green"]


def test_what_is_pasted_and_dropped_is_a_reference(tab):
    page = tab()
    give = """([kind, name]) => {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 40;
        const pen = canvas.getContext("2d");
        pen.fillStyle = kind === "paste" ? "red" : "blue";
        pen.fillRect(0, 0, 40, 40);
        return new Promise((done) => canvas.toBlob((blob) => {
            const given = new DataTransfer();
            given.items.add(new File([blob], name, { type: name.endsWith("txt") ? "text/plain" : "image/png" }));
            const event = kind === "paste"
                ? new ClipboardEvent("paste", { clipboardData: given, bubbles: true })
                : new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true });
            document.body.dispatchEvent(event);
            done();
        }));
    }"""
    page.evaluate(give, ["paste", "a.png"])
    page.locator("#tray img").nth(0).wait_for()
    page.evaluate(give, ["drop", "b.png"])
    page.locator("#tray img").nth(1).wait_for()
    page.evaluate(give, ["drop", "b.txt"])
    page.locator('.toast:has-text("That is no picture")').wait_for()
    link = """() => {
        const given = new DataTransfer();
        given.setData("text/uri-list", "https://a.example/b.png");
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(link)
    page.locator('.toast:has-text("That is a link")').wait_for()
    page.locator("#tray input").nth(1).fill("its colour")
    page.reload()
    assert page.locator("#words").get_attribute("placeholder") == "What should change?"
    names = [page.locator("#tray li").nth(n).get_attribute("title") for n in range(2)]
    assert names == ["a.png", "b.png"]
    ask(page, "as a jacket")
    assert page.locator(".from img").count() == 2
    assert "its colour" in page.locator(".from img").nth(1).get_attribute("alt")


def test_what_is_refused_is_said_where_it_is_seen(tab, gallery):
    page = tab()
    page.set_input_files("#file", sorted((gallery / "pictures").iterdir())[:5])
    page.locator('.toast:has-text("4 of 5 files are taken")').wait_for()
    page.locator("#tray img").nth(3).wait_for()
    ask(page, "in blue")
    assert page.locator("#from").is_visible()
    page.locator('.card [data-do="start"]').first.click()
    assert not page.locator("#from").is_visible()  # the new reference takes the place of the old ones
    turn = page.url

    # a number that cannot be opens the panel that it is in; nothing is sent
    page.click("#options-button")
    page.fill("[name=k]", "99999")
    page.click("#options-button")
    page.fill("#words", "in green")
    page.click("#go")
    page.locator("#options").wait_for()
    assert page.url == turn
    assert page.evaluate("document.activeElement.name") == "k"
    page.click("#options-button")

    # over a dialog, within it: what is outside is dimmed and cannot be reached
    page.locator(".card .tile").first.click()
    page.click("[data-copy]")
    page.locator("#picture[open] .toast").wait_for()
    page.keyboard.press("Escape")
    page.click("#tray button")
    assert page.locator("#from").is_visible()
    page.click("#replay")
    page.locator("body > #toasts .toast").wait_for()


@pytest.mark.parametrize(("size", "most"), [("desktop", 130), ("phone", 75)])
def test_what_is_marked_leaves_room_for_the_hits(tab, size, most):
    """Ten liked pictures are rows that scroll, the last in sight, not half of the screen."""
    page = tab(size)
    ask(page, "a red dress")
    for n in range(10):
        page.locator(".card").nth(n).hover()
        page.locator(".card").nth(n).locator('[data-do="like"]').click()
    assert page.locator("#tray li").count() == 10
    assert page.locator("#tray").bounding_box()["height"] <= most
    page.locator("#tray li button").last.click()
    assert page.locator("#tray li").count() == 9
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_faults(page) == []


def test_a_picture_of_the_map_starts_a_search(tab, site):
    page = tab()
    page.goto(f"{site}/gallery")
    page.locator("#groups img").first.click()
    page.locator("dialog[open] .shot").wait_for()
    page.click("text=Start from this one")
    page.locator("#tray img").wait_for()
    ask(page, "in blue")
    page.locator(".card").first.wait_for()
    assert page.locator(".from img").count() == 1


def test_two_thousand_hits_are_one_quick_page(tab, tmp_path):
    """Of so many pictures only those in sight are fetched and laid out, each once."""
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(2_050):
        picture = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8))
        picture.resize([(32, 32), (32, 48), (64, 32)][n % 3]).save(folder / f"{n}.png")
    with Engine.open(Settings(home=tmp_path / "home", models="demo")) as engine:
        engine.index([folder])
    with served(tmp_path / "home", duplicates=None, k=2_000) as url:
        page = tab("desktop", url)
        fetched = []
        page.on("request", lambda one: fetched.append(one.url))
        ask(page, "a red dress")
        page.locator("#hits .card").first.wait_for()
        page.wait_for_load_state("networkidle")
        assert page.locator(".card").count() == 2_000
        heights = {round(page.locator(".tile").nth(n).bounding_box()["height"]) for n in range(10)}
        assert len(heights) == 1  # of pictures of any shape
        assert len(page.request.get(page.url).text()) < 500 * 2_000
        page.locator(".card [data-do]").first.wait_for(state="attached")
        page.wait_for_timeout(300)  # cards in sight get their buttons when they rest
        elements = "document.getElementsByTagName('*').length"
        assert page.evaluate(elements) < 10 * 2_000
        buttons = page.locator(".card [data-do]")
        assert buttons.count() < 40 * 4
        pictures = [each for each in fetched if "/thumb/m/" in each]
        assert len(pictures) < 120
        assert len(pictures) == len(set(pictures))
        style = "(card) => getComputedStyle(card).contentVisibility"
        assert page.locator(".card").nth(1_500).evaluate(style) == "auto"
        page.keyboard.press("Tab")
        page.locator(".card .tile").first.focus()
        page.keyboard.press("End")
        last = page.locator(".card img").last
        last.wait_for()
        page.wait_for_load_state("networkidle")
        assert last.evaluate("(image) => image.complete && image.naturalWidth > 0")
        fetched.clear()
        page.reload()
        page.wait_for_load_state("networkidle")
        sizes = page.evaluate(
            "performance.getEntriesByType('resource')"
            ".filter((each) => each.name.includes('/thumb/m/')).map((each) => each.transferSize)"
        )
        assert sum(sizes) == 0  # all from the browser's own cache
        page.evaluate(
            "new Promise((done) => { let y = 0; const on = () => { scrollTo(0, y += 400);"
            " if (y < 20000) requestAnimationFrame(on); else done(); }; on(); })"
        )
        page.wait_for_timeout(300)
        assert buttons.count() < 2 * 40 * 4  # those of the first screen and of the last, none between


def test_states_of_models_and_files(tab, gallery, httpserver, monkeypatch, tmp_path):
    """A model that is slow is waited for with the time shown, and can be left; one that is gone is named."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    home = tmp_path / "home"
    shutil.copytree(gallery, home)
    let_go = threading.Event()

    def slow(asked):
        let_go.wait(20)
        return imagining(asked)

    server = LLMServer(httpserver, slow)
    with served(home, llm="openai:toy", llm_base_url=server.url, llm_timeout=15) as url:
        page = tab("desktop", url)
        page.locator("[data-start]").first.click()
        page.fill("#words", "in blue")
        page.press("#words", "Enter")
        page.locator("#working:has-text('this takes its time')").wait_for()
        page.click("#cancel")
        page.locator(".toast:has-text('Stopped')").wait_for()
        assert page.locator("#words").input_value() == "in blue"
        let_go.set()
        ask(page, "in green")
        assert "imagined by" in page.locator(".by").inner_text()
        assert "rules" not in page.locator(".by").inner_text()
        server.manner = lambda asked: failure(404, "no such model")
        ask(page, "with long sleeves")
        assert "did not answer" in page.locator(".by").inner_text()
        assert page.locator(".note").count() >= 1

        gone = page.locator(".card").nth(1)
        path = page.request.get(f"{url}/picture/{gone.get_attribute('data-id')}").text()
        Path(re.search(r'data-copy="([^"]+)"', path)[1]).unlink()
        page.reload()
        page.locator(".card .gone").first.click()
        page.locator("dialog[open] .gone").wait_for()
        assert serious_faults(page) == []
        page.click("text=Take it out of the gallery")
        page.locator(".toast:has-text('out of the gallery')").wait_for()


def test_an_address_with_a_token_lets_only_those_in_who_have_it(browser, gallery):
    token = "a-token-of-many-characters"
    with served(gallery, token) as url:
        page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
        page.goto(url)
        assert page.locator("h1").inner_text() == "This page needs its token"
        assert serious_faults(page) == []
        page.fill("[name=token]", "another-token-of-many-characters")
        page.press("[name=token]", "Enter")
        page.locator(".wrong:has-text('That token is wrong')").wait_for()
        assert "ipcir ui" in page.locator(".wrong").inner_text()
        assert serious_faults(page) == []
        page.fill("[name=token]", token)
        page.press("[name=token]", "Enter")
        page.locator("#ask").wait_for()
        page.wait_for_load_state()  # its scripts run
        assert token not in page.url
        ask(page, "a red dress")
        page.locator(".card").first.wait_for()
        page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_no_state_shuts_anybody_out(tab, site, size, theme):
    page = tab(size, color_scheme=theme)
    found = {"start": serious_faults(page)}
    page.locator("[data-start]").first.click()
    found["tray"] = serious_faults(page)
    ask(page, "in blue")
    page.locator(".chip button").first.click()
    found["turn"] = serious_faults(page)
    page.click("#options-button")
    found["options"] = serious_faults(page)
    page.click("#options-button")
    page.locator(".card .tile").first.click()
    page.locator("dialog[open] .shot img").first.wait_for()
    found["picture"] = serious_faults(page)
    page.keyboard.press("Escape")
    page.click("#export")
    found["export"] = serious_faults(page)
    page.keyboard.press("Escape")
    page.goto(f"{site}/gallery")
    page.locator("#groups li").first.wait_for()
    page.click("#find-copies")
    page.locator("#copies ul").wait_for(state="attached")
    found["gallery"] = serious_faults(page)
    page.click("#theme")
    found["other theme"] = serious_faults(page)
    assert {state: faults for state, faults in found.items() if faults} == {}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
