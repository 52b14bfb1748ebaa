"""Composed image search as LangChain tools that agents call.

::

    agent = create_agent("openai:gpt-...", IPCIRToolkit(engine).get_tools())

A tool returns text for the model and a plain-JSON artifact for the program; ``show_images`` also with image
blocks in its content. langchain-openai 1.7.3 sends those blocks correctly for the Responses API
(``input_image`` in the ``function_call_output``), but for Chat Completions as ``image_url`` parts of a message of role
``tool``, which OpenAI answers with an error: there the pictures must be moved to a user message before they are sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool, BaseToolkit, ToolException
from langgraph.config import get_stream_writer
from pydantic import Field, ValidationError

from ipcir_tools.agents.tools import TOOLS, Answer, CallContext, Tool, ToolCallError, tools_for, validation_message
from ipcir_tools.arguments import wrong_arguments
from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.bounds import check_call
from ipcir_tools.engine.conversation import thread_of

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


Content = str | list[dict[str, Any]]
"""The content of a tool message: text, or a text block and image blocks."""


class IPCIRToolkit(BaseToolkit):
    """All tools over one engine as LangChain tools, sync and async.

    ``show_images`` adds the tool that shows pictures: for models that take images.
    """

    engine: Any = Field(repr=False)
    show_images: bool = False

    def __init__(self, engine: Engine, show_images: bool = False) -> None:
        super().__init__(engine=engine, show_images=show_images)

    def get_tools(self) -> list[BaseTool]:
        """The tools, in the order in which a model should read them."""
        offered = tools_for(self.engine.settings)
        return [langchain_tool(tool, self.engine) for tool in offered if self.show_images or not tool.has_pictures]


def compose_search_tool(engine: Engine) -> EngineTool:
    """``compose_search`` alone, for agents that need no dialogue."""
    return langchain_tool(TOOLS["compose_search"], engine)


def langchain_tool(tool: Tool[Any], engine: Engine) -> EngineTool:
    """A tool over an engine as a LangChain tool."""
    return EngineTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.arguments,
        definition=tool,
        engine=engine,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=_validation_message,
    )


class EngineTool(BaseTool):
    """A tool over an engine as a LangChain tool.

    No arguments raise: a call that cannot be answered returns a message that says what to do. It pickles with its
    engine, which is opened again from its settings.
    """

    definition: Any = Field(repr=False)
    engine: Any = Field(repr=False)

    @property
    def tool_call_schema(self) -> dict[str, Any]:
        """The schema that a model reads: short, and fit for ``bind_tools(tools, strict=True)``."""
        tool: Tool[Any] = self.definition
        return tool.schema | {"description": self.description}

    def run(self, tool_input: str | dict[str, Any], *args: Any, **keywords: Any) -> Any:
        """Run the tool; what goes beyond the bounds is refused here, before LangChain writes it out."""
        return super().run(_within_bounds(tool_input), *args, **keywords)

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **keywords: Any) -> Any:
        """The same, async."""
        return await super().arun(_within_bounds(tool_input), *args, **keywords)

    def _parse_input(self, tool_input: str | dict[str, Any], tool_call_id: str | None) -> str | dict[str, Any]:
        if isinstance(tool_input, _Refused):
            raise ToolException(tool_input["refused"])
        parsed: str | dict[str, Any] = super()._parse_input(tool_input, tool_call_id)
        return parsed

    def _run(self, *whole: str, **values: Any) -> tuple[Content, dict[str, Any]]:
        """The content and the artifact. ``whole``: a program's text in place of named arguments."""
        tool: Tool[Any] = self.definition
        try:
            own = self.engine.in_conversation(thread_of(ensure_config()))
            answer = tool.call(own, tool.read(whole[0] if whole else values), CallContext(_stream_progress()))
        except ToolCallError as error:
            raise ToolException(str(error)) from error
        return _content(answer), answer.artifact


class _Refused(dict[str, str]):
    """In the place of arguments that go beyond the bounds: why."""


def _within_bounds(tool_input: str | dict[str, Any]) -> str | dict[str, Any]:
    try:
        check_call(tool_input)
    except ValueError as error:
        return _Refused(refused=wrong_arguments(str(error)))
    return tool_input


def _stream_progress() -> Progress:
    """Reports to who streams the agent's run with ``stream_mode="custom"``; nothing outside of one."""
    try:
        write = get_stream_writer()
    except (RuntimeError, KeyError):  # not in a graph
        return no_progress
    return lambda what, done, total: write({"progress": what, "done": done, "total": total})


def _content(answer: Answer) -> Content:
    """The text alone where there are no pictures: some providers take nothing else from a tool."""
    if not answer.pictures:
        return answer.text
    pictures = [{"type": "image", "base64": each.base64, "mime_type": each.mime_type} for each in answer.pictures]
    return [{"type": "text", "text": answer.text}, *pictures]


def _validation_message(error: ValidationError | Any) -> str:
    """What is wrong, for the model; langchain-core may also pass an error of pydantic's version 1."""
    return validation_message(error) if isinstance(error, ValidationError) else f"The arguments are wrong: {error}"
