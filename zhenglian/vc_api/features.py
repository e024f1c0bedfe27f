"""The options of one cryptosuite in a request: bbs-2023's commitments, occasions and pseudonyms.

Issuing: `featureOption` with `commitmentWithProof` (VC-DI-BBS §3.5.5). Deriving:
`presentationHeader`, `nymDomain`, and what the holder committed to: `secretProverBlind`, with
`holderSecret` or `proverNym` or both. Verifying: `presentationHeader` and `nymDomain`. All but
`featureOption` and `nymDomain` are bytes in multibase base64url.

A holder's secrets have no business on anybody else's server. This one listens on the holder's own
machine only and forgets them with the answer; it takes them so that deriving can be tried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from credentials.bbs import Opening
from credentials.errors import EncodingInvalid, LimitExceeded
from credentials.multibase import multibase_decode
from credentials.proofs import BbsChecking, BbsIssuing, BbsShowing
from credentials.proofs.bbs_2023_options import NAME as BBS_2023
from schemas.errors import Phrase
from zhenglian.vc_api.errors import BodyMalformed, CommitmentMissing, FeatureUnavailable

ISSUING: Final = ("featureOption", "commitmentWithProof")
CHECKING: Final = ("presentationHeader", "nymDomain")
SHOWING: Final = (*CHECKING, "holderSecret", "proverNym", "secretProverBlind")

# Whether the holder commits to a nym secret too.
_COMMITTED: Final[Mapping[str, bool]] = {"anonymous_holder_binding": False, "pseudonym": True}


def issuing(cryptosuite: str, options: Mapping[str, Any]) -> BbsIssuing | None:
    """What `options` ask of the issuer's suite.

    Raises FeatureUnavailable for a feature that the cryptosuite does not have, and
    CommitmentMissing for one that comes without its commitment (VC-DI-BBS §3.5.1).
    """
    feature = options.get("featureOption", "baseline")
    if feature == "baseline":
        if "commitmentWithProof" in options:
            raise CommitmentMissing
        return None
    if cryptosuite != BBS_2023 or not isinstance(feature, str) or feature not in _COMMITTED:
        raise FeatureUnavailable
    sent = options.get("commitmentWithProof")
    if not isinstance(sent, str):
        raise CommitmentMissing
    try:
        commitment = multibase_decode(sent, allowed="u")
    except (EncodingInvalid, LimitExceeded) as error:
        raise CommitmentMissing from error
    return BbsIssuing(commitment=commitment, pseudonyms=_COMMITTED[feature])


def showing(options: Mapping[str, Any]) -> BbsShowing | None:
    """What `options` ask of the suite that derives. Raises BodyMalformed."""
    if options.keys().isdisjoint(SHOWING):
        return None
    return BbsShowing(
        presentation_header=_bytes(options, "presentationHeader") or b"",
        holder=_opening(options),
        nym_domain=_text(options, "nymDomain"),
    )


def received(options: Mapping[str, Any]) -> BbsChecking | None:
    """The holder's secrets in `options`, to check what is derived from. Raises BodyMalformed."""
    holder = _opening(options)
    return None if holder is None else BbsChecking(holder=holder)


def checking(options: Mapping[str, Any]) -> BbsChecking | None:
    """What `options` demand of a derived proof. Raises BodyMalformed."""
    if options.keys().isdisjoint(CHECKING):
        return None
    return BbsChecking(
        presentation_header=_bytes(options, "presentationHeader"),
        nym_domain=_text(options, "nymDomain"),
    )


def _opening(options: Mapping[str, Any]) -> Opening | None:
    secret, nym = _bytes(options, "holderSecret"), _bytes(options, "proverNym")
    blind = _bytes(options, "secretProverBlind")
    if (blind is None) != (secret is None and nym is None):
        raise BodyMalformed(reason="holderSecret and proverNym go with secretProverBlind")
    return None if blind is None else Opening(() if secret is None else (secret,), blind, nym)


def _bytes(options: Mapping[str, Any], name: str) -> bytes | None:
    value = _text(options, name)
    if value is None:
        return None
    try:
        return multibase_decode(value, allowed="u")
    except (EncodingInvalid, LimitExceeded):
        # Without its cause, which could be about a secret.
        raise BodyMalformed(reason=Phrase("{name} is not multibase base64url", name=name)) from None


def _text(options: Mapping[str, Any], name: str) -> str | None:
    value = options.get(name)
    if name in options and (not isinstance(value, str) or not value):
        raise BodyMalformed(reason=Phrase("{name} is not a text", name=name))
    return value
