"""The captions of a gallery's pictures: made when they are indexed, and looked up by picture as features of texts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.features import Features
from ipcir_tools.types import CaptionReport, Skip

if TYPE_CHECKING:
    from ipcir_tools.store.ray_encoding import RayEncoding


_BLOCK = 1_024
"""Captions encoded at a time."""


def caption_pictures(
    ids: Sequence[str],
    catalog: Catalog,
    features: Features,
    captioner: str,
    progress: Progress,
    workers: RayEncoding | None = None,
) -> CaptionReport:
    """Caption those of the pictures that have no caption by ``captioner``, the captioner's id, yet.

    Each caption is stored when it is made, so that a run that is killed goes on where it was. ``workers`` that make
    captions have made some with the features, and make the rest here. Raises
    ModelUnavailableError where the captioner cannot be loaded, or a local one fails on every picture.
    """
    began, tally = time.perf_counter(), Counter[str]()
    before = workers.captions_made if workers else 0
    known = len(features.known_captions(ids)) - before
    failed = _by_workers(workers, ids, catalog, features, progress) if workers and workers.captions_elsewhere else {}
    if workers:
        tally["captions"] += workers.captions_made
    failed |= features.caption_each([id_ for id_ in ids if id_ not in failed], progress, tally)
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


def _by_workers(
    workers: RayEncoding, ids: Sequence[str], catalog: Catalog, features: Features, progress: Progress
) -> dict[str, str]:
    """Why some of the pictures have no caption still, by id."""
    lacking = set(ids) - features.known_captions(ids).keys() - workers.without_caption.keys()
    sources = {id_: record.source for id_, record in catalog.records(lacking).items()}
    workers.caption(sources, progress)
    workers.require_captions()
    return {id_: why for id_, why in workers.without_caption.items() if id_ in set(ids)}
