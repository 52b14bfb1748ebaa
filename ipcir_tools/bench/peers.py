"""The peers: what a program would use in place of this package, as its documentation shows it.

LangChain's parts are ``OpenCLIPEmbeddings`` of langchain-experimental and ``Chroma`` of langchain-chroma (extra
``bench``). Without langchain-experimental a few lines of our own do what its documentation describes: each picture is
opened, preprocessed and encoded by itself in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ipcir_tools.bench.timing import recall
from ipcir_tools.bench.weights import peer_name
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    import torch
    from langchain_core.embeddings import Embeddings

OWN_LINES = "OpenCLIPEmbeddings as documented (langchain-experimental is not installed)"
BREADTHS = (10, 20, 50, 100, 150, 200, 300, 400, 800)
"""Widths of the graph's walk that are tried, the narrowest first."""


class OpenClipReadme:
    """open_clip as its README shows it: one picture at a time, float32."""

    def __init__(self, folder: Path, device: str = "cpu", precision: str = "fp32") -> None:
        import open_clip

        made = open_clip.create_model_and_transforms(peer_name(folder), precision=precision, device=device)
        self.model, self.preprocess = made[0].eval(), made[2]
        self.tokenizer = open_clip.get_tokenizer(peer_name(folder))
        self._device, self._half = device, precision == "bf16"

    def encode_files(self, paths: Sequence[Path]) -> FloatArray:
        """Features ``[n, d]``, unit norm."""
        import torch
        from PIL import Image

        rows = []
        with torch.no_grad():
            for path in paths:
                image = self.preprocess(Image.open(path)).unsqueeze(0).to(self._device)
                features = self.model.encode_image(image)
                rows.append(features / features.norm(dim=-1, keepdim=True))
        return np.asarray(torch.cat(rows).float().cpu().numpy(), dtype=np.float32)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The bare forward pass ``[b, d]`` over pixels ``[b, 3, s, s]`` that are on the device."""
        import torch

        with torch.inference_mode():
            features: torch.Tensor = self.model.encode_image(pixels)
            if features.is_cuda:
                torch.cuda.synchronize()
            return features

    def pixels(self, batch: int) -> torch.Tensor:
        """Noise ``[batch, 3, s, s]`` on the device, in the model's number type."""
        import torch

        side = self.model.visual.image_size
        high, wide = (side, side) if isinstance(side, int) else side
        noise = torch.randn(batch, 3, high, wide, generator=torch.Generator().manual_seed(0))
        return noise.to(self._device, torch.bfloat16 if self._half else torch.float32)


def langchain_embeddings(folder: Path) -> tuple[Embeddings, str]:
    """LangChain's embeddings over the weights of a folder, and what they are."""
    try:
        peer: Any = import_module("langchain_experimental.open_clip")
    except ImportError:
        return _own_lines(folder), OWN_LINES
    made = peer.OpenCLIPEmbeddings(model_name=peer_name(folder), checkpoint="")
    made.model.eval()
    return made, "LangChain's OpenCLIPEmbeddings"


def _own_lines(folder: Path) -> Embeddings:
    from langchain_core.embeddings import Embeddings

    peer = OpenClipReadme(folder)

    class Documented(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            rows = (peer.model.encode_text(peer.tokenizer(text)) for text in texts)
            return [(row / row.norm(dim=1, keepdim=True)).squeeze(0).tolist() for row in rows]

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

        def embed_image(self, uris: list[str]) -> list[list[float]]:
            return [peer.encode_files([Path(uri)])[0].tolist() for uri in uris]

    return Documented()


def langchain_store(embeddings: Embeddings, folder: Path) -> Callable[[Sequence[Path]], object]:
    """What puts pictures into a new store of langchain-chroma in ``folder``."""
    from langchain_chroma import Chroma

    store = Chroma(collection_name="pictures", embedding_function=embeddings, persist_directory=str(folder))
    return lambda paths: store.add_images(uris=[str(path) for path in paths])


class ExactAlone:
    """Exact search by numpy over a matrix ``[n, d]`` in memory: the limit of what needs no index."""

    def __init__(self, matrix: FloatArray) -> None:
        self._matrix = matrix

    def nearest(self, vector: FloatArray, k: int = 10, rows: np.ndarray | None = None) -> list[int]:
        """Positions of the ``k`` best, the best first; among ``rows`` where these are given."""
        scores = self._matrix @ vector if rows is None else self._matrix[rows] @ vector
        best = np.argpartition(scores, -k)[-k:] if k < len(scores) else np.arange(len(scores))
        best = best[np.argsort(-scores[best])]
        return [int(i) for i in (best if rows is None else rows[best])]


class ChromaAlone:
    """A Chroma collection over the same vectors and nothing else, its walk just wide enough for the recall."""

    def __init__(self, folder: Path, name: str = "alone") -> None:
        self._folder, self._name = folder, name
        self._open()
        self._most = self._client.get_max_batch_size()
        self.breadth = 100

    def _open(self) -> None:
        from chromadb import PersistentClient
        from chromadb.config import Settings

        self._client: Any = PersistentClient(str(self._folder), settings=Settings(anonymized_telemetry=False))
        chosen: Any = {"hnsw": {"space": "cosine", "ef_construction": 200, "max_neighbors": 32}}
        self._made: Any = self._client.get_or_create_collection(
            self._name, embedding_function=None, configuration=chosen
        )

    @property
    def count(self) -> int:
        """How many vectors it holds."""
        return int(self._made.count())

    def put(self, start: int, vectors: FloatArray) -> None:
        """Add vectors ``[n, d]``, whose ids are their positions from ``start`` on."""
        for first in range(0, len(vectors), self._most):
            some = vectors[first : first + self._most]
            self._made.upsert(ids=[str(start + first + i) for i in range(len(some))], embeddings=some)

    def nearest(self, vector: FloatArray, k: int = 10) -> list[int]:
        """Positions of about the ``k`` best, the best first."""
        return [int(id_) for id_ in self._made.query(query_embeddings=[vector], n_results=k, include=[])["ids"][0]]

    def tune(self, vectors: FloatArray, truth: Sequence[Sequence[int]], least: float) -> float:
        """Take the narrowest walk that finds ``least`` of the truth, or the widest; the recall that it has."""
        found = 0.0
        for breadth in BREADTHS:
            self._made.modify(configuration={"hnsw": {"ef_search": breadth}})
            self._client.close()  # an index that is open goes on as it was
            self._open()
            self.breadth = breadth
            found = recall([self.nearest(vector, len(truth[0])) for vector in vectors], truth)
            if found >= least:
                break
        return found
