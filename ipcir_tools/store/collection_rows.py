"""What a Chroma collection has of a picture beside its feature: its caption, and where and when it was taken."""

from __future__ import annotations

from collections.abc import Sequence

from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.membership import source_columns

Metadata = dict[str, str]


def collection_rows(catalog: Catalog, ids: Sequence[str], captioner: str | None) -> tuple[list[str], list[Metadata]]:
    """The documents and metadata of pictures, in their order.

    A document is the caption by ``captioner``, or the file's name where there is none: LangChain leaves out what has
    no document. Metadata are ``source``, ``name``, ``folder``, ``format`` and, where it is known, ``taken``.
    """
    records = catalog.records(ids)
    captions = catalog.captions(ids, captioner) if captioner else {}
    metadatas = []
    for id_ in ids:
        record = records.get(id_)
        if record is None:  # it is damaged
            metadatas.append({"name": id_})
            continue
        known = {**source_columns(record.source), "format": record.format, "taken": record.taken}
        metadatas.append({name: _storable(value) for name, value in known.items() if value})
    documents = [_storable(captions.get(id_) or data["name"]) for id_, data in zip(ids, metadatas, strict=True)]
    return documents, metadatas


def _storable(text: str) -> str:
    """The text as JSON takes it: without halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()
