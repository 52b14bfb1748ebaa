"""What pictures are called on the page: by the names of their files, and by their captions where they have one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipcir_tools.display.file_names import distinct_names
from ipcir_tools.engine.engine import Engine
from ipcir_tools.text import printable_line


@dataclass(frozen=True)
class Label:
    """Tells a picture from the others that are shown with it."""

    name: str
    """The file's, with folders before it where it would not do alone."""
    text: str
    """The caption, and the name in brackets; the name where there is no caption."""


def labels_of(engine: Engine, ids: Sequence[str]) -> dict[str, Label]:
    """The labels of those of ``ids`` that are known, in the same order."""
    records = engine.catalog.records(ids)
    captions = engine.catalog.captions(list(records), engine.components.captioner_id)
    names = distinct_names(record.source for record in records.values())
    labels = {}
    for id_ in filter(records.__contains__, ids):
        name, caption = printable_line(names[records[id_].source]), captions.get(id_)
        labels[id_] = Label(name, f"{printable_line(caption)} ({name})" if caption else name)
    return labels
