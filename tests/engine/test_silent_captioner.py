"""A captioner's server that never answers holds up no search that needs no new caption."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from faulty_servers import CAPTION, RawServer, content, holding
from PIL import Image

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.fakes import FakeEncoder
from ipcir_tools.settings import Settings

COLOURS = ("red", "blue", "green", "black", "white", "yellow", "purple", "brown")


@pytest.fixture
def server(monkeypatch) -> Any:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with closing(RawServer(holding())) as made:
        yield made


@pytest.fixture
def engine(server, tmp_path) -> Any:
    """Eight pictures that are indexed and have captions; the captioner is on a server that never answers."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour in COLOURS:
        Image.new("RGB", (32, 32), colour).save(photos / f"{colour}.png")
    chosen = Settings(
        home=tmp_path / "home", captioner="chat:openai:m", llm_base_url=server.url, llm_timeout=30, llm_concurrency=1
    )
    with Engine.open(chosen) as opened:
        opened.components.encoder, opened.components.check_space = FakeEncoder(), lambda: None
        opened.index([photos])
        ids = opened.catalog.ids_of([str(photos / f"{colour}.png") for colour in COLOURS])
        opened.catalog.put_captions({id_: f"a shirt {id_}" for id_ in ids}, opened.components.captioner_id)
        yield opened


def another(tmp_path: Path, i: int) -> Path:
    path = tmp_path / f"new {i}.png"
    Image.new("RGB", (32, 32), (i, 100, 200)).save(path)
    return path


def test_eight_searches_with_captions_answer_while_another_waits_for_one(engine, server, tmp_path):
    known = sorted(engine.catalog.matrix(engine.catalog.space())[0])
    with ThreadPoolExecutor(10) as pool:
        waiting = pool.submit(engine.search, another(tmp_path, 1), "in blue")
        while not server.requests:
            assert not waiting.done(), waiting.exception()
        found = [pool.submit(engine.search, id_, "in blue") for id_ in known]
        assert all(each.result(60).hits for each in found)
        refined = engine.refine(found[0].result().turn.id, "and darker")
        assert refined.hits
        assert not waiting.done()
        server.answer = lambda *_: None
        server.end()
        with pytest.raises(ModelUnavailableError, match="captioner"):
            waiting.result(60)
        server.answer = content(CAPTION)
        assert engine.search(another(tmp_path, 2), "in blue").hits
        assert engine.caption(another(tmp_path, 2)).text == CAPTION
