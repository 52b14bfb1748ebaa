"""``openai:MODEL``: pictures from an images endpoint in OpenAI's protocol."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
import random
import re
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ipcir_tools.errors import BadImageError, InvalidRequestError, IPCIRError, ModelUnavailableError
from ipcir_tools.images import reading
from ipcir_tools.llm.errors import retry_after
from ipcir_tools.models.image_generator import WAYS_OUT, ImageGenerator
from ipcir_tools.settings import Settings
from ipcir_tools.text import error_sentence, excerpt

if TYPE_CHECKING:
    from PIL import Image


ATTEMPTS = 3
FIRST_PAUSE = 0.5
"""Seconds before the second attempt, doubled before the third, and jittered by half."""

_NO_KEY = "no-key"
"""Sent to a server of the user's own where no key is set: the client insists on one, local servers do not."""
_REFUSED = re.compile(r"content[_ ]?(policy|filter)|moderation|safety", re.IGNORECASE)
_MAY_PASS = {408, 409, 425, 429}


class OpenAIImageGenerator(ImageGenerator):
    """Sends descriptions, one request a picture, and never a picture of the user's.

    A picture may take ``image_generator_timeout`` seconds, retries included. Seeds go to servers of the user's own
    alone, and no more to one that rejects them; OpenAI takes none, so there a picture is another one each time.
    """

    concurrency = 4

    def __init__(self, model: str, settings: Settings) -> None:
        import openai

        base = settings.image_generator_base_url
        key = os.environ.get("OPENAI_API_KEY") or (_NO_KEY if base else None)
        try:
            self._client = openai.OpenAI(api_key=key, base_url=base, max_retries=0)
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
        until = time.monotonic() + self._settings.image_generator_timeout
        return self._decoded(self._answer(description, seed, until), until)

    def _answer(self, description: str, seed: int, until: float) -> bytes:
        attempt, seeded = 1, self._seeded
        while True:
            try:
                reply = self._once(description, seed if seeded else None, until)
                self._seeded = self._seeded and seeded
                return reply
            except IPCIRError:
                raise
            except Exception as error:  # the client's own, and those of whichever HTTP library it reads replies with
                status = _status(error)
                if status in (400, 403, 422) and _REFUSED.search(f"{error} {getattr(error, 'body', '')}"):
                    raise InvalidRequestError(self._said("refused to draw", error, description)) from error
                if status in (400, 422) and seeded:
                    seeded = False  # perhaps it was the seed that it rejected
                    continue
                pause = max(retry_after(error), FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
                if attempt == ATTEMPTS or not _may_pass(error) or time.monotonic() + pause >= until:
                    raise ModelUnavailableError(self._said("drew nothing", error)) from error
            time.sleep(pause)
            attempt += 1

    def _once(self, description: str, seed: int | None, until: float) -> bytes:
        """One reply. All of it is held to the deadline and to a size, since a timeout bounds each read alone."""
        chosen: dict[str, Any] = (
            {"size": self._settings.image_generator_size} if self._settings.image_generator_size else {}
        )
        if seed is not None:
            chosen["extra_body"] = {"seed": seed}
        data, most = bytearray(), 2 * self._settings.max_bytes
        asking = self._client.images.with_streaming_response.generate(
            model=self._model, prompt=description, n=1, timeout=max(0.01, until - time.monotonic()), **chosen
        )
        with asking as response:
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > most:
                    raise ModelUnavailableError(
                        f"The image generator {self.id} sent more than {most:,} bytes. {WAYS_OUT}"
                    )
                if time.monotonic() > until:
                    raise TimeoutError("the reply never ended")
        return bytes(data)

    def _decoded(self, reply: bytes, until: float) -> Image.Image:
        """The picture in a reply, as base64 or at a URL. Raises ModelUnavailableError where there is none."""
        try:
            entry = json.loads(reply)["data"][0]
            place = entry.get("b64_json") or entry["url"]
            data = self._fetched(place, until) if place.startswith(("http:", "https:")) else _plain(place)
            return reading.decode(data, "a drawn picture", self._settings).pixels
        except (ValueError, LookupError, TypeError, AttributeError, IPCIRError) as error:
            raise ModelUnavailableError(
                f"The image generator {self.id} sent no picture ({self._line(error)}): "
                "check IPCIR_IMAGE_GENERATOR_BASE_URL and the model's name."
            ) from error

    def _fetched(self, url: str, until: float) -> bytes:
        from ipcir_tools.images.fetching import fetch, is_public  # an HTTP client that few runs need

        # A server of the user's own may stand in a private network; its pictures stand there too, but nothing else's.
        own = _addresses(self._host)
        seconds = max(0.01, until - time.monotonic())
        return fetch(url, self._settings.max_bytes, allowed=lambda a: is_public(a) or str(a) in own, seconds=seconds)

    def _said(self, what: str, error: Exception, description: str = "") -> str:
        about = f" {excerpt(description)!r}" if description else ""
        return f"The image generator {self.id} {what}{about}: {self._line(error)} {_way_out(error)}"

    def _line(self, error: Exception) -> str:
        line = error_sentence(error, 200)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return re.sub(r"\bsk-[\w*-]{6,}", "***", line)


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _way_out(error: Exception) -> str:
    status = _status(error)
    if status in (401, 403):
        return "Check OPENAI_API_KEY."
    return (
        WAYS_OUT
        if status
        else "Check IPCIR_IMAGE_GENERATOR_BASE_URL, or give it more time (IPCIR_IMAGE_GENERATOR_TIMEOUT)."
    )


def _may_pass(error: Exception) -> bool:
    """Whether another attempt may go better; one that took all the time would take it again."""
    status = _status(error)
    if status is None:
        return "Timeout" not in type(error).__name__
    return status >= 500 or status in _MAY_PASS


def _plain(text: str) -> bytes:
    """The bytes that base64 stands for, the head of a ``data:`` URI left out."""
    try:
        return base64.b64decode(text.partition(";base64,")[2] or text, validate=True)
    except binascii.Error as error:
        raise BadImageError("damaged base64") from error


def _addresses(host: str) -> set[str]:
    entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return {str(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in entries}
