"""Deciding requests by policies: default deny, errors deny, and cheap when asked again.

A request is a pure value: who, what, on which chain, and facts that the caller worked out from
the main chain and the seal. No clock, no network, no state: the same policies give the same
decision to sequencer, nodes, desks, wallets and issuers, now and in ten years.

Cedar itself skips a policy that fails while it is evaluated. Here any failure denies: a
prohibition that fails must not be as if it were not there.

Guaranteed: cost is bounded. A request is judged by the policies about its action and principal
only, decisions are kept, and what is kept is limited.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from registry.contracts.policy import Rule

MAX_KEPT: Final = 16 * 1024  # decisions; each takes well under 1 KiB
MAX_SLICES: Final = 256  # each may hold every policy there is
_ABSENT: Final = object()
MAX_CONTEXT_ITEMS: Final = 256  # members of one set in a request


@dataclass(frozen=True)
class Party:
    """A principal or resource: its Cedar type, its id, and its attributes."""

    type: str
    id: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One question to the contracts."""

    principal: Party
    action: str
    resource: Party
    context: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The question for people and tools; everything in it is on the chain."""
        return {
            "principal": {"type": self.principal.type, "id": self.principal.id},
            "action": self.action,
            "resource": {"type": self.resource.type, "id": self.resource.id},
            "context": dict(self.context),
        }


@dataclass(frozen=True)
class Decision:
    """The answer: `by` names the policies that decided, `failed` those that could not."""

    allowed: bool
    by: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class Engine:
    """Judges by a fixed set of policies, named `contract/id`. Thread-safe."""

    def __init__(self, rules: Iterable[tuple[str, Rule]]) -> None:
        self._by_action: dict[str, list[tuple[str, Rule]]] = {}
        self._named: set[tuple[str, str]] = set()
        for name, rule in rules:
            for action in rule.actions:
                self._by_action.setdefault(action, []).append((name, rule))
            if rule.principal_id is not None:
                self._named.add((str(rule.principal), rule.principal_id))
        self._slices: dict[tuple[str, str, str | None], Any] = {}
        self._kept: dict[Hashable, Decision] = {}

    def decide(self, key: Hashable, ask: Callable[[], Request]) -> Decision:
        """The decision on `ask()`, kept under `key`, which must tell distinct requests apart."""
        held = self._kept.get(key)
        if held is None:
            held = self.judge(ask())
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = held
        return held

    def judge(self, request: Request) -> Decision:
        """The decision on a request, worked out anew."""
        if any(
            isinstance(value, (list, tuple)) and len(value) > MAX_CONTEXT_ITEMS
            for facts in (
                request.context,
                request.principal.attributes,
                request.resource.attributes,
            )
            for value in facts.values()
        ):
            return Decision(False, failed=("the request is too large",))
        policies = self._slice(request)
        if policies is None:
            return Decision(False)
        import cedarpy

        question = {
            "principal": {"type": request.principal.type, "id": request.principal.id},
            "action": {"type": "Action", "id": request.action},
            "resource": {"type": request.resource.type, "id": request.resource.id},
            "context": dict(request.context),
        }
        entities = json.dumps([_entity(request.principal), _entity(request.resource)])
        found = cedarpy.is_authorized(question, policies, entities)
        by = tuple(sorted(found.diagnostics.reasons))
        if found.diagnostics.errors or found.decision is cedarpy.Decision.NoDecision:
            return Decision(False, by, tuple(found.diagnostics.errors) or ("no decision",))
        return Decision(found.decision is cedarpy.Decision.Allow, by)

    def _slice(self, request: Request) -> Any:
        """The policies that can apply; None when there are none."""
        kind, identifier = request.principal.type, request.principal.id
        own = identifier if (kind, identifier) in self._named else None
        key = (request.action, kind, own)
        held = self._slices.get(key, _ABSENT)
        if held is not _ABSENT:
            return held
        forms = {
            name: rule.form
            for name, rule in self._by_action.get(request.action, ())
            if rule.principal in (None, kind) and rule.principal_id in (None, own)
        }
        found = _policy_set(forms) if forms else None
        if len(self._slices) >= MAX_SLICES:
            self._slices.clear()
        self._slices[key] = found
        return found


def _policy_set(forms: Mapping[str, Mapping[str, Any]]) -> Any:
    import cedarpy

    whole = {"staticPolicies": dict(forms), "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(json.dumps(whole))


def _entity(party: Party) -> dict[str, Any]:
    return {
        "uid": {"type": party.type, "id": party.id},
        "attrs": dict(party.attributes),
        "parents": [],
    }
