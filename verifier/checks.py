"""The checks that a presentation passes at a desk, one small object a check, in their order.

A check returns what it learned, in a few words of data for the journal, or raises the error that
decides: REJECTED and MALFORMED reject, UNDETERMINED leaves the answer open. The order goes from
what anybody could forge to what only the chain can tell, so the deciding check names the first
thing that is wrong.

Everything in a `Case` is unverified until the last check has passed; only `verifier.pipeline`
turns it into `VerifiedClaims`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from credentials.anchor import presentation_digest
from credentials.canonical import Canonicalizer, parse_json_object
from credentials.errors import AudienceMismatch, DidUnknown, HolderMismatch
from credentials.model import check_presentation, issuer_id
from credentials.presentation import VerifiedPresentation, verify_presentation
from credentials.proofs import verify_credential
from credentials.qr import decode_qr_text
from registry.trust.assurance import Assurance
from schemas.scenario import Scenario, scenario_for_types
from verifier.errors import (
    ClaimsExcess,
    ClaimsMissing,
    CredentialOther,
    PresentationShape,
    RequestAnswered,
    RequestClosed,
    RequestUnknown,
)
from verifier.journal import OpenRequest

MAX_AGE_S: Final = 600
"""A presentation older than this is not fresh, whatever its own expiry says."""

_NEVER_CLAIMS: Final = frozenset({"id", "type"})


@dataclass
class Knowledge:
    """What the desk knows when it looks: nothing here comes from the presentation."""

    did: str
    assurance: Assurance
    canonicalizer: Canonicalizer
    request_for: Callable[[str], OpenRequest | None]
    now: datetime


@dataclass
class Case:
    """One presentation on the desk: as scanned, and what the checks have found so far."""

    source: str | Mapping[str, Any]
    document: Mapping[str, Any] = field(default_factory=dict)
    request: OpenRequest | None = None
    presentation: VerifiedPresentation | None = None
    credential: dict[str, Any] = field(default_factory=dict)
    scenario: Scenario | None = None
    claims: tuple[str, ...] = ()
    digest: str | None = None


class Check(Protocol):
    """One step of the pipeline. `name` is stable: machines and the journal read it."""

    name: str
    title: str

    def __call__(self, case: Case, known: Knowledge) -> str: ...


class Form:
    """It decodes, and is one presentation with one credential."""

    name = "form"
    title = "The code can be read and holds one presentation"

    def __call__(self, case: Case, known: Knowledge) -> str:
        case.document = _decoded(case.source)
        check_presentation(case.document)
        credentials = case.document.get("verifiableCredential")
        if isinstance(credentials, Mapping):
            credentials = [credentials]
        if not isinstance(credentials, list) or len(credentials) != 1:
            raise PresentationShape(reason="it holds not exactly one credential")
        if not isinstance(credentials[0], Mapping):
            raise PresentationShape(reason="its credential is not an object")
        case.credential = dict(credentials[0])
        if not isinstance(case.document.get("proof"), Mapping):
            raise PresentationShape(reason="it has not exactly one holder proof")
        case.digest = presentation_digest(case.document)
        return ""


class Audience:
    """It was made for this desk (Data Integrity `domain`)."""

    name = "audience"
    title = "It was made for this department"

    def __call__(self, case: Case, known: Knowledge) -> str:
        domain = case.document["proof"].get("domain")
        if not isinstance(domain, str) or not hmac.compare_digest(
            domain.encode(), known.did.encode()
        ):
            raise AudienceMismatch
        return known.did


class Nonce:
    """It answers an open request of this desk (Data Integrity `challenge`), for the first time."""

    name = "nonce"
    title = "It answers an open request, for the first time"

    def __call__(self, case: Case, known: Knowledge) -> str:
        challenge = case.document["proof"].get("challenge")
        request = known.request_for(challenge) if isinstance(challenge, str) else None
        if request is None:
            raise RequestUnknown
        case.request = request
        if request.answered is not None:
            raise RequestAnswered
        if known.now > request.expires:
            raise RequestClosed(expired=request.expires.strftime("%H:%M:%S UTC"))
        return request.entitlement


class Holder:
    """The holder's signature covers the whole presentation, for this audience and nonce."""

    name = "holder"
    title = "The holder signed exactly this"

    def __call__(self, case: Case, known: Knowledge) -> str:
        assert case.request is not None  # noqa: S101 - set by Nonce, which runs before
        case.presentation = verify_presentation(
            case.document,
            domain=known.did,
            challenge=case.request.nonce,
            now=known.now,
            max_age_s=MAX_AGE_S,
            canonicalizer=known.canonicalizer,
        )
        return ""


class Issuer:
    """The issuer is accredited on the chain for this type, at the time of issuance."""

    name = "issuer"
    title = "The issuer is accredited for this credential"

    def __call__(self, case: Case, known: Knowledge) -> str:
        return known.assurance.check_issuer(case.credential, known.now).did


