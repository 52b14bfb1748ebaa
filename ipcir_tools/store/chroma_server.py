"""The index as a collection on a Chroma server, in place of a folder: machines share it by its seal in the catalog.

A collection is built under a name that nobody has had, and never changed after the seal names it. The one before is
deleted then, and no other: what else is on the server belongs to somebody else.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from pydantic import SecretStr, ValidationError

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.settings import Settings
from ipcir_tools.store.candidates import BrokenIndexError, ChromaCollection, OpenedIndex
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.chroma import CHOSEN, guarded, quiet_settings
from ipcir_tools.store.collection_rows import collection_rows
from ipcir_tools.text import error_line, json_digest
from ipcir_tools.types import FloatArray, Value

log = logging.getLogger(__name__)

TOKEN = "x-chroma-token"
BLOCK = 1_000
"""Vectors read from the catalog and sent at a time."""
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
"""How long a search waits for an answer before it scores all pictures itself."""
WRITE_SECONDS = 300.0
LEASE_SECONDS = 300.0
"""How long after its last block a machine that builds the collection is taken to be at it still."""


class _InterruptedError(Exception):
    """A build is to end."""


class ServerSeal(Value):
    """A finished collection."""

    collection: str
    gallery: str
    """Whose it is: :meth:`Catalog.identity`."""
    revision: int
    """The catalog's revision when it was built, or an earlier one."""
    facts: int
    """The catalog's facts of its documents and metadata."""
    count: int
    discarded: bool = False
    """Whether it failed, and a new one is to be built."""


class _Lease(Value):
    """A machine that builds a collection, until it is heard of no more."""

    host: str
    process: int
    until: float
    """Seconds since 1970."""
    collection: str
    """What it builds; whoever takes its turn over deletes that."""

    @property
    def is_over(self) -> bool:
        """Whether it has not been heard of for long, or was a process of this machine that has ended."""
        if self.host == socket.gethostname() and not _is_running(self.process):
            return True
        return self.until < time.time()


@dataclass(frozen=True)
class ChromaServer:
    """Where a server is, and as who it is asked."""

    url: str
    tenant: str | None = None
    database: str | None = None
    prefix: str = "ipcir"
    """What the names of collections begin with."""
    token: SecretStr | None = None

    @classmethod
    def of(cls, settings: Settings) -> ChromaServer | None:
        """The server that the settings name, if any."""
        if settings.chroma_url is None:
            return None
        return cls(
            settings.chroma_url.rstrip("/"),
            settings.chroma_tenant,
            settings.chroma_database,
            settings.chroma_collection,
            settings.chroma_token,
        )

    @property
    def key(self) -> str:
        """A digest of the place: two machines with the same one see the same collections."""
        return json_digest([self.url, self.tenant or "", self.database or "", self.prefix])[:16]

    def guarded(self) -> AbstractContextManager[None]:
        """Errors of a client as BrokenIndexError, without the token that a client or the server may repeat in them."""
        return guarded(self._secret)

    @property
    def _secret(self) -> str:
        return self.token.get_secret_value() if self.token else ""

    def connect(self, seconds: float = ANSWER_SECONDS) -> Any:
        """A client whose requests take ``seconds`` at most. Raises BrokenIndexError where no answer comes."""
        with self.guarded():
            import httpx

            headers = {TOKEN: self._secret} if self._secret else {}
            # Chroma itself would wait without end, and its client's constructor does already.
            httpx.get(f"{self.url}/api/v2/heartbeat", headers=headers, timeout=CONNECT_SECONDS).raise_for_status()
            quiet = quiet_settings()  # before Chroma is imported: it reads .env then
            import chromadb

            where = urlsplit(self.url)
            port = where.port or (443 if where.scheme == "https" else 80)
            places = {"tenant": self.tenant, "database": self.database}
            client = chromadb.HttpClient(
                self.url,
                port,
                ssl=where.scheme == "https",
                headers=headers,
                settings=quiet.model_copy(update={"chroma_server_host": self.url, "chroma_server_http_port": port}),
                **{name: value for name, value in places.items() if value},
            )
            _limit(client, seconds)
            return client


class ServerCollection:
    """A finished collection on a server, as a :class:`ipcir_tools.store.candidates.CandidateIndex`."""

    def __init__(self, server: ChromaServer, client: Any, collection: Any) -> None:
        self._server = server
        self.client = client
        self.collection = collection

    def nearest(self, vector: FloatArray, n: int) -> list[str]:
        """Ids of about the ``n`` nearest to ``vector`` ``[d]``, nearest first."""
        with self._server.guarded():
            found = self.collection.query(query_embeddings=[vector], n_results=n, include=[])
            return [str(id_) for id_ in found["ids"][0]]

    def close(self) -> None:
        """Close the connections."""
        with self._server.guarded():
            self.client.close()


