"""The spellings of an SD-JWT: compact with `~`, and the two JSON serializations.

Guarantee: what is parsed has one meaning: a signed token, some disclosures, at most one key
binding. Nothing is verified here, and disclosures are not read.

Source: RFC 9901 §4 (compact form), §8 (JWS JSON serialization).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from credentials.errors import LimitExceeded, SdJwtMalformed
from credentials.sdjwt.unpacking import MAX_DISCLOSURES

MAX_SD_JWT: Final = 1024 * 1024
"""Characters of a whole SD-JWT: a signed token of 128 KiB and several pictures."""

MAX_SIGNATURES: Final = 8
"""Signatures of a general JSON serialization."""

_JWS_MEMBERS: Final = ("protected", "payload", "signature")


@dataclass(frozen=True, slots=True)
class SdJwt:
    """The parts of an SD-JWT, or of an SD-JWT+KB when `key_binding` is there. Unverified."""

    jwt: str
    disclosures: tuple[str, ...]
    key_binding: str | None = None

    @classmethod
    def parse(cls, text: str) -> SdJwt:
        """Read the compact form. Raises SdJwtMalformed, LimitExceeded."""
        if not isinstance(text, str):
            raise SdJwtMalformed(reason="it is not a text")
        if len(text) > MAX_SD_JWT:
            raise LimitExceeded(what="SD-JWT", limit=f"{MAX_SD_JWT} characters")
        if text.count("~") > MAX_DISCLOSURES + 1:
            raise LimitExceeded(what="number of disclosures", limit=MAX_DISCLOSURES)
        jwt, *parts = text.split("~")
        if not parts:
            raise SdJwtMalformed(reason="no tilde ends its signed part")
        key_binding = parts.pop() or None
        if not jwt or not all(parts):
            raise SdJwtMalformed(reason="one of its parts is empty")
        return cls(jwt, tuple(parts), key_binding)

    @property
    def bound_part(self) -> str:
        """What a key binding is a statement about: all up to the last tilde (§4.3.1)."""
        return "~".join((self.jwt, *self.disclosures, ""))

    def compact(self) -> str:
        """The compact form."""
        return self.bound_part + (self.key_binding or "")

    def flattened(self) -> dict[str, Any]:
        """The flattened JSON serialization (§8.2). Raises SdJwtMalformed."""
        parts = self.jwt.split(".")
        if len(parts) != len(_JWS_MEMBERS):
            raise SdJwtMalformed(reason="its signed part does not have three parts")
        members = dict(zip(_JWS_MEMBERS, parts, strict=True))
        return {**members, "header": self._header()}

    def general(self) -> dict[str, Any]:
        """The general JSON serialization with one signature (§8.3)."""
        members = self.flattened()
        return {"payload": members.pop("payload"), "signatures": [members]}

    def _header(self) -> dict[str, Any]:
        header: dict[str, Any] = {"disclosures": list(self.disclosures)}
        if self.key_binding is not None:
            header["kb_jwt"] = self.key_binding
        return header

    @classmethod
    def from_json(cls, document: object) -> SdJwt:
        """Read either JSON serialization. Raises SdJwtMalformed, LimitExceeded.

        Of several signatures the first counts: it carries the disclosures and the key binding
        (§8.3), and it is the one that the key binding is bound to. The others are not looked at.
        An unprotected header may hold `disclosures`, `kb_jwt` and `kid`, and no parameter that
        changes how the token is read.
        """
        if not isinstance(document, Mapping):
            raise SdJwtMalformed(reason="it is not an object")
        members: dict[str, Any] = dict(document)
        if "signatures" in members:
            signatures = members.pop("signatures")
            if (
                not isinstance(signatures, list)
                or not 1 <= len(signatures) <= MAX_SIGNATURES
                or not all(isinstance(one, Mapping) for one in signatures)
                or not members.keys() <= {"payload"}
            ):
                raise SdJwtMalformed(reason="its signatures are not a list of normal length")
            first, *others = signatures
            headers = [one.get("header", {}) for one in others]
            if not all(
                isinstance(one, Mapping) and one.keys().isdisjoint(("disclosures", "kb_jwt"))
                for one in headers
            ):
                raise SdJwtMalformed(reason="only its first signature may carry disclosures")
            members |= first
        header = members.pop("header", {})
        if members.keys() != set(_JWS_MEMBERS) or not isinstance(header, Mapping):
            raise SdJwtMalformed(reason="it lacks a member of a JSON signature, or has more")
        if not header.keys() <= {"disclosures", "kb_jwt", "kid"}:
            raise SdJwtMalformed(reason="its unprotected header has an unknown member")
        disclosures = header.get("disclosures", [])
        parts = [members[name] for name in _JWS_MEMBERS]
        key_binding = header.get("kb_jwt", "")
        if not isinstance(disclosures, list) or not all(
            isinstance(text, str) and "~" not in text
            for text in (*parts, *disclosures, key_binding)
        ):
            raise SdJwtMalformed(reason="a member is not a text")
        if "kb_jwt" in header and not key_binding:
            raise SdJwtMalformed(reason="one of its parts is empty")
        return cls.parse("~".join((".".join(parts), *disclosures, key_binding)))
