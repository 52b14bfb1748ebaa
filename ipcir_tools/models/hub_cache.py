"""The hub's cache on this machine, in the layout of huggingface_hub, so that every library finds what is in it.

::

    models--ORG--NAME/blobs/DIGEST           the bytes of a file; DIGEST.incomplete while they arrive
    models--ORG--NAME/snapshots/COMMIT/FILE  a link to them
    models--ORG--NAME/.no_exist/COMMIT/FILE  a file that the repository does not have
    models--ORG--NAME/refs/main              the commit, written when everything is there
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ipcir_tools.models.hub_client import HubFile, Listing
from ipcir_tools.models.hub_environment import hub_constants

_OPTIONAL = (
    *("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template.jinja", "chat_template.json", "adapter_config.json", "video_preprocessor_config.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"),
)
"""Files that loaders look for and go without; unless it is noted that there is none, they would ask the hub."""


def cache_folder() -> Path:
    """The folder of all repositories: HF_HUB_CACHE, ``hub`` in HF_HOME, or the default."""
    return Path(hub_constants().HF_HUB_CACHE)


def snapshot(repo: str) -> Path | None:
    """The folder of the repository's files as the loaders read it; None where nothing is complete."""
    folder = repo_folder(repo)
    try:
        commit = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    found = folder / "snapshots" / commit
    return found if commit and found.is_dir() else None


def repo_folder(repo: str) -> Path:
    """The folder of one repository, there or not."""
    return cache_folder() / f"models--{repo.replace('/', '--')}"


def file_names(folder: Path) -> list[str]:
    """The files below a snapshot, as the hub names them."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def blob(repo: str, file: HubFile) -> Path:
    """The place of a file's bytes."""
    return repo_folder(repo) / "blobs" / file.digest


def incomplete(repo: str, file: HubFile) -> Path:
    """The place of a file's bytes while they arrive."""
    return blob(repo, file).with_name(f"{file.digest}.incomplete")


def lock(repo: str, file: HubFile) -> Path:
    """The lock of a file's download, the same for every library."""
    return cache_folder() / ".locks" / repo_folder(repo).name / f"{file.digest}.lock"


def is_here(repo: str, file: HubFile) -> bool:
    """Whether a file's bytes are here, as far as its size tells."""
    try:
        return file.size in (None, blob(repo, file).stat().st_size)
    except OSError:
        return False


def matches(path: Path, digest: str) -> bool:
    """Whether the bytes of ``path`` have that digest; True for digests that are neither SHA-256 nor git's SHA-1."""
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", digest):
        return True
    with path.open("rb") as file:
        if len(digest) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
        git = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        for block in iter(lambda: file.read(1 << 20), b""):
            git.update(block)
        return git.hexdigest() == digest


def show(listing: Listing, file: HubFile) -> None:
    """Link a file, whose bytes are here, into the snapshot of its commit."""
    shown = repo_folder(listing.repo) / "snapshots" / listing.commit / PurePosixPath(file.name)
    shown.parent.mkdir(parents=True, exist_ok=True)
    if not shown.exists():
        _place(blob(listing.repo, file), shown)


def complete(listing: Listing) -> None:
    """Make a commit, all of whose needed files are here, the one that loaders read."""
    folder = repo_folder(listing.repo)
    none = folder / ".no_exist" / listing.commit
    none.mkdir(parents=True, exist_ok=True)
    for name in _OPTIONAL:
        if name not in listing.files:
            (none / name).touch()
    main = folder / "refs" / "main"
    main.parent.mkdir(parents=True, exist_ok=True)
    written = main.with_name(f"main.{os.getpid()}.tmp")
    written.write_text(listing.commit, encoding="utf-8")
    written.replace(main)


def _place(bytes_of: Path, shown: Path) -> None:
    shown.unlink(missing_ok=True)  # a link to nowhere
    try:
        shown.symlink_to(os.path.relpath(bytes_of, shown.parent))
    except OSError:  # a file system without links
        shutil.copyfile(bytes_of, shown)


def free_bytes() -> int:
    """The room on the cache's disk."""
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def repos() -> Iterator[str]:
    """The repositories that have a folder in the cache."""
    for folder in sorted(cache_folder().glob("models--*")):
        yield folder.name.removeprefix("models--").replace("--", "/", 1)


def bytes_on_disk(repo: str) -> tuple[int, int]:
    """Bytes of the repository's complete and of its incomplete files."""
    sizes = {path: path.stat().st_size for path in (repo_folder(repo) / "blobs").glob("*") if path.is_file()}
    arriving = sum(size for path, size in sizes.items() if path.suffix == ".incomplete")
    return sum(sizes.values()) - arriving, arriving
