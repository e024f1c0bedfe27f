"""Options of one suite through the general functions: carried where they belong, never passed over.

The published vectors of bbs-2023 go the same way, in `test_bbs_2023_vectors.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from credentials import bbs
from credentials.bbs import Opening
from credentials.canonical import Canonicalizer
from credentials.dids import KeyResolver, did_key, key_url
from credentials.errors import (
    BbsFeatureMismatch,
    BbsMalformed,
    ChallengeMismatch,
    CredentialError,
    CryptosuiteUnknown,
    SignatureInvalid,
    SuiteOptionsRefused,
)
from credentials.keys import KeyType, PrivateKey, PublicKey, Signer
from credentials.multibase import multibase_base58, multibase_decode
from credentials.proofs import (
    ALL_CRYPTOSUITES,
    CRYPTOSUITES,
    BbsChecking,
    BbsIssuing,
    BbsShowing,
    SuiteOptions,
    add_proof,
    derive,
    verify_credential,
    verify_proof,
)
from credentials.proofs.bbs_2023 import pseudonym_of
from credentials.proofs.rdfc import hash_data
from credentials.proofs.suite import ProofInput
from schemas.names import CONTEXT_V2

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BBS = PrivateKey.from_bytes("Bls12381G2", b"\x05" * 32)
SECRET, NYM = b"a secret of the holder", b"\x07" * 32
VERIFIER = "did:web:desk.hangzhou.example"
NAME = ["/credentialSubject/name"]


def issue(key: PrivateKey = BBS, cryptosuite: str = "bbs-2023", **more: Any) -> dict[str, Any]:
    document = {
        "@context": [CONTEXT_V2],
        "type": ["VerifiableCredential"],
        "issuer": did_key(key.public_key),
        "credentialSubject": {"name": "Li", "description": "resident"},
    }
    return add_proof(
        document,
        cryptosuite=cryptosuite,
        signer=key,
        verification_method=key_url(key.public_key),
        created=NOW,
        mandatory_pointers=["/issuer"] if cryptosuite in ("bbs-2023", "ecdsa-sd-2023") else [],
        suites=ALL_CRYPTOSUITES,
        **more,
    )


def verify(document: dict[str, Any], options: SuiteOptions | None = None, **more: Any) -> Any:
    return verify_credential(
        document,
        resolver=KeyResolver(),
        now=NOW,
        suites=ALL_CRYPTOSUITES,
        suite_options=options,
        **more,
    )


def bound() -> tuple[dict[str, Any], Opening]:
    commitment, holder = bbs.commit([SECRET], prover_nym=NYM)
    issued = issue(suite_options=BbsIssuing(commitment=commitment, pseudonyms=True))
    return issued, holder


def test_an_occasion_is_compared_when_it_is_named() -> None:
    shown = derive(issue(), NAME, suite_options=BbsShowing(presentation_header=b"nonce of today"))
    verify(shown)
    verify(shown, BbsChecking(presentation_header=b"nonce of today"))
    for other in (b"", b"nonce of yesterday"):
        with pytest.raises(ChallengeMismatch):
            verify(shown, BbsChecking(presentation_header=other))


def test_secret_and_pseudonym_go_all_the_way() -> None:
    issued, holder = bound()
    verify(issued, BbsChecking(holder=holder), accept_base=True)
    names = set()
    for domain in (VERIFIER, VERIFIER, "did:web:another.example"):
        shown = derive(issued, NAME, suite_options=BbsShowing(holder=holder, nym_domain=domain))
        verified = verify(shown, BbsChecking(nym_domain=domain))
        names.add(pseudonym_of(verified.proof))
        for wrong in (None, BbsChecking(), BbsChecking(nym_domain="did:web:third.example")):
            with pytest.raises((BbsFeatureMismatch, SignatureInvalid)):
                verify(shown, wrong)
    assert len(names) == 2 and None not in names


def test_without_the_right_secret_nothing_is_shown() -> None:
    issued, holder = bound()
    thief = Opening((b"another secret",), holder.blind, holder.nym)
    with pytest.raises(BbsFeatureMismatch):
        derive(issued, NAME)
    with pytest.raises(SignatureInvalid):
        verify(issued, BbsChecking(holder=thief), accept_base=True)
    with pytest.raises((SignatureInvalid, BbsMalformed)):
        stolen = derive(issued, NAME, suite_options=BbsShowing(holder=thief, nym_domain=VERIFIER))
        verify(stolen, BbsChecking(nym_domain=VERIFIER))


@pytest.mark.parametrize("name", sorted(set(ALL_CRYPTOSUITES) - {"bbs-2023"}))
def test_other_suites_refuse_the_options(name: str) -> None:
    key = PrivateKey.generate(sorted(ALL_CRYPTOSUITES[name].key_types)[0])
    signed = issue(key, name)
    verify(signed, accept_base=True)
    attempts: list[Callable[[], object]] = [
        lambda: issue(key, name, suite_options=BbsIssuing()),
        lambda: derive(signed, NAME, suites=ALL_CRYPTOSUITES, suite_options=BbsShowing()),
        lambda: verify(signed, BbsChecking(presentation_header=b"nonce"), accept_base=True),
    ]
    for attempt in attempts:
        with pytest.raises(CredentialError) as caught:
            attempt()
        # A legacy proof names no suite that could derive.
        assert caught.value.code in ("ZL-CRYPTOSUITE-OPTIONS", "ZL-CRYPTOSUITE-UNKNOWN")


def test_options_of_another_step_are_refused() -> None:
    issued = issue()
    shown = derive(issued, NAME)
    for wrong in (BbsShowing(), BbsIssuing()):
        with pytest.raises(SuiteOptionsRefused):
            verify(shown, wrong)
    for wrong_too in (BbsChecking(), BbsIssuing()):
        with pytest.raises(SuiteOptionsRefused):
            derive(issued, NAME, suite_options=wrong_too)
    for wrong_again in (BbsChecking(), BbsShowing()):
        with pytest.raises(SuiteOptionsRefused):
            issue(suite_options=wrong_again)


def test_demands_that_a_form_cannot_meet_are_refused() -> None:
    issued, holder = bound()
    for demand in (BbsChecking(presentation_header=b""), BbsChecking(nym_domain=VERIFIER)):
        with pytest.raises(SuiteOptionsRefused):
            verify(issued, demand, accept_base=True)
    shown = derive(issued, NAME, suite_options=BbsShowing(holder=holder, nym_domain=VERIFIER))
    with pytest.raises(SuiteOptionsRefused):
        verify(shown, BbsChecking(holder=holder, nym_domain=VERIFIER))


def test_in_a_set_the_demand_falls_on_its_own_suite() -> None:
    key = PrivateKey.generate("Ed25519")
    shown = derive(issue(), NAME, suite_options=BbsShowing(presentation_header=b"nonce"))
    both = add_proof(
        shown,
        cryptosuite="eddsa-rdfc-2022",
        signer=key,
        verification_method=key_url(key.public_key),
        created=NOW,
    )
    for header, holds in ((b"nonce", True), (b"other", False)):
        options = BbsChecking(presentation_header=header)
        if holds:
            found = verify_proof(both, resolver=KeyResolver(), now=NOW, suite_options=options)
            assert len(found.proofs) == 2
        else:
            with pytest.raises(ChallengeMismatch):
                verify_proof(both, resolver=KeyResolver(), now=NOW, suite_options=options)


def test_options_show_no_secret() -> None:
    _, holder = bound()
    secrets = (SECRET, NYM, holder.blind)
    shown = [
        repr(BbsChecking(holder=holder)),
        repr(BbsShowing(holder=holder)),
        repr(BbsIssuing(nym_entropy=NYM, hmac_key=NYM)),
    ]
    assert not any(repr(secret)[2:-1] in text for secret in secrets for text in shown)


# A new suite


@dataclass(frozen=True)
class Countersigning:
    """Another suite: eddsa-rdfc-2022 under a name of its own, with an option and a derivation."""

    name: str = "countersigning-2026"
    key_types: frozenset[KeyType] = frozenset({"Ed25519"})
    carries_context: bool = False
    secret: bytes = b""

    def with_options(self, options: SuiteOptions) -> Countersigning:
        if not isinstance(options, Seasoned):
            raise SuiteOptionsRefused(cryptosuite=self.name)
        return Countersigning(secret=options.secret)

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        data = hash_data(proof_input, "Ed25519") + self.secret
        return multibase_base58(signer.sign(data))

    def verify(
        self, proof_input: ProofInput, proof_value: str, key: PublicKey, *, accept_base: bool
    ) -> None:
        key.verify(multibase_decode(proof_value), hash_data(proof_input, "Ed25519") + self.secret)

    def derive(
        self,
        document: Mapping[str, Any],
        selective_pointers: Iterable[str],
        canonicalizer: Canonicalizer,
    ) -> dict[str, Any]:
        return {"pointers": list(selective_pointers), "secret": self.secret.decode()}


@dataclass(frozen=True)
class Seasoned(SuiteOptions):
    cryptosuite: ClassVar[str] = "countersigning-2026"
    secret: bytes = b""


def test_a_new_suite_needs_a_line_in_a_table_and_no_other_change() -> None:
    new = Countersigning()
    suites = {**CRYPTOSUITES, new.name: new}
    key, salt = PrivateKey.generate("Ed25519"), Seasoned(b"salt")
    document = {
        "@context": [CONTEXT_V2],
        "type": ["VerifiableCredential"],
        "issuer": did_key(key.public_key),
        "credentialSubject": {"name": "Li"},
    }
    signed = add_proof(
        document,
        cryptosuite=new.name,
        signer=key,
        verification_method=key_url(key.public_key),
        created=NOW,
        suites=suites,
        suite_options=salt,
    )
    told: dict[str, Any] = {"resolver": KeyResolver(), "now": NOW}
    verify_credential(signed, suites=suites, suite_options=salt, **told)
    with pytest.raises(SignatureInvalid):
        verify_credential(signed, suites=suites, **told)
    with pytest.raises(CryptosuiteUnknown):
        verify_credential(signed, **told)
    shown = derive(signed, NAME, suites=suites, suite_options=salt)
    assert shown == {"pointers": NAME, "secret": "salt"}
