"""Whether the trees of one chain that a monitor is shown are one tree that grows.

Each tree is compared with the largest that the same address showed at the same path, and with the
largest that anybody showed. The smaller one must be the beginning of the larger one, by tiles that
lead to the larger one's root.

Guaranteed: only a tree that agrees with those enters the record, and two that disagree are kept as
evidence that convinces others (`registry.trust.evidence`) before the alarm is raised. What is
compared here must have been verified before: signed by the log, or committed to by the quorum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from registry.errors import RegistryUnreachable, TileCorrupt
from registry.tlog.checkpoint import Checkpoint
from registry.trust.evidence import Fork, Statement, parts, roots
from registry.watching.address import Address
from registry.watching.alarms import FORGED, FORK, SHRANK, UNREACHABLE
from registry.watching.alarms import marked as _
from registry.watching.look import Look
from registry.watching.state import Seen

# Paths at an address where it shows a tree of a chain; none of them may go back.
PUBLISHED: Final = "checkpoint"
MONITORED: Final = "witness"
COMMITTED: Final = "commitment"


def compare(look: Look, address: Address, path: str, found: Checkpoint, said: Statement) -> None:
    """Compare a verified tree with what is known of its chain; record it when it agrees.

    `said` is the statement that showed it, for the evidence if another one contradicts it. Raises
    EvidenceInvalid when a fork cannot be proved to others, and StoreFailed.
    """
    shown = Seen(found.origin, found.size, found.root, said)
    source = f"{address.url} {path}"
    own = look.state.of(source, shown.origin)
    newest = look.state.newest(shown.origin)
    agrees = True
    for before in {id(seen): seen for seen in (own, newest) if seen is not None}.values():
        agrees = _agrees(look, address, shown, before) and agrees
    if own is not None and shown.size < own.size:
        look.alarm(
            SHRANK,
            _("{origin} shrank at {address}: from {before} entries to {size}"),
            address,
            shown.origin,
            proven=True,
            before=own.size,
            size=shown.size,
        )
    elif agrees:
        look.state.record(source, shown)
        look.count(shown.origin, size=shown.size)


def _agrees(look: Look, address: Address, shown: Seen, before: Seen) -> bool:
    if shown.size == before.size:
        if shown.root == before.root:
            return True
        _accuse(look, address, before, shown)
        return False
    if min(shown.size, before.size) == 0:
        return True
    if shown.size > before.size:
        return _continues(look, address, before, shown, address)
    # Whoever showed the larger tree must be able to show its tiles.
    holders = [a for a in look.addresses if a.url == before.said.address] or [address]
    return all(_continues(look, address, shown, before, holder) for holder in holders)


def _continues(look: Look, address: Address, small: Seen, large: Seen, holder: Address) -> bool:
    """Whether `large` continues `small`, by the tiles that `holder` shows of it."""
    origin = large.origin
    try:
        left, right = parts(small.size, large.size, holder.reader(origin, large.size))
        beginning, whole = roots(small.size, large.size, left, right)
    except (RegistryUnreachable, TileCorrupt) as error:
        look.alarm(
            UNREACHABLE,
            _("{address} does not show the tiles of {origin}: {reason}"),
            holder,
            origin,
            reason=error,
        )
        return False
    if whole != large.root:
        look.alarm(
            FORGED,
            _("the tiles of {origin} at {address} do not lead to its checkpoint"),
            holder,
            origin,
            proven=True,
        )
        return False
    if beginning != small.root:
        _accuse(look, address, small, large, left, right)
        return False
    return True


def _accuse(
    look: Look,
    address: Address,
    older: Seen,
    newer: Seen,
    left: Sequence[bytes] = (),
    right: Sequence[bytes] = (),
) -> None:
    """Keep the evidence that two trees of one chain were shown, and raise the alarm."""
    origin = older.origin
    key = b"" if origin == look.main else look.state.key_proof(origin)
    fork = Fork(origin, older.said, newer.said, tuple(left), tuple(right), key)
    path = None
    if key or origin == look.main:
        # Else nobody has shown yet that the main chain registers the key: it convinces us alone.
        one, other = fork.verify(look.genesis)
        path = look.state.keep_fork(fork, one.size, other.size)
    look.alarm(
        FORK,
        _(
            "{origin} has two trees: of {one} entries as {first} showed it, and of {other} as "
            "{second} did"
        ),
        address,
        origin,
        proven=True,
        evidence=path,
        one=older.size,
        other=newer.size,
        first=older.said.address,
        second=newer.said.address,
    )
