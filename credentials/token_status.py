"""Token Status List: 1, 2, 4 or 8 bits a token, in a signed JWT or CWT.

Guarantees: a list is read only from a token of the right kind, verified under a key of the
caller's choosing, in force at the caller's time and named as the referenced token names it; it is
unpacked up to a limit; what cannot be known is raised as an error whose exit code says
undetermined. 0 is the one value that means valid.

Not guaranteed: that the list is the newest. `issued_at` and `ttl_s` are returned for that.

Source: draft-ietf-oauth-status-list. The first entry stands in the lowest bits of the first byte,
the other way round than in a Bitstring Status List.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from credentials.cose import UnverifiedSign1, parse_sign1, sign1
from credentials.errors import (
    CborMalformed,
    CborTruncated,
    EncodingInvalid,
    LimitExceeded,
    StatusEntryMalformed,
    StatusIndexOutOfRange,
    StatusListExpired,
    StatusListMalformed,
    StatusListMismatch,
    StatusTypeUnsupported,
    TokenExpired,
)
from credentials.jose import UnverifiedJws, parse_compact, sign_compact
from credentials.keys import PublicKey, Signer
from credentials.multibase import base64url_decode, base64url_encode
from credentials.qr.cbor import Cbor, read, write
from credentials.token_times import check_times, numeric_date, seconds

JWT_TYPE: Final = "statuslist+jwt"
CWT_TYPE: Final = "application/statuslist+cwt"

VALID, INVALID, SUSPENDED, APPLICATION_SPECIFIC = 0, 1, 2, 3
"""Status types that the draft registers ("Status Types")."""

BITS: Final = (1, 2, 4, 8)
Bits = Literal[1, 2, 4, 8]
MAX_LIST: Final = 4 * 1024 * 1024
"""Bytes of an unpacked list: sixteen million tokens at two bits."""
MAX_PACKED: Final = 3 * 1024 * 1024
"""Bytes of a packed list."""
MAX_URI: Final = 2048
MAX_INDEX: Final = 8 * MAX_LIST

# CWT claims (RFC 8392 §4; the last three are requested by the draft).
_SUB, _EXP, _IAT, _STATUS_LIST, _TTL, _STATUS = 2, 4, 6, 65533, 65534, 65535


class TokenStatusList:
    """The values of one list, `bits` bits each."""

    __slots__ = ("_data", "bits")

    def __init__(self, bits: int, data: bytes | bytearray) -> None:
        """Raises StatusListMalformed, LimitExceeded."""
        if type(bits) is not int or bits not in BITS:
            raise StatusListMalformed(reason="bits is not 1, 2, 4 or 8")
        if len(data) > MAX_LIST:
            raise LimitExceeded(what="status list", limit=f"{MAX_LIST} bytes")
        self.bits: Final = bits
        self._data = bytearray(data)

    @classmethod
    def empty(cls, entries: int, bits: Bits = 1) -> TokenStatusList:
        """A list of `entries` valid tokens, rounded up to whole bytes."""
        return cls(bits, bytearray((entries * bits + 7) // 8))

    def __len__(self) -> int:
        return len(self._data) * 8 // self.bits

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, TokenStatusList) and self.bits == other.bits
        return same and self._data == cast("TokenStatusList", other)._data

    __hash__ = None  # type: ignore[assignment]  # mutable

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise StatusIndexOutOfRange
        at, inside = divmod(index * self.bits, 8)
        return at, inside

    def get(self, index: int) -> int:
        """The value at `index`. Raises StatusIndexOutOfRange."""
        at, inside = self._place(index)
        return (self._data[at] >> inside) & ((1 << self.bits) - 1)

    def set(self, index: int, value: int) -> None:
        """Write `value` at `index`. Raises StatusIndexOutOfRange, StatusListMalformed."""
        at, inside = self._place(index)
        mask = (1 << self.bits) - 1
        if not 0 <= value <= mask:
            raise StatusListMalformed(reason="a value does not fit its bits")
        self._data[at] = self._data[at] & ~(mask << inside) & 0xFF | value << inside

    def pack(self) -> bytes:
        """The list as DEFLATE data in the ZLIB format, packed as small as it goes."""
        return zlib.compress(bytes(self._data), 9)

    @classmethod
    def unpack(cls, bits: object, packed: bytes) -> TokenStatusList:
        """Read what `pack` wrote. Raises StatusListMalformed, LimitExceeded."""
        if len(packed) > MAX_PACKED:
            raise LimitExceeded(what="packed status list", limit=f"{MAX_PACKED} bytes")
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(packed, MAX_LIST + 1)
        except zlib.error as error:
            raise StatusListMalformed(reason="lst is not ZLIB data") from error
        if len(data) > MAX_LIST:
            raise LimitExceeded(what="status list", limit=f"{MAX_LIST} bytes")
        if not unpacker.eof or unpacker.unused_data:
            raise StatusListMalformed(reason="lst ends too early or too late")
        return cls(cast("int", bits), data)


@dataclass(frozen=True)
class StatusReference:
    """Where a token's status stands: `status.status_list` of a referenced token."""

    index: int
    uri: str

    def claim(self) -> dict[str, Any]:
        """The value of the claim `status`."""
        return {"status_list": {"idx": self.index, "uri": self.uri}}

    @classmethod
    def parse(cls, status: object) -> StatusReference:
        """Read the claim `status`. Raises StatusEntryMalformed, StatusTypeUnsupported.

        A `status` without `status_list` is of a kind that cannot be looked up here, which is not
        the same as having none.
        """
        if not isinstance(status, Mapping):
            raise StatusEntryMalformed(reason="it is not an object")
        if "status_list" not in status:
            raise StatusTypeUnsupported
        reference = status["status_list"]
        if not isinstance(reference, Mapping):
            raise StatusEntryMalformed(reason="status_list is not an object")
        index, uri = reference.get("idx"), reference.get("uri")
        if type(index) is not int or not 0 <= index <= MAX_INDEX:
            raise StatusEntryMalformed(reason="idx is not an index")
        return cls(index, _uri(uri))

    @classmethod
    def parse_cwt(cls, claims: Mapping[Any, Any]) -> StatusReference:
        """Read claim 65535 of a CWT's claims."""
        return cls.parse(claims.get(_STATUS))


