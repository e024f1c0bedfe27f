"""Serving the VC-API on this machine until a signal ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from credentials.contexts import ContextStore
from registry.web import serving
from registry.web.serving import configure, listen
from zhenglian.vc_api.app import build_app
from zhenglian.vc_api.errors import PortUnavailable
from zhenglian.vc_api.keys import Party
from zhenglian.vc_api.service import VcApi, utc_now
from zhenglian.vc_api.tls import self_signed

HOST: Final = "127.0.0.1"
"""Not to be changed: whoever reaches the server can have anything signed."""
MAX_CONNECTIONS: Final = 128


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
            listening = listen(HOST, port)
        except (OSError, OverflowError) as error:
            raise PortUnavailable(port=port) from error
        self.url = f"https://{HOST}:{listening.getsockname()[1]}"
        self.api = VcApi(
            parties, contexts, base=self.url, proof_only=proof_only, resources=resources or {}
        )
        context, self.fingerprint = self_signed(utc_now())
        app = build_app(self.api)
        self._server = serving.Server(
            configure(app, connections=MAX_CONNECTIONS, tls=context), listening
        )

    def run(self, listening: Callable[[], None]) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; `listening` is called once requests are taken."""
        self._server.attend(listening)

    def stop(self) -> None:
        """End `run` from another thread."""
        self._server.stop()
