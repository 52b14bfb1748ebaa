"""A chat agent that searches: ``build_agent(llm, engine)``, or ``IPCIRMiddleware(engine)`` for an agent of your own.

This module and ``model_calls`` import ``langchain.agents``; no other module of the package does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, hook_config
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, InvalidToolCall, SystemMessage, ToolMessage
from pydantic import ValidationError

from ipcir_tools.agents.message_format import extend_system_message, format_messages
from ipcir_tools.agents.toolkit import IPCIRToolkit
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.llm.chat_model import unavailable_message
from ipcir_tools.prompts import load_prompt

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Checkpointer

    from ipcir_tools.engine.engine import Engine


MAX_DEPTH = 50
"""Levels of nesting in a call's arguments; the tools' own filters need a handful."""
TOO_DEEP = "nested too deeply"
MAX_TRIES = 3
"""Unreadable replies in a row, after which the model's turn ends."""
MAX_STEPS = 100
"""Steps of one run of the ready agent, some thirty calls of its model: LangGraph's ``recursion_limit``."""

_NOT_AN_OBJECT = "The arguments of {name} are no JSON object, so nothing was done: call again with one JSON object."
_TOO_DEEP_MESSAGE = (
    "The arguments of {name} are nested too deeply, so nothing was done: call again with flat arguments."
)
_UNREADABLE_REPLY = (
    "Your last reply could not be read: the arguments of a tool call were no JSON object. "
    "Reply again, with one JSON object for each call."
)
_GIVEN_UP = "The language model called its tools with arguments that cannot be read, several times: ask again."


def build_agent(
    llm: str | BaseChatModel,
    engine: Engine,
    *,
    show_images: bool = False,
    checkpointer: Checkpointer = None,
    system_prompt: str | SystemMessage | None = None,
    middleware: Sequence[AgentMiddleware[Any, Any, Any]] = (),
    **options: Any,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The ready chat agent over an engine, sync and async.

    ``llm`` is a chat model or a name that ``init_chat_model`` takes ("openai:gpt-5-mini"). With ``show_images`` the
    model may look at pictures: for models that take images. The package's system prompt follows ``system_prompt``.
    ``options`` go to ``create_agent``: ``tools`` of your own, ``response_format``, ``name``, ... A run of more than
    ``MAX_STEPS`` steps raises GraphRecursionError; a run's own ``recursion_limit`` goes before it.

    Raises ModelUnavailableError for a name without a provider, package or key, and InvalidRequestError for what is no
    chat model.
    """
    agent: CompiledStateGraph[Any, Any, Any, Any] = create_agent(
        _chat_model(llm),
        system_prompt=system_prompt,
        middleware=[
            *middleware,
            IPCIRMiddleware(engine, show_images=show_images),
        ],  # last, so that it formats the final messages
        checkpointer=checkpointer,
        **options,
    )
    return agent.with_config(recursion_limit=MAX_STEPS)


def _chat_model(llm: str | BaseChatModel) -> BaseChatModel:
    if isinstance(llm, str):
        try:
            model: BaseChatModel = init_chat_model(llm)
        except Exception as error:  # every integration raises its own types for a bad name or key
            raise ModelUnavailableError(unavailable_message(llm, error)) from error
        return model
    if not isinstance(llm, BaseChatModel):
        raise InvalidRequestError(f"An agent needs a chat model or its name, not {type(llm).__name__}.")
    return llm


class IPCIRMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Hands ``create_agent`` the toolkit and a system prompt, and repairs what would end the agent's loop.

    Put it last among several. It changes only the messages to the model, never the state: pictures go into a user's
    message, as Chat Completions takes none from a tool. A call whose arguments are no JSON object gets an error.
    """

    def __init__(self, engine: Engine, show_images: bool = False, prompt: str = "agent") -> None:
        """``prompt`` is the id of a prompt without variables. Raises NotFoundError for an unknown one."""
        super().__init__()
        self.tools = IPCIRToolkit(engine, show_images=show_images).get_tools()
        self._prompt = load_prompt(prompt).render()[0].text

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | AIMessage:
        """Call the model with the system prompt and with messages that every API takes."""
        request = self._prepare(request)
        for _ in range(MAX_TRIES):
            try:
                return _check_calls(handler(request))
            except (ValidationError, RecursionError) as error:
                request = _retry_request(request, error)
        return AIMessage(_GIVEN_UP)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any] | AIMessage:
        """The same for an async agent."""
        request = self._prepare(request)
        for _ in range(MAX_TRIES):
            try:
                return _check_calls(await handler(request))
            except (ValidationError, RecursionError) as error:
                request = _retry_request(request, error)
        return AIMessage(_GIVEN_UP)

    @hook_config(can_jump_to=["model"])
    def after_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Answer calls whose arguments are no JSON: the agent's loop ignores them, and would end."""
        reply = state["messages"][-1]
        if not isinstance(reply, AIMessage) or not reply.invalid_tool_calls:
            return None
        answers = [
            ToolMessage(
                (_TOO_DEEP_MESSAGE if call["error"] == TOO_DEEP else _NOT_AN_OBJECT).format(name=call["name"]),
                name=call["name"],
                tool_call_id=str(call["id"]),
                status="error",
            )
            for call in reply.invalid_tool_calls
        ]
        return {"messages": answers, **({} if reply.tool_calls else {"jump_to": "model"})}

    def _prepare(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        return request.override(
            system_message=extend_system_message(request.system_message, self._prompt),
            messages=format_messages(request.messages),
        )


def _is_deep(value: Any) -> bool:
    """Whether JSON is nested deeper than ``MAX_DEPTH``: recursion over it may overflow the stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level if isinstance(each, dict | list) for inner in _children(each)]
        if not level:
            return False
    return True


def _children(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _check_calls(response: ModelResponse[Any]) -> ModelResponse[Any]:
    """The response with its too deeply nested calls among the invalid ones, before anything walks their arguments."""
    return replace(response, result=[_reject_deep_calls(each) for each in response.result])


def _reject_deep_calls(reply: BaseMessage) -> BaseMessage:
    if not isinstance(reply, AIMessage) or not any(_is_deep(call["args"]) for call in reply.tool_calls):
        return reply
    deep = [
        InvalidToolCall(name=call["name"], args="", id=call["id"], error=TOO_DEEP, type="invalid_tool_call")
        for call in reply.tool_calls
        if _is_deep(call["args"])
    ]
    flat = [call for call in reply.tool_calls if not _is_deep(call["args"])]
    return reply.model_copy(update={"tool_calls": flat, "invalid_tool_calls": [*reply.invalid_tool_calls, *deep]})


def _retry_request(request: ModelRequest[Any], error: ValidationError | RecursionError) -> ModelRequest[Any]:
    """The request with a note on the reply that could not be read. Raises an error that no reply caused."""
    if isinstance(error, ValidationError) and error.title != AIMessage.__name__:
        raise error
    return request.override(messages=[*request.messages, HumanMessage(_UNREADABLE_REPLY)])
