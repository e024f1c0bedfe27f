"""A monitor: follows the chains of a network from outside, and alarms on what should not be.

It asks one or more addresses (sequencer, nodes), each by itself, and keeps what it verified last
in a folder of its own. Every new checkpoint must extend the tree that the same address showed
before and agree with what every other address shows; what the main chain commits to of a side
chain must be what that side chain's tiles lead to. With a mirror (`full`) it replays every entry
by the rules, as a node does.

Guaranteed: two trees of one log that the monitor was shown are reported and kept as evidence that
convinces others (`registry.trust.evidence`). Its record is durable before it says "fine". What
it was never shown it cannot know: ask addresses of several owners, from several places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx

from registry.errors import RegistryUnreachable
from registry.ledger.genesis import Genesis
from registry.nodes.mirror import Mirror
from registry.storage.sqlitefile import named_errors
from registry.watching.address import Address
from registry.watching.alarms import FORK, INVALID, UNREACHABLE, USUAL, Limits, Round
from registry.watching.alarms import marked as _
from registry.watching.lateness import check_anchors, check_freshness
from registry.watching.look import Look
from registry.watching.main_chain import check_main
from registry.watching.refusals import hear_refusals
from registry.watching.replay import replay
from registry.watching.side_chains import SideChains
from registry.watching.state import WatchState

COPY: Final = "copy"  # the folder of the checked copy of all entries


class Monitor:
    """Watches one network. Not thread-safe; close it after use."""

    def __init__(
        self,
        genesis: Genesis,
        urls: Iterable[str],
        state: Path,
        *,
        now: Callable[[], datetime],
        limits: Limits = USUAL,
        full: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Open the record in `state`; with `full`, a checked copy of all entries lies there too.

        Raises StoreLocked, WatchForeign, WatchDamaged and StoreFailed; with `full` also what
        `Mirror` raises.
        """
        self.genesis: Final = genesis
        self.limits: Final = limits
        self._now = now
        self._state = WatchState(state, genesis)
        self._addresses = [Address(url, transport) for url in urls]
        self._sides = SideChains()
        self._mirror: Mirror | None = None
        try:
            if full:
                with named_errors(COPY, state):
                    (state / COPY).mkdir(exist_ok=True)
                self._mirror = Mirror(state / COPY, genesis, now=now)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the record and the connections."""
        for address in self._addresses:
            address.close()
        if self._mirror is not None:
            self._mirror.close()
        self._state.close()

    def look(self) -> Round:
        """Ask every address once. The record is durable when this returns.

        Raises StoreFailed and StoreFull, when the record cannot be kept.
        """
        look = Look(self.genesis, self._addresses, self._state, Round(self._now()))
        for address in self._addresses:
            self._ask(look, address)
        check_freshness(look, self.limits)
        check_anchors(look, self._sides.known)
        if self._mirror is not None:
            replay(look, self._mirror)
        _recall_evidence(look)
        self._state.save()
        return look.round

    def _ask(self, look: Look, address: Address) -> None:
        address.forget()
        try:
            cosigned = check_main(look, address)
            if cosigned is not None:
                self._sides.check(look, address, cosigned)
            hear_refusals(look, address)
        except RegistryUnreachable as error:
            look.alarm(
                UNREACHABLE,
                _("{address} does not answer: {reason}"),
                address,
                reason=str(error.params.get("reason", error)),
            )


def _recall_evidence(look: Look) -> None:
    """A fork stays one: evidence on file alarms until somebody takes it away."""
    shown = {alarm.evidence for alarm in look.round.alarms}
    for path in look.state.evidence():
        if path not in shown:
            look.alarm(
                FORK if path.name.startswith("fork") else INVALID,
                _("evidence of misbehaviour is on file: {path}"),
                proven=True,
                evidence=path,
                path=str(path),
            )
