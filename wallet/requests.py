"""A department's request: who asks, why, what it would see, and the answer.

Guarantees: a request is shown only after its signature was verified under a key that the chain
has for that department; the names, purpose and legal basis of the entitlement come from the
chain, not from the request alone; what was shown on the consent screen is what is derived,
no claim more; one request is answered once, for one department and nonce; the transaction is in
the history before the answer exists. Whoever is not accredited gets no answer at all. A request
beyond its entitlement is answered only on the owner's express wish.

It cannot keep a department from writing down what it was shown: that is what receipts are for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from credentials.anchor import presentation_digest
from credentials.errors import QueryUnsupported, RequestExpired
from credentials.exchange import VerifiedRequest, parse_request
from credentials.presentation import build_presentation
from credentials.proofs.ecdsa_sd_2023 import derive_proof
from credentials.qr import encode_qr_text
from credentials.query import DcqlQuery, QueryMatch, expanded_types
from registry.errors import BundleStale
from registry.trust import Entitlement
from schemas.names import CONTEXT_V2
from schemas.scenario import Scenario, all_scenarios
from schemas.texts import load_texts
from wallet.errors import (
    CannotAnswer,
    RequestAnswered,
    RequestExceedsEntitlement,
    VerifierNotAccredited,
)
from wallet.history import History, label, pick
from wallet.holder import Held, Holder
from wallet.trust import Trust
from wallet.vault import Vault
from wallet.views import (
    AnchorState,
    CandidateView,
    ClaimView,
    CredentialState,
    HistoryKind,
    Outcome,
    PresentationReady,
    RequestView,
    WarningKind,
    WarningView,
)

LONGEST_SHOWING: Final = timedelta(minutes=5)
"""How long a presentation is good when the request itself would allow more."""


@dataclass(frozen=True)
class Asked:
    """What a verified request asks for, against what the chain entitles to."""

    verified: VerifiedRequest
    scenario: Scenario
    pointers: tuple[str, ...]
    accredited: bool
    verifier_name: Mapping[str, str]
    entitlement: Entitlement | None
    exceeding: tuple[str, ...]


class Requests:
    """Inspecting and answering, for one vault."""

    def __init__(
        self,
        vault: Vault,
        holder: Holder,
        history: History,
        trust: Trust,
        clock: Callable[[], datetime],
    ) -> None:
        self._vault = vault
        self._holder = holder
        self._history = history
        self._trust = trust
        self._clock = clock

    # -- reading ------------------------------------------------------------------------------

    def read(self, text: str) -> VerifiedRequest:
        """Verify a request by its signature. Raises RequestExpired, RequestSignerMismatch …"""
        return parse_request(text, resolver=self._trust.bundle().resolver, now=self._clock())

    def check_open(self, verified: VerifiedRequest) -> None:
        """Raises RequestExpired, RequestAnswered."""
        request = verified.request
        if self._clock() >= request.expires:
            raise RequestExpired(expired=request.expires.strftime("%H:%M:%S UTC"))
        if self._history.answered(request.client_id, request.nonce):
            raise RequestAnswered

    def judge(self, verified: VerifiedRequest) -> Asked:
        """Hold the request against the chain as this wallet knows it."""
        request = verified.request
        now = self._clock()
        scenario, pointers = wanted(request.dcql)
        bundle = self._trust.bundle()
        accreditation = bundle.verifier(request.client_id)
        accredited = accreditation is not None and accreditation.covers(now)
        entitlement = bundle.entitlement(request.entitlement) if request.entitlement else None
        if entitlement is not None and (
            not accredited
            or entitlement.verifier != request.client_id
            or entitlement.credential_type != scenario.credential_type
            or not entitlement.covers(now)
        ):
            entitlement = None
        always = set(scenario.mandatory_pointers)
        optional = tuple(p for p in pointers if p not in always)
        within = tuple(p for p in optional if entitlement and p in entitlement.claims)
        if entitlement is not None and not bundle.allows_claims(entitlement, within, now):
            entitlement = None  # the contracts take back what the entitlement gives
        allowed = entitlement.claims if entitlement is not None else ()
        return Asked(
            verified=verified,
            scenario=scenario,
            pointers=optional,
            accredited=accredited,
            # The chain's name where there is one: the request could call itself anything.
            verifier_name=accreditation.name if accreditation else request.verifier_name,
            entitlement=entitlement,
            exceeding=tuple(p for p in optional if p not in allowed),
        )

    def view(self, asked: Asked, language: str) -> RequestView:
        """The consent screen's content."""
        request = asked.verified.request
        candidates = tuple(
            self._candidate(held, asked, language)
            for held in self._holder.all()
            if _fits(held, asked)
        )
        # A valid credential first; the order of `all` (newest first) breaks ties.
        candidates = tuple(sorted(candidates, key=lambda c: c.state is not CredentialState.VALID))
        first = candidates[0] if candidates else None
        entitlement = asked.entitlement
        return RequestView(
            verifier_did=request.client_id,
            verifier_name=pick(asked.verifier_name, language) or request.client_id,
            purpose=pick(request.purpose, language) or "",
            legal_basis=pick(entitlement.legal_basis, language) if entitlement else None,
            entitlement=entitlement.id if entitlement else None,
            entitlement_purpose=pick(entitlement.purpose, language) if entitlement else None,
            credential_title=pick(asked.scenario.title, language) or asked.scenario.id,
            requested=_claims(asked.scenario, asked.pointers, language),
            exceeding=_claims(asked.scenario, asked.exceeding, language),
            shown=first.shown if first else (),
            hidden=first.hidden
            if first
            else _claims(
                asked.scenario,
                [p for p in asked.scenario.selectable_pointers if p not in asked.pointers],
                language,
            ),
            always_shown=_claims(asked.scenario, asked.scenario.mandatory_pointers, language),
            warnings=self._warnings(asked, language, any_candidate=bool(candidates)),
            candidates=candidates,
            expires=request.expires,
            trust_as_of=self._trust.bundle().time,
            request=asked.verified,
        )

    def _candidate(self, held: Held, asked: Asked, language: str) -> CandidateView:
        _ = load_texts("wallet", language)
        state = held.state(self._clock())
        warnings = []
        if state is not CredentialState.VALID:
            warnings.append(
                WarningView(
                    WarningKind.CREDENTIAL_NOT_VALID,
                    _(
                        "The department will probably not accept this credential: {state}.",
                        state=state_text(state, language),
                    ),
                )
            )
        if held.anchor is AnchorState.PENDING:
            warnings.append(
                WarningView(
                    WarningKind.NOT_ANCHORED,
                    _(
                        "This credential is not yet recorded on the chain; the department may be "
                        "unable to accept it. Refresh, then try again."
                    ),
                )
            )
        return CandidateView(
            credential_id=held.id,
            title=pick(held.scenario.title, language) or held.scenario.id,
            issuer_name=self.issuer_name(held.issuer, language),
            state=state,
            state_text=state_text(state, language),
            shown=claim_views(held, asked.pointers, language),
            hidden=_claims(
                held.scenario,
                [p for p in held.scenario.selectable_pointers if p not in asked.pointers],
                language,
            ),
            warnings=tuple(warnings),
        )

    def _warnings(
        self, asked: Asked, language: str, *, any_candidate: bool
    ) -> tuple[WarningView, ...]:
        _ = load_texts("wallet", language)
        warnings = []
        if not asked.accredited:
            warnings.append(
                WarningView(
                    WarningKind.UNKNOWN_VERIFIER,
                    _(
                        "Whoever asks is not an accredited department on the chain. "
                        "The wallet does not answer."
                    ),
                    blocking=True,
                )
            )
        elif asked.entitlement is None:
            warnings.append(
                WarningView(
                    WarningKind.NO_ENTITLEMENT,
                    _("The chain entitles this department to none of this."),
                    needs_override=True,
                )
            )
        elif asked.exceeding:
            warnings.append(
                WarningView(
                    WarningKind.EXCEEDS_ENTITLEMENT,
                    _(
                        "The department asks for more than the chain entitles it to: {claims}.",
                        claims=_(", ").join(
                            label(asked.scenario.id, p, language) for p in asked.exceeding
                        ),
                    ),
                    needs_override=True,
                )
            )
        if asked.entitlement is not None and dict(asked.entitlement.purpose) != dict(
            asked.verified.request.purpose
        ):
            warnings.append(
                WarningView(
                    WarningKind.PURPOSE_DIFFERS,
                    _(
                        "The purpose stated is not the one on the chain, which is: {purpose}",
                        purpose=pick(asked.entitlement.purpose, language) or "",
                    ),
                )
            )
        if not any_candidate:
            warnings.append(
                WarningView(
                    WarningKind.NO_CREDENTIAL,
                    _("This wallet holds no credential that could answer."),
                    blocking=True,
                )
            )
        try:
            self._trust.assurance().check_bundle(self._clock())
        except BundleStale:
            warnings.append(
                WarningView(
                    WarningKind.OLD_TRUST_BUNDLE,
                    _("What this wallet knows of the chain is old. Refresh before you answer."),
                )
            )
        return tuple(warnings)

    def issuer_name(self, did: str, language: str) -> str:
        accreditation = self._trust.bundle().issuer(did) if self._trust.as_of else None
        return (pick(accreditation.name, language) if accreditation else None) or did

    # -- answering ----------------------------------------------------------------------------

    def answer(
        self, verified: VerifiedRequest, credential_id: str, language: str, *, override: bool
    ) -> PresentationReady:
        """Derive, bind, record. The request is judged anew: time and trust may have moved."""
        with self._vault.inside():  # so that two threads cannot answer one request
            return self._answer(verified, credential_id, language, override=override)

    def _answer(
        self, verified: VerifiedRequest, credential_id: str, language: str, *, override: bool
    ) -> PresentationReady:
        self.check_open(verified)
        asked = self.judge(verified)
        request = verified.request
        members = _history_members(asked)
        held = self._holder.get(credential_id)
        try:
            if not asked.accredited:
                raise VerifierNotAccredited
            if (asked.exceeding or asked.entitlement is None) and not override:
                raise RequestExceedsEntitlement
            _require_fit(held, asked)
            document, expires = self._present(held, asked)
            qr_text = encode_qr_text(document)
        except (VerifierNotAccredited, RequestExceedsEntitlement, CannotAnswer) as error:
            self._history.fail(self._history.begin(HistoryKind.PRESENTATION, **members), error)
            raise
        entry = self._history.begin(
            HistoryKind.PRESENTATION,
            **members,
            outcome=Outcome.DONE,
            nonce=request.nonce,
            presentation=presentation_digest(document),
        )
        return PresentationReady(
            history_id=entry,
            credential_id=held.id,
            verifier_did=request.client_id,
            verifier_name=pick(asked.verifier_name, language) or request.client_id,
            shown=tuple(label(asked.scenario.id, p, language) for p in asked.pointers),
            document=document,
            qr_text=qr_text,
            expires=expires,
        )

    def decline(self, verified: VerifiedRequest) -> int:
        """Record the refusal. Works for any request that could be read."""
        return self._history.begin(
            HistoryKind.REFUSAL, **_history_members(self.judge(verified)), outcome=Outcome.DONE
        )

    def _present(self, held: Held, asked: Asked) -> tuple[dict[str, Any], datetime]:
        request = asked.verified.request
        now = self._clock().replace(microsecond=0)
        expires = min(request.expires, now + LONGEST_SHOWING)
        key = self._holder.key(held.key_id)
        derived = derive_proof(
            held.document,
            selective_pointers=asked.pointers,
            canonicalizer=self._trust.canonicalizer,
        )
        document = build_presentation(
            [derived],
            anchor_proofs=[held.anchor_proof],
            signer=key.private,
            domain=request.client_id,
            challenge=request.nonce,
            created=now,
            expires=expires,
            canonicalizer=self._trust.canonicalizer,
        )
        return document, expires


