"""Models on this machine: fetched ahead of their first use, and what is here already. No network is loaded."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ipcir_tools.errors import InvalidRequestError, ModelUnavailableError
from ipcir_tools.models import hub_cache
from ipcir_tools.models.download_report import short_path
from ipcir_tools.models.downloads import Requirements, download, local_copy
from ipcir_tools.models.hub_environment import HubError
from ipcir_tools.models.loading import CAPTIONERS, ENCODERS, IMAGE_GENERATORS
from ipcir_tools.models.open_clip_loading import REPOS
from ipcir_tools.models.transformers_captioner import KINDS
from ipcir_tools.settings import Settings


@dataclass(frozen=True)
class LocalModel:
    """A model as far as it is on this machine."""

    name: str
    folder: Path | None
    """None where nothing has to be here: a model in a folder of its own, or on a server."""
    size: int
    """Bytes of its files."""
    complete: bool
    """Whether it can be loaded; False: an interrupted download."""
    fetched: bool = False
    """Whether it was downloaded just now."""


def fetch_model(name: str, settings: Settings) -> LocalModel:
    """Bring the model into the cache, unless it is there; a model that is complete sends no request.

    Raises InvalidRequestError for a name of no kind and ModelUnavailableError for a download that fails.
    """
    needed = requirements_of(name, settings)
    if needed is None:
        _check_folder(name)
        return LocalModel(name, None, 0, complete=True)
    before = local_copy(needed)
    if before is None:
        try:
            download(name, needed)
        except HubError as error:
            raise ModelUnavailableError(
                f"Cannot download {name}: {error} Without a network here, run this where there is one and copy "
                f"{short_path(hub_cache.cache_folder())}; or use --models demo, which needs no download."
            ) from error
    here = before or local_copy(needed)
    if here is None:
        raise ModelUnavailableError(f"Cannot download {name}: its repository lacks a file that the model needs.")
    return LocalModel(name, here.folder, here.size, complete=True, fetched=before is None)


def _check_folder(name: str) -> None:
    """Raises InvalidRequestError for a model in a folder that is not there."""
    prefix, _, place = name.partition(":")
    folder = Path(place).expanduser()
    if prefix in ("transformers", "diffusers") and not folder.is_dir():
        raise InvalidRequestError(f"{name} names no repository ORG/NAME of the hub, and there is no folder {folder}.")


def requirements_of(name: str, settings: Settings) -> Requirements | None:
    """What an encoder, captioner or image generator needs of the hub; None: nothing.

    Raises InvalidRequestError for a name of none of them.
    """
    for kind in (ENCODERS, CAPTIONERS, IMAGE_GENERATORS):
        try:
            return kind.requirements(name, settings)
        except InvalidRequestError:
            continue
    raise InvalidRequestError(
        f"{name!r} names no encoder, captioner or image generator: use {ENCODERS.forms()}, or {CAPTIONERS.forms()}."
    )


def list_local_models() -> list[LocalModel]:
    """The encoders, captioners and pipelines in the hub's cache by the names that load them, complete or not."""
    found = []
    for repo in hub_cache.repos():
        name = _name(repo)
        if name:
            complete, arriving = hub_cache.bytes_on_disk(repo)
            whole = not arriving and hub_cache.snapshot(repo) is not None
            found.append(LocalModel(name, hub_cache.repo_folder(repo), complete + arriving, complete=whole))
    return found


def _name(repo: str) -> str | None:
    """How the package names what a repository holds; None for what it does not load."""
    for tag, own in REPOS.items():
        if repo == own:
            return f"open_clip:{tag}"
    folder = hub_cache.repo_folder(repo)
    files = {path.name: path for path in folder.glob("snapshots/*/*")}
    if any(name.startswith("open_clip_") for name in files):
        return f"open_clip:hf-hub:{repo}"
    if "model_index.json" in files:
        return f"diffusers:{repo}"
    try:
        kind = json.loads(files["config.json"].read_text(encoding="utf-8")).get("model_type")
    except (KeyError, OSError, ValueError, AttributeError):
        return None
    return f"transformers:{repo}" if kind in KINDS and re.fullmatch(r"[^/]+/[^/]+", repo) else None
