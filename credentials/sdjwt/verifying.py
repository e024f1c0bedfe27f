"""Verify an SD-JWT: RFC 9901 §7.1 for everybody, §7.2 on receipt, §7.3 at the verifier.

Guarantees, against holder and issuer: nothing is returned before the issuer's signature, every
disclosure, `exp`, `nbf` and `iat`, and (where asked for) the key binding were checked. Whether key
binding is needed is the caller's decision alone; what the token carries does not change it.

Not guaranteed: whose key it is. `key` comes from the caller; `credentials.sdjwt.vc` finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credentials.errors import KeyBindingUnexpected, TokenClaimMissing
from credentials.jose import UnverifiedJws, parse_compact
from credentials.keys import PublicKey
from credentials.sdjwt.binding import KeyBindingCheck, VerifiedKeyBinding, verify_key_binding
from credentials.sdjwt.paths import Path
from credentials.sdjwt.token import SdJwt
from credentials.sdjwt.unpacking import hash_name, unpack
from credentials.token_times import check_times

IssuerKey = PublicKey | Callable[[UnverifiedJws], PublicKey]
"""The issuer's key, or how to find it from the token's header and undisclosed claims."""


@dataclass(frozen=True)
class VerifiedSdJwt:
    """The processed claims of an SD-JWT that was verified, and what came with them."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    disclosed: tuple[Path, ...]
    issuer_key: PublicKey
    key_binding: VerifiedKeyBinding | None


def verify(
    token: str | SdJwt,
    *,
    key: IssuerKey,
    typ: str | None,
    now: datetime,
    key_binding: KeyBindingCheck | None,
    required: Iterable[str] = (),
    skew_s: float = 0,
) -> VerifiedSdJwt:
    """The claims that `token` proves at `now`.

    `typ` is the kind of token to accept; None takes any, for tokens without explicit types.
    With `key_binding` None a key binding is neither needed nor looked at. `required` are claims
    that must be there, disclosed (§9.7). `skew_s` is for the issuer's time claims.

    Raises the errors of parsing, `SignatureInvalid`, SdJwtDisclosureRefused, TokenExpired,
    TokenNotYetValid, TokenFromFuture, TokenClaimMissing and those of `verify_key_binding`.
    """
    parts = token if isinstance(token, SdJwt) else SdJwt.parse(token)
    signed = parse_compact(parts.jwt, typ=typ)
    issuer_key = key if isinstance(key, PublicKey) else key(signed)
    payload = signed.verify(issuer_key).payload  # §7.1 step 2
    claims, placed = unpack(payload, parts.disclosures)  # steps 3 to 5
    check_times(claims, now, skew_s)  # step 6
    for name in required:
        if name not in claims:
            raise TokenClaimMissing(claim=name)
    bound = None
    if key_binding is not None:
        bound = verify_key_binding(
            parts.key_binding, parts.bound_part, claims, hash_name(payload), key_binding, now
        )
    disclosed = tuple(one.path for one in placed)
    return VerifiedSdJwt(signed.header, claims, disclosed, issuer_key, bound)


def verify_issued(
    token: str | SdJwt, *, key: IssuerKey, typ: str | None, now: datetime, skew_s: float = 0
) -> VerifiedSdJwt:
    """`verify` for a holder who receives a credential: a key binding is refused (§7.2)."""
    parts = token if isinstance(token, SdJwt) else SdJwt.parse(token)
    if parts.key_binding is not None:
        raise KeyBindingUnexpected
    return verify(parts, key=key, typ=typ, now=now, key_binding=None, skew_s=skew_s)
