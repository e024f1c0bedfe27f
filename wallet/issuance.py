"""From an application or an offer to a verified credential in the vault.

Guarantees: a key is stored before it is used, an access token before the credential is asked
for, so that neither a crash nor a full disk loses a one-time code: the same offer, accepted
again, goes on where it stopped. A credential is stored only after this wallet checked it as a
desk would: signature, issuer accredited for the type, schema and contexts of record, validity,
not revoked, issued to the key that was made for it, and every optional claim left to its owner's
choice. A credential whose status or anchor this wallet cannot know yet is stored and shown as
such; it is new, and the next refresh tells.

An applicant's data is sent and not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from credentials.exchange import CredentialOffer, parse_offer
from credentials.model import issuer_id
from credentials.proofs import verify_credential
from credentials.proofs.ecdsa_sd_2023 import BaseValue
from registry.trust import Accreditation
from schemas.errors import ExitCode, ZhenglianError
from schemas.scenario import Scenario, scenario_for_types
from schemas.violations import UnknownScenario
from wallet.errors import (
    ApplicationMalformed,
    CredentialUnexpected,
    IssuerNotAccredited,
    OfferExpired,
    OfferInvalid,
    OfferReused,
    TokenEnded,
    TxCodeNeeded,
    UnknownApplication,
)
from wallet.exchange import (
    SHORTEST_TOKEN_LIFE,
    ApplicationAnswer,
    IssuerClient,
    configuration_for,
    raise_if_refused,
)
from wallet.history import History
from wallet.holder import Holder, HolderKey, judge_status
from wallet.transport import SafeHttp
from wallet.trust import Trust
from wallet.vault import Vault
from wallet.views import CredentialState, HistoryKind
from wallet.words import mark as _

SUITE: Final = "ecdsa-sd-2023"
"""The one that lets the holder choose what to show."""
LONGEST_FIELD: Final = 256
MOST_FIELDS: Final = 32

Say = Callable[[str], None]


@dataclass(frozen=True)
class StoredApplication:
    id: str
    key_id: str
    issuer_did: str
    scenario: str
    sent: datetime
    remote_id: str | None
    state: str
    offer: str | None
    expires: datetime | None


@dataclass(frozen=True)
class Begun:
    """An offer that this wallet has begun to accept."""

    key_id: str
    token: str | None
    token_expires: datetime | None
    credential_id: str | None


class Issuance:
    """Applying and accepting, for one vault."""

    def __init__(
        self,
        vault: Vault,
        holder: Holder,
        history: History,
        trust: Trust,
        clock: Callable[[], datetime],
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._vault = vault
        self._holder = holder
        self._history = history
        self._trust = trust
        self._clock = clock
        self._transport = transport

    # -- applying -----------------------------------------------------------------------------

    def apply(self, issuer: str, fields: Mapping[str, Any], say: Say) -> StoredApplication:
        """Raises IssuerNotAccredited, ApplicationMalformed, ApplicationNotConfirmed …"""
        accreditation, url = self._trust.issuer_at(issuer, self._clock())
        scenario = _offered_scenario(accreditation)
        data = _application_fields(fields)
        with self._history.transaction(
            HistoryKind.APPLICATION,
            party_did=accreditation.did,
            party_name=accreditation.name,
            scenario=scenario.id,
            claims=[f"/credentialSubject/{name}" for name in data],
        ):
            with self._vault.transaction():
                key = self._holder.new_key()
                number = hashlib.sha256(key.id.encode()).hexdigest()[:12]
                self._vault.execute(
                    "INSERT INTO applications (id, key_id, issuer_did, scenario, sent, state)"
                    " VALUES (?, ?, ?, ?, ?, 'sending')",
                    (number, key.id, accreditation.did, scenario.id, self._clock().isoformat()),
                )
            say(_("Sending the application …"))
            try:
                with self._http(url) as http:
                    answer = IssuerClient(http, self._clock).apply(key, data)
            except ZhenglianError as error:
                if error.exit_code is not ExitCode.ENVIRONMENT:
                    self.forget(number)  # it was refused as it stood: nothing will come
                raise
            self._note(number, answer)
            if answer.state == "refused":
                self.forget(number)
            raise_if_refused(answer)
        return self.application(number)

    def poll(self, number: str, say: Say) -> StoredApplication:
        """Ask how an application stands, where the issuer can know more than this wallet.

        Raises ApplicationNotConfirmed …
        """
        stored = self.application(number)
        if stored.remote_id is None or stored.state == "issued" or self._has_offer(stored):
            return stored
        _accreditation, url = self._trust.issuer_at(stored.issuer_did, self._clock())
        say(_("Asking the issuer …"))
        with self._http(url) as http:
            answer = IssuerClient(http, self._clock).application(stored.remote_id)
        self._note(number, answer)
        raise_if_refused(answer)
        return self.application(number)

    def applications(self) -> tuple[StoredApplication, ...]:
        """Newest first."""
        rows = self._vault.execute(f"{_APPLICATIONS} ORDER BY sent DESC")
        return tuple(_application(row) for row in rows)

    def application(self, number: str) -> StoredApplication:
        row = self._vault.one(f"{_APPLICATIONS} WHERE id = ?", (number,))
        if row is None:
            raise UnknownApplication
        return _application(row)

    def _has_offer(self, stored: StoredApplication) -> bool:
        """An offer that can be accepted, or was begun and can go on.

        Of the latter the issuer says that it has lapsed: its code is spent.
        """
        if stored.offer is None:
            return False
        if self.resumable(parse_offer(stored.offer)):
            return True
        return stored.expires is None or self._clock() < stored.expires

    def forget(self, number: str) -> None:
        """Drop an application that leads nowhere, and its key if no credential has it."""
        stored = self.application(number)
        with self._vault.transaction():
            self._vault.execute("DELETE FROM applications WHERE id = ?", (number,))
            held = self._vault.one("SELECT 1 FROM credentials WHERE key_id = ?", (stored.key_id,))
            if held is None:
                self._vault.execute("DELETE FROM issuances WHERE key_id = ?", (stored.key_id,))
                self._vault.execute("DELETE FROM keys WHERE id = ?", (stored.key_id,))

    def _note(self, number: str, answer: ApplicationAnswer) -> None:
        offer = parse_offer(answer.offer) if answer.offer is not None else None
        self._vault.execute(
            "UPDATE applications SET remote_id = ?, state = ?, reason = ?, offer = ?,"
            " code_digest = ?, expires = ? WHERE id = ? AND state <> 'issued'",
            (
                answer.id,
                # The issuer may have issued what this wallet could not store: not received yet.
                "lapsed" if answer.state == "issued" else answer.state,
                answer.reason,
                answer.offer,
                code_digest(offer) if offer is not None else None,
                answer.expires.isoformat() if answer.expires else None,
                number,
            ),
        )

    # -- accepting ----------------------------------------------------------------------------

    def inspect(self, offer: CredentialOffer) -> tuple[Accreditation, Scenario, Begun | None]:
        """Who offers what. No network. Raises IssuerNotAccredited, OfferReused, OfferExpired."""
        accreditation, url = self._trust.issuer_at(offer.credential_issuer, self._clock())
        # Equal, not merely accredited: the offer names the address, the chain decides it.
        if offer.credential_issuer != url:
            raise IssuerNotAccredited
        scenario = self._scenario(offer, accreditation)
        begun = self._begun(offer)
        if begun is not None and begun.credential_id is not None:
            raise OfferReused
        if not self._resumable(begun):
            self._check_expiry(offer)
        return accreditation, scenario, begun

    def accept(self, offer: CredentialOffer, tx_code: str | None, say: Say) -> str:
        """Fetch, verify and store; returns the credential's identifier in this wallet."""
        accreditation, scenario, begun = self.inspect(offer)
        resumed = self._resumable(begun)
        if offer.tx_code is not None and not tx_code and not resumed:
            raise TxCodeNeeded
        with self._history.transaction(
            HistoryKind.ISSUANCE,
            party_did=accreditation.did,
            party_name=accreditation.name,
            scenario=scenario.id,
        ):
            key = self._begin(offer, accreditation)
            with self._http(offer.credential_issuer) as http:
                client = IssuerClient(http, self._clock)
                say(_("Reading what the issuer offers …"))
                metadata = client.metadata()
                configuration_id = offer.configuration_ids[0]
                configuration_for(metadata, configuration_id, scenario)
                if resumed and begun is not None and begun.token is not None:
                    token = begun.token
                else:
                    say(_("Exchanging the codes …"))
                    token = self._exchange(client, metadata, offer, tx_code)
                say(_("Fetching the credential …"))
                try:
                    document = client.credential(metadata, configuration_id, token, key)
                except TokenEnded:
                    self._set_token(offer, None, None)
                    raise
            say(_("Verifying the credential …"))
            status = self._verify(document, accreditation, scenario, key)
            return self._store(offer, document, scenario, key, status)

    def _exchange(
        self, client: IssuerClient, metadata: Any, offer: CredentialOffer, tx_code: str | None
    ) -> str:
        try:
            grant = client.exchange_code(metadata, offer.pre_authorized_code, tx_code)
        except OfferInvalid:
            self._check_expiry(offer)  # the more telling cause, where this wallet knows it
            raise
        # The code is spent from here on; what it bought is on disk before it is used.
        self._set_token(offer, grant.token, grant.expires)
        return grant.token

    def _verify(
        self,
        document: Mapping[str, Any],
        accreditation: Accreditation,
        scenario: Scenario,
        key: HolderKey,
    ) -> tuple[CredentialState, datetime | None]:
        """Every check of a desk that can be made before the anchor is on the chain."""
        now = self._clock()
        assurance = self._trust.assurance()
        subject = document.get("credentialSubject")
        types = document.get("type")
        if not isinstance(types, list) or scenario.credential_type not in types:
            raise CredentialUnexpected(reason="another type")
        if not isinstance(subject, Mapping) or subject.get("id") != key.id:
            raise CredentialUnexpected(reason="issued to another key")
        if not isinstance(document.get("issuer"), str) or issuer_id(document) != accreditation.did:
            raise CredentialUnexpected(reason="issued by another issuer")
        proof = document.get("proof")
        if not isinstance(proof, Mapping) or proof.get("cryptosuite") != SUITE:
            raise CredentialUnexpected(reason="not signed in the way that lets you choose")
        verify_credential(
            document,
            resolver=assurance.bundle.resolver,
            now=now,
            accept_base=True,
            canonicalizer=self._trust.canonicalizer,
        )
        # An issuer that makes a claim mandatory would have it shown to everybody, for ever.
        base = BaseValue.decode(proof.get("proofValue"))
        if set(base.mandatory_pointers) != set(scenario.mandatory_pointers):
            raise CredentialUnexpected(reason="it makes other claims mandatory than it may")
        assurance.check_issuer(document, now)
        assurance.check_schema(document)
        scenario.validate_issued({k: v for k, v in document.items() if k != "proof"})
        assurance.check_validity(document, now)
        state, as_of = judge_status(assurance, document, now)
        if state in (CredentialState.REVOKED, CredentialState.SUSPENDED):
            raise CredentialUnexpected(reason="it is revoked or suspended already")
        return state, as_of

    def _store(
        self,
        offer: CredentialOffer,
        document: Mapping[str, Any],
        scenario: Scenario,
        key: HolderKey,
        status: tuple[CredentialState, datetime | None],
    ) -> str:
        with self._vault.transaction():
            credential_id = self._holder.add(
                document,
                scenario,
                key.id,
                anchor_origin=self._trust.origin(scenario.side_chain),
                status=status,
            )
            self._vault.execute(
                "UPDATE issuances SET credential_id = ?, access_token = NULL,"
                " token_expires = NULL WHERE code_digest = ?",
                (credential_id, code_digest(offer)),
            )
            self._vault.execute(
                "UPDATE applications SET state = 'issued', offer = NULL WHERE key_id = ?",
                (key.id,),
            )
        return credential_id

    # -- what was begun -----------------------------------------------------------------------

    def _begin(self, offer: CredentialOffer, accreditation: Accreditation) -> HolderKey:
        """The key for this offer: that of the application it answers, or a fresh one."""
        with self._vault.transaction():
            begun = self._begun(offer)
            if begun is not None:
                return self._holder.key(begun.key_id)
            row = self._vault.one(
                "SELECT key_id FROM applications WHERE issuer_did = ? AND code_digest = ?",
                (accreditation.did, code_digest(offer)),
            )
            key = self._holder.key(row[0]) if row else self._holder.new_key()
            self._vault.execute(
                "INSERT INTO issuances (code_digest, issuer_did, key_id, begun)"
                " VALUES (?, ?, ?, ?)",
                (code_digest(offer), accreditation.did, key.id, self._clock().isoformat()),
            )
            return key

    def _begun(self, offer: CredentialOffer) -> Begun | None:
        row = self._vault.one(
            "SELECT key_id, access_token, token_expires, credential_id FROM issuances"
            " WHERE code_digest = ?",
            (code_digest(offer),),
        )
        if row is None:
            return None
        return Begun(row[0], row[1], datetime.fromisoformat(row[2]) if row[2] else None, row[3])

    def resumable(self, offer: CredentialOffer) -> bool:
        """Whether the codes were exchanged already and the token may still be good."""
        return self._resumable(self._begun(offer))

    def _resumable(self, begun: Begun | None) -> bool:
        return (
            begun is not None
            and begun.token is not None
            and begun.token_expires is not None
            and self._clock() + SHORTEST_TOKEN_LIFE < begun.token_expires
        )

    def _set_token(self, offer: CredentialOffer, token: str | None, until: datetime | None) -> None:
        self._vault.execute(
            "UPDATE issuances SET access_token = ?, token_expires = ? WHERE code_digest = ?",
            (token, until.isoformat() if until else None, code_digest(offer)),
        )

    def _check_expiry(self, offer: CredentialOffer) -> None:
        row = self._vault.one(
            "SELECT expires FROM applications WHERE code_digest = ?", (code_digest(offer),)
        )
        if row and row[0] and self._clock() >= datetime.fromisoformat(row[0]):
            raise OfferExpired

    def _scenario(self, offer: CredentialOffer, accreditation: Accreditation) -> Scenario:
        """The one credential offered. Its configuration id is its type in this profile."""
        if len(offer.configuration_ids) != 1:
            raise CredentialUnexpected(reason="not one credential")
        try:
            scenario = scenario_for_types([offer.configuration_ids[0]])
        except UnknownScenario as error:
            raise CredentialUnexpected(reason="a kind this wallet does not know") from error
        if scenario.credential_type not in accreditation.types:
            raise IssuerNotAccredited
        return scenario

    def _http(self, url: str) -> SafeHttp:
        return SafeHttp(url, transport=self._transport)


