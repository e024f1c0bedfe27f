"""Credentials of the data model 1.1, which the official suites still send.

Only the proof-only mode lets them in. They are checked for what a proof needs to mean anything:
a context that comes first, a type, an issuer, a date and a subject. The product has never issued
one and accepts none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from credentials.errors import ModelViolation
from credentials.model import is_url
from credentials.timestamps import parse_timestamp

CONTEXT_V1: Final = "https://www.w3.org/2018/credentials/v1"


def is_version_1(document: Mapping[str, Any]) -> bool:
    """Whether the first context is that of the data model 1.1 (VCDM 1.1 §4.1)."""
    context = document.get("@context")
    return isinstance(context, list) and bool(context) and context[0] == CONTEXT_V1


def check_version_1(credential: Mapping[str, Any]) -> None:
    """Raise ModelViolation unless `credential` has the required members of VCDM 1.1 §4."""
    kinds = credential.get("type")
    if "VerifiableCredential" not in (kinds if isinstance(kinds, list) else [kinds]):
        raise ModelViolation(pointer="/type", reason="it does not name VerifiableCredential")
    issuer = credential.get("issuer")
    if not is_url(issuer.get("id") if isinstance(issuer, Mapping) else issuer):
        raise ModelViolation(
            pointer="/issuer", reason="it is neither an absolute URL nor an object with one"
        )
    if "id" in credential and not is_url(credential["id"]):
        raise ModelViolation(pointer="/id", reason="it is not an absolute URL")
    for name in ("issuanceDate", "expirationDate"):
        if (name == "issuanceDate" or name in credential) and (
            parse_timestamp(credential.get(name)) is None
        ):
            raise ModelViolation(pointer=f"/{name}", reason="it is not a time with a time zone")
    subject = credential.get("credentialSubject")
    subjects = subject if isinstance(subject, list) else [subject]
    if not subjects or not all(isinstance(each, Mapping) and each for each in subjects):
        raise ModelViolation(pointer="/credentialSubject", reason="it is missing or empty")
