"""The main chain and its side chains: their open logs, and the checkpoints between them.

Rules change between checkpoints only: before a governance entry is added, all side chains are
checkpointed under the rules before it. What may be added at all is decided by
`registry.sequencing.door`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

from credentials.dids import key_url
from credentials.keys import PrivateKey
from registry.contracts.following import Progress
from registry.contracts.governance import Governance, lists_digest
from registry.engine.catalogue import Catalogue
from registry.engine.log import Log
from registry.errors import (
    ChainInvalid,
    KeyMissing,
    NotPermitted,
    OriginUnknown,
    RegistryError,
    RegistryExists,
    StoreBehind,
    StoreMissing,
)
from registry.ledger.entries import Entry, make_entry
from registry.ledger.genesis import GENESIS_FILE, Genesis
from registry.ledger.members import encode_digest
from registry.ledger.records import SideChain
from registry.ledger.submission import Submission, seal
from registry.reading.documents import Documents
from registry.sequencing.door import Added, Door, ForwardClock, append
from registry.storage.places import CHAINS, Places
from registry.tlog.note import ED25519, ML_DSA_44, NoteSigner, VerifierKey

ML_DSA_SUFFIX: Final = "#ml-dsa-44"
"""Behind the name of a log's Ed25519 key: that of its ML-DSA-44 key. No origin has a `#`."""


EARLY: Final = 0.9
"""A checkpoint that comes by so much of its interval is not put off to the tick after that."""


@dataclass(frozen=True)
class SequencerKeys:
    """The operator's key and the log keys of each chain, by origin (see `ML_DSA_SUFFIX`).

    `reload` gives the log keys anew when a chain is registered whose key was made since.
    """

    operator: PrivateKey
    logs: Mapping[str, PrivateKey]
    reload: Callable[[], Mapping[str, PrivateKey]] | None = None
    _later: dict[str, PrivateKey] = field(default_factory=dict, repr=False)

    def find(self, origin: str) -> PrivateKey | None:
        """The log key of `origin`, also one that was made since."""
        found = self.logs.get(origin) or self._later.get(origin)
        if found is None and self.reload is not None:
            self._later.update(self.reload())
            found = self._later.get(origin)
        return found

    def signer(self, origin: str) -> NoteSigner:
        """What signs checkpoints of `origin`. Raises KeyMissing."""
        key = self.find(origin)
        if key is None:
            raise KeyMissing(origin=origin)
        return log_signer(origin, key, self.find(origin + ML_DSA_SUFFIX))


def log_signer(origin: str, key: PrivateKey, ml_dsa: PrivateKey | None = None) -> NoteSigner:
    """A log's signer: its keys bear the name of the log (tlog-checkpoint)."""
    beside = () if ml_dsa is None else (NoteSigner.of(origin, ML_DSA_44, ml_dsa),)
    return NoteSigner(VerifierKey(origin, ED25519, key.public_key.raw), key.sign, beside)


def log_keys(signer: NoteSigner) -> dict[str, str]:
    """The members of an entry that name a log's keys."""
    members = {"logKey": signer.key.encode()}
    for further in signer.beside:
        members["mlDsaKey"] = further.key.encode()
    return members


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
    places: Places | None = None,
) -> None:
    """Make the stores of a new network: the genesis, and `entries` sealed by the operator.

    `entries` register the side chains and resources; `places` (which is left open) says where the
    chains are kept, by default in `home`. Raises RegistryExists, ChainInvalid.
    """
    places = places or Places(home, genesis.network)
    home.mkdir(parents=True, exist_ok=True)
    if (home / GENESIS_FILE).exists():
        raise RegistryExists(path=home)
    state = Governance.replay(genesis, enumerate([genesis.entry, *entries]))
    for origin in [genesis.origin, *state.chains]:
        Log.check_origin(origin)
        places.create(origin)
    with Log.over(places.open(genesis.origin), signer=keys.signer(genesis.origin)) as log:
        submission = seal(
            genesis.origin,
            [genesis.entry, *entries],
            submitter=genesis.operator,
            key_url=key_url(keys.operator.public_key),
            signer=keys.operator,
            now=now,
        )
        log.add([entry.raw for entry in submission.entries], submission.seal.raw)
    if places.of(genesis.origin).shared:
        # For readers of the bucket to compare with; what they pin they get by another way.
        places.tiles(genesis.origin).put_document(GENESIS_FILE, genesis.entry.raw)
    genesis.save(home / GENESIS_FILE)  # last: its presence says that the rest is there


