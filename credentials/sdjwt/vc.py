"""SD-JWT VC: a credential as an SD-JWT, of type `dc+sd-jwt`.

Guarantees beyond `credentials.sdjwt.verify`: the token is of the kind that it should be, has a
type (`vct`), its registered claims were not hidden and brought back by disclosures, and its
issuer is the owner of its key by one of the caller's ways (`credentials.issuer_keys`). Type
metadata, issuer metadata and status lists are never fetched.

Not guaranteed: that it was not revoked. `status` is returned for the caller to look up
(`credentials.token_status`).

Source: draft-ietf-oauth-sd-jwt-vc. Issuers by DID are an extension of the ecosystem.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from credentials.errors import SdJwtDisclosureRefused, SdJwtIssueRefused, SdJwtVcMalformed
from credentials.issuer_keys import FoundKey, KeySource
from credentials.jose import UnverifiedJws, parse_compact
from credentials.keys import PublicKey, Signer
from credentials.sdjwt.binding import KeyBindingCheck, VerifiedKeyBinding
from credentials.sdjwt.disclosure import DEFAULT_HASH
from credentials.sdjwt.issuing import issue
from credentials.sdjwt.paths import ClaimPath, Path, as_paths
from credentials.sdjwt.token import SdJwt
from credentials.sdjwt.unpacking import hides_something
from credentials.sdjwt.verifying import verify

SD_JWT_VC: Final = "dc+sd-jwt"
LEGACY_SD_JWT_VC: Final = "vc+sd-jwt"
"""What drafts before November 2024 called it; today it means VC-JOSE-COSE."""

NEVER_HIDDEN: Final = frozenset(
    {"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"}
)
"""Claims that must not come in disclosures, nor anything in them ("Registered JWT Claims")."""

MAX_TYPES: Final = 32
"""Names of one credential's types."""


@dataclass(frozen=True)
class VerifiedSdJwtVc:
    """A credential that was verified. `issuer` is whom the key belongs to.

    `types` are `vct` and the issuer's further names for it; `status` is still to be looked up.
    """

    issuer: str | None
    vct: str
    types: frozenset[str]
    claims: Mapping[str, Any]
    disclosed: tuple[Path, ...]
    status: Mapping[str, Any] | None
    key_binding: VerifiedKeyBinding | None


def issue_vc(
    claims: Mapping[str, Any],
    *,
    vct: str,
    disclosable: Iterable[ClaimPath],
    signer: Signer,
    issuer: str | None = None,
    kid: str | None = None,
    holder: PublicKey | None = None,
    decoys: Mapping[ClaimPath, int] | None = None,
    hash_name: str = DEFAULT_HASH,
    extra_header: Mapping[str, Any] | None = None,
    rng: Callable[[int], bytes] = os.urandom,
) -> str:
    """An SD-JWT VC of type `vct` in compact form; certificates go into `extra_header`.

    Raises SdJwtIssueRefused, SdJwtVcMalformed and the errors of `credentials.sdjwt.issue`.
    """
    hidden = as_paths(disclosable)
    if any(path[0] in NEVER_HIDDEN for path in hidden):
        raise SdJwtIssueRefused(reason="a registered claim must not be hidden")
    if "vct" in claims or (issuer is not None and "iss" in claims):
        raise SdJwtIssueRefused(reason="its issuer or type is named twice")
    named: dict[str, Any] = {"vct": vct} if issuer is None else {"iss": issuer, "vct": vct}
    payload = {**named, **claims}
    _types(payload)
    _status(payload)
    return issue(
        payload,
        disclosable=hidden,
        signer=signer,
        typ=SD_JWT_VC,
        kid=kid,
        holder=holder,
        decoys=decoys,
        hash_name=hash_name,
        extra_header=extra_header,
        rng=rng,
    )


def verify_vc(
    token: str | SdJwt,
    *,
    issuer: KeySource,
    now: datetime,
    key_binding: KeyBindingCheck | None,
    vct: Collection[str] | None = None,
    required: Iterable[str] = (),
    accept_legacy_type: bool = False,
    skew_s: float = 0,
) -> VerifiedSdJwtVc:
    """The credential that `token` proves at `now`. With `vct`, of one of these types only.

    Raises SdJwtVcMalformed, SdJwtDisclosureRefused, and the errors of `credentials.sdjwt.verify`
    and of the key source.
    """
    parts = token if isinstance(token, SdJwt) else SdJwt.parse(token)
    found: list[FoundKey] = []

    def key_of(signed: UnverifiedJws) -> PublicKey:
        stated = signed.payload.get("iss")
        if stated is not None and not isinstance(stated, str):
            raise SdJwtVcMalformed(reason="iss is not a text")
        # Not only what was disclosed: a holder could withhold the status, or half of it.
        if any(hides_something(signed.payload.get(name)) for name in NEVER_HIDDEN):
            raise SdJwtDisclosureRefused(reason="a registered claim is hidden")
        found.append(issuer.find(signed.header, stated, now))
        return found[0].public_key

    typ = SD_JWT_VC
    if accept_legacy_type and parse_compact(parts.jwt).header.get("typ") == LEGACY_SD_JWT_VC:
        typ = LEGACY_SD_JWT_VC
    verified = verify(
        parts,
        key=key_of,
        typ=typ,
        now=now,
        key_binding=key_binding,
        required=required,
        skew_s=skew_s,
    )
    if any(path[0] in NEVER_HIDDEN for path in verified.disclosed):
        raise SdJwtDisclosureRefused(reason="a registered claim is hidden")
    claims = verified.claims
    types = _types(claims)
    if vct is not None and types.isdisjoint(vct):
        raise SdJwtVcMalformed(reason="it is of another type than asked for")
    return VerifiedSdJwtVc(
        found[0].issuer,
        claims["vct"],
        types,
        claims,
        verified.disclosed,
        _status(claims),
        verified.key_binding,
    )


def _types(claims: Mapping[str, Any]) -> frozenset[str]:
    vct = claims.get("vct")
    if not isinstance(vct, str) or not vct:
        raise SdJwtVcMalformed(reason="vct is not a text")
    others = claims.get("aka_vcts")
    if "aka_vcts" not in claims:
        return frozenset({vct})
    if (
        not isinstance(others, list)
        or not 1 <= len(others) <= MAX_TYPES
        or not all(isinstance(name, str) and name for name in others)
        or vct in others
    ):
        raise SdJwtVcMalformed(reason="aka_vcts is not a list of other types")
    return frozenset({vct, *others})


def _status(claims: Mapping[str, Any]) -> Mapping[str, Any] | None:
    status = claims.get("status")
    if "status" in claims and not isinstance(status, Mapping):
        raise SdJwtVcMalformed(reason="status is not an object")
    return status
