"""Requests to the Hugging Face hub, or to the mirror that ``HF_ENDPOINT`` names: a repository's files, and their bytes.

Not the hub's own client, because that begins a download again where a process was killed, waits a minute for a hub
that does not answer, and does not compare what arrives with its checksum.
"""

from __future__ import annotations

import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx

from ipcir_tools.models.hub_environment import HubError, checked_endpoint, hub_constants, wrong_variable

FIRST_ANSWER = 10.0
"""Seconds that a hub may take to begin its first answer, looking up its name included."""


class TransientHubError(HubError):
    """The same for what a second request may mend: a connection that ended, silence, a server's error."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository as the hub describes it."""

    name: str
    size: int | None
    """Bytes; None where the hub does not say."""
    digest: str
    """Its ETag: the SHA-256 of a large file, the git blob id (SHA-1) of a small one."""


@dataclass(frozen=True)
class Listing:
    """The files of a repository at one commit."""

    repo: str
    commit: str
    files: Mapping[str, HubFile]


class HubClient:
    """A connection to the hub. Proxies, certificates and the token are those of the environment."""

    def __init__(self) -> None:
        constants = hub_constants()
        from huggingface_hub import utils

        client: Any = utils  # untyped

        self.endpoint = checked_endpoint(constants.ENDPOINT)
        self.silence = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        """Seconds without a byte after which a transfer counts as broken: HF_HUB_DOWNLOAD_TIMEOUT, 10 by default."""
        headers = client.build_hf_headers(library_name="ipcir-tools") | {"accept-encoding": "identity"}
        try:
            self._client = httpx.Client(headers=headers, timeout=self.silence, follow_redirects=True)
        except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
            raise HubError(wrong_variable(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def host(self) -> str:
        """The host's name for messages: ``huggingface.co``, or a mirror's address."""
        return self.endpoint.removeprefix("https://")

    def listing(self, repo: str) -> Listing:
        """The files of the repository's main branch. Raises HubError."""
        url = f"{self.endpoint}/api/models/{repo}/revision/main?blobs=true"
        try:
            found = self._json(url, repo)
            files = [_hub_file(each) for each in found["siblings"]]
            return Listing(repo, found["sha"], {file.name: file for file in files})
        except (KeyError, TypeError, ValueError) as error:
            raise HubError(f"{self.host} does not answer as a hub of models does: check HF_ENDPOINT.") from error

    def _json(self, url: str, repo: str) -> dict[str, Any]:
        request = self._client.build_request("GET", url)
        with self._explained(repo):
            response = self._first_answer(request)
            try:
                response.read()
            finally:
                response.close()
            self._check(response, repo)
            answer: dict[str, Any] = response.json()
            return answer

    def _first_answer(self, request: httpx.Request) -> httpx.Response:
        """The beginning of the answer, in a thread of its own: no timeout covers a name server that is silent."""
        answers: list[httpx.Response | Exception] = []

        def send() -> None:
            try:
                answers.append(self._client.send(request, stream=True))
            except Exception as error:  # noqa: BLE001 - any: it is raised again where it was asked for
                answers.append(error)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        thread.join(FIRST_ANSWER)
        if not answers:
            raise TransientHubError(f"{self.host} did not answer within {FIRST_ANSWER:.0f} s{self._proxy()}.")
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    @contextmanager
    def stream(self, listing: Listing, name: str, begin: int) -> Iterator[tuple[int, int | None, Iterator[bytes]]]:
        """The bytes of a file from ``begin`` on: where they begin after all, the whole file's size, and the bytes.

        Raises HubError, and TransientHubError where another request may do.
        """
        url = f"{self.endpoint}/{listing.repo}/resolve/{listing.commit}/{urllib.parse.quote(name)}"
        headers = {"range": f"bytes={begin}-"} if begin else {}
        with self._explained(listing.repo), self._client.stream("GET", url, headers=headers) as response:
            if response.status_code == 416:  # nothing behind what is here already: begin again
                raise TransientHubError(f"{self.host} has no byte {begin:,} of {listing.repo}/{name}.")
            self._check(response, listing.repo)
            start = begin if response.status_code == 206 else 0
            length = response.headers.get("content-length")
            yield start, start + int(length) if length else None, response.iter_bytes()

    @contextmanager
    def _explained(self, repo: str) -> Iterator[None]:
        """Each error of the connection as a HubError."""
        try:
            yield
        except httpx.ProxyError as error:
            raise HubError(f"{self.host} cannot be reached: the proxy refused{self._proxy()} ({error}).") from error
        except httpx.ConnectTimeout as error:
            raise TransientHubError(
                f"{self.host} cannot be reached within {self.silence:.0f} s{self._proxy()}."
            ) from error
        except httpx.TimeoutException as error:
            raise TransientHubError(
                f"{self.host} fell silent: no byte for {self.silence:.0f} s{self._proxy()}."
            ) from error
        except httpx.ConnectError as error:
            hint = (
                ": name your network's certificates in SSL_CERT_FILE" if "CERTIFICATE" in str(error) else self._proxy()
            )
            raise TransientHubError(f"{self.host} cannot be reached{hint} ({error}).") from error
        except httpx.HTTPError as error:
            raise TransientHubError(f"{self.host} broke off the connection ({error}).") from error
        except (httpx.InvalidURL, RuntimeError) as error:  # RuntimeError: test guards that close sockets
            raise HubError(f"{self.host} cannot be reached ({error}).") from error

    def _check(self, response: httpx.Response, repo: str) -> None:
        """Raises HubError for a status that is no success."""
        status, code = response.status_code, response.headers.get("x-error-code", "")
        if status < 400:
            return
        if code == "GatedRepo":
            raise HubError(
                f"{repo} on {self.host} is gated: ask for access at {self.endpoint}/{repo}, then set HF_TOKEN."
            )
        if status == 407 or (status in (403, 502) and not code and self._proxy()):
            raise HubError(f"{self.host} cannot be reached: status {status}{self._proxy()}.")
        if code == "EntryNotFound":
            raise HubError(f"{repo} on {self.host} lacks a file that it lists: try again.")
        if status in (401, 404):
            token = "HF_TOKEN is refused" if "authorization" in response.request.headers else "it is private (HF_TOKEN)"
            raise HubError(f"{self.host} has no repository {repo} for you: its name is wrong, or {token}.")
        if status == 429 or status >= 500:
            raise TransientHubError(f"{self.host} is not well: it answered with status {status}.")
        raise HubError(f"{self.host} refused {repo} with status {status}.")

    def _proxy(self) -> str:
        """ " through the proxy ..." where the environment names one for the hub, without its password."""
        parts = urllib.parse.urlsplit(self.endpoint)
        proxy = urllib.request.getproxies().get(parts.scheme)
        if proxy is None or urllib.request.proxy_bypass(parts.hostname or ""):
            return ""
        return f" through the proxy {proxy.rpartition('@')[2].rpartition('//')[2]}"


def _hub_file(described: Mapping[str, Any]) -> HubFile:
    large = described.get("lfs") or {}
    size = large.get("size", described.get("size"))
    return HubFile(described["rfilename"], size, large.get("sha256") or described["blobId"])
