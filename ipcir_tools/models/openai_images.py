"""``openai:MODEL``: images from an images endpoint in OpenAI's protocol."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
import re
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ipcir_tools.errors import BadImageError, InvalidRequestError, IPCIRError, ModelUnavailableError
from ipcir_tools.images import reading
from ipcir_tools.images.pixels import WHOLE
from ipcir_tools.llm.budget import Budget
from ipcir_tools.llm.chat_model import NO_KEY
from ipcir_tools.llm.errors import (
    PROXY_STATUS,
    REJECTED_STATUS,
    UNAUTHORIZED_STATUS,
    AbandonedCallsError,
    DeadlineExceededError,
    is_transient,
    masked_line,
    status_code,
)
from ipcir_tools.llm.http_clients import bounded_client
from ipcir_tools.llm.proxies import proxy_note
from ipcir_tools.llm.retries import retrying
from ipcir_tools.llm.timeouts import call_within
from ipcir_tools.models.image_generator import WAYS_OUT, ImageGenerator
from ipcir_tools.settings import Settings
from ipcir_tools.text import excerpt, sentence

if TYPE_CHECKING:
    from PIL import Image


_MODERATED = re.compile(r"content[_ ]?(policy|filter)|moderation|safety", re.IGNORECASE)


class OpenAIImageGenerator(ImageGenerator):
    """Sends descriptions, one request an image, and never an image of the user's.

    An image may take ``image_generator_timeout`` seconds, retries included. Seeds are sent to the user's own servers
    alone, and no more to one that rejects them; OpenAI takes none, so there each image is another one.
    """

    concurrency = 4

    def __init__(self, model: str, settings: Settings) -> None:
        import openai

        base = settings.image_generator_base_url
        key = os.environ.get("OPENAI_API_KEY") or (NO_KEY if base else None)
        try:
            self._client = openai.OpenAI(
                api_key=key, base_url=base, max_retries=0, http_client=bounded_client(base, 2 * settings.max_bytes)
            )
        except openai.OpenAIError as error:
            raise ModelUnavailableError(
                f"The image generator openai:{model} has no key: set OPENAI_API_KEY, or name a server of your own in "
                "IPCIR_IMAGE_GENERATOR_BASE_URL."
            ) from error
        self._model, self._settings = model, settings
        self._seeded = base is not None
        place = urlsplit(str(self._client.base_url))
        self._host = place.hostname or ""
        self._secrets = [secret for secret in (key, place.password) if secret]
        self.id = f"openai:{model}@{place.netloc.rpartition('@')[2]}/{settings.image_generator_size or 'own size'}"

    def _draw(self, description: str, seeds: Sequence[int], reference: Image.Image | None) -> list[Image.Image]:
        return [self._picture(description, seed) for seed in seeds]

    def _picture(self, description: str, seed: int) -> Image.Image:
        budget = Budget(self._settings.image_generator_timeout)
        try:
            return call_within(
                budget.seconds, lambda: self._decoded(self._reply(description, seed, budget), budget), budget.left
            )
        except (DeadlineExceededError, AbandonedCallsError) as error:
            late = isinstance(error, DeadlineExceededError)
            why = TimeoutError(f"no picture within {budget.seconds:.3g} s") if late else error
            raise self._unavailable(why) from error

    def _reply(self, description: str, seed: int, budget: Budget) -> bytes:
        """One reply. Without the seed where the server rejects the request with it, and then never with one again."""
        if self._seeded:
            try:
                return self._retried(description, seed, budget)
            except IPCIRError:
                raise
            except Exception as error:  # the client raises its own errors and those of its HTTP library
                if status_code(error) not in REJECTED_STATUS:
                    raise self._unavailable(error) from error
        try:
            reply = self._retried(description, None, budget)
        except IPCIRError:
            raise
        except Exception as error:  # as above
            raise self._unavailable(error) from error
        self._seeded = False
        return reply

    def _retried(self, description: str, seed: int | None, budget: Budget) -> bytes:
        try:
            for attempt in retrying(budget.attempts, budget.left, _may_pass):
                with attempt:
                    return self._request(description, seed, budget)
        except Exception as error:  # only the refusal of a description is handled here
            refusal = _MODERATED.search(f"{error} {getattr(error, 'body', '')}")
            if refusal and status_code(error) in REJECTED_STATUS | UNAUTHORIZED_STATUS:
                about = f"refused to draw {excerpt(description)!r}: {self._reason(error)}"
                raise InvalidRequestError(f"The image generator {self.id} {about} {_way_out(error)}") from error
            raise
        raise AssertionError("the last attempt returns or raises")

    def _request(self, description: str, seed: int | None, budget: Budget) -> bytes:
        """One reply. All of it is held to the deadline and to a size: the client's timeout bounds each read alone."""
        options: dict[str, Any] = (
            {"size": self._settings.image_generator_size} if self._settings.image_generator_size else {}
        )
        if seed is not None:
            options["extra_body"] = {"seed": seed}
        data, limit = bytearray(), 2 * self._settings.max_bytes
        request = self._client.images.with_streaming_response.generate(
            model=self._model, prompt=description, n=1, timeout=max(0.01, budget.left()), **options
        )
        with request as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > limit:
                    raise ModelUnavailableError(
                        f"The image generator {self.id} sent more than {limit:,} bytes. {WAYS_OUT}"
                    )
                if budget.left() < 0:
                    raise TimeoutError("the reply never ended")
        return bytes(data)

    def _decoded(self, reply: bytes, budget: Budget) -> Image.Image:
        """The image in a reply, as base64 or at a URL. Raises ModelUnavailableError where there is none."""
        try:
            entry = json.loads(reply)["data"][0]
            place = entry.get("b64_json") or entry["url"]
            data = self._fetched(place, budget) if place.startswith(("http:", "https:")) else _from_base64(place)
            return reading.decode(data, "a drawn picture", self._settings, side=WHOLE).pixels
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, IPCIRError) as error:
            raise ModelUnavailableError(
                f"The image generator {self.id} sent no picture ({masked_line(error, self._secrets)}): "
                "check IPCIR_IMAGE_GENERATOR_BASE_URL and the model's name."
            ) from error

    def _fetched(self, url: str, budget: Budget) -> bytes:
        from ipcir_tools.images.fetching import fetch, is_public  # an HTTP client that few runs need

        # The user's own server may be in a private network, and so its images; no other private address is allowed.
        own = _addresses(self._host)
        seconds = max(0.01, budget.left())
        return fetch(url, self._settings.max_bytes, allowed=lambda a: is_public(a) or str(a) in own, seconds=seconds)

    def _unavailable(self, error: Exception) -> ModelUnavailableError:
        return ModelUnavailableError(
            f"The image generator {self.id} drew nothing{self._proxy(error)}: {self._reason(error)} {_way_out(error)}"
        )

    def _proxy(self, error: Exception) -> str:
        """The proxy, where it may be what failed."""
        return proxy_note(str(self._client.base_url)) if status_code(error) in {None, *PROXY_STATUS} else ""

    def _reason(self, error: Exception) -> str:
        return sentence(masked_line(error, self._secrets))


def _way_out(error: Exception) -> str:
    status = status_code(error)
    if status in UNAUTHORIZED_STATUS:
        return "Check OPENAI_API_KEY."
    return (
        WAYS_OUT
        if status
        else "Check IPCIR_IMAGE_GENERATOR_BASE_URL, or give it more time (IPCIR_IMAGE_GENERATOR_TIMEOUT)."
    )


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may succeed; after a timeout there is no time left for one."""
    if isinstance(error, IPCIRError) or not isinstance(error, Exception):
        return False
    return is_transient(error) or (status_code(error) is None and "Timeout" not in type(error).__name__)


def _from_base64(text: str) -> bytes:
    """The bytes of base64 text, without the head of a ``data:`` URI."""
    try:
        return base64.b64decode(text.partition(";base64,")[2] or text, validate=True)
    except binascii.Error as error:
        raise BadImageError("damaged base64") from error


def _addresses(host: str) -> set[str]:
    entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return {str(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in entries}
