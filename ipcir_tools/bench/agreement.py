"""How near the package's features, in the number type that it chooses, are to open_clip's in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ipcir_tools.bench.encode import package_encoder
from ipcir_tools.bench.peers import OpenClipReadme
from ipcir_tools.bench.pictures import LARGE_PHOTO, PHOTO, draw_pictures
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.timing import Say
from ipcir_tools.bench.weights import encoder_folder, local_name
from ipcir_tools.models.presets import DEMO_FOLDER
from ipcir_tools.types import FloatArray

MOST = 64
"""Pictures that are compared."""


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """Cosines between what an index run stored and what open_clip gives for the same files.

    Random weights give all pictures nearly the same feature, which flatters the cosine: ``centred`` is the mean cosine
    after the mean feature is taken away. ``trained`` is of the small trained CLIP that ships with the package.
    """
    photos = draw_pictures(plan.folder / "photos", min(MOST, plan.pictures), PHOTO, plan.seed)
    large = draw_pictures(plan.folder / "large", max(2, min(MOST, plan.pictures) // 8), LARGE_PHOTO, plan.seed)
    folder = encoder_folder(plan.encoder, plan.folder / "weights", plan.seed)
    found = _compared(folder, [*photos, *large], plan, say)
    return found | {"trained": _compared(DEMO_FOLDER / "clip", [*photos, *large], plan, say)}


def _compared(folder: Path, paths: list[Path], plan: Plan, say: Say) -> dict[str, Any]:
    say(f"{folder.name}: this package")
    own, dtype = _stored(folder, paths)
    say(f"{folder.name}: open_clip in float32")
    theirs = OpenClipReadme(folder).encode_files(paths)
    cosines = np.sum(own.astype(np.float64) * theirs, axis=1)
    between = theirs @ theirs.T
    return {
        "mean": float(cosines.mean()),
        "worst": float(cosines.min()),
        "centred": float(_centred(own, theirs)),
        "between_pictures": float(between[~np.eye(len(between), dtype=bool)].mean()),
        "pictures": len(paths),
        "dtype": dtype,
    }


def _centred(own: FloatArray, theirs: FloatArray) -> float:
    """The mean cosine of features from which the mean of the peer's is taken away."""
    a, b = own - theirs.mean(axis=0), theirs - theirs.mean(axis=0)
    return float(np.mean(np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))))


def _stored(folder: Path, paths: list[Path]) -> tuple[FloatArray, str]:
    """Features ``[n, d]`` as an index run stores them, in the order of the files, and the encoder's number type."""
    import tempfile

    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings

    with (
        tempfile.TemporaryDirectory(prefix="ipcir-bench-") as home,
        Engine.open(Settings(home=Path(home), encoder=local_name(folder))) as engine,
    ):
        engine.index(sorted(paths))
        catalog = engine.catalog
        held = {stamp.path: stamp.image_id for stamp in catalog.stamps().values()}
        ids = [held[str(path.resolve())] for path in paths]
        features = catalog.features(ids, catalog.space() or "")
        return np.stack([features[id_] for id_ in ids]), package_encoder(folder).dtype