class ServerIndex:
    """The collections of one catalog on a server, as an :class:`ipcir_tools.store.candidates.IndexStore`.

    Where the server does not answer, one warning says so, until it has answered again.
    """

    retry_seconds = 60.0
    """A server may be back."""

    def __init__(self, catalog: Catalog, server: ChromaServer, captioner: Callable[[], str] | None = None) -> None:
        self._catalog, self._server, self._captioner = catalog, server, captioner
        self._warned = False
        self._interrupted = threading.Event()

    @property
    def note(self) -> str:
        """The key of the catalog's note with the seal of the last finished collection."""
        return f"chroma:{self._server.key}"

    def revision(self, seal: str) -> int | None:
        """The catalog's revision of a seal; None where it is none, or its collection was given up."""
        found = _parsed(seal)
        return None if found is None or found.discarded else found.revision

    def open(self) -> OpenedIndex | None:
        """The last finished collection; None where there is none, it is not whole, or the server does not answer."""
        text = self._catalog.note(self.note) or ""
        seal = _parsed(text)
        if seal is None or seal.discarded:
            return None
        try:
            index = self._sealed(seal)
        except BrokenIndexError as error:
            if self._is_reachable():
                log.info("the collection %s cannot be used: %s", seal.collection, error)
                self._give_up(text, seal)
            else:
                self._warn(error)
            return None
        self._warned = False
        return OpenedIndex(index, seal.revision, seal.count, text)

    def collection(self, progress: Progress | None = None) -> ChromaCollection | None:
        """A collection of the gallery as it is now for Chroma's own client."""
        seal = self._last() if self.write(progress, described=True) else None
        if seal is None:
            return None
        try:
            return ChromaCollection(self._sealed(seal).client, seal.collection)
        except BrokenIndexError as error:
            self._warn(error)
            return None

    def _sealed(self, seal: ServerSeal) -> ServerCollection:
        """A sealed collection. Raises BrokenIndexError unless it is there, ours, and of the right size."""
        client = self._server.connect()
        with self._server.guarded():
            found = client.get_collection(seal.collection, embedding_function=None)
            if (found.metadata or {}).get("gallery") != seal.gallery or found.count() != seal.count:
                raise BrokenIndexError(f"the collection {seal.collection} is not what was built")
        return ServerCollection(self._server, client, found)

    def write(self, progress: Progress | None = None, *, described: bool = False) -> bool:
        """A new collection from the catalog, or the last one where it is current; False, and a warning, where it fails.

        With ``described`` captions and metadata are to be those of now, too. One machine builds at a time.
        """
        last, state = self._last(), self._catalog.state()
        is_current = last is not None and last.revision == state.revision
        if last is not None and is_current and (not described or last.facts == state.facts) and self._is_there(last):
            return True
        lease = self._lease()
        if lease is not None and not lease.is_over:
            log.info("another process is building the collection on %s", self._server.url)
            return False
        self._interrupted.clear()  # of an earlier build; who closes says it again until this one has ended
        try:
            self._build(lease, progress)
        except _InterruptedError:
            log.info("the collection on %s was not finished: the gallery was closed", self._server.url)
            return False
        except BrokenIndexError as error:
            self._warn(error)
            return False
        self._warned = False
        return True

    def failed(self, error: BrokenIndexError) -> None:
        """Forget the last collection, which failed in a search; not where only the server does not answer."""
        self._warn(error)
        if self._is_reachable():
            self.discard()

    def interrupt(self) -> None:
        """End a build in another thread after the block that is being sent; the last finished collection stays."""
        self._interrupted.set()

    def discard(self) -> None:
        """Forget the last collection, so that a new one is built; that deletes it, too."""
        text = self._catalog.note(self.note) or ""
        seal = _parsed(text)
        if seal is not None:
            self._give_up(text, seal)

    def _last(self) -> ServerSeal | None:
        """The seal of the last finished collection, unless it was given up."""
        seal = _parsed(self._catalog.note(self.note) or "")
        return None if seal is None or seal.discarded else seal

    # --- building

    def _build(self, earlier: _Lease | None, progress: Progress | None) -> None:
        """Build a collection, seal it, and delete the last one and what an ``earlier`` builder left."""
        client = self._server.connect(WRITE_SECONDS)
        # The state is read first: what comes in later makes the seal look old, never newer than it is.
        state, gallery = self._catalog.state(), self._catalog.identity()
        name = f"{self._server.prefix}-{gallery[:8]}-{uuid4().hex[:12]}"
        self._take_turn(name)
        left_over: _Lease | None = None
        try:
            count = self._filled(client, name, {"gallery": gallery}, progress)
            seal = ServerSeal(collection=name, gallery=gallery, revision=state.revision, facts=state.facts, count=count)
        except BaseException as error:
            if isinstance(error, _InterruptedError):
                _limit(client, CONNECT_SECONDS)  # who closes waits for it
            if not self._delete(client, name):
                left_over = _lease_of(name, until=0.0)  # the next builder deletes it
            raise
        else:
            before = _parsed(self._catalog.note(self.note) or "")  # a discarded one, too
            self._catalog.set_note(self.note, seal.model_dump_json())
            if before is not None and before.gallery == gallery:
                self._delete(client, before.collection)
            if earlier is not None:
                self._delete(client, earlier.collection)
        finally:
            self._catalog.set_note(self._lease_note, left_over.model_dump_json() if left_over else "")
            client.close()

    def _filled(self, client: Any, name: str, metadata: dict[str, Any], progress: Progress | None) -> int:
        """How many pictures the new collection ``name`` has: all of the gallery that have a usable feature."""
        ids, space = self._catalog.gallery_ids(), self._catalog.space() or ""
        captioner = self._captioner() if self._captioner else None
        with self._server.guarded():
            hnsw = asdict(CHOSEN) | {"space": "cosine"}
            made = client.create_collection(
                name, embedding_function=None, metadata=metadata, configuration={"hnsw": hnsw}
            )
            step = min(BLOCK, client.get_max_batch_size())
        count = 0
        for start, block in enumerate(chunked(ids, step)):
            if self._interrupted.is_set():
                raise _InterruptedError
            vectors = self._catalog.features(block, space)
            whole = [id_ for id_ in block if id_ in vectors]  # without those whose feature is damaged
            documents, metadatas = collection_rows(self._catalog, whole, captioner)
            with self._server.guarded():
                embeddings = [vectors[id_] for id_ in whole]
                made.add(ids=whole, embeddings=embeddings, documents=documents, metadatas=metadatas)
            count += len(whole)
            self._take_turn(name)
            if progress is not None:
                progress("search index", start * step + len(block), len(ids))
        with self._server.guarded():
            if made.count() != count:
                raise BrokenIndexError(f"{name} does not hold what was put in")
        return count

    @property
    def _lease_note(self) -> str:
        return f"{self.note}:building"

    def _lease(self) -> _Lease | None:
        """Who builds a collection, or did when it was last heard of."""
        try:
            return _Lease.model_validate_json(self._catalog.note(self._lease_note) or "")
        except ValidationError:
            return None

    def _take_turn(self, collection: str) -> None:
        lease = _lease_of(collection, until=time.time() + LEASE_SECONDS)
        self._catalog.set_note(self._lease_note, lease.model_dump_json())

    def _delete(self, client: Any, name: str) -> bool:
        """Delete a collection of this gallery; that it stays has no other effect than its place on the server."""
        try:
            with self._server.guarded():
                client.delete_collection(name)
        except BrokenIndexError as error:
            log.info("the collection %s was not deleted: %s", name, error)
            return False
        return True

    # --- whether the server is there

    def _is_there(self, seal: ServerSeal) -> bool:
        try:
            self._sealed(seal).close()
        except BrokenIndexError:
            return False
        return True

    def _is_reachable(self) -> bool:
        try:
            self._server.connect(CONNECT_SECONDS).close()
        except BrokenIndexError:
            return False
        return True

    def _give_up(self, text: str, seal: ServerSeal) -> None:
        if self._catalog.note(self.note) == text:  # else another machine has just replaced it
            self._catalog.set_note(self.note, seal.model_copy(update={"discarded": True}).model_dump_json())

    def _warn(self, error: BrokenIndexError) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "the Chroma server at %s does not answer as it should (%s): all pictures are scored here until it does",
                self._server.url,
                error_line(error),
            )


def _lease_of(collection: str, until: float) -> _Lease:
    return _Lease(host=socket.gethostname(), process=os.getpid(), until=until, collection=collection)


def _limit(client: Any, seconds: float) -> None:
    """Let requests of a client take ``seconds`` at most from now on."""
    session = getattr(getattr(client, "_server", None), "_session", None)
    if session is not None:
        import httpx

        session.timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)


def _parsed(seal: str) -> ServerSeal | None:
    try:
        return ServerSeal.model_validate_json(seal)
    except ValidationError:
        return None


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
