"""Founding a network: its genesis, its side chains, and the digests of schemas and contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from credentials.contexts import ContextStore, bundled_contexts
from credentials.dids import did_key
from credentials.keys import PrivateKey
from registry.chain import SequencerKeys, create_chains, log_signer
from registry.entries import Entry, Purpose, make_entry
from registry.genesis import Genesis, GenesisNode
from schemas.digests import digest_multibase
from schemas.scenario import Scenario, all_scenarios

IDENTITY: Final = "identity"
ACCESS: Final = "access"
SIDE_CHAINS: Final[Mapping[str, tuple[Purpose, str]]] = {
    IDENTITY: (Purpose.ANCHORS, "resident-identity"),
    ACCESS: (Purpose.ACCESS, "access-records"),
}
"""Short name, purpose and scenario of the side chains that every network starts with."""


@dataclass(frozen=True)
class FoundingKeys:
    """The keys of a new network: the operator's, and one for each log by its short name."""

    operator: PrivateKey
    logs: Mapping[str, PrivateKey]

    @classmethod
    def generate(cls) -> FoundingKeys:
        """Fresh keys: P-256 for the operator's seals, Ed25519 for logs (tlog-checkpoint)."""
        logs = {name: PrivateKey.generate("Ed25519") for name in ("main", *SIDE_CHAINS)}
        return cls(PrivateKey.generate("P-256"), logs)

    def sequencer(self, network: str) -> SequencerKeys:
        """The same keys by origin."""
        return SequencerKeys(
            self.operator, {f"{network}/{name}": key for name, key in self.logs.items()}
        )


def resource_entries(scenarios: Iterable[Scenario], contexts: ContextStore) -> list[Entry]:
    """The digests of all schemas and of all contexts that credentials may name."""
    digests = {url: digest_multibase(contexts.record(url).data) for url in sorted(contexts)}
    found = []
    for scenario in scenarios:
        digests[scenario.context_url] = scenario.context_digest
        found.append(
            make_entry(
                "resource",
                role="schema",
                url=scenario.schema_url,
                digest=scenario.schema_digest,
            )
        )
    found += [
        make_entry("resource", role="context", url=url, digest=digest)
        for url, digest in sorted(digests.items())
    ]
    return found


def found_network(
    home: Path,
    network: str,
    nodes: Iterable[GenesisNode],
    keys: FoundingKeys,
    *,
    quorum: int,
    now: datetime,
    before: Callable[[], object] | None = None,
) -> Genesis:
    """Create the stores of a new network in `home`, with its first entries.

    `before` runs once the genesis is known to be valid and before anything is written: keys must
    be safe before what they sign. Raises GenesisInvalid, RegistryExists.
    """
    signers = {
        name: log_signer(f"{network}/{name}", key).key.encode() for name, key in keys.logs.items()
    }
    genesis = Genesis.create(
        network=network,
        operator=did_key(keys.operator.public_key),
        log_key=signers["main"],
        nodes=tuple(nodes),
        quorum=quorum,
        created=now,
    )
    chains = [
        make_entry(
            "chain",
            origin=f"{network}/{name}",
            logKey=signers[name],
            purpose=purpose,
            scenario=scenario,
        )
        for name, (purpose, scenario) in SIDE_CHAINS.items()
    ]
    if before is not None:
        before()
    entries = [*chains, *resource_entries(all_scenarios(), bundled_contexts())]
    create_chains(home, genesis, keys.sequencer(network), entries, now=now)
    return genesis
