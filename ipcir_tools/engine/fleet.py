"""Where an index run encodes: in this process, or on the workers of a Ray cluster."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ipcir_tools.batches import Progress, no_progress
from ipcir_tools.engine.components import Components
from ipcir_tools.errors import InvalidRequestError

if TYPE_CHECKING:
    from ipcir_tools.store.ray_encoding import RayEncoding

_SERVED = "chat:"
"""Captioners whose captions are requested from a server: this process alone keeps to its limits."""


def encoding_on_ray(
    components: Components, ray: bool | str | None, progress: Progress | None, *, captions: bool
) -> AbstractContextManager[RayEncoding | None]:
    """The workers that ``ray`` names (None: that the settings name); None for this process.

    Nothing is started before there is a file to read. Raises InvalidRequestError for an address that is empty.
    """
    from ipcir_tools.store.ray_cluster import LOCAL

    address = (components.settings.ray or LOCAL if ray else None) if isinstance(ray, bool) else ray
    if ray is None:
        address = components.settings.ray
    if address is None:
        return nullcontext()
    if not address.strip():
        raise InvalidRequestError("The address of the Ray cluster is empty: write HOST:PORT, auto or local.")
    from ipcir_tools.store.ray_encoding import RayEncoding, WorkerModels

    by_workers = captions and not components.models.captioner.startswith(_SERVED)
    models = WorkerModels(
        components.models.encoder,
        components.models.captioner if by_workers else None,
        components.captioner_id if by_workers else "",
    )
    settings = components.settings.alone()  # workers need no catalog, so they get no password of it
    return RayEncoding(
        address.strip(), models, settings, components.catalog, components.note_models, progress or no_progress
    )
