"""Rehearsing a contract: what would differ if a proposed text were in force, and had always been.

Two looks. *History*: every submission of every chain is asked again, once by the contracts that
were in force there, once with the proposed text in the place of the version of its name. So it
shows which accepted entries the text would have refused. *Probes*: the questions of that history,
and one of each kind, are asked again as they were not: by every other role, with each fact turned
round. So it shows what the text would newly allow, or forbid, of things that nobody tried.

Not said: that a text that differs in nothing here differs in nothing at all; there are more
questions than anybody can ask.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from registry.contracts.engine import Decision, Engine, Party, Request
from registry.contracts.following import Read, submissions
from registry.contracts.governance import Governance
from registry.contracts.policy import RULE_OF_RULES, PolicyText
from registry.contracts.questions import ISSUER, OPERATOR, STRANGER, VERIFIER, Asker
from registry.ledger.genesis import Genesis
from registry.ledger.kinds import KINDS
from registry.ledger.submission import Submission

MAX_TOLD: Final = 100  # differences that are listed; all are counted
MAX_SAMPLES: Final = 24  # questions of one action that are probed


@dataclass(frozen=True)
class Refused:
    """An entry of the history that the proposed text would have refused."""

    origin: str
    index: int
    kind: str
    submitter: str
    reason: str


@dataclass(frozen=True)
class Probe:
    """A question that is answered otherwise. `allowed` is the proposed text's answer."""

    request: Request
    allowed: bool
    by: tuple[str, ...]


