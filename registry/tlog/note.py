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

from credentials.errors import KeyInvalid, SignatureInvalid
from credentials.keys import KeyType, PrivateKey, PublicKey
from registry.errors import KeyMalformed, NoteForged, NoteMalformed, NoteUnsigned
from registry.limits import MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES
from registry.tlog import cosignature
from registry.tlog.lines import split_head, strict_base64

ED25519: Final = 0x01
ED25519_COSIGNATURE: Final = 0x04
ML_DSA_44: Final = 0x06
"""A timestamped cosignature of a tree, by a witness or by the log itself (then without a time)."""
LOG_TYPES: Final = frozenset({ED25519, ML_DSA_44})
"""How a log signs its checkpoints: tlog-tiles asks for the first, tlog-checkpoint for the other."""
COSIGNER_TYPES: Final = frozenset({ED25519_COSIGNATURE, ML_DSA_44})
_DASH: Final = "\u2014 "


def _valid_name(name: str) -> bool:
    # signed-note, "Format": non-empty, neither Unicode spaces nor a plus; no control characters.
    return bool(name) and not any(c == "+" or c.isspace() or ord(c) < 0x20 for c in name)


@dataclass(frozen=True)
class Verification:
    """What a valid signature says beside its existence."""

    timestamp: int | None = None


def _check_plain(key: VerifierKey, text: str, blob: bytes) -> Verification:
    key.loaded.verify(blob, text.encode())
    return Verification()


def _check_cosignature(key: VerifierKey, text: str, blob: bytes) -> Verification:
    timestamp, signature = cosignature.unpack(blob)
    key.loaded.verify(signature, cosignature.cosigned_message(timestamp, text))
    return Verification(timestamp)


def _head_message(name: str, timestamp: int, text: str) -> bytes:
    origin, size, root, extensions = split_head(text)
    if extensions:
        raise ValueError("extension lines would be signed by nobody")
    return cosignature.subtree_message(name, timestamp, origin, 0, size, root)


def _check_ml_dsa(key: VerifierKey, text: str, blob: bytes) -> Verification:
    timestamp, signature = cosignature.unpack(blob)
    key.loaded.verify(signature, _head_message(key.name, timestamp, text))
    return Verification(timestamp)


@dataclass(frozen=True)
class _SignatureType:
    key_type: KeyType
    check: Callable[[VerifierKey, str, bytes], Verification]
    """Raises ValueError or SignatureInvalid."""


# One row a signature type; another type is another row.
_TYPES: Final[Mapping[int, _SignatureType]] = {
    ED25519: _SignatureType("Ed25519", _check_plain),
    ED25519_COSIGNATURE: _SignatureType("Ed25519", _check_cosignature),
    ML_DSA_44: _SignatureType("ML-DSA-44", _check_ml_dsa),
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
        try:
            _ = self.loaded
        except KeyInvalid as error:
            raise KeyMalformed(reason="its public key is none of its type") from error

    @cached_property
    def loaded(self) -> PublicKey:
        """The key, ready to verify with."""
        return PublicKey(_TYPES[self.type].key_type, self.public)

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


_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")  # all but the newline


def _checked_text(text: str) -> str:
    if not text.endswith("\n"):
        raise NoteMalformed(reason="its text does not end in a newline")
    if _CONTROL.search(text):
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
            try:
                result = _TYPES[key.type].check(key, self.text, line.blob)
            except (SignatureInvalid, ValueError) as error:
                raise NoteForged(name=key.name) from error
            verified.append(VerifiedSignature(key, result.timestamp))
        if not verified:
            raise NoteUnsigned()
        return VerifiedNote(self.text, tuple(verified))


@dataclass(frozen=True)
class NoteSigner:
    """Signs note texts as `key`; `sign_bytes` is the raw operation and keeps the secret.

    A key from elsewhere fits as `NoteSigner(VerifierKey(name, ED25519, raw public), key.sign)`.
    `beside` are further signers of one and the same party: a log that signs by Ed25519 and by
    ML-DSA-44 is one signer beside another.
    """

    key: VerifierKey
    sign_bytes: Callable[[bytes], bytes]
    beside: tuple[NoteSigner, ...] = ()

    @classmethod
    def of(cls, name: str, type: int, key: PrivateKey) -> NoteSigner:
        """`key` under a name; raises KeyMalformed when it is not of this signature type."""
        return cls(VerifierKey(name, type, key.public_key.raw), key.sign)

    @classmethod
    def from_seed(cls, name: str, seed: bytes, type: int = ED25519) -> NoteSigner:
        """From the 32 bytes of an Ed25519 private key (RFC 8032 §5.1.5), or ML-DSA-44's seed."""
        return cls.of(name, type, PrivateKey.from_bytes(_TYPES[type].key_type, seed))

    @property
    def all(self) -> tuple[NoteSigner, ...]:
        """This signer and those beside it."""
        return (self, *self.beside)

    def lines(self, text: str, timestamp: int | None = None) -> tuple[NoteSignature, ...]:
        """What every signer of this party says."""
        return tuple(signer.sign(text, timestamp) for signer in self.all)

    def sign(self, text: str, timestamp: int | None = None) -> NoteSignature:
        """A signature line over `text` by this key alone; a cosigner gives its POSIX `timestamp`.

        A log signs without: for ML-DSA-44 that is the time 0, which states nothing about it
        (tlog-cosignature), so that no clock can make a log say what is not so.
        """
        if self.key.type == ED25519:
            if timestamp is not None:
                raise ValueError("a plain signature has no timestamp")
            blob = self.sign_bytes(text.encode())
        elif self.key.type == ML_DSA_44:
            moment = timestamp or 0
            blob = cosignature.pack(
                moment, self.sign_bytes(_head_message(self.key.name, moment, text))
            )
        else:
            if timestamp is None:
                raise ValueError("a cosignature has a timestamp")
            message = cosignature.cosigned_message(timestamp, text)
            blob = cosignature.pack(timestamp, self.sign_bytes(message))
        return NoteSignature(self.key.name, self.key.id, blob)

    def can_cosign(self, text: str) -> bool:
        """Whether this key can cosign a checkpoint's text.

        The structure that ML-DSA-44 signs has no room for names of more than 255 bytes, nor for
        extension lines (`registry.tlog.cosignature`).
        """
        if self.key.type == ML_DSA_44:
            try:
                _head_message(self.key.name, 1, text)
            except ValueError:
                return False
        return self.key.type in COSIGNER_TYPES

    def sign_subtree(self, origin: str, start: int, end: int, digest: bytes) -> NoteSignature:
        """A line on the subtree [start, end) of a log, without a time (tlog-witness).

        ValueError for a key that cannot speak of subtrees.
        """
        if self.key.type != ML_DSA_44:
            raise ValueError("only ML-DSA-44 speaks of subtrees")
        message = cosignature.subtree_message(self.key.name, 0, origin, start, end, digest)
        return NoteSignature(
            self.key.name, self.key.id, cosignature.pack(0, self.sign_bytes(message))
        )


def check_subtree(
    key: VerifierKey, line: NoteSignature, origin: str, start: int, end: int, digest: bytes
) -> bool:
    """Whether `line` is a cosignature of `key` on the subtree [start, end) of a log."""
    if key.type != ML_DSA_44 or (line.name, line.key_id) != (key.name, key.id):
        return False
    try:
        timestamp, signature = cosignature.unpack(line.blob)
        message = cosignature.subtree_message(key.name, timestamp, origin, start, end, digest)
        key.loaded.verify(signature, message)
    except (SignatureInvalid, ValueError):
        return False
    return True
