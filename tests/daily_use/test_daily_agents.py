"""What agents run into: where a hit's file is, how they name pictures, what they write for arguments."""

from __future__ import annotations

import pickle
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from colour_folder import ENCODER, draw, use_fake_models
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from mcp import Client

from ipcir_tools.agents.mcp_server import build_server
from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.agents.tools import TOOLS, Answer, ToolCallError
from ipcir_tools.embeddings import OpenClipEmbeddings
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import IPCIRError
from ipcir_tools.fakes import FakeEncoder, ScriptedChatModel
from ipcir_tools.retriever import ComposedImageRetriever
from ipcir_tools.settings import Settings


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """``Photos`` with ``2023`` (red) and ``2024/beach`` (blue and green); ``first.png`` is in both."""
    folder = tmp_path_factory.mktemp("disk") / "Photos"
    folder.mkdir()
    (folder / "2024").mkdir()
    draw(folder / "2023", ("red",))
    draw(folder / "2024" / "beach", ("blue", "green"))
    (folder / "2023" / "red-0.png").rename(folder / "2023" / "first.png")
    (folder / "2024" / "beach" / "blue-0.png").rename(folder / "2024" / "beach" / "first.png")
    return folder


@pytest.fixture(scope="module")
def engine(photos, tmp_path_factory) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        use_fake_models(patch)
        with Engine.open(Settings(home=tmp_path_factory.mktemp("home"))) as engine:
            engine.index([photos], captions=True)
            yield engine


def do(engine: Engine, name: str, /, **arguments: Any) -> Answer:
    return TOOLS[name].call(engine, TOOLS[name].read(arguments))


def id_of(engine: Engine, end: str) -> str:
    return next(iter(engine.catalog.files_ending(end)))


# --- words and paths for hits


def test_an_agent_says_from_text_alone_which_folder_a_hit_is_in_and_what_is_on_it(engine):
    """A scripted conversation: what the model answers is what it read in the tools' texts."""

    def shown(messages: list[BaseMessage]) -> tuple[str, str]:
        text = next(message.text for message in reversed(messages) if message.type == "tool")
        shared = re.search(r'all in folder "([^"]+)"', text)
        file, caption = re.search(r'^2\. [0-9a-f]{16} .*file "([^"]+)" caption "([^"]+)"', text, re.MULTILINE).groups()
        return str(Path(shared[1] if shared else "", file).parent), caption

    model = ScriptedChatModel(
        replies=[
            AIMessage("", tool_calls=[{"name": "find_images", "args": {"text": "a red shirt", "k": 2}, "id": "1"}]),
            "Here they are.",
            lambda messages: f"It is in {shown(messages)[0]}.",
            lambda messages: f"It shows {shown(messages)[1]}.",
            AIMessage("", tool_calls=[{"name": "find_images", "args": {"text": "a red shirt", "k": 6}, "id": "2"}]),
            lambda messages: f"It is in {shown(messages)[0]}.",
        ]
    )
    agent, messages, said = create_agent(model, IPCIRToolkit(engine).get_tools()), [], []
    for words in ("red, please", "which folder is the second one in?", "what is on it?", "six, and the folder?"):
        messages = agent.invoke({"messages": [*messages, HumanMessage(words)]})["messages"]
        said.append(messages[-1].content)
    assert said == ["Here they are.", "It is in Photos/2023.", "It shows a red shirt.", "It is in Photos/2023."]


@pytest.mark.parametrize(
    ("show", "shown"), [("name", "red-1.png"), ("folder", "Photos/2023/red-1.png"), ("path", None)]
)
def test_the_setting_says_what_agents_see_of_a_files_place(engine, photos, monkeypatch, show, shown):
    monkeypatch.setattr(engine.components, "settings", engine.settings.model_copy(update={"show_paths": show}))
    answer = do(engine, "find_images", text="a red shirt", k=3)
    folder = answer.brief.folder or ""
    expected = shown or str(photos / "2023" / "red-1.png")
    assert any(expected.endswith(str(Path(folder.lstrip("…"), hit.file))) for hit in answer.brief.hits)
    assert (folder == "") == (show == "name")
    assert (f'all in folder "{folder}"' in answer.text) == (show != "name")
    assert (str(photos.parent) in answer.text) <= (show == "path")


def test_what_a_hit_shows_of_its_file_names_it_again(engine):
    found = do(engine, "find_images", text="a green shirt", k=4).brief
    for hit in found.hits:
        name = str(Path(found.folder, hit.file))
        assert do(engine, "caption_image", reference=name).brief.reference == hit.id


# --- pictures as agents name them


@pytest.mark.parametrize("name", ["red-1.png", "2023/red-1.png", "./red-1.png", "Photos/2023/red-1.png", "RED-1.PNG"])
def test_a_unique_name_is_enough(engine, name):
    assert do(engine, "caption_image", reference=name).brief.reference == id_of(engine, "red-1.png")


