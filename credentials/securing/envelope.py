"""Enveloped credentials and presentations: a secured document as a data URL inside JSON-LD.

Guarantee: an envelope that is read holds one token of a kind that is known, in the one spelling
that its kind has. The token inside is still unverified.

Source: VC Data Model 2.0 §4.14, VC-JOSE-COSE §3, RFC 2397.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from credentials.cose import MAX_MESSAGE
from credentials.errors import EnvelopeMalformed, LimitExceeded
from schemas.names import CONTEXT_V2

CREDENTIAL: Final = "EnvelopedVerifiableCredential"
PRESENTATION: Final = "EnvelopedVerifiablePresentation"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "vc+jwt": CREDENTIAL,
    "vc+sd-jwt": CREDENTIAL,
    "vc+cose": CREDENTIAL,
    "vp+jwt": PRESENTATION,
    "vp+sd-jwt": PRESENTATION,
    "vp+cose": PRESENTATION,
}
"""Media types without `application/`, and the type of the envelope around each."""

MAX_ENVELOPE: Final = 4 * MAX_MESSAGE // 3 + 64
"""Characters of a data URL."""

_DATA_URL: Final = re.compile(
    r"data:application/(?P<type>[a-z+-]+)(?P<base64>;base64)?,(?P<content>[!-~]+)", re.ASCII
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)


def encode_cose(message: bytes) -> str:
    """A COSE message in base64, the form in which files and data URLs carry it."""
    return binascii.b2a_base64(message, newline=False).decode("ascii")


def decode_cose(text: str) -> bytes:
    """The message that `encode_cose` wrote; the padding may be missing. Raises EnvelopeMalformed.

    VC-JOSE-COSE's own examples leave the padding out.
    """
    bare = text.rstrip("=")
    try:
        message = binascii.a2b_base64(bare + "=" * (-len(bare) % 4), strict_mode=True)
    except ValueError as error:
        raise EnvelopeMalformed(reason="its content is not base64") from error
    if encode_cose(message).rstrip("=") != bare:
        raise EnvelopeMalformed(reason="its content is not base64")
    return message


@dataclass(frozen=True)
class Envelope:
    """A secured document of `media_type` (without `application/`), unverified."""

    media_type: str
    content: str | bytes

    @property
    def is_presentation(self) -> bool:
        return MEDIA_TYPES[self.media_type] == PRESENTATION

    def document(self) -> dict[str, Any]:
        """The envelope as it stands in a presentation or travels alone."""
        if isinstance(self.content, bytes):
            content = ";base64," + encode_cose(self.content)
        else:
            content = "," + self.content
        return {
            "@context": CONTEXT_V2,
            "id": f"data:application/{self.media_type}{content}",
            "type": MEDIA_TYPES[self.media_type],
        }

    @classmethod
    def parse(cls, document: object) -> Envelope:
        """Read an envelope. Raises EnvelopeMalformed, LimitExceeded."""
        if not isinstance(document, Mapping):
            raise EnvelopeMalformed(reason="it is not an object")
        url, kind, context = (document.get(name) for name in ("id", "type", "@context"))
        first = context[0] if isinstance(context, list) and context else context
        if first != CONTEXT_V2:
            raise EnvelopeMalformed(reason="its context is not that of credentials")
        if not isinstance(url, str):
            raise EnvelopeMalformed(reason="its id is not a data URL")
        if len(url) > MAX_ENVELOPE:
            raise LimitExceeded(what="envelope", limit=f"{MAX_ENVELOPE} characters")
        # URL Standard §4.4 drops a line break at the end, and the official suite writes one.
        parts = _DATA_URL.fullmatch(url.removesuffix("\n"))
        if parts is None:
            raise EnvelopeMalformed(reason="its id is not a data URL")
        media_type, content = parts["type"], parts["content"]
        expected = MEDIA_TYPES.get(media_type)
        if expected is None:
            raise EnvelopeMalformed(reason="its content is of an unknown kind")
        types = kind if isinstance(kind, list) else [kind]
        if expected not in types:
            raise EnvelopeMalformed(reason="its type does not fit its content")
        if media_type.endswith("cose"):
            if not parts["base64"]:  # VC-JOSE-COSE §3.3.1: COSE is encoded in base64
                raise EnvelopeMalformed(reason="its content is not base64")
            return cls(media_type, decode_cose(content))
        if parts["base64"] or not _TOKEN.fullmatch(content):
            raise EnvelopeMalformed(reason="its content is not a token")
        return cls(media_type, content)
