"""One gallery, one served page and one browser for all tests of the page."""

from __future__ import annotations

import shutil

import pytest
from served_page import chromium, make_gallery, open_tab, running_chromium, served
from starlette.testclient import TestClient

from ipcir_tools import Engine, Settings
from ipcir_tools.web.app import build_app


@pytest.fixture(scope="session")
def gallery(tmp_path_factory):
    """The home folder of a small wardrobe."""
    home = tmp_path_factory.mktemp("page") / "home"
    make_gallery(home)
    return home


@pytest.fixture(scope="module")
def engine(gallery, tmp_path_factory):
    """An engine over a copy of it, for tests without a browser."""
    home = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(gallery, home, ignore=shutil.ignore_patterns("pictures", "references"))
    with Engine.open(Settings(home=home, models="demo", verify=0, duplicates=0.998)) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(engine):
    """The application over it, called without a browser."""
    with TestClient(build_app(engine), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def site(gallery):
    """The address of the page over the gallery."""
    with served(gallery) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; skips where this machine has none."""
    if chromium() is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with running_chromium() as opened:
        yield opened


@pytest.fixture
def tab(browser, site):
    """Opens tabs, each of a person of their own, and checks in the end that none did what it must not."""
    opened = []

    def open_one(size="desktop", url=site, **options):
        page, faults = open_tab(browser, url, size, **options)
        opened.append((page, faults))
        page.goto(url)
        return page

    yield open_one
    found = [fault for _, faults in opened for fault in faults.found]
    for page, _ in opened:
        page.context.close()
    assert found == []
