"""Training data: features of any images, and triplets with their proxy features.

The images are recorded in the catalog, so that nothing is encoded twice, but they do not enter the gallery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ipcir_tools.batches import chunked
from ipcir_tools.chains.composition.chain import compose_all
from ipcir_tools.chains.composition.requests import ComposeRequest
from ipcir_tools.errors import BadImageError, InvalidRequestError, NotFoundError
from ipcir_tools.evaluation.benchmarks import load_jsonl
from ipcir_tools.images import files as files_module
from ipcir_tools.images import reading, scanning
from ipcir_tools.types import FloatArray, ImageRecord, Skip

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.batches import Progress
    from ipcir_tools.engine.components import Components


_BLOCK = 64
"""Pictures in memory at a time."""
_REQUESTS = 256
"""Triplets that are composed at a time."""


@dataclass
class Pictures:
    """Pictures that were read: their ids by file, their features ``[d]`` by id, and the files left out."""

    ids: dict[Path, str] = field(default_factory=dict)
    features: dict[str, FloatArray] = field(default_factory=dict)
    skipped: list[Skip] = field(default_factory=list)

    @property
    def matrix(self) -> FloatArray:
        """The features ``[n, d]`` in the order of the files, each picture once. Raises InvalidRequestError for none."""
        if not self.features:
            raise InvalidRequestError("There is no picture to learn from: name folders that hold some.")
        return np.stack([self.features[id_] for id_ in dict.fromkeys(self.ids.values())])

    @property
    def left_out(self) -> tuple[str, ...]:
        """The files that could not be read, each with the reason."""
        return tuple(f"{skip.source}: {skip.reason}" for skip in self.skipped)


@dataclass(frozen=True)
class Triplets:
    """Proxy features and their targets' features, both ``[n, d]``; a query with two targets is there twice."""

    proxies: FloatArray
    targets: FloatArray
    gallery: FloatArray
    """All pictures of the folder, ``[m, d]``."""
    left_out: tuple[str, ...]
    origins: dict[str, int]
    """How many targets each kind of imagination wrote: "llm", "rules", "fallback"."""


def read_pictures(components: Components, paths: Sequence[Path], progress: Progress) -> Pictures:
    """The pictures in folders and files. Raises NotFoundError where one of ``paths`` does not exist."""
    return _read(components, list(scanning.find_files(paths)), progress)


def _read(components: Components, files: Sequence[Path], progress: Progress) -> Pictures:
    found = Pictures()
    for done, block in enumerate(chunked(files, _BLOCK)):
        _read_block(components, block, found)
        progress("encoding", done * _BLOCK + len(block), len(files))
    return found


def _read_block(components: Components, block: Sequence[Path], found: Pictures) -> None:
    data: dict[Path, bytes] = {}
    for file in block:
        try:
            data[file] = reading.read_file(file, components.settings)
        except (BadImageError, NotFoundError) as error:
            found.skipped.append(Skip(source=files_module.path_text(file), reason=str(error)))
    ids = {file: reading.image_id(content) for file, content in data.items()}
    known = components.catalog.records(ids.values()).keys() & components.catalog.features(
        ids.values(), components.features.space
    )
    records, pixels = list[ImageRecord](), dict[str, "Image.Image"]()
    for file, id_ in list(ids.items()):
        if id_ in known or id_ in pixels:
            continue
        try:
            side = components.encoder.picture_side
            loaded = reading.decode(data[file], files_module.path_text(file), components.settings, side=side)
        except BadImageError as error:
            found.skipped.append(Skip(source=files_module.path_text(file), reason=str(error)))
            del ids[file]
            continue
        records.append(loaded.record)
        pixels[id_] = loaded.pixels
    components.catalog.remember(records)
    found.ids |= ids
    found.features |= components.features.images(list(ids.values()), pixels)


def some_captions(components: Components, pictures: Pictures, most: int, progress: Progress) -> list[str]:
    """Captions of at most ``most`` of the pictures, spread evenly."""
    ids = list(dict.fromkeys(pictures.ids.values()))
    step = max(1, -(-len(ids) // most)) if most else len(ids) + 1
    chosen = ids[::step] if most else []
    captions = components.features.captions(chosen, progress=progress)
    return [captions[id_] for id_ in chosen]


def read_triplets(
    components: Components, path: Path, folder: Path | None, progress: Progress, weight: float | None = None
) -> Triplets:
    """The triplets of a file of ``{"reference", "modification", "targets"}`` over a folder of pictures.

    The proxy is the probe of ``imagined+reference`` with ``weight``, by default that of the settings. Raises what
    :func:`load_jsonl` raises, and InvalidRequestError where no triplet is left.
    """
    benchmark = load_jsonl(path, folder)
    root = files_module.located_path(benchmark.folder or path.parent)
    files = {name: root / place for name, place in benchmark.paths.items()}
    pictures = _read(components, list(files.values()), progress)
    ids = {name: pictures.ids[file] for name, file in files.items() if file in pictures.ids}
    single = [q for q in benchmark.queries if not q.others]
    queries = [q for q in single if q.reference in ids and any(target in ids for target in q.targets)]
    if not queries:
        raise InvalidRequestError(f"{path} has no triplet whose pictures can be read: check the folder (--pictures).")
    weight = components.settings.weight if weight is None else weight
    requests = [ComposeRequest(ids[q.reference], q.modification, "imagined+reference", weight) for q in queries]
    composed = []
    for block in chunked(requests, _REQUESTS):
        composed += compose_all(block, components, {"max_concurrency": components.settings.llm_concurrency}, progress)
        progress("imagining", len(composed), len(requests))
    pairs = [
        (proxy.probe.vector, pictures.features[ids[target]])
        for query, proxy in zip(queries, composed, strict=True)
        for target in query.targets
        if target in ids
    ]
    several = [f"query {q.id}: it has several references" for q in benchmark.queries if q.others]
    missing = [f"query {q.id}: its pictures cannot be read" for q in single if q not in queries]
    return Triplets(
        proxies=np.stack([proxy for proxy, _ in pairs]),
        targets=np.stack([target for _, target in pairs]),
        gallery=pictures.matrix,
        left_out=(*benchmark.left_out, *several, *missing),
        origins=dict(Counter(each.imagination.target.origin for each in composed if each.imagination)),
    )
