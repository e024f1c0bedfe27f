"""What the contracts are asked about a submission, and how a refusal is explained.

The facts of a question come from the main chain as of one index, the entry, and the time of the
seal. So everybody who asks about the same submission asks the same question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.contracts.engine import Decision, Engine, Party, Request
from registry.contracts.governance import Governance
from registry.ledger.entries import Entry
from registry.ledger.kinds import KINDS
from registry.ledger.records import Accreditation, Entitlement
from schemas.errors import Phrase

OPERATOR: Final = "Operator"
ISSUER: Final = "Issuer"
VERIFIER: Final = "Verifier"
STRANGER: Final = "Stranger"
ROLL_OVER: Final = "rollOver"
_MAX_TOLD: Final = 200


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks about entries that `submitter` sealed at `moment` for the chain `origin`."""

    governance: Governance
    origin: str
    submitter: str
    moment: datetime
    at: int

    def forbidden(self, engine: Engine, entry: Entry) -> str | None:
        """Why the contracts do not allow the entry; None when they do."""
        decision = self.decide(engine, entry)
        return None if decision.allowed else self._explain(self.request(entry), decision)

    def decide(self, engine: Engine, entry: Entry) -> Decision:
        """What the contracts say of the entry."""
        state = self.governance
        if self.origin == state.genesis.origin:
            # Every such entry is another question.
            return engine.judge(self.request(entry))
        held = state.issuers.get(self.submitter) or state.verifiers.get(self.submitter)
        key = (
            entry.kind,
            self.submitter,
            self.origin,
            None if held is None else (held.index, held.covers(self.moment)),
            entry["list"] if entry.kind == "status" else None,
        )
        return engine.decide(key, lambda: self.request(entry))

    def request(self, entry: Entry) -> Request:
        """The question about one entry."""
        action = KINDS[entry.kind].action
        if action is None:
            raise ValueError("no contract is asked about entries of this kind")
        if entry.kind == "chain" and entry["previous"] is not None:
            action = ROLL_OVER
        context = (
            self._main_context(entry)
            if self.origin == self.governance.genesis.origin
            else self._side_context(entry)
        )
        return Request(principal(self.governance, self.submitter), action, self._chain(), context)

    def _chain(self) -> Party:
        chain = self.governance.chains.get(self.origin)
        if chain is None:
            return Party("Chain", self.origin, {"purpose": "main", "scenario": "", "epoch": 1})
        facts = {
            "purpose": str(chain.purpose),
            "scenario": chain.scenario,
            "epoch": chain.epoch,
        }
        return Party("Chain", self.origin, facts)

    def _side_context(self, entry: Entry) -> dict[str, Any]:
        state = self.governance
        held = state.issuers.get(self.submitter) or state.verifiers.get(self.submitter)
        context: dict[str, Any] = {"inForce": held is not None and held.covers(self.moment)}
        if entry.kind != "access":
            context["chainIncluded"] = held is not None and state.includes(held, self.origin)
        if entry.kind == "status":
            context["list"] = entry["list"]
        return context

    def _main_context(self, entry: Entry) -> dict[str, Any]:
        state, body = self.governance, entry.body
        match entry.kind:
            case "chain" if body["previous"] is not None:
                return _only(body, "origin", "purpose", "scenario", "previous", "epoch")
            case "chain":
                taken = any(one.scenario == body["scenario"] for one in state.chains.values())
                return {
                    **_only(body, "origin", "purpose", "scenario"),
                    "firstOfScenario": not taken,
                }
            case "issuer":
                return {
                    **_only(body, "did", "types", "chains"),
                    "known": body["did"] in state.issuers,
                    "ends": body["to"] is not None,
                }
            case "verifier":
                return {
                    **_only(body, "did"),
                    "known": body["did"] in state.verifiers,
                    "ends": body["to"] is not None,
                }
            case "entitlement":
                return {
                    **_only(body, "id", "verifier", "credentialType", "claims"),
                    "known": body["id"] in state.entitlements,
                    "ends": body["to"] is not None,
                }
            case "resource":
                return {**_only(body, "role", "url"), "known": body["url"] in state.resources}
            case _:  # contract
                return {
                    **_only(body, "name", "version"),
                    "known": body["replaces"] is not None,
                    "approvals": len(body["approvals"]),
                    "quorum": state.genesis.quorum,
                    "nodes": len(state.genesis.nodes),
                    "notice": max(body["activates"] - self.at, 0),
                }

    def _explain(self, request: Request, decision: Decision) -> str:
        if decision.failed:
            told = " ".join(decision.failed[0].split())
            return Phrase("a contract fails on it: {told}", told=told[:_MAX_TOLD])
        if decision.by:
            return Phrase("it is forbidden by {contracts}", contracts=", ".join(decision.by))
        context = request.context
        if request.principal.type in (ISSUER, VERIFIER):
            if context.get("inForce") is False:
                return "its accreditation was not in force when it sealed"
            if context.get("chainIncluded") is False:
                return "its accreditation does not include this chain"
        who = _ROLES[request.principal.type]
        if request.action == KINDS["contract"].action and request.principal.type == OPERATOR:
            return Phrase(
                "no contract in force allows it: {approvals} nodes approve, "
                "and the quorum is {quorum}",
                approvals=context["approvals"],
                quorum=context["quorum"],
            )
        return Phrase(
            "no contract in force allows {action} to {role}", action=request.action, role=who
        )


_ROLES: Final[Mapping[str, str]] = {
    OPERATOR: "the operator",
    ISSUER: "an issuer",
    VERIFIER: "a verifier",
    STRANGER: "one who is not accredited",
}


def principal(state: Governance, did: str) -> Party:
    """Who asks, in the role that the main chain gives to the DID."""
    issuer = state.issuers.get(did)
    if issuer is not None:
        facts = {"did": did, "types": list(issuer.types), "chains": list(issuer.chains)}
        return Party(ISSUER, did, facts)
    if did == state.genesis.operator:
        role = OPERATOR
    else:
        role = VERIFIER if did in state.verifiers else STRANGER
    return Party(role, did, {"did": did})


def issue_request(
    state: Governance, issuer: Accreditation, credential_type: str, moment: datetime
) -> Request:
    """Whether a credential of this type, valid from `moment` on, counts."""
    return Request(
        principal(state, issuer.did),
        "issue",
        Party("CredentialType", credential_type, {}),
        {"inForce": issuer.covers(moment), "typeIncluded": credential_type in issuer.types},
    )


def claims_request(
    state: Governance,
    verifier: Accreditation,
    entitlement: Entitlement,
    claims: tuple[str, ...],
    moment: datetime,
) -> Request:
    """Whether a verifier may ask for these claims, by this entitlement, at `moment`."""
    return Request(
        principal(state, verifier.did),
        "requestClaims",
        Party("CredentialType", entitlement.credential_type, {}),
        {
            "entitlement": entitlement.id,
            "inForce": verifier.covers(moment),
            "entitled": entitlement.covers(moment)
            and entitlement.verifier == verifier.did
            and set(claims) <= set(entitlement.claims),
            "claims": sorted(claims),
        },
    )


def _only(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: body[name] for name in names}
