"""The values of the reranking: a request, and the hits in their new order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipcir_tools.types import Hit, Reply

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class SheetRequest:
    """The first hits of a search, best first, to be shown on a numbered sheet."""

    hits: tuple[Hit, ...]
    load_image: Callable[[str], Image.Image | str]
    """Gives an image by its id, or a short reason why it is not available; it may raise, too. Not called where the
    reply is stored."""
    reference: str | None = field(default=None, kw_only=True)
    """The reference's id. None: the hits are judged by text alone, and preservation is always 10."""
    others: tuple[str, ...] = field(default=(), kw_only=True)
    """Ids of further references, shown beside the first, all of them numbered from 1."""


@dataclass(frozen=True)
class RerankRequest(SheetRequest):
    """The hits to judge, and the query."""

    modification: str = ""
    """The modification; empty for a query of the reference alone."""
    description: str = ""
    """The description of the imagined target; empty without an imagination."""
    history: tuple[str, ...] = ()
    """The modifications before, oldest first."""


@dataclass(frozen=True)
class RerankResult:
    """The hits in their new order with judgements, or unchanged, and how the order was made."""

    hits: tuple[Hit, ...]
    prompt: str | None = None
    """``rerank@1#HASH8`` where a model judged the hits; None where they are unchanged."""
    warnings: tuple[str, ...] = ()
    """What went wrong, in plain words for the user."""
    calls: int = 0
    """Requests made to the model, including failed ones; 0 for a stored reply."""
    reply: Reply | None = None
    """The reply with the judgements, and what it cost when it was made."""
