"""Secure a credential or presentation as a JWT, an SD-JWT or a COSE message (VC-JOSE-COSE §3)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from credentials.cose import CONTENT_TYPE, KID, sign1
from credentials.errors import SecuredDocumentRefused
from credentials.jose import sign_compact
from credentials.keys import PublicKey, Signer
from credentials.qr.cbor import Cbor
from credentials.sdjwt import ClaimPath, issue
from credentials.sdjwt.paths import as_paths
from credentials.securing.documents import check_document, check_issuer_claim, is_presentation
from credentials.securing.envelope import Envelope
from credentials.token_times import seconds

Form = Literal["jwt", "sd-jwt", "cose"]

CWT_CLAIMS: Final = 15
"""The header parameter that carries claims beside a payload (RFC 9597)."""
CWT_NAMES: Final[Mapping[str, int]] = {
    "iss": 1,
    "aud": 3,
    "exp": 4,
    "nbf": 5,
    "iat": 6,
    "nonce": 10,
}
"""Labels of claims (RFC 8392 §4; 10 is that of RFC 9711)."""

NEVER_HIDDEN: Final = frozenset(
    {
        "@context",
        "type",
        "issuer",
        "credentialStatus",
        "credentialSchema",
        "relatedResource",
        "iss",
        "exp",
        "nbf",
        "cnf",
    }
)
"""What a verifier needs before anything else, so nobody may withhold it (VC-JOSE-COSE §3.2.1)."""


@dataclass(frozen=True)
class TokenClaims:
    """Claims of the token around a document: when it was made, until when, for whom."""

    issued_at: datetime | None = None
    expires: datetime | None = None
    audience: str | None = None
    nonce: str | None = None

    def named(self) -> dict[str, Any]:
        times = {"iat": self.issued_at, "exp": self.expires}
        texts = {"aud": self.audience, "nonce": self.nonce}
        found: dict[str, Any] = {
            name: int(seconds(value)) for name, value in times.items() if value is not None
        }
        return {**found, **{name: value for name, value in texts.items() if value is not None}}


_NO_CLAIMS: Final = TokenClaims()


def secure(
    document: Mapping[str, Any],
    *,
    form: Form,
    signer: Signer,
    kid: str | None,
    claims: TokenClaims = _NO_CLAIMS,
    disclosable: Iterable[ClaimPath] = (),
    holder: PublicKey | None = None,
    extra_header: Mapping[str, Any] | None = None,
    rng: Callable[[int], bytes] = os.urandom,
) -> Envelope:
    """`document` secured in `form`; `.content` of the answer is the token, a text or bytes.

    `kid` names the key (§4.1.1); `disclosable` and `holder` are for SD-JWT, `extra_header` for
    both kinds of JWT. Raises ModelViolation, EnvelopeMalformed, SecuredDocumentRefused and what
    signing raises.
    """
    presentation = is_presentation(document)
    check_document(document, presentation=presentation)
    check_issuer_claim(document, document)
    kind = "vp" if presentation else "vc"
    media_type = f"{kind}+{form}"
    more = claims.named()
    if not document.keys().isdisjoint(more):
        raise SecuredDocumentRefused(reason="a claim of the token stands in it already")
    hidden = as_paths(disclosable)
    if form != "sd-jwt" and (hidden or holder is not None):
        raise SecuredDocumentRefused(reason="only an SD-JWT can hide claims or name a holder's key")
    if form == "cose":
        header: dict[int, Cbor] = {CONTENT_TYPE: f"application/{kind}"}
        if kid is not None:
            header[KID] = kid.encode()
        if more:
            header[CWT_CLAIMS] = _cwt(more)
        message = sign1(
            _json(document), typ=f"application/{media_type}", signer=signer, header=header
        )
        return Envelope(media_type, message)
    payload = {**document, **more}
    jose_header = {"cty": kind, **(extra_header or {})}
    if form == "jwt":
        token = sign_compact(
            payload, typ=media_type, signer=signer, kid=kid, extra_header=jose_header
        )
        return Envelope(media_type, token)
    if not presentation and any(path[0] in NEVER_HIDDEN for path in hidden):
        raise SecuredDocumentRefused(reason="what verifiers need must not be hidden")
    token = issue(
        payload,
        disclosable=hidden,
        signer=signer,
        typ=media_type,
        kid=kid,
        holder=holder,
        extra_header=jose_header,
        rng=rng,
    )
    return Envelope(media_type, token)


def _json(document: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except (TypeError, ValueError):
        # Without its cause, which may hold the value.
        raise SecuredDocumentRefused(reason="it holds something that JSON cannot") from None


def _cwt(claims: Mapping[str, Any]) -> dict[int | str, Cbor]:
    # RFC 9711 §4.1: a nonce is a byte string.
    return {
        CWT_NAMES[name]: value.encode() if name == "nonce" else value
        for name, value in claims.items()
    }
