"""What a secured document must be, whatever secured it.

Guarantees: a document is a credential or a presentation of the model; what its header or token
claims say about its kind and its maker agrees with it; a presentation holds enveloped credentials
and nothing unsecured.

Source: VC-JOSE-COSE §3 and §4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from credentials.errors import ModelViolation, SecuredDocumentRefused
from credentials.model import check_credential, check_presentation
from credentials.securing.envelope import Envelope

MAX_CREDENTIALS: Final = 64
"""Credentials of one presentation."""

_MEMBERS: Final = frozenset(
    {
        "@context",
        "id",
        "type",
        "name",
        "description",
        "issuer",
        "credentialSubject",
        "validFrom",
        "validUntil",
        "credentialStatus",
        "credentialSchema",
        "refreshService",
        "termsOfUse",
        "evidence",
        "confidenceMethod",
        "relatedResource",
        "renderMethod",
        "proof",
        "holder",
        "verifiableCredential",
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "cnf",
        "_sd_alg",
    }
)
"""Members that VCDM 2.0 defines for credentials and presentations, and those of JWT."""


def is_presentation(document: Mapping[str, Any]) -> bool:
    """Whether `document` calls itself a presentation."""
    types = document.get("type")
    return "VerifiablePresentation" in (types if isinstance(types, list) else [types])


def party(document: Mapping[str, Any]) -> str | None:
    """The identifier of a credential's issuer or a presentation's holder, if it has one."""
    value = document.get("holder" if is_presentation(document) else "issuer")
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else None


def check_document(document: Mapping[str, Any], *, presentation: bool) -> tuple[Envelope, ...]:
    """Raise unless `document` may be secured; the credentials that a presentation envelops.

    Raises ModelViolation, EnvelopeMalformed, SecuredDocumentRefused.
    """
    # §3.1: "vc" and "vp" belong to version 1.1, where they would say something else again.
    if "vc" in document or "vp" in document:
        raise SecuredDocumentRefused(reason="it has a claim vc or vp")
    if not presentation:
        check_credential(document)
        return ()
    bare = {name: value for name, value in document.items() if name != "verifiableCredential"}
    check_presentation(bare)
    if "verifiableCredential" not in document:
        return ()
    entries = document["verifiableCredential"]
    listed = entries if isinstance(entries, list) else [entries]
    if len(listed) > MAX_CREDENTIALS:
        raise ModelViolation(pointer="/verifiableCredential", reason="it holds too many")
    envelopes = tuple(Envelope.parse(entry) for entry in listed)
    # §3.1.2: credentials in a presentation are secured, by an envelope.
    if any(envelope.is_presentation for envelope in envelopes):
        raise SecuredDocumentRefused(
            reason="it holds something else than an EnvelopedVerifiableCredential"
        )
    return envelopes


def check_issuer_claim(claims: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """§4.1.2: `iss`, where present, is the issuer, or the holder of a presentation."""
    if "iss" in claims and claims["iss"] != party(document):
        # A presentation whose holder stays unnamed has nothing that iss could contradict.
        if is_presentation(document) and party(document) is None:
            return
        raise SecuredDocumentRefused(reason="iss is another than the document names")


def refuse_unknown_members(document: Mapping[str, Any]) -> None:
    """Raise SecuredDocumentRefused for a member at the top that VCDM 2.0 does not define.

    A policy for issuers: VCDM leaves extension to contexts, and an issuer that uses none must not
    sign what it does not know.
    """
    if not document.keys() <= _MEMBERS:
        raise SecuredDocumentRefused(reason="it has a member that is not defined")
