"""LangChain's own tests for tools, on every tool, with the demo models and a gallery of eight drawn pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.agents.tools import TOOLS
from ipcir_tools.demo.drawing.render import render
from ipcir_tools.demo.world.wardrobe import wardrobe
from ipcir_tools.engine.engine import Engine
from ipcir_tools.settings import Settings


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("wardrobe")
    for drawn in wardrobe("test", families=1).pictures[:8]:
        render(drawn.garment, drawn.scene).save(folder / drawn.name)
    with Engine.open(Settings(home=folder / "home", models="demo")) as engine:
        engine.index([folder])
        yield engine


def example(engine: Engine, name: str) -> dict[str, Any]:
    """A call of the tool that succeeds."""
    one, other = engine.catalog.gallery_ids()[:2]
    turn = engine.find("a red dress").turn.id if name in ("refine_search", "show_turn") else ""
    return {
        "compose_search": {"reference": one, "modification": "in blue"},
        "refine_search": {"turn": turn, "reference": "1", "modification": "in green", "disliked": ["2"]},
        "find_images": {"text": "a red dress", "where": {"width": {"$gt": 10}}},
        "caption_image": {"reference": one},
        "imagine_target": {"reference": one, "modification": "in blue"},
        "encode": {"text": "a blue dress"},
        "fused_search": {"vectors": [{"handle": one, "weight": 0.5}, {"handle": other, "weight": -0.2}]},
        "show_turn": {"turn": turn},
        "list_turns": {},
        "describe_gallery": {},
        "show_images": {"ids": [one, other]},
    }[name]


class OfEveryTool:
    """Gives the standard tests one tool after the other, and a call that succeeds."""

    @pytest.fixture(autouse=True, params=list(TOOLS))
    def _chosen(self, gallery: Engine, request: pytest.FixtureRequest) -> None:
        self.made = {tool.name: tool for tool in IPCIRToolkit(gallery, show_images=True).get_tools()}[request.param]
        self.asked = example(gallery, request.param)

    @property
    def tool_constructor(self) -> BaseTool:
        return self.made

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.asked


class TestUnit(OfEveryTool, ToolsUnitTests):
    pass


class TestIntegration(OfEveryTool, ToolsIntegrationTests):
    pass


@pytest.mark.parametrize("name", TOOLS)
async def test_the_examples_of_the_standard_tests_succeed(gallery, name):
    """The suites take an error for an answer; these are none."""
    tool = {tool.name: tool for tool in IPCIRToolkit(gallery, show_images=True).get_tools()}[name]
    called = {"name": name, "args": example(gallery, name), "id": "1", "type": "tool_call"}
    assert [tool.invoke(called).status, (await tool.ainvoke(called)).status] == ["success", "success"]
