"""`Desk`: a department's counter. Asks, verifies offline, records every look, reports to the chain.

Guarantees: `verify` opens no socket and reads only this desk's own files; no claim is returned
before its access record is on disk; a request is answered once; the trust bundle never moves
backwards, and never to another history. It relies on the pinned genesis, the machine's clock and
the secrecy of the desk's key. It cannot stop a clerk from writing down what was shown; that is what
the access record is for.
"""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.exchange import (
    AccessRecord,
    PresentationRequest,
    commitment_of,
    sign_receipt,
)
from credentials.exchange.request import qr_request_text
from credentials.keys import PrivateKey
from credentials.multibase import base64url_encode
from credentials.qr import read_one
from credentials.query import DcqlQuery
from registry.client import RegistryClient
from registry.errors import ContractForbids, EntriesDuplicate, HistoryRewritten, RegistryError
from registry.ledger.entries import access_entry
from registry.ledger.members import Purpose, decode_digest, encode_digest
from registry.trust import Entitlement, Genesis, TrustBundle
from registry.trust.assurance import Assurance, Policy
from registry.trust.continuity import CONTRADICTION, check_continues
from schemas.durable import replace_file
from schemas.errors import ExitCode, Phrase
from schemas.scenario import scenario_for_types
from verifier.checks import Knowledge
from verifier.errors import (
    AccessChainMissing,
    BundleMissing,
    BundleRollback,
    BundleUnusable,
    EntitlementUnknown,
    FileUnusable,
    RequestExcess,
)
from verifier.journal import AccessRow, Journal, OpenRequest, VerdictRow
from verifier.pipeline import Answer, Finding, Judgement, VerifiedClaims, judge
from verifier.settings import KEY_FILE, Settings

REQUEST_TTL: Final = timedelta(minutes=5)
PROMISE: Final = timedelta(hours=24)
"""A receipt promises the record's commitment on the access chain within this time (DESIGN §3.8)."""

NONCE_BYTES: Final = 16
SUBMIT_BATCH: Final = 256
_MAIN: Final = "main"
MAX_PICTURE: Final = 16 * 1024 * 1024
"""Bytes of a picture file; the reader of pictures has limits of its own."""


def now_utc() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class MadeRequest:
    """A request to show: `token` is the signed JWT, `uri` a link with it, `qr_text` the code's."""

    nonce: str
    token: str
    uri: str
    qr_text: str
    credential_type: str
    claims: tuple[str, ...]
    expires: datetime


@dataclass(frozen=True)
class Verdict:
    """The desk's answer. `claims` and `receipt` exist only when it is *accepted*."""

    answer: Answer
    decided_by: Finding | None
    findings: tuple[Finding, ...]
    claims: VerifiedClaims | None
    receipt: str | None
    at: datetime
    bundle_time: datetime

    @property
    def exit_code(self) -> ExitCode:
        """The answer's; what is no presentation at all is malformed input rather than rejected."""
        decided = self.decided_by
        if decided is not None and decided.check == "form" and decided.error is not None:
            return decided.error.exit_code
        return self.answer.exit_code


@dataclass(frozen=True)
class SyncReport:
    """What a synchronisation brought: the bundle's size and time, and records now on the chain."""

    main_size: int
    bundle_time: datetime
    records_submitted: int
    records_waiting: int


