"""What issuer and authority say to each other: a signed question and a signed yes or no.

Question (JWS, typ `zl-authority-request+jwt`, signed by a key the authority has on record for the
issuer): `iss` issuer DID, `aud` authority DID, `jti` 128 random bits, `iat` seconds, `purpose`,
`person` with exactly the six fields. All six or none: leaving some out would let an issuer find
them out one by one.

Answer (JWS, typ `zl-authority-answer+jwt`): `iss`, `aud`, `jti` and `iat` likewise, `requestDigest`
over the question's exact characters, and `pass`. It holds no personal value, and does not say which
field was wrong: that would turn the register into an oracle.

Both are bound to each other by digest, `jti` and the two names, so that an answer cannot be moved
to another person, issuer or authority. Personal values cross the wire in the question only, inside
TLS.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from credentials.jose import sign_compact
from credentials.keys import Signer
from issuer.authority.errors import QuestionMalformed
from schemas.digests import digest_multibase
from schemas.identifiers import parse_citizen_number
from schemas.violations import IdentifierError

REQUEST_TYPE: Final = "zl-authority-request+jwt"
ANSWER_TYPE: Final = "zl-authority-answer+jwt"
REQUEST_MEDIA: Final = "application/zl-authority-request+jwt"
ANSWER_MEDIA: Final = "application/zl-authority-answer+jwt"
FIELDS: Final = ("name", "citizenNumber", "sex", "birthDate", "ethnicity", "division")
PURPOSES: Final = ("issue:resident-identity",)
"""Why an issuer asks. A closed list: free text could carry personal values into the access log."""

MAX_MESSAGE: Final = 4096
"""Characters of a question or an answer; honest ones have some 800."""
MAX_FIELD: Final = 60
CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the clocks of issuer and authority may differ."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_MEMBERS: Final = frozenset({"iss", "aud", "jti", "iat", "purpose", "person"})


@dataclass(frozen=True)
class Question:
    """A question whose form was checked; whether its signature holds is the server's to check."""

    issuer: str
    audience: str
    request_id: str
    asked_at: int
    purpose: str
    person: Mapping[str, str] = field(repr=False)


def new_request_id(random: bytes) -> str:
    """The text of 16 random bytes."""
    return base64.urlsafe_b64encode(random[:16]).rstrip(b"=").decode()


def build_question(
    person: Mapping[str, str],
    *,
    issuer: str,
    authority: str,
    request_id: str,
    purpose: str,
    at: datetime,
    signer: Signer,
    key_url: str,
) -> str:
    """A signed question about `person`, a mapping with the members of `FIELDS`."""
    payload = {
        "iss": issuer,
        "aud": authority,
        "jti": request_id,
        "iat": int(at.timestamp()),
        "purpose": purpose,
        "person": {name: person[name] for name in FIELDS},
    }
    return sign_compact(payload, typ=REQUEST_TYPE, signer=signer, kid=key_url)


def read_question(payload: Mapping[str, Any]) -> Question:
    """Check a question's form. Raises `QuestionMalformed`, which never holds a value."""
    if set(payload) != _MEMBERS:
        raise QuestionMalformed(field="/")
    for name in ("iss", "aud"):
        if not isinstance(payload[name], str):
            raise QuestionMalformed(field=f"/{name}")
    request_id, asked_at, person = payload["jti"], payload["iat"], payload["person"]
    if not isinstance(request_id, str) or not _REQUEST_ID.fullmatch(request_id):
        raise QuestionMalformed(field="/jti")
    if type(asked_at) is not int:  # True is an int, too
        raise QuestionMalformed(field="/iat")
    if payload["purpose"] not in PURPOSES:
        raise QuestionMalformed(field="/purpose")
    if not isinstance(person, Mapping) or set(person) != set(FIELDS):
        raise QuestionMalformed(field="/person")
    for name in FIELDS:
        value = person[name]
        if not isinstance(value, str) or not 0 < len(value) <= MAX_FIELD:
            raise QuestionMalformed(field=f"/person/{name}")
    try:
        parse_citizen_number(person["citizenNumber"])
    except IdentifierError:
        raise QuestionMalformed(field="/person/citizenNumber") from None
    try:
        date.fromisoformat(person["birthDate"])
    except ValueError:
        raise QuestionMalformed(field="/person/birthDate") from None
    return Question(
        issuer=payload["iss"],
        audience=payload["aud"],
        request_id=request_id,
        asked_at=asked_at,
        purpose=payload["purpose"],
        person=dict(person),
    )


def build_answer(
    question: Question,
    token: str,
    *,
    passed: bool,
    authority: str,
    at: datetime,
    signer: Signer,
    key_url: str,
) -> str:
    """The signed answer to the question whose exact text is `token`."""
    payload = {
        "iss": authority,
        "aud": question.issuer,
        "jti": question.request_id,
        "iat": int(at.timestamp()),
        "requestDigest": digest_multibase(token.encode("ascii")),
        "pass": passed,
    }
    return sign_compact(payload, typ=ANSWER_TYPE, signer=signer, kid=key_url)


def answer_fits(
    payload: Mapping[str, Any], token: str, *, issuer: str, authority: str, request_id: str
) -> bool:
    """Whether a verified answer is to exactly the question `token` and has the answer's form."""
    return (
        set(payload) == {"iss", "aud", "jti", "iat", "requestDigest", "pass"}
        and payload["iss"] == authority
        and payload["aud"] == issuer
        and payload["jti"] == request_id
        and payload["requestDigest"] == digest_multibase(token.encode("ascii"))
        and type(payload["iat"]) is int
        and type(payload["pass"]) is bool
    )
