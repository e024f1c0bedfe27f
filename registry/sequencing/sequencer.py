"""The sequencer as a service: the loop that checkpoints and collects cosignatures, and what it
tells about itself. What others read of its chains is in `registry.reading.reader`.

Every interval it checkpoints the side chains that grew, signs the main chain and asks the nodes.
The cosigned checkpoint moves only when the quorum of the genesis has signed; until then
submissions go on being acknowledged, the old checkpoint stays, and `status` raises an alarm.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any, Final

from registry.engine.log import Log
from registry.engine.view import LogView
from registry.errors import CheckpointRefused, RegistryError
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.reading.reader import ChainReader
from registry.sequencing.chain import Chains, SequencerKeys
from registry.sequencing.outside import Outside, OutsidePolicies
from registry.storage.places import Places
from registry.tlog.checkpoint import SignedCheckpoint, open_checkpoint
from registry.tlog.note import Note, VerifierKey
from registry.witnessing.cosigning import Cosigning, NodeLink
from schemas.errors import Phrase

log = logging.getLogger(__name__)

INTERVAL_S: Final = 0.2
ROUND_S: Final = 2.0
PATIENCE_S: Final = 120.0
REFRESH_S: Final = 30.0  # cosign an unchanged tree again, so that a fresh bundle is a young one
RETRY_S: Final = 2.0  # ask nodes again that missed the newest checkpoint


class _Views(Mapping[str, LogView]):
    """The views of logs; also of those that are added later."""

    def __init__(self, logs: Mapping[str, Log]) -> None:
        self._logs = logs

    def __getitem__(self, origin: str) -> LogView:
        return self._logs[origin].view

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._logs))  # a chain may be registered meanwhile

    def __len__(self) -> int:
        return len(self._logs)


class Sequencer:
    """Chains and cosignatures of one network. `start` runs the loop; tests tick."""

    def __init__(
        self,
        home: Path,
        genesis: Genesis,
        keys: SequencerKeys,
        *,
        links: Callable[[], Mapping[str, NodeLink]],
        now: Callable[[], datetime],
        places: Places | None = None,
        outside: OutsidePolicies | None = None,
    ) -> None:
        """`places` (which is left open) says where the chains are kept, by default in `home`.

        `outside`: who is asked for cosignatures and copies beside the nodes of the genesis.
        """
        self.genesis: Final = genesis
        self.chains: Final = Chains(home, genesis, keys, now=now, places=places)
        self._now = now
        self._log_key = VerifierKey.parse(genesis.log_key)
        self._cosigning = Cosigning(
            genesis,
            links=links,
            consistency=self.chains.main.view.consistency_proof,
            publish=self._publish,
            now=now,
        )
        self.reader: Final = ChainReader(
            genesis,
            views=_Views(self.chains.logs),
            catalogue=self.chains.catalogue,
            published=lambda origin: self.chains.log(origin).published(),
            document=self.chains.documents.get,
        )
        self._publishing = threading.Lock()
        self._outside = (
            Outside(
                outside,
                genesis,
                views=self.reader.views,
                published=lambda origin: self.chains.log(origin).published(),
                log_keys=self._log_keys,
                publish=self._publish,
                publish_side=self._publish_side,
                now=now,
            )
            if outside is not None
            else None
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._round_at = self._refreshed_at = float("-inf")
        self._failure: str | None = None

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
        if self._outside is not None:
            self._outside.close()
        self.chains.close()

    def _run(self, interval: float) -> None:
        while not self._stop.wait(interval):
            try:
                self.step(everything=False)
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

    def step(self, *, patient: bool = False, everything: bool = True) -> bool:
        """One turn of the loop; True when the newest checkpoint has its quorum.

        `patient` asks all nodes in any case and waits for every one of them. `everything`
        checkpoints side chains whose turn has not come, too.
        """
        note = self.chains.tick(everything=everything)
        signed = open_checkpoint(note, self.genesis.origin, [self._log_key])
        if self._outside is not None:
            self._outside.offer(signed)
        cosigned = self.reader.cosigned()
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
        with self._publishing:
            if self._outside is not None:
                attached = self._outside.attach(signed, note)
                if attached is None:
                    return  # it is published when the outside quorum is there, too
                note = attached
            whole = note.encode()
            self.genesis.policy.check(whole, origin=signed.origin)
            self.chains.main.publish(whole)

    def _publish_side(self, origin: str, note: Note) -> None:
        with suppress(CheckpointRefused):  # the chain has gone on meanwhile
            self.chains.log(origin).publish(note.encode())

    def _log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        if origin == self.genesis.origin:
            return self.genesis.log_keys
        return self.chains.governance.chains[origin].log_keys

    # What it says of itself

    def status(self) -> dict[str, Any]:
        """The state of the network as this sequencer sees it, with an alarm when it should act."""
        cosigned = self.reader.cosigned()
        size = self.chains.main.view.size
        nodes = self._cosigning.report(size)
        signing = sum(node["error"] is None and node["lag"] == 0 for node in nodes)
        current = cosigned is not None and cosigned.size == size
        alarms: list[str] = [
            Phrase("node {name}: {error}", name=node["name"], error=node["error"])
            for node in nodes
            if node["error"]
        ]
        # Also while nothing waits to be cosigned: the next entry would.
        if sum(node["error"] is None for node in nodes) < self.genesis.quorum or (
            not current and signing < self.genesis.quorum
        ):
            alarms.insert(
                0,
                Phrase(
                    "no quorum: {count} of {quorum} nodes cosign",
                    count=signing,
                    quorum=self.genesis.quorum,
                ),
            )
        for chain in list(self.chains.governance.chains.values()):
            waited = self.chains.waited(chain.origin)
            if waited > chain.max_anchor_delay_s:
                alarms.append(
                    Phrase(
                        "{origin}: entries wait for {seconds} s to be anchored",
                        origin=chain.origin,
                        seconds=round(waited),
                    )
                )
        if self._outside is not None:
            alarms += self._outside.alarms()
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
                    "size": opened.size if (opened := self.chains.logs.get(chain.origin)) else 0,
                    "epoch": chain.epoch,
                    "successor": chain.successor,
                    "batch": {"interval": chain.batch_interval_ms, "size": chain.batch_size},
                    "maxAnchorDelay": chain.max_anchor_delay_s,
                    "waited": round(self.chains.waited(chain.origin), 3),
                }
                for chain in list(self.chains.governance.chains.values())
            ],
            "nodes": nodes,
            "outside": self._outside.report(size) if self._outside is not None else [],
            "alarms": alarms,
        }
