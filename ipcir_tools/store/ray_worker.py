"""What an encoder does on Ray: files in, their records, features and captions out, or why there are none."""

from __future__ import annotations

import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ipcir_tools.errors import IPCIRError, ModelUnavailableError
from ipcir_tools.images.budget import share_with_machine
from ipcir_tools.images.file_status import GONE, FileStatus
from ipcir_tools.images.files import text_path
from ipcir_tools.models.loading import load_captioner, load_encoder
from ipcir_tools.models.registry import OWN
from ipcir_tools.models.user_cache import cache_folder
from ipcir_tools.settings import Settings
from ipcir_tools.store.changed_files import NewPicture, PictureReader, ReadFile, UnusableFile, read_files
from ipcir_tools.store.encoding import EncodedFile, encode_each
from ipcir_tools.store.features import text_key
from ipcir_tools.store.ray_attempts import ALONE, Attempts, Places
from ipcir_tools.text import error_line
from ipcir_tools.types import FloatArray, Skip

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.captioner import Captioner
    from ipcir_tools.models.encoder import Encoder


FileRow = tuple[str, FileStatus | None]
"""A file by its text, and its size and times as the driver sees them."""

GIVEN_UP = f"not read: it ended its worker {ALONE + 1} times (out of memory, or a library that crashes)"

MOST_LOADS = 3
"""Times that a worker may end while it loads its models."""


class Ids:
    """Ids of pictures in eight bytes each, which the processes of one machine share; other texts are not in it."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._numbers = np.sort(np.fromiter((int(id_, 16) for id_ in ids if _is_id(id_)), np.uint64))

    def __contains__(self, id: object) -> bool:
        if not _is_id(id):
            return False
        number = np.uint64(int(str(id), 16))
        place = int(np.searchsorted(self._numbers, number))
        return place < len(self._numbers) and self._numbers[place] == number

    @property
    def nbytes(self) -> int:
        """Their size in memory."""
        return self._numbers.nbytes


def _is_id(text: object) -> bool:
    return isinstance(text, str) and len(text) == 16 and not set(text) - set("0123456789abcdef")


@dataclass(frozen=True)
class Job:
    """What is to be done to every file, for all workers."""

    encoder: str
    settings: Settings
    known: Ids
    """Pictures whose content needs no decoding."""
    encoded: Ids
    """Pictures that have a feature."""
    captioner: str | None = None
    """None where no captions are made."""
    captioner_id: str = ""
    """The identity that it must have: its captions are stored under it."""
    only_captions: bool = False
    """Whether pictures get captions and nothing else."""
    threads: int | None = None
    """Threads of one worker that read and decode; None: as many as there are cores."""
    version: str = field(default_factory=lambda: version(OWN))


@dataclass
class Done:
    """What was made of one block of files. Each of them is among ``files`` or ``unusable``."""

    host: str = ""
    space: str = ""
    """The encoder's; empty where it was not needed."""
    files: list[EncodedFile] = field(default_factory=list)
    unusable: list[UnusableFile] = field(default_factory=list)
    captions: dict[str, str] = field(default_factory=dict)
    """By id."""
    texts: dict[str, FloatArray] = field(default_factory=dict)
    """The features of the captions, by the catalog's key."""
    without_caption: dict[str, str] = field(default_factory=dict)
    """By id, why there is none."""
    useless: str = ""
    """What the encoder said that failed on every picture of this block."""
    error: IPCIRError | None = None
    """What ends the run: a model that cannot be loaded."""

    @property
    def paths(self) -> list[str]:
        """The files that were dealt with."""
        return [each.stamp.path for each in self.files] + [each.skip.source for each in self.unusable]


