"""The operations that agents call, each defined once for every face."""

from __future__ import annotations

from typing import Any

from ipcir_tools.operations.operation import Answer, Arguments, Brief, Operation, Picture, Refused, mended
from ipcir_tools.operations.searching import COMPOSE_SEARCH, FIND_IMAGES, REFINE_SEARCH

OPERATIONS: dict[str, Operation[Any]] = {
    operation.name: operation for operation in (COMPOSE_SEARCH, REFINE_SEARCH, FIND_IMAGES)
}
"""Every operation by its name, in the order in which an agent should read them."""

__all__ = ["OPERATIONS", "Answer", "Arguments", "Brief", "Operation", "Picture", "Refused", "mended"]
