"""Signed notes and verifier keys, c2sp.org/signed-note.

Guarantees that a `VerifiedNote` was signed by at least one of the keys given, that no signature
of a given key in it is wrong, and that its text is exactly what was signed. Unknown signatures
are carried along and mean nothing. Notes are for machines: nothing here makes text fit to show.

A `Note` is only parsed; a `VerifiedNote` is verified. They are different types on purpose.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from registry import cosignature
from registry.errors import KeyMalformed, NoteForged, NoteMalformed, NoteUnsigned
from registry.limits import MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES

ED25519: Final = 0x01
ED25519_COSIGNATURE: Final = 0x04
_DASH: Final = "\u2014 "


def strict_base64(text: str) -> bytes:
    """RFC 4648 §4 with padding, no other character and no stray bits; raises `ValueError`."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 is not canonical")
    return data


def _valid_name(name: str) -> bool:
    # signed-note, "Format": non-empty, neither Unicode spaces nor a plus; no control characters.
    return bool(name) and not any(c == "+" or c.isspace() or ord(c) < 0x20 for c in name)


def _verify_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Verification:
    """What a valid signature says beside its existence."""

    timestamp: int | None = None


def _check_plain(public: bytes, text: str, blob: bytes) -> Verification | None:
    return Verification() if _verify_ed25519(public, text.encode(), blob) else None


def _check_cosignature(public: bytes, text: str, blob: bytes) -> Verification | None:
    parts = cosignature.unpack(blob)
    if parts is None:
        return None
    timestamp, signature = parts
    if not _verify_ed25519(public, cosignature.cosigned_message(timestamp, text), signature):
        return None
    return Verification(timestamp)


@dataclass(frozen=True)
class _SignatureType:
    public_bytes: int
    check: Callable[[bytes, str, bytes], Verification | None]


# One row a signature type; another type is another row.
_TYPES: Final[Mapping[int, _SignatureType]] = {
    ED25519: _SignatureType(32, _check_plain),
    ED25519_COSIGNATURE: _SignatureType(32, _check_cosignature),
}


@dataclass(frozen=True)
class VerifierKey:
    """A vkey: name, signature type and public key. Raises `KeyMalformed`."""

    name: str
    type: int
    public: bytes

    def __post_init__(self) -> None:
        if not _valid_name(self.name):
            raise KeyMalformed(reason="its name is empty or has a space, a plus or a control")
        if any("\ud800" <= c <= "\udfff" for c in self.name):
            raise KeyMalformed(reason="it is not UTF-8")  # octets of a policy file
        kind = _TYPES.get(self.type)
        if kind is None:
            raise KeyMalformed(reason="its signature type is not supported")
        if len(self.public) != kind.public_bytes:
            raise KeyMalformed(reason="its public key has the wrong length")

    @cached_property
    def id(self) -> int:
        """signed-note, "Signatures": SHA-256(name || 0x0A || type || public key)[:4]."""
        data = self.name.encode() + b"\n" + bytes([self.type]) + self.public
        return int.from_bytes(sha256(data).digest()[:4], "big")

    def encode(self) -> str:
        """`name+hex(id)+base64(type || public key)`."""
        material = base64.b64encode(bytes([self.type]) + self.public).decode()
        return f"{self.name}+{self.id:08x}+{material}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Raises `KeyMalformed`."""
        parts = vkey.split("+", 2)  # base64 may hold a plus, a name may not
        if len(parts) != 3 or not re.fullmatch("[0-9a-f]{8}", parts[1]):
            raise KeyMalformed(reason="it is not name, id and key with a plus between")
        try:
            material = strict_base64(parts[2])
        except ValueError as error:
            raise KeyMalformed(reason="its base64 is wrong") from error
        if not material:
            raise KeyMalformed(reason="it has no key")
        key = cls(parts[0], material[0], material[1:])
        if f"{key.id:08x}" != parts[1]:
            raise KeyMalformed(reason="its id does not fit its name and key")
        return key


@dataclass(frozen=True)
class NoteSignature:
    """One signature line, unverified."""

    name: str
    key_id: int
    blob: bytes

    def line(self) -> str:
        data = base64.b64encode(self.key_id.to_bytes(4, "big") + self.blob).decode()
        return f"{_DASH}{self.name} {data}\n"

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """A signature line without its newline; raises `NoteMalformed`."""
        name, gap, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not gap or not _valid_name(name):
            raise NoteMalformed(reason="a signature line is not dash, name and base64")
        try:
            data = strict_base64(encoded)
        except ValueError as error:
            raise NoteMalformed(reason="the base64 of a signature is wrong") from error
        if len(data) < 5:
            raise NoteMalformed(reason="a signature is too short")
        return cls(name, int.from_bytes(data[:4], "big"), data[4:])


