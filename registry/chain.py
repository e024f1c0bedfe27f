"""The main chain and its side chains: their open logs, and the checkpoints between them.

Rules change between checkpoints only: before a governance entry is added, all side chains are
checkpointed under the rules before it. What may be added at all is decided by `registry.door`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from credentials.dids import key_url
from credentials.keys import PrivateKey
from registry.catalogue import Catalogue
from registry.documents import Documents
from registry.door import Added, Door, ForwardClock, append
from registry.entries import Entry, encode_digest, make_entry
from registry.errors import ChainInvalid, NotPermitted, OriginUnknown, RegistryExists
from registry.following import Progress
from registry.genesis import GENESIS_FILE, Genesis
from registry.governance import Governance, lists_digest
from registry.log import Log
from registry.note import ED25519, NoteSigner, VerifierKey
from registry.submission import Submission, seal

CHAINS: Final = "chains"


@dataclass(frozen=True)
class SequencerKeys:
    """The operator's key and one log key for each chain, by origin."""

    operator: PrivateKey
    logs: Mapping[str, PrivateKey]

    def signer(self, origin: str) -> NoteSigner:
        """What signs checkpoints of `origin`."""
        return log_signer(origin, self.logs[origin])


def log_signer(origin: str, key: PrivateKey) -> NoteSigner:
    """A log's signer: its key bears the name of the log (tlog-checkpoint)."""
    return NoteSigner(VerifierKey(origin, ED25519, key.public_key.raw), key.sign)


def chain_folder(home: Path, genesis: Genesis, origin: str) -> Path:
    """Where the log of `origin` lies."""
    return home / CHAINS / origin.removeprefix(genesis.network + "/")


def create_chains(
    home: Path,
    genesis: Genesis,
    keys: SequencerKeys,
    entries: list[Entry],
    *,
    now: datetime,
) -> None:
    """Make the stores of a new network: the genesis, and `entries` sealed by the operator.

    `entries` register the side chains and resources. Raises RegistryExists, ChainInvalid.
    """
    home.mkdir(parents=True, exist_ok=True)
    if (home / GENESIS_FILE).exists():
        raise RegistryExists(path=home)
    state = Governance.replay(genesis, enumerate([genesis.entry, *entries]))
    for origin in [genesis.origin, *state.chains]:
        Log.create(chain_folder(home, genesis, origin), origin)
    with Log.open(
        chain_folder(home, genesis, genesis.origin), signer=keys.signer(genesis.origin)
    ) as log:
        submission = seal(
            genesis.origin,
            [genesis.entry, *entries],
            submitter=genesis.operator,
            key_url=key_url(keys.operator.public_key),
            signer=keys.operator,
            now=now,
        )
        log.add([entry.raw for entry in submission.entries], submission.seal.raw)
    genesis.save(home / GENESIS_FILE)  # last: its presence says that the rest is there


