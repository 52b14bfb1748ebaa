"""The gallery as LangChain's vector store: as the README shows it, on the demo models, and on a Chroma server."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from langchain_chroma import Chroma

from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world.wardrobe import wardrobe
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError
from ipcir_tools.settings import Settings

ROOT = Path(__file__).parents[2]
PICTURES = 10


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """A folder with ``pictures`` and ``my-gallery``, captioned; tests copy it."""
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "pictures").mkdir()
    for each in wardrobe("test", families=1).pictures[:PICTURES]:
        render(each.garment, each.scene).save(folder / "pictures" / each.name)
    with Engine.open(Settings(home=folder / "my-gallery", models="demo")) as engine:
        engine.index([folder / "pictures"], captions=True)
    return folder


@pytest.fixture
def folder(drawn, tmp_path) -> Path:
    shutil.copytree(drawn / "my-gallery", tmp_path / "my-gallery")
    return tmp_path


@pytest.fixture
def engine(folder):
    with Engine.open(Settings(home=folder / "my-gallery")) as opened:
        yield opened


def test_the_readme_shows_it(folder, monkeypatch, capsys):
    code = re.findall(
        r"```python\n(.*?)```", (ROOT / "ipcir_tools" / "docs" / "programs.md").read_text(encoding="utf-8"), re.DOTALL
    )
    [snippet] = [each for each in code if "vectorstore()" in each]
    monkeypatch.chdir(folder)
    exec(compile(snippet, "programs.md", "exec"), {})
    *found, many = capsys.readouterr().out.splitlines()
    assert (len(found), many) == (3, "5")
    assert all(re.fullmatch(r"[0-9a-f]{16} .+ /.*\.jpg", line) for line in found)


def test_it_is_langchains_store_with_captions_and_facts(engine):
    store = engine.vectorstore()
    assert isinstance(store, Chroma)
    found = store.similarity_search("a shirt", k=PICTURES)
    assert sorted(each.id for each in found) == engine.catalog.gallery_ids()
    captions = engine.catalog.captions([each.id for each in found], engine.components.captioner_id)
    for each in found:
        assert each.page_content == captions[each.id]
        assert Path(each.metadata["source"]).name == each.metadata["name"]
        assert {"folder", "format", "taken"} <= set(each.metadata)
    vector = engine.components.features.texts(["a shirt"])[0]
    features = engine.catalog.features([each.id for each in found], engine.catalog.space())
    assert [each.id for each in found] == sorted(features, key=lambda id_: -float(features[id_] @ vector))


def test_it_is_brought_up_to_date_each_time(engine, drawn):
    before = engine.vectorstore()
    assert before.similarity_search("a shirt", k=2 * PICTURES, filter={"format": "png"}) == []
    engine.remove([drawn / "pictures"])
    with pytest.raises(EmptyGalleryError):
        engine.vectorstore()
    engine.index([drawn / "pictures"])
    assert len(engine.vectorstore().similarity_search("a shirt", k=2 * PICTURES)) == PICTURES


def test_pictures_are_looked_for_by_pictures(engine, drawn):
    picture = min((drawn / "pictures").iterdir())
    [found] = engine.vectorstore().similarity_search_by_image(str(picture), k=1)
    assert found.metadata["source"] == str(picture)


def test_searches_go_on_after_the_store_was_opened(engine, drawn):
    first = engine.find("a red shirt").turn.hits
    engine.vectorstore()
    assert [hit.id for hit in engine.find("a red shirt").turn.hits] == [hit.id for hit in first]


def test_on_a_server_it_is_the_same(folder, engine, chroma):
    expected = engine.vectorstore().similarity_search("a red shirt", k=PICTURES)
    with Engine.open(Settings(home=folder / "my-gallery", chroma_url=chroma.url)) as remote:
        assert remote.vectorstore().similarity_search("a red shirt", k=PICTURES) == expected
    for name in chroma.collections():
        chroma.client().delete_collection(name)


def test_without_langchain_chroma_the_extra_is_named(engine, monkeypatch):
    monkeypatch.setitem(sys.modules, "langchain_chroma", None)
    with pytest.raises(InvalidRequestError, match=r"pip install 'ipcir-tools\[vectorstore\]'"):
        engine.vectorstore()
