"""One process of several that may sequence a network: on duty, or standing by.

Who holds the leases of all chains is on duty, and the others serve reads. When the holder ends,
is cut off or is paused, its leases run out by the database's clock, and the first of the others
takes over by itself; the stores refuse whatever the former holder still tries to write. A process
whose chain has stopped for another reason opens it again from its record.

Where the chains lie in files of this machine there is nobody to stand by, and the duty is this
process's from its start, or it does not start.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from registry.errors import LeaseHeld, RegistryError, StandingBy, TileCorrupt, TileMissing
from registry.ledger.genesis import Genesis
from registry.sequencing.api import build_app
from registry.sequencing.chain import SequencerKeys
from registry.sequencing.outside import OutsidePolicies
from registry.sequencing.sequencer import INTERVAL_S, Sequencer
from registry.sequencing.standby import Standby, build_standby_app
from registry.storage.lock import FolderLock
from registry.storage.places import Places
from registry.witnessing.cosigning import NodeLink

log = logging.getLogger(__name__)

POLL_S: Final = 0.25
PAUSE_S: Final = 1.0  # after a failure, so that another process may have more luck

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Duty:
    """An ASGI application that is the sequencer's while on duty, else the standby's.

    Call `prepare`, then `start` once the address is known, at the end `close`.
    """

    def __init__(
        self,
        home: Path,
        genesis: Genesis,
        keys: SequencerKeys,
        places: Places,
        *,
        links: Callable[[], Mapping[str, NodeLink]],
        now: Callable[[], datetime],
        interval: float = INTERVAL_S,
        outside: OutsidePolicies | None = None,
    ) -> None:
        """`places` is closed with this. `outside`: see `registry.sequencing.outside`."""
        self._outside = outside
        self._home = home
        self._genesis = genesis
        self._keys = keys
        self._places = places
        self._links = links
        self._now = now
        self._interval = interval
        self._lock: FolderLock | None = None
        self._standby: Standby | None = None
        self._sequencer: Sequencer | None = None
        self._standby_app: Any = None
        self._app: Any = _nobody
        self._holder: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: str | None = None

    @property
    def on_duty(self) -> bool:
        """Whether this process takes entries now."""
        return self._sequencer is not None

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        await self._app(scope, receive, send)

    def prepare(self) -> None:
        """Open what must be there; raises by name what is not, before anything is served.

        Tiles need not be there: see `_turn`.
        """
        self._lock = FolderLock(self._home)  # the catalogue is one process's
        if not self._places.shared:
            self._take_duty()
            return
        with suppress(TileMissing, TileCorrupt):  # who takes the duty writes them anew
            self._look()

    def start(self, address: str) -> None:
        """Take the duty as soon as it is free. `address` is where others find this process."""
        self._places.announce(address)
        self._thread = threading.Thread(target=self._run, name="duty", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; the next process need not wait."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._step_down()
        if self._standby is not None:
            self._standby.close()
        self._places.close()
        if self._lock is not None:
            self._lock.release()

    # The loop

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self._turn()
            except RegistryError as error:
                self._tell(error.code, str(error))
                pause = PAUSE_S
            except Exception:
                # A defect must not leave the network without anybody on duty.
                log.exception("the duty failed in a way that it did not foresee")
                pause = PAUSE_S
            else:
                self._failure = None
                pause = POLL_S

    def _turn(self) -> None:
        if self._sequencer is not None:
            if not self._sequencer.chains.stopped:
                return
            log.warning("a chain takes nothing more here: stepping down")
            self._step_down()
        if not self._places.shared:
            self._take_duty()
            return
        self._holder = self._places.holder(self._genesis.origin)
        if self._holder is None:
            # Whatever a look from outside would show: the writer of it may be in the midst of
            # something, and paused or dead. Who opens the chains puts that right.
            try:
                self._take_duty()
                return
            except LeaseHeld:
                pass  # another was quicker
            except RegistryError:
                with suppress(RegistryError):
                    self._look()
                raise
        self._look()

    def _look(self) -> None:
        """Show what the one on duty wrote."""
        if self._standby is None:
            self._standby = Standby(self._home, self._genesis, self._places)
            self._standby_app = self._app = build_standby_app(
                self._standby, folder=self._home, holder=lambda: self._holder, now=self._now
            )
        self._standby.refresh()

    def _take_duty(self) -> None:
        sequencer = Sequencer(
            self._home,
            self._genesis,
            self._keys,
            links=self._links,
            now=self._now,
            places=self._places,
            outside=self._outside,
        )
        try:
            app = build_app(sequencer)
            sequencer.start(self._interval)
        except BaseException:
            sequencer.close()
            raise
        self._sequencer, self._app = sequencer, app
        log.info("on duty for %s", self._genesis.network)

    def _step_down(self) -> None:
        sequencer, self._sequencer = self._sequencer, None
        if sequencer is None:
            return
        self._app = self._standby_app or _nobody
        sequencer.close()

    def _tell(self, code: str, text: str) -> None:
        if code != self._failure:
            log.warning("no duty for now: %s %s", code, text)
        self._failure = code


async def _nobody(_scope: _Scope, _receive: _Receive, send: _Send) -> None:
    """Between two openings of the chains there is only this to say."""
    error = StandingBy(address="this process, in a moment")
    body = error.diagnostics()["message"].encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
