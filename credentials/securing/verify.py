"""Verify what VC-JOSE-COSE secured.

`verify_secured_credential` and `verify_secured_presentation` are strict: the key must be the
issuer's or holder's by one of the caller's ways, and the token must be in force. Guarantee, against
whoever wrote the token: its kind is what it says, `iss` does not contradict the document, nothing
unsecured stands in a presentation, and nothing is returned before its signature was checked.

`open_signed` is the proof alone, under a key that the caller names: for conformance suites and for
tools. It says nothing about whose key that is, nor about time.

Not guaranteed by either: accreditation, status, schema and validity period of the credential; and
that every term is defined by a context. These are the checks of whoever relies on the document.

Source: VC-JOSE-COSE §3 to §5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from credentials.canonical.strict_json import parse_json_object
from credentials.cose import CONTENT_TYPE, parse_sign1
from credentials.errors import (
    AudienceMismatch,
    CoseMalformed,
    EnvelopeMalformed,
    JsonMalformed,
    NonceMismatch,
    SecuredDocumentRefused,
)
from credentials.issuer_keys import FoundKey, KeySource
from credentials.jose import parse_compact
from credentials.keys import PublicKey
from credentials.sdjwt.binding import KeyBindingCheck, VerifiedKeyBinding, verify_key_binding
from credentials.sdjwt.token import SdJwt
from credentials.sdjwt.unpacking import hash_name, hides_something, unpack
from credentials.securing.documents import check_document, check_issuer_claim, party
from credentials.securing.envelope import MEDIA_TYPES, Envelope
from credentials.securing.sign import CWT_CLAIMS, CWT_NAMES, NEVER_HIDDEN
from credentials.token_times import check_times

_KeyFinder = Callable[[Mapping[str, Any], str | None], PublicKey]

_TEXTS: Final = {number: name for name, number in CWT_NAMES.items()}


@dataclass(frozen=True)
class SignedDocument:
    """A document whose signature was verified, and no more than that.

    `claims` are those of the token: the document itself for JWT and SD-JWT, the header's for COSE.
    `credentials` are what a presentation envelops, still unverified.
    """

    media_type: str
    document: Mapping[str, Any]
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    public_key: PublicKey
    credentials: tuple[Envelope, ...]
    key_binding: VerifiedKeyBinding | None = None


@dataclass(frozen=True)
class SecuredDocument(SignedDocument):
    """A document that its issuer or holder signed. `signer` is who that is."""

    signer: str | None = None


def open_signed(
    envelope: Envelope,
    *,
    key: PublicKey,
) -> SignedDocument:
    """The document in `envelope` if it was signed by `key`. Proof only: see the module.

    Raises SecuredDocumentRefused, ModelViolation, EnvelopeMalformed, SignatureInvalid and the
    errors of the token's format.
    """
    return _open(envelope, lambda _header, _party: key)


def verify_secured_credential(
    envelope: Envelope,
    *,
    issuer: KeySource,
    now: datetime,
    key_binding: KeyBindingCheck | None = None,
    skew_s: float = 0,
) -> SecuredDocument:
    """The credential in `envelope`, signed by its issuer and in force as a token at `now`.

    With `key_binding`, an SD-JWT must be presented by the holder that its issuer named.
    Raises like `open_signed`, and ControllerMismatch, TokenExpired, TokenNotYetValid,
    TokenFromFuture, IssuerKeyUnknown.
    """
    if envelope.is_presentation:
        raise SecuredDocumentRefused(reason="it is a presentation")
    return _verify(envelope, issuer, now, skew_s, key_binding)


def verify_secured_presentation(
    envelope: Envelope,
    *,
    holder: KeySource,
    audience: str | None,
    nonce: str | None,
    now: datetime,
    skew_s: float = 0,
) -> SecuredDocument:
    """The presentation in `envelope`, signed by its holder for `audience` and `nonce`.

    None for either means that it is not looked at. Its credentials are still to be verified, each
    with `verify_secured_credential`. Raises also AudienceMismatch, NonceMismatch.
    """
    if not envelope.is_presentation:
        raise SecuredDocumentRefused(reason="it is a credential")
    verified = _verify(envelope, holder, now, skew_s, None)
    if audience is not None and verified.claims.get("aud") not in (audience, [audience]):
        raise AudienceMismatch
    if nonce is not None and verified.claims.get("nonce") != nonce:
        raise NonceMismatch
    return verified


def _verify(
    envelope: Envelope,
    source: KeySource,
    now: datetime,
    skew_s: float,
    key_binding: KeyBindingCheck | None,
) -> SecuredDocument:
    found: list[FoundKey] = []

    def find(header: Mapping[str, Any], stated: str | None) -> PublicKey:
        found.append(source.find(header, stated, now))
        return found[0].public_key

    signed = _open(envelope, find, key_binding, now)
    check_times(signed.claims, now, skew_s)
    return SecuredDocument(**vars(signed), signer=found[0].issuer)


def _open(
    envelope: Envelope,
    find: _KeyFinder,
    key_binding: KeyBindingCheck | None = None,
    now: datetime | None = None,
) -> SignedDocument:
    kind, _, form = envelope.media_type.partition("+")
    if envelope.media_type not in MEDIA_TYPES:
        raise EnvelopeMalformed(reason="its content is of an unknown kind")
    binding: VerifiedKeyBinding | None = None
    content = envelope.content
    if key_binding is not None and form != "sd-jwt":
        raise SecuredDocumentRefused(reason="only an SD-JWT carries a key binding")
    if isinstance(content, bytes) != (form == "cose"):
        raise EnvelopeMalformed(reason="its type does not fit its content")
    if isinstance(content, bytes):
        header, claims, document, key = _open_cose(content, envelope.media_type, find)
        check_issuer_claim(document, document)
    else:
        parts = SdJwt.parse(content) if form == "sd-jwt" else SdJwt(content, ())
        jws = parse_compact(parts.jwt, typ=envelope.media_type)
        header, payload = jws.header, dict(jws.payload)
        # The party may be hidden in a disclosure. It is read now and verified with the rest.
        document = unpack(payload, parts.disclosures).claims if form == "sd-jwt" else payload
        key = find(header, party(document))
        jws.verify(key)
        claims = document
        if form == "sd-jwt":
            _check_visible(kind, payload, document)
        if key_binding is not None and now is not None:
            binding = verify_key_binding(
                parts.key_binding, parts.bound_part, document, hash_name(payload), key_binding, now
            )
    cty = header.get("cty", kind)
    # §3.1: cty, when present, is vc or vp.
    if not isinstance(cty, str) or cty.lower().removeprefix("application/") != kind:
        raise SecuredDocumentRefused(reason="cty does not say what it is")
    credentials = check_document(document, presentation=envelope.is_presentation)
    check_issuer_claim(claims, document)
    if "iss" in header:  # §4.1.2 allows iss in the header too
        check_issuer_claim(header, document)
    return SignedDocument(envelope.media_type, document, header, claims, key, credentials, binding)


def _check_visible(kind: str, payload: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    hidden = document.keys() - payload.keys()
    # Also what is still hidden: a holder could withhold one entry of credentialStatus.
    if kind == "vc" and (
        not hidden.isdisjoint(NEVER_HIDDEN)
        or any(hides_something(payload.get(name)) for name in NEVER_HIDDEN)
    ):
        raise SecuredDocumentRefused(reason="what verifiers need must not be hidden")


def _open_cose(
    content: bytes, media_type: str, find: _KeyFinder
) -> tuple[Mapping[str, Any], Mapping[str, Any], dict[str, Any], PublicKey]:
    message = parse_sign1(content, typ=f"application/{media_type}")
    header: dict[str, Any] = {}
    if message.kid is not None:
        header["kid"] = message.kid
    if CONTENT_TYPE in message.header:
        header["cty"] = message.header[CONTENT_TYPE]
    claims = _cwt_claims(message.header.get(CWT_CLAIMS, {}))
    try:
        document = parse_json_object(message.payload)
    except JsonMalformed as error:
        raise CoseMalformed(reason="its content is not a JSON object") from error
    key = find(header, party(document))
    message.verify(key)
    return header, {**_times_of(document), **claims}, document, key


def _times_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Token claims that stand in the document instead of the header."""
    return {name: document[name] for name in CWT_NAMES if name in document}


def _cwt_claims(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise CoseMalformed(reason="its claims are not a map")
    claims = {_TEXTS[label]: value for label, value in found.items() if label in _TEXTS}
    nonce = claims.get("nonce")
    if isinstance(nonce, bytes):
        try:
            claims["nonce"] = nonce.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CoseMalformed(reason="its nonce is not a text") from error
    return claims
