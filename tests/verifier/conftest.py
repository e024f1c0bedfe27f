"""A counter with everything real behind it: a consortium in memory, an issuer, a holder, a desk."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from credentials.anchor import anchor_of
from credentials.dids import did_key
from credentials.keys import PrivateKey
from credentials.presentation import build_presentation
from credentials.proofs import add_proof, derive
from credentials.status import StatusList, status_list_credential
from registry.ledger.entries import anchor_entry, status_entry
from registry.ledger.members import document_digest
from registry.simulation.simulator import Consortium, Party
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT
from schemas.scenario import load_scenario
from verifier.desk import Desk, MadeRequest
from verifier.settings import Settings, create_desk, load_key

DESK = "did:web:desk.example"
OTHER = "did:web:library.example"
LISTS = "https://issuer.example/status"
SCENARIO = load_scenario("resident-identity")


@dataclass
class Counter:
    """One desk, one citizen. `claims` are short names of what the citizen shows."""

    chain: Consortium
    issuer: Party
    desk: Desk
    holder: PrivateKey
    credential: dict[str, Any]
    folder: Path
    lists: dict[str, StatusList] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.chain.now

    def publish(self) -> None:
        """Sign the status lists, hand them in and record their digests."""
        for purpose, bits in self.lists.items():
            number = 1 if purpose == "revocation" else 2
            document = add_proof(
                status_list_credential(
                    bits,
                    url=f"{LISTS}/{number}",
                    issuer=self.issuer.did,
                    purpose=purpose,
                    valid_from=self.now,
                ),
                cryptosuite="ecdsa-rdfc-2019",
                signer=self.issuer.key,
                verification_method=self.issuer.key_url,
                created=self.now,
            )
            self.chain.client.submit(
                self.chain.genesis.identity_origin,
                [
                    status_entry(
                        self.issuer.did, f"{LISTS}/{number}", document_digest(document), self.now
                    )
                ],
                self.issuer.key,
                self.issuer.key_url,
            )
            self.chain.client.put_status_list(document)
        self.chain.settle()

    def sync(self) -> None:
        self.desk.sync(self.chain.client)

    def ask(self, *names: str, desk: Desk | None = None) -> MadeRequest:
        claims = [f"/credentialSubject/{name}" for name in names] or None
        return (desk or self.desk).request("age-check", claims)

    def proof(self, credential: dict[str, Any] | None = None) -> bytes:
        """The compact anchor proof of a credential."""
        origin = self.chain.genesis.identity_origin
        leaf = anchor_entry(self.issuer.did, anchor_of(credential or self.credential)).leaf_hash
        return self.chain.client.compact_proof(origin, self.chain.client.lookup(origin, leaf))

    def answer(
        self,
        request: MadeRequest,
        *,
        domain: str = DESK,
        claims: tuple[str, ...] | None = None,
        anchored: bool = True,
        signer: PrivateKey | None = None,
        credential: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What the citizen's wallet makes of a request."""
        original = credential or self.credential
        proof = self.proof(original) if anchored else None
        return build_presentation(
            [derive(original, claims if claims is not None else request.claims)],
            anchor_proofs=[proof],
            signer=signer or self.holder,
            domain=domain,
            challenge=request.nonce,
            created=self.now,
            expires=self.now + timedelta(minutes=5),
        )


def credential_for(issuer: str, holder: PrivateKey, schema_digest: str) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": issuer,
        "validFrom": "2026-11-22T09:00:00Z",
        "validUntil": "2027-11-22T09:00:00Z",
        "credentialStatus": [
            {
                "type": "BitstringStatusListEntry",
                "statusPurpose": purpose,
                "statusListIndex": "4711",
                "statusListCredential": f"{LISTS}/{number}",
            }
            for number, purpose in ((1, "revocation"), (2, "suspension"))
        ],
        "credentialSchema": {
            "id": SCENARIO.schema_url,
            "type": "JsonSchema",
            "digestMultibase": schema_digest,
        },
        "evidence": [
            {
                "type": ["AuthorityCheck"],
                "authority": "did:web:psb.example",
                "checkedAt": "2026-11-21T23:59:00Z",
                "replyDigest": schema_digest,
            }
        ],
        "credentialSubject": {
            "id": did_key(holder.public_key),
            "type": "Resident",
            "name": "陈思远",
            "sex": "female",
            "ethnicity": "汉",
            "birthDate": "1949-12-31",
            "citizenNumber": "11010519491231002X",
            "division": "110105",
            "ageOver14": True,
            "ageOver16": True,
            "ageOver18": True,
            "ageOver60": True,
            "ageOver65": True,
        },
    }


def issue(issuer: Party, credential: dict[str, Any], now: datetime) -> dict[str, Any]:
    return add_proof(
        credential,
        cryptosuite="ecdsa-sd-2023",
        signer=issuer.key,
        verification_method=issuer.key_url,
        created=now,
        mandatory_pointers=SCENARIO.mandatory_pointers,
    )


def make_desk(chain: Consortium, folder: Path, did: str) -> Desk:
    settings = Settings(
        did, {"zh-CN": "市民卡服务窗口", "en": "Citizen card counter"}, (chain.url,)
    )
    accreditation = create_desk(folder, settings, chain.genesis.entry.raw, None)
    chain.add_verifier(did, document=accreditation["document"])
    return Desk(folder, settings, load_key(folder, None), clock=lambda: chain.now)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    with Consortium(tmp_path / "chain", nodes=("data-resources",), quorum=1) as chain:
        issuer = chain.add_issuer()
        holder = PrivateKey.from_seed("P-256", b"a citizen's key, in tests only ..")
        desk = make_desk(chain, tmp_path / "desk", DESK)
        chain.entitle(
            DESK,
            (
                "/credentialSubject/name",
                "/credentialSubject/ageOver18",
                "/credentialSubject/citizenNumber",
            ),
        )
        credential = issue(
            issuer, credential_for(issuer.did, holder, SCENARIO.schema_digest), chain.now
        )
        found = Counter(chain, issuer, desk, holder, credential, tmp_path)
        found.lists = {"revocation": StatusList.empty(), "suspension": StatusList.empty()}
        chain.client.submit(
            chain.genesis.identity_origin,
            [anchor_entry(issuer.did, anchor_of(credential))],
            issuer.key,
            issuer.key_url,
        )
        found.publish()
        found.sync()
        yield found
        desk.close()


@pytest.fixture
def rng() -> random.Random:
    return random.Random(20261122)
