"""Which trained network a method uses, and what the composition asks of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ipcir_tools.errors import ModelUnavailableError
from ipcir_tools.models import hub
from ipcir_tools.models.network import DESCRIPTION, Method, Network, NetworkConfig, check_space, load_network
from ipcir_tools.models.presets import DEMO, DEMO_FOLDER, ModelNames
from ipcir_tools.settings import Settings
from ipcir_tools.types import FloatArray

if TYPE_CHECKING:
    from ipcir_tools.models.encoder import Encoder


_TRAINED_BY: dict[Method, str] = {
    "pic2word": "ipcir train pic2word FOLDER",
    "searle": "ipcir train searle FOLDER",
    "aligned": "ipcir train align TRIPLETS.jsonl",
}


@dataclass(frozen=True)
class Inverter:
    """A network that turns a picture into a word, with the encoder that reads the word."""

    network: Network
    encoder: Encoder

    @property
    def id(self) -> str:
        """Names the weights."""
        return self.network.id

    def queries(self, references: FloatArray, modifications: Sequence[str]) -> FloatArray:
        """Features ``[n, d]``, unit norm, of each reference ``[n, d]`` as a word in the modification's sentence."""
        return self.network.queries(self.encoder, references, modifications)


def own_folder(method: Method, settings: Settings) -> Path:
    """Where a method's network is put by training, unless the user names another place."""
    return settings.home.expanduser().absolute() / "networks" / method


def find_network(method: Method, space: str, settings: Settings, models: ModelNames) -> Path:
    """The folder of a method's network for features of ``space``: the settings' own, that in ``home``, the demo's.

    One that the settings name must fit; the others are passed over where they belong to another space. Raises
    SpaceMismatchError for the first, and ModelUnavailableError with the command that trains one where there is none.
    """
    others = []
    for folder, named in _places(method, settings, models):
        config = _described(folder)
        if config is None or config.method != method:
            continue
        if config.space == space:
            return folder
        if named:
            check_space(config, space)
        others.append(config.space)
    elsewhere = f" (there is one for {others[0]})" if others else ""
    raise ModelUnavailableError(
        f"No {method} network was trained for {space}{elsewhere}: train one with "
        f"`{_TRAINED_BY[method]} --home {settings.home}`, or name the folder of one in IPCIR_INVERSION."
    )


def _places(method: Method, settings: Settings, models: ModelNames) -> Iterator[tuple[Path, bool]]:
    """The folders to look in, and whether the user named them."""
    if settings.inversion is not None:
        named = settings.inversion.expanduser().absolute()
        yield named / method, True
        yield named, True
    yield own_folder(method, settings), False
    if models.models == DEMO:
        yield DEMO_FOLDER / method, False


def _described(folder: Path) -> NetworkConfig | None:
    """What a folder holds; None where that is no network."""
    try:
        return NetworkConfig.model_validate_json((folder / DESCRIPTION).read_bytes())
    except (OSError, ValidationError):
        return None


def load_trained(method: Method, settings: Settings, models: ModelNames, space: str) -> Network:
    """A method's network, with its id. Raises what :func:`find_network` raises."""
    folder = find_network(method, space, settings, models)
    return replace(load_network(folder, method, space), id=hub.folder_id(folder, DESCRIPTION))
