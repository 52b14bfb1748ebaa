"""A middleware that holds an agent's calls of its model to a time, and waits for a server that is busy or loading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain.agents import AgentState
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage

from ipcir_tools.llm.calls import call_model


class WaitingForServer(AgentMiddleware[AgentState[Any], Any, Any]):
    """Each call may take ``seconds``, in the line of this process's requests to that server."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | AIMessage:
        """Call the model. Raises what its client raises, and DeadlineExceededError."""
        return call_model(request.model, lambda: handler(request), self._seconds)