class EncodingWorker:
    """An actor of Ray Data. The models are loaded once, when they are first needed."""

    def __init__(self, job: Job, attempts: Attempts) -> None:
        self._job = job
        self._attempts = attempts
        self._places = Places()
        self._loading = threading.Lock()
        self._models: dict[str, Any] = {}
        share_with_machine(cache_folder() / "decoding.lock")
        self._reader = PictureReader(
            job.settings,
            None if job.only_captions else lambda: self._encoder,
            known=job.known,
            keep_pixels=job.captioner is not None,
        )

    def __call__(self, block: Mapping[str, Any]) -> dict[str, list[bytes]]:
        """One pickled :class:`Done` for a block of rows as :func:`columns_of` writes them."""
        return {"done": [pickle.dumps(self.done(rows_of(block)), protocol=5)]}

    def done(self, rows: Sequence[FileRow]) -> Done:
        """What is made of a block of files; of one that has ended a worker before, one by one."""
        done = Done(host=socket.gethostname())
        try:
            self._check_version(done.host)
            begun = f"block {rows[0][0]}"
            alone = self._attempts.begin(begun) > 1
            with self._places.taken(alone=alone):
                if alone:
                    self._read_each(rows, done)
                else:
                    self._read(rows, done)
            self._attempts.end(begun)
        except IPCIRError as error:
            done.error = error
        except Exception as error:  # noqa: BLE001 - else Ray would give the block up without a word
            done.error = ModelUnavailableError(f"The encoder on {done.host} failed: {error_line(error, 200)}")
        return done

    def _check_version(self, host: str) -> None:
        if self._job.version != (own := version(OWN)):
            raise ModelUnavailableError(
                f"{host} has ipcir-tools {own}, not {self._job.version}: install the same on all machines."
            )

    def _read_each(self, rows: Sequence[FileRow], done: Done) -> None:
        for row in rows:
            if self._attempts.begin(f"file {row[0]}") > ALONE:
                done.unusable.append(UnusableFile(Skip(source=row[0], reason=GIVEN_UP), unread=True))
            else:
                self._read([row], done)
            self._attempts.end(f"file {row[0]}")

    def _read(self, rows: Sequence[FileRow], done: Done) -> None:
        status = dict(rows)
        files = [(text, text_path(text), each) for text, each in rows]
        outcomes = list(read_files(files, self._reader, len(files), threads=self._job.threads))
        done.unusable += [_as_seen_from(done.host, each, status) for each in outcomes if isinstance(each, UnusableFile)]
        read = [each for each in outcomes if isinstance(each, ReadFile)]
        pictures = {each.stamp.image_id: each.picture for each in read if each.picture is not None}
        if not self._job.only_captions:
            missing = {id_: picture for id_, picture in pictures.items() if id_ not in self._job.encoded}
            vectors, failed = self._encode(missing, done)
        else:
            vectors, failed = {}, {}
        for each in read:
            if reason := failed.get(each.stamp.image_id):
                done.unusable.append(UnusableFile(Skip(source=each.stamp.path, reason=reason), unread=False))
            else:
                record = each.picture.record if each.picture else None
                done.files.append(EncodedFile(each.stamp, record, vectors.get(each.stamp.image_id)))
        if self._job.captioner:
            images = {id_: each.pixels for id_, each in pictures.items() if id_ not in failed}
            self._caption({id_: image for id_, image in images.items() if image is not None}, done)

    def _encode(self, pictures: Mapping[str, NewPicture], done: Done) -> tuple[dict[str, FloatArray], dict[str, str]]:
        if not pictures:
            return {}, {}
        done.space = self._encoder.space
        try:
            return encode_each(self._encoder, pictures, proven=False)
        except ModelUnavailableError as error:  # whether it fails on all there are, the driver can tell
            done.useless = str(error)
        vectors: dict[str, FloatArray] = {}
        failed: dict[str, str] = {}
        for id_, picture in pictures.items():
            made, reasons = encode_each(self._encoder, {id_: picture}, proven=True)
            vectors |= made
            failed |= reasons
        return vectors, failed

    def _caption(self, images: Mapping[str, Image.Image], done: Done) -> None:
        try:
            made = self._texts(list(images.values()))
            done.captions |= {id_: texts[0] for id_, texts in zip(images, made, strict=True)}
        except Exception:  # noqa: BLE001 - a model raises anything on a picture that it cannot take
            for id_, image in images.items():
                try:
                    done.captions[id_] = self._texts([image])[0][0]
                except Exception as error:  # noqa: BLE001 - as above
                    done.without_caption[id_] = f"cannot be captioned ({error_line(error, 80)})"
        if done.captions:
            texts = sorted(set(done.captions.values()))
            done.texts = dict(zip(map(text_key, texts), self._encoder.embed_texts(texts), strict=True))
            done.space = self._encoder.space

    def _texts(self, images: Sequence[Image.Image]) -> list[list[str]]:
        return self._captioner.caption(images) if images else []

    @property
    def _encoder(self) -> Encoder:
        return cast("Encoder", self._loaded(self._job.encoder, load_encoder))

    @property
    def _captioner(self) -> Captioner:
        captioner = cast("Captioner", self._loaded(self._job.captioner or "", load_captioner))
        if captioner.id != self._job.captioner_id:
            raise ModelUnavailableError(
                f"{socket.gethostname()} would caption by {captioner.id}, not by {self._job.captioner_id}: "
                "name the same for all by --captioner."
            )
        return captioner

    def _loaded(self, name: str, load: Callable[..., Any]) -> Any:
        """The model, loaded once. Raises ModelUnavailableError where that ends this worker again and again."""
        with self._loading:
            if name not in self._models:
                begun = f"{name} of {_own_name()}"
                if self._attempts.begin(begun) > MOST_LOADS:
                    raise ModelUnavailableError(
                        f"Loading {name} ended its worker on {socket.gethostname()} {MOST_LOADS} times, out of memory "
                        "perhaps: take a smaller model, or machines with more memory."
                    )
                self._models[name] = load(name, settings=self._job.settings)
                self._attempts.end(begun)
            return self._models[name]


