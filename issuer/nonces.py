"""Nonces of key proofs (OpenID4VCI 1.0 §7): unpredictable, short-lived, used once.

`base64url(seconds (8) || random (16) || tag (16))`. The tag makes the server know its own nonces
without storing them, so asking for nonces costs no disk; only *used* ones are remembered, until
they would have expired.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

from issuer.errors import NonceInvalid
from issuer.office import Office

LIFETIME: Final = timedelta(minutes=5)
_LENGTH: Final = 40


def make_nonce(office: Office) -> str:
    body = int(office.clock().timestamp()).to_bytes(8, "big") + office.random(16)
    return base64.urlsafe_b64encode(body + _tag(office, body)).rstrip(b"=").decode()


def check_nonce(office: Office, nonce: str) -> tuple[bytes, datetime]:
    """What to remember of the nonce, and until when. Raises `NonceInvalid`.

    The caller spends it in the transaction that makes use of it.
    """
    try:
        raw = base64.b64decode(nonce + "=" * (-len(nonce) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NonceInvalid from error
    body, tag = raw[:24], raw[24:]
    if len(raw) != _LENGTH or not hmac.compare_digest(tag, _tag(office, body)):
        raise NonceInvalid
    made = datetime.fromtimestamp(int.from_bytes(body[:8], "big"), UTC)
    # No lower bound on the age: the tag proves that this server's clock gave the time.
    if office.clock() - made > LIFETIME:
        raise NonceInvalid
    return office.sealer.tag("spent-nonce", body.hex()), made + LIFETIME + timedelta(minutes=1)


def _tag(office: Office, body: bytes) -> bytes:
    return office.sealer.tag("nonce", body.hex())[:16]
