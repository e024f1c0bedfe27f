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

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from registry.errors import (
    ChainInvalid,
    ConsistencyInvalid,
    InclusionInvalid,
    QuorumMissing,
    RegistryError,
    RegistryMisbehaved,
    RegistryUnreachable,
    TileCorrupt,
)
from registry.ledger.entries import Entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.members import decode_digest, decode_time, encode_time
from registry.ledger.records import SideChain
from registry.limits import MAX_TLOG_PROOF_BYTES
from registry.nodes.mirror import Mirror
from registry.reading.sources import HttpSource
from registry.sequencing.door import DOOR_TOLERANCE
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_inclusion,
)
from registry.tlog.policy import CosignedCheckpoint
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import WIDTH, Tile, TileReader, width_at
from registry.trust import TrustBundle
from registry.trust.container import MAX_BUNDLE_BYTES
from registry.trust.evidence import Fork, Statement, committed, parts, roots
from registry.watching.alarms import (
    ANCHOR,
    COMMITMENT,
    FORGED,
    FORK,
    INVALID,
    LAG,
    QUORUM,
    REFUSED,
    SHRANK,
    STALL,
    UNREACHABLE,
    USUAL,
    Alarm,
    Limits,
    Round,
)
from registry.watching.alarms import marked as _
from registry.watching.state import Seen, WatchState, since_seal

LARGEST_BATCH: Final = 1 << 17  # leaves of a batch whose subtree is rebuilt without a mirror

COPY: Final = "copy"  # the folder of the checked copy of all entries

# Paths at an address; none of them may go back.
PUBLISHED: Final = "checkpoint"
MONITORED: Final = "witness"
COMMITTED: Final = "commitment"


