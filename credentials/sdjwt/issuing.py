"""Issue an SD-JWT: the issuer's part of RFC 9901."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from credentials.errors import SdJwtHashUnsupported, SdJwtIssueRefused
from credentials.jose import sign_compact
from credentials.keys import PublicKey, Signer
from credentials.sdjwt.disclosure import DEFAULT_HASH, HASHES, SD_ALG
from credentials.sdjwt.packing import pack
from credentials.sdjwt.paths import ClaimPath, Path, as_path, as_paths

CONFIRMATION: Final = "cnf"

_WHOLE: Final[Path] = ()


def issue(
    claims: Mapping[str, Any],
    *,
    disclosable: Iterable[ClaimPath],
    signer: Signer,
    typ: str,
    kid: str | None = None,
    holder: PublicKey | None = None,
    decoys: Mapping[ClaimPath, int] | None = None,
    hash_name: str = DEFAULT_HASH,
    extra_header: Mapping[str, Any] | None = None,
    rng: Callable[[int], bytes] = os.urandom,
) -> str:
    """An SD-JWT over `claims` in compact form, every disclosure included.

    `disclosable` names what the holder may hide (§4.2.4): a claim and, separately, claims inside
    it make a recursive disclosure (§4.2.6); None in a path is each element of an array. `holder`
    becomes `cnf` (§4.1.2). `decoys` maps the place of an object or array to a number of digests
    without meaning (§4.2.5); `""` is the token itself. `typ` names the kind of token (§9.11).

    Raises PointerInvalid, PointerUnknown, SdJwtIssueRefused, SdJwtHashUnsupported, LimitExceeded,
    JwsMalformed.
    """
    if hash_name not in HASHES:
        raise SdJwtHashUnsupported
    hidden = as_paths(disclosable)
    places = tuple(
        (as_path(place) if place else _WHOLE, count) for place, count in (decoys or {}).items()
    )
    payload, disclosures = pack(claims, hidden, places, hash_name, rng)
    if disclosures or places:
        payload[SD_ALG] = hash_name
    if holder is not None:
        if CONFIRMATION in claims:
            raise SdJwtIssueRefused(reason="the holder's key is named twice")
        payload[CONFIRMATION] = {"jwk": holder.jwk()}
    jwt = sign_compact(payload, typ=typ, signer=signer, kid=kid, extra_header=extra_header)
    return "~".join((jwt, *disclosures, ""))
