"""Shapes that members of credentials and presentations share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

from credentials.canonical.text import language_tag
from credentials.errors import LanguageTagInvalid, ModelViolation
from credentials.model.versions import CURRENT_MODEL, FIRST_CONTEXT, Model
from credentials.timestamps import parse_timestamp
from schemas.errors import Phrase

MAX_URL: Final = 2048
"""Characters of an identifier; a did:key takes 60, one of ML-DSA-44 1,760."""

# RFC 3986 §3 scheme, then no character that a URL cannot hold. What the rest means is not ours.
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f<>\"{}|\\^`]+")
_VALUE_OBJECT: Final = frozenset({"@value", "@language", "@direction"})


def is_url(value: object) -> bool:
    """Whether `value` is an absolute URL (VCDM §4.4: a relative one names nothing)."""
    return isinstance(value, str) and len(value) <= MAX_URL and bool(_URL.fullmatch(value))


def as_object(value: object, pointer: str) -> Mapping[str, Any]:
    # Asking for the class first saves the slow question in nearly all cases.
    if value.__class__ is dict or isinstance(value, Mapping):
        return cast(Mapping[str, Any], value)
    raise ModelViolation(pointer=pointer or "/", reason="it is not an object")


def entries(value: object, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """One object or a list of objects, with the pointer to each. Nothing may be empty."""
    if isinstance(value, list):
        if not value:
            raise ModelViolation(pointer=pointer, reason="it is empty")
        for index, entry in enumerate(value):
            yield f"{pointer}/{index}", _filled(entry, f"{pointer}/{index}")
    else:
        yield pointer, _filled(value, pointer)


def _filled(value: object, pointer: str) -> Mapping[str, Any]:
    entry = as_object(value, pointer)
    if not entry:
        raise ModelViolation(pointer=pointer, reason="it is empty")
    return entry


def check_context(
    document: Mapping[str, Any], models: frozenset[Model] = CURRENT_MODEL, pointer: str = ""
) -> Model:
    """§4.3: an ordered set whose first item is the base context. Answers the model it is of."""
    context = document.get("@context")
    first = context[0] if isinstance(context, list) and context else None
    model = FIRST_CONTEXT.get(first) if isinstance(first, str) else None
    if model is None or model not in models:
        raise ModelViolation(
            pointer=f"{pointer}/@context", reason="it is not a list that begins with the v2 context"
        )
    for index, entry in enumerate(context or ()):
        if not is_url(entry) and not isinstance(entry, Mapping):
            raise ModelViolation(
                pointer=f"{pointer}/@context/{index}", reason="it is neither a URL nor an object"
            )
    return model


def type_names(entry: Mapping[str, Any], pointer: str) -> tuple[str, ...]:
    """§4.5: one or more terms or absolute URLs."""
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


def check_type(entry: Mapping[str, Any], pointer: str, required: str) -> None:
    if required not in type_names(entry, pointer):
        raise ModelViolation(
            pointer=f"{pointer}/type",
            reason=Phrase("it does not name {required}", required=required),
        )


def optional_id(entry: Mapping[str, Any], pointer: str) -> None:
    """§4.4: a single absolute URL."""
    if "id" in entry and not is_url(entry["id"]):
        raise ModelViolation(pointer=f"{pointer}/id", reason="it is not an absolute URL")


def required_id(entry: Mapping[str, Any], pointer: str) -> None:
    if "id" not in entry:
        raise ModelViolation(pointer=f"{pointer}/id", reason="it is missing")
    optional_id(entry, pointer)


def typed(entry: Mapping[str, Any], pointer: str) -> None:
    type_names(entry, pointer)
    optional_id(entry, pointer)


def typed_and_named(entry: Mapping[str, Any], pointer: str) -> None:
    type_names(entry, pointer)
    required_id(entry, pointer)


def check_party(document: Mapping[str, Any], name: str, *, required: bool) -> None:
    """§4.7, §4.13: a URL, or an object whose id is one."""
    if name not in document:
        if required:
            raise ModelViolation(pointer=f"/{name}", reason="it is missing")
        return
    value = document[name]
    if is_url(value):
        return
    if isinstance(value, Mapping):
        required_id(value, f"/{name}")
        check_display(value, f"/{name}")
    else:
        raise ModelViolation(
            pointer=f"/{name}", reason="it is neither an absolute URL nor an object with one"
        )


def check_display(entry: Mapping[str, Any], pointer: str) -> None:
    """§4.6, §11.1: `name` and `description` are text, or language value objects."""
    for name in ("name", "description"):
        if name not in entry:
            continue
        value = entry[name]
        for each in value if isinstance(value, list) else (value,):
            if not isinstance(each, str):
                _value_object(each, f"{pointer}/{name}")
        if value == []:
            raise ModelViolation(pointer=f"{pointer}/{name}", reason="it is empty")


def _value_object(value: object, pointer: str) -> None:
    if (
        not isinstance(value, Mapping)
        or not isinstance(value.get("@value"), str)
        or not _VALUE_OBJECT.issuperset(value)
    ):
        raise ModelViolation(pointer=pointer, reason="it is neither text nor text with a language")
    if "@language" in value:
        try:
            language_tag(value["@language"], pointer)
        except LanguageTagInvalid as error:
            raise ModelViolation(pointer=pointer, reason="its language is none") from error
    if "@direction" in value and value["@direction"] not in ("ltr", "rtl"):
        raise ModelViolation(pointer=pointer, reason="its direction is none")


def check_proof_types(document: Mapping[str, Any]) -> None:
    """§4.12 with VC-DI §2.1: a proof has a type. All else about proofs is theirs to check."""
    proof = document.get("proof")
    for index, entry in enumerate(proof if isinstance(proof, list) else (proof,)):
        if isinstance(entry, Mapping) and entry.get("type") is None:
            place = f"/proof/{index}" if isinstance(proof, list) else "/proof"
            raise ModelViolation(pointer=f"{place}/type", reason="it is missing or not text")


def instant(document: Mapping[str, Any], name: str) -> datetime | None:
    """§4.9, §5.8: a dateTimeStamp; None where the document does not say."""
    if name not in document:
        return None
    found = parse_timestamp(document[name])
    if found is None:
        raise ModelViolation(pointer=f"/{name}", reason="it is not a time with a time zone")
    return found
