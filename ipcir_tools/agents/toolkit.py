"""Composed image search as LangChain tools that agents call.

::

    agent = create_agent("openai:gpt-...", IPCIRToolkit(engine).get_tools())

A tool answers with text for the model and a plain-JSON artifact for the program; ``show_images`` also with image
blocks in its content. langchain-openai 1.7.3 sends those blocks on as they should be for the Responses API
(``input_image`` in the ``function_call_output``), but for Chat Completions as ``image_url`` parts of a message of role
``tool``, which OpenAI answers with an error: there the pictures must be moved to a user message before they are sent.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, BaseToolkit, StructuredTool, ToolException
from pydantic import Field, ValidationError

from ipcir_tools.agents.tools import OPERATIONS, SEEING, Answer, Operation, ToolCallError, validation_message

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine


Content = str | list[dict[str, Any]]
"""What a model reads: text, or a text block and image blocks."""


class IPCIRToolkit(BaseToolkit):
    """All operations over one engine as LangChain tools, sync and async.

    ``show_images`` adds the tool that shows pictures; leave it off for models that read text alone.
    """

    engine: Any = Field(repr=False)
    show_images: bool = False

    def __init__(self, engine: Engine, show_images: bool = False) -> None:
        super().__init__(engine=engine, show_images=show_images)

    def get_tools(self) -> list[BaseTool]:
        """The tools, in the order in which a model should read them."""
        return [
            tool_of(operation, self.engine)
            for operation in OPERATIONS.values()
            if self.show_images or operation.name not in SEEING
        ]


def compose_search_tool(engine: Engine) -> StructuredTool:
    """``compose_search`` alone, for agents that need no dialogue."""
    return tool_of(OPERATIONS["compose_search"], engine)


def tool_of(operation: Operation[Any], engine: Engine) -> StructuredTool:
    """An operation as a LangChain tool.

    Nothing that a model passes raises: a call that cannot be answered comes back as a message that says what to do.
    """

    def call(**given: Any) -> tuple[Content, dict[str, Any]]:
        try:
            answer = operation.call(engine, operation.arguments.model_validate(given))
        except ToolCallError as refused:
            raise ToolException(str(refused)) from refused
        return _content(answer), answer.artifact

    return StructuredTool.from_function(
        call,
        name=operation.name,
        description=operation.about,
        args_schema=operation.arguments,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=_mended,
    )


def _content(answer: Answer) -> Content:
    """The text alone where there are no pictures: some providers take nothing else from a tool."""
    if not answer.pictures:
        return answer.text
    pictures = [
        {"type": "image", "base64": b64encode(each.data).decode(), "mime_type": each.mime_type}
        for each in answer.pictures
    ]
    return [{"type": "text", "text": answer.text}, *pictures]


def _mended(error: ValidationError | Any) -> str:
    """What is wrong, for the model; langchain-core may also hand in the error of pydantic's first version."""
    return validation_message(error) if isinstance(error, ValidationError) else f"The arguments are wrong: {error}"
