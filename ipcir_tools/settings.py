"""Settings: what a user may choose, from arguments or from ``IPCIR_*`` environment variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.sources import ObjectUrl, source_of
from ipcir_tools.text import excerpt
from ipcir_tools.types import DEFAULT_COMPOSER, Verify

_FOLDERS = re.compile(
    rf"[a-z][a-z0-9+.-]+://[^/{os.pathsep}]*(?::\d+(?=/))?[^{os.pathsep}]*|[^{os.pathsep}]+", re.IGNORECASE
)
"""Folders as in PATH, and URLs among them, in which a colon is a part of the protocol or before a port."""

_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([kmg]i?b)", re.IGNORECASE)

ShowPaths = Literal["name", "folder", "path"]


class Settings(BaseSettings):
    """Every choice with its default. Environment variables carry the prefix ``IPCIR_``: ``IPCIR_HOME``, ``IPCIR_LLM``.

    A ``.env`` file is not read: a stray one in the working directory must not change what a program does.
    """

    model_config = SettingsConfigDict(env_prefix="IPCIR_", frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path = Path("~/.ipcir")
    """The folder of the catalog and its index."""
    catalog_url: SecretStr | None = None
    """A PostgreSQL database in place of the catalog in ``home``, for several machines that share one gallery:
    ``postgresql://USER:PASSWORD@HOST/DATABASE``. ``home`` still holds this machine's index. Never shown."""

    chroma_url: str | None = None
    """A Chroma server that holds the index in place of a folder: ``http://HOST:PORT`` or ``https://HOST``. Machines
    that share a catalog share its collection. While it does not answer, all pictures are scored here."""
    chroma_tenant: str | None = None
    """Tenant of that server; None: its default."""
    chroma_database: str | None = None
    """Database of that server; None: its default."""
    chroma_collection: str = Field(default="ipcir", pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,60}$")
    """What the names of collections begin with; the gallery and the state of it follow."""
    chroma_token: SecretStr | None = None
    """Sent as ``x-chroma-token``. Never shown."""

    models: Literal["default", "demo"] | None = None
    """``demo``: the small models in the package; ``default``: CLIP and BLIP from the hub. None: whatever made the
    gallery in ``home``, and ``default`` for a new one."""
    encoder: str | None = None
    """``open_clip:MODEL/PRETRAINED``, ``open_clip:hf-hub:ORG/NAME``, ``open_clip:local-dir:PATH`` or another provider's
    name: ``ipcir models`` lists them."""
    captioner: str | None = None
    """``transformers:ORG/NAME``, ``transformers:PATH``, ``chat:PROVIDER:MODEL`` or ``auto``."""
    captions: bool = False
    """Whether pictures get captions when they are indexed: for agents to read, for ``caption-fusion``, and so that
    a search can say that nothing is a good match. With ``chat:`` captioners every picture is sent to that provider."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What models compute with; ``auto``: measured here for encoders on a CPU; on accelerators bfloat16 where
    they have it, else float16."""
    batch_size: int = Field(default=64, ge=1)
    """Pictures or texts that are encoded at a time."""

    ray: str | None = None
    """Where pictures are read, encoded and captioned when folders are indexed: ``local``, by Ray on all cores and
    accelerators of this machine; ``HOST:PORT`` or ``auto``, on the Ray cluster there. None: in this process."""

    llm: str | None = None
    """``openai:gpt-...`` or any name that ``init_chat_model`` or another provider takes; None: the rules imagine."""
    llm_base_url: str | None = None
    """Base URL of an OpenAI-compatible server."""
    llm_timeout: float = Field(default=30.0, gt=0)
    """Seconds that one imagination, or one caption of a chat model, may take in all, retries and repairs included, and
    that a server which is busy or loads its model is waited for. Waiting behind other requests of one's own is not
    counted."""
    llm_concurrency: int = Field(default=4, ge=1, le=256)
    """Requests at a time to one server: imaginations of an evaluation, captions of a chat model."""
    llm_max_tokens: int | None = Field(default=None, ge=0)
    """Tokens of one reply at most; a vision model that judges hits may write twice as many. None: 2,048, and no limit
    for OpenAI's reasoning models, whose thoughts count. 0: no limit is sent."""
    prompt: str = "imagine.structured"
    """Id of the imagination's prompt."""
    prompts: Path | None = None
    """Folder of the user's own prompt files; each replaces the package's of the same id, or is a new prompt."""
    rerank: int = Field(default=0, ge=0, le=20)
    """How many of the first hits a vision model puts into its own order. 0: none, and no image leaves the machine."""
    rerank_llm: str | None = None
    """The vision model; None: the one of ``llm``."""

    image_generator: str | None = None
    """What draws imagined targets for composers that need pictures of them: ``openai:MODEL``, ``diffusers:ORG/NAME``,
    ``diffusers:PATH``, ``python:MODULE:NAME`` or ``wardrobe``. None: the demo models' own, and no drawing with others.
    Descriptions leave this machine only for an ``openai:`` model that is named here."""
    image_generator_base_url: str | None = None
    """Base URL of a server with OpenAI's images protocol; its key is OPENAI_API_KEY."""
    image_generator_size: str | None = Field(default=None, pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")
    """Width and height of a drawn picture, such as ``512x512``. None: the model's own."""
    image_generator_timeout: float = Field(default=120.0, gt=0)
    """Seconds that a server may take for one picture, retries included."""
    embeddings_timeout: float = Field(default=300.0, gt=0)
    """Seconds that LangChain embeddings (``ipcir eval captions --embeddings``) may take for one batch of texts."""
    networks: Path | None = None
    """Folder of trained networks, each in a folder of its composer's name, or the folder of a single one. None:
    ``networks`` in ``home``, then those of the chosen set of models."""

    composer: str = DEFAULT_COMPOSER
    """How picture and words become one query, with its parameters: ``signed``, ``discount:b=0.5``."""
    verify: Verify = "auto"
    """How many of the first hits are scored again by what they show: a number, by the captioner; ``llm:5``, by a vision
    model's true/false checks; ``auto``, by the captioner where a measurement shows that it takes less than about a
    second; ``off``."""
    weight: float | None = Field(default=None, ge=0.0, le=1.0)
    """Weight of the text in the fusion. None: the composer's default."""
    k: int = Field(default=10, ge=1)
    """Hits of a search."""
    duplicates: float | None = Field(default=0.998, gt=0.0, le=1.0)
    """Pictures whose cosine is at least this are near-copies: those of the reference are no hits, those of a hit are
    folded into it. None ("off" in the environment): all are hits. With the demo's CLIP 0.998 finds 97% of copies saved
    as JPEG at quality 95, 94% at 85, 82% at 75 and 63% at 60, all that were resized to 75% and 99% of those to 50%, 92%
    of those cut by one pixel in 224; of the wardrobe's second pictures of one garment in one scene it takes 9%, of its
    targets none (240)."""

    existing: bool = False
    """Whether pictures whose files are gone are left out of the hits, rather than marked."""

    default_excludes: bool = True
    """Whether thumbnails, previews and bins that other programs keep beside pictures (``@eaDir``, ``#recycle``,
    ``*.lrdata`` ...: :data:`ipcir_tools.images.excluding.DEFAULT_EXCLUDES`) are left out when folders are indexed."""

    follow_links: bool = False
    """Whether links in an indexed folder that lead out of it are followed. Where they are, a picture from anywhere may
    come into the gallery, and so to agents, by a link."""

    allow_folders: Annotated[tuple[Path | str, ...], NoDecode] = ()
    """Folders from which an agent may name a reference by path, or by URL from a folder of an object store, such as
    ``s3://bucket/photos``; the gallery's own pictures are always allowed. In the environment they are separated as in
    PATH."""
    allow_urls: bool = False
    """Whether a reference may be a web address, ``https://...``; only public addresses are reached."""
    show_paths: ShowPaths = "folder"
    """What agents see of where a hit's file is: its ``name`` alone, its ``folder`` too, from the gallery's folders on
    (``Photos/2024/beach.jpg``), or its whole ``path``."""
    agent_index: bool = False
    """Whether agents get a tool that indexes: files and folders in ``allow_folders``, and no others."""
    mcp_token: SecretStr | None = None
    """What callers of ``ipcir mcp --http`` must show as ``Authorization: Bearer TOKEN``: 16 characters or more. Needed
    where other machines reach the server. Never shown."""
    ui_token: SecretStr | None = None
    """The same for the page, ``ipcir ui``; None: where other machines reach it, each start makes one and prints it."""
    server_names: Annotated[tuple[str, ...], NoDecode] = ()
    """Names beside its own under which a server may be called, such as ``photos.example``, separated by commas: for
    one behind a proxy."""
    max_bytes: int = Field(default=50_000_000, ge=1)
    """Bytes of a picture's file at most."""
    max_pixels: int = Field(default=64_000_000, ge=1)
    """Pixels of a picture at most."""
    decode_memory: int = Field(default=1_600_000_000, ge=50_000_000)
    """Bytes that pictures may take in one process while they are read and decoded, all threads and requests together;
    ``800 MB`` and ``2 GB`` are understood, too. What does not fit waits; a picture that never could is refused. The
    default holds one of 64 million pixels in any format."""
    damaged: Literal["accept", "refuse"] = "accept"
    """A JPEG or PNG that lacks its last bytes, but no more than a third of the picture: shown as viewers show it and
    marked as damaged, or refused."""

    @model_validator(mode="wrap")
    @classmethod
    def _one_line(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Raise InvalidRequestError, with one line that names each wrong setting, in place of pydantic's error."""
        try:
            return handler(values)
        except ValidationError as error:
            wrong = "; ".join(map(_problem, error.errors()))
            raise InvalidRequestError(
                f"A setting is wrong ({wrong}): fix the option or its IPCIR_ variable."
            ) from error

    @field_validator("catalog_url")
    @classmethod
    def _of_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value is not None else ""
        if text and not text.lower().startswith(("postgresql://", "postgresql+", "postgres://")):
            raise ValueError("a shared catalog is a PostgreSQL database, postgresql://USER:PASSWORD@HOST/DATABASE")
        return value if text else None

    @field_validator("chroma_url")
    @classmethod
    def _of_server(cls, value: str | None) -> str | None:
        value = (value or "").strip()
        if not value:
            return None
        try:
            where = urlsplit(value)
            # The URL is shown in messages: nothing in it may be a user, a password or a token.
            may_be_secret = set("@?#") & set(value) or "%" in where.netloc
            if where.scheme in ("http", "https") and where.hostname and where.port != 0 and not may_be_secret:
                return value.rstrip("/")
        except ValueError:
            pass
        raise ValueError(
            "a Chroma server is http://HOST:PORT or https://HOST without user, password or query, a token for it in "
            "IPCIR_CHROMA_TOKEN"
        )

    @field_validator("chroma_token")
    @classmethod
    def _of_header(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value is not None else ""
        if not all(" " <= each <= "~" for each in token):
            raise ValueError("a token is sent in a header of HTTP, which takes printable ASCII characters alone")
        return SecretStr(token) if token else None

    @field_validator("decode_memory", mode="before")
    @classmethod
    def _with_unit(cls, value: object) -> object:
        found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        return int(float(found[1]) * _UNITS[found[2].lower()]) if found else value

    def alone(self) -> Self:
        """The same without the servers that several machines share: for a gallery that belongs to its home folder."""
        return self.model_copy(update={"catalog_url": None, "chroma_url": None, "chroma_token": None})

    @field_validator("duplicates", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return None if isinstance(value, str) and value.strip().lower() in ("off", "none") else value

    @field_validator("ray", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        """The address, where it is written as a switch."""
        switch = {"": None, "0": None, "false": None, "off": None, "1": "local", "true": "local", "on": "local"}
        return switch.get(str(value).strip().lower(), value)

    @field_validator("server_names", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value

    @field_validator("allow_folders", mode="before")
    @classmethod
    def _split_folders(cls, value: object) -> object:
        folders = _FOLDERS.findall(value) if isinstance(value, str) else value
        if not isinstance(folders, list | tuple):
            return folders
        return [str(source_of(each)) if _is_url(each) else _path(each) for each in folders]


def _is_url(folder: object) -> bool:
    return isinstance(folder, str | Path) and isinstance(source_of(folder), ObjectUrl)


def _path(folder: object) -> object:
    return source_of(folder) if isinstance(folder, str) else folder


def load_settings(**chosen: Any) -> Settings:
    """Settings from arguments, then the environment, then the defaults; arguments that are None do not count.

    Raises InvalidRequestError with one line that names each wrong setting.
    """
    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})
    except SettingsError as error:
        raise InvalidRequestError(f"A setting is wrong ({error}): fix its IPCIR_ variable.") from error


def _problem(error: Mapping[str, Any]) -> str:
    """One wrong setting: its name and what is wrong, or the nearest names for one that does not exist."""
    name = ".".join(map(str, error["loc"]))
    if error["type"] != "extra_forbidden":
        return f"{name}: {error['msg']}"
    near = get_close_matches(name, Settings.model_fields, n=2)
    return f"there is no setting {excerpt(name, 40)}" + (f", did you mean {' or '.join(near)}?" if near else "")
