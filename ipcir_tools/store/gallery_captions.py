"""The captions of a gallery's pictures: made when they are indexed, and looked up by picture as features of texts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.features import Features
from ipcir_tools.types import CaptionReport, Skip

_BLOCK = 1_024
"""Captions encoded at a time."""


def caption_pictures(
    ids: Sequence[str], catalog: Catalog, features: Features, captioner: str, progress: Progress
) -> CaptionReport:
    """Caption those of the pictures that have no caption by ``captioner``, the captioner's id, yet.

    Each caption is stored when it is made, so that a run that is killed goes on where it was. Raises
    ModelUnavailableError where the captioner cannot be loaded, or a local one fails on every picture.
    """
    began, tally = time.perf_counter(), Counter[str]()
    known = len(features.known_captions(ids))
    failed = features.caption_each(ids, progress, tally)
    for block in chunked(ids, _BLOCK):
        features.gallery_captions(block)  # a search should not have to encode them
    records = catalog.records(failed)
    return CaptionReport(
        captioner=captioner,
        made=tally["captions"],
        known=known,
        skipped=tuple(Skip(source=records[id_].source, reason=why) for id_, why in failed.items()),
        spent={what: n for what in ("calls", "input_tokens", "output_tokens") if (n := tally[f"captioner_{what}"])},
        seconds=time.perf_counter() - began,
    )
