"""One folder of Chroma: a neighbour index over vectors by id. Only it and ``chroma_server`` import Chroma.

It holds vectors, and captions and places for others who read it: filters are the catalog's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from ipcir_tools.batches import chunked
from ipcir_tools.store.candidates import BrokenIndexError, ChromaCollection
from ipcir_tools.text import masked
from ipcir_tools.types import FloatArray

NAME = "pictures"
DATABASE = "chroma.sqlite3"


@dataclass(frozen=True)
class HnswSettings:
    """How the graph is built and walked; none but ``ef_search`` could be changed afterwards."""

    ef_construction: int
    max_neighbors: int
    ef_search: int


CHOSEN = HnswSettings(ef_construction=200, max_neighbors=32, ef_search=200)
"""By ``python -m ipcir_tools.evaluation.experiments.index_speed --sizes 5000 20000 50000 --clusters 20`` on a two-core
x86 CPU, in use by other work, 50,000 with 100 queries instead of 200; 512-d vectors, asked for 100 candidates; recall
of the 10 best against exact search and median time of a query:

==========================  =============  ================  ================
construction/links/search   n = 5,000      20,000            50,000
==========================  =============  ================  ================
100/16/100 (Chroma's own)   1.000, 0.8 ms  0.990, 0.8 ms     0.952, 1.0 ms
200/32/200                  1.000, 1.1 ms  1.000, 1.0 ms     1.000, 1.5 ms
200/32/400                  1.000, 1.0 ms  1.000, 1.1 ms     1.000, 1.8 ms
400/48/400                  1.000, 1.1 ms  1.000, 1.3 ms     not measured
==========================  =============  ================  ================

The chosen one builds 20,000 in 7 s and 50,000 in 30 s; 400/48/400 takes twice that. In 200 clusters all of them reach
1.000 up to 20,000. Exact search by numpy takes 0.1, 0.8 to 1.4 and 3.3 ms: the index pays from 20,000 pictures on.
"""


@contextmanager
def guarded(secret: str = "") -> Iterator[None]:
    """Chroma's errors as BrokenIndexError, in which ``secret`` is masked."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic in Chroma's Rust part is no Exception
        said = str(error)
        shown = masked(said, [secret])
        # A cause that shows the secret is left out: a traceback would print it.
        raise BrokenIndexError(f"{type(error).__name__}: {shown}") from (error if shown == said else None)


class NeighbourIndex:
    """A Chroma collection in a folder of its own, by cosine. Every method raises BrokenIndexError where Chroma fails.

    After each write all of it is in the files, so a folder that is closed can be copied and compared by digest.
    """

    def __init__(self, client: Any, collection: Any) -> None:
        self._client = client
        self._collection = collection

    @classmethod
    def create(cls, folder: Path, settings: HnswSettings = CHOSEN) -> Self:
        """An empty index in a new folder."""
        # With a threshold of 1 nothing waits in Chroma's log for a later start, and files change by writing alone.
        hnsw = asdict(settings) | {"space": "cosine", "sync_threshold": 1, "batch_size": 1}
        with guarded():
            client = _client(folder)
            return cls(client, client.create_collection(NAME, embedding_function=None, configuration={"hnsw": hnsw}))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The index in ``folder``."""
        if not (folder / DATABASE).is_file():
            raise BrokenIndexError(f"{folder / DATABASE} is not there")
        with guarded():
            client = _client(folder)
            return cls(client, client.get_collection(NAME, embedding_function=None))

    def close(self) -> None:
        """Close the files."""
        with guarded():
            self._client.close()

    def as_collection(self) -> ChromaCollection:
        """The same for Chroma's own client."""
        return ChromaCollection(self._client, NAME)

    def count(self) -> int:
        """The number of vectors."""
        with guarded():
            return int(self._collection.count())

    def ids(self) -> set[str]:
        """The ids of all vectors."""
        with guarded():
            return set(self._collection.get(include=[])["ids"])

    def put(
        self,
        vectors: Mapping[str, FloatArray],
        documents: Sequence[str] | None = None,
        metadatas: Sequence[Mapping[str, str]] | None = None,
    ) -> None:
        """Add vectors ``[d]`` by id, with a document and metadata each, in the order of ``vectors``."""
        with guarded():
            ids, step = list(vectors), self._client.get_max_batch_size()
            for start in range(0, len(ids), step):
                some = slice(start, start + step)
                self._collection.upsert(
                    ids=ids[some],
                    embeddings=np.stack([vectors[id_] for id_ in ids[some]]),
                    documents=documents and documents[some],
                    metadatas=metadatas and metadatas[some],
                )

    def described(self, ids: Sequence[str]) -> dict[str, tuple[str, Mapping[str, str]]]:
        """Document and metadata by id."""
        with guarded():
            found = self._collection.get(ids=list(ids), include=["documents", "metadatas"])
            return dict(zip(found["ids"], zip(found["documents"], found["metadatas"], strict=True), strict=True))

    def describe(self, rows: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
        """Put document and metadata in the place of earlier ones, by id."""
        with guarded():
            for ids in chunked(rows, self._client.get_max_batch_size()):
                documents, metadatas = zip(*(rows[id_] for id_ in ids), strict=True)
                self._collection.update(ids=ids, documents=list(documents), metadatas=list(metadatas))

    def drop(self, ids: Iterable[str]) -> None:
        """Delete vectors by id."""
        with guarded():
            for some in chunked(ids, self._client.get_max_batch_size()):
                self._collection.delete(ids=some)

    def nearest(self, vector: FloatArray, n: int) -> list[str]:
        """Ids of about the ``n`` nearest to ``vector`` ``[d]``, nearest first."""
        with guarded():
            found = self._collection.query(query_embeddings=[vector], n_results=n, include=[])
            return [str(id_) for id_ in found["ids"][0]]


def digest(folder: Path) -> str:
    """SHA-256 over the graph's files: what Chroma reads without checking, and may crash the process on.

    Its database is left out: it changes with every opening, and SQLite notices damage by itself.
    """
    total = hashlib.sha256()
    for path in sorted(folder.glob("*/*")):
        with path.open("rb") as stream:
            total.update(f"{path.relative_to(folder)} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _client(folder: Path) -> Any:
    settings = quiet_settings()
    import chromadb

    return chromadb.PersistentClient(str(folder), settings=settings)


def quiet_settings(**chosen: Any) -> Any:
    """Chroma's settings without its telemetry, and without what a stray ``.env`` says."""
    _keep_dotenv_out()
    from chromadb.config import Settings

    return Settings(_env_file=None, anonymized_telemetry=False, **chosen)


def _keep_dotenv_out() -> None:
    """Keep Chroma from reading ``.env`` in the working directory, which it does as early as its import.

    A stray file there would change its settings, or stop the import where a value does not fit.
    """
    from pydantic_settings import DotEnvSettingsSource

    source: Any = DotEnvSettingsSource
    read = source._load_env_vars
    if not hasattr(read, "spares_chroma"):

        def load(self: Any) -> Mapping[str, str | None]:
            return {} if self.settings_cls.__module__.startswith("chromadb.") else read(self)

        load.spares_chroma = True  # type: ignore[attr-defined]
        source._load_env_vars = load