def test_a_file_uri_names_a_file_of_the_gallery_and_no_other(engine, photos):
    file = photos / "2023" / "red-1.png"
    for uri in (file.as_uri(), f"file://localhost{file}", f"file:{file}"):
        assert do(engine, "caption_image", reference=uri).brief.reference == id_of(engine, "red-1.png")
    with pytest.raises(ToolCallError, match="neither in the gallery nor in an allowed folder"):
        do(engine, "caption_image", reference="file:///etc/passwd")


def test_a_name_of_several_is_refused_with_the_candidates(engine):
    with pytest.raises(ToolCallError, match=r"Several pictures are called first\.png") as refused:
        do(engine, "compose_search", reference="first.png", modification="in green")
    for folder, colour in (("2023", "red"), ("2024/beach", "blue")):
        assert f"{id_of(engine, f'{folder}/first.png')} (Photos/{folder}/first.png)" in str(refused.value), colour


@pytest.mark.parametrize("rank", ["2", "#2", "hit 2", "no. 2", 2, 2.0, "picture #2"])
def test_a_rank_in_the_turn_that_is_refined(engine, rank):
    found = do(engine, "find_images", text="a red shirt").brief
    again = do(engine, "refine_search", turn=found.turn, reference=rank, modification="in green").brief
    assert again.reference == found.hits[1].id


@pytest.mark.parametrize("words", ["2 of turn {}", "hit 2 of {}", "#2 in turn {}"])
def test_a_rank_of_any_turn(engine, words):
    found = do(engine, "find_images", text="a red shirt").brief
    do(engine, "find_images", text="a green shirt")
    answer = do(engine, "compose_search", reference=words.format(found.turn), modification="in green")
    assert answer.brief.reference == found.hits[1].id
    with pytest.raises(ToolCallError, match="has no hit 99"):
        do(engine, "caption_image", reference=f"99 of turn {found.turn}")


def test_a_turn_in_place_of_a_picture_and_a_picture_in_place_of_a_turn(engine):
    found = do(engine, "find_images", text="a red shirt").brief
    with pytest.raises(ToolCallError, match=f"{found.turn} is a turn, not a picture: call refine_search"):
        do(engine, "compose_search", reference=found.turn, modification="in green")
    with pytest.raises(ToolCallError, match="is a picture, not a turn: call compose_search"):
        do(engine, "refine_search", turn=found.hits[0].id, modification="in green")
    with pytest.raises(ToolCallError, match=r"2 is a rank, and no turn is given: .*'2 of turn t"):
        do(engine, "compose_search", reference="2", modification="in green")


def test_a_name_of_what_is_known_but_not_in_the_gallery_names_nothing(engine, photos, tmp_path):
    other = tmp_path / "elsewhere.png"
    draw(tmp_path, ("yellow",))
    (tmp_path / "yellow-0.png").rename(other)
    engine.caption(other)  # a program did
    for name in ("elsewhere.png", str(other), other.as_uri()):
        with pytest.raises(ToolCallError, match="neither in the gallery nor in an allowed folder"):
            do(engine, "caption_image", reference=name)