class _Address(HttpSource):
    """One address, and what it has shown in this round."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None) -> None:
        super().__init__(url, transport=transport)
        self.held: dict[tuple[str, Tile], Sequence[bytes]] = {}

    def commitment(self, origin: str) -> bytes | None:
        """A tlog-proof of the newest checkpoint of a side chain on the main chain."""
        return self._get(f"{origin}/cosigned", MAX_TLOG_PROOF_BYTES)

    def bundle(self) -> bytes | None:
        """The trust bundle."""
        return self._get("bundle", MAX_BUNDLE_BYTES)

    def reader(self, origin: str, size: int) -> TileReader:
        """The tree of `size` leaves as this address shows it: unproved until a root is met."""

        def hashes(tile: Tile) -> Sequence[bytes]:
            key = (origin, tile)
            if key not in self.held:
                self.held[key] = self.tile(origin, tile)
            return self.held[key]

        return TileReader(size, hashes)


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
        """Open the record in `state`; with `full`, a checked copy of all entries lies there too."""
        self.genesis: Final = genesis
        self.limits: Final = limits
        self._now = now
        self._nodes = {key: node.name for node in genesis.nodes for key in node.keys}
        self._state = WatchState(state, genesis)
        self._addresses = [_Address(url, transport) for url in urls]
        self._mirror: Mirror | None = None
        self._sides: dict[str, SideChain] = {}
        self._rules_of_sides: Mapping[str, Any] | None = None
        self._rules: Mapping[str, Any] | None = None  # the newest head that a commitment names
        try:
            if full:
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

    # One round

    def look(self) -> Round:
        """Ask every address once. The record is durable when this returns."""
        round_ = Round(self._now())
        for address in self._addresses:
            address.held.clear()
            try:
                self._look_at(address, round_)
            except RegistryUnreachable as error:
                self._alarm(
                    round_,
                    UNREACHABLE,
                    _("{address} does not answer: {reason}"),
                    address,
                    reason=str(error.params.get("reason", error)),
                )
        self._freshness(round_)
        self._anchors(round_)
        if self._mirror is not None:
            self._replay(round_)
        self._known_evidence(round_)
        self._state.save()
        return round_

    def _alarm(
        self,
        round_: Round,
        kind: str,
        said: str,
        address: _Address | None = None,
        origin: str = "",
        *,
        proven: bool = False,
        evidence: Path | None = None,
        **params: Any,
    ) -> None:
        url = address.url if address else ""
        known = {"address": url, "origin": origin, **params}
        round_.alarms.append(Alarm(kind, proven, said, known, url, origin, evidence))

    def _look_at(self, address: _Address, round_: Round) -> None:
        main = self.genesis.origin
        told = round_.addresses.setdefault(address.url, {})
        cosigned: CosignedCheckpoint | None = None
        note = address.checkpoint(main)
        if note is not None:
            try:
                cosigned = self.genesis.policy.check(
                    note, origin=main, now=int(round_.time.timestamp())
                )
            except QuorumMissing as error:
                self._alarm(
                    round_,
                    QUORUM,
                    _(
                        "{address} shows a main checkpoint that {found} nodes have cosigned; "
                        "{needed} are needed"
                    ),
                    address,
                    main,
                    found=error.params["found"],
                    needed=error.params["needed"],
                )
            except RegistryError as error:
                self._forged(round_, address, main, error)
        for path, data in ((PUBLISHED, note), (MONITORED, address.monitored(main))):
            if data is not None:
                self._main_note(round_, address, path, data)
        if cosigned is not None:
            told["size"], told["time"] = cosigned.size, _time(cosigned.time_s)
            statement = Statement(note=cosigned.data, address=address.url)
            self._state.vouch(cosigned.size, cosigned.time_s or 0, statement)
            self._side_chains(round_, address, cosigned)
        self._refusals(round_, address)

    def _main_note(self, round_: Round, address: _Address, path: str, data: bytes) -> None:
        try:
            signed = open_checkpoint(data, self.genesis.origin, self.genesis.log_keys, self._nodes)
        except RegistryError as error:
            self._forged(round_, address, self.genesis.origin, error)
            return
        for key, moment in signed.cosignatures.items():
            self._state.cosign(self._nodes[key], signed.size, moment)
        statement = Statement(note=data, address=address.url, seen=encode_time(round_.time))
        self._compare(round_, address, path, signed.checkpoint, statement)

    def _forged(self, round_: Round, address: _Address, origin: str, error: RegistryError) -> None:
        said = _("what {address} answers for {origin} does not verify: {code}")
        self._alarm(round_, FORGED, said, address, origin, proven=True, code=error.code)

    # Trees

    def _compare(
        self, round_: Round, address: _Address, path: str, found: Checkpoint, said: Statement
    ) -> None:
        """Compare with what was shown here before, and with the largest tree shown anywhere."""
        source = f"{address.url} {path}"
        own = self._state.of(source, found.origin)
        newest = self._state.newest(found.origin)
        agrees = True
        for before in {id(seen): seen for seen in (own, newest) if seen is not None}.values():
            agrees = self._agrees(round_, address, found, said, before) and agrees
        if own is not None and found.size < own.size:
            self._alarm(
                round_,
                SHRANK,
                _("{origin} shrank at {address}: from {before} entries to {size}"),
                address,
                found.origin,
                proven=True,
                before=own.size,
                size=found.size,
            )
        elif agrees:
            self._state.record(source, Seen(found.origin, found.size, found.root, said))
            told = round_.chains.setdefault(found.origin, {})
            told["size"] = max(found.size, told.get("size", 0))

    def _agrees(
        self,
        round_: Round,
        address: _Address,
        found: Checkpoint,
        said: Statement,
        before: Seen,
    ) -> bool:
        if found.size == before.size:
            if found.root == before.root:
                return True
            return self._fork(round_, address, found.origin, before.said, said)
        if min(found.size, before.size) == 0:
            return True
        if found.size > before.size:
            small, large = before, Seen(found.origin, found.size, found.root, said)
            sources = [address]
        else:
            small, large = Seen(found.origin, found.size, found.root, said), before
            # Whoever showed the larger tree must be able to show its tiles.
            sources = [a for a in self._addresses if a.url == before.said.address] or [address]
        for source in sources:
            try:
                left, right = parts(small.size, large.size, source.reader(found.origin, large.size))
                beginning, whole = roots(small.size, large.size, left, right)
            except (RegistryUnreachable, TileCorrupt) as error:
                self._alarm(
                    round_,
                    UNREACHABLE,
                    _("{address} does not show the tiles of {origin}: {reason}"),
                    source,
                    found.origin,
                    reason=error,
                )
                return False
            if whole != large.root:
                self._alarm(
                    round_,
                    FORGED,
                    _("the tiles of {origin} at {address} do not lead to its checkpoint"),
                    source,
                    found.origin,
                    proven=True,
                )
                return False
            if beginning != small.root:
                return self._fork(
                    round_, address, found.origin, small.said, large.said, left, right
                )
        return True

    def _fork(
        self,
        round_: Round,
        address: _Address,
        origin: str,
        older: Statement,
        newer: Statement,
        left: Sequence[bytes] = (),
        right: Sequence[bytes] = (),
    ) -> bool:
        key = b"" if origin == self.genesis.origin else self._state.key_proof(origin)
        fork = Fork(origin, older, newer, tuple(left), tuple(right), key)
        one, other = fork.verify(self.genesis)
        path = self._state.keep_fork(fork, one.size, other.size)
        self._alarm(
            round_,
            FORK,
            _(
                "{origin} has two trees: of {one} entries as {first} showed it, and of {other} as "
                "{second} did"
            ),
            address,
            origin,
            proven=True,
            evidence=path,
            one=one.size,
            other=other.size,
            first=older.address,
            second=newer.address,
        )
        return False

    # Side chains

    def _side_chains(self, round_: Round, address: _Address, cosigned: CosignedCheckpoint) -> None:
        self._learn_chains(round_, address, cosigned)
        for origin, side in self._sides.items():
            try:
                self._side_chain(round_, address, side)
            except (RegistryMisbehaved, ConsistencyInvalid, InclusionInvalid, TileCorrupt) as error:
                self._forged(round_, address, origin, error)

    def _learn_chains(self, round_: Round, address: _Address, cosigned: CosignedCheckpoint) -> None:
        """The side chains, with their keys, from a verified trust bundle."""
        if self._sides and self._rules in (None, self._rules_of_sides):
            return
        data = address.bundle()
        if data is None:
            return
        try:
            bundle = TrustBundle.load(data, self.genesis, now=round_.time)
        except RegistryError as error:
            self._forged(round_, address, self.genesis.origin, error)
            return
        self._sides, self._rules_of_sides = dict(bundle.chains), self._rules
        for origin, side in self._sides.items():
            if self._state.key_proof(origin):
                continue
            reader = address.reader(self.genesis.origin, cosigned.size)
            [raw] = address(self.genesis.origin, side.index, side.index + 1)
            path = tuple(inclusion_proof(side.index, cosigned.size, reader))
            proof = TlogProof(side.index, path, cosigned.data, raw)
            try:
                proof.verify(parse_entry(raw).leaf_hash, self.genesis.policy)
            except RegistryError as error:
                self._forged(round_, address, self.genesis.origin, error)
                continue
            self._state.keep_key_proof(origin, proof.encode())

    def _side_chain(self, round_: Round, address: _Address, side: SideChain) -> None:
        origin, moment = side.origin, encode_time(round_.time)
        data = address.commitment(origin)
        covered = 0
        if data is not None:
            try:
                promised = committed(self.genesis, origin, data)
            except RegistryError as error:
                self._forged(round_, address, origin, error)
                return
            entry = parse_entry(TlogProof.parse(data).extra or b"")
            covered = promised.size
            self._state.anchored(origin, covered)
            said = Statement(commitment=data, address=address.url, seen=moment)
            self._compare(round_, address, COMMITTED, promised, said)
            self._batch(round_, address, entry)
            self._rules = entry["rules"]  # when they change, chains may have been added
        note = address.checkpoint(origin)
        if note is None:
            return
        try:
            signed = open_checkpoint(note, origin, side.log_keys)
        except RegistryError as error:
            self._forged(round_, address, origin, error)
            return
        said = Statement(note=note, address=address.url, seen=moment)
        self._compare(round_, address, PUBLISHED, signed.checkpoint, said)
        if signed.size > covered:
            since = round_.time
            if not self._state.is_waiting(origin):
                sealed = self._sealed(address, origin, covered, signed.size)
                since = since_seal(sealed, since, DOOR_TOLERANCE)
            self._state.wait(origin, signed.size, since)
        told = round_.chains.setdefault(origin, {})
        told["size"] = max(told.get("size", 0), signed.size)
        told["anchored"] = max(told.get("anchored", 0), covered)

    def _batch(self, round_: Round, address: _Address, entry: Entry) -> None:
        """The subtree hash of the newest batch, from the leaf hashes of its side chain."""
        origin, start, end = entry["origin"], entry["start"], entry["end"]
        if self._state.batch(address.url, origin) == end or end - start > LARGEST_BATCH:
            return
        reader, root = address.reader(origin, entry["size"]), decode_digest(entry["root"], 32)
        leaves = Frontier()
        for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
            width = width_at(0, index, entry["size"])
            hashes = reader.hashes(Tile(0, index, width))
            first = index * WIDTH
            # All other hashes of the tile enter the path of its first leaf: one proof for all.
            path = inclusion_proof(first, entry["size"], reader)
            verify_inclusion(first, entry["size"], hashes[0], path, root)
            leaves.extend(hashes[max(start - first, 0) : min(end - first, WIDTH)])
        if leaves.root() != decode_digest(entry["subtree"], 32):
            self._alarm(
                round_,
                COMMITMENT,
                _(
                    "the main chain commits to another batch of {origin} than {address} shows "
                    "(entries {start} to {last})"
                ),
                address,
                origin,
                proven=True,
                start=start,
                last=end - 1,
            )
            return
        self._state.check_batch(address.url, origin, end)

    @staticmethod
    def _sealed(address: _Address, origin: str, start: int, end: int) -> datetime | None:
        """When the first submission from `start` on was sealed, by its seal's word."""
        for raw in address(origin, start, min(end, start + 4 * WIDTH)):
            entry = parse_entry(raw)
            if entry.kind == "seal":
                return decode_time(entry["time"])
        return None

    # Time

    def _freshness(self, round_: Round) -> None:
        size, moment = self._state.vouched
        now = int(round_.time.timestamp())
        main = self.genesis.origin
        if size:
            told = round_.chains.setdefault(main, {})
            told["size"], told["time"] = max(size, told.get("size", 0)), _time(moment)
        if moment and now - moment > self.limits.stall_s:
            self._alarm(
                round_,
                STALL,
                _("no quorum has vouched for {origin} since {time}, for {seconds} seconds"),
                origin=main,
                time=_time(moment),
                seconds=now - moment,
            )
        for node in self.genesis.nodes:
            seen = self._state.node(node.name)
            age = moment - (seen[1] if seen else 0)
            if moment and size and age > self.limits.lag_s:
                self._alarm(
                    round_,
                    LAG,
                    _("the node {node} was last seen to cosign at {time}"),
                    origin=main,
                    node=node.name,
                    time=_time(seen[1]) if seen else "-",
                )

    def _anchors(self, round_: Round) -> None:
        moment = self._state.vouched[1]
        for origin, side in self._sides.items():
            since = self._state.oldest_waiting(origin)
            if since is None:
                continue
            waited = int((round_.time - since).total_seconds())
            if waited <= side.max_anchor_delay_s:
                continue
            # If no quorum moved since, the main chain stalls, and that is the alarm that decides.
            moved = moment > since.timestamp() + side.max_anchor_delay_s
            self._alarm(
                round_,
                ANCHOR,
                _(
                    "entries of {origin} are not on the main chain after {seconds} seconds; "
                    "{limit} are allowed"
                ),
                origin=origin,
                proven=moved,
                seconds=waited,
                limit=side.max_anchor_delay_s,
            )

    def _refusals(self, round_: Round, address: _Address) -> None:
        """What a node says that it refused since the last look."""
        try:
            told = address.told()
        except RegistryUnreachable:
            return  # a plain file server, say: it has chains to show and no status
        refusals = told.get("refusals")
        if not isinstance(refusals, list):
            self._behind(round_, address, told)
            return
        fresh = [
            r
            for r in refusals
            if isinstance(r, dict) and self._state.is_new_refusal(address.url, str(r.get("time")))
        ]
        for refusal in fresh[:10]:
            self._alarm(
                round_,
                REFUSED,
                _("the node at {address} refused a checkpoint at {time}: {reason}"),
                address,
                self.genesis.origin,
                time=str(refusal.get("time"))[:40],
                reason=str(refusal.get("reason"))[:300],
            )
        self._state.refusals_seen(address.url, max((str(r.get("time")) for r in fresh), default=""))

    def _behind(self, round_: Round, address: _Address, told: Mapping[str, Any]) -> None:
        """What a sequencer says of its nodes."""
        nodes = told.get("nodes")
        for node in nodes if isinstance(nodes, list) else []:
            if isinstance(node, dict) and node.get("refused"):
                self._alarm(
                    round_,
                    REFUSED,
                    _("{address} says that the node {node} refuses: {reason}"),
                    address,
                    self.genesis.origin,
                    node=str(node.get("name"))[:80],
                    reason=str(node.get("error"))[:300],
                )

    # Everything, as a node does

    def _replay(self, round_: Round) -> None:
        mirror = self._mirror
        newest = self._state.cosigned
        if mirror is None or newest is None:
            return
        checkpoint = self.genesis.policy.check(newest.note, origin=self.genesis.origin)
        if checkpoint.size <= mirror.size:
            return
        for address in sorted(self._addresses, key=lambda a: a.url != newest.address):
            reader = address.reader(self.genesis.origin, checkpoint.size)

            def prove(size: int, reader: TileReader = reader) -> list[bytes]:
                return consistency_proof(size, checkpoint.size, reader)

            try:
                mirror.advance(checkpoint.size, checkpoint.root, read=address, prove=prove)
                mirror.commit()
            except ChainInvalid as error:
                self._judge(round_, address, checkpoint, error)
                return
            except (ConsistencyInvalid, TileCorrupt) as error:
                self._forged(round_, address, self.genesis.origin, error)
                return
            except RegistryUnreachable:
                continue
            round_.chains.setdefault(self.genesis.origin, {})["replayed"] = mirror.size
            return
        self._alarm(
            round_,
            UNREACHABLE,
            _("no address showed the entries of {origin}, so they were not checked"),
            origin=self.genesis.origin,
        )

    def _judge(
        self, round_: Round, address: _Address, checkpoint: CosignedCheckpoint, error: ChainInvalid
    ) -> None:
        """Is the chain invalid, or did the address show something that is not the chain?"""
        origin, index = str(error.params["origin"]), int(str(error.params["index"]))
        chain = self._proved(address, checkpoint, error)
        self._alarm(
            round_,
            INVALID if chain else FORGED,
            _("{origin} is not valid at entry {index}: {reason}")
            if chain
            else _("{address} showed entries of {origin} that are not on the chain (at {index})"),
            address,
            origin,
            proven=True,
            evidence=self._state.keep_invalid(checkpoint.data, error) if chain else None,
            index=index,
            reason=str(error.params["reason"]),
        )

    def _proved(
        self, address: _Address, checkpoint: CosignedCheckpoint, error: ChainInvalid
    ) -> bool:
        """Whether the leaves in question stand in the cosigned tree, or in what it commits to."""
        origin = str(error.params["origin"])
        tree = (checkpoint.size, checkpoint.root)
        if origin != self.genesis.origin:
            seen = self._state.newest(origin)
            if seen is None:
                return False
            tree = (seen.size, seen.root)
        size, root = tree
        try:
            leaves = Frontier()
            leaves.extend(leaf_hash(raw) for raw in address(origin, 0, size))
        except RegistryError:
            return False
        return leaves.root() == root

    def _known_evidence(self, round_: Round) -> None:
        """A fork stays one: evidence on file alarms until somebody takes it away."""
        shown = {alarm.evidence for alarm in round_.alarms}
        for path in self._state.evidence():
            if path not in shown:
                self._alarm(
                    round_,
                    FORK if path.name.startswith("fork") else INVALID,
                    _("evidence of misbehaviour is on file: {path}"),
                    proven=True,
                    evidence=path,
                    path=str(path),
                )


def _time(seconds: int | None) -> str:
    return encode_time(datetime.fromtimestamp(seconds or 0, UTC))
