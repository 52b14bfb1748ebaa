"""The tools of :mod:`ipcir_tools.agents.tools` as MCP tools.

MCP's own ``Tool`` is made directly, with its arguments unchecked: ``MCPServer.tool`` would derive a second model of the
arguments from a function's signature, whose messages a model cannot use. ``FuncMetadata`` and ``ArgModelBase`` are the
parts of mcp 2.3 that this needs; ``tests/agents/test_mcp_server.py`` fails where they change.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.mcpserver import Context, tools
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent, ToolAnnotations
from pydantic import ConfigDict

from ipcir_tools.agents.lanes import Lanes
from ipcir_tools.agents.mcp_resources import picture_uri
from ipcir_tools.agents.tools import Answer, CallContext, Tool, ToolCallError
from ipcir_tools.display.results import max_size
from ipcir_tools.errors import BusyError
from ipcir_tools.work import check_work

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


class _RawArguments(ArgModelBase):
    """The arguments of a call as they came: the tool's own model checks them, with messages of its own."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        """All of them as the one argument ``values``."""
        return {"values": dict(self.model_extra or {})}


SESSION_HEADER = "mcp-session-id"
"""The header of streamable HTTP that names a client's session."""


def mcp_tool(tool: Tool[Any], engine: Engine, lanes: Lanes, progress_interval: float, session: str) -> tools.Tool:
    """A tool over an engine as an MCP tool. It runs in its lane and reports progress in that interval.

    Turns belong to the client's session; over stdio, which has one client, ``session`` is its name.
    """

    async def call(values: dict[str, Any], ctx: Context[Any, Any]) -> CallToolResult:
        try:
            arguments = tool.read(values)
        except ToolCallError as error:
            return _error_result(str(error))
        async with _progress(ctx, tool.title, progress_interval) as context:
            try:
                own = engine.in_conversation(_session(ctx, session))
                answer = await lanes.of(tool.cheap).run(partial(tool.call, own, arguments, context))
            except (ToolCallError, BusyError) as error:
                return _error_result(str(error))
        return _result(tool, answer)

    output_schema = None if tool.has_pictures else tool.answer_schema
    return tools.Tool(
        fn=call,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        parameters=tool.schema,
        fn_metadata=FuncMetadata(arg_model=_RawArguments, output_schema=output_schema),
        is_async=True,
        context_kwarg="ctx",
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=False,
            idempotent_hint=tool.idempotent,
            open_world_hint=engine.settings.allow_urls,
        ),
    )


def _session(ctx: Context[Any, Any], otherwise: str) -> str | None:
    return otherwise if ctx.headers is None else ctx.headers.get(SESSION_HEADER)


@asynccontextmanager
async def _progress(ctx: Context[Any, Any], message: str, interval: float) -> AsyncIterator[CallContext]:
    """Report the seconds since the start, with what the call itself says of how far it is: at the start, at every
    interval and at the end, if the client wants it."""
    began, said = anyio.current_time(), [message]

    async def report() -> None:
        await ctx.report_progress(anyio.current_time() - began, None, said[-1])

    def note(what: str, done: int, total: int) -> None:
        check_work()
        said[:] = [f"{message}: {what}, {done} of {total}"]

    async def report_repeatedly() -> None:
        while True:
            await anyio.sleep(interval)
            await report()

    await ctx.report_progress(0.0, None, message)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(report_repeatedly)
        yield CallContext(note)
        tasks.cancel_scope.cancel()
    await report()


def _error_result(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)


def _result(tool: Tool[Any], answer: Answer) -> CallToolResult:
    """The same JSON as text and as structured content, as some clients read only one, with links to the hits as far as
    they fit. Pictures come with text alone: some clients drop them beside structured content."""
    if tool.has_pictures:
        blocks: list[ContentBlock] = [TextContent(type="text", text=answer.text)]
        blocks += [ImageContent(type="image", data=each.base64, mime_type=each.mime_type) for each in answer.pictures]
        return CallToolResult(content=blocks)
    text = answer.brief.model_dump_json()
    content: list[ContentBlock] = [TextContent(type="text", text=text), *_links(answer, len(text))]
    return CallToolResult(content=content, structured_content=answer.brief.model_dump(mode="json"))


def _links(answer: Answer, size: int) -> list[ResourceLink]:
    """Links to the hits, best first, as many as keep an answer whose text has ``size`` characters small."""
    hits = getattr(answer.brief, "hits", ())
    links = [
        ResourceLink(type="resource_link", uri=picture_uri(hit.id), name=hit.file, mime_type="image/jpeg")
        for hit in hits
    ]
    sizes = accumulate((len(link.model_dump_json(exclude_none=True)) for link in links), initial=size)
    return [link for link, total in zip(links, islice(sizes, 1, None), strict=True) if total <= max_size(len(hits))]
