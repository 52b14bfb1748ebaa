"""The resources of the MCP server: pictures and turns by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from ipcir_tools.agents.tools import TOOLS, Answer, ToolCallError
from ipcir_tools.text import excerpt

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


def add_resources(server: MCPServer[Any], engine: Engine) -> None:
    """Add ``ipcir://picture/{id}`` and ``ipcir://turn/{id}`` to a server."""

    @server.resource(
        "ipcir://picture/{id}",
        name="picture",
        title="A picture",
        description="A picture of the gallery as a small JPEG, by the id of a hit.",
        mime_type="image/jpeg",
    )
    def picture(id: str) -> bytes:
        return _thumbnail(engine, id)

    @server.resource(
        "ipcir://turn/{id}",
        name="turn",
        title="A turn",
        description="The request and the hits of a turn, by the id that a search returned.",
        mime_type="application/json",
    )
    def turn(id: str) -> str:
        return _call("show_turn", engine, turn=id).brief.model_dump_json()


def picture_uri(id: str) -> str:
    """The URI of a picture's resource."""
    return f"ipcir://picture/{id}"


def _thumbnail(engine: Engine, id: str) -> bytes:
    """A picture that the catalog knows, as ``show_images`` shows it: never another one that its file holds by now."""
    if id not in engine.for_agents().visibility.pictures([id]) or id not in engine.catalog.records([id]):
        raise ResourceNotFoundError(
            f"There is no picture with the id {excerpt(id)}: take one from the hits of a search."
        )
    answer = _call("show_images", engine, ids=[id], layout="thumbnails")
    if problem := answer.artifact["pictures"][0]["problem"]:
        raise ResourceError(f"Picture {id} cannot be shown ({problem}): index its folder again.")
    return answer.pictures[0].data


def _call(name: str, engine: Engine, **arguments: Any) -> Answer:
    tool = TOOLS[name]
    try:
        return tool.call(engine, tool.read(arguments))
    except ToolCallError as error:
        raise ResourceNotFoundError(str(error)) from error
