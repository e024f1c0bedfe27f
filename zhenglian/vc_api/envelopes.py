"""Enveloped credentials and presentations: secured as a token (VC-JOSE-COSE) instead of by a proof.

Guarantee: what `credential` and `presentation` return was signed by its issuer or holder, named by
DID, in a token that is in force; and every term of it is defined by a context that is known, which
the token's own verification leaves open. In both modes: a token without its signer's name has no
key that could be found here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from credentials.canonical import Canonicalizer
from credentials.dids import AUTHENTICATION, Resolver
from credentials.errors import CryptosuiteUnknown
from credentials.issuer_keys import DidKeys
from credentials.model import check_enveloped_credential, check_enveloped_presentation
from credentials.sdjwt import present
from credentials.securing import (
    Envelope,
    Form,
    TokenClaims,
    secure,
    verify_secured_credential,
    verify_secured_presentation,
)
from zhenglian.vc_api.keys import Party

FORMS: Final[Mapping[str, Form]] = {"vc-jwt": "jwt", "vc-sd-jwt": "sd-jwt", "vc-cose": "cose"}
"""Addresses that envelop, and how."""


@dataclass(frozen=True)
class Envelopes:
    """Making and opening envelopes, with what a server knows."""

    resolver: Resolver
    canonicalizer: Canonicalizer
    clock: Callable[[], datetime]

    def make(
        self,
        party: Party,
        document: Mapping[str, Any],
        *,
        challenge: str | None = None,
        domain: str | None = None,
        disclosable: Iterable[str] = (),
    ) -> dict[str, Any]:
        """`document` in an envelope, signed by `party`. Raises what `secure` raises.

        `disclosable` are JSON pointers to what the holder of an SD-JWT may leave out.
        """
        self._gate(document)
        claims = TokenClaims(issued_at=self.clock(), audience=domain, nonce=challenge)
        envelope = secure(
            document,
            form=FORMS[party.cryptosuite],
            signer=party.key,
            kid=party.method,
            claims=claims,
            disclosable=disclosable,
        )
        return envelope.document()

    def derive(self, enveloped: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, Any]:
        """What the holder of an enveloped SD-JWT shows, without key binding: an envelope has none.

        Trusts the signature. Raises CryptosuiteUnknown for an envelope that hides nothing.
        """
        check_enveloped_credential(enveloped)
        envelope = Envelope.parse(enveloped)
        content = envelope.content
        if isinstance(content, bytes) or not envelope.media_type.endswith("+sd-jwt"):
            raise CryptosuiteUnknown(cryptosuite=envelope.media_type)
        return Envelope(envelope.media_type, present(content, pointers)).document()

    def credential(self, enveloped: Mapping[str, Any]) -> Mapping[str, Any]:
        """The credential in an envelope, verified. Raises what verifying it does."""
        check_enveloped_credential(enveloped)
        found = verify_secured_credential(
            Envelope.parse(enveloped), issuer=DidKeys(self.resolver), now=self.clock()
        )
        document = _without_claims(found.document)
        self._gate(document)
        return document

    def presentation(
        self, enveloped: Mapping[str, Any], challenge: str | None, domain: str | None
    ) -> Sequence[Mapping[str, Any]]:
        """The credentials, still enveloped and unverified, of a verified presentation."""
        check_enveloped_presentation(enveloped)
        found = verify_secured_presentation(
            Envelope.parse(enveloped),
            holder=DidKeys(self.resolver, AUTHENTICATION),
            audience=domain,
            nonce=challenge,
            now=self.clock(),
        )
        self._gate(_without_claims(found.document))
        return [envelope.document() for envelope in found.credentials]

    def _gate(self, document: Mapping[str, Any]) -> None:
        # What is enveloped inside is opened and read on its own.
        bare = {name: value for name, value in document.items() if name != "verifiableCredential"}
        self.canonicalizer.canonicalize(bare)


# RFC 7519 §4.1, RFC 8392: claims of the token that stand beside those of the document.
_CLAIMS: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "nonce"})


def _without_claims(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _CLAIMS}
