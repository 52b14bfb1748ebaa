"""Many callers at a time, in threads and on an event loop: their texts share batches, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mcp import Client

from ipcir_tools.agents.mcp_server import build_server
from ipcir_tools.engine.engine import Engine
from ipcir_tools.evaluation.experiments.search_overhead import DrawnEncoder, make_gallery, settings_of
from ipcir_tools.retriever import ComposedImageRetriever
from ipcir_tools.types import FloatArray, SearchResult

SECONDS = 20
"""After which something hangs."""


class SlowEncoder(DrawnEncoder):
    """A batch takes until ``enough`` callers wait for the next one, or nobody comes any more."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self._enough = enough

    def _text_batch(self, texts: Sequence[str]) -> FloatArray:
        self.sizes.append(len(texts))
        for _ in range(40 * SECONDS):
            if sum(self.sizes) + len(self._text_batches._waiting) >= self._enough:
                break
            threading.Event().wait(0.025)
        return super()._text_batch(texts)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    make_gallery(home, 200)
    return home


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    with Engine.open(settings_of(home, duplicates="off")) as engine:
        engine.find("warm")
        yield engine


def watched(engine: Engine, enough: int) -> SlowEncoder:
    encoder = engine.components.encoder = SlowEncoder(enough)
    return encoder


def hits(result: SearchResult) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in result.hits]


def test_threads_share_batches_and_get_the_answers_that_one_alone_gets(engine: Engine) -> None:
    encoder = watched(engine, 16)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda i: engine.find(f"a coat of {i} threads"), range(16)))
    assert sum(encoder.sizes) == 16
    assert len(encoder.sizes) <= 3
    assert len({result.turn.id for result in together}) == 16
    engine.components.features._held.__init__(1)  # type: ignore[misc]  # nothing is known from memory
    for i, result in enumerate(together):
        assert result.counts["text_encodes"] == 1
        assert hits(engine.find(f"a coat of {i} threads")) == hits(result)


def test_searches_from_pictures_share_batches(engine: Engine) -> None:
    ids = engine.catalog.sample_ids(8)
    engine.search(ids[0], "in red")
    encoder = watched(engine, 8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: engine.search(ids[i], f"with {i + 20} dots", composer="sum"), range(8)))
    assert sum(encoder.sizes) == 8
    assert len(encoder.sizes) <= 3


def test_one_text_of_many_callers_is_encoded_once(engine: Engine) -> None:
    encoder = watched(engine, 1)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(engine.find, ["the same of all"] * 8))
    assert encoder.sizes == [1]
    assert sum(result.counts["text_encodes"] for result in found) == 1
    assert len({tuple(hits(result)) for result in found}) == 1


def test_a_failure_is_raised_to_the_caller_whose_text_fails(engine: Engine) -> None:
    class Failing(SlowEncoder):
        def _text_batch(self, texts: Sequence[str]) -> FloatArray:
            made = super()._text_batch(texts)
            if "bad" in texts:
                raise ValueError("a bad text")
            return made

    encoder = engine.components.encoder = Failing(4)
    with ThreadPoolExecutor(4) as pool:
        asked = {text: pool.submit(engine.find, text) for text in ("bad", "good 1", "good 2", "good 3")}
    assert [type(each.exception()) for each in asked.values()] == [ValueError, *[type(None)] * 3]
    assert sum(encoder.sizes) <= 4 + 4


def on_a_loop(engine: Engine, call: Callable[[str], object], n: int) -> list[int]:
    """The sizes of the batches when ``call`` is awaited ``n`` times at once."""
    encoder = watched(engine, n)

    async def run() -> None:
        await asyncio.wait_for(asyncio.gather(*(call(f"{n} of {i}") for i in range(n))), SECONDS)  # type: ignore[call-overload]

    asyncio.run(run())
    return encoder.sizes


def test_ainvoke_shares_batches(engine: Engine) -> None:
    sizes = on_a_loop(engine, ComposedImageRetriever(engine=engine).ainvoke, 5)  # the loop's own pool has few threads
    assert sum(sizes) == 5
    assert len(sizes) <= 3


def test_mcp_tool_calls_share_batches(engine: Engine) -> None:
    encoder = watched(engine, 8)

    async def run() -> list[bool | None]:
        async with Client(build_server(engine)) as client:
            calls = [client.call_tool("find_images", {"text": f"a hat of {i} ribbons"}) for i in range(8)]
            return [each.is_error for each in await asyncio.wait_for(asyncio.gather(*calls), SECONDS)]

    assert not any(asyncio.run(run()))
    assert sum(encoder.sizes) == 8
    assert len(encoder.sizes) <= 3
