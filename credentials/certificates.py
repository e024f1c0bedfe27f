"""X.509 chains in a token's header (`x5c`), checked against the caller's roots.

Guarantees: the key that is returned stands in an end-entity certificate that chains, by the rules
of RFC 5280 as `cryptography` implements them, to one of the roots that the caller gave, is in force
at the caller's time and may sign. Nothing is fetched: no issuer certificate, no revocation list, no
OCSP answer.

Not guaranteed: that a certificate was not revoked. Give roots whose certificates live briefly, or
check their status elsewhere.

Source: RFC 7515 §4.1.6, RFC 5280 §6.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from credentials.errors import CertificateChainRefused, KeyInvalid
from credentials.keys import KeyType, PublicKey
from credentials.token_times import seconds

MAX_CHAIN: Final = 5
"""Certificates in `x5c`; a public authority's chain has two or three."""
MAX_CERTIFICATE: Final = 8 * 1024
"""Characters of one certificate in base64."""

_UNREADABLE: Final = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for certificates that break their format."""

_CURVES: Final[Mapping[str, KeyType]] = {
    "secp256r1": "P-256",
    "secp384r1": "P-384",
    "secp521r1": "P-521",
}


@dataclass(frozen=True)
class CertifiedKey:
    """The key of an end-entity certificate that passed, and the names that it certifies."""

    public_key: PublicKey
    subject: str
    uris: frozenset[str]
    hosts: frozenset[str]


def _may_sign(_policy: Policy, _certificate: x509.Certificate, use: x509.KeyUsage | None) -> None:
    if use is not None and not use.digital_signature:
        raise ValueError("not for signatures")


def _is_no_authority(
    _policy: Policy, _certificate: x509.Certificate, basic: x509.BasicConstraints | None
) -> None:
    if basic is not None and basic.ca:
        raise ValueError("an authority's certificate")


_END_ENTITY: Final = (
    # The policy of web servers asks for a host name; an issuer need not be a host.
    ExtensionPolicy.permit_all()
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
    .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_no_authority)
)


class TrustedRoots:
    """The root certificates that a caller trusts to name issuers."""

    def __init__(self, roots: Iterable[x509.Certificate]) -> None:
        """Raises ValueError for no root at all."""
        self._roots = tuple(roots)
        self._store = Store(list(self._roots))

    def check(self, chain: object, now: datetime) -> CertifiedKey:
        """The certified key at the head of `chain`, the value of `x5c`.

        Raises CertificateChainRefused.
        """
        leaf, *others = _parse(chain)
        verifier = (
            PolicyBuilder()
            .store(self._store)
            .time(datetime.fromtimestamp(seconds(now), UTC).replace(tzinfo=None))
            .max_chain_depth(MAX_CHAIN)
            .extension_policies(
                ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_END_ENTITY
            )
            .build_client_verifier()
        )
        try:
            verifier.verify(leaf, [one for one in others if one not in self._roots])
        except (VerificationError, *_UNREADABLE) as error:
            raise CertificateChainRefused(reason="they lead to no trusted root") from error
        return _certified(leaf)


def _parse(chain: object) -> list[x509.Certificate]:
    if not isinstance(chain, list) or not 1 <= len(chain) <= MAX_CHAIN:
        raise CertificateChainRefused(reason="x5c is not a list of normal length")
    certificates = []
    for text in chain:
        if not isinstance(text, str) or len(text) > MAX_CERTIFICATE:
            raise CertificateChainRefused(reason="one of them is not a text of normal length")
        try:
            der = binascii.a2b_base64(text, strict_mode=True)
            certificates.append(x509.load_der_x509_certificate(der))
        except _UNREADABLE as error:
            raise CertificateChainRefused(reason="one of them cannot be read") from error
    return certificates


def _certified(leaf: x509.Certificate) -> CertifiedKey:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = frozenset(names.get_values_for_type(x509.UniformResourceIdentifier))
        hosts = frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        uris = hosts = frozenset()
    except _UNREADABLE as error:
        raise CertificateChainRefused(reason="one of them cannot be read") from error
    try:
        return CertifiedKey(_public_key(leaf), leaf.subject.rfc4514_string(), uris, hosts)
    except (KeyInvalid, *_UNREADABLE) as error:
        raise CertificateChainRefused(reason="their key is of an unsupported type") from error


def _public_key(leaf: x509.Certificate) -> PublicKey:
    key = leaf.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey("Ed25519", key.public_bytes_raw())
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return PublicKey(_CURVES[key.curve.name], point)
    raise KeyInvalid(reason="its type is not one that is supported")


def x5c(chain: Sequence[x509.Certificate]) -> dict[str, Any]:
    """The header member that carries `chain`, end entity first, without its root."""
    return {
        "x5c": [
            binascii.b2a_base64(one.public_bytes(Encoding.DER), newline=False).decode("ascii")
            for one in chain
        ]
    }
