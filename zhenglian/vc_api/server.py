"""Serving the VC-API on this machine until a signal ends it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

import uvicorn

from credentials.contexts import ContextStore
from zhenglian.vc_api.app import build_app
from zhenglian.vc_api.errors import PortUnavailable
from zhenglian.vc_api.keys import Party
from zhenglian.vc_api.patience import Impatient
from zhenglian.vc_api.service import VcApi, utc_now
from zhenglian.vc_api.tls import self_signed

HOST: Final = "127.0.0.1"
"""Not to be changed: whoever reaches the server can have anything signed."""
MAX_CONNECTIONS: Final = 128
GRACE_SECONDS: Final = 3

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Server:
    """A bound port and what serves it."""

    def __init__(
        self,
        parties: Mapping[str, Party],
        contexts: ContextStore,
        *,
        port: int = 0,
        proof_only: bool = False,
        resources: Mapping[str, bytes] | None = None,
    ) -> None:
        """Binds at once; port 0 takes a free one. Raises PortUnavailable."""
        try:
            self._socket = socket.create_server((HOST, port), backlog=128)
        except (OSError, OverflowError) as error:
            raise PortUnavailable(port=port) from error
        # asyncio does this only for sockets that name their protocol; without it every answer
        # waits 40 ms for an acknowledgement.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"https://{HOST}:{self._socket.getsockname()[1]}"
        self.api = VcApi(
            parties, contexts, base=self.url, proof_only=proof_only, resources=resources or {}
        )
        context, self.fingerprint = self_signed(utc_now())
        config = uvicorn.Config(
            build_app(self.api),
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            lifespan="off",
            ws="none",
            http=Impatient,
        )
        config.load()
        config.ssl = context
        self._server = _Announcing(config)

    def run(self, listening: Callable[[], None]) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; `listening` is called once requests are taken."""
        self._server.announce = listening
        # uvicorn raises the signal again when it has stopped; an orderly end is exit code 0.
        try:
            before = {number: signal.signal(number, _ignore) for number in _SIGNALS}
        except ValueError:  # not in the main thread: no signals to handle
            before = {}
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End `run` from another thread."""
        self._server.should_exit = True


class _Announcing(uvicorn.Server):
    """uvicorn's server, which says when it has started."""

    announce: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self.announce()


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The server has ended already when this is called."""
