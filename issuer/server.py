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
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from issuer.api import build_api
from issuer.errors import AddressUnavailable, InsecureAddress
from issuer.service import Issuer
from issuer.settings import is_loopback
from registry.web.serving import Server, configure, listen, tls_context
from schemas.errors import ZhenglianError

log = logging.getLogger("issuer.server")

CHORE_SECONDS: Final = 5.0
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


def serve(issuer: Issuer, address: Address, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `announce` gets the URL once it answers.

    Raises `StoreLocked`, `InsecureAddress`, `AddressUnavailable`.
    """
    address.check()
    with issuer.serving(), _listen(address) as listening:
        worker = Worker(issuer)
        tls = None
        if address.certificate is not None:
            tls = tls_context(address.certificate, address.key)
        config = configure(
            build_api(issuer, poke=worker.poke),
            connections=MAX_CONNECTIONS,
            tls=tls,
            behind_proxy=address.behind_proxy,
        )
        server = Server(config, listening)
        worker.start()
        try:
            server.attend(lambda: announce(server.url))
        finally:
            worker.stop()


def _listen(address: Address) -> socket.socket:
    try:
        return listen(address.host, address.port)
    except (OSError, OverflowError) as error:
        raise AddressUnavailable(host=address.host, port=address.port) from error


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
