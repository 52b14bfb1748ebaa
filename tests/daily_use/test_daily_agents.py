"""What agents run into: where a hit's file is, how they name pictures, what they write for arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from colour_folder import draw, use_fake_models
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.agents.tools import TOOLS, Answer, ToolCallError
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import IPCIRError
from ipcir_tools.fakes import ScriptedChatModel
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
