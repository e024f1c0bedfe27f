"""A signed token small enough for a modest QR code: `VR1-R…`.

Base64 and JSON make a request twice as long as it need be, and a dense code is the first complaint
of everybody who scans one. The packed form is the token's own bytes (signature, header, payload),
deflated with a dictionary of words that requests use, in base45. Unpacking gives back the exact
token, whose signature covers all of it; packing adds no meaning and needs no trust.

Layout: one byte with the signature's length; the signature; raw DEFLATE (RFC 1951) of header, one
zero byte, payload, with `DICTIONARY` preset. The dictionary belongs to `VR1-` and never changes.
"""

from __future__ import annotations

from typing import Final

from credentials.errors import LimitExceeded, QrTextMalformed, QrTextTruncated
from credentials.multibase import base64url_decode, base64url_encode
from credentials.qr.framing import MAX_TEXT, deflate, frame, inflate, read_body

PREFIX: Final = "VR1-"
MAX_UNPACKED: Final = 16 * 1024
"""Bytes of header and payload; a request for every claim there is has some 1,300."""

# Common words, the most common last: DEFLATE reaches the end of it most cheaply.
DICTIONARY: Final = (
    '"direct_post","response_uri":"https://"values":[true,false],null,"'
    '{"path":["evidence"]},{"path":["issuer"]},{"path":["validFrom"]},{"path":["validUntil"]},'
    '"sex"]},"ethnicity"]},"division"]},"ageOver65"]},"ageOver60"]},"ageOver16"]},"ageOver14"]},'
    '"citizenNumber"]},"birthDate"]},"name"]},{"path":["credentialSubject","ageOver18"]}]}]},'
    '"verifier_name":{"zh-CN":"杭州市局","en":"Hangzhou Bureau"},"purpose":{"zh-CN":"审核办理登记",'
    '"en":"Checking "},"entitlement":"'
    '"dcql_query":{"credentials":[{"id":"credential","format":"ldp_vc","meta":{"type_values":'
    '[["https://zhenglian.example/ns/resident-identity#ResidentIdentityCredential"]]},'
    '"claims":[{"path":["credentialSubject","name"]},{"path":["credentialSubject","'
    '{"alg":"ES256","typ":"oauth-authz-req+jwt","kid":"did:web:.hangzhou.zhenglian.example#key-1"}'
    '\0{"client_id":"decentralized_identifier:did:web:","aud":"https://self-issued.me/v2",'
    '"response_type":"vp_token","response_mode":"qr","nonce":"","iat":17,"exp":17,"dcql_query":'
).encode()


def pack(token: str) -> str:
    """The packed text of a compact token that `credentials.jose` wrote or read."""
    header, payload, signature = (base64url_decode(part) for part in token.split("."))
    body = deflate(header + b"\0" + payload, DICTIONARY)
    return frame(bytes([len(signature)]) + signature + body, PREFIX)


def is_packed(text: str) -> bool:
    """Whether `text` announces itself as a packed token."""
    return text.startswith(PREFIX)


def unpack(text: str) -> str:
    """The token in packed `text`; not verified.

    Raises QrTextMalformed, QrTextTruncated, LimitExceeded.
    """
    if len(text) > MAX_TEXT:
        raise LimitExceeded(what="QR text", limit=f"{MAX_TEXT} characters")
    data = read_body(text.removeprefix(PREFIX))
    length = data[0] if data else 0
    signature, body = data[1 : 1 + length], data[1 + length :]
    if len(signature) != length or not body:
        raise QrTextTruncated
    header, separator, payload = inflate(body, MAX_UNPACKED, DICTIONARY).partition(b"\0")
    if not separator:
        raise QrTextMalformed(reason="it holds no header and payload")
    return ".".join(base64url_encode(part) for part in (header, payload, signature))
