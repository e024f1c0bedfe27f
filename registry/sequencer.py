"""The sequencer as a service: the loop that checkpoints and collects cosignatures, and what it
tells about itself.

Every interval it checkpoints the side chains that grew, signs the main chain and asks the nodes.
The cosigned checkpoint moves only when the quorum of the genesis has signed; until then
submissions go on being acknowledged, the old checkpoint stays, and `status` raises an alarm.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from registry.chain import Chains, SequencerKeys
from registry.checkpoint import SignedCheckpoint, open_checkpoint
from registry.cosigning import Cosigning, NodeLink
from registry.entries import encode_time, parse_entry
from registry.errors import EntryUnknown, OriginUnknown, RegistryError
from registry.genesis import Genesis
from registry.note import Note, VerifierKey
from registry.policy import CosignedCheckpoint
from registry.proofs import TlogProof
from registry.tiles import WIDTH
from registry.trust import TrustBundle
from registry.trust.build import SideParts, build_bundle

log = logging.getLogger(__name__)

INTERVAL_S: Final = 0.2
ROUND_S: Final = 2.0
PATIENCE_S: Final = 120.0
REFRESH_S: Final = 30.0  # cosign an unchanged tree again, so that a fresh bundle is a young one
RETRY_S: Final = 2.0  # ask nodes again that missed the newest checkpoint


class Sequencer:
    """Chains, cosignatures and bundles of one network. `start` runs the loop; tests tick."""

    def __init__(
        self,
        home: Path,
        genesis: Genesis,
        keys: SequencerKeys,
        *,
        links: Callable[[], Mapping[str, NodeLink]],
        now: Callable[[], datetime],
    ) -> None:
        self.genesis: Final = genesis
        self.chains: Final = Chains(home, genesis, keys, now=now)
        self._now = now
        self._log_key = VerifierKey.parse(genesis.log_key)
        self._cosigning = Cosigning(
            genesis,
            links=links,
            consistency=self.chains.main.view.consistency_proof,
            publish=self._publish,
            now=now,
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._round_at = self._refreshed_at = float("-inf")
        self._failure: str | None = None
        self._bundle_lock = threading.Lock()
        self._bundle: TrustBundle | None = None
        self._cosigned: CosignedCheckpoint | None = None  # of one note: verified once

    # The loop

    def start(self, interval: float = INTERVAL_S) -> None:
        """Run the loop in its own thread until `close`."""
        self._thread = threading.Thread(
            target=self._run, args=(interval,), name="sequencer", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop the loop and release everything; what was acknowledged is on disk."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._cosigning.close()
        self.chains.close()

    def _run(self, interval: float) -> None:
        while not self._stop.wait(interval):
            try:
                self.step()
            except RegistryError as error:
                # A full disk, for one: submissions are refused by name, and the loop tries again.
                if self._failure != error.code:
                    log.warning("the sequencer cannot go on for now: %s %s", error.code, error)
                self._failure = error.code
            except Exception:
                # A defect: it must not end the loop in silence. Nothing unsound was published.
                log.exception("the sequencer failed in a way that it did not foresee")
                self._failure = "ZL-UNEXPECTED"
            else:
                self._failure = None

    def step(self, *, patient: bool = False) -> bool:
        """One turn of the loop; True when the newest checkpoint has its quorum.

        `patient` asks all nodes in any case and waits for every one of them.
        """
        note = self.chains.tick()
        signed = open_checkpoint(note, self.genesis.origin, [self._log_key])
        cosigned = self.cosigned()
        current = cosigned is not None and cosigned.size == signed.size
        behind = any(node.size < signed.size for node in self._cosigning.nodes.values())
        moment = monotonic()
        again = patient or moment - self._refreshed_at >= REFRESH_S
        if current and not again and not (behind and moment - self._round_at >= RETRY_S):
            return True
        self._round_at = moment
        if again:
            self._refreshed_at = moment
        timeout = PATIENCE_S if patient else ROUND_S
        return self._cosigning.round(signed, timeout=timeout, again=again, patient=patient)

    def _publish(self, signed: SignedCheckpoint, note: Note) -> None:
        whole = note.encode()
        self.genesis.policy.check(whole, origin=signed.origin)
        self.chains.main.publish(whole)

    # What others read

    def cosigned(self) -> CosignedCheckpoint | None:
        """The newest main checkpoint that has its quorum."""
        note = self.chains.main.published()
        if note is None:
            return None
        held = self._cosigned
        if held is None or held.data != note:
            held = self._cosigned = self.genesis.policy.check(note, origin=self.genesis.origin)
        return held

    def checkpoint(self, origin: str) -> bytes:
        """The published checkpoint: cosigned for the main chain, log-signed for a side chain."""
        note = self.chains.log(origin).published()
        if note is None:
            raise EntryUnknown(origin=origin)
        return note

    def side_proof(self, origin: str, covering: int | None = None) -> bytes:
        """A tlog-proof of a side chain's checkpoint entry under the cosigned main checkpoint.

        Its `extra` is the entry. The newest one, or the first that covers entry `covering`.
        Raises OriginUnknown, and EntryUnknown while there is none.
        """
        if origin == self.genesis.origin or origin not in self.chains.logs:
            raise OriginUnknown(origin=origin)
        cosigned = self.cosigned()
        if cosigned is None:
            raise EntryUnknown(origin=origin)
        found = (
            self.chains.catalogue.checkpoint(cosigned.size, origin)
            if covering is None
            else self.chains.catalogue.covering(origin, covering, cosigned.size)
        )
        if found is None:
            raise EntryUnknown(origin=origin)
        index, entry = found
        path = self.chains.main.view.inclusion_proof(index, cosigned.size)
        return TlogProof(index, tuple(path), cosigned.data, entry.raw).encode()

    def trust_bundle(self) -> TrustBundle:
        """The bundle as of the newest cosigned checkpoint, verified before it is handed out."""
        with self._bundle_lock:
            note = self.chains.main.published()
            if note is None:
                raise EntryUnknown(origin=self.genesis.origin)
            if (
                self._bundle is None
                or self._bundle.main_checkpoint.data != note
                or self._lacks_documents(self._bundle)
            ):
                self._bundle = TrustBundle.load(self._build_bundle(note), self.genesis)
            return self._bundle

    def _lacks_documents(self, bundle: TrustBundle) -> bool:
        held = {snapshot.digest for snapshot in bundle.status_lists()}
        return any(
            entry["digest"] not in held and self.chains.documents.get(entry["digest"]) is not None
            for origin in bundle.chains
            for _, entry in self.chains.catalogue.lists(origin, bundle.size_of(origin)).values()
        )

    def _build_bundle(self, note: bytes) -> bytes:
        main, catalogue = self.chains.main.view, self.chains.catalogue
        size = self.genesis.policy.check(note, origin=self.genesis.origin).size
        entries = dict(catalogue.rules(size))
        sides: dict[str, SideParts] = {}
        newest = catalogue.checkpoint(size)
        start = 0
        if newest is not None:
            start, last = newest
            heads = {**last["heads"], last["origin"]: start}
            # The entry names the checkpoints before it, its own chain's among them.
            for index in {*last["heads"].values(), start}:
                entries[index] = parse_entry(main.entry(index))
            for origin, index in heads.items():
                sides[origin] = self._side_parts(origin, entries[index]["size"])
        for index, raw in enumerate(main.iterate(start, size), start):
            entries[index] = parse_entry(raw)
        return build_bundle(
            self.genesis,
            checkpoint=note,
            entries=entries,
            path=lambda index: main.inclusion_proof(index, size),
            sides=sides,
            document=self.chains.documents.get,
        )

    def _side_parts(self, origin: str, size: int) -> SideParts:
        view = self.chains.log(origin).view
        return SideParts(
            size,
            lambda count: view.level_hashes(1, 0, count),
            lambda tile, width: view.leaf_hashes(tile * WIDTH, tile * WIDTH + width),
            self.chains.catalogue.lists(origin, size),
        )

    def blocks(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Side-chain batches as the main chain records them, newest first."""
        return [
            {
                "index": index,
                "origin": entry["origin"],
                "start": entry["start"],
                "end": entry["end"],
                "entries": entry["end"] - entry["start"],
                "root": entry["root"],
                "subtree": entry["subtree"],
            }
            for index, entry in self.chains.catalogue.blocks(limit, before)
        ]

    def status(self) -> dict[str, Any]:
        """The state of the network as this sequencer sees it, with an alarm when it should act."""
        cosigned = self.cosigned()
        size = self.chains.main.view.size
        nodes = self._cosigning.report(size)
        signing = sum(node["error"] is None and node["lag"] == 0 for node in nodes)
        current = cosigned is not None and cosigned.size == size
        alarms = [f"node {node['name']}: {node['error']}" for node in nodes if node["error"]]
        # Also while nothing waits to be cosigned: the next entry would.
        if sum(node["error"] is None for node in nodes) < self.genesis.quorum or (
            not current and signing < self.genesis.quorum
        ):
            alarms.insert(0, f"no quorum: {signing} of {self.genesis.quorum} nodes cosign")
        if self._failure is not None:
            alarms.insert(0, self._failure)
        return {
            "network": self.genesis.network,
            "time": encode_time(self._now()),
            "quorum": self.genesis.quorum,
            "main": {
                "origin": self.genesis.origin,
                "size": size,
                "cosignedSize": cosigned.size if cosigned else 0,
                "cosignedAt": encode_time(cosigned.time) if cosigned and cosigned.time else None,
                "current": current,
            },
            "chains": [
                {
                    "origin": chain.origin,
                    "purpose": chain.purpose,
                    "scenario": chain.scenario,
                    "size": self.chains.logs[chain.origin].size,
                }
                for chain in self.chains.governance.chains.values()
            ],
            "nodes": nodes,
            "alarms": alarms,
        }
