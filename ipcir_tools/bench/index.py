"""Indexing end to end: from a folder of JPEGs to a gallery that can be searched, beside LangChain's parts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipcir_tools.bench.encode import BATCH, package_encoder
from ipcir_tools.bench.peers import OpenClipReadme, langchain_embeddings, langchain_store
from ipcir_tools.bench.pictures import LARGE_PHOTO, PHOTO, draw_pictures
from ipcir_tools.bench.plan import Plan
from ipcir_tools.bench.timing import Say, Started, rates, rounded
from ipcir_tools.bench.weights import encoder_folder, local_name

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

PEER_SHARE = 8
"""The peer indexes one in so many of the pictures: it takes as long for them as the package for all. So that its start
weighs no more for it, no start counts: homes and stores are open before the clock runs."""


def measure(plan: Plan, say: Say) -> dict[str, Any]:
    """Pictures per second of 1024x768, and of 4000x3000 under ``large``; models are loaded and stores
    opened before, the peer's and the package's."""
    say("making weights and pictures")
    folder = encoder_folder(plan.encoder, plan.folder / "weights", plan.seed)
    photos = draw_pictures(plan.folder / "photos", plan.pictures, PHOTO, plan.seed)
    large = draw_pictures(plan.folder / "large", max(2, plan.pictures // 8), LARGE_PHOTO, plan.seed)
    encoder = package_encoder(folder)
    device = encoder.device
    bare = {kind: OpenClipReadme(folder, device, kind) for kind in ("bf16", "fp32")}
    embeddings, label = langchain_embeddings(folder)
    inputs = {kind: peer.pixels(BATCH) for kind, peer in bare.items()}
    forward = {kind: partial(peer.forward, inputs[kind]) for kind, peer in bare.items()}
    with _package(folder, plan.folder / "photos") as index:
        index()  # whatever is made once is made here
    for work in forward.values():
        work()
    found = rates(
        {
            "package": (Started(partial(_package, folder, plan.folder / "photos")), len(photos)),
            "bare bf16": (forward["bf16"], BATCH),
            "peer": (Started(partial(_peer, embeddings, photos)), _some(photos)),
            "bare fp32": (forward["fp32"], BATCH),
            "package, 4000x3000": (Started(partial(_package, folder, plan.folder / "large")), len(large)),
            "peer, 4000x3000": (Started(partial(_peer, embeddings, large)), _some(large)),
        },
        plan.rounds,
        say,
    )
    same = "bare fp32" if encoder.dtype == "float32" else "bare bf16"
    return {
        "images_per_s": rounded(found["package"]),
        "bare_forward_per_s": rounded(found[same]),
        "peer_per_s": rounded(found["peer"]),
        "peer": f"{label} + langchain-chroma",
        "dtype": encoder.dtype,
        "device": device,
        "batch_size": encoder.batch_size,
        "bare_bfloat16_per_s": rounded(found["bare bf16"]),
        "bare_float32_per_s": rounded(found["bare fp32"]),
        "share_of_bare_bfloat16": rounded(found["package"] / found["bare bf16"]),
        "times_peer": rounded(found["package"] / found["peer"]),
        "pictures": len(photos),
        "large": {
            "images_per_s": rounded(found["package, 4000x3000"]),
            "peer_per_s": rounded(found["peer, 4000x3000"]),
            "times_peer": rounded(found["package, 4000x3000"] / found["peer, 4000x3000"]),
            "pictures": len(large),
        },
    }


@contextmanager
def _package(folder: Path, pictures: Path) -> Iterator[Callable[[], object]]:
    """What indexes a folder of pictures into a new home, which is open."""
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.settings import Settings

    with tempfile.TemporaryDirectory(prefix="ipcir-bench-") as home:
        settings = Settings(home=Path(home), encoder=local_name(folder))
        with Engine.open(settings) as engine:
            yield partial(engine.index, [pictures])


def _some(paths: list[Path]) -> int:
    return max(1, len(paths) // PEER_SHARE)


@contextmanager
def _peer(embeddings: Embeddings, paths: list[Path]) -> Iterator[Callable[[], object]]:
    """The same of the peer, whose store has taken in one picture already: all that it makes once is made."""
    with tempfile.TemporaryDirectory(prefix="ipcir-bench-", ignore_cleanup_errors=True) as folder:
        add = langchain_store(embeddings, Path(folder))
        add(paths[-1:])
        yield partial(add, paths[: _some(paths)])
