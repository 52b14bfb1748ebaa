"""Composed image search as a LangChain tool that agents call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, Field, ValidationError

from ipcir_tools.errors import IPCIRError
from ipcir_tools.filters import GRAMMAR
from ipcir_tools.presenting import result_json, result_text
from ipcir_tools.types import Where

if TYPE_CHECKING:
    from ipcir_tools.engine import Engine

AGENT_K = 5
"""Hits that an agent gets if it does not ask for a number: enough to choose from, short to read."""
AGENT_MOST = 50

_ABOUT = (
    "Find pictures that are like a reference picture, but changed as a text says: 'this one, but in blue'. "
    "Returns a turn id and ranked picture ids; a picture id can be the reference of the next search."
)


class ComposeSearchInput(BaseModel):
    """Arguments of ``compose_search``."""

    reference: str = Field(
        description="The picture to start from: a picture id from an earlier hit, or an allowed file path."
    )
    modification: str = Field(
        description="What should be different, in plain words, such as 'in blue with long sleeves'."
    )
    k: int = Field(default=AGENT_K, ge=1, le=AGENT_MOST, description="How many pictures to return.")
    weight: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="0 follows only the reference picture, 1 only the text. Leave out for the default.",
    )
    where: dict[str, Any] | None = Field(
        default=None,
        description='Leave out unless asked for. Example: {"width": {"$gte": 800}}. ' + GRAMMAR,
    )


def compose_search_tool(engine: Engine) -> StructuredTool:
    """``compose_search`` over an engine: text for the model, a plain-JSON artifact for the program.

    Whatever the model can mend (an unknown id, an empty text, a wrong filter) comes back to it as a message that says
    what to do; anything else propagates.
    """

    def compose_search(
        reference: str, modification: str, k: int = AGENT_K, weight: float | None = None, where: Where | None = None
    ) -> tuple[str, dict[str, Any]]:
        try:
            result = engine.search(reference, modification, k=k, weight=weight, where=where)
        except IPCIRError as error:
            raise ToolException(str(error)) from error
        return result_text(result), result_json(result)

    return StructuredTool.from_function(
        compose_search,
        name="compose_search",
        description=_ABOUT,
        args_schema=ComposeSearchInput,
        response_format="content_and_artifact",
        handle_tool_error=True,
        handle_validation_error=_mend,
    )


def _mend(error: ValidationError | Any) -> str:
    """What is wrong with the arguments, one line each, for the model."""
    if not isinstance(error, ValidationError):
        return f"The arguments are wrong: {error}"
    wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    return "The arguments are wrong; call again with them mended. " + "; ".join(wrong)
