"""An S3 server on the loopback interface: moto's, with every request counted, and failures on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from s3fs import S3FileSystem
from werkzeug.serving import WSGIRequestHandler, make_server

from ipcir_tools.images import object_store

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "the-key-id",
    "AWS_SECRET_ACCESS_KEY": "the-secret-key",
    "AWS_SESSION_TOKEN": "the-session-token",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Request:
    """One request to the server."""

    method: str
    path: str
    """The bucket and the key, as the URL has them."""
    query: str
    range: str | None


Failing = Callable[[Request], tuple[int, str] | None]
"""A status and S3's word for it where a request is to fail."""


class S3Server:
    """The server; ``requests`` has all that was asked, ``failing`` says which requests fail."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.failing: Failing = lambda _: None
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def client(self) -> Any:
        """boto3's client, which puts objects there."""
        keys = {name.lower(): value for name, value in ENVIRONMENT.items() if name.startswith(("AWS_ACC", "AWS_SEC"))}
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", **keys)

    @property
    def downloads(self) -> list[str]:
        """The keys whose bytes were asked for, with their buckets."""
        with_keys = (each for each in self.requests if each.method == "GET" and each.path.strip("/").count("/"))
        return [each.path for each in with_keys]

    def stop(self) -> None:
        self._server.shutdown()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = Request(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""), environ.get("HTTP_RANGE")
        )
        self.requests.append(asked)
        if (failure := self.failing(asked)) is not None:
            status, code = failure
            body = f"<Error><Code>{code}</Code><Message>the-secret-key</Message></Error>".encode()
            start_response(
                f"{status} {code}", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
            )
            return [body if asked.method != "HEAD" else b""]
        return self._moto(environ, start_response)


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """The server, and the environment in which s3fs finds it. What a process found before is forgotten: another server
    may have been there."""
    server = S3Server()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url}.items():
            patch.setenv(name, value)
        patch.setattr(object_store, "_filesystems", {})
        S3FileSystem.clear_instance_cache()
        yield server
        S3FileSystem.clear_instance_cache()
    server.stop()
