"""The VC Data Model 2.0: what makes an object a credential or a presentation.

Guarantee: a document that passes has the members that the model requires, in the shapes that it
allows, so code behind this check can read them without asking again. Errors name the place by
JSON pointer and never quote a value.

Not guaranteed: that anything in the document is true, signed, in force, or even defined by its
contexts. That is for proofs, the strict gate of canonicalization, schemas and status lists.

Source: Verifiable Credentials Data Model 2.0 (W3C Recommendation, 2025-05-15).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

from credentials.errors import CredentialExpired, CredentialNotYetValid, ModelViolation
from credentials.timestamps import format_timestamp, parse_timestamp
from schemas.names import CONTEXT_V2

MAX_URL: Final = 2048
"""Characters of an identifier; a did:key takes 60."""

_NO_SKEW: Final = timedelta(0)

# RFC 3986 §3 scheme, then no character that a URL cannot hold. What the rest means is not ours.
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f<>\"{}|\\^`]+")


def is_url(value: object) -> bool:
    """Whether `value` is an absolute URL (VCDM §4.4: a relative one names nothing)."""
    return isinstance(value, str) and len(value) <= MAX_URL and bool(_URL.fullmatch(value))


def check_credential(document: object) -> None:
    """Raise ModelViolation unless `document` is a credential (VCDM §4)."""
    credential = _object(document, "")
    _context(credential)
    _types(credential, "", "VerifiableCredential")
    _optional_id(credential, "")
    _display(credential)
    _party(credential, "issuer", required=True)
    _subjects(credential)
    start, end = validity_period(credential)
    if start is not None and end is not None and start > end:
        raise ModelViolation(pointer="/validUntil", reason="it lies before validFrom")
    for name, check in _TYPED:
        if name in credential:
            for pointer, entry in _entries(credential[name], f"/{name}"):
                check(entry, pointer)
    if "relatedResource" in credential:
        _related_resources(credential["relatedResource"])


def check_presentation(document: object) -> None:
    """Raise ModelViolation unless `document` is a presentation of credentials (VCDM §4.13)."""
    presentation = _object(document, "")
    _context(presentation)
    _types(presentation, "", "VerifiablePresentation")
    _optional_id(presentation, "")
    _party(presentation, "holder", required=False)
    if "termsOfUse" in presentation:
        for pointer, entry in _entries(presentation["termsOfUse"], "/termsOfUse"):
            _typed(entry, pointer)
    if "verifiableCredential" in presentation:
        pointer = "/verifiableCredential"
        for place, entry in _entries(presentation["verifiableCredential"], pointer):
            try:
                check_credential(entry)
            except ModelViolation as error:
                raise ModelViolation(
                    pointer=f"{place}{error.params['pointer']}", reason=error.params["reason"]
                ) from error


def validity_period(document: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """`validFrom` and `validUntil`; None where the document does not say. Raises ModelViolation.

    VCDM §4.9: both are dateTimeStamp values; the credential is valid at both ends.
    """
    return _instant(document, "validFrom"), _instant(document, "validUntil")


def check_validity(document: Mapping[str, Any], now: datetime, skew: timedelta = _NO_SKEW) -> None:
    """Raise CredentialNotYetValid or CredentialExpired unless `now` lies in the period.

    `skew` widens the period at both ends by how far clocks may differ.
    """
    start, end = validity_period(document)
    if start is not None and now + skew < start:
        raise CredentialNotYetValid(valid_from=format_timestamp(start))
    if end is not None and now - skew > end:
        raise CredentialExpired(valid_until=format_timestamp(end))


def issuer_id(credential: Mapping[str, Any]) -> str:
    """The issuer's identifier, from either form that §4.7 allows. Raises ModelViolation."""
    _party(credential, "issuer", required=True)
    issuer = credential["issuer"]
    return str(issuer if isinstance(issuer, str) else issuer["id"])


def credential_types(credential: Mapping[str, Any]) -> tuple[str, ...]:
    """`type` as a tuple. Raises ModelViolation."""
    return _type_names(credential, "")


def _object(value: object, pointer: str) -> Mapping[str, Any]:
    # Asking for the class first saves the slow question in nearly all cases.
    if value.__class__ is dict or isinstance(value, Mapping):
        return cast(Mapping[str, Any], value)
    raise ModelViolation(pointer=pointer or "/", reason="it is not an object")


