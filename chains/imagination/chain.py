"""Caption + modification (+ the turns before) -> the imagined target, by a language model or by the rules.

The attempts, in order: a reply under the prompt's JSON schema; the parser for whatever came instead; one repair request
that shows the model its reply and the problem; plain text as the description; the next model, if there is one; the
rules. A failing model never raises: ``Imagination.warnings`` holds what went wrong, ``target.origin`` who wrote.

Prompt and model can be changed at run time::

    chain.with_config(configurable={"imagine_prompt": "imagine.simple", "imagine_llm": "openai:gpt-4o-mini"})
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import run_in_executor
from pydantic import ConfigDict, Field

from ipcir_tools.chains.imagination.imaginer import ImaginationStream, Imaginer
from ipcir_tools.chains.imagination.resources import RULES, ChainResources
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.llm.reply_store import ReplyStore
from ipcir_tools.llm.tracing import has_listeners

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


PROMPT_FIELD = "imagine_prompt"
LLM_FIELD = "imagine_llm"

_FIELDS = {
    "prompt": ConfigurableField(
        id=PROMPT_FIELD, name="Prompt", description="Id of the prompt that asks for the imagination.", annotation=str
    ),
    "llm": ConfigurableField(
        id=LLM_FIELD,
        name="Model",
        description=f'Name of the chat model, as PROVIDER:MODEL, or "{RULES}"; none: the one of the chain.',
        annotation=str,
    ),
}


def build_imagine_chain(
    llm: BaseChatModel | None,
    *,
    prompt: str = "imagine.structured",
    refine: str = "refine",
    prompts: Path | None = None,
    fallbacks: Sequence[BaseChatModel] = (),
    timeout: float = 30.0,
    replies: ReplyStore | None = None,
    load_reference: Callable[[str], str] | None = None,
    load_model: Callable[[str], BaseChatModel | None] | None = None,
) -> Runnable[ImagineRequest, Imagination]:
    """The imagination as a Runnable; without ``llm`` the rules write every target.

    ``stream`` gives imaginations whose description grows; the last one is what ``invoke`` gives. Equal requests that
    run at the same time share one answer. Every option has a default, so that a caller names only what differs.

    Args:
        llm: The chat model.
        prompt: Id of the prompt. The configurable fields ``imagine_prompt`` and ``imagine_llm`` change it and the
            model at run time.
        refine: Id of the prompt for a request with a history, where ``prompt`` does not use the history itself.
        prompts: Folder whose prompt files come before the package's; a chain reads each file once.
        fallbacks: Models to call in turn where the one before gives no usable reply; after them the rules write.
        timeout: Seconds for one imagination, including retries, repairs and fallbacks.
        replies: Where replies are stored.
        load_reference: Gives the data URI of a reference by its catalog id, for prompts that take an image.
        load_model: Gives the model for a name chosen at run time; by default as the environment's settings do.

    Raises:
        NotFoundError: A prompt is unknown.
        InvalidRequestError: A prompt cannot be used for an imagination.
        ModelUnavailableError: Later, when a model named at run time is not available.
    """
    resources = ChainResources(
        llm, prompt, refine, prompts, tuple(fallbacks), timeout, replies, load_reference, load_model
    )
    chain = _Imagine(name="imagine", prompt=prompt, resources=resources).configurable_fields(**_FIELDS)
    chain.name = "imagine"
    return chain


class _Imagine(RunnableSerializable[ImagineRequest, Imagination]):
    """The chain with its two configurable fields; ``resources`` are shared between all values of them."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    prompt: Any
    llm: Any = None
    resources: Any = Field(repr=False, exclude=True)
    """A ``ChainResources``; not annotated as one, for pydantic would look into the fields of a dataclass."""

    def invoke(self, input: ImagineRequest, config: RunnableConfig | None = None, **kwargs: Any) -> Imagination:
        """The imagination of one request."""
        imaginer = self._imaginer(input)
        if imaginer.has_no_models and not has_listeners(config):
            return imaginer.imagine(input, {})
        # LangChain goes by the parameter's name: a function with a ``config`` is given it, whatever its type.
        return self._call_with_config(imaginer.imagine, input, imaginer.run_config(config))  # type: ignore[arg-type]

    def stream(
        self, input: ImagineRequest, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Imagination]:
        """Imaginations whose description grows; the last one is what ``invoke`` gives."""
        imaginer = self._imaginer(input)

        def stream_each(requests: Iterator[ImagineRequest], config: RunnableConfig) -> Iterator[Imagination]:
            for request in requests:
                yield from _with_result(imaginer.stream(request, config))

        merged = imaginer.run_config(config)
        yield from self._transform_stream_with_config(iter([input]), stream_each, merged)  # type: ignore[arg-type]

    def _imaginer(self, input: ImagineRequest) -> Imaginer:
        if not isinstance(input, ImagineRequest):
            raise InvalidRequestError(f"an imagination takes an ImagineRequest, not {type(input).__name__}")
        resources: ChainResources = self.resources
        return resources.imaginer(self.prompt, self.llm, has_history=bool(input.history))

    async def astream(
        self, input: ImagineRequest, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Imagination]:
        """The same without blocking the event loop: a thread waits for the model."""
        parts = self.stream(input, config)
        try:
            while (part := await run_in_executor(config, next, parts, None)) is not None:
                yield part
        finally:
            with suppress(ValueError):  # after a cancellation the thread still runs the generator and ends it
                parts.close()  # type: ignore[attr-defined]


def _with_result(steps: ImaginationStream) -> Iterator[Imagination]:
    """The items of a generator and then its return value."""
    yield (yield from steps)