class Signature:
    """The issuer's signature covers every statement shown."""

    name = "signature"
    title = "The issuer signed every statement shown"

    def __call__(self, case: Case, known: Knowledge) -> str:
        try:
            verified = verify_credential(
                case.credential,
                resolver=known.assurance.bundle.resolver,
                now=known.now,
                canonicalizer=known.canonicalizer,
            )
        except DidUnknown as error:
            # The issuer's document is not in the bundle: say what `Issuer` would say of that.
            raise known.assurance.absent(known.now, error) from error
        return verified.proofs[0].method.id


class Schema:
    """Contexts and schema are the recorded ones, and the data obeys them."""

    name = "schema"
    title = "The data fits the published schema"

    def __call__(self, case: Case, known: Knowledge) -> str:
        case.scenario = known.assurance.check_schema(case.credential)
        return case.scenario.schema_url


class Binding:
    """Who signed the presentation is whom the credential was issued to."""

    name = "binding"
    title = "It was issued to the one who shows it"

    def __call__(self, case: Case, known: Knowledge) -> str:
        assert case.presentation is not None  # noqa: S101 - set by Holder, which runs before
        described = case.credential.get("credentialSubject")
        subject = described.get("id") if isinstance(described, Mapping) else None
        if not isinstance(subject, str) or not hmac.compare_digest(
            subject.encode(), case.presentation.holder.encode()
        ):
            raise HolderMismatch
        return ""


class Validity:
    """Today lies in the validity period."""

    name = "validity"
    title = "It is valid today"

    def __call__(self, case: Case, known: Knowledge) -> str:
        end = known.assurance.check_validity(case.credential, known.now)
        return end.strftime("%Y-%m-%d") if end else ""


class Claims:
    """It shows what was asked for: no less, and nothing more."""

    name = "claims"
    title = "It shows what was asked for, and nothing else"

    def __call__(self, case: Case, known: Knowledge) -> str:
        assert case.request is not None  # noqa: S101 - set by Nonce, which runs before
        scenario = scenario_for_types(case.credential["type"])
        if scenario.credential_type != case.request.credential_type:
            raise CredentialOther
        always = set(scenario.mandatory_pointers)
        shown = [
            claim
            for claim in pointers_of(case.credential)
            if claim not in always and not any(claim.startswith(m + "/") for m in always)
        ]
        missing = [c for c in case.request.claims if c not in shown and c not in always]
        excess = [c for c in shown if c not in case.request.claims]
        if missing:
            raise ClaimsMissing(count=len(missing), names=", ".join(missing))
        if excess:
            raise ClaimsExcess(count=len(excess), names=", ".join(excess))
        case.claims = case.request.claims
        return ", ".join(case.claims)


class Entitlement:
    """The chain still entitles the desk to these claims."""

    name = "entitlement"
    title = "The chain entitles this department to ask"

    def __call__(self, case: Case, known: Knowledge) -> str:
        assert case.request is not None  # noqa: S101 - set by Nonce, which runs before
        return known.assurance.check_entitlement(
            known.did,
            case.request.entitlement,
            case.request.credential_type,
            case.request.claims,
            known.now,
        ).id


class Status:
    """Neither revoked nor suspended, by lists young enough to decide."""

    name = "status"
    title = "It is neither revoked nor suspended"

    def __call__(self, case: Case, known: Knowledge) -> str:
        as_of = known.assurance.check_status(case.credential, known.now).as_of
        return as_of.strftime("%Y-%m-%d %H:%M UTC") if as_of else ""


class Anchor:
    """Its digest is on the side chain, under a checkpoint that a quorum cosigned."""

    name = "anchor"
    title = "It is recorded on the chain"

    def __call__(self, case: Case, known: Knowledge) -> str:
        assert case.presentation is not None  # noqa: S101 - set by Holder, which runs before
        found = known.assurance.check_anchor(
            case.credential, case.presentation.anchor_proofs[0], known.now
        )
        return f"{issuer_id(case.credential)} #{found.index}"


class Freshness:
    """The desk's own knowledge is not too old."""

    name = "freshness"
    title = "The desk's trust bundle is fresh enough"

    def __call__(self, case: Case, known: Knowledge) -> str:
        return known.assurance.check_bundle(known.now).strftime("%Y-%m-%d %H:%M UTC")


PIPELINE: Final[tuple[Check, ...]] = (
    Form(),
    Audience(),
    Nonce(),
    Holder(),
    Issuer(),
    Signature(),
    Binding(),
    Schema(),
    Validity(),
    Claims(),
    Entitlement(),
    Status(),
    Anchor(),
    Freshness(),
)


def _decoded(source: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(source, str):
        return source
    text = source.strip()
    return parse_json_object(text.encode()) if text.startswith("{") else decode_qr_text(text)


def pointers_of(credential: Mapping[str, Any]) -> list[str]:
    """JSON pointers of the claims that a credential shows: each subject member, and evidence."""
    subject = credential.get("credentialSubject")
    names = subject if isinstance(subject, Mapping) else {}
    found = [f"/credentialSubject/{name}" for name in names if name not in _NEVER_CLAIMS]
    if "evidence" in credential:
        found.append("/evidence")
    return found
