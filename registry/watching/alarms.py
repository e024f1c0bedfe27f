"""What a monitor finds: alarms, and one look at all addresses.

Alarms have a grade. *Proven* ones show that somebody did what must not be done; the others say
that something is late, away or unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from registry.ledger.members import encode_time
from schemas.errors import ExitCode

DEFAULT_STALL_S: Final = 300
"""A sequencer asks for fresh cosignatures every half minute; five minutes are ten of these."""
DEFAULT_LAG_S: Final = 300

# Kinds of alarm. The first group proves misbehaviour.
FORK: Final = "fork"
SHRANK: Final = "shrank"
COMMITMENT: Final = "commitment"
FORGED: Final = "forged"
INVALID: Final = "invalid-entry"
ANCHOR: Final = "missing-anchor"
STALL: Final = "stall"
LAG: Final = "lag"
QUORUM: Final = "quorum"
REFUSED: Final = "refused"
UNREACHABLE: Final = "unreachable"


def marked(text: str) -> str:
    """Marks a text for the catalogue of translations; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Alarm:
    """What is wrong, where, and whether it proves misbehaviour. `said` is a message id."""

    kind: str
    proven: bool
    said: str
    params: Mapping[str, Any]
    address: str = ""
    origin: str = ""
    evidence: Path | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The same for an alarm that goes on."""
        return self.kind, self.address, self.origin, self.said

    def to_json(self) -> dict[str, Any]:
        """For machines; the text is English."""
        return {
            "alarm": self.kind,
            "proven": self.proven,
            "address": self.address or None,
            "origin": self.origin or None,
            "text": self.said.format(**self.params),
            "evidence": str(self.evidence) if self.evidence else None,
        }


@dataclass
class Round:
    """What one look at all addresses found."""

    time: datetime
    alarms: list[Alarm] = field(default_factory=list)
    chains: dict[str, dict[str, Any]] = field(default_factory=dict)
    addresses: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """REJECTED where misbehaviour is proven, UNDETERMINED where anything else is wrong."""
        if any(alarm.proven for alarm in self.alarms):
            return ExitCode.REJECTED
        return ExitCode.UNDETERMINED if self.alarms else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """One line for machines."""
        return {
            "time": encode_time(self.time),
            "exit": int(self.exit_code),
            "chains": self.chains,
            "addresses": self.addresses,
            "alarms": [alarm.to_json() for alarm in self.alarms],
        }


@dataclass(frozen=True)
class Limits:
    """How late is too late, in seconds."""

    stall_s: int = DEFAULT_STALL_S
    lag_s: int = DEFAULT_LAG_S


USUAL: Final = Limits()
"""What is too late unless somebody says otherwise."""