@dataclass
class Rehearsal:
    """What was found. `judged` counts the entries that contracts were asked about."""

    name: str
    judged: int = 0
    refused_count: int = 0
    refused: list[Refused] = field(default_factory=list)
    probed: int = 0
    probes: list[Probe] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything would be decided otherwise."""
        return bool(self.refused_count or self.probes)

    def to_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "contract": self.name,
            "differs": self.differs,
            "judged": self.judged,
            "refused": self.refused_count,
            "refusedEntries": [vars(one) for one in self.refused],
            "probed": self.probed,
            "allowed": [_probe(one) for one in self.probes if one.allowed],
            "forbidden": [_probe(one) for one in self.probes if not one.allowed],
        }


def _probe(probe: Probe) -> dict[str, Any]:
    return {**probe.request.to_json(), "by": list(probe.by)}


def rehearse(
    genesis: Genesis,
    policy: PolicyText,
    name: str,
    *,
    size: int,
    read: Read,
    progress: Callable[[int], None] | None = None,
) -> Rehearsal:
    """Replay the main chain up to `size` and the side chains that it records.

    `read` yields entries as a follower reads them; `progress` is told how many main-chain
    entries are done. Raises ChainInvalid and whatever `read` raises.
    """
    report = Rehearsal(name)
    state = Governance(genesis)
    trials = _Trials(name, policy)
    samples: dict[str, dict[str, Request]] = {}
    main = genesis.origin
    for at, submission in submissions(main, 0, read(main, 0, size)):
        _compare(report, state, trials, submission, at, at, samples)
        for index, entry in enumerate(submission.entries, at):
            state.apply(index, entry)
            if entry.kind == "checkpoint":
                side, start, end = entry["origin"], entry["start"], entry["end"]
                for first, batch in submissions(side, start, read(side, start, end)):
                    _compare(report, state, trials, batch, at, first, samples)
        if progress is not None:
            progress(at + len(submission.leaves))
    _probe_all(report, state, trials, samples, size)
    return report


class _Trials:
    """The engine with the proposed text in place, for each engine of the chain."""

    def __init__(self, name: str, policy: PolicyText) -> None:
        self._name = name
        self._policy = policy
        self._held: tuple[Engine, Engine] | None = None

    def of(self, state: Governance, at: int) -> tuple[Engine, Engine]:
        actual = state.contracts.engine(at)
        if self._held is None or self._held[0] is not actual:
            texts = {name: one.policy for name, one in state.contracts.in_force(at).items()}
            texts[self._name] = self._policy
            trial = Engine(
                (f"{name}/{rule.id}", rule) for name, text in texts.items() for rule in text.rules
            )
            self._held = actual, trial
        return self._held


def _compare(
    report: Rehearsal,
    state: Governance,
    trials: _Trials,
    submission: Submission,
    at: int,
    first: int,
    samples: dict[str, dict[str, Request]],
) -> None:
    if at == 0:
        return  # the founding submission is judged by no contract
    asker = Asker(state, submission.origin, submission.submitter, submission.time, at)
    _, trial = trials.of(state, at)
    for index, entry in enumerate(submission.entries, first):
        if KINDS[entry.kind].action is None:
            continue
        report.judged += 1
        reason = asker.forbidden(trial, entry)
        if reason is not None:
            report.refused_count += 1
            if len(report.refused) < MAX_TOLD:
                report.refused.append(
                    Refused(submission.origin, index, entry.kind, submission.submitter, reason)
                )
        held = samples.setdefault(entry.kind, {})
        if len(held) < MAX_SAMPLES and (not held or index == first):
            request = asker.request(entry)
            held.setdefault(json.dumps(request.to_json(), sort_keys=True), request)


def _probe_all(
    report: Rehearsal,
    state: Governance,
    trials: _Trials,
    samples: Mapping[str, Mapping[str, Request]],
    size: int,
) -> None:
    actual, trial = trials.of(state, size)
    asked: set[str] = set()
    seen = [request for held in samples.values() for request in held.values()]
    for sample in [*seen, *_one_of_each(state)]:
        for request in _variants(state, sample):
            text = json.dumps(request.to_json(), sort_keys=True)
            if text in asked:
                continue
            asked.add(text)
            before, after = actual.judge(request), trial.judge(request)
            if before.allowed != after.allowed and len(report.probes) < MAX_TOLD:
                report.probes.append(Probe(request, after.allowed, _told(before, after)))
    report.probed = len(asked)


def _told(before: Decision, after: Decision) -> tuple[str, ...]:
    return after.failed or after.by or before.by


def _variants(state: Governance, request: Request) -> Iterator[Request]:
    """The question by each role, and with each fact turned round."""
    turned = [dict(request.context)]
    for fact, value in request.context.items():
        if isinstance(value, bool):
            turned += [{**one, fact: not value} for one in list(turned)]
    if "approvals" in request.context:
        quorum = request.context["quorum"]
        turned += [{**one, "approvals": count} for one in list(turned) for count in (0, quorum)]
    if "name" in request.context:
        turned += [{**one, "name": name} for one in list(turned) for name in ("x", RULE_OF_RULES)]
    for principal in _principals(state, request):
        for context in turned:
            yield replace(request, principal=principal, context=context)


def _principals(state: Governance, request: Request) -> Iterable[Party]:
    if request.action not in ("issue", "requestClaims"):
        did = state.genesis.operator
        yield Party(OPERATOR, did, {"did": did})
        yield Party(STRANGER, "did:web:stranger.invalid", {"did": "did:web:stranger.invalid"})
    if request.action != "requestClaims":
        did = "did:web:issuer.invalid"
        facts = {"did": did, "types": ["ACredential"], "chains": sorted(state.chains)}
        yield Party(ISSUER, did, facts)
    if request.action != "issue":
        did = "did:web:verifier.invalid"
        yield Party(VERIFIER, did, {"did": did})
    yield request.principal


def _one_of_each(state: Governance) -> Iterator[Request]:
    """A question of each action, for what the history has no example of."""
    main = Party("Chain", state.genesis.origin, {"purpose": "main", "scenario": "", "epoch": 1})
    operator = Party(OPERATOR, state.genesis.operator, {"did": state.genesis.operator})
    did = "did:web:subject.invalid"
    chain = {"origin": f"{state.genesis.network}/x", "purpose": "anchors", "scenario": "x"}
    contexts: Mapping[str, Mapping[str, Any]] = {
        "registerChain": {**chain, "firstOfScenario": True},
        "rollOver": {**chain, "previous": f"{state.genesis.network}/w", "epoch": 2},
        "accreditIssuer": {
            "did": did,
            "known": False,
            "ends": False,
            "types": ["ACredential"],
            "chains": sorted(state.chains)[:1],
        },
        "accreditVerifier": {"did": did, "known": False, "ends": False},
        "entitle": {
            "id": "x",
            "verifier": did,
            "known": False,
            "ends": False,
            "credentialType": "ACredential",
            "claims": ["/credentialSubject/name"],
        },
        "registerResource": {"role": "context", "url": "https://x.invalid/", "known": False},
        "replaceContract": {
            "name": "x",
            "known": False,
            "version": 1,
            "approvals": 0,
            "quorum": state.genesis.quorum,
            "nodes": len(state.genesis.nodes),
            "notice": 1,
        },
    }
    for action, context in contexts.items():
        yield Request(operator, action, main, context)
    for side in state.chains.values():
        facts = {"purpose": str(side.purpose), "scenario": side.scenario, "epoch": side.epoch}
        place = Party("Chain", side.origin, facts)
        standing = {"inForce": True, "chainIncluded": True}
        listed = {**standing, "list": "https://x.invalid/1"}
        for action, context in (
            ("anchor", standing),
            ("publishStatus", listed),
            ("recordAccess", {"inForce": True}),
        ):
            yield Request(operator, action, place, context)
    credential = Party("CredentialType", "ACredential", {})
    yield Request(
        Party(ISSUER, did, {"did": did, "types": ["ACredential"], "chains": []}),
        "issue",
        credential,
        {"inForce": True, "typeIncluded": True},
    )
    yield Request(
        Party(VERIFIER, did, {"did": did}),
        "requestClaims",
        credential,
        {
            "entitlement": "x",
            "inForce": True,
            "entitled": True,
            "claims": ["/credentialSubject/name"],
        },
    )
