"""Encoding on the workers of a Ray cluster, in place of this process, for one index run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Self

from ipcir_tools.batches import Progress
from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.settings import Settings
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.ray_cluster import STORE_BYTES, Encoders, cluster, room_for
from ipcir_tools.store.ray_job import run_job
from ipcir_tools.store.ray_worker import Done, FileRow, Ids, Job


@dataclass(frozen=True)
class WorkerModels:
    """The models that workers load, by name."""

    encoder: str
    captioner: str | None = None
    """None where no captions are wanted, or where they are requested from a server and so better from one place."""
    captioner_id: str = ""
    """Under which its captions are stored."""


class RayEncoding:
    """Files in, and what workers make of them out; the cluster is connected to when there is a first file.

    A context manager: a cluster that was started for it ends with it.
    """

    def __init__(
        self,
        address: str,
        models: WorkerModels,
        settings: Settings,
        catalog: Catalog,
        note_models: Callable[[], None],
        progress: Progress,
    ) -> None:
        self._address = address
        self._models = models
        self._settings = settings
        self._catalog = catalog
        self._note_models = note_models
        self._progress = progress
        self._stack = ExitStack()
        self._encoders: Encoders | None = None
        self._space = ""
        self.captions_made = 0
        self.without_caption: dict[str, str] = {}
        """By id, why a picture has no caption."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def encoded(self, files: Sequence[FileRow], known: Iterable[str]) -> Generator[Done, None, None]:
        """What was made of each file, in any order; ``known`` are the pictures whose content needs no decoding.

        The gallery is bound to the encoder's space before the first feature comes. Captions are stored as soon as the
        caller has come back for more, which is to say: has stored the pictures. Raises as :func:`run_job`, and
        SpaceMismatchError for an encoder that is not the gallery's.
        """
        if files:
            yield from self._run(files, Ids(known), only_captions=False)

    def caption(self, sources: dict[str, str]) -> None:
        """Caption pictures, by id, from their files. What has no caption then is in ``without_caption``.

        Raises ModelUnavailableError where the captioner is not available, or has failed on every picture of the run.
        """
        self._caption(sources)
        if self.without_caption and not self.captions_made:
            why = next(iter(self.without_caption.values()))
            raise ModelUnavailableError(f"The captioner {self._models.captioner} fails on every picture: {why}.")

    def _caption(self, sources: dict[str, str]) -> None:
        done = 0
        rows: list[FileRow] = [(source, None) for source in sources.values()]
        with closing(self._run(rows, Ids(()), only_captions=True)) as blocks:
            for each in blocks:
                done += len(each.paths)
                self.without_caption |= _reasons(each, sources)
                self._progress("captioning", done, len(sources))
        missing = (
            set(sources) - self.without_caption.keys() - self._catalog.captions(sources, self._captioner_id).keys()
        )
        self.without_caption |= dict.fromkeys(missing, "not captioned: the file holds another picture by now")

    @property
    def makes_captions(self) -> bool:
        """Whether the workers make captions."""
        return self._models.captioner is not None

    @property
    def _captioner_id(self) -> str:
        return self._models.captioner_id

    def _run(self, files: Sequence[FileRow], known: Ids, *, only_captions: bool) -> Generator[Done, None, None]:
        encoded = Ids(self._catalog.encoded_ids(self._catalog.space() or ""))
        job = Job(
            self._models.encoder,
            _for_workers(self._settings),
            known,
            encoded,
            captioner=self._models.captioner,
            captioner_id=self._models.captioner_id,
            only_captions=only_captions,
            roots=tuple(self._catalog.folders()),
        )
        with closing(run_job(job, files, self._connected(known.nbytes + encoded.nbytes))) as blocks:
            for done in blocks:
                self._bind(done.space)
                yield done
                self._store_captions(done)

    def _connected(self, nbytes: int) -> Encoders:
        if self._encoders is None:
            nodes = self._stack.enter_context(cluster(self._address, STORE_BYTES + 2 * nbytes))
            self._encoders = room_for(nodes, accelerators=not self._settings.device.startswith(("cpu", "mps")))
        return self._encoders

    def _bind(self, space: str) -> None:
        if space and space != self._space:
            self._note_models()
            self._catalog.bind_space(space)
            self._space = space

    def _store_captions(self, done: Done) -> None:
        if done.captions:
            self._note_models()
            self._catalog.put_features(done.texts, done.space)
            known = self._catalog.captions(done.captions, self._captioner_id)  # of a copy, for one
            self._catalog.put_captions(done.captions, self._captioner_id)
            self.captions_made += len(done.captions) - len(known)
        self.without_caption |= done.without_caption


def _for_workers(settings: Settings) -> Settings:
    """Ray shows each worker its own accelerator alone, as the first one."""
    return settings.model_copy(update={"device": "cuda"}) if settings.device.startswith("cuda:") else settings


def _reasons(done: Done, sources: dict[str, str]) -> dict[str, str]:
    whys = {each.skip.source: each.skip.reason for each in done.unusable}
    return {id_: whys[source] for id_, source in sources.items() if source in whys} if whys else {}
