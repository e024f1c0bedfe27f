"""One look of a monitor at all its addresses: what every check needs, and where its alarms go.

Every check takes the look that it is part of. It compares with what the look's record remembers,
writes there what it has verified itself, and says what it found in the look's round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from registry.errors import RegistryError, RegistryUnreachable, StoreFailed, StoreFull
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.watching.address import Address
from registry.watching.alarms import FORGED, Alarm, Round
from registry.watching.alarms import marked as _
from registry.watching.state import WatchState


@dataclass(frozen=True)
class Look:
    """The network that is watched, who is asked, what is known of it, and what is found now."""

    genesis: Genesis
    addresses: Sequence[Address]
    state: WatchState
    round: Round

    @property
    def main(self) -> str:
        """The origin of the main chain."""
        return self.genesis.origin

    @property
    def time(self) -> datetime:
        """When the look began: the clock of all its checks."""
        return self.round.time

    @property
    def time_s(self) -> int:
        """The same in POSIX seconds."""
        return int(self.time.timestamp())

    def alarm(
        self,
        kind: str,
        said: str,
        address: Address | None = None,
        origin: str = "",
        *,
        proven: bool = False,
        evidence: Path | None = None,
        **params: Any,
    ) -> None:
        """Raise an alarm; `said` is a message id, with gaps for address, origin and `params`."""
        url = address.url if address else ""
        known = {"address": url, "origin": origin, **params}
        self.round.alarms.append(Alarm(kind, proven, said, known, url, origin, evidence))

    def forged(self, address: Address, origin: str, error: RegistryError) -> None:
        """Raise the alarm that an answer does not verify, for the cause that `error` is."""
        said = _("what {address} answers for {origin} does not verify: {code}")
        self.alarm(FORGED, said, address, origin, proven=True, code=error.code)

    @contextmanager
    def believing_nothing(self, address: Address, origin: str) -> Iterator[None]:
        """Around a check of what `address` shows: whatever does not verify becomes an alarm.

        Lets through RegistryUnreachable, which proves nothing, and StoreFailed and StoreFull, which
        are trouble of our own.
        """
        try:
            yield
        except (RegistryUnreachable, StoreFailed, StoreFull):
            raise
        except RegistryError as error:
            self.forged(address, origin, error)

    def count(self, origin: str, **counts: int) -> None:
        """Tell what a chain counts, by name; of two counts of one name the larger is told."""
        told = self.round.chains.setdefault(origin, {})
        for name, count in counts.items():
            told[name] = max(count, told.get(name, 0))


def posix_time(seconds: int | None) -> str:
    """POSIX seconds as the round tells times; the epoch where no time is known."""
    return encode_time(datetime.fromtimestamp(seconds or 0, UTC))