def state_text(state: CredentialState, language: str) -> str:
    """The state in words."""
    _ = load_texts("wallet", language)
    return {
        CredentialState.VALID: _("valid"),
        CredentialState.SUSPENDED: _("suspended"),
        CredentialState.REVOKED: _("revoked"),
        CredentialState.EXPIRED: _("expired"),
        CredentialState.NOT_YET_VALID: _("not yet valid"),
        CredentialState.UNKNOWN: _("status not known"),
    }[state]


def value_at(document: Mapping[str, Any], pointer: str) -> object | None:
    """The value at a claim's pointer, None if it is not there."""
    value: object = document
    for part in pointer.split("/")[1:]:
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def claim_views(held: Held, pointers: Sequence[str], language: str) -> tuple[ClaimView, ...]:
    """Claims with their values as people read them, in the order of the scenario."""
    return tuple(
        ClaimView(
            pointer=claim.pointer,
            label=pick(claim.label, language) or claim.pointer,
            value=held.scenario.display(claim.pointer, value, language),
            sensitive=claim.sensitive,
            mandatory=claim.mandatory,
        )
        for claim in held.scenario.claims
        if claim.pointer in pointers
        and (value := value_at(held.document, claim.pointer)) is not None
    )


def _claims(scenario: Scenario, pointers: Sequence[str], language: str) -> tuple[ClaimView, ...]:
    """Claims by name, without values."""
    known = {claim.pointer: claim for claim in scenario.claims}
    return tuple(
        ClaimView(
            pointer=pointer,
            label=label(scenario.id, pointer, language),
            sensitive=pointer in known and known[pointer].sensitive,
            mandatory=pointer in known and known[pointer].mandatory,
        )
        for pointer in sorted(
            pointers, key=lambda p: list(known).index(p) if p in known else len(known)
        )
    )


