"""The kernel against the raw operation and against Digital Bazaar's JavaScript, in the same run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peer import DigitalBazaar
from benchmarks.sample import CREATED, HOLDER, issuer_key, resident_credential
from benchmarks.timing import rates, ratios
from credentials.bbs.encoding import Proof
from credentials.canonical import default_canonicalizer
from credentials.dids import KeyResolver
from credentials.issuer_keys import GivenKey
from credentials.proofs import add_proof, derive, verify_proof
from credentials.proofs.bbs_2023_values import DerivedValue
from credentials.proofs.ecdsa_sd_2023 import BaseValue
from credentials.sdjwt import KeyBinding, KeyBindingCheck, present
from credentials.sdjwt.vc import issue_vc, verify_vc

_HASH_DATA = bytes(64)
"""What the rdfc suites sign: two SHA-256 digests."""


def _plain(cryptosuite: str, kind: str, side: str) -> Callable[[], list[float]]:
    def measure() -> list[float]:
        key, did, method = issuer_key(kind)
        document = resident_credential(did)
        canonicalizer = default_canonicalizer()
        resolver = KeyResolver()

        def issue() -> dict[str, object]:
            return add_proof(
                document,
                cryptosuite=cryptosuite,
                signer=key,
                verification_method=method,
                created=CREATED,
                canonicalizer=canonicalizer,
            )

        if side == "issue":
            return ratios(issue, lambda: key.sign(_HASH_DATA))
        signed = issue()
        signature = key.sign(_HASH_DATA)
        return ratios(
            lambda: verify_proof(
                signed, resolver=resolver, now=CREATED, canonicalizer=canonicalizer
            ),
            lambda: key.public_key.verify(signature, _HASH_DATA),
        )

    return measure


def _against_digital_bazaar(side: str) -> Callable[[], list[float]]:
    """eddsa-rdfc-2022: how many times longer the peer takes for the same bytes."""

    def measure() -> list[float]:
        key, did, method = issuer_key("Ed25519")
        document = resident_credential(did)
        canonicalizer = default_canonicalizer()
        resolver = KeyResolver()
        suite = "eddsa-rdfc-2022"

        def issue() -> dict[str, object]:
            return add_proof(
                document,
                cryptosuite=suite,
                signer=key,
                verification_method=method,
                created=CREATED,
                canonicalizer=canonicalizer,
            )

        signed = issue()
        with DigitalBazaar(document, key) as peer:
            if side == "issue":
                # Ed25519 leaves no choice: the peer signs the same bytes, so it does the same.
                assert peer.ask(do="issue", cryptosuite=suite) == signed
                return peer.times_slower(issue, do="issue", cryptosuite=suite)
            assert peer.ask(do="verify", cryptosuite=suite, document=signed) is True
            return peer.times_slower(
                lambda: verify_proof(
                    signed, resolver=resolver, now=CREATED, canonicalizer=canonicalizer
                ),
                do="verify",
                cryptosuite=suite,
                document=signed,
            )

    return measure


def _selective(side: str) -> Callable[[], list[float]]:
    """ecdsa-sd-2023: 30 statements that can be hidden, each with its signature; 3 claims shown."""

    def measure() -> list[float]:
        key, did, method = issuer_key("P-256")
        document = resident_credential(did)
        canonicalizer = default_canonicalizer()
        resolver = KeyResolver()
        shown = [f"/credentialSubject/{name}" for name in ("name", "sex", "ageOver18")]

        def issue() -> dict[str, Any]:
            return add_proof(
                document,
                cryptosuite="ecdsa-sd-2023",
                signer=key,
                verification_method=method,
                created=CREATED,
                mandatory_pointers=("/issuer", "/credentialSchema"),
                canonicalizer=canonicalizer,
            )

        signed = issue()
        assert len(BaseValue.decode(signed["proof"]["proofValue"]).signatures) == 30
        if side == "issue":
            return rates(issue)
        if side == "derive":
            return rates(lambda: derive(signed, shown, canonicalizer=canonicalizer))
        derived = derive(signed, shown, canonicalizer=canonicalizer)
        return rates(
            lambda: verify_proof(
                derived, resolver=resolver, now=CREATED, canonicalizer=canonicalizer
            )
        )

    return measure


def _bbs(side: str) -> Callable[[], list[float]]:
    """bbs-2023 baseline: 30 statements that can be hidden, 8 of them shown."""

    def measure() -> list[float]:
        key, did, method = issuer_key("Bls12381G2")
        document = resident_credential(did)
        canonicalizer = default_canonicalizer()
        resolver = KeyResolver()
        claims = ("name", "sex", "ethnicity", "birthDate", "division", "ageOver18")
        shown = [f"/credentialSubject/{name}" for name in claims]

        def issue() -> dict[str, object]:
            return add_proof(
                document,
                cryptosuite="bbs-2023",
                signer=key,
                verification_method=method,
                created=CREATED,
                mandatory_pointers=("/issuer", "/credentialSchema"),
                canonicalizer=canonicalizer,
            )

        if side == "issue":
            return rates(issue)
        signed = issue()
        if side == "derive":
            return rates(lambda: derive(signed, shown, canonicalizer=canonicalizer))
        derived = derive(signed, shown, canonicalizer=canonicalizer)
        value = DerivedValue.decode(derived["proof"]["proofValue"])
        assert len(value.selective) == 8
        assert len(Proof.decode(value.proof).hidden) == 30 - 8

        def verify() -> object:
            return verify_proof(
                derived, resolver=resolver, now=CREATED, canonicalizer=canonicalizer
            )

        if side == "verify":
            return rates(verify)
        step = {"do": "verify", "cryptosuite": "bbs-2023", "document": derived}
        with DigitalBazaar(document) as peer:
            assert peer.ask(**step) is True
            return peer.times_slower(verify, **step)

    return measure


_HOLDER_AT = "https://desk.hangzhou.example"


def _sd_jwt(side: str) -> Callable[[], list[float]]:
    """SD-JWT VC with ES256: 16 claims issued, 3 of them presented with key binding, from text."""

    def measure() -> list[float]:
        key, did, method = issuer_key("P-256")
        claims: dict[str, object] = {
            name: value
            for name, value in resident_credential(did)["credentialSubject"].items()
            if name not in ("id", "type")
        }
        more = ("licence", "building", "street", "postcode", "phone")
        claims |= {name: f"the {name} of the resident" for name in more}
        pointers = [f"/{name}" for name in claims]
        assert len(pointers) == 16
        at = int(CREATED.timestamp())
        fixed = {"iat": at, "exp": at + 365 * 86_400}
        source = GivenKey(key.public_key, did)
        check = KeyBindingCheck(_HOLDER_AT, "a nonce of the desk")
        binding = KeyBinding(HOLDER, _HOLDER_AT, "a nonce of the desk", CREATED)

        def issue() -> str:
            return issue_vc(
                {**fixed, **claims},
                vct="https://hangzhou.example/credentials/resident",
                disclosable=pointers,
                signer=key,
                issuer=did,
                kid=method,
                holder=HOLDER.public_key,
            )

        if side == "issue":
            return rates(issue)
        issued = issue()
        shown = ["/name", "/sex", "/ageOver18"]
        if side == "present":
            return rates(lambda: present(issued, shown, key_binding=binding))
        token = present(issued, shown, key_binding=binding)
        return rates(lambda: verify_vc(token, issuer=source, now=CREATED, key_binding=check))

    return measure


MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    "eddsa_rdfc_issue_x_raw": _plain("eddsa-rdfc-2022", "Ed25519", "issue"),
    "eddsa_rdfc_verify_x_raw": _plain("eddsa-rdfc-2022", "Ed25519", "verify"),
    "eddsa_rdfc_issue_x_db": _against_digital_bazaar("issue"),
    "eddsa_rdfc_verify_x_db": _against_digital_bazaar("verify"),
    "ecdsa_rdfc_issue_x_raw": _plain("ecdsa-rdfc-2019", "P-256", "issue"),
    "ecdsa_rdfc_verify_x_raw": _plain("ecdsa-rdfc-2019", "P-256", "verify"),
    "ecdsa_sd_issue_per_s": _selective("issue"),
    "ecdsa_sd_derive_per_s": _selective("derive"),
    "ecdsa_sd_verify_per_s": _selective("verify"),
    "bbs_issue_per_s": _bbs("issue"),
    "bbs_derive_per_s": _bbs("derive"),
    "bbs_verify_per_s": _bbs("verify"),
    "bbs_verify_x_db": _bbs("verify beside the peer"),
    "sdjwt_issue_per_s": _sd_jwt("issue"),
    "sdjwt_present_per_s": _sd_jwt("present"),
    "sdjwt_verify_per_s": _sd_jwt("verify"),
}
