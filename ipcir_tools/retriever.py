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
from collections.abc import Sequence
from dataclasses import fields
from pathlib import PurePath
from typing import Any, Unpack

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, run_in_executor
from pydantic import Field

from ipcir_tools.engine.engine import Engine
from ipcir_tools.engine.queries import TurnRequest
from ipcir_tools.engine.reference_list import References
from ipcir_tools.engine.reference_words import Reference
from ipcir_tools.search_options import SearchKeywords, SearchOptions
from ipcir_tools.text import shorten_json
from ipcir_tools.types import Hit, SearchResult, Where

log = logging.getLogger(__name__)

CONTENT_CAP = 300
"""Characters of a document's text: it goes into prompts as it is, and captions and file names may hold anything."""


class ComposedImageRetriever(BaseRetriever):
    """Documents of the pictures that are like a reference, but changed as the query describes.

    Without a reference the query is searched for as words. Every call keeps a turn, whose id is in the documents'
    metadata. A program calls a retriever, so what goes wrong is raised as an ``IPCIRError``. What the user should
    know beyond the documents (a language model that failed, say) is logged as a warning.
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

    def _search(
        self,
        query: str,
        config: RunnableConfig,
        *,
        reference: References | None = None,
        turn: str | None = None,
        liked: Sequence[Reference] = (),
        disliked: Sequence[Reference] = (),
        **keywords: Unpack[SearchKeywords],
    ) -> SearchResult:
        """The result of one call; an argument that it leaves out is the retriever's.

        With ``turn`` the call refines that turn, from its own reference or from ``reference``.
        """
        options = SearchOptions(**keywords).or_else(self._options())
        if turn is None and reference is None:
            reference = self.reference
        return self.engine.take_turn(turn, TurnRequest(query, options, reference, liked, disliked), config)

    def _options(self) -> SearchOptions:
        return SearchOptions(**{field.name: getattr(self, field.name) for field in fields(SearchOptions)})


def documents_of(result: SearchResult) -> list[Document]:
    """A document for each hit, best first.

    Its id is the picture's; its text the caption if one is known, else the file's name, capped and on one line; its
    metadata plain JSON values: ``source``, ``score``, ``image_score``, ``text_score``, ``rank`` and ``turn``,
    ``verified`` where the hit was verified, and ``judged`` where a vision model judged it.
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
    return {name for name in ("verified", "judged") if getattr(hit, name) is None}
