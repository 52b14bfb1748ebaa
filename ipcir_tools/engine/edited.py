"""A turn searched again with an imagined target that a person edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.types import ComposedQuery, ImaginedTarget, Turn

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from ipcir_tools.chains.composition.chain import Composed
    from ipcir_tools.engine.components import Components


def edited_query(
    turn: Turn, *, keep: Sequence[str] | None, add: Sequence[str] | None, remove: Sequence[str] | None
) -> tuple[ComposedQuery, ImaginedTarget]:
    """The query of the turn after ``turn`` that adds no words of its own, and its target, edited.

    Raises InvalidRequestError where ``turn`` imagined nothing, or nothing changes.
    """
    from ipcir_tools.chains.imagination.edited import edited_target

    target = turn.imagined
    if target is None:
        raise InvalidRequestError(f"Turn {turn.id} imagined nothing, so that it has no words to edit: refine it.")
    edited = edited_target(
        target,
        keep=target.keep if keep is None else keep,
        add=target.add if add is None else add,
        remove=target.remove if remove is None else remove,
    )
    if edited == target.model_copy(update={"origin": "person"}):
        raise InvalidRequestError("No word was struck out or added: change one, or refine the turn.")
    query = turn.query.model_copy(update={"modification": "", "liked": (), "disliked": (), "rerank": 0})
    return query, edited


def compose_with(
    components: Components,
    query: ComposedQuery,
    path: Sequence[Turn],
    imagined: ImaginedTarget,
    config: RunnableConfig | None = None,
) -> Composed:
    """The composition of a query with a given target."""
    from ipcir_tools.chains.composition.requests import request_of
    from ipcir_tools.chains.imagination.results import Imagination

    given = Imagination(imagined, prompt=None, warnings=(), calls=0, cached=True)
    return components.compose.invoke(request_of(query, path, None, given), config)
