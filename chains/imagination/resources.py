"""What an imagination chain shares between its calls: prompts and models by name, and an imaginer for each pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from ipcir_tools.chains.imagination.imaginer import Imaginer
from ipcir_tools.chains.imagination.prompting import check_prompt
from ipcir_tools.chains.imagination.structured_output import PromptedModel
from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.llm.chat_model import NamedChatModel, model_name
from ipcir_tools.llm.reply_store import ReplyStore
from ipcir_tools.models.loading import load_llm
from ipcir_tools.prompts import Prompt, load_prompt
from ipcir_tools.settings import load_settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


RULES = "rules"
"""The name that selects the rules in place of a model."""


@dataclass
class ChainResources:
    """The options of ``build_imagine_chain``, and what is loaded for them on first use. Thread-safe.

    Creating one raises ``NotFoundError`` or ``InvalidRequestError`` for a prompt that cannot be used.
    """

    llm: BaseChatModel | None
    prompt: str
    refine: str
    prompts: Path | None
    fallbacks: tuple[BaseChatModel, ...]
    timeout: float
    replies: ReplyStore | None
    load_reference: Callable[[str], str] | None
    load_model: Callable[[str], BaseChatModel | None] | None
    _default_model: NamedChatModel | None = field(init=False, default=None)
    _fallback_models: tuple[NamedChatModel, ...] = field(init=False, default=())
    _prompts: dict[str, Prompt] = field(init=False, default_factory=dict)
    _models: dict[str, NamedChatModel] = field(init=False, default_factory=dict)
    _imaginers: dict[tuple[str, str | None], Imaginer] = field(init=False, default_factory=dict)
    _lock: RLock = field(init=False, default_factory=RLock)

    def __post_init__(self) -> None:
        self._default_model = None if self.llm is None else NamedChatModel(self.llm, model_name(self.llm))
        self._fallback_models = tuple(NamedChatModel(llm, model_name(llm)) for llm in self.fallbacks)
        for has_history in (False, True):
            self._prompt(self.prompt, has_history)

    def imaginer(self, prompt: str | None, llm: str | None, *, has_history: bool) -> Imaginer:
        """The imaginer for a prompt and a model by name; None selects the chain's own.

        Raises ``NotFoundError``, ``InvalidRequestError`` and ``ModelUnavailableError`` with a message that helps.
        """
        for value, kind in ((prompt, "the id of a prompt"), (llm, "the name of a model")):
            if not isinstance(value, str | None) or value == "":
                raise InvalidRequestError(f"{value!r} is not {kind}: give it as text")
        with self._lock:
            template = self._prompt(prompt or self.prompt, has_history)
            own = self._default_model is not None and llm == self._default_model.name
            key = (template.id, None if own else llm)
            if key not in self._imaginers:
                self._imaginers[key] = self._build_imaginer(template, key[1])
            return self._imaginers[key]

    def _build_imaginer(self, prompt: Prompt, llm: str | None) -> Imaginer:
        first = self._default_model if llm is None else self._model(llm)
        models = () if first is None else (first, *self._fallback_models)
        prompted = [PromptedModel(model, prompt, self.replies) for model in models]
        return Imaginer(prompt, prompted, self.timeout, self.load_reference)

    def _prompt(self, id: str, has_history: bool) -> Prompt:
        """The prompt with that id, or the refine prompt where there is a history that it does not use."""
        if id not in self._prompts:
            self._prompts[id] = check_prompt(load_prompt(id, self.prompts))
        found = self._prompts[id]
        if not has_history or "history" in found.variables:
            return found
        if id == self.refine:
            raise InvalidRequestError(f"prompt {id} does not use the history, so it cannot refine: choose another")
        return self._prompt(self.refine, has_history)

    def _model(self, name: str) -> NamedChatModel | None:
        if name == RULES:
            return None
        if name not in self._models:
            self._models[name] = self._load_model(name)
        return self._models[name]

    def _load_model(self, name: str) -> NamedChatModel:
        try:
            if self.load_model is None:
                model = load_llm(load_settings(llm=name, llm_timeout=self.timeout))
            else:
                model = self.load_model(name)
        except ModelUnavailableError as error:
            raise ModelUnavailableError(f'{error} (here under the name "{RULES}")') from error
        if model is None:
            raise ModelUnavailableError(f'there is no language model {name}: name another, or "{RULES}"')
        return NamedChatModel(model, model_name(model))
