"""One turn: from a query to the result that is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipcir_tools.types import Turn

if TYPE_CHECKING:
    from ipcir_tools.chains.imagination.results import Imagination


def prompt_behind(imagined: Imagination | None, path: Sequence[Turn]) -> str | None:
    """The prompt behind an imagination; a target that only went on keeps the one that it came from."""
    if imagined is None or imagined.prompt is not None or not path:
        return imagined.prompt if imagined else None
    return path[-1].prompt if imagined.target == path[-1].imagined else None
