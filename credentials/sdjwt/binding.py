"""Key binding: the holder's signature over what is shown, to whom, and when.

Guarantees: a key binding that passes was made by the key that the issuer named in `cnf`, for this
audience and nonce, over exactly these disclosures, within the last minutes of the caller's clock.

Not guaranteed: that a nonce is used once. The verifier must forget it when it was answered.

Source: RFC 9901 §4.3, §7.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from credentials.errors import (
    AudienceMismatch,
    JwsMalformed,
    KeyBindingMismatch,
    KeyBindingMissing,
    KeyBindingStale,
    KeyInvalid,
    NonceMismatch,
    SdJwtMalformed,
)
from credentials.jose import parse_compact, sign_compact
from credentials.keys import PublicKey, Signer
from credentials.sdjwt.disclosure import HASHES, digest
from credentials.token_times import check_times, numeric_date, seconds

KEY_BINDING_TYPE: Final = "kb+jwt"
DEFAULT_MAX_AGE_S: Final = 300
"""Seconds between the holder's consent and the verifier's check."""
DEFAULT_SKEW_S: Final = 60
"""Seconds by which a holder's clock may run ahead."""
_KEPT: Final = 256


@dataclass(frozen=True)
class KeyBinding:
    """What a holder binds a presentation to. `issued_at` is the caller's clock."""

    signer: Signer
    audience: str
    nonce: str
    issued_at: datetime


@dataclass(frozen=True)
class KeyBindingCheck:
    """What a verifier expects of a key binding."""

    audience: str
    nonce: str
    max_age_s: int = DEFAULT_MAX_AGE_S
    skew_s: int = DEFAULT_SKEW_S


@dataclass(frozen=True)
class VerifiedKeyBinding:
    """A key binding that passed: whose key, and when."""

    holder: PublicKey
    issued_at: float
    claims: Mapping[str, Any]


def confirmation_key(claims: Mapping[str, Any]) -> PublicKey:
    """The holder's key as the issuer wrote it (§4.1.2, RFC 7800 §3.2).

    Raises KeyBindingMissing where there is none, SdJwtMalformed where it cannot be read.
    """
    confirmation = claims.get("cnf")
    if confirmation is None:
        raise KeyBindingMissing
    if not isinstance(confirmation, Mapping) or "jwk" not in confirmation:
        raise SdJwtMalformed(reason="cnf holds no key")
    jwk = confirmation["jwk"]
    try:
        return PublicKey.from_jwk(jwk)
    except KeyInvalid as error:
        raise SdJwtMalformed(reason="cnf holds no usable key") from error


@lru_cache(maxsize=_KEPT)  # a wallet presents with the same keys; the answer is the key's own
def _jwk_of(key: PublicKey) -> Mapping[str, str]:
    return key.jwk()


def sign_key_binding(
    bound_part: str, claims: Mapping[str, Any], hash_name: str, binding: KeyBinding
) -> str:
    """The KB-JWT over `bound_part`. Raises KeyBindingMissing, KeyBindingMismatch."""
    confirmation = claims.get("cnf")
    if not isinstance(confirmation, Mapping):
        raise KeyBindingMissing
    named = confirmation.get("jwk")
    own = _jwk_of(binding.signer.public_key)
    if not isinstance(named, Mapping) or any(named.get(k) != v for k, v in own.items()):
        raise KeyBindingMismatch(reason="the credential names another holder's key")
    payload = {
        "iat": int(seconds(binding.issued_at)),
        "aud": binding.audience,
        "nonce": binding.nonce,
        "sd_hash": digest(bound_part, HASHES[hash_name]),
    }
    return sign_compact(payload, typ=KEY_BINDING_TYPE, signer=binding.signer)


def verify_key_binding(
    token: str | None,
    bound_part: str,
    claims: Mapping[str, Any],
    hash_name: str,
    check: KeyBindingCheck,
    now: datetime,
) -> VerifiedKeyBinding:
    """RFC 9901 §7.3 step 5. `claims` are the verified claims of the issuer.

    Raises KeyBindingMissing, KeyBindingMismatch, KeyBindingStale, AudienceMismatch, NonceMismatch,
    SignatureInvalid, TokenExpired, TokenNotYetValid and the errors of `credentials.jose`.
    """
    if token is None:  # step 2
        raise KeyBindingMissing
    holder = confirmation_key(claims)  # step 5.a
    bound = parse_compact(token, typ=KEY_BINDING_TYPE).verify(holder).payload  # steps 5.b to 5.d
    made = numeric_date(bound, "iat")
    if made is None:  # §4.3: all four claims are required
        raise JwsMalformed(reason="iat is missing")
    at = seconds(now)
    if not made - check.skew_s <= at <= made + check.max_age_s:  # step 5.e
        raise KeyBindingStale(seconds=check.max_age_s)
    if bound.get("aud") != check.audience:  # step 5.f
        raise AudienceMismatch
    if bound.get("nonce") != check.nonce:
        raise NonceMismatch
    if bound.get("sd_hash") != digest(bound_part, HASHES[hash_name]):  # step 5.g
        raise KeyBindingMismatch(reason="it was made for other disclosures")
    check_times(bound, now, check.skew_s)  # step 5.h
    return VerifiedKeyBinding(holder, made, bound)
