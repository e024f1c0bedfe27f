"""Serving an application on loopback for a test, as this project's servers listen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from registry.web.serving import Server, configure, listen
from tests.waiting import PATIENCE_S


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """The address at which `app` answers meanwhile."""
    server = Server(configure(app), listen("127.0.0.1", 0))
    ready = threading.Event()
    thread = threading.Thread(target=server.attend, args=(ready.set,), daemon=True)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield server.url
    finally:
        server.stop()
        thread.join(PATIENCE_S)
