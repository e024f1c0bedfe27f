"""The main chain and its side chains: the door for submissions, and the checkpoints between them.

A submission is checked at the door by the rules that the nodes apply later, so nothing gets in
that would make the nodes refuse the chain. Rules change between checkpoints only: before a
governance entry is added, all side chains are checkpointed under the rules before it. So every
side entry is judged, by everybody and for ever, under exactly the rules it was accepted under.

Guaranteed: an answer to `add` means durable and sequenced. This is the *sequencer's* code; a
dishonest sequencer would run another one, which is why nodes check everything again.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import rfc8785

from credentials.dids import key_url
from credentials.errors import CredentialError
from credentials.keys import PrivateKey
from credentials.proofs import verify_proof
from registry.catalogue import Catalogue
from registry.entries import (
    Entry,
    document_digest,
    encode_digest,
    encode_time,
    is_digest,
    make_entry,
)
from registry.errors import (
    ChainInvalid,
    EntryMalformed,
    NotPermitted,
    OriginUnknown,
    RegistryExists,
    StoreFailed,
    StoreFull,
    SubmissionMalformed,
)
from registry.following import SEAL_TOLERANCE, Progress, check_follows
from registry.genesis import GENESIS_FILE, Genesis
from registry.governance import Governance, lists_digest
from registry.log import Log
from registry.note import ED25519, NoteSigner, VerifierKey
from registry.submission import Submission, seal
from registry.trust.load import MAX_LIST_BYTES
from schemas.durable import replace_file

DOOR_TOLERANCE: Final = SEAL_TOLERANCE / 2
"""How far a seal may be from the sequencer's clock. Half of what nodes allow between two seals: so
no two submitters with wrong clocks, let in at once, can make the nodes refuse the chain."""

CHAINS: Final = "chains"
DOCUMENTS: Final = "status-lists"
_NO_SPACE: Final = 28


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


@dataclass(frozen=True)
class Added:
    """The answer to a submission: where its entries stand."""

    indices: tuple[int, ...]
    repeated: bool


class _Gate:
    """Many may add at once; a change of rules waits for them and keeps the next ones out."""

    def __init__(self) -> None:
        self._state = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        with self._state:
            self._state.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._state:
                self._inside -= 1
                self._state.notify_all()

    @contextmanager
    def closed(self) -> Iterator[None]:
        with self._state:
            self._state.wait_for(lambda: not self._closed)
            self._closed = True
            self._state.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._state:
                self._closed = False
                self._state.notify_all()


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
        self._now = now
        self._clock_lock = threading.Lock()
        self._latest = genesis.created
        self._gate = _Gate()
        self._main_lock = threading.RLock()
        self._status_locks: dict[str, threading.Lock] = {}
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

    def _open(self, origin: str) -> Log:
        folder = chain_folder(self.home, self.genesis, origin)
        self.logs[origin] = Log.open(folder, origin=origin, signer=self._keys.signer(origin))
        self._status_locks[origin] = threading.Lock()
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

    # The door

    def add(self, origin: str, body: bytes) -> Added:
        """Take in a submission. Returns when it is durable and sequenced.

        Raises OriginUnknown, SubmissionMalformed, EntryMalformed, NotPermitted, SealInvalid,
        EntriesDuplicate and the log's own errors; then nothing was added.
        """
        log = self.log(origin)
        submission = Submission.parse(origin, body)
        known = [log.view.index_of(entry.leaf_hash) for entry in submission.entries[:1]]
        if known[0] is not None:
            # Perhaps an answer that got lost: a repetition needs no permission and no fresh seal.
            indices = [log.view.index_of(entry.leaf_hash) for entry in submission.entries]
            found = tuple(index for index in indices if index is not None)
            if len(found) == len(indices):
                self._check_in_force(log, submission, found)
                return Added(found, repeated=True)
        if log is self.main:
            return self._add_rules(submission)
        with self._gate.passing():
            if all(entry.kind != "status" for entry in submission.entries):
                self._permit(submission, Progress(sealed=self.catalogue.sealed(origin)))
                return self._append(log, submission)
            with self._status_locks[origin]:
                log.integrate()
                self.catalogue.catch_up(log.view, log.view.size)
                lists = self.catalogue.lists(origin, log.view.size)
                self._permit(
                    submission, Progress(sealed=self.catalogue.sealed(origin), lists=lists)
                )
                return self._append(log, submission)

    def _check_in_force(self, log: Log, submission: Submission, found: tuple[int, ...]) -> None:
        """Do not say "it is there" of a rule that a later entry has replaced."""
        if log is not self.main:
            return
        for index, entry in zip(found, submission.entries, strict=True):
            if not self.governance.in_force(index, entry):
                raise NotPermitted(
                    submitter=submission.submitter,
                    origin=log.origin,
                    reason=f"entry {index} said this and was replaced since; state another start",
                )

    def _time(self) -> datetime:
        """The clock, which here never goes back: seals are judged by it, and it makes some."""
        with self._clock_lock:
            self._latest = max(self._latest, self._now())
            return self._latest

    def _permit(self, submission: Submission, chain: Progress) -> None:
        now = self._time()
        wrong = check_follows(chain, submission, now)
        if abs(submission.time - now) > DOOR_TOLERANCE:
            wrong = f"sealed at {encode_time(submission.time)}, too far from {encode_time(now)}"
        if wrong:
            raise NotPermitted(
                submitter=submission.submitter, origin=submission.origin, reason=wrong
            )
        self.governance.permit(submission)

    def _append(self, log: Log, submission: Submission) -> Added:
        answer = log.add([entry.raw for entry in submission.entries], submission.seal.raw)
        return Added(answer.indices, answer.repeated)

    def _add_rules(self, submission: Submission) -> Added:
        origin = self.genesis.origin

        def refuse(reason: str) -> NotPermitted:
            return NotPermitted(submitter=submission.submitter, origin=origin, reason=reason)

        with self._main_lock, self._gate.closed():
            self._permit(submission, Progress(sealed=self.catalogue.sealed(origin)))
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
            added = self._append(self.main, submission)
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
            now=self._time(),
        )
        added = self._append(self.main, submission)
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

    # Status list credentials

    def put_document(self, digest: str, data: bytes) -> None:
        """Keep the status list credential that an entry on a side chain names by `digest`.

        Raises SubmissionMalformed, EntryMalformed, and NotPermitted unless an entry names it or
        an accredited issuer signed it: strangers cannot fill the disk.
        """
        if len(data) > MAX_LIST_BYTES:
            raise SubmissionMalformed(reason=f"a status list of more than {MAX_LIST_BYTES} bytes")
        try:
            document = json.loads(data)
            canonical = rfc8785.dumps(document)
            fits = isinstance(document, dict) and document_digest(document) == digest
        except (ValueError, RecursionError, rfc8785.CanonicalizationError) as error:
            raise EntryMalformed(reason="the status list is not JSON") from error
        if canonical != data or not fits:
            raise EntryMalformed(reason="the status list is not canonical or has another digest")
        if not (self.catalogue.has_digest(digest) or self._is_of_issuer(document)):
            raise NotPermitted(
                submitter="?", origin=DOCUMENTS, reason="no accredited issuer has signed it"
            )
        path = self.home / DOCUMENTS / f"{digest}.json"
        try:
            path.parent.mkdir(exist_ok=True)
            replace_file(path, data, mode=0o644)
        except OSError as error:
            if error.errno == _NO_SPACE:
                raise StoreFull(store=DOCUMENTS) from error
            raise StoreFailed(store=DOCUMENTS, reason=os.strerror(error.errno or 0)) from error

    def _is_of_issuer(self, document: Mapping[str, Any]) -> bool:
        try:
            verified = verify_proof(document, resolver=self.governance.resolver, now=self._now())
        except CredentialError:
            return False
        signers = {proof.method.controller for proof in verified.proofs}
        return signers <= self.governance.issuers.keys()

    def document(self, digest: str) -> bytes | None:
        """The bytes of a status list credential by its digest, checked against it."""
        if not is_digest(digest):  # it becomes a file name
            return None
        try:
            data = (self.home / DOCUMENTS / f"{digest}.json").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreFailed(store=DOCUMENTS, reason=os.strerror(error.errno or 0)) from error
        try:
            return data if document_digest(json.loads(data)) == digest else None
        except (ValueError, RecursionError, rfc8785.CanonicalizationError):
            return None  # a damaged file is as good as none: its status is unknown
