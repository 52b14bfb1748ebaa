"""Captioners on servers that misbehave: bounded, flagged, nothing stored, the next call well, and nobody held up."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from faulty_servers import CAPTION, CAPTIONER_MODES, RawServer, content, holding
from PIL import Image

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.llm import retries
from ipcir_tools.llm.http_clients import REPLY_BYTES
from ipcir_tools.models.loading import load_captioner
from ipcir_tools.settings import Settings
from ipcir_tools.store.captions import Captioning
from ipcir_tools.store.catalog import Catalog


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.02)


@pytest.fixture
def catalog(tmp_path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "home") as opened:
        yield opened


class Made(Counter[str]):
    """What was made, as the features count it."""

    def count(self, what: str, n: int, tally: Counter[str] | None) -> None:
        self[what] += n


def captioning(catalog: Catalog, url: str, seconds: float, made: Made | None = None) -> Captioning:
    captioner = load_captioner("chat:openai:m", settings=Settings(llm_base_url=url, llm_timeout=seconds))
    return Captioning(catalog, lambda: captioner, lambda: captioner.id, (made or Made()).count)


def caption(captions: Captioning, *ids: str) -> dict[str, tuple[str, ...]]:
    return captions.several(ids, 1, lambda _: Image.new("RGB", (8, 8)), None, None)


@pytest.mark.parametrize("name", CAPTIONER_MODES)
def test_a_faulty_captioner_is_bounded_and_flagged_and_the_next_call_is_well(catalog, name):
    mode, made = CAPTIONER_MODES[name], Made()
    with closing(RawServer(mode.answer)) as server, closing(RawServer()) as other:
        server.other = other
        captions = captioning(catalog, server.url, mode.seconds, made)
        if mode.flagged is None:
            assert caption(captions, "a") == {"a": (CAPTION,)}
        else:
            with pytest.raises(ModelUnavailableError, match=re.escape(mode.flagged)):
                caption(captions, "a")
            assert captions.known(["a"]) == {}, "what is no caption is never stored"
        assert server.sent < 2 * REPLY_BYTES + 4_000_000
        assert other.requests == [], "the picture goes to no other address"
        assert all(0 <= n < 100 for n in made.values()), "what it costs stays a number"
        server.answer = content(CAPTION)
        assert caption(captions, "b") == {"b": (CAPTION,)}
        assert catalog.captions(["b"], load_captioner("chat:openai:m", settings=Settings(llm_base_url=server.url)).id)


def test_the_table_has_no_fewer_modes_than_the_attack():
    assert len(CAPTIONER_MODES) >= 14


def test_a_silent_captioner_holds_up_those_alone_who_want_that_caption(catalog):
    """Eight threads with captions that are there, and eight that want new ones, while one waits for a silent server."""
    with closing(RawServer(holding())) as server, ThreadPoolExecutor(17) as pool:
        captions = captioning(catalog, server.url, 30)
        known = {f"known {i}": f"caption {i}" for i in range(8)}
        catalog.put_captions(known, load_captioner("chat:openai:m", settings=Settings(llm_base_url=server.url)).id)
        waiting = pool.submit(caption, captions, "new")
        while not server.requests:
            assert not waiting.done()
        for made in [pool.submit(caption, captions, id_) for id_ in known]:
            assert made.result(20)
        server.answer = content(CAPTION)
        for made in [pool.submit(caption, captions, f"other {i}") for i in range(8)]:
            assert list(made.result(20).values()) == [(CAPTION,)]
        assert not waiting.done(), "it still waits for its own"
        server.answer = lambda *_: None
        server.end()
        with pytest.raises(ModelUnavailableError):
            waiting.result(20)


def test_equal_pictures_are_captioned_once_and_fail_together(catalog):
    release = threading.Event()

    def later(server, connection):
        release.wait(20)
        content(CAPTION)(server, connection)

    with closing(RawServer(later)) as server, ThreadPoolExecutor(8) as pool:
        captions = captioning(catalog, server.url, 20)
        asked = [pool.submit(caption, captions, "a") for _ in range(8)]
        while not server.requests:
            pass
        release.set()
        assert [each.result(20) for each in asked] == [{"a": (CAPTION,)}] * 8
        assert len(server.requests) == 1
    with closing(RawServer(holding())) as silent, ThreadPoolExecutor(8) as pool:
        captions = captioning(catalog, silent.url, 0.5)
        asked = [pool.submit(caption, captions, "b") for _ in range(8)]
        errors = [each.exception(20) for each in asked]
        assert all(isinstance(each, ModelUnavailableError) for each in errors)
        assert len(silent.requests) <= 2, "those who waited do not wait once more, each for himself"


def test_each_caller_is_told_what_his_own_captions_cost(catalog):
    with closing(RawServer(content(CAPTION))) as server, ThreadPoolExecutor(8) as pool:
        captions = captioning(catalog, server.url, 20)
        tallies = [Made() for _ in range(8)]
        captions._count = lambda what, n, tally: tally.update({what: n})

        def ask(i: int) -> None:
            captions.several([f"{i} {j}" for j in range(3)], 1, lambda _: Image.new("RGB", (8, 8)), None, tallies[i])

        list(pool.map(ask, range(8)))
        assert [tally["captioner_calls"] for tally in tallies] == [3] * 8