@dataclass(frozen=True)
class VerifiedSignature:
    """A signature that `key` made over the text of its note."""

    key: VerifierKey
    timestamp: int | None


@dataclass(frozen=True)
class VerifiedNote:
    """A text and the signatures of known keys, all of which verified (at least one)."""

    text: str
    signatures: tuple[VerifiedSignature, ...]

    def by(self, key: VerifierKey) -> tuple[VerifiedSignature, ...]:
        return tuple(s for s in self.signatures if s.key == key)


def _checked_text(text: str) -> str:
    if not text.endswith("\n"):
        raise NoteMalformed(reason="its text does not end in a newline")
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise NoteMalformed(reason="it has a control character")
    return text


@dataclass(frozen=True)
class Note:
    """A parsed note, unverified: text with its final newline, and signature lines."""

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Strictly as signed-note, "Format"; raises `NoteMalformed`."""
        if len(data) > MAX_NOTE_BYTES:
            raise NoteMalformed(reason="it is too large")
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NoteMalformed(reason="it is not UTF-8") from error
        text, blank, lines = whole.rpartition("\n\n")
        if not blank:
            raise NoteMalformed(reason="no blank line parts text and signatures")
        text = _checked_text(text + "\n")
        _checked_text(lines)
        rows = lines[:-1].split("\n")
        if len(rows) > MAX_NOTE_SIGNATURES:
            raise NoteMalformed(reason="it has too many signatures")
        return cls(text, tuple(NoteSignature.parse(row) for row in rows))

    def encode(self) -> bytes:
        """Raises `NoteMalformed` for a text that a note cannot carry, or without a signature."""
        if not self.signatures:
            raise NoteMalformed(reason="it has no signature")
        lines = "".join(s.line() for s in self.signatures)
        return f"{_checked_text(self.text)}\n{lines}".encode()

    def with_signatures(self, added: Iterable[NoteSignature]) -> Note:
        """This note and `added`, each (name, id) once; the first one stays."""
        lines = {(s.name, s.key_id): s for s in reversed((*self.signatures, *added))}
        return Note(self.text, tuple(reversed(lines.values())))

    def verify(self, keys: Iterable[VerifierKey]) -> VerifiedNote:
        """Check every signature of a known key.

        Raises `NoteForged` when one fails and `NoteUnsigned` when there is none (signed-note,
        "Signatures": the first is a SHOULD and the second a MUST; here both are).
        """
        known = {(key.name, key.id): key for key in keys}
        verified = []
        for line in self.signatures:
            key = known.get((line.name, line.key_id))
            if key is None:
                continue
            result = _TYPES[key.type].check(key.public, self.text, line.blob)
            if result is None:
                raise NoteForged(name=key.name)
            verified.append(VerifiedSignature(key, result.timestamp))
        if not verified:
            raise NoteUnsigned()
        return VerifiedNote(self.text, tuple(verified))


@dataclass(frozen=True)
class NoteSigner:
    """Signs note texts as `key`; `sign_bytes` is the raw Ed25519 operation and keeps the secret.

    A key from elsewhere fits as `NoteSigner(VerifierKey(name, ED25519, raw public), key.sign)`.
    """

    key: VerifierKey
    sign_bytes: Callable[[bytes], bytes]

    @classmethod
    def from_seed(cls, name: str, seed: bytes, type: int = ED25519) -> NoteSigner:
        """From the 32 bytes of an Ed25519 private key (RFC 8032 §5.1.5)."""
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public = private.public_key().public_bytes_raw()
        return cls(VerifierKey(name, type, public), private.sign)

    def sign(self, text: str, timestamp: int | None = None) -> NoteSignature:
        """A signature line over `text`; a cosignature needs its POSIX `timestamp`."""
        if self.key.type == ED25519_COSIGNATURE:
            if timestamp is None:
                raise ValueError("a cosignature has a timestamp")
            message = cosignature.cosigned_message(timestamp, text)
            blob = cosignature.pack(timestamp, self.sign_bytes(message))
        else:
            if timestamp is not None:
                raise ValueError("a plain signature has no timestamp")
            blob = self.sign_bytes(text.encode())
        return NoteSignature(self.key.name, self.key.id, blob)
