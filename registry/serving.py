"""Serving an application until a signal ends it."""

from __future__ import annotations

import gc
import logging
import signal
import socket
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from registry.errors import PortTaken
from registry.patience import Patient

MAX_CONNECTIONS: Final = 4000
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def configure(app: ASGIApp) -> uvicorn.Config:
    """How applications are served."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        lifespan="off",
        ws="none",
        http=Patient,
        proxy_headers=False,  # nothing here depends on who asks
        limit_concurrency=MAX_CONNECTIONS,
    )


def serve(app: ASGIApp, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then return. Port 0 takes a free one.

    `listening` is told the address once connections are accepted. Raises PortTaken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # asyncio does this only for sockets that name their protocol; without it every answer
        # waits 40 ms for an acknowledgement.
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            server.bind((host, port))
        except OSError as error:
            raise PortTaken(host=host, port=port) from error
        server.listen(512)
        shown = f"[{host}]" if ":" in host else host
        worker = uvicorn.Server(configure(app))

        def stop(*_: object) -> None:
            worker.should_exit = True

        # uvicorn raises the signal again when it has stopped: the caller still has to close.
        before = {number: signal.signal(number, stop) for number in _SIGNALS}
        try:
            # What is there by now stays: the collector need not look at it ever again.
            gc.collect()
            gc.freeze()
            listening(f"http://{shown}:{server.getsockname()[1]}")
            worker.run(sockets=[server])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def log_to_stderr() -> None:
    """Readable log lines of this process, on stderr."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
