"""Caption + modification (+ the turns before) -> the imagined target, by a language model or by the rules.

The ladder: a reply held to the prompt's JSON schema; our own reading of whatever came; one repair turn that shows the
model its reply and what is wrong with it; plain text taken as the description; the next model, if there is one; the
rules. Trouble with a model never raises: it is told in ``Imagination.warnings``, and ``target.origin`` says who wrote.

Prompt and model can be changed at run time::

    chain.with_config(configurable={"imagine_prompt": "imagine.simple", "imagine_llm": "openai:gpt-4o-mini"})
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import run_in_executor
from pydantic import ConfigDict, Field

from ipcir_tools.chains.imagination.imaginer import Growing, Imaginer
from ipcir_tools.chains.imagination.prompting import check
from ipcir_tools.chains.imagination.results import Imagination, ImagineRequest
from ipcir_tools.chains.imagination.structured_output import Writer
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.llm.chat_model import NamedChatModel, model_name
from ipcir_tools.llm.reply_store import ReplyStore
from ipcir_tools.models.loading import load_llm
from ipcir_tools.prompts import Prompt, load_prompt
from ipcir_tools.settings import load_settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


PROMPT_FIELD = "imagine_prompt"
LLM_FIELD = "imagine_llm"


RULES = "rules"
"""The name under which the rules are chosen in the place of a model."""


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
    pictures: Callable[[str], str] | None = None,
    models: Callable[[str], BaseChatModel | None] | None = None,
) -> Runnable[ImagineRequest, Imagination]:
    """The imaginer as a Runnable; without ``llm`` the rules write every target.

    A request with turns before it is put by the prompt ``refine``, unless ``prompt`` uses the history itself. The files
    in the folder ``prompts`` stand before the package's; a chain reads each once. ``fallbacks`` are asked in turn where
    a model gives no usable answer, and then the rules. ``timeout`` bounds one whole imagination in seconds, retries,
    repairs and fallbacks included. ``pictures`` gives the picture of a catalog's id as a data URI, for prompts that
    see. Equal requests that run at the same time share one answer.

    The configurable fields ``imagine_prompt`` and ``imagine_llm`` change prompt and model at run time; ``models`` gives
    the model of a name, by default as the environment's settings do. ``stream`` gives imaginations whose description
    grows; the last one is what ``invoke`` gives.

    Raises ``NotFoundError`` for an unknown prompt and ``InvalidRequestError`` for one that no imagination can come
    of: at once, or when it is used for one that is named at run time; then also ``ModelUnavailableError``.
    """
    workshop = Workshop(
        llm,
        prompt=prompt,
        refine=refine,
        folder=prompts,
        fallbacks=fallbacks,
        timeout=timeout,
        replies=replies,
        pictures=pictures,
        models=models,
    )
    chain = _Imagine(name="imagine", prompt=prompt, workshop=workshop).configurable_fields(**_FIELDS)
    chain.name = "imagine"
    return chain


class Workshop:
    """What a chain shares between its calls, whatever is chosen for each: prompts, models, and what was learnt of them.

    Safe for many threads.
    """

    def __init__(
        self,
        llm: BaseChatModel | None,
        *,
        prompt: str,
        refine: str,
        folder: Path | None,
        fallbacks: Sequence[BaseChatModel],
        timeout: float,
        replies: ReplyStore | None,
        pictures: Callable[[str], str] | None,
        models: Callable[[str], BaseChatModel | None] | None,
    ) -> None:
        """Raises ``NotFoundError`` and ``InvalidRequestError`` for prompts that cannot be used."""
        self._own = NamedChatModel(llm, model_name(llm)) if llm is not None else None
        self._fallbacks = tuple(NamedChatModel(each, model_name(each)) for each in fallbacks)
        self._default, self._refine, self._folder = prompt, refine, folder
        self._timeout, self._replies, self._pictures = timeout, replies, pictures
        self._load = models or (lambda name: load_llm(load_settings(llm=name, llm_timeout=timeout)))
        self._prompts: dict[str, Prompt] = {}
        self._models: dict[str, NamedChatModel] = {}
        self._imaginers: dict[tuple[str, str | None], Imaginer] = {}
        self._lock = RLock()
        for turns in (False, True):
            self._prompt(prompt, turns)

    def imaginer(self, prompt: str | None, llm: str | None, *, turns: bool) -> Imaginer:
        """The imaginer for a prompt and a model, None for the chain's own; ``turns``: whether there are turns before.

        Raises ``NotFoundError``, ``InvalidRequestError`` and ``ModelUnavailableError``, which name the way out.
        """
        for value, of in ((prompt, "the id of a prompt"), (llm, "the name of a model")):
            if not isinstance(value, str | None) or value == "":
                raise InvalidRequestError(f"{value!r} is not {of}: give it as text")
        with self._lock:
            template = self._prompt(prompt or self._default, turns)
            key = (template.id, None if self._own is not None and llm == self._own.name else llm)
            if key not in self._imaginers:
                self._imaginers[key] = self._made(template, key[1])
            return self._imaginers[key]

    def _made(self, prompt: Prompt, llm: str | None) -> Imaginer:
        first = self._own if llm is None else self._model(llm)
        models = () if first is None else (first, *self._fallbacks)
        writers = [Writer(model, prompt, self._replies) for model in models]
        return Imaginer(prompt, writers, self._timeout, self._pictures)

    def _prompt(self, id: str, turns: bool) -> Prompt:
        """The prompt of that id, or the one for turns before where it does not use them."""
        if id not in self._prompts:
            self._prompts[id] = check(load_prompt(id, self._folder))
        found = self._prompts[id]
        if not turns or "history" in found.variables:
            return found
        if id == self._refine:
            raise InvalidRequestError(f"prompt {id} does not use the history, so it cannot refine: choose another")
        return self._prompt(self._refine, turns)

    def _model(self, name: str) -> NamedChatModel | None:
        if name == RULES:
            return None
        if name not in self._models:
            self._models[name] = self._loaded(name)
        return self._models[name]

    def _loaded(self, name: str) -> NamedChatModel:
        try:
            model = self._load(name)
        except ModelUnavailableError as error:
            raise ModelUnavailableError(f'{error} (here under the name "{RULES}")') from error
        if model is None:
            raise ModelUnavailableError(f'there is no language model {name}: name another, or "{RULES}"')
        return NamedChatModel(model, model_name(model))


class _Imagine(RunnableSerializable[ImagineRequest, Imagination]):
    """The chain with its two fields; whatever is shared between their values is in the workshop."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    prompt: Any
    llm: Any = None
    workshop: Workshop = Field(repr=False, exclude=True)

    def invoke(self, input: ImagineRequest, config: RunnableConfig | None = None, **kwargs: Any) -> Imagination:
        """The imagination of one request."""
        imaginer = self._imaginer(input)
        # It looks at the parameters' names: one called config is given it, whatever its types say.
        return self._call_with_config(imaginer.imagine, input, imaginer.traced(config))  # type: ignore[arg-type]

    def stream(
        self, input: ImagineRequest, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Imagination]:
        """Imaginations whose description grows; the last one is what ``invoke`` gives."""
        imaginer = self._imaginer(input)

        def growing(requests: Iterator[ImagineRequest], config: RunnableConfig) -> Iterator[Imagination]:
            for request in requests:
                yield from _with_the_last(imaginer.growing(request, config))

        whole = imaginer.traced(config)
        yield from self._transform_stream_with_config(iter([input]), growing, whole)  # type: ignore[arg-type]

    def _imaginer(self, input: ImagineRequest) -> Imaginer:
        if not isinstance(input, ImagineRequest):
            raise InvalidRequestError(f"an imagination takes an ImagineRequest, not {type(input).__name__}")
        return self.workshop.imaginer(self.prompt, self.llm, turns=bool(input.history))

    async def astream(
        self, input: ImagineRequest, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Imagination]:
        """The same for loops: the model is waited for in a thread."""
        parts = self.stream(input, config)
        try:
            while (part := await run_in_executor(config, next, parts, None)) is not None:
                yield part
        finally:
            with suppress(ValueError):  # it still runs in its thread where the loop was cancelled; it ends with it
                parts.close()  # type: ignore[attr-defined]


def _with_the_last(steps: Growing) -> Iterator[Imagination]:
    yield (yield from steps)
