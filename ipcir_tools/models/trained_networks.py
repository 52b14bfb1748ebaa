"""Where the trained network of a composer is found, and the network in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models import hub
from ipcir_tools.models.network import DESCRIPTION, Network, NetworkConfig, check_space, load_network
from ipcir_tools.models.presets import ModelNames
from ipcir_tools.settings import Settings
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from ipcir_tools.models.encoder import Encoder


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in use, with the encoder that reads its pseudo words; the encoder is loaded when it is needed."""

    network: Network
    encoder: Callable[[], Encoder]

    @property
    def id(self) -> str:
        """Identifies the weights."""
        return self.network.id

    def apply(self, features: FloatArray) -> FloatArray:
        """What the network makes of ``features`` ``[n, wide_in]``: ``[n, wide_out]``."""
        return self.network.apply(features)

    def queries(self, references: FloatArray, modifications: Sequence[str]) -> FloatArray:
        """Features ``[n, d]``, unit norm, of each reference ``[n, d]`` as a word in the modification's sentence."""
        return self.network.queries(self.encoder(), references, modifications)


def own_folder(name: str, settings: Settings) -> Path:
    """Where training puts the network of a composer, unless the user names another place."""
    return settings.home.expanduser().absolute() / "networks" / name


def find_network(name: str, space: str, settings: Settings, models: ModelNames, command: str) -> Path:
    """The folder of the network of composer ``name`` for features of ``space``.

    It is looked for in the folder that the settings name, in ``home`` and in that of the set of models. One that the
    settings name must fit; the others are passed over where they belong to another space. Raises SpaceMismatchError
    for the first, and ModelUnavailableError with the ``command`` that trains one where there is none.
    """
    others = []
    for folder, named in _places(name, settings, models):
        config = _described(folder)
        if config is None or config.method != name:
            continue
        if config.space == space:
            return folder
        if named:
            check_space(config, space)
        others.append(config.space)
    elsewhere = f" (there is one for {others[0]})" if others else ""
    raise ModelUnavailableError(
        f"No {name} network was trained for {space}{elsewhere}: train one with "
        f"`{command} --home {settings.home}`, or name the folder of one in IPCIR_NETWORKS."
    )


def _places(name: str, settings: Settings, models: ModelNames) -> Iterator[tuple[Path, bool]]:
    """The folders to look in, and whether the user named them."""
    if settings.networks is not None:
        named = settings.networks.expanduser().absolute()
        yield named / name, True
        yield named, True
    yield own_folder(name, settings), False
    if models.networks is not None:
        yield models.networks / name, False


def _described(folder: Path) -> NetworkConfig | None:
    """The description of the network in a folder; None where there is none."""
    try:
        return NetworkConfig.model_validate_json((folder / DESCRIPTION).read_bytes())
    except (OSError, ValidationError):
        return None


def load_trained(name: str, space: str, settings: Settings, models: ModelNames, command: str) -> Network:
    """The network of composer ``name``, with its id. Raises what :func:`find_network` raises."""
    folder = find_network(name, space, settings, models, command)
    return replace(load_network(folder, name, space), id=hub.folder_id(folder, DESCRIPTION))