def _entries(value: object, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One object or a list of objects, with the pointer to each. Nothing may be empty."""
    if isinstance(value, list):
        if not value:
            raise ModelViolation(pointer=pointer, reason="it is empty")
        for index, entry in enumerate(value):
            yield f"{pointer}/{index}", _filled(entry, f"{pointer}/{index}")
    else:
        yield pointer, _filled(value, pointer)


def _filled(value: object, pointer: str) -> Mapping[str, Any]:
    entry = _object(value, pointer)
    if not entry:
        raise ModelViolation(pointer=pointer, reason="it is empty")
    return entry


def _context(document: Mapping[str, Any]) -> None:
    # §4.3: an ordered set whose first item is the v2 context
    context = document.get("@context")
    if not isinstance(context, list) or not context or context[0] != CONTEXT_V2:
        raise ModelViolation(
            pointer="/@context", reason="it is not a list that begins with the v2 context"
        )
    for index, entry in enumerate(context):
        if not is_url(entry) and not isinstance(entry, Mapping):
            raise ModelViolation(
                pointer=f"/@context/{index}", reason="it is neither a URL nor an object"
            )


def _type_names(entry: Mapping[str, Any], pointer: str) -> tuple[str, ...]:
    # §4.5: one or more terms or absolute URLs
    value = entry.get("type")
    names = value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str) or not name:
            raise ModelViolation(pointer=f"{pointer}/type", reason="it is missing or not text")
    if not names:
        raise ModelViolation(pointer=f"{pointer}/type", reason="it is missing or not text")
    if len(names) > 1 and len(set(names)) != len(names):
        raise ModelViolation(pointer=f"{pointer}/type", reason="it names a type twice")
    return tuple(names)


def _types(entry: Mapping[str, Any], pointer: str, required: str) -> None:
    if required not in _type_names(entry, pointer):
        raise ModelViolation(pointer=f"{pointer}/type", reason=f"it does not name {required}")


def _optional_id(entry: Mapping[str, Any], pointer: str) -> None:
    # §4.4: a single absolute URL
    if "id" in entry and not is_url(entry["id"]):
        raise ModelViolation(pointer=f"{pointer}/id", reason="it is not an absolute URL")


def _required_id(entry: Mapping[str, Any], pointer: str) -> None:
    if "id" not in entry:
        raise ModelViolation(pointer=f"{pointer}/id", reason="it is missing")
    _optional_id(entry, pointer)


def _party(document: Mapping[str, Any], name: str, *, required: bool) -> None:
    # §4.7, §4.13: a URL, or an object whose id is one
    if name not in document:
        if required:
            raise ModelViolation(pointer=f"/{name}", reason="it is missing")
        return
    value = document[name]
    if is_url(value):
        return
    if isinstance(value, Mapping):
        _required_id(value, f"/{name}")
    else:
        raise ModelViolation(
            pointer=f"/{name}", reason="it is neither an absolute URL nor an object with one"
        )


def _subjects(credential: Mapping[str, Any]) -> None:
    # §4.8: one or more objects, each with something to say
    if "credentialSubject" not in credential:
        raise ModelViolation(pointer="/credentialSubject", reason="it is missing")
    for pointer, subject in _entries(credential["credentialSubject"], "/credentialSubject"):
        _optional_id(subject, pointer)


def _display(credential: Mapping[str, Any]) -> None:
    # §4.6, §11.1: text, or language value objects
    for name in ("name", "description"):
        if name not in credential:
            continue
        value = credential[name]
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str):
                continue
            if (
                not isinstance(entry, Mapping)
                or not isinstance(entry.get("@value"), str)
                or not {"@value", "@language", "@direction"}.issuperset(entry)
            ):
                raise ModelViolation(
                    pointer=f"/{name}", reason="it is neither text nor text with a language"
                )


def _instant(document: Mapping[str, Any], name: str) -> datetime | None:
    if name not in document:
        return None
    instant = parse_timestamp(document[name])
    if instant is None:
        raise ModelViolation(pointer=f"/{name}", reason="it is not a time with a time zone")
    return instant


def _typed(entry: Mapping[str, Any], pointer: str) -> None:
    _type_names(entry, pointer)
    _optional_id(entry, pointer)


def _typed_and_named(entry: Mapping[str, Any], pointer: str) -> None:
    _type_names(entry, pointer)
    _required_id(entry, pointer)


_TYPED: Final[tuple[tuple[str, Callable[[Mapping[str, Any], str], None]], ...]] = (
    ("credentialStatus", _typed),  # §4.10
    ("credentialSchema", _typed_and_named),  # §4.11
    ("refreshService", _typed),  # §5.4
    ("termsOfUse", _typed),  # §5.5
    ("evidence", _typed),  # §5.6
)


def _related_resources(value: object) -> None:
    # §5.3: each resource once, each with a digest
    seen: set[str] = set()
    for pointer, entry in _entries(value, "/relatedResource"):
        _required_id(entry, pointer)
        if entry["id"] in seen:
            raise ModelViolation(pointer=f"{pointer}/id", reason="the resource is listed twice")
        seen.add(entry["id"])
        digests = [entry[name] for name in ("digestSRI", "digestMultibase") if name in entry]
        if not digests or not all(isinstance(digest, str) and digest for digest in digests):
            raise ModelViolation(pointer=pointer, reason="it has no digest")
