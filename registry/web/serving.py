"""Serving applications: the one way in which every server of this project listens.

What a connection may cost is in `registry.web.patience`. Beyond it: TLS must be agreed upon within
`HANDSHAKE_S`, and the process may have as many files open as its connections need.

Not guaranteed: connections that have not yet agreed upon TLS are bounded in time, and in number
only by the files that the process may open.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from registry.errors import PortTaken
from registry.web.patience import HANDSHAKE_S, SPARE_CONNECTIONS, Patient

MAX_CONNECTIONS: Final = 4000
GRACE_S: Final = 5
"""For answers that are under way when the server is told to stop."""
BACKLOG: Final = 512
FILES_KEPT: Final = 256
"""For everything that is no connection of a client: stores, tiles, other servers."""
_LEAST_CONNECTIONS: Final = 16
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def configure(
    app: ASGIApp,
    *,
    connections: int = MAX_CONNECTIONS,
    tls: ssl.SSLContext | None = None,
    behind_proxy: bool = False,
) -> uvicorn.Config:
    """How applications are served; beyond `connections`, 503.

    `behind_proxy` lets the scheme and the client be what a proxy on this machine says they are.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="off",
        ws="none",
        http=Patient,
        proxy_headers=behind_proxy,
        limit_concurrency=connections,
    )
    config.load()
    config.ssl = tls
    return config


def tls_context(
    certificate: Path,
    key: Path | None,
    password: str = "",
    *,
    least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
) -> ssl.SSLContext:
    """The context of a server; raises OSError or ssl.SSLError if the files are unfit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = least
    # A password is always given: else OpenSSL would ask for it at a terminal.
    context.load_cert_chain(certificate, key, password)
    return context


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises OSError or OverflowError."""
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # asyncio does this only for sockets that name their protocol; without it every answer
        # waits 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except (OSError, OverflowError):
        listening.close()
        raise
    return listening


class Server(uvicorn.Server):
    """Serves one application on one socket until a signal, or `stop` from another thread."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket) -> None:
        super().__init__(config)
        self._listening = listening
        self._announce: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        """Where it answers."""
        scheme = "https" if self.config.ssl is not None else "http"
        host, port = self._listening.getsockname()[:2]
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def attend(self, announce: Callable[[], None] = lambda: None) -> None:
        """Serve, then close the socket; `announce` is called once connections are accepted."""
        self._announce = announce

        def stop(*_: object) -> None:
            self.should_exit = True

        # uvicorn raises the signal again when it has stopped: the caller still has to close, and
        # an orderly end is exit code 0.
        try:
            before = {number: signal.signal(number, stop) for number in _SIGNALS}
        except ValueError:  # not in the main thread: no signals to handle
            before = {}
        try:
            self.run(sockets=[self._listening])
        finally:
            self._listening.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End `attend` from another thread."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, which cannot say how long TLS may take."""
        config = self.config
        if config.limit_concurrency is not None:
            config.limit_concurrency = _room(config.limit_concurrency)
        state: dict[str, Any] = {}

        def protocol() -> asyncio.Protocol:
            return Patient(config, self.server_state, state)

        loop = asyncio.get_running_loop()
        time = None if config.ssl is None else HANDSHAKE_S
        self.servers = [
            await loop.create_server(
                protocol,
                sock=sock,
                ssl=config.ssl,
                backlog=BACKLOG,
                ssl_handshake_timeout=time,
                ssl_shutdown_timeout=time,
            )
            for sock in sockets or [self._listening]
        ]
        self.started = True
        self._announce()


def _room(connections: int) -> int:
    """Let the process open the files that so many connections need; else, how many it can have."""
    spare = SPARE_CONNECTIONS + FILES_KEPT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + spare
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(_LEAST_CONNECTIONS, min(connections, soft - spare))


def serve(app: ASGIApp, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then return. Port 0 takes a free one.

    `listening` is told the address once connections are accepted. Raises PortTaken.
    """
    try:
        taken = listen(host, port)
    except (OSError, OverflowError) as error:
        raise PortTaken(host=host, port=port) from error
    server = Server(configure(app), taken)
    # What is there by now stays: the collector need not look at it ever again.
    gc.collect()
    gc.freeze()
    server.attend(lambda: listening(server.url))


def log_to_stderr() -> None:
    """Readable log lines of this process, on stderr."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
