"""The serving process: HTTP, and the work that is done beside it.

The worker asks the authority again about what waits, signs status lists that changed, and brings
what is pending to the registry: at start, when something was issued, and every few seconds. Its
failures are logged by code and tried again; they never stop the server.

Logs are JSON lines on standard error: event, codes, counts and record ids. Access logs of the HTTP
server are off, because paths hold application ids.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn

from issuer.api import build_api
from issuer.errors import AddressUnavailable, InsecureAddress
from issuer.service import Issuer
from issuer.settings import is_loopback
from schemas.errors import ZhenglianError

log = logging.getLogger("issuer.server")

CHORE_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 5
MAX_CONNECTIONS: Final = 512
"""Beyond these, 503: idle connections must not use up the process's files."""


@dataclass(frozen=True)
class Address:
    """Where to serve. Beyond this machine only with TLS, its own or a proxy's in front."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False

    def check(self) -> None:
        """Raises `InsecureAddress`."""
        secured = self.certificate is not None and self.key is not None
        if not (secured or self.behind_proxy or is_loopback(self.host)):
            raise InsecureAddress(host=self.host)


class Worker(threading.Thread):
    """The background work of a serving issuer."""

    def __init__(self, issuer: Issuer, every: float = CHORE_SECONDS) -> None:
        super().__init__(name="issuer-worker", daemon=True)
        self._issuer = issuer
        self._every = every
        self._wake = threading.Event()
        self._over = threading.Event()

    def poke(self) -> None:
        """Begin the next round now."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the round that runs, and end."""
        self._over.set()
        self._wake.set()
        self.join()

    def run(self) -> None:
        told: object = None
        while not self._over.is_set():
            self._wake.clear()
            try:
                chore = self._issuer.retry()
            except ZhenglianError as error:
                log.log(logging.ERROR, "chore failed", extra={"fields": {"code": error.code}})
            except Exception as error:  # noqa: BLE001 - the worker must outlive any one round
                log.log(
                    logging.ERROR, "chore defect", extra={"fields": {"kind": type(error).__name__}}
                )
            else:
                fields = {
                    "offered": len(chore.offered),
                    "refused": len(chore.refused),
                    "waiting": chore.waiting,
                    "anchored": chore.sent.anchored,
                    "published": chore.sent.published,
                    "pending": chore.sent.pending,
                    "trouble": list(chore.trouble),
                }
                # Every five seconds the same line would hide the others.
                if fields != told:
                    log.info("chore", extra={"fields": fields})
                told = fields
            self._wake.wait(self._every)


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(issuer: Issuer, address: Address, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `announce` gets the URL once it answers.

    Raises `StoreLocked`, `InsecureAddress`, `AddressUnavailable`.
    """
    address.check()
    with issuer.serving(), _listen(address) as listening:
        port = listening.getsockname()[1]
        scheme = "https" if address.certificate else "http"
        shown = f"[{address.host}]" if ":" in address.host else address.host
        worker = Worker(issuer)
        config = uvicorn.Config(
            build_api(issuer, poke=worker.poke),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=MAX_CONNECTIONS,
            ssl_certfile=address.certificate,
            ssl_keyfile=address.key,
            proxy_headers=address.behind_proxy,
        )
        server = _Server(config, lambda: announce(f"{scheme}://{shown}:{port}"))
        # The HTTP server repeats the signal that ended it; an orderly end is exit code 0.
        previous = {name: signal.signal(name, _ignore) for name in (signal.SIGTERM, signal.SIGINT)}
        worker.start()
        try:
            server.run(sockets=[listening])
        finally:
            worker.stop()
            for name, handler in previous.items():
                signal.signal(name, handler)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The server has ended already when this is called."""


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # asyncio does this only for sockets that name their protocol; without it every answer
        # waits 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((address.host.strip("[]"), address.port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise AddressUnavailable(host=address.host, port=address.port) from error
    return listening


class JsonLines(logging.Formatter):
    """One JSON object a line. Exception texts are left out: they may quote personal values."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= fields
        if record.exc_info and record.exc_info[0] is not None:
            line["kind"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr() -> None:
    """Send the log of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