def _uri(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_URI or ":" not in value:
        raise StatusEntryMalformed(reason="uri is not a URI")
    return value


@dataclass(frozen=True)
class VerifiedStatusList:
    """A list that was verified: where it belongs, its values, and how old it may get."""

    uri: str
    values: TokenStatusList
    issued_at: float
    expires: float | None
    ttl_s: float | None

    def status(self, reference: StatusReference) -> int:
        """The status that `reference` points to.

        Raises StatusListMismatch, StatusIndexOutOfRange.
        """
        if reference.uri != self.uri:
            raise StatusListMismatch
        return self.values.get(reference.index)

    def needs_refresh(self, fetched_at: datetime, now: datetime) -> bool:
        """Whether `ttl` has passed since the list was fetched."""
        return self.ttl_s is not None and seconds(now) > seconds(fetched_at) + self.ttl_s


def sign_status_list_jwt(
    values: TokenStatusList,
    *,
    uri: str,
    issued_at: datetime,
    signer: Signer,
    kid: str | None = None,
    expires: datetime | None = None,
    ttl_s: int | None = None,
    extra_header: Mapping[str, Any] | None = None,
) -> str:
    """A status list token as a JWT. Raises StatusEntryMalformed, StatusListMalformed."""
    payload: dict[str, Any] = {"sub": _uri(uri), "iat": int(seconds(issued_at))}
    payload |= _lifetime(expires, ttl_s, "exp", "ttl")
    payload["status_list"] = {"bits": values.bits, "lst": base64url_encode(values.pack())}
    return sign_compact(payload, typ=JWT_TYPE, signer=signer, kid=kid, extra_header=extra_header)


def sign_status_list_cwt(
    values: TokenStatusList,
    *,
    uri: str,
    issued_at: datetime,
    signer: Signer,
    kid: bytes | None = None,
    expires: datetime | None = None,
    ttl_s: int | None = None,
) -> bytes:
    """A status list token as a CWT in COSE_Sign1. Raises StatusEntryMalformed."""
    claims: dict[int | str, Cbor] = {_SUB: _uri(uri), _IAT: int(seconds(issued_at))}
    claims |= _lifetime(expires, ttl_s, _EXP, _TTL)
    claims[_STATUS_LIST] = {"bits": values.bits, "lst": values.pack()}
    header: dict[int, Cbor] = {} if kid is None else {4: kid}
    return sign1(write(claims), typ=CWT_TYPE, signer=signer, header=header)


def _lifetime(expires: datetime | None, ttl_s: int | None, exp: Any, ttl: Any) -> dict[Any, int]:
    if ttl_s is not None and ttl_s <= 0:
        raise StatusListMalformed(reason="ttl is not positive")
    ends = {} if expires is None else {exp: int(seconds(expires))}
    return ends if ttl_s is None else {**ends, ttl: ttl_s}


def verify_status_list_jwt(
    token: str,
    *,
    key: PublicKey | Callable[[UnverifiedJws], PublicKey],
    now: datetime,
    skew_s: float = 0,
) -> VerifiedStatusList:
    """Verify a status list token in JWT form ("Validation Rules" steps 3 to 5).

    Raises StatusListMalformed, StatusListExpired, TokenFromFuture, SignatureInvalid and the errors
    of `credentials.jose`.
    """
    signed = parse_compact(token, typ=JWT_TYPE)
    payload = signed.verify(key if isinstance(key, PublicKey) else key(signed)).payload
    packed = payload.get("status_list")
    if not isinstance(packed, Mapping) or not isinstance(text := packed.get("lst"), str):
        raise StatusListMalformed(reason="status_list is missing")
    try:
        data = base64url_decode(text)
    except EncodingInvalid as error:
        raise StatusListMalformed(reason="lst is not base64url") from error
    values = TokenStatusList.unpack(packed.get("bits"), data)
    return _checked(payload, values, now, skew_s)


def verify_status_list_cwt(
    token: bytes,
    *,
    key: PublicKey | Callable[[UnverifiedSign1], PublicKey],
    now: datetime,
    skew_s: float = 0,
) -> VerifiedStatusList:
    """Verify a status list token in CWT form. Raises like the JWT form, CoseMalformed and so on."""
    signed = parse_sign1(token, typ=CWT_TYPE)
    content = signed.verify(key if isinstance(key, PublicKey) else key(signed)).payload
    try:
        claims = read(content, limit=MAX_PACKED + 4096)
    except (CborMalformed, CborTruncated) as error:
        raise StatusListMalformed(reason="its claims are not strict CBOR") from error
    if not isinstance(claims, dict):
        raise StatusListMalformed(reason="its claims are not a map")
    packed = claims.get(_STATUS_LIST)
    if not isinstance(packed, dict) or not isinstance(data := packed.get("lst"), bytes):
        raise StatusListMalformed(reason="status_list is missing")
    values = TokenStatusList.unpack(packed.get("bits"), data)
    names = {_SUB: "sub", _IAT: "iat", _EXP: "exp", _TTL: "ttl"}
    named = {names[claim]: claims[claim] for claim in names if claim in claims}
    return _checked(named, values, now, skew_s)


def _checked(
    claims: Mapping[str, Any], values: TokenStatusList, now: datetime, skew_s: float
) -> VerifiedStatusList:
    uri, issued_at = claims.get("sub"), numeric_date(claims, "iat")
    if not isinstance(uri, str) or not uri:
        raise StatusListMalformed(reason="sub is missing")
    if issued_at is None:
        raise StatusListMalformed(reason="iat is missing")
    ttl = claims.get("ttl")
    if "ttl" in claims and (type(ttl) not in (int, float) or ttl is None or not ttl > 0):
        raise StatusListMalformed(reason="ttl is not positive")
    try:
        check_times(claims, now, skew_s)
    except TokenExpired as error:
        # An old list is not a reason to reject a credential, but knowledge that is missing.
        raise StatusListExpired from error
    return VerifiedStatusList(uri, values, issued_at, numeric_date(claims, "exp"), ttl)
