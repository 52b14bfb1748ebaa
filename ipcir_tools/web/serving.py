"""Serving the page on this machine, and opening a browser on it."""

from __future__ import annotations

import secrets
import sys
import threading
import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING

from ipcir_tools.batches import Progress
from ipcir_tools.http_access import LOOPBACK, Access, check_access, is_loopback
from ipcir_tools.http_guard import HttpLimits
from ipcir_tools.settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from ipcir_tools.engine.engine import Engine


PORT = 8766


def serve(
    settings: Settings,
    host: str = LOOPBACK,
    port: int = PORT,
    *,
    browser: bool = True,
    progress: Progress | None = None,
) -> None:
    """Serve until Ctrl-C. For an address that other machines reach, the address that is printed has a token in it.

    Raises the typed errors of ``Engine.open``, and InvalidRequestError for a port that is taken or a wrong token.
    """
    from ipcir_tools.engine.engine import Engine
    from ipcir_tools.http_serving import listen

    token = settings.ui_token.get_secret_value() if settings.ui_token else None
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe()
    check_access(host, token)
    with listen(host, port) as listener, Engine.open(settings, progress) as engine, suppress(KeyboardInterrupt):
        access = Access(host, listener.getsockname()[1], token, settings.server_names)
        everywhere = host in ("0.0.0.0", "::")  # no address that a browser can open
        place = f"http://{LOOPBACK}:{access.port}" if everywhere else access.url
        address = f"{place}/?token={token}" if token else f"{place}/"
        elsewhere = f" On other machines this machine's name or address stands for {LOOPBACK}." if everywhere else ""
        sys.stderr.write(f"The page is at {address} until Ctrl-C.{elsewhere}\n")
        sys.stderr.flush()
        if browser:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        page_server(engine, access).run(sockets=[listener])


def page_server(engine: Engine, access: Access) -> uvicorn.Server:
    """The server of the page over ``engine``, behind the guard; who lacks the token is asked for it."""
    from ipcir_tools.http_serving import guarded_server
    from ipcir_tools.web.app import build_app

    app = build_app(engine)
    page = app.state.site.templates.get_template("sign_in.html")
    limits = HttpLimits(body=engine.settings.max_bytes)
    return guarded_server(
        app, access, limits, token_in_query=True, sign_in=lambda is_wrong: page.render(is_wrong=is_wrong)
    )
