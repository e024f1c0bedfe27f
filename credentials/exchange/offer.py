"""Credential offers (OpenID4VCI 1.0 §4.1), always by value.

Guarantee for the wallet: reading an offer fetches nothing. An offer by reference would let
whoever prints a QR code choose an address for the wallet to call, so it is refused by name.

Not guaranteed: that the issuer is who it says. The wallet holds the issuer's address against the
chain before it sends anything there. The transaction code is never part of an offer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from credentials.canonical.strict_json import parse_json_object
from credentials.errors import (
    JsonMalformed,
    LimitExceeded,
    OfferByReference,
    OfferMalformed,
    OfferUnsupported,
)
from credentials.exchange.text import link_fields, web_address

SCHEME: Final = "openid-credential-offer"
PRE_AUTHORIZED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
MAX_OFFER: Final = 8 * 1024
"""Characters; an offer of ours takes some 400."""
MAX_CONFIGURATIONS: Final = 8
MAX_TX_CODE: Final = 64

_CONFIGURATION: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{8,512}", re.ASCII)


@dataclass(frozen=True)
class TransactionCode:
    """What the wallet must ask its owner for; the code itself came another way (§4.1.1)."""

    input_mode: Literal["numeric", "text"] = "numeric"
    length: int | None = None
    description: str | None = None


@dataclass(frozen=True)
class CredentialOffer:
    """An issuer's offer of credentials, against a pre-authorized code."""

    credential_issuer: str
    configuration_ids: tuple[str, ...]
    pre_authorized_code: str
    tx_code: TransactionCode | None = None

    def document(self) -> dict[str, Any]:
        """The offer as JSON (§4.1.1)."""
        grant: dict[str, Any] = {"pre-authorized_code": self.pre_authorized_code}
        if self.tx_code is not None:
            code: dict[str, Any] = {"input_mode": self.tx_code.input_mode}
            if self.tx_code.length is not None:
                code["length"] = self.tx_code.length
            if self.tx_code.description is not None:
                code["description"] = self.tx_code.description
            grant["tx_code"] = code
        return {
            "credential_issuer": self.credential_issuer,
            "credential_configuration_ids": list(self.configuration_ids),
            "grants": {PRE_AUTHORIZED: grant},
        }

    def uri(self) -> str:
        """The offer as a link, by value (§4.1.2). Raises OfferMalformed if it could not be read."""
        text = json.dumps(self.document(), ensure_ascii=False, separators=(",", ":"))
        link = f"{SCHEME}://?credential_offer={quote(text, safe='')}"
        parse_offer(link)  # what we hand out, others must accept
        return link


def parse_offer(text: str) -> CredentialOffer:
    """Read an offer link. Raises OfferMalformed, OfferByReference, OfferUnsupported."""
    if not isinstance(text, str) or len(text) > MAX_OFFER:
        raise OfferMalformed(reason="it is not a text of normal length")
    fields = link_fields(text.strip(), SCHEME, OfferMalformed)
    if "credential_offer_uri" in fields:
        raise OfferByReference
    if "credential_offer" not in fields:
        raise OfferMalformed(reason="the link contains no offer")
    try:
        offer = parse_json_object(fields["credential_offer"])
    except (JsonMalformed, LimitExceeded) as error:
        raise OfferMalformed(reason="it is not a JSON object") from error
    issuer = web_address(offer.get("credential_issuer"), "credential_issuer", OfferMalformed)
    configurations = _configurations(offer.get("credential_configuration_ids"))
    grants = offer.get("grants", {})
    if not isinstance(grants, Mapping):
        raise OfferMalformed(reason="grants is not an object")
    if PRE_AUTHORIZED not in grants:
        raise OfferUnsupported(reason="it has no pre-authorized code")
    grant = grants[PRE_AUTHORIZED]
    code = grant.get("pre-authorized_code") if isinstance(grant, Mapping) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise OfferMalformed(reason="the pre-authorized code is missing or of another form")
    tx_code = _tx_code(grant["tx_code"]) if "tx_code" in grant else None
    return CredentialOffer(issuer, configurations, code, tx_code)


def _configurations(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CONFIGURATIONS:
        raise OfferMalformed(reason="it names no credential, or too many")
    if not all(isinstance(name, str) and _CONFIGURATION.fullmatch(name) for name in value):
        raise OfferMalformed(reason="the name of a credential is of another form")
    if len(set(value)) != len(value):
        raise OfferMalformed(reason="it names a credential twice")
    return tuple(value)


def _tx_code(value: object) -> TransactionCode:
    if not isinstance(value, Mapping):
        raise OfferMalformed(reason="tx_code is not an object")
    mode, length = value.get("input_mode", "numeric"), value.get("length")
    if mode not in ("numeric", "text"):
        raise OfferMalformed(reason="tx_code has an unknown input mode")
    if length is not None and (type(length) is not int or not 1 <= length <= MAX_TX_CODE):
        raise OfferMalformed(reason="tx_code has an impossible length")
    description = value.get("description")
    if description is not None and (
        # §4.1.1: at most 300 characters. It is shown beside an input field.
        not isinstance(description, str) or len(description) > 300 or not description.isprintable()
    ):
        raise OfferMalformed(reason="the description of tx_code cannot be shown")
    return TransactionCode(mode, length, description)