class Chains:
    """The open logs of one network."""

    def __init__(
        self, home: Path, genesis: Genesis, keys: SequencerKeys, *, now: Callable[[], datetime]
    ) -> None:
        self.home = home
        self.genesis: Final = genesis
        self._keys = keys
        self._clock = ForwardClock(now, genesis.created)
        self._main_lock = threading.RLock()
        self.logs: dict[str, Log] = {}
        self.catalogue = Catalogue(home)
        try:
            self.main = self._open(genesis.origin)
            self.catalogue.catch_up(self.main.view, self.main.size)
            self.governance = Governance.replay(genesis, self.catalogue.rules(self.main.size))
            for origin in self.governance.chains:
                side = self._open(origin).view
                self.catalogue.catch_up(side, side.size)
        except BaseException:
            self.close()
            raise
        self.documents = Documents(
            home, catalogue=self.catalogue, governance=self.governance, now=now
        )
        self.door = Door(
            genesis,
            logs=self.logs,
            catalogue=self.catalogue,
            governance=self.governance,
            clock=self._clock,
            rules=self._add_rules,
        )

    def _open(self, origin: str) -> Log:
        folder = chain_folder(self.home, self.genesis, origin)
        self.logs[origin] = Log.open(folder, origin=origin, signer=self._keys.signer(origin))
        return self.logs[origin]

    def close(self) -> None:
        """Finish what is queued and release the stores."""
        for log in self.logs.values():
            log.close()
        self.catalogue.close()

    def log(self, origin: str) -> Log:
        """The log of a chain; raises OriginUnknown."""
        if origin not in self.logs:
            raise OriginUnknown(origin=origin)
        return self.logs[origin]

    def add(self, origin: str, body: bytes) -> Added:
        """Take in a submission: `Door.add`."""
        return self.door.add(origin, body)

    # The rules

    def _add_rules(self, submission: Submission) -> Added:
        """Record governance entries; all side chains are checkpointed under the old rules first."""
        origin = self.genesis.origin

        def refuse(reason: str) -> NotPermitted:
            return NotPermitted(submitter=submission.submitter, origin=origin, reason=reason)

        with self._main_lock, self.door.gate.closed():
            self.door.permit(submission, Progress(sealed=self.catalogue.sealed(origin)))
            trial = Governance.replay(self.genesis, self.catalogue.rules(self.main.size))
            for offset, entry in enumerate(submission.entries):
                if entry.kind in ("checkpoint", "genesis"):
                    raise refuse("only the sequencer itself records these")
                if entry.kind == "chain" and entry["origin"] not in self._keys.logs:
                    raise refuse("the sequencer has no key for this chain")
                try:
                    trial.apply(self.main.size + offset, entry)
                except ChainInvalid as error:
                    raise refuse(str(error.params["reason"])) from error
            self._checkpoint_sides()
            added = append(self.main, submission)
            self._catch_up_main()
            return added

    def _catch_up_main(self) -> None:
        self.main.integrate()
        for index, entry in self.catalogue.catch_up(self.main.view, self.main.view.size):
            self.governance.apply(index, entry)
            if entry.kind == "chain" and entry["origin"] not in self.logs:
                folder = chain_folder(self.home, self.genesis, entry["origin"])
                Log.create(folder, entry["origin"])
                self._open(entry["origin"])

    # Checkpoints

    def tick(self) -> bytes:
        """Checkpoint the side chains that grew, record that on the main chain, and sign it.

        Returns the main chain's checkpoint, signed by the log only.
        """
        with self._main_lock:
            self._checkpoint_sides()
            self.main.integrate()
            return self.main.sign()

    def _checkpoint_sides(self) -> None:
        """Needs the main lock: nothing else may be added to the main chain meanwhile."""
        self._catch_up_main()
        base = self.main.size
        heads: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for origin in self.governance.chains:
            found = self.catalogue.checkpoint(base, origin)
            if found is not None:
                heads[origin], sizes[origin] = found[0], found[1]["size"]
        entries: list[Entry] = []
        for origin in self.governance.chains:
            log = self.logs[origin]
            if log.size == sizes.get(origin, 0):
                continue
            log.tick()
            entries.append(self._checkpoint_entry(log, sizes.get(origin, 0), heads))
            heads[origin] = base + len(entries) - 1
        if not entries:
            return
        submission = seal(
            self.genesis.origin,
            entries,
            submitter=self.genesis.operator,
            key_url=key_url(self._keys.operator.public_key),
            signer=self._keys.operator,
            now=self._clock(),
        )
        added = append(self.main, submission)
        if added.indices != tuple(range(base, base + len(entries))):
            raise ChainInvalid(
                origin=self.genesis.origin, index=base, reason="somebody else writes to it"
            )
        self._catch_up_main()

    def _checkpoint_entry(self, log: Log, start: int, heads: Mapping[str, int]) -> Entry:
        checkpoint = log.view.checkpoint
        self.catalogue.catch_up(log.view, checkpoint.size)
        return make_entry(
            "checkpoint",
            origin=log.origin,
            size=checkpoint.size,
            root=encode_digest(checkpoint.root),
            start=start,
            end=checkpoint.size,
            subtree=encode_digest(log.view.subtree_root(start, checkpoint.size)),
            rules=self.governance.head,
            heads=dict(heads),
            lists=lists_digest(self.catalogue.lists(log.origin, checkpoint.size)),
        )