def test_a_person_may_type_the_same(engine, photos, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = engine.find("a red shirt").turn
    for typed in ("red-1.png", f"1 of turn {found.id}", (photos / "2023" / "red-1.png").as_uri()):
        assert engine.resolve(engine.local_reference(typed))[0].id
    with pytest.raises(IPCIRError, match="There is no file"):
        engine.resolve(engine.local_reference("red-9.png"))


# --- the gallery as a whole


def test_an_agent_asks_what_is_in_the_gallery(engine):
    answer = do(engine, "describe_gallery")
    assert answer.text.startswith("9 pictures")
    for words in ("captioned 9,", '"png" 9', '"Photos/2024/beach" 6', "imagined by rules", "filters by name, folder"):
        assert words in answer.text
    assert len(answer.text) < 2_000
    assert answer.brief.filters[:2] == ["name", "folder"]
    assert do(engine, "describe_gallery", limit=1).brief.more_folders == 1


def test_where_agents_see_no_folders_the_gallery_names_none(engine, monkeypatch):
    monkeypatch.setattr(engine.components, "settings", engine.settings.model_copy(update={"show_paths": "name"}))
    answer = do(engine, "describe_gallery")
    assert ("Photos" in answer.text, answer.brief.folders, answer.brief.more_folders) == (False, {}, 2)


@pytest.mark.parametrize(("show", "shown"), [("folder", "local-dir:clip,"), ("path", "local-dir:/home/anna/clip,")])
def test_a_model_in_a_folder_is_named_without_the_path_that_agents_are_not_shown(engine, monkeypatch, show, shown):
    models = replace(engine.components.models, encoder="open_clip:local-dir:/home/anna/clip")
    monkeypatch.setattr(engine.components, "models", models)
    monkeypatch.setattr(engine.components, "settings", engine.settings.model_copy(update={"show_paths": show}))
    assert f"open_clip:{shown}" in do(engine, "describe_gallery").text


def test_an_empty_gallery_says_how_to_fill_it(tmp_path):
    with Engine.open(Settings(home=tmp_path)) as engine:
        assert "ipcir index FOLDER" in do(engine, "describe_gallery").text


# --- indexing, where the settings let agents


@pytest.fixture
def indexing(tmp_path, monkeypatch) -> Iterator[Engine]:
    use_fake_models(monkeypatch)
    (tmp_path / "allowed").mkdir()
    draw(tmp_path / "allowed" / "new", ("red",))
    draw(tmp_path / "other", ("blue",))
    settings = Settings(home=tmp_path / "home", allow_folders=(tmp_path / "allowed",), agent_index=True)
    with Engine.open(settings) as engine:
        yield engine


def test_agents_index_only_where_the_setting_says_so(engine, indexing):
    assert "index_pictures" not in [tool.name for tool in IPCIRToolkit(engine).get_tools()]
    assert "index_pictures" in [tool.name for tool in IPCIRToolkit(indexing).get_tools()]


def test_an_agent_indexes_an_allowed_folder_with_progress(indexing, tmp_path):
    asked = {"name": "index_pictures", "args": {"path": "new", "captions": "yes"}, "id": "1"}
    model = ScriptedChatModel(replies=[AIMessage("", tool_calls=[asked]), "Done."])
    agent = create_agent(model, IPCIRToolkit(indexing).get_tools())
    reports = list(agent.stream({"messages": [HumanMessage("add them")]}, stream_mode="custom"))
    assert reports
    assert all({"progress", "done", "total"} == set(report) for report in reports)
    assert indexing.catalog.size() == 3
    assert model.received[-1][-1].text.startswith("indexed: 3 added, 0 unchanged")


@pytest.mark.parametrize("path", ["{}/other", "../other", "/etc", "", "~", "{}/allowed/../other", "missing"])
def test_no_other_folder_is_indexed_nor_told_apart(indexing, tmp_path, path):
    tool = next(tool for tool in IPCIRToolkit(indexing).get_tools() if tool.name == "index_pictures")
    called = {"name": tool.name, "args": {"path": path.format(tmp_path)}, "id": "1", "type": "tool_call"}
    message = tool.invoke(called)
    assert message.status == "error"
    assert "is in no folder that may be indexed" in message.content
    assert indexing.catalog.size() == 0


def test_a_folder_with_a_control_character_is_refused_by_its_field(indexing):
    tool = next(tool for tool in IPCIRToolkit(indexing).get_tools() if tool.name == "index_pictures")
    message = tool.invoke({"name": tool.name, "args": {"path": "new\0"}, "id": "1", "type": "tool_call"})
    assert (message.status, indexing.catalog.size()) == ("error", 0)
    assert "path: has a control character at place 4" in message.content


# --- over MCP


async def test_hits_come_with_links_that_open(engine):
    async with Client(build_server(engine)) as client:
        few = await client.call_tool("find_images", {"text": "a red shirt", "k": 3})
        many = await client.call_tool("find_images", {"text": "a red shirt", "k": 9})
        links = few.content[1:]
        opened = await client.read_resource(links[0].uri)
    assert [str(link.uri) for link in links] == [
        f"ipcir://picture/{hit['id']}" for hit in few.structured_content["hits"]
    ]
    assert links[0].name == few.structured_content["hits"][0]["file"]
    assert opened.contents[0].mime_type == "image/jpeg"
    assert sum(len(block.model_dump_json(exclude_none=True)) for block in many.content) < 2_300


# --- pickling


def test_a_retriever_a_tool_and_an_engine_pickle_with_the_home_that_they_open(photos, tmp_path, monkeypatch):
    use_fake_models(monkeypatch)
    with Engine.open(Settings(home=tmp_path / "home")) as engine:
        engine.index([photos])
        retriever = ComposedImageRetriever(engine=engine, k=2)
        tool = IPCIRToolkit(engine).get_tools()[2]
        found = [document.id for document in retriever.invoke("a red shirt")]
        copy, tool_copy = pickle.loads(pickle.dumps(retriever)), pickle.loads(pickle.dumps(tool))
        assert [document.id for document in copy.invoke("a red shirt")] == found
        assert found[0] in tool_copy.invoke({"text": "a red shirt"})
        copy.engine.close()
        tool_copy.engine.close()
        kept = pickle.dumps(engine)
    shutil.rmtree(tmp_path / "home")
    with pytest.raises(IPCIRError, match=r"The pickled engine's home .* is not here: open one with"):
        pickle.loads(kept)


def test_embeddings_pickle_by_name_and_are_refused_with_an_object(monkeypatch):
    use_fake_models(monkeypatch)
    named = OpenClipEmbeddings(ENCODER)
    vector = named.embed_query("red")
    assert pickle.loads(pickle.dumps(named)).embed_query("red") == vector
    with pytest.raises(IPCIRError, match="cannot be pickled: make them with the name of a model"):
        pickle.dumps(OpenClipEmbeddings(encoder=FakeEncoder(ENCODER)))