class Desk:
    """An open desk. Close it, or use it in a `with` statement."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        key: PrivateKey | None,
        *,
        clock: Callable[[], datetime] = now_utc,
        policy: Policy | None = None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._home = home
        self.settings = settings
        self._key = key
        self._clock = clock
        self._random = random
        self._policy = policy or settings.policy
        self.genesis = Genesis.load(home / "genesis.json")
        self._journal = Journal(home / "journal.sqlite")
        self._canonicalizer = default_canonicalizer()
        self._assurance: Assurance | None = None

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Knowledge

    @property
    def canonicalizer(self) -> Canonicalizer:
        return self._canonicalizer

    @property
    def assurance(self) -> Assurance:
        """The checks against the bundle held. Raises `BundleMissing`, or why it is corrupt."""
        if self._assurance is None:
            path = self._home / "trust.zltrust"
            try:
                data = path.read_bytes()
            except FileNotFoundError as error:
                raise BundleMissing from error
            try:
                bundle = TrustBundle.load(data, self.genesis)
            except RegistryError as error:
                raise BundleUnusable(code=error.code, reason=error) from error
            self._assurance = Assurance(bundle, self._canonicalizer, self._policy)
        return self._assurance

    def entitlements(self) -> Sequence[Entitlement]:
        """What the chain entitles this desk to ask for, now."""
        now = self._clock()
        return [e for e in self.assurance.bundle.entitlements(self.settings.did) if e.covers(now)]

    def import_bundle(self, data: bytes) -> TrustBundle:
        """Take a bundle that arrived by any way; it proves itself against the pinned genesis.

        Raises the bundle's own errors, `BundleRollback` when it is older than the one held, and
        HistoryRewritten when it contradicts that one; then it is kept beside it as evidence.
        """
        bundle = TrustBundle.load(data, self.genesis, now=self._clock())
        with self._keeping_evidence(data):
            if (earlier := self._held) is not None:
                check_continues(earlier, bundle)
        size = bundle.main_checkpoint.size
        # Kept apart from the bundle, so that a damaged bundle can be replaced and an older one
        # still cannot take its place.
        held = self._journal.floor(_MAIN) or 0
        if size < held:
            raise BundleRollback(offered=size, held=held)
        self._journal.raise_floor(_MAIN, size)
        write_whole(self._home / "trust.zltrust", data)
        self._assurance = Assurance(bundle, self._canonicalizer, self._policy)
        return bundle

    def sync(self, client: RegistryClient | None = None) -> SyncReport:
        """Network. Hand the waiting access records to the chain, then fetch a trust bundle."""
        owned = client is None
        client = client or RegistryClient(self.settings.registry, self.genesis)
        try:
            held = self._held
            submitted = self._submit(client) if held is not None else 0
            with self._keeping_evidence():
                data = client.trust_bundle(held)
            bundle = self.import_bundle(data)
            submitted += self._submit(client)
        finally:
            if owned:
                client.close()
        return SyncReport(
            bundle.main_checkpoint.size,
            bundle.time,
            submitted,
            len(self._journal.waiting(SUBMIT_BATCH)),
        )

    @property
    def _held(self) -> TrustBundle | None:
        """The usable bundle that is held; without one, a synchronisation brings one."""
        try:
            return self.assurance.bundle
        except (BundleMissing, BundleUnusable):
            return None

    @contextmanager
    def _keeping_evidence(self, data: bytes = b"") -> Iterator[None]:
        """Two cosigned bundles that contradict each other are worth more than either."""
        try:
            yield
        except HistoryRewritten as error:
            write_whole(self._home / CONTRADICTION, error.evidence or data)
            raise

    def _submit(self, client: RegistryClient) -> int:
        if not self._journal.waiting(1):
            return 0
        origin = self._access_origin
        done = 0
        while rows := self._journal.waiting(SUBMIT_BATCH):
            try:
                indices = self._hand_over(client, origin, rows)
            except EntriesDuplicate:
                # Some of them were handed over before a crash kept that from being noted. One by
                # one each is answered with its index, old or new.
                indices = [i for row in rows for i in self._hand_over(client, origin, [row])]
            self._journal.anchored(
                [(row.commitment, index) for row, index in zip(rows, indices, strict=True)],
                self._clock(),
            )
            done += len(rows)
        return done

    def _hand_over(
        self, client: RegistryClient, origin: str, rows: Sequence[AccessRow]
    ) -> Sequence[int]:
        """The chain's indices of these records. Handing over the same ones again is safe."""
        entries = [access_entry(self.settings.did, decode_digest(row.commitment)) for row in rows]
        return client.submit(origin, entries, self._signer, self.settings.key_url).indices

    @property
    def _access_origin(self) -> str:
        """The chain that takes access records. Raises `AccessChainMissing`."""
        for origin, chain in self.assurance.bundle.chains.items():
            if chain.purpose is Purpose.ACCESS and not chain.closed:
                return origin
        raise AccessChainMissing

    # Asking

    @property
    def _signer(self) -> PrivateKey:
        if self._key is None:
            raise FileUnusable(path=self._home / KEY_FILE, reason="it was not unlocked")
        return self._key

    def request(
        self,
        entitlement_id: str,
        claims: Sequence[str] | None = None,
        *,
        ttl: timedelta = REQUEST_TTL,
    ) -> MadeRequest:
        """A signed request for `claims` (JSON pointers; default: all the entitlement allows).

        Raises `EntitlementUnknown`, `RequestExcess`, `ContractForbids`.
        """
        now = self._clock()
        entitlement = next((e for e in self.entitlements() if e.id == entitlement_id), None)
        if entitlement is None:
            raise EntitlementUnknown(entitlement=entitlement_id)
        wanted = tuple(dict.fromkeys(claims or entitlement.claims))
        beyond = [c for c in wanted if c not in entitlement.claims]
        if beyond:
            raise RequestExcess(entitlement=entitlement_id, names=", ".join(beyond))
        if not self.assurance.bundle.allows_claims(entitlement, wanted, now):
            raise ContractForbids(
                action="requestClaims",
                party=self.settings.did,
                reason=Phrase("by {entitlement}", entitlement=entitlement_id),
            )
        scenario = scenario_for_types(["VerifiableCredential", entitlement.credential_type])
        nonce = base64url_encode(self._random(NONCE_BYTES))
        request = PresentationRequest(
            client_id=self.settings.did,
            verifier_name=self.settings.name,
            purpose=entitlement.purpose,
            entitlement=entitlement.id,
            dcql=DcqlQuery.for_claims(scenario, wanted),
            nonce=nonce,
            issued_at=now,
            expires=now + ttl,
        )
        token = request.sign(self._signer, self.settings.key_url)
        self._journal.open_request(
            OpenRequest(
                nonce,
                token,
                entitlement.id,
                entitlement.credential_type,
                wanted,
                now,
                now + ttl,
                None,
            )
        )
        return MadeRequest(
            nonce,
            token,
            request.uri(token),
            qr_request_text(token),
            entitlement.credential_type,
            wanted,
            now + ttl,
        )

    # Looking

    def verify(self, source: str | Mapping[str, Any]) -> Verdict:
        """Offline. The verdict on a scanned text or a JSON presentation, recorded."""
        assurance = self.assurance
        known = Knowledge(
            did=self.settings.did,
            assurance=assurance,
            canonicalizer=self._canonicalizer,
            request_for=self._journal.request,
            now=self._clock(),
        )
        judgement = judge(source, known)
        receipt = None
        row = VerdictRow(
            judgement.at,
            judgement.answer,
            judgement.decided_by.check if judgement.decided_by else "",
            judgement.decided_by.error.code
            if judgement.decided_by and judgement.decided_by.error
            else "",
            judgement.nonce,
            judgement.digest,
        )
        if judgement.answer is Answer.ACCEPTED:
            receipt = self._record(judgement, row, assurance)
        else:
            self._journal.record_verdict(row)
        return Verdict(
            judgement.answer,
            judgement.decided_by,
            judgement.findings,
            judgement.claims,
            receipt,
            judgement.at,
            assurance.bundle.time,
        )

    def _record(self, judgement: Judgement, row: VerdictRow, assurance: Assurance) -> str:
        """Sign and store the access record; the receipt for the citizen."""
        assert judgement.nonce is not None  # noqa: S101 - accepted means the nonce check passed
        assert judgement.digest is not None  # noqa: S101 - and so did the form check
        request = self._journal.request(judgement.nonce)
        assert request is not None  # noqa: S101 - it was found a moment ago
        entitlement = assurance.bundle.entitlement(request.entitlement)
        assert entitlement is not None  # noqa: S101 - the entitlement check passed
        record = AccessRecord(
            verifier=self.settings.did,
            claims=request.claims,
            purpose=entitlement.purpose,
            entitlement=entitlement.id,
            legal_basis=entitlement.legal_basis,
            time=judgement.at,
            presentation=judgement.digest,
        )
        salt = self._random(32)
        promised = judgement.at + PROMISE
        receipt = sign_receipt(
            record,
            salt=salt,
            chain=self._access_origin,
            promise_by=promised,
            signer=self._signer,
            kid=self.settings.key_url,
        )
        self._journal.record_access(
            row,
            commitment=encode_digest(commitment_of(record, salt)),
            record=record.to_json(),
            receipt=receipt,
            promised_by=promised,
        )
        return receipt

    def scan(self, picture: Path) -> Verdict:
        """Offline. Read the one code in a picture file and verify it."""
        return self.verify(read_one(read_file(picture, MAX_PICTURE)))

    # The journal

    def looks(self, limit: int = 100) -> list[VerdictRow]:
        return self._journal.verdicts(limit)

    def records(self, limit: int = 100) -> list[AccessRow]:
        return self._journal.records(limit)


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a file that somebody named. Raises `FileUnusable`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror or "unreadable") from error
    if len(data) > limit:
        raise FileUnusable(path=path, reason="it is too large")
    return data


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file, whole or not at all. Raises `FileUnusable`."""
    try:
        replace_file(path, data)
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror or "unwritable") from error


def check_writable(path: Path, room: int) -> None:
    """Raises `FileUnusable` if `room` bytes cannot be written there; leaves nothing behind."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as stream:
            stream.write(bytes(room))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror or "unwritable") from error