def wanted(query: DcqlQuery) -> tuple[Scenario, tuple[str, ...]]:
    """The kind of credential asked for, and its claims by name.

    Raises QueryUnsupported where a claim has no name that the consent screen could show.
    """
    scenario = next((s for s in all_scenarios() if _is_of_kind(query, s)), None)
    if scenario is None:
        raise QueryUnsupported(reason="a kind of credential that this wallet does not know")
    known = [claim.pointer for claim in scenario.claims]
    chosen: dict[str, None] = {}
    for pointer in query.requested_pointers():
        # A path to a whole object asks for each claim in it.
        named = [p for p in known if p == pointer or p.startswith(pointer + "/")]
        if not named:
            raise QueryUnsupported(reason="a claim that this kind of credential does not name")
        chosen.update(dict.fromkeys(named))
    return scenario, tuple(chosen)


def _is_of_kind(query: DcqlQuery, scenario: Scenario) -> bool:
    have = set(
        expanded_types(
            [CONTEXT_V2, scenario.context_url], ["VerifiableCredential", scenario.credential_type]
        )
    )
    return any(have.issuperset(alternative) for alternative in query.type_values)


def _fits(held: Held, asked: Asked) -> bool:
    """The credential answers the query, and by showing nothing that the screen does not list."""
    match = asked.verified.request.dcql.match(held.document)
    if not isinstance(match, QueryMatch) or held.scenario.id != asked.scenario.id:
        return False
    return set(match.pointers) <= {*asked.pointers, *asked.scenario.mandatory_pointers}


def _require_fit(held: Held, asked: Asked) -> None:
    if held.scenario.id != asked.scenario.id:
        raise CannotAnswer(reason="it is of another kind")
    if not _fits(held, asked):
        raise CannotAnswer(reason="it lacks something that is asked for")


def _history_members(asked: Asked) -> dict[str, Any]:
    request = asked.verified.request
    return {
        "party_did": request.client_id,
        "party_name": asked.verifier_name,
        "scenario": asked.scenario.id,
        "purpose": request.purpose,
        "legal_basis": asked.entitlement.legal_basis if asked.entitlement else None,
        "entitlement": request.entitlement,
        "claims": asked.pointers,
    }
