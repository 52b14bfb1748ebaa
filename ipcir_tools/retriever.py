"""Composed image search as a LangChain retriever: the query is the modification, the reference is bound or passed.

::

    retriever = ComposedImageRetriever(engine=engine, reference="0f3a9c11d2e47b58", k=3)
    retriever.invoke("in blue, with long sleeves")
    retriever.invoke("in blue", reference="77b0c1d2e3f4a596")         # another reference, this once
    retriever.invoke("in blue", reference=["0f3a9c11d2e47b58", ("77b0c1d2e3f4a596", "its collar")])     # of several
    retriever.bind(reference="77b0c1d2e3f4a596", k=2)                 # a Runnable for a chain
    retriever.invoke("and shorter", turn=documents[0].metadata["turn"])     # goes on from an earlier answer
"""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import PurePath
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, run_in_executor
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from ipcir_tools.arguments import Arguments, read_value, validation_message
from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.queries import TurnRequest
from ipcir_tools.engine.reference_list import References
from ipcir_tools.engine.validation import filter_object
from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.search_options import SearchOptions
from ipcir_tools.text import shorten_json
from ipcir_tools.types import Hit, SearchResult, Where

log = logging.getLogger(__name__)

CONTENT_CAP = 300
"""Characters of a document's text: it goes into prompts as it is, and captions and file names may hold anything."""


class CallArguments(Arguments):
    """Arguments of one call, read as those of the tools are; a program may give pictures as the engine takes them."""

    reference: Any = None
    turn: str | None = None
    liked: list[Any] = Field(default_factory=list)
    disliked: list[Any] = Field(default_factory=list)
    k: int | None = None
    weight: float | None = None
    where: Annotated[dict[str, Any] | None, BeforeValidator(filter_object)] = None
    composer: str | None = None
    verify: int | str | None = None
    rerank: int | None = None

    @field_validator("reference", mode="before")
    @classmethod
    def _read_texts(cls, value: Any) -> Any:
        return read_value(str | list[str | dict[str, Any]] | None, value) if isinstance(value, str) else value

    @field_validator("liked", "disliked")
    @classmethod
    def _read_ranks(cls, values: list[Any]) -> list[Any]:
        return [int(each) if isinstance(each, float) and each.is_integer() else each for each in values]


def read_call(arguments: dict[str, Any]) -> CallArguments:
    """The arguments of one call. Raises InvalidRequestError, which says what is wrong with them."""
    try:
        return CallArguments.model_validate(arguments)
    except ValidationError as error:
        raise InvalidRequestError(validation_message(error)) from error


class ComposedImageRetriever(BaseRetriever):
    """Documents of the pictures that are like a reference, but changed as the query describes.

    Without a reference the query is searched for as words. Every call keeps a turn, whose id is in the documents'
    metadata. A program calls a retriever, so what goes wrong is raised as an ``IPCIRError``. What the user should
    know beyond the documents (a language model that failed, say) is logged as a warning. A pickled retriever opens its
    engine again, as :class:`Engine` says.
    """

    engine: Engine = Field(repr=False)
    reference: References | None = None
    """The image to start from: an id, a Path, a PIL image, or whatever else :meth:`Engine.search` takes; or several,
    each with a note on what is meant of it."""
    k: int | None = None
    """Documents wanted. None, here and below: as the engine's settings say, or the turn that is refined."""
    weight: float | None = None
    where: Where | None = None
    composer: str | None = None
    verify: int | str | None = None
    rerank: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        """Read options as a call's are read, such as ``k="3"``."""
        kinds = {name: field.annotation for name, field in CallArguments.model_fields.items()}
        return {name: read_value(kinds[name], value) if name in kinds else value for name, value in values.items()}

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **arguments: Any
    ) -> list[Document]:
        return documents_of(self._search(query, {"callbacks": run_manager.get_child()}, **arguments))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **arguments: Any
    ) -> list[Document]:
        # The inherited method would drop the arguments.
        return await run_in_executor(
            None, self._get_relevant_documents, query, run_manager=run_manager.get_sync(), **arguments
        )

    def _search(self, query: str, config: RunnableConfig, **arguments: Any) -> SearchResult:
        """The result of one call; an argument that it leaves out is the retriever's.

        With ``turn`` the call refines that turn, from its own reference or from ``reference``. Raises
        InvalidRequestError for arguments that there are not, or that cannot be read.
        """
        call = read_call(arguments)
        options = SearchOptions(**{field.name: getattr(call, field.name) for field in fields(SearchOptions)})
        reference = call.reference
        if call.turn is None and reference is None:
            reference = self.reference
        options = options.or_else(self._options())
        request = TurnRequest(query, options, reference, call.liked, call.disliked, by_agent=True)
        return self.engine.take_turn(call.turn, request, config)

    def _options(self) -> SearchOptions:
        return SearchOptions(**{field.name: getattr(self, field.name) for field in fields(SearchOptions)})


def documents_of(result: SearchResult) -> list[Document]:
    """A document for each hit, best first.

    Its id is the picture's; its text the caption if one is known, else the file's name, capped and on one line; its
    metadata plain JSON values: ``source``, ``score``, ``image_score``, ``text_score``, ``rank`` and ``turn``,
    ``verified`` where the hit was verified, ``judged`` where a vision model judged it, ``alike``, the ids of pictures
    that look the same, and ``gone`` where the file is not there any more.
    """
    for warning in result.warnings:
        log.warning("%s", warning)
    return [_document(hit, result.turn.id) for hit in result.turn.hits]


def _document(hit: Hit, turn: str) -> Document:
    text = shorten_json(hit.caption or PurePath(hit.source).name, CONTENT_CAP)
    metadata = hit.model_dump(mode="json", exclude={"id", "caption", *_missing(hit)})
    return Document(id=hit.id, page_content=text, metadata={**metadata, "turn": turn})


def _missing(hit: Hit) -> set[str]:
    """What is in the metadata only where there is one."""
    return {name for name in ("verified", "judged", "gone", "alike") if getattr(hit, name) in (None, False, ())}
