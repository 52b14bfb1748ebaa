"""Runs over the images that the gallery of a catalog holds already, with queries by the catalog's ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.composers import composer_named
from ipcir_tools.evaluation.benchmarks import Benchmark, Query
from ipcir_tools.evaluation.metrics.metrics import Measure
from ipcir_tools.evaluation.runs.gallery import catalog_gallery
from ipcir_tools.evaluation.runs.run import Run
from ipcir_tools.types import Verify

if TYPE_CHECKING:
    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components


def catalog_run(
    components: Components,
    queries: Sequence[Query] = (),
    composers: Sequence[str] = (),
    *,
    measures: Sequence[Measure] = (),
    progress: Progress | None = None,
    verify: Verify = 0,
) -> Run:
    """A run of ``queries`` over the whole gallery; the reference is left out of the ranking; ``verify`` as for
    :class:`Run`.

    Raises LookupError where a reference or a target is not in the gallery.
    """
    gallery = catalog_gallery(components)
    benchmark = Benchmark(
        name="the gallery",
        queries=tuple(queries),
        gallery=tuple(gallery.ids),
        paths={},
        keeps_reference=False,
        measures=tuple(measures),
        notes=("gallery: every picture in the catalog", "the reference is left out of the ranking"),
    )
    run = Run(components, benchmark, composers, gallery, progress=progress, curve=False, verify=verify)
    for id_, why in run.unusable.items():
        raise LookupError(f"query {id_}: {why}")
    return run


def rank_in_gallery(components: Components, request: ComposeRequest, target: str, verify: Verify = 0) -> int:
    """The rank of one picture in the whole gallery for a request; with ``verify`` after the first hits were verified.

    Raises LookupError where it is not in the gallery.
    """
    query = Query("1", request.reference or "", request.modification, (target,))
    run = catalog_run(components, [query], verify=verify)
    (composed,) = run.compose_requests([request])
    query = replace(query, left_out=composed.left_out)
    scores = run.scores([[composed.probe]])
    if run.verified:
        scores = run.verified_scores([query], [composed], scores)
    return run.ranker.rank([query], scores)[0].main


def weighted_spec(name: str, weight: float | None) -> str:
    """The composer's spec with ``weight`` (None: its own), where it has one as a parameter."""
    composer = composer_named(name)
    if weight is None or "weight" not in composer.parameters:
        return composer.spec
    return composer.with_options({"weight": weight}).spec
