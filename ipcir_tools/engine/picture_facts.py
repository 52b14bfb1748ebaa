"""What is known of one picture: its files, its record, its captions, and the pictures that look the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcir_tools.images.presence import gone_files
from ipcir_tools.types import ImageRecord, Probe, Value

if TYPE_CHECKING:
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.engine.reference_words import Reference


MOST_ALIKE = 50
"""Near-copies that are looked for at most."""


class PictureFile(Value):
    """One file of a picture."""

    path: str
    gone: bool


class LikePicture(PictureFile):
    """A picture of the gallery that looks the same, and a file of it."""

    id: str


class PictureFacts(Value):
    """One picture, in the gallery or not."""

    picture: ImageRecord
    in_gallery: bool
    files: tuple[PictureFile, ...]
    """The gallery's files of it, or where it was read from; none for what came from no file."""
    captions: dict[str, str]
    """Its captions by captioner."""
    alike: tuple[LikePicture, ...] = ()
    """The gallery's pictures that look the same, by ``Settings.duplicates``, nearest first."""

    @property
    def file(self) -> PictureFile | None:
        """The file to show: the first one that is there, else the first."""
        return next((each for each in self.files if not each.gone), self.files[0] if self.files else None)


def picture_facts(engine: Engine, reference: Reference) -> PictureFacts:
    """What is known of a picture; nothing is encoded or captioned for it. Raises what :func:`references.resolve` does.

    Near-copies are known of a picture with a feature, as every one in the gallery has.
    """
    record, _ = engine.resolve(reference)
    catalog = engine.catalog
    paths = catalog.paths_of([record.id]).get(record.id, [])
    alike = catalog.records(_alike(engine, record.id))
    # what came as bytes has no file: data:... or image:...
    shown = paths or ([record.source] if not record.source.startswith(("data:", "image:")) else [])
    gone = gone_files([*shown, *(each.source for each in alike.values())])
    return PictureFacts(
        picture=record,
        in_gallery=bool(paths),
        files=tuple(PictureFile(path=path, gone=path in gone) for path in shown),
        captions=catalog.captions_of(record.id),
        alike=tuple(LikePicture(id=id_, path=each.source, gone=each.source in gone) for id_, each in alike.items()),
    )


def _alike(engine: Engine, id_: str) -> list[str]:
    """Ids of the gallery's near-copies of a picture, nearest first."""
    threshold, space = engine.settings.duplicates, engine.catalog.space()
    vector = engine.catalog.features([id_], space).get(id_) if space else None
    if threshold is None or vector is None or not engine.catalog.size():
        return []
    ranking = engine.gallery.nearest(Probe(vector), MOST_ALIKE, exclude={id_})
    return [other for other, cosine in ranking if cosine >= threshold]
