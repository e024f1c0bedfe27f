"""Issuance: an access token and a proof of the holder's key become one signed credential.

OpenID4VCI 1.0 §8, Appendix F.1. In one transaction: the nonce is spent, two status bits are taken,
the credential is composed, checked against its schema, signed and stored (sealed), and its anchor
is put into the outbox. So there is no credential without an anchor to come, and no bit without a
credential.

Delivery is safe to repeat: the same token with a fresh proof of the same key gets the same
credential again while the token lives. It never makes a second one.

A credential is delivered before its anchor is on the chain: a registry that is down for an hour
must not stop the counter. Desks say "undetermined" of such a credential until the anchor is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from credentials.anchor import anchor_of
from credentials.dids import AUTHENTICATION, KeyResolver
from credentials.errors import CredentialError
from credentials.jose import parse_compact
from credentials.keys import PublicKey
from credentials.proofs import add_proof
from issuer.credential import compose
from issuer.enrolment import expired, find, spend_once, view
from issuer.errors import (
    CredentialConfigurationUnknown,
    CredentialRequestMalformed,
    IssuanceDenied,
    KeyProofInvalid,
    NonceInvalid,
    TokenInvalid,
)
from issuer.nonces import check_nonce
from issuer.office import Office
from issuer.schema import applications, credentials, outbox, tokens
from issuer.statuslists import allocate
from issuer.times import stamp
from registry.ledger.entries import anchor_entry
from schemas.scenario import Scenario

PROOF_TYPE: Final = "openid4vci-proof+jwt"
MAX_PROOF: Final = 8192
"""Characters of a key proof; an honest one has some 500."""
# How far the clock of a holder's device may be off; the nonce bounds the age anyway.
CLOCK_SKEW: Final = timedelta(minutes=5)


class Issuance:
    def __init__(self, office: Office, scenario: Scenario) -> None:
        self._office = office
        self._scenario = scenario
        self._keys = KeyResolver()

    def issue(self, token: str | None, request: object) -> dict[str, Any]:
        """The signed credential for a credential request (OpenID4VCI §8.2).

        Raises `TokenInvalid`, `CredentialRequestMalformed`, `CredentialConfigurationUnknown`,
        `KeyProofInvalid`, `NonceInvalid`, `IssuanceDenied`.
        """
        office = self._office
        now = office.clock()
        digest = sha256((token or "").encode()).digest()
        with office.store.read() as connection:
            self._granted(connection, digest, now)
        holder, nonce = self._key_proof(self._one_proof(request), now)
        spend, until = check_nonce(office, nonce)
        with office.store.write() as connection:
            grant = self._granted(connection, digest, now)
            if not spend_once(connection, spend, until):
                raise NonceInvalid
            if grant.credential is not None:
                return self._again(connection, grant.credential, holder)
            credential_id, signed = self._make(connection, grant.application, holder, now)
            connection.execute(
                update(tokens).where(tokens.c.digest == digest).values(credential=credential_id)
            )
        return signed

    @staticmethod
    def _granted(connection: Connection, digest: bytes, now: datetime) -> Any:
        row = connection.execute(select(tokens).where(tokens.c.digest == digest)).first()
        if row is None or expired(row.expires, now):
            raise TokenInvalid
        return row

    def _one_proof(self, request: object) -> str:
        if not isinstance(request, Mapping):
            raise CredentialRequestMalformed(reason="it is not a JSON object")
        if "credential_identifier" in request:
            # §8.2: only after authorization details, which this issuer does not use.
            raise CredentialRequestMalformed(reason="credential_identifier is not used here")
        wanted = request.get("credential_configuration_id")
        if not isinstance(wanted, str):
            raise CredentialRequestMalformed(reason="credential_configuration_id is missing")
        if wanted != self._scenario.credential_type:
            raise CredentialConfigurationUnknown
        if "credential_response_encryption" in request:
            raise CredentialRequestMalformed(reason="encrypted responses are not offered")
        proofs = request.get("proofs")
        if not isinstance(proofs, Mapping) or set(proofs) != {"jwt"}:
            raise KeyProofInvalid(reason="proofs must hold jwt and nothing else")
        listed = proofs["jwt"]
        if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], str):
            raise KeyProofInvalid(reason="one proof, as a text, is needed")
        if len(listed[0]) > MAX_PROOF:
            raise KeyProofInvalid(reason="it is too long")
        return str(listed[0])

    def _key_proof(self, token: str, now: datetime) -> tuple[PublicKey, str]:
        """The holder's key and the nonce, from a proof that verifies (§8.2.1.1, Appendix F.4)."""
        try:
            unverified = parse_compact(token, typ=PROOF_TYPE)
            header = unverified.header
            if ("jwk" in header) == ("kid" in header) or "x5c" in header:
                raise KeyProofInvalid(reason="its header needs either jwk or kid")
            if "jwk" in header:
                key = unverified.header_jwk()
            else:
                key = self._keys.resolve(unverified.kid or "", AUTHENTICATION).public_key
            if key.type != "P-256":
                raise KeyProofInvalid(reason="the key is not P-256")
            payload = unverified.verify(key).payload
        except CredentialError as error:
            raise KeyProofInvalid(reason=error.code) from error
        if payload.get("aud") != self._office.settings.public_url:
            raise KeyProofInvalid(reason="it is addressed to another issuer")
        if "iss" in payload:
            # Appendix F.1: must be left out after anonymous access to the token endpoint.
            raise KeyProofInvalid(reason="it names a client though there is none")
        issued, nonce = payload.get("iat"), payload.get("nonce")
        if type(issued) is not int or abs(now.timestamp() - issued) > CLOCK_SKEW.total_seconds():
            raise KeyProofInvalid(reason="its time is missing or too far off")
        if not isinstance(nonce, str):
            raise KeyProofInvalid(reason="it has no nonce")
        return key, nonce

    def _again(
        self, connection: Connection, credential_id: str, holder: PublicKey
    ) -> dict[str, Any]:
        row = connection.execute(select(credentials).where(credentials.c.id == credential_id)).one()
        if row.holder_tag != self._holder_tag(holder):
            raise IssuanceDenied(reason="the credential was issued to another key")
        opened = self._office.sealer.open("credentials", credential_id, row.sealed)
        return dict(json.loads(opened))

    def _make(
        self, connection: Connection, application: str, holder: PublicKey, now: datetime
    ) -> tuple[str, dict[str, Any]]:
        office, scenario = self._office, self._scenario
        row = find(connection, application)
        known = view(row)
        if known.state != "offered" or known.evidence is None:
            raise IssuanceDenied(reason="the application is not open")
        if known.holder_key is not None and known.holder_key != holder.multikey():
            raise KeyProofInvalid(reason="it is not the key that signed the application")
        data = json.loads(office.sealer.open("applications", application, row.sealed))
        revocation_list, revocation = allocate(office, connection, "revocation")
        suspension_list, suspension = allocate(office, connection, "suspension")
        valid_from = now.replace(microsecond=0)
        valid_until = valid_from + timedelta(days=office.settings.validity_days)
        unsigned = compose(
            scenario,
            issuer=office.settings.did,
            holder=holder,
            application=data,
            evidence=known.evidence,
            revocation=revocation,
            suspension=suspension,
            valid_from=valid_from,
            valid_until=valid_until,
        )
        scenario.validate_issued(unsigned)
        signed = add_proof(
            unsigned,
            cryptosuite="ecdsa-sd-2023",
            signer=office.keys.credential,
            verification_method=office.keys.credential_method,
            created=valid_from,
            mandatory_pointers=scenario.mandatory_pointers,
        )
        entry = anchor_entry(office.settings.did, anchor_of(signed))
        credential_id = office.new_id()
        connection.execute(
            insert(credentials).values(
                id=credential_id,
                application=application,
                type=scenario.credential_type,
                state="active",
                masked_name=known.masked_name,
                holder_tag=self._holder_tag(holder),
                created=stamp(now),
                updated=stamp(now),
                valid_from=stamp(valid_from),
                valid_until=stamp(valid_until),
                anchor=entry["anchor"],
                revocation_list=revocation_list,
                revocation_index=revocation.index,
                suspension_list=suspension_list,
                suspension_index=suspension.index,
                sealed=office.sealer.seal(
                    "credentials", credential_id, json.dumps(signed, ensure_ascii=False).encode()
                ),
            )
        )
        connection.execute(
            insert(outbox).values(
                kind="anchor",
                subject=credential_id,
                origin=office.settings.anchor_origin,
                entry=entry.raw.decode(),
                state="pending",
                attempts=0,
                created=stamp(now),
            )
        )
        connection.execute(
            update(applications)
            .where(applications.c.id == application)
            .values(state="issued", updated=stamp(now))
        )
        return credential_id, signed

    def _holder_tag(self, holder: PublicKey) -> bytes:
        return self._office.sealer.tag("holder", holder.multikey())