class Chains:
    """The open logs of one network."""

    def __init__(
        self,
        home: Path,
        genesis: Genesis,
        keys: SequencerKeys,
        *,
        now: Callable[[], datetime],
        pace: Callable[[], float] = monotonic,
        places: Places | None = None,
    ) -> None:
        """`now` judges seals; `pace` (seconds that never go back) times the checkpoints; `places`
        (which is left open) says where the chains are kept, by default in `home`."""
        self.home = home
        self.places: Final = places or Places(home, genesis.network)
        self.genesis: Final = genesis
        self._keys = keys
        self._clock = ForwardClock(now, genesis.created)
        self._pace = pace
        self._grown: dict[str, float] = {}  # since when side chains wait for their checkpoint
        self._recorded_at: dict[str, float] = {}  # when they had their last one
        self._empty: set[str] = set()  # whose checkpoint of nothing is served
        self._main_lock = threading.RLock()
        self.logs: dict[str, Log] = {}
        self._applied = 0  # up to where the main chain's rules are in `governance`
        self._unopened: RegistryError | None = None  # why a registered chain cannot be used yet
        self.catalogue = Catalogue(home)
        try:
            self.main = self._open(genesis.origin)
            self.catalogue.catch_up(self.main.view, self.main.size)
            self._applied = self.main.size
            self.governance = Governance.replay(genesis, self.catalogue.rules(self._applied))
            for origin in self.governance.chains:
                side = self._open_side(origin).view
                self.catalogue.catch_up(side, side.size)
        except BaseException:
            self._release()
            raise
        self.documents = Documents(
            self.places.tiles(genesis.origin),
            catalogue=self.catalogue,
            governance=self.governance,
            now=now,
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
        signer = self._keys.signer(origin)
        log = self.logs[origin] = Log.over(self.places.open(origin), signer=signer)
        known = self.catalogue.scanned(origin)
        if known > log.size:  # new entries at known places would never be looked at
            raise StoreBehind(store=origin, size=log.size, known=known)
        return log

    def _open_side(self, origin: str) -> Log:
        """Open a side chain, and make its store first where there never was one.

        A sequencer that ended right after it had registered the chain left it so. A chain that
        the main chain has checkpointed is never made anew: its store was lost, and that is told.
        """
        try:
            return self._open(origin)
        except StoreMissing:
            if self.catalogue.checkpoint(self.main.size, origin) is not None:
                raise
        Log.check_origin(origin)
        self.places.create(origin)
        return self._open(origin)

    @property
    def stopped(self) -> bool:
        """Whether a chain takes nothing more: its lease is gone, or a failure stopped it."""
        return any(log.stopped for log in list(self.logs.values()))

    def close(self) -> None:
        """Finish what is queued and release the stores."""
        self.door.close()
        self._release()

    def _release(self) -> None:
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
            for entry in submission.entries:
                if entry.kind in ("checkpoint", "genesis"):
                    raise refuse("only the sequencer itself records these")
                if entry.kind == "chain" and not self._can_sign(entry):
                    raise refuse("the sequencer has no key for this chain")
            before = self.main.size
            self._checkpoint_sides()
            if self.governance.contracts.next_change(before) is not None:
                # By then other contracts may be in force.
                self.door.permit(submission, Progress(sealed=self.catalogue.sealed(origin)))
            try:
                self.governance.check(self.main.size, submission.entries)
            except ChainInvalid as error:
                raise refuse(str(error.params["reason"])) from error
            for entry in submission.entries:
                if entry.kind == "chain" and entry["origin"] not in self.logs:
                    self._open_side(entry["origin"])  # else it would be registered without a store
            added = append(self.main, submission)
            self._catch_up_main()
            return added

    def _can_sign(self, entry: Entry) -> bool:
        try:
            keys = log_keys(self._keys.signer(entry["origin"]))
        except KeyMissing:
            return False
        named = {member: entry.body[member] for member in keys if member in entry.body}
        return keys["logKey"] == entry["logKey"] and named.items() <= keys.items()

    def _catch_up_main(self) -> None:
        self.main.integrate()
        size = self.main.view.size
        self.catalogue.catch_up(self.main.view, size)
        # From where they were applied to, whatever failed in between: a rule that is missed would
        # make this sequencer record what every node refuses, for ever.
        for index, entry in self.catalogue.rules(size, self._applied):
            self.governance.apply(index, entry)
            self._applied = index + 1
        self._applied = max(self._applied, size)
        self._unopened = None
        for origin in self.governance.chains:
            if origin not in self.logs:
                try:
                    self._open_side(origin)
                except RegistryError as error:
                    # No room, or its store is away: the others go on, and it is tried again.
                    self._unopened = error

    # Checkpoints

    def tick(self, *, everything: bool = True) -> bytes:
        """Checkpoint side chains that grew, record that on the main chain, and sign it.

        Without `everything` only those whose interval has passed, or whose batch is full.
        Returns the main chain's checkpoint, signed by the log only.
        """
        with self._main_lock:
            if self._nears_change():
                # Other contracts will be in force behind these checkpoints: nothing that was
                # accepted under those of before may be left for later ones.
                with self.door.gate.closed():
                    self._checkpoint_sides()
            else:
                self._checkpoint_sides(None if everything else self._due)
            self.main.integrate()
            return self.main.sign()

    def _nears_change(self) -> bool:
        size = self.main.size
        change = self.governance.contracts.next_change(size)
        return change is not None and size + len(self.governance.chains) + 1 >= change

    def _due(self, chain: SideChain, waiting: int) -> bool:
        passed = self._pace() - self._recorded_at.get(chain.origin, float("-inf"))
        return waiting >= chain.batch_size or passed * 1000 >= EARLY * chain.batch_interval_ms

    def waited(self, origin: str) -> float:
        """For how many seconds a side chain has had entries that are not on the main chain yet."""
        since = self._grown.get(origin)
        return 0.0 if since is None else self._pace() - since

    def _checkpoint_sides(self, due: Callable[[SideChain, int], bool] | None = None) -> None:
        """Record those that grew, or those of them that are `due` (given how many entries wait).

        Needs the main lock: nothing else may be added to the main chain meanwhile.
        """
        self._catch_up_main()
        base = self.main.size
        heads: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for origin in self.governance.chains:
            found = self.catalogue.checkpoint(base, origin)
            if found is not None:
                heads[origin], sizes[origin] = found[0], found[1]["size"]
        entries: list[Entry] = []
        failure = self._unopened
        for origin, chain in self.governance.chains.items():
            if origin not in self.logs:
                continue
            log = self.logs[origin]
            waiting = log.size - sizes.get(origin, 0)
            if not waiting:
                self._grown.pop(origin, None)
                if not log.size and origin not in self._empty:
                    log.tick()  # tlog-tiles, "Checkpoints": an empty log has one, too
                    self._empty.add(origin)
                continue
            self._grown.setdefault(origin, self._pace())
            if due is not None and not due(chain, waiting):
                continue
            try:
                log.tick()
                entry = self._checkpoint_entry(log, sizes.get(origin, 0), heads)
            except RegistryError as error:
                if due is None:
                    raise  # all of them must be there
                failure = error  # one chain's store must not hold up the others
                continue
            entries.append(entry)
            heads[origin] = base + len(entries) - 1
        if entries:
            self._record(base, entries)
        if failure is not None:
            raise failure

    def _record(self, base: int, entries: list[Entry]) -> None:
        submission = seal(
            self.genesis.origin,
            entries,
            submitter=self.genesis.operator,
            key_url=key_url(self._keys.operator.public_key),
            signer=self._keys.operator,
            now=self._clock(),
        )
        added = append(self.main, submission)
        for entry in entries:
            self._grown.pop(entry["origin"], None)
            self._recorded_at[entry["origin"]] = self._pace()
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
