"""The page over the demo's models and a small wardrobe, and a browser to look at it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools import Engine, Settings
from ipcir_tools.batches import no_progress
from ipcir_tools.demo import demo_wardrobe
from ipcir_tools.demo.gallery import index_drawn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
SERIOUS = ("serious", "critical")


def make_gallery(home: Path, families: int = 2) -> None:
    """A wardrobe of 30 pictures a family, and of some dialogue's, with captions."""
    with Engine.open(Settings(home=home, models="demo", captions=True)) as engine:
        index_drawn(engine, demo_wardrobe(families).pictures, home / "pictures", no_progress)


@contextmanager
def served(home: Path, token: str | None = None, **settings: Any) -> Iterator[str]:
    """The page over the gallery in ``home``; its address."""
    from ipcir_tools.http_access import LOOPBACK, Access
    from ipcir_tools.http_serving import listen
    from ipcir_tools.web.serving import page_server

    chosen = {"home": home, "models": "demo", "duplicates": 0.998} | settings
    with Engine.open(Settings(**chosen)) as engine, listen(LOOPBACK, 0) as listener:
        access = Access(port=listener.getsockname()[1], token=token)
        server = page_server(engine, access)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.02)
        try:
            yield access.url
        finally:
            server.should_exit = True
            thread.join()


def chromium() -> str | None:
    """A Chromium of this machine."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


class Faults:
    """What a page must not do: complain, fail, or ask another host."""

    def __init__(self, page: Page, url: str) -> None:
        self.found: list[str] = []
        page.on("console", lambda said: self._add(said.type in ("error", "warning"), f"console: {said.text}"))
        page.on("pageerror", lambda error: self._add(True, f"script: {error}"))
        page.on("request", lambda one: self._add(not one.url.startswith((url, "blob:", "data:")), f"asked {one.url}"))
        page.on("response", lambda one: self._add(one.status >= 500, f"{one.status} of {one.url}"))

    def _add(self, is_fault: bool, text: str) -> None:
        if is_fault:
            self.found.append(text)


def open_tab(browser: Browser, url: str, size: str = "desktop", **options: Any) -> tuple[Page, Faults]:
    """A tab of a person of their own."""
    width, height = SIZES[size]
    phone = {"has_touch": True, "is_mobile": True} if size == "phone" else {}
    context = browser.new_context(viewport={"width": width, "height": height}, **phone, **options)
    context.set_default_timeout(30_000)
    page = context.new_page()
    return page, Faults(page, url)


def serious_faults(page: Page) -> list[str]:
    """What axe finds that shuts somebody out."""
    from axe_core_python.sync_playwright import Axe

    found = Axe().run(page)["violations"]
    return [f"{each['id']}: {each['nodes'][0]['target']}" for each in found if each["impact"] in SERIOUS]


def ask(page: Page, words: str) -> None:
    """Type and press Enter; the page that follows."""
    before = page.url
    page.fill("#words", words)
    page.press("#words", "Enter")
    page.wait_for_url(lambda url: url != before)


def nodes(page: Page) -> Locator:
    """The turns of the dialogue that the page shows."""
    return page.locator(".run .node")