def code_digest(offer: CredentialOffer) -> bytes:
    """What the wallet keeps to know an offer again."""
    text = f"{offer.credential_issuer}\0{offer.pre_authorized_code}"
    return hashlib.sha256(text.encode()).digest()


def _offered_scenario(accreditation: Accreditation) -> Scenario:
    """What to apply for. An issuer accredited for several kinds is asked for the first known."""
    for kind in accreditation.types:
        try:
            return scenario_for_types([kind])
        except UnknownScenario:
            continue
    raise CredentialUnexpected(reason="a kind this wallet does not know")


def _application_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """Shape only: which fields there are, and what they may hold, is the issuer's to judge."""
    if not isinstance(fields, Mapping) or not 0 < len(fields) <= MOST_FIELDS:
        raise ApplicationMalformed(field="application", rule="an object with its fields")
    for name, value in fields.items():
        if not isinstance(name, str) or not name.isidentifier() or len(name) > LONGEST_FIELD:
            raise ApplicationMalformed(field="application", rule="no further fields")
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_FIELD:
            raise ApplicationMalformed(field=name, rule="a text")
    return {str(name): str(value) for name, value in fields.items()}


_APPLICATIONS: Final = (
    "SELECT id, key_id, issuer_did, scenario, sent, remote_id, state, offer, expires"
    " FROM applications"
)


def _application(row: tuple[Any, ...]) -> StoredApplication:
    return StoredApplication(
        id=row[0],
        key_id=row[1],
        issuer_did=row[2],
        scenario=row[3],
        sent=datetime.fromisoformat(row[4]),
        remote_id=row[5],
        state=row[6],
        offer=row[7],
        expires=datetime.fromisoformat(row[8]) if row[8] else None,
    )
