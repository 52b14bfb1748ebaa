"""Which rows of a snapshot pass a filter: asked of the database once, as long as nothing changes."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict

from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.changes import GalleryState
from ipcir_tools.store.snapshot import Mask, Snapshot
from ipcir_tools.types import Where

KEPT = 32
"""Filters whose rows are kept."""

_Key = tuple[str, str | None]


class FilterMasks:
    """The rows that pass the filters last asked for. Safe for many threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._guard = threading.Lock()
        self._masks: OrderedDict[_Key | None, Mask] = OrderedDict()
        self._of: tuple[Snapshot, int] | None = None

    def mask(self, where: Where, captioner: str | None, snapshot: Snapshot, state: GalleryState) -> Mask:
        """``[rows]``: which of the snapshot's rows pass. Raises InvalidRequestError for a wrong filter.

        ``state`` is the gallery's when the snapshot was taken: a filter is asked again once files, records or captions
        have changed. ``captioner``: whose captions a filter means; None: everybody's.
        """
        key = _key(where, captioner)
        with self._guard:
            if self._of is None or self._of[0] is not snapshot or self._of[1] != state.facts:
                self._masks.clear()
                self._of = snapshot, state.facts
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        mask = snapshot.mask(self._catalog.matching(where, captioner))
        mask.setflags(write=False)
        with self._guard:
            if key is not None and self._of == (snapshot, state.facts):
                self._masks[key] = mask
                while len(self._masks) > KEPT:
                    self._masks.popitem(last=False)
        return mask


def _key(where: Where, captioner: str | None) -> _Key | None:
    try:
        return json.dumps(where, sort_keys=True), captioner
    except (TypeError, ValueError, RecursionError):
        return None  # it is wrong, and refused by the database's part
