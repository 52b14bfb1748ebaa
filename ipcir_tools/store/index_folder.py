"""The folder of this machine's index and features, named so that machines which share a catalog tell theirs apart.

The catalog has a note about each such folder under its name.
"""

from __future__ import annotations

import socket
from pathlib import Path
from uuid import uuid4

from ipcir_tools.errors import CatalogError
from ipcir_tools.private import private_folder, private_opener
from ipcir_tools.settings import Settings
from ipcir_tools.store import postgresql
from ipcir_tools.store.database import CHOOSE, Database
from ipcir_tools.text import error_line, json_digest

_TOKEN = "machine"


def index_folder(catalog: Database, settings: Settings) -> Path:
    """``index`` beside a catalog of its own; below the home folder, one of a name of its own, for a shared one.

    Raises CatalogError where the home folder cannot be made.
    """
    home = settings.home.expanduser().absolute()
    if settings.catalog_url is None:
        return (catalog.folder or home) / "index"
    try:
        private_folder(home)
        # The host's name is in it, too: a home that is copied to another machine has the same token.
        place = postgresql.server_key(postgresql.server_url(settings.catalog_url.get_secret_value()))
        own = [_token(home / _TOKEN), socket.gethostname(), str(home), place]
    except OSError as error:
        raise CatalogError(
            f"The folder {home} cannot hold this machine's index ({error_line(error)}): {CHOOSE}."
        ) from error
    return home / f"index-{json_digest(own)[:12]}"


def _token(file: Path) -> str:
    """What is in a file that is made when it is not there; of two processes that make it, one does."""
    try:
        with open(file, "x", opener=private_opener) as stream:
            stream.write(uuid4().hex)
    except FileExistsError:
        pass
    return file.read_text()
