"""Monitors, evidence and archives."""

from __future__ import annotations

from registry.errors.base import RegistryError
from schemas.errors import ExitCode


class EvidenceInvalid(RegistryError):
    """A file of evidence that proves no contradiction."""

    code = "ZL-EVIDENCE"
    exit_code = ExitCode.REJECTED
    message = "The evidence proves nothing: {reason}."
    hint = "Check it against the genesis of the network that it speaks of."


class WatchForeign(RegistryError):
    """A monitor's folder that belongs to another network."""

    code = "ZL-MONITOR-FOREIGN"
    exit_code = ExitCode.USAGE
    message = "The folder {path} belongs to a monitor of another network."
    hint = "Name another folder with --state."


class WatchDamaged(RegistryError):
    """A monitor's state that cannot be read."""

    code = "ZL-MONITOR-STATE"
    message = "The state of the monitor in {path} cannot be read: {reason}."
    hint = "Restore it, or move it away and start anew; evidence files in it stay valid."


class ArchiveMalformed(RegistryError):
    """A file that is not an archive of chains, or not a whole one."""

    code = "ZL-ARCHIVE-MALFORMED"
    exit_code = ExitCode.MALFORMED
    message = "The archive is malformed at {part}: {reason}."
    hint = "Copy it again from where it came from."


class ArchiveForged(RegistryError):
    """An archive whose content does not lead to its cosigned checkpoint."""

    code = "ZL-ARCHIVE-FORGED"
    exit_code = ExitCode.REJECTED
    message = "The archive does not verify at {part}: {reason}."
    hint = "Do not use it. Get one from another node, and keep this one as evidence."


class ArchivePartial(RegistryError):
    """An archive of a part of the chains, where a whole one is needed."""

    code = "ZL-ARCHIVE-PARTIAL"
    exit_code = ExitCode.USAGE
    message = "The archive holds only a part of {origin}; here all of it is needed."
    hint = "Export again without --chain, --from and --to."


class RestoreRefused(RegistryError):
    """A sequencer that would start below what its nodes have cosigned, or without knowing it."""

    code = "ZL-RESTORE-REFUSED"
    exit_code = ExitCode.REJECTED
    message = "The sequencer is not restored: {reason}."
    hint = "Two trees must never exist: restore from a node that holds the newest checkpoint."
