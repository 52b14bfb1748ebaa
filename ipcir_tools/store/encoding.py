"""Encoding the pictures of a batch, so that one bad picture does not spoil the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipcir_tools.errors import IPCIRError, ModelUnavailableError
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.changed_files import NewPicture
from ipcir_tools.store.sound_features import sound
from ipcir_tools.text import error_line, error_sentence
from ipcir_tools.types import FloatArray, ImageRecord

if TYPE_CHECKING:
    from ipcir_tools.models.encoder import Encoder, Preprocessed


@dataclass(frozen=True)
class EncodedFile:
    """A file that was read, and whose picture has a feature."""

    stamp: FileStamp
    record: ImageRecord | None
    """None where the content was known."""
    vector: FloatArray | None
    """``[d]`` float32, unit norm; None where the catalog has it."""


def encode_each(
    encoder: Encoder, pictures: Mapping[str, NewPicture], *, proven: bool
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Features ``[d]`` by id, and the reasons by id for the pictures that the encoder fails on.

    Raises ModelUnavailableError where it fails on all of them, unless it is ``proven`` by earlier pictures and there is
    only one.
    """
    try:
        return _encode(encoder, pictures), {}
    except Exception as whole:  # broad: a model raises anything on a picture that it cannot take
        vectors: dict[str, FloatArray] = {}
        failed: dict[str, str] = {}
        for id_, picture in pictures.items():
            try:
                vectors |= _encode(encoder, {id_: picture})
            except Exception as error:  # noqa: BLE001 - as above
                failed[id_] = f"cannot be encoded ({error_line(error, 80)})"
        if vectors or (proven and len(pictures) == 1):
            return vectors, failed
        if isinstance(whole, IPCIRError):
            raise
        raise ModelUnavailableError(
            f"The encoder {encoder.name} fails on every picture: {error_sentence(whole)}"
        ) from whole


def _encode(encoder: Encoder, pictures: Mapping[str, NewPicture]) -> dict[str, FloatArray]:
    vectors = encoder.embed_preprocessed([_item(encoder, picture) for picture in pictures.values()])
    return dict(zip(pictures, sound(vectors, len(pictures), f"the encoder {encoder.name}"), strict=True))


def _item(encoder: Encoder, picture: NewPicture) -> Preprocessed:
    if picture.failure is not None:
        raise picture.failure
    return picture.item if picture.later is None else picture.later(encoder)


class GalleryFeatures:
    """The features that pictures of a gallery lack; the encoder is loaded when the first one is missing."""

    def __init__(self, catalog: Catalog, load_encoder: Callable[[], Encoder]) -> None:
        self._catalog = catalog
        self._load_encoder = load_encoder
        self._encoded = 0
        self.encoder: Encoder | None = None
        """The encoder, once it is loaded."""

    def need(self, id: str) -> None:
        """Load the encoder if a picture lacks its feature. Raises SpaceMismatchError for another one."""
        if self.encoder is None and not self._known([id]):
            self._bound_encoder()

    def encode_missing(self, pictures: Mapping[str, NewPicture]) -> tuple[dict[str, FloatArray], dict[str, str]]:
        """Features ``[d]`` by id of those that have none in the gallery's space, and the reasons where that failed.

        They are not stored. Raises as :func:`encode_each`, and SpaceMismatchError for another encoder.
        """
        have = self._known(pictures)
        missing = {id_: picture for id_, picture in pictures.items() if id_ not in have}
        if not missing:
            return {}, {}
        vectors, failed = encode_each(self._bound_encoder(), missing, proven=self._encoded > 0)
        self._encoded += len(vectors)
        return vectors, failed

    def _known(self, ids: Collection[str]) -> Mapping[str, FloatArray]:
        space = self._catalog.space()
        return self._catalog.features(ids, space) if space and ids else {}

    def _bound_encoder(self) -> Encoder:
        if self.encoder is None:
            encoder = self._load_encoder()
            self._catalog.bind_space(encoder.space)
            self.encoder = encoder
        return self.encoder
