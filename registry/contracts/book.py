"""The contracts of a chain: every version of each, and which of them are in force where.

A version is in force for submissions that begin at main-chain index `activates` or later, until
a newer version of the same name is. So a contract can be announced long before it counts, and a
version that never counted can be overtaken by a newer one.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Final

from registry.contracts.approvals import wrong_approval
from registry.contracts.engine import Engine
from registry.contracts.policy import PolicyText
from registry.errors import ContractMalformed
from registry.ledger.entries import Entry
from registry.ledger.genesis import Genesis
from schemas.errors import Phrase

MAX_CONTRACTS: Final = 128  # names; bounds what a node must parse and keep
MAX_ALL_POLICIES: Final = 2048  # of the newest versions; bounds what one decision may cost


@dataclass(frozen=True)
class Contract:
    """One version of a contract, recorded at `index` of the main chain."""

    index: int
    name: str
    version: int
    activates: int
    policy: PolicyText
    approvals: tuple[str, ...] = ()
    """The nodes that approved it."""


class ContractBook:
    """All versions by name, oldest first. Feed it by `apply`; `fork` to try something out."""

    def __init__(self) -> None:
        self._versions: MutableMapping[str, tuple[Contract, ...]] = {}
        self._engine: tuple[int, int | None, Engine] | None = None

    def fork(self) -> ContractBook:
        """A copy that changes without changing this one, and costs nothing to make."""
        other = ContractBook()
        other._versions = ChainMap({}, self._versions)
        return other

    def conflict(self, genesis: Genesis, index: int, entry: Entry) -> str | None:
        """Why the contract entry at `index` cannot follow, if it cannot."""
        body = entry.body
        held = self._versions.get(body["name"], ())
        newest = held[-1] if held else None
        following = newest.version + 1 if newest else 1
        if body["version"] != following:
            return Phrase(
                "the next version of {name} is {version}", name=body["name"], version=following
            )
        if body["replaces"] != (newest.index if newest else None):
            return Phrase("it does not replace the newest version of {name}", name=body["name"])
        if newest is None and len(self._versions) >= MAX_CONTRACTS:
            return Phrase("more than {most} contracts", most=MAX_CONTRACTS)
        if body["activates"] <= index:
            return "it would be in force before it was recorded"
        try:
            policy = PolicyText.parse(body["policy"], body["name"])
        except ContractMalformed as error:
            return Phrase("{error}", error=error)
        others = sum(len(self._versions[name][-1].policy.rules) for name in self) - len(
            newest.policy.rules if newest else ()
        )
        if others + len(policy.rules) > MAX_ALL_POLICIES:
            return Phrase("more than {most} policies in all contracts", most=MAX_ALL_POLICIES)
        return wrong_approval(genesis, body)

    def apply(self, index: int, entry: Entry) -> None:
        """Take in a contract entry that has no conflict."""
        body = entry.body
        contract = Contract(
            index,
            body["name"],
            body["version"],
            body["activates"],
            PolicyText.parse(body["policy"], body["name"]),
            tuple(approval["node"] for approval in body["approvals"]),
        )
        self._versions[contract.name] = (*self._versions.get(contract.name, ()), contract)
        self._engine = None

    def versions(self, name: str) -> tuple[Contract, ...]:
        """Every version of a contract, oldest first."""
        return self._versions.get(name, ())

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._versions))

    def newest(self, name: str) -> Contract | None:
        """The newest version, in force or not yet."""
        held = self._versions.get(name)
        return held[-1] if held else None

    def in_force(self, at: int) -> dict[str, Contract]:
        """The version of each contract by which a submission is judged that begins at `at`."""
        found = {}
        for name in self:
            active = [one for one in self._versions[name] if one.activates <= at]
            if active:
                found[name] = active[-1]
        return found

    def next_change(self, at: int) -> int | None:
        """The smallest main-chain size above `at` from which other contracts are in force."""
        later = [
            one.activates
            for versions in self._versions.values()
            for one in versions
            if one.activates > at
        ]
        return min(later, default=None)

    def engine(self, at: int) -> Engine:
        """What judges submissions that begin at `at`; the same one until other rules count."""
        held = self._engine
        if held is None or at < held[0] or (held[1] is not None and at >= held[1]):
            found = self.in_force(at)
            engine = Engine(
                (f"{name}/{rule.id}", rule)
                for name, contract in found.items()
                for rule in contract.policy.rules
            )
            begin = max((contract.activates for contract in found.values()), default=0)
            held = self._engine = (begin, self.next_change(at), engine)
        return held[2]
