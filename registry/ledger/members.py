"""What may stand in a member of an entry, and how it is written: names, digests, times, keys."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import rfc8785

from credentials.dids import ASSERTION, DidDocument, did_key
from credentials.errors import CredentialError
from credentials.keys import PublicKey
from registry.errors import KeyMalformed
from registry.limits import MAX_POLICY_TEXT
from registry.tlog.note import ED25519, ED25519_COSIGNATURE, ML_DSA_44, VerifierKey
from schemas.digests import SHA2_256_HEADER, digest_multibase

MAX_TEXT: Final = 400  # characters of a text for people
MAX_NAME: Final = 512  # characters of a DID, URL or origin
MAX_KEY: Final = 2560  # characters of a verifier key; that of ML-DSA-44 takes 1,752 and its name
MAX_DEPTH: Final = 16  # nesting; a DID document needs 5
MIN_INTERVAL_MS: Final = 10
MAX_INTERVAL_MS: Final = 24 * 60 * 60 * 1000
MAX_ANCHOR_DELAY_S: Final = 30 * 24 * 60 * 60
MAX_SAFE_INTEGER: Final = 2**53 - 1  # I-JSON


class Purpose(StrEnum):
    """What a chain is for; it decides which kinds it takes."""

    MAIN = "main"
    ANCHORS = "anchors"
    STATUS = "status"
    ACCESS = "access"


# Encodings


def encode_digest(digest: bytes) -> str:
    """Multibase base64url without padding: `u` and the text."""
    return "u" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def decode_digest(text: str, length: int | None = None) -> bytes:
    """The bytes behind `encode_digest`; ValueError for any other spelling."""
    if not text.startswith("u"):
        raise ValueError("not multibase base64url")
    body = text[1:]
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if encode_digest(raw) != text:
        raise ValueError("not canonical base64url")
    if length is not None and len(raw) != length:
        raise ValueError(f"not {length} bytes")
    return raw


def encode_time(moment: datetime) -> str:
    """`2026-11-22T09:00:00Z`: UTC, whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def decode_time(text: str) -> datetime:
    """The moment behind `encode_time`; ValueError for any other spelling."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("not canonical") from error
    if moment.tzinfo is not UTC or encode_time(moment) != text:
        raise ValueError("not canonical")
    return moment


def document_digest(document: Mapping[str, Any]) -> str:
    """The digest of a JSON document: `digestMultibase` of its canonical form."""
    return digest_multibase(rfc8785.dumps(dict(document)))


# Checks of single members: True when the value is allowed

Check = Callable[[Any], bool]

DID = re.compile(r"did:(?:web|key):[A-Za-z0-9._:%-]{1,400}")
_ORIGIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?(?:/[a-z0-9](?:[a-z0-9-]{0,62}))+")
_NETWORK = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?")
_URL = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]{1,500}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,126}")
_POINTER = re.compile(r"(?:/(?:[^~/\x00-\x1f]|~[01]){1,80}){1,16}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})")
_LANGUAGES = frozenset({"zh-CN", "en"})


def _matches(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _passes(decode: Callable[[str], object]) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            decode(value)
        except ValueError:
            return False
        return True

    return check


def list_of(check: Check, *, least: int, most: int) -> Check:
    def run(value: Any) -> bool:
        return (
            isinstance(value, list)
            and least <= len(value) <= most
            and all(check(item) for item in value)
            and len({json.dumps(item, sort_keys=True) for item in value}) == len(value)
        )

    return run


def or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def one_of(*values: str) -> Check:
    return lambda value: isinstance(value, str) and value in values


def is_text(value: Any) -> bool:
    """A line for people: no control characters, neither empty nor padded."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_TEXT
        and value.strip() == value
        and value.isprintable()
    )


def is_texts(value: Any) -> bool:
    """A text in both languages of the interface."""
    return (
        isinstance(value, dict)
        and set(value) == _LANGUAGES
        and all(is_text(text) for text in value.values())
    )


def is_size(value: Any) -> bool:
    """A tree size or index: an integer, never a boolean."""
    return type(value) is int and 0 <= value <= MAX_SAFE_INTEGER


def is_count(value: Any) -> bool:
    """A number of things that are there."""
    return is_size(value) and value >= 1


def is_key_name(value: Any) -> bool:
    """The URL of a verification method, which whoever resolves it judges."""
    return isinstance(value, str) and 0 < len(value) <= 2 * MAX_NAME


def _multihash(text: str) -> bytes:
    raw = decode_digest(text, 34)
    if not raw.startswith(SHA2_256_HEADER):
        raise ValueError("not SHA2-256")
    return raw


def _signature(text: str) -> bytes:
    raw = decode_digest(text)
    if len(raw) not in (64, 96):  # Ed25519 and P-256; P-384
        raise ValueError("no signature has this length")
    return raw


is_did: Final = _matches(DID)
is_origin: Final = _matches(_ORIGIN)
is_network: Final = _matches(_NETWORK)
is_url: Final = _matches(_URL)
is_name: Final = _matches(_NAME)
is_slug: Final = _matches(_SLUG)
is_pointer: Final = _matches(_POINTER)
is_time: Final = _passes(decode_time)
is_hash: Final = _passes(lambda text: decode_digest(text, 32))
is_digest: Final = _passes(_multihash)
is_signature: Final = _passes(_signature)


def _is_vkey(signature_type: int) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, str) or len(value) > MAX_KEY:
            return False
        try:
            key = VerifierKey.parse(value)
        except KeyMalformed:
            return False
        return key.type == signature_type and is_name(key.name)

    return check


is_log_key: Final = _is_vkey(ED25519)
is_node_key: Final = _is_vkey(ED25519_COSIGNATURE)
is_ml_dsa_key: Final = _is_vkey(ML_DSA_44)


def is_did_document(value: Any) -> bool:
    """A DID document that the kernel accepts, with at least one key for assertions."""
    try:
        return bool(DidDocument.parse(value).relationships[ASSERTION])
    except CredentialError:
        return False


def approver_key(did: str) -> PublicKey:
    """The Ed25519 key that a node approves contracts with; ValueError for anything else."""
    try:
        key = PublicKey.from_multikey(did.removeprefix("did:key:"))
    except CredentialError as error:
        raise ValueError("not a key") from error
    if key.type != "Ed25519" or did_key(key) != did:
        raise ValueError("not a did:key of Ed25519")
    return key


is_approver: Final = _passes(approver_key)


def is_node(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"name", "title", "vkey"} <= set(value)
        and set(value) <= {"name", "title", "vkey", "mlDsaKey", "approver"}
        and is_name(value["name"])
        and is_texts(value["title"])
        and is_node_key(value["vkey"])
        and ("mlDsaKey" not in value or is_ml_dsa_key(value["mlDsaKey"]))
        and ("approver" not in value or is_approver(value["approver"]))
    )


def is_batch(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"interval", "size"}
        and is_size(value["interval"])
        and MIN_INTERVAL_MS <= value["interval"] <= MAX_INTERVAL_MS
        and is_size(value["size"])
        and value["size"] >= 1
    )


def is_approval(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"node", "sig"}
        and is_name(value["node"])
        and is_signature(value["sig"])
    )


def is_policy(value: Any) -> bool:
    # Whether Cedar can read it is judged with the other rules: `registry.contracts`.
    return isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) <= MAX_POLICY_TEXT


def is_prefix(value: Any) -> bool:
    return is_url(value) and value.endswith("/") and value.count("/") > 2
