"""The imaginers of one chain, one for each prompt and model that is chosen, each made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from ipcir_tools.chains.imagination import ReplyStore
from ipcir_tools.chains.imaginer import Imaginer
from ipcir_tools.chains.llm import Named, load_llm, name_of
from ipcir_tools.chains.rendering import check
from ipcir_tools.chains.writer import Writer
from ipcir_tools.errors import InvalidRequest, ModelUnavailable
from ipcir_tools.prompts import Prompt, load_prompt
from ipcir_tools.settings import load_settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

RULES = "rules"
"""The name under which the rules are chosen in the place of a model."""


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
        """Raises ``NotFound`` and ``InvalidRequest`` for prompts that cannot be used."""
        self._own = Named(llm, name_of(llm)) if llm is not None else None
        self._fallbacks = tuple(Named(each, name_of(each)) for each in fallbacks)
        self._default, self._refine, self._folder = prompt, refine, folder
        self._timeout, self._replies, self._pictures = timeout, replies, pictures
        self._load = models or (lambda name: load_llm(load_settings(llm=name, llm_timeout=timeout)))
        self._prompts: dict[str, Prompt] = {}
        self._models: dict[str, Named] = {}
        self._imaginers: dict[tuple[str, str | None], Imaginer] = {}
        self._lock = RLock()
        for turns in (False, True):
            self._prompt(prompt, turns)

    def imaginer(self, prompt: str | None, llm: str | None, *, turns: bool) -> Imaginer:
        """The imaginer for a prompt and a model, None for the chain's own; ``turns``: whether there are turns before.

        Raises ``NotFound``, ``InvalidRequest`` and ``ModelUnavailable``, which name the way out.
        """
        for value, of in ((prompt, "the id of a prompt"), (llm, "the name of a model")):
            if not isinstance(value, str | None) or value == "":
                raise InvalidRequest(f"{value!r} is not {of}: give it as text")
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
            raise InvalidRequest(f"prompt {id} does not use the history, so it cannot refine: choose another")
        return self._prompt(self._refine, turns)

    def _model(self, name: str) -> Named | None:
        if name == RULES:
            return None
        if name not in self._models:
            self._models[name] = self._loaded(name)
        return self._models[name]

    def _loaded(self, name: str) -> Named:
        try:
            model = self._load(name)
        except ModelUnavailable as error:
            raise ModelUnavailable(f'{error} (here under the name "{RULES}")') from error
        if model is None:
            raise ModelUnavailable(f'there is no language model {name}: name another, or "{RULES}"')
        return Named(model, name_of(model))