def _own_name() -> str:
    """The name of this actor, which stays when it is started again."""
    if "ray" not in sys.modules:
        return "None"
    import ray

    return str(ray.get_runtime_context().get_actor_id() if ray.is_initialized() else None)


def rows_of(block: Mapping[str, Any]) -> list[FileRow]:
    """The files of a block with their status; that of a size below -1 is not known."""
    columns = (block[name] for name in ("path", "size", "mtime_ns", "ctime_ns"))
    rows = zip(*columns, strict=True)
    return [(str(path), _status(int(size), int(mtime), int(ctime))) for path, size, mtime, ctime in rows]


_UNKNOWN = -2
_NO_TIME = -(2**63)


def columns_of(files: Sequence[FileRow]) -> dict[str, list[Any]]:
    """The same the other way round."""
    known = [status or FileStatus(_UNKNOWN, 0, None) for _, status in files]
    return {
        "path": [text for text, _ in files],
        "size": [each.size for each in known],
        "mtime_ns": [each.mtime_ns for each in known],
        "ctime_ns": [_NO_TIME if each.ctime_ns is None else each.ctime_ns for each in known],
    }


def _status(size: int, mtime_ns: int, ctime_ns: int) -> FileStatus | None:
    return None if size == _UNKNOWN else FileStatus(size, mtime_ns, None if ctime_ns == _NO_TIME else ctime_ns)


def _as_seen_from(host: str, file: UnusableFile, status: Mapping[str, FileStatus | None]) -> UnusableFile:
    """A file that the driver sees and this machine does not is out of reach here, and not gone."""
    seen = status[file.skip.source]
    if file.skip.reason != "does not exist" or seen is None or seen == GONE:
        return file
    reason = f"is not to be seen from {host}: pictures must be where all workers can read them"
    return UnusableFile(Skip(source=file.skip.source, reason=reason), unread=True)
