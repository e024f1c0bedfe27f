"""The wallet's side of OpenID4VCI 1.0, pre-authorized code flow, and of an application.

Guarantees: it speaks to one accredited issuer through `wallet.transport`, believes its metadata
only as far as it names addresses under the issuer's own, and turns each of its answers into one
result or one named cause. What it returns is unverified: `wallet.issuance` checks it. It stores
nothing and never repeats a code or token in an error.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, NoReturn

from credentials.jose import sign_compact
from credentials.timestamps import parse_timestamp
from schemas.errors import Phrase
from schemas.scenario import Scenario
from wallet.errors import (
    ApplicationMalformed,
    ApplicationNotConfirmed,
    ApplicationRefused,
    ClockWrong,
    CredentialUnexpected,
    IssuerFailed,
    IssuerProtocol,
    OfferInvalid,
    TokenEnded,
    TxCodeNeeded,
    TxCodeWrong,
)
from wallet.holder import HolderKey
from wallet.transport import Answer, SafeHttp

APPLICATION_TYPE: Final = "zl-application+jwt"
KEY_PROOF_TYPE: Final = "openid4vci-proof+jwt"
PRE_AUTHORIZED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
FORMAT: Final = "ldp_vc"

SHORTEST_TOKEN_LIFE: Final = timedelta(seconds=30)
LONGEST_SECRET: Final = 4096
"""Characters of an access token, nonce or application id."""

APPLICATION_STATES: Final = ("offered", "waiting", "refused", "lapsed", "issued")

REFUSED_BY_AUTHORITY: Final = "not-confirmed"


@dataclass(frozen=True)
class Metadata:
    """What the issuer says of itself, reduced to what was checked (OpenID4VCI §12.2.4)."""

    credential_endpoint: str
    nonce_endpoint: str | None
    token_endpoint: str
    configurations: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Grant:
    """An access token, and until when it may be tried."""

    token: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True)
class ApplicationAnswer:
    """How an application stands. `id` is a secret between applicant and issuer."""

    id: str = field(repr=False)
    state: str  # one of APPLICATION_STATES
    reason: str | None
    offer: str | None = field(repr=False)
    expires: datetime | None


class IssuerClient:
    """One accredited issuer, reached over `http`."""

    def __init__(self, http: SafeHttp, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._clock = clock

    # -- application --------------------------------------------------------------------------

    def apply(self, key: HolderKey, fields: Mapping[str, str]) -> ApplicationAnswer:
        """Send an application signed by the fresh key. Raises ApplicationMalformed, ClockWrong."""
        payload = {
            "aud": self._http.base,
            "iat": int(self._clock().timestamp()),
            "jti": secrets.token_urlsafe(24),
            "application": dict(fields),
        }
        token = sign_compact(
            payload,
            typ=APPLICATION_TYPE,
            signer=key.private,
            kid=None,
            extra_header={"jwk": key.private.public_key.jwk()},
        )
        answer = self._http.post(
            f"{self._http.base}/applications",
            content=token.encode(),
            content_type=f"application/{APPLICATION_TYPE}",
        )
        return self._application(answer)

    def application(self, remote_id: str) -> ApplicationAnswer:
        """How the application stands now."""
        return self._application(self._http.get(f"{self._http.base}/applications/{remote_id}"))

    def _application(self, answer: Answer) -> ApplicationAnswer:
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED):
            error = answer.body.get("error")
            if error == "invalid_application":
                raise ApplicationMalformed(
                    field=_word(answer.body.get("field")), rule=_word(answer.body.get("rule"))
                )
            if error == "application_replayed":
                raise ClockWrong
            _failed(answer)
        remote_id = _text(answer.body, "application")
        if not remote_id.replace("-", "").replace("_", "").isalnum():
            raise IssuerProtocol(reason="the application's id is not a plain word")
        state = answer.body.get("state")
        if state not in APPLICATION_STATES:
            raise IssuerProtocol(reason="the application has no known state")
        return ApplicationAnswer(
            id=remote_id,
            state=state,
            reason=_word(answer.body.get("reason")) if state == "refused" else None,
            offer=_text(answer.body, "offer") if state == "offered" else None,
            expires=_time(answer.body.get("expires")) if state == "offered" else None,
        )

    # -- issuance -----------------------------------------------------------------------------

    def metadata(self) -> Metadata:
        """Both metadata documents, their addresses checked. Raises IssuerProtocol."""
        http = self._http
        issuer = _ok(http.get(http.well_known("openid-credential-issuer")))
        # OpenID4VCI §12.2.2: the identifier must be the one the address was made from.
        if issuer.get("credential_issuer") != http.base:
            raise IssuerProtocol(reason="its metadata names another issuer")
        if issuer.get("authorization_servers", [http.base]) != [http.base]:
            raise IssuerProtocol(reason="it hands authorization to another server")
        server = _ok(http.get(http.well_known("oauth-authorization-server")))
        if server.get("issuer") != http.base:  # RFC 8414 §3.3
            raise IssuerProtocol(reason="its authorization server names another issuer")
        configurations = issuer.get("credential_configurations_supported")
        if not isinstance(configurations, Mapping):
            raise IssuerProtocol(reason="its metadata lists no credentials")
        nonce_endpoint = issuer.get("nonce_endpoint")
        return Metadata(
            credential_endpoint=http.own(issuer.get("credential_endpoint"), "credential endpoint"),
            nonce_endpoint=(
                None if nonce_endpoint is None else http.own(nonce_endpoint, "nonce endpoint")
            ),
            token_endpoint=http.own(server.get("token_endpoint"), "token endpoint"),
            configurations={
                name: entry for name, entry in configurations.items() if isinstance(entry, Mapping)
            },
        )

    def exchange_code(self, metadata: Metadata, code: str, tx_code: str | None) -> Grant:
        """OpenID4VCI §6. Raises OfferInvalid, TxCodeWrong, TxCodeNeeded."""
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code}
        if tx_code is not None:
            form["tx_code"] = tx_code
        answer = self._http.post(metadata.token_endpoint, form=form)
        if answer.status == HTTPStatus.BAD_REQUEST:
            # §6.3 has one error for a wrong code of either kind; our issuer adds which.
            detail = answer.body.get("code")
            if answer.body.get("error") == "invalid_grant":
                raise TxCodeWrong if detail == TX_CODE_WRONG else OfferInvalid
            if answer.body.get("error") == "invalid_request" and tx_code is None:
                raise TxCodeNeeded
        body = _ok(answer)
        if str(body.get("token_type", "")).lower() != "bearer":
            raise IssuerProtocol(reason="its token is not a bearer token")
        life = body.get("expires_in", 300)
        if type(life) is not int or not 0 < life <= 86_400:
            raise IssuerProtocol(reason="its token has no sensible lifetime")
        return Grant(_text(body, "access_token"), self._clock() + timedelta(seconds=life))

    def credential(
        self, metadata: Metadata, configuration_id: str, token: str, key: HolderKey
    ) -> dict[str, Any]:
        """OpenID4VCI §8, with one more try when the nonce has gone stale. Raises TokenEnded."""
        for last in (False, True):
            answer = self._http.post(
                metadata.credential_endpoint,
                body={
                    "credential_configuration_id": configuration_id,
                    "proofs": {"jwt": [self._key_proof(metadata, configuration_id, key)]},
                },
                token=token,
            )
            if answer.body.get("error") != "invalid_nonce" or last:
                break
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise TokenEnded
        body = _ok(answer)
        credentials = body.get("credentials")
        if not isinstance(credentials, list) or len(credentials) != 1:
            raise CredentialUnexpected(reason="not one credential")
        entry = credentials[0]
        document = entry.get("credential") if isinstance(entry, Mapping) else None
        if not isinstance(document, dict):
            raise CredentialUnexpected(reason="not a credential in the offered format")
        return document

    def _key_proof(self, metadata: Metadata, configuration_id: str, key: HolderKey) -> str:
        """OpenID4VCI §F.1. Without `iss`: the pre-authorized flow is anonymous."""
        payload: dict[str, Any] = {
            "aud": self._http.base,
            "iat": int(self._clock().timestamp()),
        }
        if metadata.nonce_endpoint is not None:
            payload["nonce"] = _text(_ok(self._http.post(metadata.nonce_endpoint)), "c_nonce")
        configuration = metadata.configurations[configuration_id]
        methods = configuration.get("cryptographic_binding_methods_supported", ["jwk"])
        if isinstance(methods, list) and "did:key" in methods:
            return sign_compact(payload, typ=KEY_PROOF_TYPE, signer=key.private, kid=key.url)
        return sign_compact(
            payload,
            typ=KEY_PROOF_TYPE,
            signer=key.private,
            kid=None,
            extra_header={"jwk": key.private.public_key.jwk()},
        )


TX_CODE_WRONG: Final = "ZL-OFFER-CODE-WRONG"
"""What our issuer adds to `invalid_grant` when only the transaction code was wrong."""


def configuration_for(
    metadata: Metadata, configuration_id: str, scenario: Scenario
) -> Mapping[str, Any]:
    """The offered configuration, if it is what the offer said. Raises CredentialUnexpected."""
    configuration = metadata.configurations.get(configuration_id)
    if configuration is None:
        raise CredentialUnexpected(reason="its metadata does not list what it offered")
    definition = configuration.get("credential_definition")
    types = definition.get("type") if isinstance(definition, Mapping) else None
    if configuration.get("format") != FORMAT or not (
        isinstance(types, list) and scenario.credential_type in types
    ):
        raise CredentialUnexpected(reason="its metadata describes another credential")
    return configuration


def raise_if_refused(answer: ApplicationAnswer) -> None:
    if answer.state == "refused":
        if answer.reason == REFUSED_BY_AUTHORITY:
            raise ApplicationNotConfirmed
        raise ApplicationRefused(reason=answer.reason)


def _ok(answer: Answer) -> Mapping[str, Any]:
    if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
        return answer.body
    return _failed(answer)


def _failed(answer: Answer) -> NoReturn:
    error = answer.body.get("error")
    detail = f", {_word(error)}" if error is not None else ""
    raise IssuerFailed(status=answer.status, detail=detail)


def _text(body: Mapping[str, Any], member: str) -> str:
    value = body.get(member)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_SECRET or not value.isascii():
        raise IssuerProtocol(reason=Phrase("{member} is missing or not a text", member=member))
    return value


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    moment = parse_timestamp(value)
    if moment is None:
        raise IssuerProtocol(reason="expires is not a time with a zone")
    return moment


def _word(value: object) -> str:
    """A code from the network, fit for a message: never free text."""
    if (
        isinstance(value, str)
        and len(value) <= 64
        and value.isascii()
        and all(c.isalnum() or c in "-_./ " for c in value)
    ):
        return value
    return "?"
